"""Pages and tables that are made from the code say what the code says."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import pytest
from pydantic import BaseModel

import napari_anoclip
from docs import cli_pages, datasets, errors_table, generate, settings_tables
from napari_anoclip.batch.datasets import DATASETS
from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.review.session_file import SessionSettings

PAGES = generate.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(generate.DOCS).as_posix())
def test_a_page_is_as_the_code_is(path):
    assert path.read_text(encoding="utf-8") == PAGES[path], "make the pages anew: python -m docs.generate"


def test_there_is_a_page_for_each_command_and_no_other():
    assert {path for path in PAGES if path.parent == cli_pages.FOLDER} == set(cli_pages.FOLDER.glob("*.md"))


def test_every_settings_model_has_its_table():
    models = {
        found
        for module in pkgutil.walk_packages(napari_anoclip.__path__, "napari_anoclip.")
        for name, found in inspect.getmembers(import_module(module.name), inspect.isclass)
        if issubclass(found, BaseModel) and name.endswith("Settings") and not name.startswith("_")
    }
    # What a session keeps of them is in the page on its files.
    assert models - {SessionSettings} <= set(settings_tables.MODELS)


def test_every_setting_says_what_it_means():
    for name, table in settings_tables.parts().items():
        for row in table.splitlines()[2:]:
            setting, values, default, meaning = (cell.strip() for cell in row.split(" | ")[:4])
            assert values, (name, setting)
            assert default, (name, setting)
            assert meaning.rstrip(" |"), (name, setting)


def test_every_typed_error_is_in_the_table():
    table = errors_table.parts()["errors"]
    known = [error for error, _ in errors_table.tree()]
    assert len(known) == len(set(known)) > 20
    assert all(f"`{error.__name__}`" in table and (error.__doc__ or "").strip() for error in known)
    assert known[0] is AnoCLIPError


def test_every_data_set_is_on_its_page():
    table = datasets.parts()["table"] + datasets.parts()["sets"]
    assert all(f"`{key}`" in table for key in DATASETS if key != "folder")


def test_what_is_between_the_marks_is_made_anew_and_nothing_else():
    page = "a\n<!-- generated: x -->\nold\n<!-- end: x -->\nb\n"
    assert generate.filled(page, {"x": "new"}) == "a\n<!-- generated: x -->\nnew\n<!-- end: x -->\nb\n"

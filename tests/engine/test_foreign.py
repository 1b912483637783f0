"""JSON and YAML of others: whatever is wrong with it is a sentence, soon, and nothing of it is obeyed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from napari_anoclip.batch.datasets import DataSetError, FolderSettings, folder_data_set
from napari_anoclip.batch.datasets.model import NOUNS_FILE
from napari_anoclip.cli.settings_file import SettingsFileError, over
from napari_anoclip.engine.checkpoint import read_config
from napari_anoclip.engine.errors import ModelError, PromptFileError
from napari_anoclip.engine.foreign import NotYAML, json_of, within, yaml_of
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.review.imports.coco_file import read_coco
from napari_anoclip.review.imports.problems import DamagedFile

LAUGHS = "a: &a [ha]\n" + "".join(
    f"{c}: &{c} [{', '.join([f'*{b}'] * 10)}]\n" for b, c in zip("abcdefghi", "bcdefghij", strict=True)
)
"""A thousand million times “ha”, in half a kilobyte."""


def test_plain_values_come_as_they_are():
    assert json_of(b'{"a": [1, 2.5, null, "x"]}') == {"a": [1, 2.5, None, "x"]}
    assert yaml_of("a: [1, 2.5, null, x]\nb: {on: off}") == {"a": [1, 2.5, None, "x"], "b": {True: False}}
    assert yaml_of("") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", 1),
        ("a: 1\nb: c: d", 2),
        ("a: &x 1\nb: *x", 2),
        ("&x [*x]", 1),
        ("[" * 20_000, None),
        ("a: 2026-13-45", None),
        ("!!timestamp x", None),
        ("!!int ''", None),
        ("!!bool x", None),
        ("!!python/object/apply:os.getcwd []", 1),
        ("a: \x00", None),
        ("? [a]\n: b", 1),
    ],
)
def test_whatever_is_wrong_with_yaml_is_one_kind_of_error(text, line):
    with pytest.raises(NotYAML) as refused:
        yaml_of(text)
    assert refused.value.line == line
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a":' * 100_000, "nul", b"\xff", "9" * 5000])
def test_whatever_is_wrong_with_json_is_one_kind_of_error(text):
    with pytest.raises(ValueError):
        json_of(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


@pytest.mark.fault("hostile files", "a tag in a prompt file that would run a program", "the machine: it does not run")
def test_a_tag_in_a_prompt_file_builds_nothing(file, tmp_path, sees):
    file.write_text(f"format: 1\nobject: !!python/object/apply:os.mkdir ['{tmp_path}/ran']\n")
    with pytest.raises(PromptFileError) as refused:
        PromptSet.load(file)
    sees(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.fault("hostile files", "a tag in a file of settings that would run a program", "the settings as they were")
def test_a_tag_in_a_file_of_settings_builds_nothing(file, tmp_path, sees):
    file.write_text(f"vv_blocks: !!python/object/apply:os.mkdir ['{tmp_path}/ran']\n")
    with pytest.raises(SettingsFileError) as refused:
        over(AnoCLIPSettings(), file)
    sees(refused.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.fault("hostile files", "YAML that stands for 10⁹ values (a billion laughs)", "memory: nothing is expanded")
def test_a_billion_laughs_are_not_laughed(file, tmp_path, sees):
    began = time.monotonic()
    file.write_text(LAUGHS)
    with pytest.raises(SettingsFileError) as refused:
        over(AnoCLIPSettings(), file)
    sees(refused.value)
    with pytest.raises(PromptFileError):
        PromptSet.load(file)
    (tmp_path / NOUNS_FILE).write_text(LAUGHS)
    (tmp_path / "bolt").mkdir()
    with pytest.raises(DataSetError):
        folder_data_set(FolderSettings()).open(tmp_path)
    assert time.monotonic() - began < 5


@pytest.mark.fault("hostile files", "a prompt file of a million states", "the prompts as they were")
def test_a_million_states_are_refused_unread(file, sees):
    file.write_text("format: 1\nobject: plate\nabnormal_states:\n" + "- damaged {}\n" * 1_000_000)
    began = time.monotonic()
    with pytest.raises(PromptFileError) as refused:
        PromptSet.load(file)
    sees(refused.value)
    assert time.monotonic() - began < 1


@pytest.mark.fault(
    "hostile files", "JSON that is nested 100,000 deep, as COCO or a model's configuration", "what is loaded"
)
def test_json_that_is_nested_too_deeply_is_refused(tmp_path, sees):
    file = tmp_path / "deep.json"
    file.write_text('{"images":' * 100_000)
    with pytest.raises(DamagedFile) as refused:
        read_coco(file)
    sees(refused.value)
    with pytest.raises(ModelError):
        read_config(file, tmp_path / "model.pt", None)


@pytest.mark.fault(
    "hostile files",
    "a name of 10,000 letters, right to left, with line breaks, in a prompt file",
    "the name",
    sees="the name",
)
def test_an_odd_name_in_a_prompt_file_comes_back(file):
    name = "\u202e\u05e9\u05dc\u05d5\u05dd\u2066 'plate' \"7\" " + "x" * 10_000
    PromptSet.preset("short", "plate").model_copy(update={"title": f"{name}\nagain"}).save(file)
    assert PromptSet.load(file).title == f"{name}\nagain"
    assert json.loads(PromptSet.load(file).model_dump_json())["title"].startswith("\u202e")


def test_a_name_stays_within_its_folder_or_is_refused(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "round").symlink_to(folder / "round")
    assert within(folder, "deep/a.tif") == folder / "deep" / "a.tif"
    assert within(folder, "deep/../b.tif") == folder / "deep" / ".." / "b.tif"
    (folder / "deep" / "out").symlink_to(tmp_path)
    for name in ("", ".", "..", "../folder", "deep/../..", str(tmp_path), "deep/out", "deep/out/a", "a\0b"):
        with pytest.raises(ValueError):
            within(folder, name)

"""What stands in the code blocks of the documentation runs as it stands: Python from top to bottom, YAML as it is read.

A block that cannot run here says why in a comment above it: ``<!-- skip: next "needs a Slurm cluster" -->``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest import SkipTest

import matplotlib
import napari
import numpy as np
import pytest
import yaml
from PIL import Image
from sybil import Document
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from napari_anoclip import AnoCLIPSettings, PromptSet
from napari_anoclip.batch.datasets import DATASETS
from napari_anoclip.batch.demo_data import write_demo_data
from napari_anoclip.cli import settings_file
from napari_anoclip.review.exports.label_tiff import export_labels
from napari_anoclip.review.imports.masks import import_mask
from napari_anoclip.review.pictures import read_picture

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

WITH_WINDOW = {"docs/scripting.md"}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, language: str) -> list[str]:
    return [str(example.parsed) for example in Document.parse(str(path), CodeBlockParser(language, lambda _: None))]


def pages_with(language: str) -> list[Path]:
    return [path for path in PAGES if blocks(path, language)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files by the names that the documentation uses."""
    folder = tmp_path_factory.mktemp("documentation")
    write_demo_data(folder / "data" / "mvtec", images=4, side=64, materials=["demo_tiles"])
    tiles = folder / "data" / "mvtec" / "demo_tiles"
    shutil.copytree(tiles, folder / "bottle")
    (mask,) = sorted(tiles.glob("ground_truth/*/*.png"))[:1]
    picture = tiles / "test" / mask.parent.name / mask.name.replace("_mask", "")
    for name in ("pictures/1.png", "pictures/2.png", "discs/fine/1.png", "discs/scratch/2.png", "part 7.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, folder / name)
    (folder / "discs" / "labels" / "scratch").mkdir(parents=True)
    for name in ("discs/labels/scratch/2_gt.png", "part 7 mask.png"):
        shutil.copy(mask, folder / name)
    images = import_mask(folder / "part 7.png", folder / "part 7 mask.png").images
    export_labels(images, folder / "labels", lambda image: read_picture(folder / "part 7.png"))
    shutil.copy(folder / "labels" / "part 7.labels.tif", folder)
    return folder


@pytest.fixture
def given(shelf: Path) -> dict[str, dict[str, object]]:
    """What the reader of a page has already."""
    images = [np.asarray(Image.open(path)) for path in sorted(shelf.glob("data/mvtec/demo_tiles/test/*/*.png"))]
    return {
        "docs/mutual.md": {"images": images, "prompts": PromptSet.preset("surface", "tiles")},
    }


@pytest.fixture
def no_blocking(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A script that would wait for its window to be closed ends at once."""
    monkeypatch.setattr(napari, "run", lambda: None)
    matplotlib.use("Agg")
    yield
    napari.Viewer.close_all()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.gui] if name_of(path) in WITH_WINDOW else [])
        for path in pages_with("python")
    ],
    ids=name_of,
)
def test_python_runs_as_it_stands(path, shelf, given, tmp_path, monkeypatch, no_blocking):
    folder = shutil.copytree(shelf, tmp_path / "here")
    monkeypatch.chdir(folder)
    document = Document.parse(str(path), PythonCodeBlockParser(), SkipParser())
    document.namespace.update(given.get(name_of(path), {}))
    for example in document:
        with suppress(SkipTest):
            example.evaluate()


@pytest.mark.parametrize("path", pages_with("python"), ids=name_of)
def test_what_is_not_run_says_why(path):
    for skip in Document.parse(str(path), SkipParser()):
        action, reason = skip.parsed
        assert action == "next"
        assert reason


@pytest.mark.parametrize("path", pages_with("yaml"), ids=name_of)
def test_yaml_is_read_as_what_it_is(path, tmp_path):
    for block in blocks(path, "yaml"):
        keys = yaml.safe_load(block).keys()
        if "format" in keys:
            assert PromptSet.from_yaml(block, source=path.name).abnormal
        elif keys <= AnoCLIPSettings.model_fields.keys():
            (tmp_path / "settings.yaml").write_text(block, encoding="utf-8")
            assert settings_file.over(AnoCLIPSettings(), tmp_path / "settings.yaml") != AnoCLIPSettings()
        else:
            (tmp_path / "categories.yaml").write_text(block, encoding="utf-8")
            for name in keys:
                picture = tmp_path / name / "test" / "good" / "1.png"
                picture.parent.mkdir(parents=True)
                Image.new("L", (8, 8)).save(picture)
            found = {category.name: category.object for category in DATASETS["mvtec"].open(tmp_path)}
            assert found == {name: words["object"] for name, words in yaml.safe_load(block).items()}


@pytest.mark.parametrize("path", [path for path in pages_with("json") if path.name != "session-format.md"], ids=name_of)
def test_json_is_json(path):
    for block in blocks(path, "json"):
        assert json.loads(block)


def test_a_block_that_fails_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n1 / 0\n```\n", encoding="utf-8")
    (example,) = Document.parse(str(page), PythonCodeBlockParser())
    with pytest.raises(ZeroDivisionError):
        example.evaluate()

"""An evaluation in the forms that people and programs read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from napari_anoclip.batch import tables
from napari_anoclip.batch.errors import InputError, OutputError
from napari_anoclip.batch.evaluation import Broken, CategoryResult, Evaluation, VariantResult
from napari_anoclip.batch.figures import PIXEL_FIGURES, TITLES, DataFigures
from napari_anoclip.batch.plot import draw
from napari_anoclip.batch.protocol import PRESETS
from napari_anoclip.review.metrics import Figure


def made_up(value: float, pixels: bool = True) -> DataFigures:
    told = {name: Figure(value=value, low=value - 0.1, high=value + 0.05, count=9, words="made up") for name in TITLES}
    if not pixels:
        told |= dict.fromkeys(PIXEL_FIGURES, Figure(value=None, low=None, high=None, count=0, words="no mask"))
    return DataFigures(**told, images=10, defective=4)


def variant(name: str, values: tuple[float, ...], pixels: bool = True) -> VariantResult:
    categories = [
        CategoryResult(
            category=category,
            object=category,
            kind="object",
            figures=made_up(value, pixels),
            seconds=0.25 * place,
            broken=(Broken(path="nut/bad.png", reason="It cannot be read."),) if category == "nut" else (),
        )
        for place, (category, value) in enumerate(zip(("nut", "a|b"), values, strict=True), start=1)
    ]
    return VariantResult(name=name, protocol=PRESETS["default"], categories=tuple(categories))


@pytest.fixture
def evaluation() -> Evaluation:
    return Evaluation(
        data="mvtec",
        title="MVTec AD",
        model="builtin",
        model_id="0123",
        device="cpu",
        precision="fp32",
        image_size=240,
        resolution="model",
        limit=10,
        variants=(variant("default", (0.7, 0.8)), variant("paper", (0.5, 0.6))),
        version="1",
    )


def printed(evaluation: Evaluation, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(tables.rich_tables(evaluation))
    return console.file.getvalue()


def test_the_terminal_shows_every_figure_even_if_narrow(evaluation):
    text = printed(evaluation, 80)
    assert "…" not in text
    assert text.count("70.0") >= 9
    assert "75.0 (67.9 to 78.5)" in text, "two independent categories: halves 0.1 and 0.05, over the root of 2"
    words = " ".join(text.split())
    assert "at model resolution: maps in the resolution that the model sees" in words
    assert "At most 10 pictures of each category." in words
    assert "nut/bad.png: It cannot be read." in text


def test_csv_has_a_row_for_each_category_and_their_mean(evaluation, tmp_path):
    tables.write(evaluation, tmp_path)
    table = pd.read_csv(tmp_path / "figures.csv")
    assert table.category.tolist() == ["nut", "a|b", "mean"] * 2
    first = table.iloc[0]
    assert (first.pixel_auroc, first.pixel_auroc_low, first.pixel_auroc_high) == pytest.approx((0.7, 0.6, 0.75))
    assert (first.images, first.defective, first.broken, first.resolution) == (10, 4, 1, "model")
    means = table[table.category == "mean"]
    assert means.aupro_30.tolist() == pytest.approx([0.75, 0.55])
    assert means.seconds_an_image.tolist() == pytest.approx([0.375, 0.375])


def test_markdown_is_a_table_that_names_do_not_break(evaluation):
    lines = tables.markdown(evaluation).splitlines()
    row = next(line for line in lines if line.startswith("| a"))
    assert row.startswith(r"| a\|b | 80.0 |")
    assert len({line.replace(r"\|", "").count("|") for line in lines[2:7]}) == 1
    assert "## Means over categories" in lines


def test_json_gives_back_the_evaluation(evaluation, tmp_path):
    paths = tables.write(evaluation, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == list(tables.FILES)
    assert tables.read(paths[1]) == evaluation


def test_what_is_no_evaluation_is_told(tmp_path):
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match="no figures of an evaluation"):
        tables.read(tmp_path / "other.json")
    with pytest.raises(InputError, match="cannot be read"):
        tables.read(tmp_path / "nothing.json")


def test_a_folder_that_cannot_be_written_to_is_told(evaluation, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another folder"):
        tables.write(evaluation, tmp_path / "file")


def test_figures_that_there_are_not_are_dashes(evaluation):
    images = evaluation.model_copy(update={"variants": (variant("labels", (0.7, 0.8), pixels=False),)})
    row = next(line for line in printed(images, 80).splitlines() if line.startswith("nut"))
    assert row.split() == ["nut", *["-"] * 6, *["70.0"] * 3, "10", "0.250"]


@pytest.mark.parametrize("pixels", [True, False])
def test_the_picture_is_small_and_its_dots_are_where_the_figures_are(evaluation, pixels):
    shown = evaluation.model_copy(update={"variants": (variant("default", (0.7, 0.8), pixels),)})
    png = draw(shown)
    assert len(png) < 300_000
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert picture.shape[1] > 1000
    blue = np.all(np.abs(picture - (0, 0x72, 0xB2)) < 30, axis=-1)
    quarters = np.array_split(blue.sum(axis=0), 4)
    assert quarters[0].sum() > 50
    assert (quarters[1].sum() > 50) == pixels


def test_writing_leaves_nothing_else_behind(evaluation, tmp_path: Path):
    tables.write(evaluation, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(tables.FILES)


def test_a_narrow_terminal_cuts_no_figure_off(evaluation: Evaluation) -> None:
    console = Console(file=io.StringIO(), width=30)
    console.print(tables.rich_tables(evaluation), crop=False)
    text = console.file.getvalue()
    assert "…" not in text
    assert text.count("70.0") >= len(TITLES)


def test_a_dash_is_explained(evaluation: Evaluation) -> None:
    assert not [line for line in tables.summary(evaluation) if "dash" in line]
    without = evaluation.model_copy(update={"variants": (variant("default", (0.7, 0.8), pixels=False),)})
    (said,) = [line for line in tables.summary(without) if "dash" in line]
    assert said.endswith(": no mask (nut, a|b).")


def test_names_are_shown_as_they_are(evaluation: Evaluation) -> None:
    (one, *_), name = evaluation.variants, "bolt[m8] $_{$"
    category = one.categories[0].model_copy(update={"category": name})
    named = evaluation.model_copy(
        update={
            "variants": tuple(one.model_copy(update={"name": f"{name} {at}", "categories": (category,)}) for at in "ab")
        }
    )
    text = printed(named, 200)
    assert text.count(name) == 6, "two titles, two rows, two columns"
    assert draw(named)

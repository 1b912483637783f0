"""The CSV as pandas reads it, and as no spreadsheet misreads it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from review.exporting import box, everything
from review.reviewing import NOON, image, judgement

from napari_anoclip.review.exports.table import COLUMNS, export_table, regions_table
from napari_anoclip.review.judgement import Measures

DOCS = Path(__file__).parents[2] / "docs" / "exports.md"


@pytest.fixture
def studio(tmp_path):
    return everything(tmp_path / "pictures")


def read(file):
    return pd.read_csv(file, keep_default_na=False, na_values=[""])


def export(images, file, **how):
    exported = export_table(images, file, **how)
    return exported, read(file)


def with_note(note, **more):
    return image(judgements={1: judgement(1, note=note, **more)})


def test_there_is_a_row_for_each_region(studio, tmp_path):
    exported, table = export(studio.images, tmp_path / "r.csv", path_of=studio.path_of)
    assert tuple(table.columns) == COLUMNS
    assert list(zip(table["path"], table["region"], table["verdict"], strict=True)) == [
        (Path(of.path).relative_to(tmp_path).as_posix(), number, str(one.verdict))
        for of in studio.images
        for number, one in of.judgements.items()
    ]
    assert exported.sentence == "6 images with 11 regions exported to r.csv. Images without a region have no row (1)."


def test_places_are_pixels_of_the_image_and_lengths_have_a_unit(tmp_path):
    measures = Measures(area=6, centroid=(4.5, 6.0), mean=0.5, maximum=0.75, length=3.0, orientation=np.pi / 2)
    of = image(
        shape=(12, 15),
        step=(2.0, 2.0),
        origin=(10.0, 20.0),
        pixel_size=(0.5, 0.25),
        unit="millimeter",
        judgements={
            4: judgement(
                4,
                box(slice(4, 6), slice(5, 8)),
                kind="scratch",
                note="deep",
                measures=measures,
                threshold=0.62,
                top_prompt="a scratched part",
                edited=True,
            )
        },
    )
    _, table = export([of], tmp_path / "r.csv")
    assert table.iloc[0].dropna().to_dict() == {
        "image": "part 7.png",
        "path": "part 7.png",
        "complete": False,
        "region": 4,
        "verdict": "defect",
        "kind": "scratch",
        "note": "deep",
        "score_max": 0.75,
        "score_mean": 0.5,
        "threshold": 0.62,
        "area_px": 6.0,
        "area": 0.75,
        "length_px": 3.0,
        "length": 0.75,
        "unit": "millimeter",
        "orientation_deg": 90.0,
        "row": 19.5,
        "column": 32.5,
        "first_row": 18,
        "first_column": 30,
        "last_row": 21,
        "last_column": 35,
        "origin": "found",
        "edited": True,
        "top_prompt": "a scratched part",
        "judged_at": NOON.isoformat(timespec="seconds"),
    }


def test_planes_and_regions_of_a_volume(studio, tmp_path):
    _, table = export(studio.images, tmp_path / "r.csv")
    stack = table[table["image"] == "stack.tif"].set_index("region")
    assert stack["plane"].dropna().to_dict() == {1: 0, 3: 3}
    assert stack.loc[2, ["first_plane", "last_plane"]].tolist() == [1, 2]
    assert stack.loc[2, "area_px"] == 2 * 5 * 6 - 2 * 2
    assert np.isnan(stack.loc[2, "area"]), "a volume is no area"
    assert stack["first_plane"].isna().sum() == 2


def test_the_table_itself_has_words_as_they_were_said(studio):
    of = with_note("=1+1")
    table = regions_table([of])
    assert table["note"].tolist() == ["=1+1"]
    assert str(table["first_plane"].dtype) == "Int64"
    assert regions_table([]).columns.tolist() == list(COLUMNS)


@pytest.mark.fault(
    "hostile files",
    "a formula (=cmd|…) in names and notes of a CSV",
    "the spreadsheet: it runs nothing",
    sees="the words after an apostrophe",
)
@pytest.mark.parametrize(
    "begin", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "  =", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
@pytest.mark.parametrize("column", ["image", "path", "kind", "note", "unit", "top_prompt"])
def test_no_text_is_a_formula(begin, column, tmp_path):
    text = f'{begin}cmd|" /C calc"!A0'
    of = with_note(text, kind=text, top_prompt=text).model_copy(update={"name": text, "path": text, "unit": text})
    _, table = export([of], tmp_path / "r.csv")
    assert "cmd|" in table[column][0]
    assert table[column][0].lstrip()[0] == "'"


def cells_of(text, separator):
    """Where a reader that takes this for the separator, and knows no quotes, sees cells begin."""
    return [cell for line in text.splitlines() for cell in line.split(separator)]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_no_cell_is_a_formula_where_another_separator_is_expected(separator, tmp_path):
    of = with_note(f"see{separator}=1+1{separator} @sum\n-2+3\r\n=4\r=5", kind="a;=b")
    export([of], tmp_path / "r.csv")
    cells = cells_of((tmp_path / "r.csv").read_text(encoding="utf-8-sig"), separator)
    assert len(cells) > 6
    assert not [cell for cell in cells if re.match(r"\s*[=+\-@]", cell)]


def test_numbers_below_zero_stay_numbers(tmp_path):
    measures = Measures(area=1, centroid=(1, 1), mean=None, maximum=None, length=1, orientation=-0.5)
    _, table = export([with_note("", measures=measures)], tmp_path / "r.csv")
    assert table["orientation_deg"][0] == pytest.approx(np.degrees(-0.5))


@settings(deadline=None, max_examples=100)
@given(note=st.text(max_size=40))
@example(note='says "yes", or no;\nthen more\r\nand\rmore')
@example(note="日本 Riß 😀")
@example(note="\x00\x1b\udcff")
@example(note="NA")
def test_any_note_comes_back_in_its_own_cell(note, tmp_path_factory):
    file = tmp_path_factory.mktemp("csv") / "r.csv"
    _, table = export([with_note(note), with_note("after")], file)
    assert len(table) == 2
    assert table["note"][1] == "after"
    back = "" if pd.isna(table["note"][0]) else table["note"][0]
    plain = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub("\r\n?", "\n", note)).encode(errors="replace").decode()
    assert re.sub("'", "", back) == re.sub("'", "", plain)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        assert [len(row) for row in csv.reader(stream)] == [len(COLUMNS)] * 3


def test_a_spreadsheet_is_told_that_it_is_utf_8(tmp_path):
    export([with_note("ü")], tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_bytes().startswith(b"\xef\xbb\xbfimage,")


def test_a_region_without_a_verdict_is_in_it_too(tmp_path):
    _, table = export([with_note("look again", verdict=None)], tmp_path / "r.csv")
    assert table["verdict"].isna().all()


def test_every_column_is_in_the_documentation():
    documented = re.findall(r"^\| `(\w+)`", DOCS.read_text(encoding="utf-8").split("## CSV")[1], re.MULTILINE)
    both = re.findall(r"^\| `\w+`, `(\w+)`", DOCS.read_text(encoding="utf-8").split("## CSV")[1], re.MULTILINE)
    assert set(documented) | set(both) == set(COLUMNS)


def test_a_hundred_images_of_a_hundred_regions_are_no_matter(tmp_path):
    judgements = {n: judgement(n) for n in range(1, 101)}
    images = [image(f"{n:04d}", judgements=judgements) for n in range(100)]
    exported, table = export(images, tmp_path / "r.csv")
    assert len(table) == exported.regions == 10_000

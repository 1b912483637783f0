"""Label Studio's tasks: brushes that its own packing gives back, polygons in percent, and the interface for both."""

from __future__ import annotations

import json
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Curve
from review.exporting import Studio, box, everything, on_the_picture, ring
from review.reviewing import judgement

from napari_anoclip.review.exports.label_studio import LOCAL_FILES, brush_runs, export_label_studio
from napari_anoclip.review.exports.target import ExportError, ExportExists
from napari_anoclip.review.judgement import Verdict


class Bits:
    """A stream of bits, read from the front."""

    def __init__(self, data):
        self._data = int.from_bytes(bytes(data), "big")
        self._left = 8 * len(data)

    def take(self, count):
        self._left -= count
        assert self._left >= 0
        return self._data >> self._left & ((1 << count) - 1)

    @property
    def left(self):
        return self._left


def unpacked(data):
    """Undo the packing of `rle-pack`, after its description; runs of one value, and spans of single ones."""
    bits = Bits(data)
    count, width = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    values = []
    while len(values) < count:
        is_run = bits.take(1)
        length = bits.take(sizes[bits.take(2)]) + 1
        values += [bits.take(width)] * length if is_run else [bits.take(width) for _ in range(length)]
    assert len(values) == count
    assert bits.left < 8, "the stream ends with its last byte"
    return np.array(values, np.uint8)


def brush(result):
    """The mask of a brush: the opaque pixels of its RGBA picture."""
    picture = unpacked(result["value"]["rle"]).reshape(result["original_height"], result["original_width"], 4)
    assert np.array_equal(picture[..., 3], picture[..., 0])
    assert set(np.unique(picture)) <= {0, 255}
    return picture[..., 3] == 255


def polygon(result):
    """Pixels whose centre is in a polygon, by another library."""
    size = result["original_height"], result["original_width"]
    corners = np.array(result["value"]["points"]) / 100 * size[::-1]
    centres = np.stack(np.indices(size)[::-1], axis=-1).reshape(-1, 2) + 0.5
    return Curve([*corners, corners[0]]).contains_points(centres).reshape(size)


@pytest.fixture
def studio(tmp_path):
    return everything(tmp_path / "pictures")


def export(studio, file, **how):
    exported = export_label_studio(studio.images, file, studio.read, path_of=studio.path_of, **how)
    return exported, {task["data"]["image"]: task for task in json.loads(file.read_text(encoding="utf-8"))}


def results(task):
    (annotation,) = task["annotations"]
    return annotation["result"]


def test_brushes_are_exact(studio, tmp_path):
    _, tasks = export(studio, tmp_path / "tasks.json")
    checked = 0
    for of in studio.images:
        if len(of.map_shape) > 2 or not of.judged:
            continue
        url = LOCAL_FILES + of.path.replace(f"{tmp_path}/", "").replace(" ", "%20")
        by_number = {int(one["id"].removeprefix("r")): one for one in results(tasks[url])}
        assert by_number.keys() == of.judgements.keys()
        for number, one in of.judgements.items():
            assert np.array_equal(brush(by_number[number]), on_the_picture(of, one, (24, 30)))
            checked += 1
    assert checked == 8


def test_labels_are_kinds_and_verdicts_and_the_interface_has_all_of_them(studio, tmp_path):
    _, tasks = export(studio, tmp_path / "tasks.json", kinds=["dent"])
    first = results(tasks[f"{LOCAL_FILES}pictures/part%201.png"])
    assert [one["value"]["brushlabels"] for one in first] == [["scratch"], ["crack"], ["false positive"], ["unsure"]]
    assert first[0]["meta"] == {"text": ["a hole"]}
    interface = ElementTree.parse(tmp_path / "tasks.xml").getroot()
    control = interface.find("BrushLabels")
    assert (control.get("name"), control.get("toName")) == (first[0]["from_name"], first[0]["to_name"])
    assert interface.find("Image").get("name") == first[0]["to_name"]
    offered = [label.get("value") for label in control]
    used = {label for task in tasks.values() for one in results(task) for label in one["value"]["brushlabels"]}
    assert offered[0] == "dent"
    assert used < set(offered)
    assert len(offered) == len(set(offered))


def test_kinds_with_markup_leave_the_interface_whole(tmp_path):
    studio = Studio(tmp_path)
    hostile = "\"/><script>&amp;'"
    studio.add("a.png", [judgement(1, kind=hostile)])
    export(studio, tmp_path / "tasks.json")
    labels = ElementTree.parse(tmp_path / "tasks.xml").getroot().find("BrushLabels")
    assert labels[0].get("value") == hostile


def test_polygons_are_in_percent_and_within_a_pixel(tmp_path):
    studio = Studio(tmp_path)
    rows, columns = np.indices((40, 60))
    disc = box(slice(0, 40), slice(0, 60), (40, 60)).of((rows - 18) ** 2 + (columns - 33) ** 2 < 15**2)
    studio.add("a.png", [judgement(1, disc), judgement(2, box(slice(0, 1), slice(59, 60), (40, 60)))], (40, 60, 3))
    _, tasks = export(studio, tmp_path / "tasks.json", shape="polygon")
    large, small = results(next(iter(tasks.values())))
    assert np.all((np.array(large["value"]["points"]) >= 0) & (np.array(large["value"]["points"]) <= 100))
    wanted = np.zeros((40, 60), bool)
    disc.draw(wanted, True)
    wrong = np.argwhere(polygon(large) != wanted)
    padded = np.pad(wanted, 1, mode="edge")
    for row, column in wrong:
        around = padded[row : row + 3, column : column + 3]
        assert around.any(), "what is wrong lies at the rim"
        assert not around.all()
    assert len(large["value"]["points"]) < 60, "stairs have become slants"
    assert sorted(small["value"]["points"]) == pytest.approx(
        np.array([[59 / 60 * 100, 0], [59 / 60 * 100, 2.5], [100, 0], [100, 2.5]]), abs=1e-3
    )
    assert ElementTree.parse(tmp_path / "tasks.xml").getroot().find("PolygonLabels") is not None


def test_parts_that_touch_at_a_corner_are_polygons_of_their_own(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", [judgement(5, ring(), kind="hole"), judgement(6, box(slice(0, 2), slice(0, 2)).of(np.eye(2)))])
    exported, tasks = export(studio, tmp_path / "tasks.json", shape="polygon")
    assert [one["id"] for one in results(next(iter(tasks.values())))] == ["r5", "r6", "r6_2"]
    assert exported.regions == 2


def test_stacks_are_left_out_and_said_so(studio, tmp_path):
    exported, tasks = export(studio, tmp_path / "tasks.json")
    assert len(tasks) == exported.images == 5
    assert "stack.tif is a stack, which Label Studio does not show." in exported.sentence


def test_addresses_are_quoted_and_begin_as_wanted(tmp_path):
    studio = Studio(tmp_path)
    studio.add("50 %/ü?#.png")
    _, tasks = export(studio, tmp_path / "tasks.json", prefix="s3://bucket/")
    (url,) = tasks
    assert unquote(url) == "s3://bucket/50 %/ü?#.png"
    assert not set(url.removeprefix("s3://bucket/")) & set(" ?#ü")


def test_the_interface_is_not_replaced_unasked(studio, tmp_path):
    (tmp_path / "tasks.xml").write_text("mine")
    with pytest.raises(ExportExists, match=r"tasks\.xml"):
        export(studio, tmp_path / "tasks.json")
    assert not (tmp_path / "tasks.json").exists()
    with pytest.raises(ExportError, match=r"ends in \.json"):
        export(studio, tmp_path / "tasks.xml", overwrite=True)
    assert (tmp_path / "tasks.xml").read_text() == "mine"


def test_an_image_judged_in_part_says_so(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", [judgement(1, verdict=Verdict.FALSE)], complete=False)
    _, tasks = export(studio, tmp_path / "tasks.json")
    assert [task["data"]["complete"] for task in tasks.values()] == [False]


@settings(deadline=None, max_examples=60)
@given(bits=arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_any_mask_comes_back_from_its_runs(bits):
    picture = unpacked(brush_runs(bits)).reshape(*bits.shape, 4)
    assert np.array_equal(picture[..., 3] == 255, bits)


def test_runs_longer_than_their_longest_width():
    bits = np.zeros((300, 400), bool)
    bits[50:250] = True
    assert np.array_equal(unpacked(brush_runs(bits)).reshape(300, 400, 4)[..., 3] == 255, bits)

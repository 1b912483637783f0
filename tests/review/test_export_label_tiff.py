"""Label images with a number for each judged region, and what was said about it in the file."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from review.exporting import Studio, box, everything, on_the_picture
from review.reviewing import judgement

from napari_anoclip.review.exports.label_tiff import export_labels
from napari_anoclip.review.judgement import Verdict


@pytest.fixture
def studio(tmp_path):
    return everything(tmp_path / "pictures")


def export(studio, folder):
    exported = export_labels(studio.images, folder, studio.read, path_of=studio.path_of)
    return exported, sorted(path.name for path in folder.glob("*.tif"))


def test_each_judged_image_has_a_file(studio, tmp_path):
    exported, files = export(studio, tmp_path / "labels")
    assert files == [
        "coarse.labels.tif",
        "good.labels.tif",
        "more_part 1.labels.tif",
        "part 1.labels.tif",
        "partly.labels.tif",
        "stack.labels.tif",
    ]
    assert exported.sentence == "6 images with 11 regions exported to labels. 1 image not judged yet."


def test_pixels_are_the_numbers_of_regions(studio, tmp_path):
    export(studio, tmp_path / "labels")
    for index, name in ((0, "part 1"), (5, "coarse"), (6, "stack")):
        of = studio.images[index]
        labels = tifffile.imread(tmp_path / "labels" / f"{name}.labels.tif")
        wanted = np.zeros(labels.shape, int)
        for number, one in of.judgements.items():
            wanted[one.plane][on_the_picture(of, one, (24, 30))] = number
        assert labels.dtype == np.uint16
        assert labels.shape == (*of.map_shape[:-2], 24, 30)
        assert np.array_equal(labels, wanted)


def test_what_was_said_stands_in_the_file(tmp_path):
    studio = Studio(tmp_path / "pictures")
    studio.add("a.png", [judgement(2, kind="Riß", note='"\n日本'), judgement(5, verdict=Verdict.FALSE)], complete=False)
    export(studio, tmp_path / "labels")
    with tifffile.TiffFile(tmp_path / "labels" / "a.labels.tif") as file:
        (said,) = file.shaped_metadata
    assert said["image"] == "../pictures/a.png"
    assert said["complete"] is False
    assert said["regions"] == [
        {"number": 2, "verdict": "defect", "kind": "Riß", "note": '"\n日本'},
        {"number": 5, "verdict": "false", "kind": "", "note": ""},
    ]


def test_where_regions_overlap_the_defect_is_seen(tmp_path):
    studio = Studio(tmp_path / "pictures")
    studio.add(
        "a.png",
        [
            judgement(1, box(slice(2, 6), slice(2, 6))),
            judgement(2, box(slice(4, 8), slice(4, 8)), Verdict.UNSURE),
            judgement(3, box(slice(0, 9), slice(0, 9)), Verdict.FALSE),
        ],
    )
    export(studio, tmp_path / "labels")
    labels = tifffile.imread(tmp_path / "labels" / "a.labels.tif")
    assert (labels[5, 5], labels[7, 7], labels[8, 8]) == (1, 2, 3)


def test_numbers_beyond_sixteen_bits(tmp_path):
    studio = Studio(tmp_path / "pictures")
    studio.add("a.png", [judgement(70_000, box(slice(2, 6), slice(2, 6)))])
    export(studio, tmp_path / "labels")
    assert tifffile.imread(tmp_path / "labels" / "a.labels.tif").max() == 70_000

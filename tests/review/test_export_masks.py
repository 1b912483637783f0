"""A folder as of the MVTec AD data set, that any program for it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from review.exporting import Studio, box, everything, on_the_picture, ring
from review.reviewing import judgement

from napari_anoclip.review.exports.masks import export_masks
from napari_anoclip.review.exports.target import LISTING
from napari_anoclip.review.judgement import Verdict


@pytest.fixture
def studio(tmp_path):
    """Judged as a whole, with nothing unsure."""
    studio = everything(tmp_path / "pictures")
    first = studio.images[0]
    sure = {number: one for number, one in first.judgements.items() if one.verdict is not Verdict.UNSURE}
    studio.images[0] = first.model_copy(update={"judgements": sure})
    return studio


def export(studio, folder, **how):
    exported = export_masks(studio.images, folder, studio.read, path_of=studio.path_of, **how)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return exported, files - {LISTING}


def mask(path):
    pixels = np.asarray(Image.open(path))
    assert pixels.dtype == np.uint8
    assert set(np.unique(pixels)) == {0, 255}
    return pixels == 255


def test_pictures_lie_by_their_kind_and_masks_beside(studio, tmp_path):
    exported, files = export(studio, tmp_path / "masks")
    assert files == {
        "test/combined/part 1.png",
        "ground_truth/combined/part 1_mask.png",
        "test/Riß/more_part 1.png",
        "ground_truth/Riß/more_part 1_mask.png",
        "test/good/good.png",
        "test/scratch/coarse.png",
        "ground_truth/scratch/coarse_mask.png",
        "test/crack/stack_p000.tif",
        "ground_truth/crack/stack_p000_mask.png",
        "test/hole/stack_p001.tif",
        "ground_truth/hole/stack_p001_mask.png",
        "test/hole/stack_p002.tif",
        "ground_truth/hole/stack_p002_mask.png",
        "test/good/stack_p003.tif",
    }
    assert (exported.images, exported.regions) == (8, 6)


def test_masks_are_what_was_judged_defective_to_the_pixel(studio, tmp_path):
    export(studio, tmp_path / "masks")
    first, coarse, stack = studio.images[0], studio.images[5], studio.images[6]
    defects = on_the_picture(first, first.judgements[1], (24, 30)) | on_the_picture(
        first, first.judgements[2], (24, 30)
    )
    truth = tmp_path / "masks" / "ground_truth"
    assert np.array_equal(mask(truth / "combined" / "part 1_mask.png"), defects)
    assert np.array_equal(
        mask(truth / "scratch" / "coarse_mask.png"), on_the_picture(coarse, coarse.judgements[1], (24, 30))
    )
    solid = on_the_picture(stack, stack.judgements[2], (24, 30))
    assert np.array_equal(mask(truth / "hole" / "stack_p002_mask.png"), solid[2])


def test_pictures_are_the_files_themselves_and_planes_of_stacks_are_tiffs(studio, tmp_path):
    export(studio, tmp_path / "masks")
    test = tmp_path / "masks" / "test"
    assert (test / "good" / "good.png").read_bytes() == Path(studio.images[2].path).read_bytes()
    stack = studio.images[6]
    assert np.array_equal(tifffile.imread(test / "hole" / "stack_p001.tif"), studio.pictures[stack.key][1])


def test_what_is_not_known_of_every_pixel_is_left_out_and_said_so(tmp_path):
    studio = everything(tmp_path / "pictures")
    exported, files = export(studio, tmp_path / "masks")
    assert exported.left_out == (
        "part 1.png: It has unsure regions.",
        "partly.png: It was not looked at as a whole.",
    )
    assert "2 images left out: part 1.png: It has unsure regions. 1 image not judged yet." in exported.sentence
    assert not any("partly" in name or "combined" in name for name in files)


def test_a_picture_that_is_gone_is_left_out_unless_masks_alone_are_wanted(studio, tmp_path):
    Path(studio.images[1].path).unlink()
    exported, files = export(studio, tmp_path / "masks")
    assert "part 1.png: The picture was not found." in exported.left_out
    assert not any("Riß" in name for name in files)
    exported, files = export(studio, tmp_path / "only", pictures=False)
    assert not any(name.startswith("test/") for name in files)
    assert mask(tmp_path / "only" / "ground_truth" / "Riß" / "more_part 1_mask.png").shape == (24, 30)


def test_only_good_images_have_an_empty_folder_of_masks(tmp_path):
    studio = Studio(tmp_path / "pictures")
    studio.add("a.png", [judgement(1, verdict=Verdict.FALSE)])
    _, files = export(studio, tmp_path / "masks")
    assert files == {"test/good/a.png"}
    assert (tmp_path / "masks" / "ground_truth").is_dir()
    (tmp_path / "there").mkdir()
    export(studio, tmp_path / "there")
    assert (tmp_path / "there" / "ground_truth").is_dir()


@pytest.mark.parametrize(
    ("kind", "folder"), [("", "defect"), ("good", "good defect"), ("../../x", "_.._x"), ("CON", "_CON"), ("a/b", "a_b")]
)
def test_a_kind_is_a_folder_of_its_own_inside(kind, folder, tmp_path):
    studio = Studio(tmp_path / "pictures")
    studio.add("a.png", [judgement(1, box(slice(2, 4), slice(2, 4)), kind=kind)])
    _, files = export(studio, tmp_path / "masks")
    assert files == {f"test/{folder}/a.png", f"ground_truth/{folder}/a_mask.png"}


def test_a_region_with_a_hole_has_it_in_the_mask(tmp_path):
    studio = Studio(tmp_path / "pictures")
    of = studio.add("a.png", [judgement(1, ring())])
    export(studio, tmp_path / "masks")
    found = mask(tmp_path / "masks" / "ground_truth" / "defect" / "a_mask.png")
    assert np.array_equal(found, on_the_picture(of, of.judgements[1], (24, 30)))
    assert not found[11, 12]

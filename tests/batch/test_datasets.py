"""Each data set in miniature: what is found, what it is called, and its masks to the pixel."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from batch.layouts import MARK, MINIATURES, SIDE, dagm_ellipses, marked, picture, visa_converted

from napari_anoclip.batch.datasets import DATASETS, DataSetError
from napari_anoclip.batch.datasets.masks import MaskFile

HALF = marked() > 0

EXPECTED = {
    "mvtec": {"carpet": ("carpet", "texture", 2, 3), "metal_nut": ("metal nut", "object", 2, 3)},
    "mvtec2": {"fruit_jelly": ("fruit jelly", "object", 1, 1), "sheet_metal": ("sheet metal", "texture", 1, 1)},
    "visa": {"capsules": ("capsules", "object", 1, 1), "pcb1": ("printed circuit board", "object", 1, 1)},
    "btad": {
        "01": ("product", "object", 1, 1),
        "02": ("surface", "texture", 1, 1),
        "03": ("product", "object", 1, 1),
    },
    "mpdd": {"bracket_black": ("black bracket", "object", 2, 3), "tubes": ("tubes", "object", 2, 3)},
    "ksdd2": {"ksdd2": ("surface", "texture", 2, 1)},
    "dagm": {"Class1": ("surface", "texture", 2, 1), "Class10": ("surface", "texture", 2, 1)},
    "bsdata": {"bsdata": ("ball screw drive", "object", 2, 1)},
    "magnetic-tile": {"magnetic_tile": ("magnetic tile", "texture", 1, 2)},
    "crackforest": {"crackforest": ("road surface", "texture", 0, 2)},
    "neu-seg": {"neu_seg": ("steel surface", "texture", 0, 2)},
    "dtd-synthetic": {"Mesh_114": ("mesh", "texture", 1, 1), "Woven_001": ("woven texture", "texture", 1, 1)},
    "folder": {"data": ("data", "object", 1, 2)},
}
"""Word, kind, good and defective pictures of each category, in order."""


def opened(key, tmp_path):
    return DATASETS[key].open(MINIATURES[key](tmp_path / "data"))


def test_there_is_a_miniature_of_every_data_set():
    assert set(MINIATURES) == set(EXPECTED) == set(DATASETS)


@pytest.mark.parametrize("key", DATASETS)
def test_the_test_split_of_each_data_set_is_found(key, tmp_path):
    found = {
        category.name: (
            category.object,
            category.kind,
            sum(sample.defective is False for sample in category.samples),
            sum(sample.defective is True for sample in category.samples),
        )
        for category in opened(key, tmp_path)
    }
    assert list(found.items()) == list(EXPECTED[key].items())
    assert not any("train" in sample.image.parts for c in opened(key, tmp_path / "b") for sample in c.samples)


@pytest.mark.parametrize("key", DATASETS)
def test_masks_are_right_to_the_pixel_and_survive_a_journey_to_another_machine(key, tmp_path):
    for category in pickle.loads(pickle.dumps(opened(key, tmp_path))):
        for sample in category.samples:
            mask = sample.mask()
            assert mask.dtype == bool
            assert np.array_equal(mask, HALF if sample.defective else np.zeros_like(HALF))


def test_no_word_for_prompts_has_an_underscore_or_is_longer_than_a_few_words():
    nouns = [noun for data in DATASETS.values() for noun in data.nouns.values()]
    assert len(nouns) > 60
    assert all("_" not in noun.object and len(noun.object.split()) <= 3 for noun in nouns)


def test_kinds_of_defects_are_told_in_words(tmp_path):
    kinds = {key: {s.defect for c in opened(key, tmp_path / key) for s in c.samples} for key in DATASETS}
    assert kinds["mvtec"] == {"", "bent wire", "hole"}
    assert kinds["magnetic-tile"] == {"", "Blowhole", "Crack"}
    assert kinds["crackforest"] == {"crack"}
    assert kinds["bsdata"] == {"", "pitting"}
    assert kinds["folder"] == {"", "deep scratch", "defect"}


def test_visa_converted_by_its_authors_script_reads_the_same(tmp_path):
    root = visa_converted(tmp_path)
    for given in (root, root / "1cls"):
        capsules, pcb = DATASETS["visa"].open(given)
        assert [s.defective for s in capsules.samples] == [False, True]
        assert pcb.object == "printed circuit board"
        assert np.array_equal(pcb.samples[1].mask(), HALF)


def test_dagm_development_data_have_ellipses(tmp_path):
    (category,) = DATASETS["dagm"].open(dagm_ellipses(tmp_path))
    assert [sample.defective for sample in category.samples] == [False, False, True]
    mask = category.samples[2].mask()
    assert mask[0:7, 4].all()
    assert mask[3, 3:6].all()
    assert mask.sum() == 13


def test_bsdata_without_its_split_counts_all_pictures(tmp_path):
    root = MINIATURES["bsdata"](tmp_path)
    (root / "image_data.json").unlink()
    (category,) = DATASETS["bsdata"].open(root)
    assert [sample.defective for sample in category.samples] == [False, True, True, False]


def test_upper_and_lower_case_of_folders_and_endings_do_not_matter(tmp_path):
    picture(tmp_path / "Cable" / "Test/Good/000.PNG")
    picture(tmp_path / "Cable" / "Test/Cut/000.Png")
    picture(tmp_path / "Cable" / "Ground_Truth/cut/000_MASK.PNG", marked())
    (cable,) = DATASETS["mvtec"].open(tmp_path)
    assert (cable.name, cable.object) == ("Cable", "cable")
    assert [sample.defective for sample in cable.samples] == [False, True]
    assert np.array_equal(cable.samples[1].mask(), HALF)


def test_a_category_nobody_knows_is_an_object_called_by_its_folder(tmp_path):
    MINIATURES["mvtec"](tmp_path)
    (tmp_path / "carpet").rename(tmp_path / "left_door-handle")
    unknown = DATASETS["mvtec"].open(tmp_path)[-1]
    assert (unknown.name, unknown.object, unknown.kind) == ("left_door-handle", "left door handle", "object")


def test_words_beside_the_folders_come_first(tmp_path):
    MINIATURES["mvtec"](tmp_path)
    (tmp_path / "categories.yaml").write_text("Metal_Nut: {object: wing_nut}\ncarpet: {object: rug, kind: texture}\n")
    assert [category.object for category in DATASETS["mvtec"].open(tmp_path)] == ["rug", "wing nut"]


@pytest.mark.parametrize("text", ["metal_nut: nut", "metal_nut: {object: nut, kind: thing}", "- a\n- b", "{"])
def test_words_that_cannot_be_used_are_told_with_an_example(text, tmp_path):
    MINIATURES["mvtec"](tmp_path)
    (tmp_path / "categories.yaml").write_text(text)
    with pytest.raises(DataSetError, match=r"categories\.yaml cannot be used .*: write a line such as 'cloth: \{"):
        DATASETS["mvtec"].open(tmp_path)


def test_some_categories_can_be_chosen_and_a_wrong_name_is_told(tmp_path):
    MINIATURES["mvtec"](tmp_path)
    assert [category.name for category in DATASETS["mvtec"].open(tmp_path, ["METAL_NUT"])] == ["metal_nut"]
    with pytest.raises(DataSetError, match="no category bottle here: choose among carpet, metal_nut"):
        DATASETS["mvtec"].open(tmp_path, ["bottle", "carpet"])


def test_masks_of_several_greys_and_colours_are_set_wherever_they_are_not_black(tmp_path):
    image = picture(tmp_path / "image.png")
    colours = np.zeros((SIDE, SIDE, 4), np.uint8)
    colours[..., 3] = 255  # opaque, which says nothing
    colours[MARK] = (0, 0, 1, 255)
    for pixels in (marked(1), colours, colours[..., :3], marked() > 0):
        assert np.array_equal(MaskFile(picture(tmp_path / "mask.png", pixels), image)(), HALF)
    lossy = MaskFile(picture(tmp_path / "mask.jpg", np.kron(marked(), np.ones((8, 8), np.uint8))), tmp_path / "big.png")
    picture(lossy.image, np.zeros((8 * SIDE, 8 * SIDE, 3), np.uint8))
    assert np.array_equal(lossy(), np.kron(HALF, np.ones((8, 8), bool)))

"""Data sets that are not where or not as they should be: a sentence says what was expected and what was found."""

from __future__ import annotations

import json

import pytest
from batch.layouts import MINIATURES, marked, picture

from napari_anoclip.batch.datasets import DATASETS, DataSetError
from napari_anoclip.engine.errors import ImageError


def refusal(key, root):
    with pytest.raises(DataSetError) as caught:
        DATASETS[key].open(root)
    return str(caught.value)


@pytest.mark.parametrize("key", [key for key in DATASETS if key != "folder"])
def test_a_folder_with_something_else_is_told_with_what_was_expected_and_found(key, tmp_path):
    for name in ("b", "a", "c", "d", "e", "f", ".hidden"):
        (tmp_path / name).mkdir()
    sentence = refusal(key, tmp_path)
    data = DATASETS[key]
    assert sentence == (
        f"{tmp_path} is not {data.title}: {data.layout.expected} was expected, a, b, c, d, e, … was found. "
        f"Give the folder that was unpacked from {data.page}."
    )


@pytest.mark.parametrize("key", [key for key in DATASETS if key != "folder"])
def test_the_folder_around_a_data_set_is_told_which_to_give(key, tmp_path):
    root = MINIATURES[key](tmp_path / "around/data")
    assert (
        refusal(key, tmp_path / "around") == f"{root.parent} is the folder around {DATASETS[key].title}: give {root}."
    )
    assert refusal(key, tmp_path) == f"{tmp_path} is the folder around {DATASETS[key].title}: give {root}."


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("mvtec", "metal_nut"),
        ("mvtec", "metal_nut/test"),
        ("visa", "pcb1"),
        ("visa", "split_csv"),
        ("ksdd2", "train"),
        ("dagm", "Class1"),
        ("bsdata", "label"),
        ("crackforest", "groundTruth"),
        ("neu-seg", "annotations/test"),
    ],
)
def test_a_part_of_a_data_set_is_told_which_to_give(key, part, tmp_path):
    root = MINIATURES[key](tmp_path / "data")
    name = part.split("/")[0]
    which = f", and choose the category {name} by its name" if name in ("metal_nut", "pcb1", "Class1") else ""
    assert refusal(key, root / part) == (
        f"{root / part} is a part of {DATASETS[key].title}: give the folder around it, {root}{which}."
    )


@pytest.mark.parametrize("key", ["visa", "mpdd", "dtd-synthetic"])
def test_another_data_set_in_the_same_layout_is_refused(key, tmp_path):
    root = MINIATURES["mvtec"](tmp_path / "data")
    assert f"{root} holds none of the categories of {DATASETS[key].title} (" in refusal(key, root)
    (root / "categories.yaml").write_text("carpet: {object: rug, kind: texture}")
    assert DATASETS[key].open(root)[0].object == "rug"


def test_no_folder_and_a_file_are_told(tmp_path):
    assert refusal("mvtec", tmp_path / "gone").startswith(f"There is no folder {tmp_path / 'gone'}: give the one that")
    file = tmp_path / "mvtec.tar.xz"
    file.touch()
    assert refusal("mvtec", file).startswith(
        f"{file} is a file: give the folder that holds MVTec AD (CATEGORY/test/good"
    )


def test_defective_pictures_without_masks_are_told_with_both_paths_before_anything_runs(tmp_path):
    root = MINIATURES["mvtec"](tmp_path)
    masks = root / "metal_nut/ground_truth/hole"
    (masks / "0_mask.png").unlink()
    images = root / "metal_nut/test/hole"
    assert refusal("mvtec", root) == (
        f"The picture {images / '0.png'} is defective, but its mask {masks / '0_mask.png'} is not there: unpack the "
        "data set again, or move the picture out of it."
    )
    (masks / "1_mask.png").unlink()
    assert refusal("mvtec", root).endswith(f"So it is with 1 more, such as {images / '1.png'}.")


@pytest.mark.parametrize(
    ("key", "mask"),
    [
        ("visa", "pcb1/Data/Masks/Anomaly/000.png"),
        ("ksdd2", "test/20001_GT.png"),
        ("dagm", "Class1/Test/Label/0002_label.PNG"),
        ("magnetic-tile", "MT_Crack/Imgs/exp1_num_1.png"),
        ("crackforest", "groundTruth/002.mat"),
        ("neu-seg", "annotations/test/000001.png"),
    ],
)
def test_a_mask_that_is_gone_is_told_in_every_layout(key, mask, tmp_path):
    root = MINIATURES[key](tmp_path)
    (root / mask).unlink()
    assert f"but its mask {root / mask} is not there" in refusal(key, root)


def test_a_mask_of_another_size_is_told_when_it_is_read(tmp_path):
    root = MINIATURES["mvtec"](tmp_path)
    mask = picture(root / "carpet/ground_truth/hole/0_mask.png", marked(shape=(6, 8)))
    sample = next(sample for sample in DATASETS["mvtec"].open(root)[0].samples if sample.defect == "hole")
    with pytest.raises(DataSetError) as caught:
        sample.mask()
    assert str(caught.value) == (
        f"The mask {mask} has 6 × 8 pixels, but the picture {sample.image} has 8 × 8: a mask has to be as large as its "
        "picture."
    )


def test_damaged_files_are_told(tmp_path):
    crack = MINIATURES["crackforest"](tmp_path / "c")
    (crack / "groundTruth/001.mat").write_bytes(b"no MATLAB")
    with pytest.raises(DataSetError, match=r"001\.mat cannot be read as MATLAB file"):
        DATASETS["crackforest"].open(crack)[0].samples[0].mask()
    balls = MINIATURES["bsdata"](tmp_path / "b")
    (balls / "label/01_c_crop_1.json").write_text("{}")
    assert "cannot be read as labelme's JSON" in refusal("bsdata", balls)
    (balls / "image_data.json").write_text("[]")
    assert "does not say which pictures are for testing" in refusal("bsdata", balls)
    nuts = MINIATURES["mvtec"](tmp_path / "m")
    (nuts / "carpet/test/good/0.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="cannot be read: put it back"):
        DATASETS["mvtec"].open(nuts)[0].samples[0].mask()


def test_labelme_shapes_that_enclose_nothing_are_told_and_rectangles_are_drawn(tmp_path):
    root = MINIATURES["bsdata"](tmp_path)
    file = root / "label/01_c_crop_1.json"
    for shape, problem in (
        ({"shape_type": "line", "points": [[0, 0], [4, 4]]}, "holds a line: only polygons"),
        ({"shape_type": "polygon", "points": []}, "has a shape without points"),
    ):
        file.write_text(json.dumps({"shapes": [shape]}))
        with pytest.raises(DataSetError, match=problem):
            next(s for s in DATASETS["bsdata"].open(root)[0].samples if s.defective).mask()
    file.write_text(json.dumps({"shapes": [{"shape_type": "rectangle", "points": [[7, 2], [3, 5]]}]}))
    sample = next(s for s in DATASETS["bsdata"].open(root)[0].samples if s.defective)
    assert (sample.mask() == (marked() > 0)).all()


def test_visa_needs_its_split(tmp_path):
    root = MINIATURES["visa"](tmp_path)
    table = root / "split_csv/1cls.csv"
    table.write_text("object,split\npcb1,test\n")
    assert "cannot be read as a table with the columns object, split, label, image, mask" in refusal("visa", root)
    table.unlink()
    assert "has VisA's pictures, but not split_csv/1cls.csv" in refusal("visa", root)


def test_a_picture_that_visa_names_but_nobody_has_is_told(tmp_path):
    root = MINIATURES["visa"](tmp_path)
    (root / "pcb1/Data/Images/Normal/0001.JPG").unlink()
    assert "0001.JPG is not there, but" in refusal("visa", root)


def test_a_category_without_pictures_is_told(tmp_path):
    root = MINIATURES["mvtec"](tmp_path)
    (root / "bottle/test/good").mkdir(parents=True)
    assert refusal("mvtec", root).startswith(
        f"There is no picture of the category bottle in {root}, where CATEGORY/test"
    )


def test_an_ellipse_that_is_not_one_is_told_with_its_line(tmp_path):
    picture(tmp_path / "Class1/1.png")
    picture(tmp_path / "Class1_def/1.png")
    (tmp_path / "Class1_def/labels.txt").write_text("1 3.0 1.0\n")
    assert "labels.txt, line 1: the number of a picture, two semi-axes" in refusal("dagm", tmp_path)

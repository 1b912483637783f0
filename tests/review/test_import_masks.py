"""Masks as judgements: a data set in the layout of MVTec AD, what was exported, and one mask beside one picture."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from PIL import Image
from review.exporting import Flag, Steps, Studio, box, counted, facts, pixels, ring
from review.reviewing import judgement

from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.engine.imaging import fingerprint
from napari_anoclip.review.exports.masks import export_masks
from napari_anoclip.review.imports.masks import import_data_set, import_mask
from napari_anoclip.review.imports.problems import WrongFolder, WrongSize
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.region_mask import RegionMask


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, values)
    else:
        Image.fromarray(values).save(path)
    return path


def drawn(*masks, value=255, shape=(24, 30)):
    canvas = np.zeros(shape, np.uint8)
    for mask in masks:
        mask.draw(canvas, value)
    return canvas


CORNER, MIDDLE = box(slice(0, 3), slice(0, 4)), ring()


@pytest.fixture
def root(tmp_path):
    """Two good pictures and two bad ones."""
    root = tmp_path / "bottle"
    for seed, name in enumerate(("good/9.png", "good/10.png", "scratch/0.png", "crack/0.png")):
        save(root / "test" / name, pixels(seed=seed))
    save(root / "ground_truth" / "scratch" / "0_mask.png", drawn(CORNER, MIDDLE))
    save(root / "ground_truth" / "crack" / "0_mask.png", drawn(CORNER))
    return root


def judged(image):
    return [(one.verdict, one.kind, one.mask) for one in image.judgements.values()]


def test_each_part_of_a_mask_is_a_defect_and_good_pictures_have_none(root):
    found = import_data_set(root)
    images = found.images
    assert [image.path.removeprefix(f"{root}/test/") for image in images] == [
        "crack/0.png",
        "good/9.png",
        "good/10.png",
        "scratch/0.png",
    ]
    assert all(image.complete for image in images)
    assert [judged(image) for image in images] == [
        [(Verdict.DEFECT, "crack", CORNER)],
        [],
        [],
        [(Verdict.DEFECT, "scratch", CORNER), (Verdict.DEFECT, "scratch", MIDDLE)],
    ]
    last = images[-1]
    assert last.fingerprint == fingerprint(pixels(seed=2))
    assert (last.key, last.map_shape, last.step) == (last.fingerprint[:16], (24, 30), (1.0, 1.0))
    assert {one.origin for one in last.judgements.values()} == {"imported"}
    assert last.judgements[2].measures.area == MIDDLE.area
    assert found.sentence == "4 images with 3 regions imported."


def test_what_was_exported_comes_back_as_it_was_judged(tmp_path):
    studio = Studio(tmp_path / "pictures")
    studio.add("a.png", [judgement(1, CORNER, kind="scratch"), judgement(2, MIDDLE, kind="scratch")])
    studio.add("b.png", [judgement(1, box(slice(23, 24), slice(29, 30)), kind="Riß")])
    studio.add("c.png", [judgement(1, CORNER)])
    studio.add("d.png", [judgement(1, CORNER, kind="good")])
    studio.add("e.png")
    export_masks(studio.images, tmp_path / "out", studio.read, path_of=studio.path_of)
    back = {image.key: image for image in import_data_set(tmp_path / "out").images}
    assert len(back) == 5
    for of in studio.images:
        assert facts(back[of.key]) == facts(of)
        assert back[of.key].complete
        assert back[of.key].fingerprint == of.fingerprint


def test_pixels_that_touch_at_a_corner_hang_together_and_any_value_but_none_counts(root):
    diagonal = RegionMask.of(np.eye(3), (5, 5))
    save(root / "ground_truth" / "crack" / "0_mask.png", drawn(diagonal, value=1))
    assert judged(import_data_set(root).images[0]) == [(Verdict.DEFECT, "crack", diagonal)]


@pytest.mark.parametrize("name", ["0.png", "0_mask.tif", "0_mask.PNG", "0_mask.bmp"])
def test_masks_may_have_other_endings(root, name):
    folder = root / "ground_truth" / "crack"
    (folder / "0_mask.png").unlink()
    save(folder / name, drawn(CORNER))
    assert judged(import_data_set(root).images[0]) == [(Verdict.DEFECT, "crack", CORNER)]


def test_progress_and_cancel(root):
    steps = Steps()
    import_data_set(root, on_progress=steps)
    assert [(step.done, step.total) for step in steps] == [(n, 4) for n in range(5)]
    for after in range(counted(lambda flag: import_data_set(root, cancel=flag))):
        with pytest.raises(Cancelled):
            import_data_set(root, cancel=Flag(after))


def test_a_wrong_folder_says_what_was_expected_and_what_was_found(root, tmp_path):
    with pytest.raises(WrongFolder, match=r"holds data sets, but is none itself\. Choose one of them: bottle\."):
        import_data_set(tmp_path)
    with pytest.raises(WrongFolder, match=r"test is a part of a data set\. Choose the folder around it, bottle"):
        import_data_set(root / "test")
    with pytest.raises(
        WrongFolder,
        match=r"crack is no data set .*: test/good, test/KIND and ground_truth/KIND were expected, 0\.png was found",
    ):
        import_data_set(root / "test" / "crack")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongFolder, match="nothing was found"):
        import_data_set(tmp_path / "empty")
    with pytest.raises(WrongFolder, match="The folder gone cannot be read"):
        import_data_set(tmp_path / "gone")
    (tmp_path / "empty" / "test").mkdir()
    with pytest.raises(WrongFolder, match="There is no picture in empty/test"):
        import_data_set(tmp_path / "empty")


def left_out(root):
    """What is said of the one picture that is not in it; the other three are."""
    found = import_data_set(root)
    assert len(found.images) == 3
    (sentence,) = found.left_out
    assert found.sentence.endswith(f" 1 image left out: {sentence}")
    return sentence


@pytest.mark.parametrize("where", ["x.png", "good/deep/x.png"])
def test_a_picture_beside_the_layout(root, where):
    save(root / "test" / where, pixels(seed=9))
    (sentence,) = import_data_set(root).left_out
    assert sentence.startswith(f"{where}: It is in test")
    assert sentence.endswith(", but pictures have to be in test/good or test/KIND.")


def test_a_picture_without_a_mask(root):
    save(root / "test" / "crack" / "1.png", pixels(seed=9))
    (sentence,) = import_data_set(root).left_out
    assert sentence == "crack/1.png: There is no ground_truth/crack/1_mask.png. Each defective picture needs one."


def test_a_data_set_without_masks_is_told_before_anything_is_read(root):
    for path in root.rglob("*_mask.png"):
        path.unlink()
    for path in root.rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(
        WrongFolder, match="There is no mask in bottle: ground_truth/crack, ground_truth/scratch were exp"
    ):
        import_data_set(root)


@pytest.mark.fault("inputs", "a mask of another size than its picture", "the other pictures come in")
def test_a_mask_of_another_size(root, sees):
    save(root / "ground_truth" / "crack" / "0_mask.png", drawn(CORNER, shape=(30, 24)))
    assert sees(left_out(root)) == (
        "crack/0.png: The mask 0_mask.png has 30 × 24 pixels, but 0.png has 24 × 30. "
        "A mask has to be as large as its picture."
    )
    with pytest.raises(
        WrongSize, match=r"^The mask 0_mask\.png has 30 × 24 pixels, but 0\.png has 24 × 30\. A mask has"
    ):
        import_mask(root / "test" / "crack" / "0.png", root / "ground_truth" / "crack" / "0_mask.png")


def test_an_empty_mask_contradicts_its_folder(root):
    save(root / "ground_truth" / "crack" / "0_mask.png", drawn())
    assert "ground_truth/crack/0_mask.png is empty, but 0.png is not in test/good" in left_out(root)


@pytest.mark.parametrize("name", ["test/crack/0.png", "ground_truth/crack/0_mask.png"])
def test_a_damaged_file_is_named_and_the_others_come_in(root, name):
    (root / name).write_bytes(b"no picture")
    assert left_out(root).startswith(f"crack/0.png: The picture {name.split('/')[-1]} cannot be read")


def test_where_nothing_can_be_read_the_first_reason_is_told(root):
    for path in (root / "test").rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"0\.png cannot be read"):
        import_data_set(root)


def test_a_copy_among_good_and_bad_pictures_is_a_contradiction(root):
    save(root / "test" / "good" / "copy.png", pixels(seed=0))
    found = import_data_set(root)
    assert len(found.images) == 4
    assert not found.left_out, "copies that are judged alike are one image"
    save(root / "test" / "good" / "copy.png", pixels(seed=3))
    assert "are the same picture, but judged in different ways. Take one away." in left_out(root)


def test_hidden_files_and_other_files_are_in_nobodys_way(root):
    (root / "test" / "crack" / "._0.png").write_bytes(b"x")
    (root / "ground_truth" / "crack" / "._0_mask.png").write_bytes(b"x")
    (root / "test" / "readme.txt").write_text("x")
    (root / "license.txt").write_text("x")
    assert len(import_data_set(root).images) == 4
    assert not import_data_set(root).left_out


@pytest.mark.parametrize(
    "colours",
    [
        lambda mask: mask,
        lambda mask: np.stack([mask, 0 * mask, 0 * mask], -1),
        lambda mask: np.stack([mask, mask, mask, 0 * mask + 255], -1),
        lambda mask: mask > 0,
        lambda mask: mask.astype(np.uint16) * 257,
    ],
    ids=["grey", "red", "RGBA", "two colours", "16 bits"],
)
def test_one_mask_beside_one_picture_of_any_form(tmp_path, colours):
    picture = save(tmp_path / "a.png", pixels())
    mask = save(tmp_path / "b.png", colours(drawn(CORNER, MIDDLE)))
    (image,) = import_mask(picture, mask, kind="stain").images
    assert judged(image) == [(Verdict.DEFECT, "stain", CORNER), (Verdict.DEFECT, "stain", MIDDLE)]
    assert image.complete
    assert image.path == str(picture)


def test_one_mask_of_a_stack_has_a_plane_for_each(tmp_path):
    picture = save(tmp_path / "a.tif", pixels((3, 24, 30)))
    mask = save(tmp_path / "b.tif", np.stack([drawn(CORNER), drawn(), drawn(CORNER, MIDDLE)]))
    (image,) = import_mask(picture, mask).images
    assert [(number, one.plane, one.mask) for number, one in image.judgements.items()] == [
        (1, (0,), CORNER),
        (2, (2,), CORNER),
        (3, (2,), MIDDLE),
    ]
    assert image.fingerprint == fingerprint(pixels((3, 24, 30))[0])
    with pytest.raises(WrongSize):
        import_mask(picture, save(tmp_path / "flat.png", drawn(CORNER)))


def test_one_empty_mask_says_that_the_image_is_good(tmp_path):
    (image,) = import_mask(save(tmp_path / "a.png", pixels()), save(tmp_path / "b.png", drawn())).images
    assert image.complete
    assert not image.judgements


def test_what_compression_leaves_around_a_mask_is_no_defect(tmp_path):
    Image.fromarray(drawn(MIDDLE, shape=(64, 64))).save(tmp_path / "b.jpg", quality=80)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "b.jpg")))) > 2
    (image,) = import_mask(save(tmp_path / "a.png", pixels((64, 64))), tmp_path / "b.jpg").images
    assert judged(image) == [(Verdict.DEFECT, "", MIDDLE)]


def test_a_mask_that_was_not_computed_everywhere(tmp_path):
    values = np.full((24, 30), np.nan, np.float32)
    values[3:8, 4:9] = 0.5
    values[10:] = 0
    (image,) = import_mask(save(tmp_path / "a.png", pixels()), save(tmp_path / "b.tif", values)).images
    assert judged(image) == [(Verdict.DEFECT, "", box(slice(3, 8), slice(4, 9)))]

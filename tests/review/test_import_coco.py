"""COCO annotations as judgements: those that were exported, those of other programs, and those that nobody can use."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools import mask as coco_mask
from review.exporting import Flag, Steps, box, counted, everything, facts, on_the_picture, pixels

from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, ImageError
from napari_anoclip.engine.imaging import fingerprint
from napari_anoclip.review.exports.coco import export_coco
from napari_anoclip.review.imports.coco import import_coco
from napari_anoclip.review.imports.coco_file import RunLengths, pixels_of
from napari_anoclip.review.imports.problems import (
    AnnotationError,
    DamagedFile,
    UnknownImage,
    UnsafeName,
    WrongFolder,
    WrongSize,
)
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.region_mask import RegionMask

SQUARE = [[2, 3, 7, 3, 7, 9, 2, 9]]


@pytest.fixture
def pictures(tmp_path):
    """Two pictures, (24, 30)."""
    for seed, name in enumerate(("a.png", "deep/b.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(seed=seed)).save(tmp_path / name)
    return tmp_path


def content(**more):
    """A file of another program, as small as can be."""
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "height": 24, "width": 30},
            {"id": 2, "file_name": "deep/b.png", "height": 24, "width": 30},
        ],
        "categories": [{"id": 7, "name": "scratch"}, {"id": 8, "name": "false positive"}, {"id": 9, "name": "unsure"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "segmentation": SQUARE, "bbox": [2, 3, 5, 6]}],
    } | more


def annotation(**more):
    return [{"id": 5, "image_id": 1, "category_id": 7, "segmentation": SQUARE} | more]


def load(home, what=None, **how):
    file = home / "coco.json"
    file.write_text(what if isinstance(what, str) else json.dumps(what or content()), encoding="utf-8")
    return import_coco(file, **how).images


def left_out(folder, what=None, **how):
    """Why the first of the two pictures is not in it; the second one is."""
    load(folder, what, **how)
    found = import_coco(folder / "coco.json", **how)
    assert [image.name for image in found.images] == ["b.png"]
    (sentence,) = found.left_out
    assert found.sentence == f"1 image with 0 regions imported. 1 image left out: {sentence}"
    return sentence


def said(image):
    return {number: (one.verdict, one.kind) for number, one in image.judgements.items()}


@pytest.mark.parametrize("rle", [False, True], ids=["polygons", "run lengths"])
def test_what_was_exported_comes_back_as_it_was_judged(tmp_path, rle):
    studio = everything(tmp_path / "pictures")
    export_coco(
        studio.images, tmp_path / "out.json", studio.read, path_of=studio.path_of, rle=rle, false_positives=True
    )
    back = {image.key: image for image in import_coco(tmp_path / "out.json").images}
    judged = [image for image in studio.images if image.judged]
    assert list(back) == [image.key for image in judged]
    for of in judged:
        image = back[of.key]
        assert (image.name, image.path, image.fingerprint, image.complete) == (
            of.name,
            of.path,
            of.fingerprint,
            of.complete,
        )
        assert list(image.judgements) == list(of.judgements)
        assert {one.note for one in image.judgements.values()} == {one.note for one in of.judgements.values()}
        if of.step == (1.0, 1.0):
            assert facts(image) == facts(of)
            assert image.map_shape == of.map_shape
        else:
            assert (image.map_shape, image.step) == ((24, 30), (1.0, 1.0))
            canvas = np.zeros((24, 30), bool)
            image.judgements[1].mask.draw(canvas, True)
            assert np.array_equal(canvas, on_the_picture(of, of.judgements[1], (24, 30)))


def test_an_export_that_is_exported_again_is_the_same(tmp_path):
    studio = everything(tmp_path / "pictures")
    how = {"path_of": studio.path_of, "false_positives": True}
    export_coco(studio.images, tmp_path / "1.json", studio.read, **how)
    export_coco(import_coco(tmp_path / "1.json").images, tmp_path / "2.json", studio.read, **how)
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("1.json", "2.json"))
    assert [one["segmentation"] for one in first["annotations"]] == [
        one["segmentation"] for one in second["annotations"]
    ]
    assert first["categories"] == second["categories"]


def test_pictures_come_in_as_the_plugin_knows_them_and_as_already_judged(pictures):
    first, second = load(pictures)
    picture = np.asarray(Image.open(pictures / "a.png"))
    assert first.fingerprint == fingerprint(picture)
    assert first.key == first.fingerprint[:16]
    assert (first.name, first.path) == ("a.png", str(pictures / "a.png"))
    assert (first.map_shape, first.origin, first.step) == ((24, 30), (0.0, 0.0), (1.0, 1.0))
    assert first.complete
    assert second.complete, "an image without annotations is good"
    assert not second.judgements
    (one,) = first.judgements.values()
    assert (one.origin, one.verdict, one.kind) == ("imported", Verdict.DEFECT, "scratch")
    assert one.mask == box(slice(3, 9), slice(2, 7))
    assert one.measures.area == 30
    assert one.measures.maximum is None


def test_categories_are_verdicts_or_kinds(pictures):
    names = ["scratch", "false positive", "unsure", "defect", "  two\nwords "]
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    regions = [one for number in range(len(names)) for one in annotation(id=number, category_id=number)]
    crowd = annotation(id=9, category_id=0, iscrowd=1)
    image, _ = load(pictures, content(categories=categories, annotations=regions + crowd))
    assert list(said(image).values()) == [
        (Verdict.DEFECT, "scratch"),
        (Verdict.FALSE, ""),
        (Verdict.UNSURE, ""),
        (Verdict.DEFECT, ""),
        (Verdict.DEFECT, "two words"),
        (Verdict.UNSURE, "scratch"),
    ]


def test_a_category_that_was_changed_elsewhere_counts(pictures):
    own = {"region": 4, "verdict": "defect", "kind": "scratch", "note": "kept"}
    image, _ = load(pictures, content(annotations=annotation(category_id=8, anoclip=own)))
    assert said(image) == {4: (Verdict.FALSE, "")}
    assert image.judgements[4].note == "kept"


def test_whether_images_were_looked_at_as_a_whole_can_be_said(pictures):
    assert not any(image.complete for image in load(pictures, complete=False))


def test_numbers_that_are_not_one_each_are_given_anew(pictures):
    regions = [one for number in (4, 4, 0) for one in annotation(id=number, anoclip={"region": number})]
    image, _ = load(pictures, content(annotations=regions))
    assert list(image.judgements) == [1, 2, 3]


def test_pictures_are_found_in_a_folder_by_the_end_of_their_name(pictures, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("json")
    images = [
        {"id": 1, "file_name": "/home/somebody/line 3/a.png"},
        {"id": 2, "file_name": "C:\\line 3\\deep\\b.png"},
    ]
    found = load(elsewhere, content(images=images), pictures=pictures)
    assert [image.path for image in found] == [str(pictures / "a.png"), str(pictures / "deep" / "b.png")]


def test_progress_and_cancel(pictures):
    steps = Steps()
    load(pictures, on_progress=steps)
    assert [(step.done, step.total) for step in steps] == [(0, 2), (1, 2), (2, 2)]
    for after in range(counted(lambda flag: load(pictures, cancel=flag))):
        with pytest.raises(Cancelled):
            load(pictures, cancel=Flag(after))


def test_a_copy_of_a_picture_is_the_same_image_unless_it_was_judged_otherwise(pictures):
    (pictures / "deep" / "b.png").write_bytes((pictures / "a.png").read_bytes())
    same = content(annotations=annotation() + annotation(id=6, image_id=2))
    assert len(load(pictures, same)) == 1
    with pytest.raises(AnnotationError, match=r"a\.png and .*b\.png are the same picture, but judged in different"):
        load(pictures)


DAMAGED = {
    "no JSON": ('{"images": [', "coco.json is damaged: it is no JSON in line 1"),
    "no text": ("", "it is no JSON"),
    "deep": ("[" * 100_000, "it is no JSON"),
    "a list": ("[]", "is no COCO file: it has no list of images. Choose another file."),
    "no images": ({"annotations": [], "categories": []}, "it has no list of images"),
    "images are numbers": (content(images=[1]), r"is damaged at images\.0"),
    "no name": (content(images=[{"id": 1}]), r"is damaged at images\.0\.file_name"),
    "same id": (content(images=[{"id": 1, "file_name": n} for n in ("a.png", "deep/b.png")]), "image 1 is in it more"),
    "same category": (content(categories=[{"id": 7, "name": n} for n in "ab"]), "category 7 is in it more than once"),
    "unknown category": (
        content(annotations=annotation(category_id=70)),
        "is of category 70, which coco.json does not",
    ),
    "words in an outline": (content(annotations=annotation(segmentation=[["x"] * 6])), r"at annotations\.0\.segmentat"),
    "no number": (
        json.dumps(content(annotations=annotation(segmentation=[[float("nan")] * 6]))),
        r"at annotations\.0\.segm",
    ),
    "twice": (content(images=[{"id": n, "file_name": "a.png"} for n in (1, 2)]), "“a.png” is in the file more than"),
    "wrong verdict": (content(annotations=annotation(anoclip={"verdict": "so so"})), r"annotations\.0\.anoclip"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_told_in_a_sentence(what, pictures):
    damaged, sentence = DAMAGED[what]
    with pytest.raises(DamagedFile, match=sentence) as caught:
        load(pictures, damaged)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_cannot_be_read(pictures, name):
    with pytest.raises(AnnotationError, match="cannot be read"):
        import_coco(pictures / name)


def test_bytes_that_are_no_text(pictures):
    (pictures / "coco.json").write_bytes(b'{"images": "\xff"}')
    with pytest.raises(DamagedFile, match="no JSON"):
        import_coco(pictures / "coco.json")


def test_a_picture_that_is_not_there_is_named(pictures):
    (pictures / "deep" / "b.png").unlink()
    with pytest.raises(UnknownImage, match=r"1 of 2 pictures are not in .*: deep/b\.png\. Choose the folder"):
        load(pictures)
    with pytest.raises(UnknownImage, match=r"Annotation 5 is of image 77, which coco\.json does not list"):
        load(pictures, content(annotations=annotation(image_id=77)))
    with pytest.raises(WrongFolder, match="The folder gone is not there"):
        load(pictures, pictures=pictures / "gone")


def test_a_name_that_could_be_either_of_two_pictures(pictures):
    images = [{"id": 1, "file_name": "x/a.png"}, {"id": 2, "file_name": "y/a.png"}]
    with pytest.raises(UnknownImage, match=r"could be “x/a\.png” or “y/a\.png”"):
        load(pictures, content(images=images))


@pytest.mark.fault(
    "hostile files", "../ and absolute names of pictures in a COCO file", "everything outside of the folder of pictures"
)
@pytest.mark.parametrize(
    "name",
    [
        "../outside.png",
        "deep/../../outside.png",
        "..\\outside.png",
        "/etc/passwd",
        "/dev/zero.png",
        "C:\\Windows\\x.png",
        "\\\\server\\share\\x.png",
        "//server/share/x.png",
        "https://example.org/x.png",
        "file:///etc/x.png",
        "",
        "..",
        "deep/",
        "a.png\x00.txt",
        "a\n.png",
        "coco.json",
        "x.exe",
    ],
)
def test_names_that_lead_elsewhere_are_not_followed(name, tmp_path, sees):
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    Image.fromarray(pixels()).save(tmp_path / "outside.png")
    with pytest.raises(UnsafeName) as caught:
        load(home, content(images=[{"id": 1, "file_name": name}], annotations=[]))
    assert "\n" not in sees(caught.value)
    assert "\0" not in str(caught.value)


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "gone.png", "deep"])
def test_names_of_nothing(name, pictures):
    with pytest.raises((UnknownImage, UnsafeName)):
        load(pictures, content(images=[{"id": 1, "file_name": name}]))


def test_an_own_export_may_lead_out_but_to_the_very_picture_only(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    picture = pixels()
    Image.fromarray(picture).save(tmp_path / "outside.png")
    own = {"fingerprint": fingerprint(picture)}
    images = [{"id": 1, "file_name": "../outside.png", "anoclip": own}]
    assert len(load(home, content(images=images))) == 1
    export_again = load(home, content(images=images))
    assert export_again[0].path == str(tmp_path / "outside.png")
    images[0]["anoclip"] = {"fingerprint": "0" * 64}
    with pytest.raises(UnsafeName, match="is another picture by now"):
        load(home, content(images=images))


@pytest.mark.skipif(os.name != "posix", reason="not everybody may make links there")
def test_a_folder_of_pictures_may_be_a_link(pictures, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "line 3").symlink_to(pictures, target_is_directory=True)
    images = [{"id": 1, "file_name": "line 3/a.png"}]
    assert load(home, content(images=images))[0].path == str(home / "line 3" / "a.png")


@pytest.mark.skipif(os.name != "posix", reason="there are no such files")
def test_what_is_no_file_is_not_opened(pictures):
    os.mkfifo(pictures / "pipe.png")
    with pytest.raises(UnknownImage):
        load(pictures, content(images=[{"id": 1, "file_name": "pipe.png"}]))


def test_a_file_without_a_picture_in_it(pictures):
    (pictures / "a.png").write_bytes(b"no picture")
    assert left_out(pictures).startswith("a.png: The picture a.png cannot be read")
    tifffile.imwrite(pictures / "complex.tif", np.ones((4, 4), np.complex64))
    with pytest.raises(ImageError, match=r"complex\.tif is no picture that can be judged"):
        load(pictures, content(images=[{"id": 1, "file_name": "complex.tif"}]))


UNFIT = {
    "another size": ({"size": [10, 10], "counts": [50, 50]}, "is for 10 × 10 pixels, not 30 × 24"),
    "too short": ({"size": [24, 30], "counts": [5, 5]}, "do not fill the picture"),
    "too long": ({"size": [24, 30], "counts": [5, 10**15]}, "do not fill the picture"),
    "negative": ({"size": [24, 30], "counts": [800, -100, 20]}, "do not fill the picture"),
    "no pixel": ({"size": [24, 30], "counts": [720]}, "has no pixel"),
    "nothing": ({"size": [24, 30], "counts": []}, "do not fill the picture"),
    "packed, no runs": ({"size": [24, 30], "counts": "öä"}, "has run lengths that are none"),
    "packed, cut off": ({"size": [24, 30], "counts": "P"}, "cut off"),
    "packed, without end": ({"size": [24, 30], "counts": "o" * 1000}, "has run lengths that are none"),
    "no outline": ([], "has no outline"),
    "two corners": ([[1, 1, 5, 5]], "too few corners, or half a corner"),
    "half a corner": ([[1, 1, 5, 5, 9, 9, 1]], "too few corners, or half a corner"),
    "beside it": ([[100, 100, 120, 100, 120, 120]], "lies beside the picture"),
    "from here to the moon": ([[0, 0, 1e12, 0, 1e12, 1e12]], "lies beside the picture"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_a_region_that_does_not_fit_its_picture(what, pictures):
    segmentation, sentence = UNFIT[what]
    unfit = content(annotations=annotation(segmentation=segmentation))
    why = f"Annotation 5 of “a\\.png” .*{sentence}.*\\. Export it again\\.$"
    assert re.match(f"a\\.png: {why}", left_out(pictures, unfit))
    unfit["images"].pop()
    with pytest.raises(WrongSize, match=f"^{why}"):
        load(pictures, unfit)


def test_a_picture_of_another_size_than_was_annotated(pictures):
    Image.fromarray(pixels((20, 30, 3))).save(pictures / "a.png")
    assert "a.png has 30 × 20 pixels, but is annotated as 30 × 24. Choose" in left_out(pictures)


def test_a_stack_needs_planes_and_a_flat_image_has_none(pictures):
    tifffile.imwrite(pictures / "stack.tif", pixels((4, 24, 30)))
    with pytest.raises(WrongSize, match=r"stack\.tif is a stack of shape \(4, 24, 30\), but is annotated as a flat"):
        load(pictures, content(images=[{"id": 1, "file_name": "stack.tif"}]))
    with pytest.raises(WrongSize, match="but is annotated as plane 9"):
        load(pictures, content(images=[{"id": 1, "file_name": "stack.tif", "anoclip": {"plane": [9]}}]))
    with pytest.raises(WrongSize, match=r"a\.png is no stack"):
        load(pictures, content(images=[{"id": 1, "file_name": "a.png", "anoclip": {"plane": [0]}}]))


def test_an_outline_too_thin_for_a_pixel_gets_the_one_at_its_middle(pictures):
    image, _ = load(pictures, content(annotations=annotation(segmentation=[[4.1, 5, 4.2, 5, 4.2, 5.1]])))
    assert image.judgements[1].mask == box(slice(5, 6), slice(4, 5))


def by_reference(segmentation, size):
    packed = segmentation
    if isinstance(segmentation, list) or isinstance(segmentation["counts"], list):
        packed = coco_mask.frPyObjects(segmentation, *size)
    return coco_mask.decode(coco_mask.merge(packed) if isinstance(packed, list) else packed) > 0


corner = st.tuples(st.floats(-3, 23, width=32), st.floats(-3, 18, width=32))


@settings(deadline=None, max_examples=150)
@given(polygons=st.lists(st.lists(corner, min_size=3, max_size=9), min_size=1, max_size=3))
def test_polygons_are_the_pixels_that_pycocotools_gives_them(polygons):
    size = (15, 20)
    flat = [[float(value) for point in polygon for value in point] for polygon in polygons]
    wanted = by_reference(flat, size)
    try:
        mask = pixels_of(flat, size)
    except WrongSize:
        assert not wanted.any()
        return
    canvas = np.zeros(size, bool)
    mask.draw(canvas, True)
    if wanted.any():
        assert np.array_equal(canvas, wanted)
    else:
        assert canvas.sum() == 1


@settings(deadline=None, max_examples=100)
@given(bits=arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any))
def test_run_lengths_are_the_pixels_that_pycocotools_packed(bits):
    packed = coco_mask.encode(np.asfortranarray(bits.astype(np.uint8)))
    runs = np.diff(np.flatnonzero(np.diff(bits.T.ravel(), prepend=False, append=~bits[-1, -1])), prepend=0).tolist()
    assert pixels_of(RunLengths(size=bits.shape, counts=packed["counts"].decode()), bits.shape) == RegionMask.of(bits)
    assert pixels_of(RunLengths(size=bits.shape, counts=runs), bits.shape) == RegionMask.of(bits)


@settings(deadline=None, max_examples=150)
@given(counts=st.one_of(st.text(max_size=30), st.lists(st.integers(-(10**20), 10**20), max_size=6)))
def test_nonsense_is_refused_and_nothing_worse(counts):
    try:
        mask = pixels_of(RunLengths(size=(6, 7), counts=counts), (6, 7))
    except AnoCLIPError:
        return
    assert mask.area


def test_large_pictures_with_many_regions_take_no_room_for_each(pictures):
    size = (4000, 4000)
    runs = {"size": list(size), "counts": [4000 * 2000 + 7, 5, 4000 * 2000 - 12]}
    masks = [pixels_of(RunLengths(**runs), size) for _ in range(200)]
    assert masks[0].start == (7, 2000)
    assert masks[0].bits.base is None or masks[0].bits.base.size < 10_000

"""COCO as pycocotools, the reference, reads it: the same pixels, areas and boxes as were judged."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO
from review.exporting import Studio, box, broken, everything, on_the_picture, ring
from review.reviewing import judgement
from skimage.measure import euler_number, label

from napari_anoclip.review.exports.coco import KEY, export_coco
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.region_mask import RegionMask


@pytest.fixture
def studio(tmp_path):
    return everything(tmp_path / "pictures")


def load(file):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(file))


def export(studio, file, **how):
    exported = export_coco(studio.images, file, studio.read, path_of=studio.path_of, **how)
    return exported, load(file)


def entry(coco, name, plane=()):
    (found,) = [
        one for one in coco.imgs.values() if one["file_name"].endswith(name) and one[KEY]["plane"] == list(plane)
    ]
    return found


def annotations(coco, name, plane=()):
    return {one[KEY]["region"]: one for one in coco.imgToAnns[entry(coco, name, plane)["id"]]}


@pytest.mark.parametrize("rle", [False, True], ids=["polygons", "run lengths"])
def test_masks_areas_and_boxes_are_those_that_were_judged(studio, tmp_path, rle):
    exported, coco = export(studio, tmp_path / "coco.json", rle=rle, false_positives=True)
    checked = 0
    for of in studio.images:
        size = studio.pictures[of.key].shape[len(of.map_shape) - 2 :][:2]
        for number, one in of.judgements.items():
            wanted = on_the_picture(of, one, size)
            planes = {one.plane: wanted} if wanted.ndim == 2 else {(z,): p for z, p in enumerate(wanted) if p.any()}
            for plane, pixels in planes.items():
                name = of.path.replace(str(studio.folder), "").lstrip("/")
                annotation = annotations(coco, f"pictures/{name}", plane)[number]
                assert np.array_equal(coco.annToMask(annotation), pixels)
                rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
                assert annotation["area"] == pixels.sum()
                assert annotation["bbox"] == [columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1]
                holes = label(pixels, connectivity=1).max() - euler_number(pixels, connectivity=1)
                packed = rle or one.verdict is Verdict.UNSURE or holes > 0
                assert isinstance(annotation["segmentation"], dict) == packed
                checked += 1
    assert checked == len(coco.anns) == 12
    assert exported.regions == sum(len(of.judgements) for of in studio.images)


def test_images_are_those_of_which_something_is_known_and_every_plane_of_a_stack(studio, tmp_path):
    exported, coco = export(studio, tmp_path / "coco.json")
    names = [one["file_name"] for one in coco.imgs.values()]
    assert names == [
        "pictures/part 1.png",
        "pictures/more/part 1.png",
        "pictures/good.png",
        "pictures/partly.png",
        "pictures/coarse.png",
        *["pictures/stack.tif"] * 4,
    ]
    assert {(one["height"], one["width"]) for one in coco.imgs.values()} == {(24, 30)}
    assert exported.images == 9
    assert exported.sentence.endswith("1 image not judged yet. Regions judged false are not in it (3).")


def test_kinds_are_categories_and_unsure_regions_are_crowds_that_count_for_nothing(studio, tmp_path):
    _, coco = export(studio, tmp_path / "coco.json", kinds=["dent", "scratch"], false_positives=True)
    names = [one["name"] for one in coco.cats.values()]
    assert names == ["dent", "scratch", "Riß", "crack", "defect", "hole", "false positive"]
    of = annotations(coco, "pictures/part 1.png")
    assert {number: coco.cats[one["category_id"]]["name"] for number, one in of.items()} == {
        1: "scratch",
        2: "crack",
        4: "false positive",
        7: "defect",
    }
    assert {number: one["iscrowd"] for number, one in of.items()} == {1: 0, 2: 0, 4: 0, 7: 1}
    assert of[1][KEY] == {
        "region": 1,
        "volume": False,
        "verdict": "defect",
        "kind": "scratch",
        "note": "a hole",
        "score": None,
    }


def test_false_positives_are_left_out_unless_they_are_wanted(studio, tmp_path):
    _, coco = export(studio, tmp_path / "coco.json")
    assert not [one for one in coco.anns.values() if one[KEY]["verdict"] == "false"]
    assert entry(coco, "good.png")["id"] not in coco.imgToAnns


def test_a_kind_that_is_called_like_a_verdict_stays_a_defect(tmp_path):
    studio = Studio(tmp_path)
    studio.add("a.png", [judgement(1, kind="false positive"), judgement(2, ring(), kind="unsure")])
    _, coco = export(studio, tmp_path / "coco.json", false_positives=True)
    assert {one["name"] for one in coco.cats.values()} == {"false positive defect", "unsure defect"}


def test_pycocotools_evaluates_it(studio, tmp_path):
    from pycocotools.cocoeval import COCOeval

    _, truth = export(studio, tmp_path / "coco.json")
    found = [
        {
            "image_id": one["image_id"],
            "category_id": one["category_id"],
            "segmentation": truth.annToRLE(one),
            "score": 0.9,
        }
        for one in truth.anns.values()
        if not one["iscrowd"]
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(found), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_a_window_of_an_image_lies_at_its_place_in_the_whole(tmp_path):
    studio = Studio(tmp_path)
    of = studio.add("a.png", [judgement(1, box(slice(0, 2), slice(1, 3)))])
    studio.images[0] = of.model_copy(update={"map_shape": (5, 6), "origin": (8.0, 10.0), "step": (2.0, 3.0)})
    _, coco = export(studio, tmp_path / "coco.json")
    wanted = np.zeros((24, 30), np.uint8)
    wanted[8:12, 13:19] = 1
    assert np.array_equal(coco.annToMask(coco.anns[1]), wanted)


def test_a_window_whose_image_is_gone_is_left_out_because_nobody_knows_how_large_it_is(tmp_path):
    studio = Studio(tmp_path)
    of = studio.add("a.png", [judgement(1)])
    studio.images[0] = of.model_copy(update={"map_shape": (5, 6), "origin": (8.0, 10.0)})
    studio.add("b.png", [judgement(1)])
    exported = export_coco(studio.images, tmp_path / "coco.json", broken)
    assert exported.images == 1
    assert exported.left_out == ("a.png: The picture cannot be read: The picture is damaged: save it again.",)


def test_json_is_plain_and_holds_scores_that_are_numbers_only(tmp_path):
    studio = Studio(tmp_path)
    measures = {"area": 1.0, "centroid": (1.0, 1.0), "mean": 0.5, "length": 1.0, "orientation": None}
    for number, score in enumerate((0.75, float("nan"), None), 1):
        studio.add(f"{number}.png", [judgement(1, note='日本 "', measures=measures | {"maximum": score})])
    export(studio, tmp_path / "coco.json")
    text = (tmp_path / "coco.json").read_text(encoding="utf-8")
    content = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [one[KEY]["score"] for one in content["annotations"]] == [0.75, None, None]
    assert "日本" in text


@settings(deadline=None, max_examples=60)
@given(bits=arrays(bool, (9, 8)).filter(np.any))
def test_any_region_anywhere_keeps_its_pixels(bits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("coco")
    of = Studio(folder).add("a.png", [judgement(1, RegionMask.of(bits))], shape=(9, 8, 3))
    for rle in (False, True):
        export_coco([of], folder / "coco.json", lambda _: np.zeros((9, 8, 3)), rle=rle, overwrite=True)
        coco = load(folder / "coco.json")
        assert np.array_equal(coco.annToMask(coco.anns[1]), bits)

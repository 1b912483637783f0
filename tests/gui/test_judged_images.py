"""What was judged comes with the pixels it was said of, read once, and what cannot be had is named."""

from __future__ import annotations

import numpy as np
import pytest
from gui.plates import Inspector, plate

from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.plugin.judged_images import JudgedImages, left_out
from napari_anoclip.review.judgement import Verdict


@pytest.fixture
def inspector(viewer, dock, run, use_model, bright_is_bad, qtbot, tmp_path):
    use_model(bright_is_bad)
    inspector = Inspector(viewer, dock, tmp_path / "line 3", qtbot, run)
    yield inspector
    inspector.reviewer.close_down()


@pytest.fixture
def images(inspector) -> JudgedImages:
    return JudgedImages.of(inspector.reviewer)


def test_every_judged_image_is_asked_about_with_its_pixels_and_no_other(inspector, images):
    inspector.judge(2)
    inspector.open()
    asked, broken = images.questions(images.now())
    assert [question.image.name for question in asked] == ["plate 0.png", "plate 1.png"]
    assert broken == ()
    for number, question in enumerate(asked):
        assert {one.verdict for one in question.judgements} == {Verdict.DEFECT, Verdict.FALSE}
        np.testing.assert_array_equal(np.asarray(question.source.image[0:96, 0:120]), plate(number))


def test_questions_stay_the_same_until_something_else_is_said(inspector, images):
    inspector.judge(2)
    before, _ = images.questions(images.now())
    again, _ = images.questions(images.now())
    assert all(one is other for one, other in zip(before, again, strict=True))
    inspector.reviewer.good()
    after, _ = images.questions(images.now())
    assert after[0] is before[0]
    assert after[1] is not before[1]
    assert after[1].source is before[1].source, "its pixels need not be read again"


def test_no_picture_is_read_twice(inspector, images, monkeypatch):
    inspector.judge(2)
    images.questions(images.now())
    monkeypatch.setattr(ImageSource, "of", None)
    inspector.reviewer.good()
    assert len(images.questions(images.now())[0]) == 2


def test_pixels_come_from_the_file_where_the_layer_is_gone(inspector, images, viewer):
    inspector.judge(1)
    viewer.layers.clear()
    asked, _ = images.questions(images.now())
    np.testing.assert_array_equal(np.asarray(asked[0].source.image[0:96, 0:120]), plate(0))


def test_an_image_whose_file_and_layer_are_gone_is_named(inspector, images, viewer, tmp_path):
    inspector.judge(2)
    viewer.layers.clear()
    (tmp_path / "line 3" / "plate 0.png").unlink()
    judged = images.now()
    assert judged.missing == ("plate 0.png",)
    assert [image.name for image in judged.images] == ["plate 1.png"]


def test_an_image_that_cannot_be_read_is_named_and_the_others_count(inspector, images, viewer, tmp_path):
    inspector.judge(2)
    viewer.layers.clear()
    (tmp_path / "line 3" / "plate 1.png").write_bytes(b"no picture")
    asked, broken = images.questions(images.now())
    assert [question.image.name for question in asked] == ["plate 0.png"]
    assert broken == ("plate 1.png",)


def test_all_panels_of_a_reviewer_share_what_was_read(inspector, images):
    assert JudgedImages.of(inspector.reviewer) is images


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], ""),
        (["a.png"], "1 judged image does not count, because the pixels cannot be read: a.png."),
        (
            ["a", "b", "c", "d", "e"],
            "5 judged images do not count, because the pixels cannot be read: a, b, c and 2 more.",
        ),
    ],
)
def test_what_is_left_out_is_said(names, sentence):
    assert left_out(names).startswith(sentence)
    assert bool(left_out(names)) == bool(sentence)

"""Every change of a review can be written down, undone and done again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.verdicts import MAX_KINDS, Change, Review

MASK = RegionMask.of(np.ones((2, 3)), (1, 1))


def image(key: str = "a") -> ImageReview:
    return ImageReview(key=key, name=f"{key}.png", fingerprint=key * 64, map_shape=(20, 20))


def said(number: int, verdict: Verdict = Verdict.FALSE, **more: object) -> dict[int, Judgement]:
    return {number: Judgement(id=number, mask=MASK, verdict=verdict, **more)}


def verdicts(review: Review, key: str = "a") -> dict[int, Verdict | None]:
    return {number: one.verdict for number, one in review.images[key].judgements.items()}


def test_a_verdict_is_undone_and_done_again():
    review = Review([image()])
    review.judge("a", "judge region 1 false", said(1))
    review.judge("a", "judge region 1 a defect", said(1, Verdict.DEFECT))
    assert verdicts(review) == {1: Verdict.DEFECT}
    review.undo()
    assert verdicts(review) == {1: Verdict.FALSE}
    review.undo()
    assert verdicts(review) == {}
    review.redo()
    review.redo()
    assert verdicts(review) == {1: Verdict.DEFECT}
    assert review.redo() is None


def test_nothing_to_undo_is_no_change():
    review = Review([image()])
    assert review.undo() is None
    assert review.redo() is None
    assert review.count == 0


def test_the_step_to_undo_is_named():
    review = Review([image()])
    review.judge("a", "judge region 1 false", said(1))
    assert review.to_undo.what == "judge region 1 false"
    review.undo()
    assert review.to_undo is None
    assert review.to_redo.what == "judge region 1 false"


def test_after_a_new_verdict_nothing_can_be_repeated():
    review = Review([image()])
    review.judge("a", "one", said(1))
    review.undo()
    review.judge("a", "two", said(2))
    assert review.to_redo is None


def test_what_changes_nothing_is_no_step():
    review = Review([image()])
    judgements = said(1)
    assert review.judge("a", "one", judgements) is not None
    assert review.judge("a", "again", judgements) is None
    assert review.judge("a", "take away what is not there", {5: None}) is None
    assert review.judge("a", "leave it partly judged", {}, complete=False) is None
    assert review.count == 1


def test_an_image_that_is_called_good_is_complete_in_the_same_step():
    review = Review([image()])
    review.judge("a", "good image", said(1) | said(2), complete=True)
    assert review.images["a"].complete
    review.undo()
    assert not review.images["a"].complete
    assert verdicts(review) == {}


def test_steps_of_several_images_are_undone_in_their_order():
    review = Review([image("a"), image("b")])
    review.judge("a", "one", said(1))
    review.judge("b", "two", said(1))
    review.undo()
    assert (verdicts(review, "a"), verdicts(review, "b")) == ({1: Verdict.FALSE}, {})


def test_an_image_that_is_added_again_keeps_its_judgements():
    review = Review([image()])
    review.judge("a", "one", said(1), complete=True)
    told = []
    review.added.connect(told.append)
    review.add(image().model_copy(update={"name": "moved.png"}))
    assert review.images["a"].name == "moved.png"
    assert review.images["a"].complete
    assert verdicts(review) == {1: Verdict.FALSE}
    review.add(review.images["a"])
    assert len(told) == 1


def test_an_image_that_is_not_there_cannot_be_judged():
    with pytest.raises(KeyError):
        Review().judge("a", "one", said(1))


def test_listeners_see_the_review_as_it_is_after_the_change():
    review = Review([image()])
    seen = []
    review.changed.connect(lambda change: seen.append((change.number, review.count, verdicts(review), review.to_undo)))
    change = review.judge("a", "one", said(1))
    assert seen == [(1, 1, {1: Verdict.FALSE}, change)]


def test_a_change_that_is_missing_is_noticed():
    review, copy = Review([image()]), Review([image()])
    changes = [review.judge("a", "one", said(1)), review.judge("a", "two", said(2)), review.undo()]
    with pytest.raises(ValueError, match="change 2 cannot follow change 0"):
        copy.apply(changes[1])
    copy.apply(changes[0])
    with pytest.raises(ValueError, match="change 2 is not the one to undo"):
        copy.apply(changes[2].model_copy(update={"number": 2}))
    assert (copy.count, verdicts(copy)) == (1, {1: Verdict.FALSE})


def test_kinds_are_trimmed_told_apart_and_no_more_than_there_are_keys():
    review = Review()
    told = []
    review.kinds_changed.connect(told.append)
    review.kinds = [" dent ", "", "dent", *"abcdefghij"]
    assert review.kinds == ("dent", *"abcdefgh")
    assert len(review.kinds) == MAX_KINDS
    review.kinds = list(review.kinds)
    assert len(told) == 1


def test_verdicts_are_counted_over_all_images():
    review = Review([image("a"), image("b")])
    review.judge("a", "one", said(1) | said(2, Verdict.DEFECT))
    review.judge("b", "two", said(1) | {3: Judgement(id=3, mask=MASK, note="?")})
    assert review.counts() == {Verdict.DEFECT: 1, Verdict.FALSE: 2, Verdict.UNSURE: 0}


masks = st.builds(
    lambda bits, start: RegionMask.of(np.array(bits).reshape(2, 3), start),
    st.lists(st.booleans(), min_size=6, max_size=6).filter(any),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)


@st.composite
def judgements(draw) -> dict[int, Judgement | None]:
    numbers = draw(st.sets(st.integers(1, 4), max_size=3))
    return {
        number: draw(
            st.none()
            | st.builds(
                Judgement,
                id=st.just(number),
                mask=masks,
                verdict=st.none() | st.sampled_from(Verdict),
                note=st.text(max_size=5),
                threshold=st.none() | st.floats(0, 1),
            )
        )
        for number in numbers
    }


steps = st.lists(
    st.one_of(
        st.tuples(st.just("judge"), st.sampled_from("ab"), judgements(), st.none() | st.booleans()),
        st.tuples(st.sampled_from(["undo", "redo"])),
    ),
    max_size=12,
)


def perform(review: Review, step: tuple) -> None:
    if step[0] == "judge":
        _, key, given_, complete = step
        review.judge(key, "judge", given_, complete)
    else:
        getattr(review, step[0])()


@settings(deadline=None, max_examples=100)
@given(steps)
def test_changes_replayed_from_their_lines_give_the_same_review_and_the_same_to_undo(todo):
    review, lines = Review([image("a"), image("b")]), []
    review.changed.connect(lambda change: lines.append(change.model_dump_json()))
    for step in todo:
        perform(review, step)
    copy = Review([image("a"), image("b")])
    for line in lines:
        assert "\n" not in line
        copy.apply(Change.model_validate_json(line))
    while True:
        assert copy.images == review.images
        assert (copy.count, copy.to_undo, copy.to_redo) == (review.count, review.to_undo, review.to_redo)
        if review.to_undo is None:
            break
        review.undo()
        copy.undo()
    while review.to_redo is not None:
        review.redo()
        copy.redo()
        assert copy.images == review.images
    assert copy.to_redo is None


@settings(deadline=None, max_examples=60)
@given(steps)
def test_all_undone_is_as_it_began_and_all_done_again_is_as_it_was(todo):
    review = Review([image("a"), image("b")])
    for step in todo:
        perform(review, step)
    while review.redo() is not None:
        pass
    end = dict(review.images)
    while review.undo() is not None:
        pass
    assert review.images == {"a": image("a"), "b": image("b")}
    while review.redo() is not None:
        pass
    assert review.images == end

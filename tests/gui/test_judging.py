"""What each action does to judgements, as a step that can be undone; no display is needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gui.under_review import many
from review.reviewing import image, judgement, square

from napari_anoclip.plugin import judging
from napari_anoclip.review.judgement import ImageReview, Verdict
from napari_anoclip.review.matching import Matched, match
from napari_anoclip.review.regions import Found, measure
from napari_anoclip.review.verdicts import Review

DEFECT, FALSE, UNSURE = Verdict.DEFECT, Verdict.FALSE, Verdict.UNSURE
T = 0.62
KEY = "a1b2"


def found(row: int, column: int, size: int = 6) -> Found:
    mask = square(row, column, size)
    return Found(mask, (), measure(np.full((96, 128), 0.8), mask))


class Judging:
    """An image with what a map shows, judged step by step; regions are matched after each, as in the review."""

    def __init__(self, *shown: Found) -> None:
        self.review = Review([image(KEY)])
        self.show(*shown)

    @property
    def entry(self) -> ImageReview:
        return self.review.images[KEY]

    def show(self, *shown: Found) -> None:
        self.shown = shown
        self.regions = match(shown, self.entry.judgements.values(), getattr(self, "regions", ())).regions

    def take(self, step: judging.Step) -> None:
        change = self.review.judge(KEY, step.what, step.judgements, step.complete)
        assert change is not None
        patched = judging.patched(self.regions, change.after)
        self.show(*self.shown)
        assert said(patched) == said(self.regions), "what is shown at once is what matching says a moment later"

    def undo(self) -> None:
        assert self.review.undo() is not None
        self.show(*self.shown)


def said(regions: list[Matched]) -> dict[int, tuple]:
    return {one.id: (one.verdict, one.mask, one.judgement) for one in regions}


@pytest.fixture
def two() -> Judging:
    return Judging(found(10, 10), found(40, 40))


def test_a_verdict_is_written_with_what_was_seen(two):
    step = judging.verdict(two.entry, two.regions[0], DEFECT, T)
    assert step.what == "judge region 1 a defect"
    assert step.verdict is DEFECT
    two.take(step)
    one = two.entry.judgements[1]
    assert (one.verdict, one.mask, one.measures, one.threshold) == (
        DEFECT,
        two.shown[0].mask,
        two.shown[0].measures,
        T,
    )
    assert (one.origin, one.edited) == ("found", False)
    assert [region.verdict for region in two.regions] == [DEFECT, None]
    two.undo()
    assert two.entry.judgements == {}


def test_what_is_no_defect_has_no_kind(two):
    two.take(judging.kind(two.entry, two.regions[0], "crack", T))
    assert (two.regions[0].verdict, two.regions[0].judgement.kind) == (DEFECT, "crack")
    two.take(judging.verdict(two.entry, two.regions[0], DEFECT, T))
    assert two.regions[0].judgement.kind == "crack", "it was called a defect again, of the kind it had"
    two.take(judging.verdict(two.entry, two.regions[0], UNSURE, T))
    assert two.regions[0].judgement.kind == ""


def test_a_note_is_no_verdict_and_stays_when_one_comes(two):
    step = judging.note(two.entry, two.regions[1], "near the edge", T)
    assert step.verdict is None
    two.take(step)
    assert (two.regions[1].verdict, two.regions[1].judgement.note) == (None, "near the edge")
    two.take(judging.verdict(two.entry, two.regions[1], FALSE, T))
    assert (two.regions[1].verdict, two.regions[1].judgement.note) == (FALSE, "near the edge")


def test_a_verdict_is_of_the_pixels_as_they_are_now(two):
    two.take(judging.verdict(two.entry, two.regions[0], DEFECT, T))
    two.show(found(9, 9, 8), two.shown[1])
    assert two.entry.judgements[1].mask == square(10, 10), "a threshold that moves changes nothing that was written"
    two.take(judging.verdict(two.entry, two.regions[0], FALSE, 0.5))
    one = two.entry.judgements[1]
    assert (one.mask, one.measures.area, one.threshold) == (square(9, 9, 8), 64, 0.5)


def test_a_merged_region_replaces_what_it_was_merged_from(two):
    two.take(judging.verdict(two.entry, two.regions[0], DEFECT, T))
    two.take(judging.verdict(two.entry, two.regions[1], FALSE, T))
    two.show(found(10, 10, 40))
    (merged,) = two.regions
    assert merged.second_look
    two.take(judging.verdict(two.entry, merged, DEFECT, T))
    assert list(two.entry.judgements) == [merged.id]
    two.undo()
    assert [one.verdict for one in two.entry.judgements.values()] == [DEFECT, FALSE]


def test_a_part_of_a_split_region_takes_its_place():
    whole = Judging(found(10, 10, 40))
    whole.take(judging.verdict(whole.entry, whole.regions[0], DEFECT, T))
    whole.show(found(10, 10), found(40, 40))
    first, second = whole.regions
    assert first.second_look
    assert second.second_look
    whole.take(judging.verdict(whole.entry, first, DEFECT, T))
    assert list(whole.entry.judgements) == [first.id]
    assert [(one.id, one.verdict) for one in whole.regions] == [(first.id, DEFECT), (second.id, None)]


def test_a_painted_shape_is_measured_on_its_map(two):
    values = np.full((96, 128), 0.3)
    values[10, 10] = 0.95
    two.take(judging.verdict(two.entry, two.regions[0], DEFECT, T))
    step = judging.shape(two.entry, two.regions[0], square(8, 8, 10), values, T)
    assert step.what == "paint region 1"
    two.take(step)
    region = two.regions[0]
    assert (region.verdict, region.mask, region.judgement.edited) == (DEFECT, square(8, 8, 10), True)
    assert (region.measures.area, region.measures.maximum) == (100, 0.95)
    two.take(judging.verdict(two.entry, region, FALSE, T))
    assert two.regions[0].mask == square(8, 8, 10), "a painted shape stays when it is judged"


def test_a_painted_shape_is_shown_with_its_own_measures_at_once(two):
    step = judging.shape(two.entry, two.regions[0], square(8, 8, 10), None, T)
    assert judging.patched(two.regions, step.judgements)[0].measures.area == 100


def test_a_shape_without_pixels_is_none(two):
    two.take(judging.drawn(two.entry, two.regions, square(70, 70), (), None, T))
    assert len(two.regions) == 3
    two.take(judging.shape(two.entry, two.regions[2], None, None, T))
    assert len(two.regions) == 2
    two.undo()
    assert len(two.regions) == 3


def test_what_was_drawn_is_a_defect_with_a_number_of_its_own(two):
    values = np.full((96, 128), 0.4)
    step = judging.drawn(two.entry, two.regions, square(70, 70), (), values, T)
    two.take(step)
    drawn = two.regions[-1]
    assert (drawn.id, drawn.verdict, drawn.judgement.origin) == (3, DEFECT, "drawn")
    assert drawn.measures.maximum == pytest.approx(0.4)
    again = judging.drawn(two.entry, many(7), square(80, 80), (), None, T)
    assert list(again.judgements) == [8], "numbers of regions that nobody judged are taken too"


def test_a_good_image_has_no_defect_left_in_or_out_of_sight(two):
    two.take(judging.kind(two.entry, two.regions[0], "crack", T))
    two.take(judging.note(two.entry, two.regions[0], "near the edge", T))
    two.show(two.shown[1])  # the first is below the threshold now
    step = judging.good(two.entry, two.regions, T)
    two.review.judge(KEY, step.what, step.judgements, step.complete)
    assert two.entry.complete
    assert [(one.verdict, one.kind) for one in two.entry.judgements.values()] == [(FALSE, "")] * 2
    assert two.entry.judgements[1].note == "near the edge"
    two.undo()
    assert not two.entry.complete
    assert [(one.id, one.kind) for one in two.entry.judgements.values()] == [(1, "crack")]


def test_a_good_image_without_regions_is_known_as_a_whole():
    nothing = Judging()
    step = judging.good(nothing.entry, [], T)
    assert nothing.review.judge(KEY, step.what, step.judgements, step.complete) is not None
    assert nothing.entry.complete


def test_a_step_may_complete_the_image(two):
    step = judging.verdict(two.entry, two.regions[0], FALSE, T)
    assert step.complete is None
    assert step.completing() == replace(step, complete=True)


def test_undoing_a_verdict_leaves_the_region_and_undoing_a_drawing_takes_it(two):
    drawn = judging.by_itself(judgement(9, origin="drawn"))
    regions = [*two.regions, drawn]
    judged = judging.verdict(two.entry, two.regions[0], DEFECT, T)
    regions = judging.patched(regions, judged.judgements)
    regions = judging.patched(regions, {1: None, 9: None})
    assert [(one.id, one.verdict) for one in regions] == [(1, None), (2, None)]

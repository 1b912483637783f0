"""Verdicts stay with their regions while threshold and map change, and are asked for again where they are in doubt."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from napari_anoclip.review.judgement import Judgement, Verdict
from napari_anoclip.review.matching import Matched, Matching, match
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import Found, RegionSettings, find_regions, measure

DEFECT, FALSE, UNSURE = Verdict.DEFECT, Verdict.FALSE, Verdict.UNSURE


def box(row: int, column: int, height: int, width: int) -> RegionMask:
    return RegionMask.of(np.ones((height, width)), (row, column))


def found(mask: RegionMask, plane: tuple[int, ...] = ()) -> Found:
    return Found(mask, plane, measure(np.full((60, 60), 0.8), mask))


def said(number: int, mask: RegionMask, verdict: Verdict | None = FALSE, **more: object) -> Judgement:
    return Judgement(id=number, mask=mask, verdict=verdict, **more)


def by_id(matching: Matching) -> dict[int, Matched]:
    assert len({one.id for one in matching.regions}) == len(matching.regions)
    return {one.id: one for one in matching.regions}


def test_new_regions_are_numbered_in_their_order():
    regions = match([found(box(0, 0, 4, 4)), found(box(10, 0, 4, 4))], []).regions
    assert [(one.id, one.verdict, one.judgement, one.second_look, one.covers) for one in regions] == [
        (1, None, None, "", ()),
        (2, None, None, "", ()),
    ]


def test_a_region_that_grows_or_shrinks_keeps_its_verdict_and_is_shown_as_found():
    judgement = said(5, box(10, 10, 4, 4), DEFECT)
    for now in (box(10, 10, 4, 4), box(8, 8, 9, 9), box(11, 11, 1, 2)):
        (region,) = match([found(now)], [judgement]).regions
        assert (region.id, region.verdict, region.judgement, region.mask) == (5, DEFECT, judgement, now)
        assert region.covers == (5,)
        assert region.measures.area == now.area


def test_a_touch_at_the_rim_carries_no_verdict_over():
    matching = match([found(box(10, 13, 10, 10))], [said(1, box(10, 10, 4, 4))])
    assert [(one.id, one.verdict) for one in matching.regions] == [(2, None)]
    assert [one.id for one in matching.vanished] == [1]


def test_merged_regions_are_to_be_looked_at_again():
    judgements = [said(1, box(0, 0, 4, 4)), said(2, box(0, 6, 4, 4), DEFECT), said(7, box(0, 12, 4, 4))]
    matching = match([found(box(0, 0, 4, 20))], judgements)
    (region,) = matching.regions
    assert (region.verdict, region.judgement) == (None, None)
    assert region.second_look == "merged: 1 defect, 2 false"
    assert region.covers == (1, 2, 7)
    assert region.id not in (1, 2, 7)
    assert matching.vanished == []


def test_the_parts_of_a_split_region_are_to_be_looked_at_again():
    parts = [found(box(0, 0, 4, 4)), found(box(0, 6, 4, 4))]
    regions = match(parts, [said(3, box(0, 0, 4, 12), DEFECT)]).regions
    assert [(one.verdict, one.second_look, one.covers) for one in regions] == [
        (None, "split: was part of region 3, defect", (3,))
    ] * 2
    assert len({one.id for one in regions} | {3}) == 3


def test_merged_with_what_has_only_a_note_is_said_in_words():
    (region,) = match([found(box(0, 0, 4, 20))], [said(1, box(0, 0, 4, 4)), said(2, box(0, 9, 4, 4), None)]).regions
    assert region.second_look == "merged: 1 false, 1 not judged"


def test_what_vanished_comes_back_with_its_verdict():
    judgement = said(2, box(5, 5, 3, 3), UNSURE)
    assert match([], [judgement]) == Matching([], [judgement])
    assert by_id(match([found(box(5, 5, 3, 3))], [judgement]))[2].verdict is UNSURE


def test_a_merged_region_that_is_judged_again_has_one_verdict():
    merged = box(0, 0, 4, 20)
    before = match([found(merged)], [said(1, box(0, 0, 4, 4)), said(2, box(0, 9, 4, 4), DEFECT)]).regions
    again = said(before[0].id, merged, DEFECT)  # which replaces what it covers
    (region,) = match([found(merged)], [again], before).regions
    assert (region.id, region.verdict, region.second_look) == (again.id, DEFECT, "")


@pytest.mark.parametrize("how", [{"origin": "drawn"}, {"origin": "imported"}, {"edited": True}])
class TestAShapeThatAPersonChose:
    def test_is_shown_instead_of_the_found_one(self, how):
        judgement = said(4, box(10, 10, 6, 6), DEFECT, **how)
        (region,) = match([found(box(11, 11, 8, 8))], [judgement]).regions
        assert (region.id, region.verdict, region.mask) == (4, DEFECT, judgement.mask)

    def test_is_shown_though_nothing_is_found(self, how):
        judgement = said(4, box(10, 10, 6, 6), DEFECT, **how)
        matching = match([], [judgement])
        assert [one.judgement for one in matching.regions] == [judgement]
        assert matching.regions[0].measures.area == 36
        assert matching.vanished == []

    def test_takes_in_all_that_is_found_within_it(self, how):
        judgement = said(4, box(10, 10, 6, 20), DEFECT, **how)
        matching = match([found(box(10, 10, 5, 5)), found(box(12, 22, 3, 3)), found(box(40, 40, 3, 3))], [judgement])
        assert [(one.id, one.second_look) for one in matching.regions] == [(4, ""), (1, "")]
        assert matching.regions[0].mask == judgement.mask

    def test_takes_in_what_is_found_half_within_it(self, how):
        judgement = said(4, box(10, 10, 6, 20), DEFECT, **how)
        matching = match([found(box(10, 7, 4, 6)), found(box(10, 27, 4, 6))], [judgement])
        assert [(one.id, one.second_look) for one in matching.regions] == [(4, "")]

    def test_merges_with_what_was_judged_beside_it(self, how):
        judgements = [said(1, box(0, 0, 4, 4), DEFECT, **how), said(2, box(0, 6, 4, 4))]
        matching = match([found(box(0, 0, 4, 10))], judgements)
        assert [one.second_look for one in matching.regions] == ["merged: 1 defect, 1 false"]
        assert matching.vanished == []


def test_a_defect_drawn_within_a_judged_region_leaves_that_as_it_is():
    whole, part = box(0, 0, 10, 10), box(2, 2, 3, 3)
    judgements = [said(1, whole, FALSE), said(2, part, DEFECT, origin="drawn")]
    regions = by_id(match([found(whole)], judgements))
    assert {number: one.verdict for number, one in regions.items()} == {1: FALSE, 2: DEFECT}
    assert all(not one.second_look for one in regions.values())


def test_numbers_stay_with_regions_that_were_not_judged():
    before = match([found(box(0, 0, 5, 5)), found(box(20, 0, 5, 5)), found(box(40, 0, 5, 5))], []).regions
    after = match([found(box(41, 1, 5, 5)), found(box(10, 30, 5, 5)), found(box(0, 0, 3, 3))], [], before).regions
    assert [one.id for one in after] == [3, 2, 1]


def test_a_region_has_the_number_of_the_earlier_one_that_it_shares_most_with():
    before = match([found(box(0, 0, 5, 5)), found(box(0, 10, 5, 5))], []).regions
    assert [one.id for one in match([found(box(0, 3, 5, 12))], [], before).regions] == [2]
    fallen_apart = [found(box(0, 10, 5, 1)), found(box(0, 12, 5, 3))]
    assert [one.id for one in match(fallen_apart, [], before).regions] == [1, 2]


def test_numbers_never_collide_with_those_of_judgements():
    before = match([found(box(0, 0, 5, 5)), found(box(20, 0, 5, 5))], []).regions
    elsewhere = [said(2, box(50, 50, 3, 3)), said(3, box(50, 40, 3, 3))]
    matching = match([found(box(0, 0, 5, 5)), found(box(20, 0, 5, 5))], elsewhere, before)
    assert [one.id for one in matching.regions] == [1, 4]


def test_a_verdict_that_was_undone_leaves_the_number():
    mask = box(0, 0, 5, 5)
    before = match([found(mask)], [said(9, mask)]).regions
    assert [(one.id, one.verdict) for one in match([found(mask)], [], before).regions] == [(9, None)]


def test_planes_of_a_stack_have_nothing_to_do_with_each_other():
    mask = box(0, 0, 5, 5)
    judgements = [said(1, mask, DEFECT, plane=(0,)), said(2, mask, FALSE, plane=(1,))]
    both = match([found(mask, (0,)), found(mask, (1,))], judgements)
    assert [(one.id, one.plane, one.verdict) for one in both.regions] == [(1, (0,), DEFECT), (2, (1,), FALSE)]
    one = match([], judgements, plane=(1,))
    assert [judgement.id for judgement in one.vanished] == [2]
    third = match([found(mask, (2,))], judgements, plane=(2,))
    assert [(region.id, region.verdict) for region in third.regions] == [(3, None)]


def test_regions_of_a_volume_are_matched_in_it():
    mask = RegionMask.of(np.ones((3, 4, 4)), (1, 2, 2))
    flat = said(1, box(2, 2, 4, 4))
    there = Found(mask, (), measure(None, mask))
    matching = match([there], [flat, said(2, mask, DEFECT)])
    assert [(one.id, one.verdict) for one in matching.regions] == [(2, DEFECT)]
    assert [one.id for one in matching.vanished] == [1]


def test_a_threshold_that_is_moved_and_moved_back_changes_nothing():
    rows, columns = np.mgrid[:60, :60]
    peaks = [(15, 15, 0.9), (15, 30, 0.8), (45, 20, 0.7), (45, 50, 0.6)]
    values = np.max([h * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 60) for r, c, h in peaks], axis=0)
    chosen = RegionSettings(min_area=1)
    first = match(find_regions(values, 0.55, chosen), []).regions
    judgements = [said(one.id, one.mask, verdict) for one, verdict in zip(first, [DEFECT, FALSE, UNSURE], strict=False)]
    start = before = match(find_regions(values, 0.55, chosen), judgements, first).regions
    assert [one.verdict for one in start] == [DEFECT, FALSE, UNSURE, None]
    seen = set()
    for threshold in [*np.arange(0.55, 0.95, 0.01), *np.arange(0.95, 0.1, -0.01), *np.arange(0.1, 0.551, 0.01), 0.55]:
        matching = match(find_regions(values, float(threshold), chosen), judgements, before)
        before = list(by_id(matching).values())
        accounted = {n for one in before for n in one.covers} | {one.id for one in matching.vanished}
        assert accounted == {1, 2, 3}
        seen |= {one.second_look for one in before} | {"vanished" for _ in matching.vanished}
    assert [(one.id, one.verdict) for one in before] == [(one.id, one.verdict) for one in start]
    assert "vanished" in seen
    assert "merged: 1 defect, 1 false" in seen


def test_ten_thousand_regions_are_matched_while_one_looks():
    bits, measures = np.ones((4, 4), bool), found(box(0, 0, 4, 4)).measures
    places = [(row, column) for row in range(0, 1000, 10) for column in range(0, 1000, 10)]
    regions = [Found(RegionMask(place, bits), (), measures) for place in places]
    before = match(regions, []).regions
    judgements = [said(one.id, one.mask) for one in before[::2]]
    start = perf_counter()
    after = match(regions, judgements, before).regions
    assert perf_counter() - start < 3  # 0.3 s on an idle machine
    assert [one.id for one in after] == [one.id for one in before]
    assert sum(one.verdict is FALSE for one in after) == 5_000

"""Which region is judged first."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anoclip.review.judgement import Measures
from napari_anoclip.review.matching import Matched
from napari_anoclip.review.order import Order, ordered
from napari_anoclip.review.region_mask import RegionMask


def region(number: int, maximum: float | None, area: float = 4, mean: float | None = None, plane=()) -> Matched:
    """A 2 × 2 region whose place is its number."""
    measures = Measures(
        area=area,
        centroid=(0, 0),
        mean=maximum if mean is None else mean,
        maximum=maximum,
        length=1,
        orientation=0,
    )
    return Matched(number, RegionMask.of(np.ones((2, 2)), (0, 2 * number)), plane, measures)


def numbers(regions, order, threshold=0.5, other=None) -> list[int]:
    return [one.id for one in ordered(regions, order, threshold, other)]


def test_the_highest_first():
    assert numbers([region(1, 0.6), region(2, 0.9), region(3, 0.7)], Order.HIGHEST) == [2, 3, 1]


def test_the_most_doubtful_first_on_either_side_of_the_threshold():
    assert numbers([region(1, 0.9), region(2, 0.42), region(3, 0.55)], Order.DOUBTFUL) == [3, 2, 1]
    assert numbers([region(1, 0.9), region(2, 0.42), region(3, 0.55)], Order.DOUBTFUL, 0.85) == [1, 3, 2]


def test_the_largest_first():
    assert numbers([region(1, 0.9, 5), region(2, 0.6, 50), region(3, 0.7, 7)], Order.LARGEST) == [2, 3, 1]


def test_the_one_that_two_prompt_sets_disagree_on_most_first():
    other = np.full((2, 10), 0.6)
    other[:, 4:6] = 0.1
    other[:, 6:8] = 0.99
    assert numbers([region(1, 0.6), region(2, 0.6), region(3, 0.6)], Order.TELLING, other=other) == [3, 2, 1]


def test_disagreement_is_measured_in_logits():
    other = np.full((2, 10), 0.5)
    other[:, 4:6] = 0.9  # 0.4 from 0.5 is less than 0.1 from 0.999
    regions = [region(2, 0.5), region(3, 0.999)]
    other[:, 6:8] = 0.9
    assert numbers(regions, Order.TELLING, other=other) == [3, 2]


@pytest.mark.parametrize("kind", ["stack", "mapping"])
def test_each_plane_has_its_own_map_of_the_other_prompts(kind):
    stack = np.full((2, 2, 10), 0.6)
    stack[1] = 0.9
    other = stack if kind == "stack" else {(0,): stack[0], (1,): stack[1]}
    assert numbers([region(1, 0.6, plane=(0,)), region(2, 0.6, plane=(1,))], Order.TELLING, other=other) == [2, 1]


def test_regions_without_a_map_come_last():
    drawn = region(1, None)
    for order in (Order.HIGHEST, Order.DOUBTFUL):
        assert numbers([drawn, region(2, 0.1)], order) == [2, 1]
    assert numbers([region(2, 0.6, plane=(1,)), region(3, 0.6)], Order.TELLING, other={(): np.ones((2, 10))}) == [3, 2]
    unmeasured = Matched(1, drawn.mask, (), None)
    assert numbers([unmeasured, region(2, 0.1)], Order.LARGEST) == [2, 1]


@pytest.mark.parametrize("order", Order)
def test_equal_ones_come_by_number(order):
    other = np.ones((2, 10))
    assert numbers([region(3, 0.6), region(1, 0.6), region(2, 0.6)], order, other=other) == [1, 2, 3]


def test_without_another_map_the_telling_ones_come_by_number():
    assert numbers([region(2, 0.9), region(1, 0.6)], Order.TELLING) == [1, 2]

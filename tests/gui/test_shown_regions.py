"""Which regions are listed, and the way through them; no display is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gui.under_review import many

from napari_anoclip.plugin.shown_regions import Show, neighbour, next_open
from napari_anoclip.review.judgement import Verdict

DEFECT, FALSE, UNSURE = Verdict.DEFECT, Verdict.FALSE, Verdict.UNSURE


@pytest.fixture
def regions():
    """A defect, an open one, a false positive, one to be looked at again, one that is unsure."""
    first, second, third, fourth, fifth = many(5)
    return [
        replace(first, verdict=DEFECT),
        second,
        replace(third, verdict=FALSE),
        replace(fourth, second_look="merged: 2 defect"),
        replace(fifth, verdict=UNSURE),
    ]


@pytest.mark.parametrize(
    ("show", "listed"),
    [
        (Show.ALL, [1, 2, 3, 4, 5]),
        (Show.OPEN, [2, 4]),
        (Show.DEFECT, [1]),
        (Show.FALSE, [3]),
        (Show.UNSURE, [5]),
        (Show.SECOND, [4]),
    ],
)
def test_each_choice_lists_its_own(regions, show, listed):
    assert [region.id for region in regions if show.shows(region)] == listed


def visited(regions, show: Show, by: int, steps: int, start=None) -> list[int]:
    current, way = start, []
    for _ in range(steps):
        current = neighbour(regions, current, show, by)
        way.append(current.id)
    return way


def test_the_way_goes_round_in_both_directions(regions):
    assert visited(regions, Show.ALL, 1, 6) == [1, 2, 3, 4, 5, 1]
    assert visited(regions, Show.ALL, -1, 6) == [5, 4, 3, 2, 1, 5]
    assert visited(regions, Show.OPEN, 1, 3, start=regions[2]) == [4, 2, 4]


def test_where_none_is_listed_there_is_no_way(regions):
    assert neighbour([], None, Show.ALL, 1) is None
    assert neighbour(regions[:1], regions[0], Show.OPEN, 1) is None
    assert neighbour(regions[:1], regions[0], Show.DEFECT, 1) is regions[0]


def test_the_next_open_one_is_another_one(regions):
    assert next_open(regions, None).id == 2
    assert next_open(regions, regions[1]).id == 4
    assert next_open(regions, regions[3]).id == 2
    assert next_open(regions[:3], regions[1]) is None, "it is the last one itself"
    assert next_open(regions[:1], regions[0]) is None

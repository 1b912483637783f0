"""Outlines of regions: told apart by their line, not by colour alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_anoclip.plugin.region_picture import (
    CURRENT,
    DEFECT,
    FALSE,
    INSIDE,
    OPEN,
    UNSURE,
    RegionPicture,
    colormap,
    label_of,
    region_at,
)
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.matching import Matched
from napari_anoclip.review.region_mask import RegionMask

SHAPE = (64, 80)


def region(number, row, column, size=20, verdict=None, plane=()):
    mask = RegionMask.of(np.ones((size, size), bool), (row, column))
    return Matched(number, mask, plane, None, verdict)


def picture(*regions, current=None, shape=SHAPE, hidden=()):
    subject = SimpleNamespace(
        plane=SimpleNamespace(stack_shape=shape, axes=tuple(a for a in range(len(shape)) if a not in hidden)),
        hidden=hidden,
    )
    drawn = RegionPicture(subject)
    drawn.set(regions, current)
    return drawn


def parts(labels, number):
    """How many pixels each part of a region has."""
    return {part: int(np.count_nonzero(labels == label_of(number, part))) for part in range(6)}


def test_labels_say_which_region_they_are_of():
    for number in (1, 2, 10_000):
        for part in (INSIDE, DEFECT, CURRENT):
            assert region_at(label_of(number, part)) == number
    assert region_at(0) is None


def test_colours_go_by_the_part_whatever_the_region():
    colours = colormap()
    for part in range(6):
        few = [tuple(np.ravel(colours.map(label_of(number, part)))) for number in (1, 2, 777)]
        assert few[0] == few[1] == few[2]
    assert colours.map(label_of(3, INSIDE)).ravel()[3] == 0
    assert colours.map(label_of(3, DEFECT)).ravel()[3] == 1


def test_each_verdict_has_a_line_of_its_own_kind():
    verdicts = {1: (None, OPEN), 2: (Verdict.DEFECT, DEFECT), 3: (Verdict.FALSE, FALSE), 4: (Verdict.UNSURE, UNSURE)}
    places = {1: (2, 2), 2: (2, 40), 3: (34, 2), 4: (34, 40)}
    labels = np.asarray(picture(*(region(n, *places[n], verdict=v) for n, (v, _) in verdicts.items())))
    lengths = {n: parts(labels, n)[line] for n, (_, line) in verdicts.items()}
    rim = 4 * 20 - 4
    assert lengths[1] == lengths[2] == rim
    assert 0.3 * rim < lengths[3] < 0.7 * rim, "dashed"
    assert 0.3 * rim < lengths[4] < 0.7 * rim, "dotted"
    gaps = [np.diff(np.flatnonzero(np.diff(np.r_[0, labels[34, 2 + 38 * x : 22 + 38 * x] % 6 != 1]))) for x in (0, 1)]
    assert gaps[0].max() > gaps[1].max(), "dashes are longer than dots"


def test_the_current_region_has_a_second_line_around_it():
    labels = np.asarray(picture(region(1, 20, 20), region(2, 20, 50), current=1))
    assert parts(labels, 1)[CURRENT] > 4 * 20
    assert parts(labels, 2)[CURRENT] == 0
    ring = np.argwhere(labels == label_of(1, CURRENT))
    assert ring.min(axis=0).tolist() == [17, 17]


@pytest.mark.parametrize("place", [(0, 0), (44, 60), (0, 60), (30, 0)])
def test_a_current_region_at_the_border_is_drawn_within_the_map(place):
    labels = np.asarray(picture(region(1, *place), current=1))
    assert labels.shape == SHAPE
    assert parts(labels, 1)[CURRENT] > 0


def test_touching_regions_keep_a_line_between_them():
    labels = np.asarray(picture(region(1, 10, 10), region(2, 10, 30)))
    assert (labels[10:30, 29] == label_of(1, OPEN)).all()
    assert (labels[10:30, 30] == label_of(2, OPEN)).all()


def test_the_smaller_of_two_regions_is_on_top_and_is_what_is_clicked():
    drawn = picture(region(1, 10, 10, 30), region(2, 20, 20, 5))
    assert region_at(int(np.asarray(drawn)[22, 22])) == 2
    assert drawn.region_at((), (22, 22)) == 2
    assert drawn.region_at((), (12, 12)) == 1
    assert drawn.region_at((), (60, 70)) is None


def test_planes_of_a_stack_are_drawn_one_by_one():
    drawn = picture(region(1, 5, 5, plane=(2,)), region(2, 5, 5, plane=(0,)), shape=(3, *SHAPE), hidden=(0,))
    assert drawn[2].shape == SHAPE
    assert region_at(int(drawn[2][10, 10])) == 1
    assert region_at(int(drawn[0, 10, 10])) == 2
    assert not drawn[1].any()
    assert np.array_equal(np.asarray(drawn)[2], drawn[2])
    assert drawn[..., 4:8, 6:9].shape == (3, 4, 3)


def test_a_hidden_axis_may_stand_anywhere():
    drawn = picture(region(1, 5, 5, plane=(3,)), shape=(64, 6, 80), hidden=(1,))
    assert np.asarray(drawn).shape == (64, 6, 80)
    assert region_at(int(drawn[10, 3, 10])) == 1
    assert not np.asarray(drawn)[:, 2].any()


def test_a_region_of_a_volume_is_drawn_in_each_of_its_planes():
    mask = RegionMask.of(np.ones((2, 10, 10), bool), (1, 5, 5))
    drawn = picture(Matched(1, mask, (), None), shape=(4, *SHAPE), hidden=(0,))
    assert [bool(drawn[z].any()) for z in range(4)] == [False, True, True, False]
    assert drawn.region_at((2,), (6, 6)) == 1

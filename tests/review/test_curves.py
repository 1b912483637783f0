"""Areas and precisions of counts by score, on counts that are small enough to be reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anoclip.review.curves import Curves, above, area_under, ratio


def curves(defect, normal) -> Curves:
    """Of one set: counts by rising score."""
    return Curves.of(np.array([defect], float), np.array([normal], float))


def test_what_reaches_a_threshold_is_counted_from_the_highest_down():
    np.testing.assert_array_equal(above(np.array([[1, 2, 4], [0, 0, 1]])), [[0, 4, 6, 7], [0, 1, 1, 1]])


def test_an_area_ends_within_a_step_where_its_limit_is():
    x, y = np.array([[0.0, 2.0, 4.0]]), np.array([[0.0, 1.0, 1.0]])
    for limit, area in ((0, 0), (1, 0.25), (2, 1), (3, 2), (9, 3)):
        assert area_under(x, y, np.array([float(limit)]))[0] == pytest.approx(area)


def test_a_step_straight_up_has_no_area():
    assert area_under(np.array([[0.0, 0.0, 1.0]]), np.array([[0.0, 1.0, 1.0]]), np.ones(1))[0] == 1


def test_a_part_of_nothing_is_no_number():
    np.testing.assert_array_equal(ratio(np.array([1.0, 1.0]), np.array([4.0, 0.0])), [0.25, np.nan])


def test_one_normal_pixel_is_enough_to_tell_defects_from():
    told = curves([0, 0, 1], [0, 1, 0])
    assert (told.auroc()[0], told.average_precision()[0], told.f1_max()[0]) == (1, 1, 1)
    told = curves([0, 1, 0], [0, 0, 1])
    assert (told.auroc()[0], told.average_precision()[0]) == (0, 0.5)
    assert told.f1_max()[0] == pytest.approx(2 / 3)


def test_of_equal_scores_half_is_won():
    assert curves([0, 3], [0, 2]).auroc()[0] == 0.5


@pytest.mark.parametrize(("defect", "normal"), [([0, 2], [0, 0]), ([0, 0], [2, 0])])
def test_where_one_kind_is_missing_nothing_can_be_told(defect, normal):
    told = curves(defect, normal)
    for figure in (told.auroc(), told.average_precision(), told.f1_max()):
        assert np.isnan(figure).all()


def test_the_overlap_of_regions_is_a_mean_over_them_up_to_the_limit():
    """Two regions; half of each is hotter than all that is normal, and the rest colder than a fifth of it."""
    told = curves([1, 0, 1], [8, 2, 0])
    overlap = above(np.array([[1.0, 0.0, 1.0]]))
    assert told.aupro(overlap, np.array([2.0]), 0.2)[0] == pytest.approx(0.5)
    assert told.aupro(overlap, np.array([2.0]), 1.0)[0] == pytest.approx(0.2 * 0.5 + 0.8 * 0.75)


def test_a_rescaled_rate_needs_two_thresholds_that_differ_below_the_limit():
    scores = np.array([0.0, 0.5, 1.0])
    told = curves([0, 0, 4], [90, 10, 0])
    overlap = above(np.array([[0.0, 0.0, 1.0]]))
    assert told.rescaled_pro(overlap, np.ones(1), scores)[0] == 1
    for normal in ([0, 0, 100], [90, 0, 10], [100, 0, 0]):
        assert np.isnan(curves([0, 0, 4], normal).rescaled_pro(overlap, np.ones(1), scores)[0])

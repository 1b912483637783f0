"""Counts that add up over a stack, and thresholds that agree with what is computed from the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import threshold_otsu
from sklearn.metrics import f1_score, precision_recall_curve

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.histogram import BINS, ScoreHistogram, best_f1

WIDTH = 1 / BINS
scores = arrays(np.float32, st.integers(1, 200), elements=st.floats(0, 1, width=32))


@pytest.fixture
def two_humps() -> np.ndarray:
    generator = np.random.default_rng(0)
    values = np.concatenate([generator.normal(0.47, 0.004, 4000), generator.normal(0.49, 0.003, 300)])
    return values.astype(np.float32)


def test_every_value_is_counted_once_and_nan_never():
    histogram = ScoreHistogram.of(np.array([[0, 1, np.nan], [0.5, 1.0000001, -1e-8]], np.float32))
    assert histogram.count == 5
    assert histogram.counts[0] == 2
    assert histogram.counts[-1] == 2


def test_an_empty_one_says_so_in_numbers():
    empty = ScoreHistogram.of(np.full((3, 3), np.nan))
    assert empty.count == 0
    assert np.isnan(empty.otsu())
    assert np.isnan(empty.quantile(0.5))
    assert empty.share_above(0.2) == 0
    assert not empty.binned(0, 1, 10).any()


@given(scores, scores)
def test_planes_add_up_to_their_stack(one, other):
    total = ScoreHistogram.of(one) + ScoreHistogram.of(other)
    assert np.array_equal(total.counts, ScoreHistogram.of(np.concatenate([one, other])).counts)


def test_more_values_than_are_counted_at_once():
    values = np.linspace(0, 1, (1 << 21) + 5, dtype=np.float32)
    assert ScoreHistogram.of(values.reshape(1, -1)).count == values.size


@given(scores, st.floats(0, 1))
def test_a_quantile_is_that_of_the_values_within_a_bin(values, q):
    ordered = np.sort(values)
    nearest = np.quantile(ordered, q, method="inverted_cdf")
    assert ScoreHistogram.of(values).quantile(q) == pytest.approx(nearest, abs=1.01 * WIDTH)


@given(scores, st.floats(0, 1))
def test_the_share_above_is_that_of_the_values_within_a_bin(values, threshold):
    share = ScoreHistogram.of(values).share_above(threshold)
    assert (values >= threshold + WIDTH).mean() - 1e-9 <= share <= (values > threshold - WIDTH).mean() + 1e-9


def test_otsu_is_that_of_the_values_even_where_they_sit_close_together(two_humps):
    assert ScoreHistogram.of(two_humps).otsu() == pytest.approx(threshold_otsu(two_humps, nbins=256), abs=2e-4)


def test_otsu_of_one_value_lies_just_above_it():
    assert 0 < ScoreHistogram.of(np.full(9, 0.3)).otsu() - 0.3 <= WIDTH


@given(scores, st.integers(1, 300))
def test_bins_for_drawing_lose_nothing(values, bins):
    assert ScoreHistogram.of(values).binned(0, 1, bins).sum() == pytest.approx(values.size)


def test_bins_for_drawing_are_those_of_the_range(two_humps):
    drawn = ScoreHistogram.of(two_humps).binned(0.46, 0.50, 20)
    assert drawn == pytest.approx(np.histogram(two_humps, 20, (0.46, 0.50))[0], abs=60)
    assert drawn.argmax() == np.histogram(two_humps, 20, (0.46, 0.50))[0].argmax()


@given(st.lists(st.tuples(st.integers(0, BINS - 1), st.booleans()), min_size=1, max_size=60))
def test_the_best_f1_is_the_best_there_is(pixels):
    values = (np.array([bin_ for bin_, _ in pixels]) + 0.5) / BINS
    marked = np.array([mark for _, mark in pixels])
    if not marked.any():
        return
    threshold, f1 = best_f1(ScoreHistogram.of(values[marked]), ScoreHistogram.of(values[~marked]))
    precision, recall, _ = precision_recall_curve(marked, values)
    best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    assert f1 == pytest.approx(best)
    assert f1_score(marked, values >= threshold) == pytest.approx(f1)


def test_between_two_separate_groups_the_threshold_keeps_its_distance_from_both():
    threshold, f1 = best_f1(ScoreHistogram.of([0.8, 0.9]), ScoreHistogram.of([0.1, 0.2]))
    assert f1 == 1
    assert threshold == pytest.approx(0.5, abs=1e-3)


def test_a_mask_that_marks_nothing_is_a_sentence():
    with pytest.raises(ImageError, match="marks no pixel"):
        best_f1(ScoreHistogram(), ScoreHistogram.of([0.1]))

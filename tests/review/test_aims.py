"""What a suggestion is to better is counted as scikit-learn and plain loops count it, on some of the images."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score

from napari_anoclip.review.aims import Aim, Sheet
from napari_anoclip.review.patches import Truth

SHAPES = [(9, 12), (7, 8), (12, 10), (9, 12)]


def drawn(seed: int, levels: int = 0) -> tuple[list[Truth], list[np.ndarray], Sheet, np.ndarray]:
    """Grids of several sizes with two defects each, their scores, and both laid out on a sheet."""
    draw = np.random.default_rng(seed)
    truths, grids = [], []
    for shape in SHAPES:
        region = np.zeros(shape, np.int32)
        region[1:4, 1:3], region[5, 4:7] = 1, 3  # numbers of defects may have gaps
        near = ndimage.binary_dilation(region > 0)
        grid = draw.random(shape).astype(np.float32) / 2 + 0.3 * (region > 0) * draw.random()
        truths.append(Truth(region, ~near & (draw.random(shape) < 0.9), near))
        grids.append((grid * levels).round() / levels if levels else grid)
    sheet = Sheet.of(truths)
    scores = np.zeros(sheet.region.shape, np.float32)
    for image, grid in enumerate(grids):
        scores.ravel()[sheet.cells(image)] = grid.ravel()
    return truths, [grid.astype(np.float32) for grid in grids], sheet, scores


def plain_aupro(truths: list[Truth], grids: list[np.ndarray], limit: float = 0.3) -> float:
    """Threshold by threshold."""
    good = np.concatenate([grid[truth.normal] for truth, grid in zip(truths, grids, strict=True)])
    defects = [
        grid[truth.region == number]
        for truth, grid in zip(truths, grids, strict=True)
        for number in set(np.unique(truth.region)) - {0}
    ]
    places = [(0.0, 0.0)]
    for threshold in sorted(set(np.concatenate([good, *defects]).tolist()), reverse=True):
        places.append((np.mean(good >= threshold), np.mean([np.mean(one >= threshold) for one in defects])))
    area = 0.0
    for (x, y), (after, higher) in pairwise(places):
        if x < limit and after > x:
            end = min(after, limit)
            area += (end - x) * (y + (y + (higher - y) * (end - x) / (after - x))) / 2
    return area / limit


def plain_false_regions(truths: list[Truth], grids: list[np.ndarray], recall: float) -> float:
    """Image by image, at the highest threshold that finds enough."""
    pairs = list(zip(truths, grids, strict=True))
    hottest = sorted(
        (grid[truth.region == number].max() for truth, grid in pairs for number in set(np.unique(truth.region)) - {0}),
        reverse=True,
    )
    threshold = hottest[math.ceil(recall * len(hottest)) - 1]
    false = 0
    for truth, grid in pairs:
        numbers, count = ndimage.label(grid >= threshold, np.ones((3, 3)))
        for number in range(1, count + 1):
            false += bool(truth.normal[numbers == number].any() and not truth.near[numbers == number].any())
    return false / len(pairs)


CHOSEN = [[0, 1, 2, 3], [1, 3], [2]]


@pytest.mark.parametrize("images", CHOSEN)
@pytest.mark.parametrize("levels", [0, 10])
@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_plain_code_with_ties_and_without(seed: int, levels: int, images: list[int]) -> None:
    truths, grids, sheet, scores = drawn(seed, levels)
    truths, grids = [truths[image] for image in images], [grids[image] for image in images]
    bad = np.concatenate([truth.region.ravel() > 0 for truth in truths])
    told = bad | np.concatenate([truth.normal.ravel() for truth in truths])
    values = np.concatenate([grid.ravel() for grid in grids])
    part = sheet.part(images)
    assert part.figure(Aim.AP, scores, 1.0) == pytest.approx(average_precision_score(bad[told], values[told]), abs=1e-6)
    assert part.figure(Aim.AUPRO, scores, 1.0) == pytest.approx(plain_aupro(truths, grids), abs=1e-6)
    for recall in (0.5, 0.9, 1.0):
        expected = plain_false_regions(truths, grids, recall)
        assert part.figure(Aim.FALSE_REGIONS, scores, recall) == pytest.approx(expected)


def test_the_curve_ends_where_a_tenth_of_ten_good_cells_meets_the_limit() -> None:
    # Three of ten good cells are hotter than half of the defect: the rate is 0.3 there, and what follows is beyond.
    region = np.zeros((1, 12), np.int32)
    region[0, :2] = 1
    values = np.array([[0.9, 0.1, 0.5, 0.5, 0.5, *[0.05] * 7]], np.float32)
    part = Sheet.of([Truth(region, region == 0, region > 0)]).part([0])
    padded = np.concatenate([values, np.zeros_like(values)])
    assert part.figure(Aim.AUPRO, padded, 1.0) == pytest.approx(0.5)


def test_false_regions_of_neighbours_on_the_sheet_are_not_one() -> None:
    good = Truth(np.zeros((2, 3), np.int32), np.ones((2, 3), bool), np.zeros((2, 3), bool))
    bad = Truth(np.ones((2, 3), np.int32), np.zeros((2, 3), bool), np.ones((2, 3), bool))
    sheet = Sheet.of([good, good, bad])
    scores = np.zeros(sheet.region.shape, np.float32)
    for image in range(3):
        scores[sheet.rows(image)] = 0.7
    assert sheet.part([0, 1, 2]).figure(Aim.FALSE_REGIONS, scores, 1.0) == pytest.approx(2 / 3)


def test_what_reaches_a_defect_or_is_unknown_is_no_false_region() -> None:
    region = np.zeros((4, 9), np.int32)
    region[1, 1] = 1
    near = region > 0
    normal = ~near
    normal[:, 6:] = False
    sheet = Sheet.of([Truth(region, normal, near)])
    scores = np.zeros(sheet.region.shape, np.float32)
    scores[1, 1:4] = 0.8  # begins at the defect
    scores[0, 8] = 0.8  # nothing is known there
    scores[3, 5] = 0.8  # this one is false
    assert sheet.part([0]).figure(Aim.FALSE_REGIONS, scores, 1.0) == 1


def test_recall_is_the_share_of_defects_above_a_threshold() -> None:
    truths, grids, sheet, scores = drawn(1)
    hottest = [
        grid[truth.region == number].max() for truth, grid in zip(truths, grids, strict=True) for number in (1, 3)
    ]
    for threshold in (0.2, 0.5, 0.6):
        assert sheet.part(range(4)).recall(scores, threshold) == np.mean(np.array(hottest) > threshold)


def test_images_without_a_defect_or_without_a_good_cell_tell_nothing() -> None:
    nothing = np.zeros((2, 2), bool)
    good = Truth(nothing.astype(np.int32), ~nothing, nothing)
    bad = Truth((~nothing).astype(np.int32), nothing, ~nothing)
    sheet = Sheet.of([good, bad])
    assert sheet.part([0, 1]).tells
    assert not sheet.part([0]).tells
    assert not sheet.part([1]).tells

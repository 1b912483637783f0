"""Figures of merit over generated pictures: AUROC of pixels, images and patches, and AUPRO."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.measure import label
from sklearn.metrics import roc_auc_score


def auroc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve; NaN where only one class is present."""
    truth = np.asarray(truth).ravel()
    return float(roc_auc_score(truth, np.asarray(score).ravel())) if truth.any() and not truth.all() else float("nan")


def aupro(masks: Sequence[np.ndarray], maps: Sequence[np.ndarray], limit: float = 0.3) -> float:
    """Per-region overlap against the pooled false-positive rate, integrated to ``limit`` and divided by it.

    Parameters
    ----------
    masks : sequence of ndarray
        (H, W) bool; connected regions (8-neighbours) count equally, whatever their size.
    maps : sequence of ndarray
        (H, W) scores.
    limit : float
        False-positive rate at which integration ends.

    Returns
    -------
    float
        0 to 1.
    """
    good = np.sort(np.concatenate([m[~t] for t, m in zip(masks, maps, strict=True)]))
    rates = np.linspace(0, limit, 301)
    thresholds = good[np.clip(np.round((1 - rates) * (len(good) - 1)).astype(int), 0, len(good) - 1)]
    overlaps = []
    for mask, scores in zip(masks, maps, strict=True):
        regions = label(mask, connectivity=2)
        for number in range(1, regions.max() + 1):
            inside = np.sort(scores[regions == number])
            overlaps.append(1 - np.searchsorted(inside, thresholds, side="right") / len(inside))
    return float(np.trapezoid(np.mean(overlaps, 0), rates) / limit)

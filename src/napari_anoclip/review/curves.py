"""Figures of merit of counts by score: what lies above each threshold, and the areas under that.

For k sets of counts at once, as a bootstrap has them. Sources of the formulae: docs/metrics.md and docs/evaluate.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

RESCALED_LIMIT = 0.3
"""False-positive rate below which the research code integrates, in a unit of its own."""

RESCALED_THRESHOLDS = 200
"""Thresholds of the research code, evenly spaced between the lowest and the highest score."""


@dataclass(frozen=True, eq=False)
class Curves:
    """What reaches each threshold, from the highest, which nothing reaches, down.

    Everything that is asked of them is NaN for a set that has nothing to tell it from.

    Attributes
    ----------
    defect, normal : ndarray
        (k, m + 1) how much of either kind.
    """

    defect: FloatArray
    normal: FloatArray

    @classmethod
    def of(cls, defect: FloatArray, normal: FloatArray) -> Curves:
        """Curves of counts (k, m) in bins of rising scores."""
        return cls(above(defect), above(normal))

    def auroc(self) -> FloatArray:
        """(k,) area under the ROC curve by trapezes: equal scores count half."""
        defects, normals = self.defect[:, -1], self.normal[:, -1]
        return ratio(area_under(self.normal, self.defect, normals), normals * defects)

    def average_precision(self) -> FloatArray:
        """(k,) precision, averaged over the recall gained at each threshold; not interpolated."""
        hits = self.defect[:, 1:]
        called = hits + self.normal[:, 1:]
        precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)  # where 0, nothing is gained
        gained = np.sum(np.diff(self.defect, axis=1) * precision, axis=1)
        return self._where_told(ratio(gained, self.defect[:, -1]))

    def f1_max(self) -> FloatArray:
        """(k,) F1 at the threshold that suits best."""
        defects = self.defect[:, -1:]
        return self._where_told(ratio(2 * self.defect, self.defect + self.normal + defects).max(axis=1))

    def aupro(self, overlap: FloatArray, regions: FloatArray, limit: float) -> FloatArray:
        """Per-region overlap, integrated over the false-positive rate up to a limit, and divided by it.

        Parameters
        ----------
        overlap : ndarray
            (k, m + 1) sum over regions of the share of their pixels that reach a threshold.
        regions : ndarray
            (k,) how many regions there are.
        limit : float
            Highest false-positive rate.

        Returns
        -------
        ndarray
            (k,).
        """
        end = limit * self.normal[:, -1]
        return ratio(area_under(self.normal, overlap, end), end * regions)

    def rescaled_pro(self, overlap: FloatArray, regions: FloatArray, scores: FloatArray) -> FloatArray:
        """The same as published with the method: at a few thresholds, over a rate that is stretched to 0 to 1.

        Of `RESCALED_THRESHOLDS` evenly spaced ones those count whose false-positive rate is below `RESCALED_LIMIT`;
        their rates are rescaled by their own minimum and maximum, and the area is taken under these points alone.

        Parameters
        ----------
        overlap, regions
            As for `aupro`.
        scores : ndarray
            (m,) of the bins, rising.

        Returns
        -------
        ndarray
            (k,), NaN too where fewer than two rates are below the limit.
        """
        lowest, highest = scores[0], scores[-1]
        thresholds = lowest + np.arange(RESCALED_THRESHOLDS) * ((highest - lowest) / RESCALED_THRESHOLDS)
        # What exceeds a threshold: from the highest down, so that rates rise.
        places = len(scores) - np.searchsorted(scores, thresholds[::-1], side="right")
        rates = ratio(self.normal[:, places], self.normal[:, -1:])
        shares = ratio(overlap[:, places], regions[:, None])
        counted = np.sum(rates < RESCALED_LIMIT, axis=1)
        first, last = rates[:, 0], np.take_along_axis(rates, np.maximum(counted - 1, 0)[:, None], axis=1)[:, 0]
        area = area_under(rates, shares, np.where(counted > 1, last, np.nan))
        return ratio(area, last - first)

    def _where_told(self, values: FloatArray) -> FloatArray:
        """Values (k,), NaN where there is nothing normal: any score would tell the defects from that."""
        told: FloatArray = np.where(self.normal[:, -1] > 0, values, np.nan)
        return told


def above(counts: FloatArray) -> FloatArray:
    """What reaches each edge of the bins (k, m + 1), from the highest down, of counts (k, m) by rising score."""
    sums = np.zeros((counts.shape[0], counts.shape[1] + 1))
    np.cumsum(counts[:, ::-1], axis=1, out=sums[:, 1:])
    return sums


def area_under(x: FloatArray, y: FloatArray, limit: FloatArray) -> FloatArray:
    """Area under rising curves from the origin, by the trapezoidal rule.

    Parameters
    ----------
    x, y : ndarray
        (k, m) of k curves; x rises or stays.
    limit : ndarray
        (k,) where along x each area ends.

    Returns
    -------
    ndarray
        (k,).
    """
    width = np.diff(x, axis=1)
    inside = np.clip(limit[:, None] - x[:, :-1], 0, width)
    share = np.divide(inside, width, out=np.zeros_like(width), where=width > 0)
    area: FloatArray = np.sum(inside * (y[:, :-1] + share * np.diff(y, axis=1) / 2), axis=1)
    return area


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Part of a whole; NaN where there is none."""
    found: FloatArray = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return found

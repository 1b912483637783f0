"""How the probabilities of a map, or of many maps, are distributed, and the thresholds that this suggests.

Bins are fixed, so that the histograms of a stack's planes add up, whatever order they are computed in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_anoclip.engine.errors import ImageError

BINS = 8192
"""Bins between 0 and 1: fine enough for maps whose values all lie between 0.471 and 0.490."""

_CHUNK = 1 << 16
"""Values that are counted at once: they stay in the processor's cache, and a huge map needs no copy of its size."""


def _nothing() -> NDArray[np.int64]:
    return np.zeros(BINS, np.int64)


@dataclass(frozen=True, eq=False)
class ScoreHistogram:
    """Counts of probabilities in `BINS` equal bins between 0 and 1.

    Make one with `of`; `ScoreHistogram()` is empty, and histograms add with ``+``.

    Attributes
    ----------
    counts : ndarray
        (BINS,) int64.
    """

    counts: NDArray[np.int64] = field(default_factory=_nothing, repr=False)

    @classmethod
    def of(cls, values: ArrayLike) -> ScoreHistogram:
        """Count probabilities.

        Parameters
        ----------
        values : array-like
            Any shape. NaN is not counted; what rounding has put outside 0 to 1 goes to the outermost bins.

        Returns
        -------
        ScoreHistogram
        """
        flat = np.asarray(values).reshape(-1)
        counts = _nothing()
        for start in range(0, flat.size, _CHUNK):
            part = flat[start : start + _CHUNK]
            if np.isnan(part.sum()):
                part = part[~np.isnan(part)]
            bins = np.clip((part * BINS).astype(np.intp), 0, BINS - 1)
            counts += np.bincount(bins, minlength=BINS)
        return cls(counts)

    def __add__(self, other: ScoreHistogram) -> ScoreHistogram:
        """Histogram of the values of both."""
        return ScoreHistogram(self.counts + other.counts)

    @property
    def count(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())

    def quantile(self, q: float) -> float:
        """The value that a share `q` of all values does not exceed.

        Parameters
        ----------
        q : float
            Between 0 and 1.

        Returns
        -------
        float
            Off by no more than one bin; NaN where nothing was counted.
        """
        if not self.count:
            return float("nan")
        below = self._below()
        wanted = q * below[-1]
        # The bin that takes the count to what is wanted; of empty ones before it, none.
        bin_ = min(int(np.searchsorted(below[1:], wanted)), BINS - 1)
        bin_ = bin_ if self.counts[bin_] else int(np.flatnonzero(self.counts)[0])
        return float((bin_ + (wanted - below[bin_]) / self.counts[bin_]) / BINS)

    def share_above(self, threshold: float) -> float:
        """Share of the values that reach a threshold, between 0 and 1; 0 where nothing was counted."""
        below = self._below()
        if not below[-1]:
            return 0.0
        return float(1 - np.interp(threshold * BINS, np.arange(BINS + 1), below) / below[-1])

    def otsu(self) -> float:
        """The threshold that splits the values into the two most different groups (Otsu 1979).

        Returns
        -------
        float
            The upper edge of the lower group's last bin, so that values of the upper group reach it. Where all values
            share one bin, that bin's upper edge; NaN where nothing was counted.
        """
        # Here, for it brings SciPy's image filters: the dock, which knows histograms, opens without them.
        from skimage.filters import threshold_otsu

        filled = np.flatnonzero(self.counts)
        if not filled.size:
            return float("nan")
        # Empty bins at the ends would divide nothing by nothing.
        span = np.arange(filled[0], filled[-1] + 1)
        last = span[0]
        if span.size > 1:
            last = threshold_otsu(hist=(self.counts[span], span))
        return float((last + 1) / BINS)

    def binned(self, low: float, high: float, bins: int) -> NDArray[np.float64]:
        """Counts in other bins, for drawing.

        Parameters
        ----------
        low, high : float
            Where the first bin begins and the last one ends.
        bins : int
            How many.

        Returns
        -------
        ndarray
            (bins,), not whole numbers: a fixed bin that straddles an edge is shared.
        """
        edges = np.linspace(low, high, bins + 1) * BINS
        return np.diff(np.interp(edges, np.arange(BINS + 1), self._below()))

    def _below(self) -> NDArray[np.int64]:
        """(BINS + 1,) values below each edge."""
        return np.concatenate([[0], np.cumsum(self.counts)])


def best_f1(defect: ScoreHistogram, good: ScoreHistogram) -> tuple[float, float]:
    """The threshold that agrees best with a mask.

    F1 = 2 TP / (2 TP + FP + FN), where a pixel is called defective if it reaches the threshold.

    Parameters
    ----------
    defect, good : ScoreHistogram
        Pixels that the mask marks, and those that it does not.

    Returns
    -------
    threshold : float
        An edge of the bins; the middle one where several are equally good in a row.
    f1 : float
        What it reaches, between 0 and 1.

    Raises
    ------
    ImageError
        If no pixel is marked.
    """
    if not defect.count:
        raise ImageError("The mask marks no pixel that was scored: paint what is defective, then ask again.")
    hits = np.cumsum(defect.counts[::-1])[::-1]
    false_alarms = np.cumsum(good.counts[::-1])[::-1]
    f1 = 2 * hits / (hits + false_alarms + defect.count)
    best = np.flatnonzero(f1 == f1.max())
    run = best[: np.count_nonzero(np.cumsum(np.diff(best, prepend=best[0]) > 1) == 0)]
    return float((run[0] + run[-1]) // 2 / BINS), float(f1.max())

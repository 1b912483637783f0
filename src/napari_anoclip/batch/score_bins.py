"""Scores counted in bins that are as narrow as memory allows, in one pass and without knowing where scores will lie.

Every float32 has a whole number of its own, in the order of the scores (`order_keys`). Counted are these numbers:
exactly, as long as there are not too many different ones, then in bins twice as wide, and so on. So a model whose
probabilities all lie between 0.471 and 0.490 (640,000 different numbers) is counted exactly however many images come,
and what comes of a set of images does not depend on their order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Keys = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_WAITING = 4
"""So small a part of the bins may be waiting for room."""

_HALF = int(np.float32(0.5).view(np.int32))


def order_keys(scores: ArrayLike) -> Keys:
    """Give whole numbers in the order of scores, a different one for each float32 between 0 and 1.

    Below one half it is the number's own bits, which rise with it; above, the bits of what is missing to 1, counted
    down. So a bin of so many neighbouring keys has the same share of the probability that is left, p or 1 - p:
    what is hottest is told apart as well as what is coldest.

    Parameters
    ----------
    scores : array-like
        (n,), taken as float32. Finite; outside 0 to 1 the order is kept too.

    Returns
    -------
    ndarray
        (n,) int64.
    """
    values = np.asarray(scores, dtype=np.float32)
    upper = values >= 0.5
    left = np.where(upper, np.float32(1) - values, values)  # exact between 0.5 and 1
    keys = np.abs(left).view(np.int32).astype(np.int64)
    np.negative(keys, out=keys, where=left < 0)
    np.subtract(2 * _HALF, keys, out=keys, where=upper)
    return keys


def scores_of(keys: Keys) -> FloatArray:
    """The scores (n,) that have these order keys (n,)."""
    upper = keys >= _HALF
    left = np.where(upper, 2 * _HALF - keys, keys)
    values = np.abs(left).astype(np.int32).view(np.float32).astype(np.float64) * np.sign(left)
    return np.where(upper, 1 - values, values)


class ScoreBins:
    """Counts by score, of several kinds of things.

    Parameters
    ----------
    kinds : int
        How many kinds are counted.
    most : int
        Bins that are held at most. Where more are needed, all of them become twice as wide, as often as it takes.
    """

    def __init__(self, kinds: int, most: int) -> None:
        self._most = most
        self._shift = 0
        self._bins: Keys = np.empty(0, np.int64)
        self._counts: FloatArray = np.empty((0, kinds))
        self._waiting: list[tuple[int, Keys, FloatArray]] = []
        self._waiting_size = 0

    @property
    def width(self) -> int:
        """Neighbouring order keys that share a bin; 1 as long as all is exact."""
        self._settle()
        return 1 << self._shift

    @property
    def scores(self) -> FloatArray:
        """(m,) lowest score of each bin, rising."""
        self._settle()
        return scores_of(self._bins << self._shift)

    @property
    def counts(self) -> FloatArray:
        """(m, kinds) what each bin holds; every bin holds something."""
        self._settle()
        return self._counts

    def add(self, kind: int, keys: Keys, weights: FloatArray | None = None) -> None:
        """Count things of a kind.

        Parameters
        ----------
        kind : int
            From 0.
        keys : ndarray
            (n,) order keys of their scores.
        weights : ndarray, optional
            (n,) what each counts; 1 otherwise.
        """
        if not keys.size:
            return
        bins, sums = _gathered(keys >> self._shift, weights)
        self._waiting.append((kind, bins, sums))
        self._waiting_size += len(bins)
        # Room for new bins is made for several maps at once: it moves all the others.
        if self._waiting_size > self._most // _WAITING:
            self._settle()

    def _settle(self) -> None:
        """Put what waits into its bins."""
        if not self._waiting:
            return
        bins, _ = _gathered(np.concatenate([bins for _, bins, _ in self._waiting]), None)
        wider = self._wider_by(bins)
        if wider:
            self._widen(wider)
            bins, _ = _gathered(bins >> wider, None)
        self._make_room(bins[~self._has(bins)])
        for kind, some, sums in self._waiting:
            np.add.at(self._counts[:, kind], np.searchsorted(self._bins, some >> wider), sums)
        self._waiting, self._waiting_size = [], 0

    def _wider_by(self, bins: Keys) -> int:
        """How often bins must become twice as wide to take in these (n,) as well."""
        every = np.sort(np.concatenate([self._bins, bins]))
        times = 0
        while np.count_nonzero(np.diff(every)) >= self._most:
            every >>= 1
            times += 1
        return times

    def _has(self, bins: Keys) -> NDArray[np.bool_]:
        """Which of some bins (n,) there are."""
        if not len(self._bins):
            return np.zeros(len(bins), bool)
        places = np.searchsorted(self._bins, bins).clip(max=len(self._bins) - 1)
        found: NDArray[np.bool_] = self._bins[places] == bins
        return found

    def _make_room(self, bins: Keys) -> None:
        """Put in empty bins (n,), rising, that are not there yet."""
        if not len(bins):
            return
        at = np.searchsorted(self._bins, bins) + np.arange(len(bins))
        kept = np.ones(len(self._bins) + len(bins), bool)
        kept[at] = False
        all_bins = np.empty(len(kept), np.int64)
        all_bins[at], all_bins[kept] = bins, self._bins
        counts = np.zeros((len(kept), self._counts.shape[1]))
        counts[kept] = self._counts
        self._bins, self._counts = all_bins, counts

    def _widen(self, times: int) -> None:
        self._shift += times
        if not len(self._bins):
            return
        bins = self._bins >> times
        firsts = np.flatnonzero(np.diff(bins, prepend=bins[0] - 1))
        self._bins, self._counts = bins[firsts], np.add.reduceat(self._counts, firsts, axis=0)


def _gathered(keys: Keys, weights: FloatArray | None) -> tuple[Keys, FloatArray]:
    """Different keys (m,), rising, and the sum of the weights of each."""
    if weights is not None:
        different, places = np.unique(keys, return_inverse=True)
        return different, np.bincount(places, weights).astype(np.float64)
    ordered = np.sort(keys)  # much faster here than np.unique, which hashes
    firsts = np.flatnonzero(np.diff(ordered, prepend=ordered[0] - 1))
    return ordered[firsts], np.diff(firsts, append=len(ordered)).astype(np.float64)

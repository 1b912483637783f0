"""How sure a figure is: what it becomes where images are drawn anew, with replacement, again and again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

RESAMPLES = 400

_SEED = 0
_TOGETHER = 8
_INTERVAL = (2.5, 97.5)


def draws(count: int) -> FloatArray:
    """How often each of n things is taken, (1 + `RESAMPLES`, n): once in the first row, which gives the value."""
    drawn = np.ones((1 + RESAMPLES, count))
    if count:
        drawn[1:] = np.random.default_rng(_SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return drawn


def of_each(figures: Callable[[slice], FloatArray], count: int) -> FloatArray:
    """Figures of all draws, of so many at once as stay in the processor's cache.

    Parameters
    ----------
    figures : callable
        Takes which draws, and gives (k, m) figures of these k.
    count : int
        How many draws there are.

    Returns
    -------
    ndarray
        (count, m).
    """
    return np.concatenate([figures(slice(start, start + _TOGETHER)) for start in range(0, count, _TOGETHER)])


def interval(resampled: FloatArray) -> tuple[float, float]:
    """Ends of the 95 % interval of figures (n,), those left out that had nothing to be told from; one must have."""
    low, high = np.nanpercentile(resampled, _INTERVAL)
    return float(low), float(high)

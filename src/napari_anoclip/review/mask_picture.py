"""Masks as pictures: which of their pixels are set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")


def set_pixels(values: NDArray[Any], file: Path, *, coloured: bool) -> NDArray[np.bool_]:
    """Where a mask is not black, in any of its colours; what it says of transparency does not count.

    Parameters
    ----------
    values : ndarray
        (..., H, W), or (..., H, W, 1|3|4) where `coloured`, as `read_picture` gives them.
    file : Path
        What they were read from: what is above 0 is set, in a JPEG what is above 127.
    coloured : bool
        Whether the last axis is that of colours.

    Returns
    -------
    ndarray
        (..., H, W).
    """
    # Around what was drawn, lossy compression leaves values that are not quite 0.
    black = 127 if file.suffix.casefold() in _LOSSY else 0
    above: NDArray[np.bool_] = np.greater(values, black)  # NaN, which is no number, is not greater
    if not coloured:
        return above
    in_any: NDArray[np.bool_] = np.logical_or.reduce(above[..., :3], axis=-1)
    return in_any

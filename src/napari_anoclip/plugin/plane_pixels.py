"""The pixels of one plane: an array that is cut out of a larger one only where, and when, it is looked at."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from napari_anoclip.engine.errors import ImageError


class PlanePixels:
    """A window of a plane of any array-like, as an array of which slices can be read; knows no layer.

    Zarr arrays read what they are indexed with at once, dask arrays hold a graph: neither is touched before a slice is
    asked for, and no more of it than that slice.

    Parameters
    ----------
    data : array-like
        numpy, dask, zarr or anything else that can be indexed with numbers and slices.
    index : tuple of int or None
        Position along each axis, None along the two that are shown.
    axes : tuple of int
        The axes of `data` that run down and across the screen. One more after those of `index` holds colours.
    window : tuple of slice
        Rows and columns on the screen.
    name : str
        What to call it when it cannot be read.
    """

    def __init__(
        self,
        data: Any,
        index: tuple[int | None, ...],
        axes: tuple[int, int],
        window: tuple[slice, slice],
        name: str,
    ) -> None:
        self._data, self._index, self._axes, self._window, self._name = data, index, axes, window, name
        self.shape = (*(part.stop - part.start for part in window), *data.shape[len(index) :])
        self.dtype = np.dtype(data.dtype)

    @property
    def ndim(self) -> int:
        """2, or 3 with colours."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes if all of it were read."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunks(self) -> tuple[int, int] | None:
        """Rows and columns that are stored together, where the array says so."""
        chunks = getattr(self._data, "chunks", None)
        if not chunks:
            return None
        rows, columns = (max(of) if isinstance(of, tuple) else of for of in (chunks[axis] for axis in self._axes))
        return int(rows), int(columns)

    def __getitem__(self, key: Any) -> np.ndarray:
        """Read rows and columns, two slices."""
        key = key if isinstance(key, tuple) else (key, slice(None))
        picked: list[Any] = list(self._index)
        for axis, part, within in zip(self._axes, self._window, key, strict=True):
            start, stop, step = within.indices(part.stop - part.start)
            picked[axis] = slice(part.start + start, part.start + max(start, stop), step)
        try:
            pixels = np.asarray(self._data[tuple(picked)])
        except Exception as error:  # whatever the file, the network or the user's own lazy function may raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ImageError(f"The pixels of {self._name} could not be read ({reason}). Check its file.") from error
        return pixels.swapaxes(0, 1) if self._axes[0] > self._axes[1] else pixels

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All of it."""
        return np.array(self[:, :], dtype, copy=copy)


def inside(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Which pixels have their centre inside a polygon, by the even-odd rule.

    Parameters
    ----------
    corners : ndarray
        (n, 2) corners (row, column); whole numbers are centres of pixels.
    shape : tuple of int
        (H, W).

    Returns
    -------
    ndarray
        (H, W) bool.
    """
    crossed = np.zeros((shape[0], shape[1] + 1), bool)
    for (row0, column0), (row1, column1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if row0 == row1:
            continue
        low, high = sorted((row0, row1))
        rows = np.arange(max(0, math.ceil(low)), min(shape[0], math.ceil(high)))
        columns = np.ceil(column0 + (rows - row0) * (column1 - column0) / (row1 - row0))
        # From the crossing on, a row is on the other side of this edge.
        crossed[rows, np.clip(columns, 0, shape[1]).astype(int)] ^= True
    return np.logical_xor.accumulate(crossed, axis=1)[:, :-1]

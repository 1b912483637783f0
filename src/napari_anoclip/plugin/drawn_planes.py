"""Label images that are drawn plane by plane when napari asks for one: no stack of them is ever held."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DrawnPlanes(ABC):
    """Duck array for a Labels layer; `draw` makes what it holds.

    Parameters
    ----------
    shape : tuple of int
        Of the whole stack.
    axes : tuple of int
        The two axes of a plane. What a pixel is may depend on its neighbours in the plane, so planes are drawn whole.
    dtype : dtype-like
        Of the labels.
    """

    def __init__(self, shape: tuple[int, ...], axes: tuple[int, ...], dtype: Any) -> None:
        self.shape = tuple(shape)
        self.axes = tuple(axes)
        self.dtype = np.dtype(dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels of the whole stack."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def draw(self, whole: tuple[int | slice, ...]) -> NDArray[Any]:
        """Draw planes.

        Parameters
        ----------
        whole : tuple of int or slice
            One entry an axis: what is asked for of the hidden ones, everything of the two of a plane.

        Returns
        -------
        ndarray
            Without the axes that are picked by a number.
        """

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if any(k is Ellipsis for k in keys):
            at = next(place for place, k in enumerate(keys) if k is Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        whole = tuple(slice(None) if axis in self.axes else k for axis, k in enumerate(keys))
        kept = [axis for axis, k in enumerate(whole) if isinstance(k, slice)]
        cut = tuple(keys[axis] if axis in self.axes else slice(None) for axis in kept)
        picked: NDArray[Any] = self.draw(whole)[cut]
        return picked

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)


def shrunk(mask: NDArray[np.bool_], width: int, axis: int) -> NDArray[np.bool_]:
    """Take a number of pixels off either end of every run along an axis; what touches the edge of the map goes on."""
    mask = np.moveaxis(mask, axis, -1)
    done = 0
    while done < width:
        # Each pixel stands for all of 2 done + 1 by now, so that a step of that size leaves no gap.
        step = min(2 * done + 1, width - done)
        smaller = mask.copy(order="K")
        smaller[..., step:] &= mask[..., :-step]
        smaller[..., :-step] &= mask[..., step:]
        mask, done = smaller, done + step
    return np.moveaxis(mask, -1, axis)


def line_width(shape: tuple[int, ...]) -> int:
    """Pixels of a line so thick that it can be seen when all of a map (H, W) is in view."""
    return max(1, round(max(shape) / _PIXELS_PER_WIDTH))


_PIXELS_PER_WIDTH = 512

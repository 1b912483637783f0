"""The anomaly maps of a stack as one array, of which only the planes that were computed take memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class MapStack:
    """Maps by their position along the axes that are not shown; what was not computed yet reads as NaN.

    napari reads it as any lazy array: it asks for the plane that it draws, and draws NaN transparent. After `put` the
    layer has to be refreshed.

    Parameters
    ----------
    shape : tuple of int
        Shape of the whole stack, one entry an axis of the image.
    hidden : tuple of int
        The axes that are not shown; the other two run down and across a map.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...], hidden: tuple[int, ...]) -> None:
        self.shape = tuple(shape)
        self.hidden = tuple(hidden)
        self._shown = tuple(axis for axis in range(len(shape)) if axis not in hidden)
        self._maps: dict[tuple[int, ...], NDArray[np.float32]] = {}

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values of the whole stack, computed or not."""
        return int(np.prod(self.shape))

    @property
    def positions(self) -> list[tuple[int, ...]]:
        """Where there is a map, in the order of the hidden axes."""
        return sorted(self._maps)

    def put(self, position: tuple[int, ...], values: NDArray[np.float32]) -> None:
        """Set the map at a position.

        Parameters
        ----------
        position : tuple of int
            One entry a hidden axis.
        values : ndarray
            In the order of the stack's axes, of length 1 along the hidden ones.
        """
        plane = np.asarray(values, dtype=self.dtype)
        plane = plane[tuple(0 if axis in self.hidden else slice(None) for axis in range(self.ndim))]
        expected = tuple(self.shape[axis] for axis in self._shown)
        if plane.shape != expected:
            raise ValueError(f"a map of shape {plane.shape} does not fit a stack of maps of shape {expected}")
        self._maps[tuple(position)] = plane

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        keys = self._whole_key(key)
        if keys is None:
            return np.asarray(self)[key]
        within = tuple(keys[axis] for axis in self._shown)
        # range gives the index an int or slice stands for, and an IndexError where there is none.
        along = [range(self.shape[axis])[keys[axis]] for axis in self.hidden]
        position = tuple(at for at in along if not isinstance(at, range))
        if len(position) == len(along):
            return self._map(position)[within]
        steps = [at if isinstance(at, range) else (at,) for at in along]
        block = np.full((*map(len, steps), *self._map(())[within].shape), np.nan, self.dtype)
        for where in np.ndindex(*map(len, steps)):
            position = tuple(int(step[i]) for step, i in zip(steps, where, strict=True))
            if position in self._maps:
                block[where] = self._maps[position][within]
        # Now the hidden axes come first: put them back in their places, and drop those picked by a number.
        here = [*self.hidden, *(axis for axis in self._shown if isinstance(keys[axis], slice))]
        picked = tuple(slice(None) if isinstance(keys[axis], slice) else 0 for axis in sorted(here))
        picture: NDArray[np.float32] = block.transpose(np.argsort(here))[picked]
        return picture

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[(slice(None),) * self.ndim], dtype=dtype)

    def _map(self, position: tuple[int, ...]) -> NDArray[np.float32]:
        found = self._maps.get(position)
        if found is not None:
            return found
        return np.broadcast_to(self.dtype.type(np.nan), tuple(self.shape[axis] for axis in self._shown))

    def _whole_key(self, key: Any) -> tuple[int | slice, ...] | None:
        """Give a key one int or slice for each axis; None if it holds anything else, such as an array."""
        keys = list(key) if isinstance(key, tuple) else [key]
        if any(k is Ellipsis for k in keys):
            at = next(i for i, k in enumerate(keys) if k is Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        if len(keys) > self.ndim:
            raise IndexError(f"{len(keys)} indices for a stack of {self.ndim} axes")
        if not all(isinstance(k, (int, np.integer, slice)) and not isinstance(k, bool) for k in keys):
            return None
        return tuple(k if isinstance(k, slice) else int(k) for k in keys)

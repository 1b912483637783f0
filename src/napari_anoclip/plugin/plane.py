"""A plane of an image layer as it goes into a run: what to read, and where its map belongs.

Pixels and world coordinates meet here and in `regions_of_interest`. A plane keeps the layer's own transform; what it
adds (which slice, which window, which pyramid level, how many pixels a value) is expressed in the layer's data
coordinates and sent through that transform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import Affine

from napari_anoclip.plugin.plane_pixels import PlanePixels, inside

if TYPE_CHECKING:
    from napari.components import LayerList

MAX_MAP_PIXELS = 64 << 20
"""A larger plane gets one value for each block of pixels."""

WHOLE_READ_BYTES = 128 << 20
"""A lazy plane up to this size is read once; a larger one strip by strip, whenever it is needed."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A 2D plane of an image layer, or a window of it, not read yet.

    Attributes
    ----------
    layer : Image
        Where it comes from.
    data : array-like
        The layer's array (of the chosen pyramid level) when the plane was picked.
    index : tuple of int or None
        One entry an axis of the layer: the position along an axis that is not shown, None for the two that are.
    axes : tuple of int
        The layer's axes that run down and across the screen.
    factors : tuple of float
        Size of one pixel of `data` in pixels of the finest level, one entry an axis.
    contrast_limits : tuple of float or None
        Black and white; None where the type or the data say.
    window : tuple of slice
        Rows and columns of `data`, as seen on the screen.
    outline : ndarray or None
        (n, 2) corners (row, column) in pixels of the window, whole numbers at pixel centres: only what is inside of
        them is shown.
    """

    layer: Image
    data: Any
    index: tuple[int | None, ...]
    axes: tuple[int, int]
    factors: tuple[float, ...]
    contrast_limits: tuple[float, float] | None
    window: tuple[slice, slice]
    outline: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the window in pixels, as seen on the screen."""
        rows, columns = self.window
        return rows.stop - rows.start, columns.stop - columns.start

    @property
    def hidden(self) -> tuple[int, ...]:
        """Positions in `data` along the axes that are not shown: which plane of a stack this is."""
        return tuple(i for i in self.index if i is not None)

    @property
    def block(self) -> int:
        """Pixels along a side of what one value of the map stands for."""
        return max(1, math.ceil(math.sqrt(math.prod(self.shape) / MAX_MAP_PIXELS)))

    @property
    def map_shape(self) -> tuple[int, int]:
        """(H, W) of the map."""
        height, width = self.shape
        return math.ceil(height / self.block), math.ceil(width / self.block)

    @property
    def stack_shape(self) -> tuple[int, ...]:
        """Shape of all maps of this window, over all positions along the hidden axes, in the layer's order of axes."""
        shape = list(self.data.shape[: len(self.index)])
        for axis, length in zip(self.axes, self.map_shape, strict=True):
            shape[axis] = length
        return tuple(shape)

    @property
    def name(self) -> str:
        """Which plane of its layer, counted as the viewer's slider does: "plane 3 / 49"; empty for a flat image."""
        parts = [f"{i} / {n - 1}" for i, n in zip(self.index, self.data.shape, strict=False) if i is not None]
        return f"plane {', '.join(parts)}" if parts else ""

    def read(self) -> Any:
        """Get the pixels, (H, W) or (H, W, 3|4) of an RGB layer; in any thread, without touching the layer.

        Returns
        -------
        array-like
            A copy of an array in memory and of a small lazy one; otherwise an array of which slices can be read.

        Raises
        ------
        ImageError
            If reading fails, now or when a slice is read; it names the plane.
        """
        pixels = PlanePixels(self.data, self.index, self.axes, self.window, self.name or "image")
        in_memory = isinstance(self.data, np.ndarray) and not isinstance(self.data, np.memmap)
        return np.array(pixels[:, :]) if in_memory or pixels.nbytes <= WHOLE_READ_BYTES else pixels

    @cached_property
    def mask(self) -> np.ndarray | None:
        """(H, W) bool of the map's values that lie inside the outline; None where there is no outline."""
        if self.outline is None:
            return None
        return inside((np.asarray(self.outline) + 0.5) / self.block - 0.5, self.map_shape)

    def put(self, values: np.ndarray) -> np.ndarray:
        """Give a map the layer's order of axes, with length 1 along the hidden ones; NaN outside the outline.

        Parameters
        ----------
        values : ndarray
            `map_shape`, as seen on the screen.
        """
        if self.mask is not None:
            values = np.where(self.mask, values, np.float32(np.nan))
        if self.axes[0] > self.axes[1]:
            values = values.T
        return values[tuple(slice(None) if i is None else np.newaxis for i in self.index)]

    def place(self) -> dict[str, Any]:
        """Keyword arguments of a layer that put the stack of maps (`stack_shape`) where the image is."""
        layer = self.layer
        first = [0.0] * len(self.index)
        size = np.ones(len(self.index))
        for axis, part in zip(self.axes, self.window, strict=True):
            first[axis] = part.start + (self.block - 1) / 2
            size[axis] = self.block
        own = Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear)
        return {
            "scale": np.asarray(layer.scale) * self.factors * size,
            "translate": own(_in_finest(first, self.factors)),
            "rotate": layer.rotate,
            "shear": layer.shear,
            "affine": np.array(layer.affine.affine_matrix),
            "units": layer.units,
            "axis_labels": layer.axis_labels,
        }

    def describe(self) -> str:
        """What will be scored, in a few words: size, type, which plane, how it is scaled."""
        height, width = self.shape
        kind = ("RGBA" if self.data.shape[-1] == 4 else "RGB") if self.layer.rgb else str(np.dtype(self.data.dtype))
        words = [f"{width} × {height} {kind}"]
        if self.name:
            words.append(self.name)
        if self.factors[self.axes[0]] > 1:
            words.append(f"pyramid level 1/{self.factors[self.axes[0]]:.3g}")
        if self.contrast_limits is not None:
            words.append("black {:g}, white {:g}".format(*self.contrast_limits))
        elif contrast_matters(self.layer):
            words.append("black and white from the pixels")
        if self.block > 1:
            words.append(f"one value for {self.block} × {self.block} pixels")
        return " · ".join(words)

    def why_stale(self, layers: LayerList) -> str | None:
        """A sentence if a result of this plane has no place any more: its layer or its data went. Else None."""
        if self.layer not in layers:
            return "The image was removed while it was being scored, so its map was dropped."
        if not any(level is self.data for level in levels(self.layer)):
            return "The image changed while it was being scored, so its map was dropped. Run again."
        return None


def levels(layer: Image) -> list[Any]:
    """The arrays of a layer, the finest first."""
    return list(layer.data) if layer.multiscale else [layer.data]


def contrast_matters(layer: Image) -> bool:
    """Whether the layer's grey values have no fixed meaning, so that someone must say what is black and white."""
    return not layer.rgb and np.dtype(layer.dtype) not in (np.dtype(np.uint8), np.dtype(bool))


def _in_finest(at: Any, factors: tuple[float, ...]) -> np.ndarray:
    """From pixels of a level to those of the finest: a coarse pixel sits in the middle of the block it covers."""
    return (np.asarray(at, dtype=float) + 0.5) * factors - 0.5

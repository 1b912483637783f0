"""Which planes of an image layer are scored: what was chosen, what the viewer shows, and which pyramid level."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from napari.layers import Image
from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.tiling import Axis
from napari_anoclip.plugin.plane import Plane, contrast_matters, levels

if TYPE_CHECKING:
    from napari.components import Dims
    from napari.layers import Layer

__all__ = ["ImageChoice", "Plane", "all_planes", "shown_plane"]

TILE_PIXELS = 240
"""Side of the model's square, in pixels of the image at scale 1, where nothing else is said."""

MAX_TILES = 64
"""Of a pyramid, the finest level that needs no more tiles is scored."""

PATCH = 16
"""Pixels of the smallest window, and patches of the model by which tiles are counted."""


class ImageChoice(BaseModel):
    """What of an image layer is looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    planes: Literal["this", "all", "range"] = Field(
        "this", description="Planes of a stack: the one that is shown, all, or a range along the first slider."
    )
    first: int = Field(0, ge=0, description="First plane of the range, as the slider counts.")
    last: int = Field(0, ge=0, description="Last plane of the range, as the slider counts.")
    region: Literal["whole", "view", "shape"] = Field(
        "whole", description="Look at the whole image, at what the viewer shows of it, or into a drawn shape."
    )
    shape_layer: str = Field("", description="The shapes layer: its selected shape counts, otherwise the last one.")
    contrast: Literal["displayed", "data"] = Field(
        "displayed", description="Black and white as displayed, or measured on the pixels of each plane."
    )
    level: int | None = Field(
        None, ge=0, description=f"Level of the pyramid; automatic is the finest that needs up to {MAX_TILES} tiles."
    )


def shown_plane(
    layer: Layer | None,
    dims: Dims,
    choice: ImageChoice | None = None,
    outline: np.ndarray | None = None,
    tile_pixels: float = TILE_PIXELS,
) -> Plane:
    """Pick the plane of a layer that the viewer shows now.

    Parameters
    ----------
    layer : Layer or None
        The chosen layer.
    dims : Dims
        Sliders and order of the axes of the viewer.
    choice : ImageChoice, optional
        Contrast and level; the defaults otherwise.
    outline : ndarray, optional
        (n, 2) corners of the region to look at, (row, column) on the screen in pixels of the finest level; the whole
        plane otherwise. See `regions_of_interest.outline_of`.
    tile_pixels : float
        Side of a tile in pixels of the image, by which the level of a pyramid is chosen.

    Raises
    ------
    ImageError
        If there is no layer, it is no image, the sliders are outside of it, or the region is.
    """
    choice = choice or ImageChoice()
    image = checked(layer)
    order = order_on_screen(image, dims)
    axes = (order[-2], order[-1])
    finest = levels(image)[0].shape[: image.ndim]
    position = _slider_position(image, dims, hidden=order[:-2])
    for axis, at in position.items():
        if not 0 <= at < finest[axis]:
            raise ImageError(f"The viewer shows no plane of “{image.name}” now. Move the slider until it is seen.")
    for data in _levels_to_try(image, choice.level):
        factors = tuple(full / max(n, 1) for full, n in zip(finest, data.shape, strict=False))
        window, corners = _window(image, data, axes, factors, outline)
        if tile_count((window[0].stop - window[0].start, window[1].stop - window[1].start), tile_pixels) <= MAX_TILES:
            break
    index = tuple(
        min(int(position[axis] / factors[axis]), data.shape[axis] - 1) if axis in position else None
        for axis in range(image.ndim)
    )
    return Plane(image, data, index, axes, factors, _contrast_limits(image, choice.contrast), window, corners)


def all_planes(
    layer: Layer | None,
    dims: Dims,
    choice: ImageChoice | None = None,
    outline: np.ndarray | None = None,
    tile_pixels: float = TILE_PIXELS,
) -> list[Plane]:
    """Pick the planes that were chosen, the shown one first and then outwards from it.

    Of a range that does not hold the shown plane, the nearest comes first.

    Parameters
    ----------
    layer, dims, choice, outline, tile_pixels
        As for `shown_plane`.

    Raises
    ------
    ImageError
        As for `shown_plane`.
    """
    choice = choice or ImageChoice()
    shown = shown_plane(layer, dims, choice, outline, tile_pixels)
    indices = sorted(
        itertools.product(*_spans(shown, choice, first_slider(shown.layer, dims))),
        key=lambda index: sum(abs(i - j) for i, j in zip(index, shown.hidden, strict=True)),
    )
    return [replace(shown, index=_with_hidden(shown.index, index)) for index in indices]


def asked_of(shown: Plane, dims: Dims, choice: ImageChoice) -> tuple[Any, ...]:
    """What is asked of an image, as a value: while it is the same, so are the planes that would be scored."""
    spans = tuple(_spans(shown, choice, first_slider(shown.layer, dims)))
    window = tuple((part.start, part.stop) for part in shown.window)
    outline = None if shown.outline is None else shown.outline.tobytes()
    return id(shown.data), spans, shown.axes, window, outline, shown.contrast_limits


def count_planes(shown: Plane, dims: Dims, choice: ImageChoice) -> int:
    """How many planes were chosen."""
    return math.prod(len(span) for span in _spans(shown, choice, first_slider(shown.layer, dims)))


def checked(layer: Layer | None) -> Image:
    """Take a layer for an image.

    Raises
    ------
    ImageError
        If there is none, or it holds something else.
    """
    if layer is None:
        raise ImageError("There is no image yet. Open one, or a sample from File > Open Sample > AnoCLIP.")
    if not isinstance(layer, Image):
        kind = layer.__class__.__name__.lower()  # of the layer itself, should it be a proxy
        raise ImageError(f"This layer holds {kind}, not an image. Choose an image layer.")
    return layer


def order_on_screen(layer: Layer, dims: Dims) -> list[int]:
    """The layer's axes in the viewer's order: hidden ones first, then those down and across the screen."""
    more = dims.ndim - layer.ndim
    return [axis - more for axis in dims.order if axis >= more]


def first_slider(layer: Layer, dims: Dims) -> int | None:
    """The layer's axis that the first of its sliders moves along; None of a flat image."""
    return min(order_on_screen(layer, dims)[:-2], default=None)


def tile_count(shape: tuple[int, int], tile_pixels: float = TILE_PIXELS, overlap: float = 0.25) -> int:
    """How many tiles of a side in pixels an image of (H, W) pixels is cut into."""
    cells = max(1, round(TILE_PIXELS / PATCH))
    scale = TILE_PIXELS / tile_pixels
    return math.prod(len(Axis.tiled(length, cells, PATCH, scale, overlap).starts) for length in shape)


def _levels_to_try(layer: Image, level: int | None) -> list[Any]:
    every = levels(layer)
    return every if level is None else [every[min(level, len(every) - 1)]]


def _window(
    layer: Image, data: Any, axes: tuple[int, int], factors: tuple[float, ...], outline: np.ndarray | None
) -> tuple[tuple[slice, slice], np.ndarray | None]:
    """Rows and columns of a level that an outline covers, and the outline in them unless it is just their edge.

    Raises
    ------
    ImageError
        If the outline does not meet the image.
    """
    size = [data.shape[axis] for axis in axes]
    if outline is None:
        return (slice(0, size[0]), slice(0, size[1])), None
    corners = (np.asarray(outline, dtype=float) + 0.5) / [factors[axis] for axis in axes]  # from the image's edge
    low, high = corners.min(axis=0), corners.max(axis=0)
    if (high <= 0).any() or (low >= size).any():
        raise ImageError(f"The region to look at lies outside of “{layer.name}”. Draw or move it onto the image.")
    upright = all(
        np.isclose(c, (a, b), atol=1e-6).any() for row in corners for c, a, b in zip(row, low, high, strict=True)
    )
    if upright:
        low, high = np.round(low), np.round(high)
    rows, columns = (_at_least_a_patch(a, b, n) for a, b, n in zip(low, high, size, strict=True))
    return (rows, columns), None if upright else corners - 0.5 - (rows.start, columns.start)


def _at_least_a_patch(low: float, high: float, size: int) -> slice:
    """Whole pixels from low to high, inside the image, and enough of them to hold a patch where the image does."""
    start, stop = max(0, math.floor(low)), min(size, math.ceil(high))
    missing = min(PATCH, size) - (stop - start)
    if missing > 0:
        start = min(max(0, start - missing // 2), size - min(PATCH, size))
        stop = start + min(PATCH, size)
    return slice(start, stop)


def _spans(shown: Plane, choice: ImageChoice, slider: int | None) -> list[range]:
    """Chosen positions along each hidden axis."""
    spans = []
    for axis, at in enumerate(shown.index):
        if at is None:
            continue
        count = shown.data.shape[axis]
        if choice.planes == "all":
            spans.append(range(count))
        elif choice.planes == "range" and axis == slider:
            first, last = sorted(min(int(i / shown.factors[axis]), count - 1) for i in (choice.first, choice.last))
            spans.append(range(first, last + 1))
        else:
            spans.append(range(at, at + 1))
    return spans


def _with_hidden(index: tuple[int | None, ...], hidden: tuple[int, ...]) -> tuple[int | None, ...]:
    positions = iter(hidden)
    return tuple(None if i is None else next(positions) for i in index)


def _slider_position(layer: Image, dims: Dims, hidden: list[int]) -> dict[int, int]:
    """Data index along each hidden axis, by napari's own rule: the transform restricted to the hidden axes."""
    if not hidden:
        return {}
    point = np.asarray(dims.point, dtype=float)[-layer.ndim :]
    if dims.units is not None:
        pairs = zip(dims.units[-layer.ndim :], layer.units, strict=True)
        point = point * [(1 * world).to(own).magnitude for world, own in pairs]
    origin = np.asarray(layer.world_to_data(np.zeros(layer.ndim)))
    columns = np.stack([np.asarray(layer.world_to_data(unit)) - origin for unit in np.eye(layer.ndim)], axis=1)
    at = origin[hidden] + columns[np.ix_(hidden, hidden)] @ point[hidden]
    return dict(zip(hidden, np.round(at).astype(int).tolist(), strict=True))


def _contrast_limits(layer: Image, contrast: str) -> tuple[float, float] | None:
    if contrast == "data" or not contrast_matters(layer):
        return None
    low, high = (float(limit) for limit in layer.contrast_limits)
    return (low, high) if np.isfinite([low, high]).all() and low < high else None

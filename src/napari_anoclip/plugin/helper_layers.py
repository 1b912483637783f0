"""Layers that help for a while (probe, comparison): in the place of one plane, never selected, taken out again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.transforms import Affine

from napari_anoclip.plugin.provenance import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Layer

    from napari_anoclip.plugin.plane import Plane


def role(name: str) -> dict[str, Any]:
    """Metadata by which a helper is told from an image and from a result."""
    return {METADATA_KEY: {"role": name}}


def place_of(plane: Plane, pitch: tuple[float, float] = (1.0, 1.0)) -> dict[str, Any]:
    """Keyword arguments that put a layer of one plane where that plane is, of length 1 along the hidden axes.

    Parameters
    ----------
    plane : Plane
        What was scored.
    pitch : tuple of float
        Values of its map, down and across, that one value of the layer covers; the first begins at the map's edge.
    """
    place = plane.place()
    size = np.ones(len(plane.index))
    first = np.array([float(index or 0) for index in plane.index])
    for axis, covered in zip(plane.axes, pitch, strict=True):
        size[axis], first[axis] = covered, 0.5 * covered - 0.5
    own = Affine(**{name: place[name] for name in ("scale", "translate", "rotate", "shear")})
    return place | {"scale": place["scale"] * size, "translate": own(first)}


def in_order_of(plane: Plane, values: np.ndarray) -> np.ndarray:
    """Give (H, W) values on the screen the layer's order of axes, with length 1 along the hidden ones."""
    if plane.axes[0] > plane.axes[1]:
        values = values.T
    return values[tuple(slice(None) if index is None else np.newaxis for index in plane.index)]


def add(layers: LayerList, *helpers: Layer, at: int | None = None) -> None:
    """Put helpers in, on top unless said otherwise; those that are there stay where they are."""
    with selection_kept(layers):
        for offset, layer in enumerate(helpers):
            if layer not in layers:
                layers.insert(len(layers) if at is None else at + offset, layer)


def remove(layers: LayerList, *helpers: Layer) -> None:
    """Take helpers out, those that the user deleted excepted."""
    # napari collects garbage for each layer that goes: half a second with a model in memory, were that not set aside.
    gc.freeze()
    try:
        with selection_kept(layers):
            for layer in helpers:
                if layer in layers:
                    layers.remove(layer)
    finally:
        gc.unfreeze()


@contextmanager
def selection_kept(layers: LayerList) -> Iterator[None]:
    """Add or remove layers without changing which are selected."""
    chosen = set(layers.selection)
    try:
        yield
    finally:
        chosen = {layer for layer in chosen if layer in layers}
        if set(layers.selection) != chosen:
            layers.selection.clear()
            for layer in chosen:  # one by one: napari unwraps a plugin's proxy of a layer, not a set of them
                layers.selection.add(layer)

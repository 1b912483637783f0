"""Where a layer lies in the world, as the keyword arguments that napari's layers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Layer

PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
"""The properties of a layer that put it where it is."""


def place_of(layer: Layer) -> dict[str, Any]:
    """Keyword arguments that put a layer of the same shape where this one is."""
    return {name: getattr(layer, name) for name in PLACE}


def put_in_place(layer: Layer, place: dict[str, Any]) -> None:
    """Move a layer, as far as it is not there already: each change makes napari slice and draw it anew."""
    for name in PLACE:
        if not _same(getattr(layer, name), place[name]):
            setattr(layer, name, place[name])


def _same(one: Any, other: Any) -> bool:
    one, other = (getattr(value, "affine_matrix", value) for value in (one, other))
    if not isinstance(one, np.ndarray):  # units and names of axes
        return tuple(one) == tuple(other)
    return one.shape == np.shape(other) and np.allclose(one, other, rtol=1e-12, atol=0)

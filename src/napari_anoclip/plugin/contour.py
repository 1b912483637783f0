"""The line around what lies above the threshold: a Labels layer that is computed from the maps when it is drawn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray

from napari_anoclip.plugin.placement import place_of, put_in_place
from napari_anoclip.plugin.provenance import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import LayerList

LINE, INSIDE = 1, 2
"""What a pixel above the threshold is called: on the line, which is drawn, or within it, which stays clear."""

SKY_BLUE = (0.337, 0.706, 0.914, 1.0)
"""Of Okabe and Ito's palette: told from every colour of inferno and from grey, also without red or green vision."""

_CLEAR = (0.0, 0.0, 0.0, 0.0)
_PIXELS_PER_WIDTH = 512
"""A line is as thick as this share of the map's longer side, so that it can be seen when all of it is in view."""


class Outline:
    """Duck array (uint8) over maps: 0 below the threshold and where there is no map, `LINE` or `INSIDE` above it.

    napari's own contours of a label image cost ten times as much as these, too much while a threshold is dragged.

    Parameters
    ----------
    maps : array-like
        Probabilities.
    axes : tuple of int
        The two axes of a map; lines are drawn within a map, never between the planes of a stack.
    threshold : float
        Probability.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, maps: Any, axes: tuple[int, ...], threshold: float) -> None:
        self.maps = maps
        self.axes = axes
        self.threshold = threshold

    @property
    def shape(self) -> tuple[int, ...]:
        """As the maps'."""
        return tuple(self.maps.shape)

    @property
    def ndim(self) -> int:
        """As the maps'."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """As the maps'."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        # Where a line runs depends on the pixels beside it: read whole maps, and cut out what was asked for then.
        whole = tuple(slice(None) if axis in self.axes else k for axis, k in enumerate(keys))
        above = np.asarray(self.maps[whole]) > self.threshold
        kept = [axis for axis, k in enumerate(whole) if isinstance(k, slice)]
        lines = _labelled(above, tuple(kept.index(axis) for axis in self.axes))
        return lines[tuple(keys[axis] if axis in self.axes else slice(None) for axis in kept)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[...], dtype=dtype)


def show_contour(layers: LayerList, result: Image, threshold: float, axes: tuple[int, ...]) -> Labels:
    """Draw the line of a result, or bring it up to date; what the user set on its layer stays.

    Parameters
    ----------
    layers : LayerList
        The viewer's layers.
    result : Image
        The maps' layer.
    threshold : float
        Probability.
    axes : tuple of int
        The two axes of a map.
    """
    contour = find_contour(layers, result)
    title = f"{result.metadata[METADATA_KEY]['image']} · above {threshold:.3g}"
    if contour is None:
        chosen = set(layers.selection)
        contour = Labels(
            Outline(result.data, axes, threshold),
            name=title,
            # Cyclic though nothing cycles: for one by label, napari compiles code for seconds in the GUI thread.
            colormap=CyclicLabelColormap(colors=[_CLEAR, SKY_BLUE, _CLEAR]),
            opacity=1.0,
            metadata={METADATA_KEY: _link(result)},
            **place_of(result),
        )
        contour.editable = False
        layers.insert(layers.index(result) + 1, contour)
        layers.selection = chosen
    else:
        outline = Outline(result.data, axes, threshold)
        if outline.shape == contour.data.shape and isinstance(contour.data, Outline):
            contour.data.maps, contour.data.axes, contour.data.threshold = outline.maps, outline.axes, threshold
            contour.refresh(extent=False, highlight=False)
        else:
            contour.data = outline
        put_in_place(contour, place_of(result))
    link = contour.metadata[METADATA_KEY]
    if contour.name == link.get("name", contour.name) and link.get("title") != title:
        contour.name = title
        link["title"], link["name"] = title, contour.name
    return contour


def prepare() -> None:
    """Load what napari needs for the first Labels layer, which takes a second: to be called in a worker."""
    import_module("pandas")


def find_contour(layers: LayerList, result: Image) -> Labels | None:
    """The line's layer of a result, if there is one."""
    link = _link(result)
    for layer in layers:
        found = layer.metadata.get(METADATA_KEY)
        if isinstance(layer, Labels) and isinstance(found, dict) and link.items() <= found.items():
            return layer
    return None


def _link(result: Image) -> dict[str, Any]:
    """What ties a line to its result, also to one that is made again after it was deleted."""
    record = result.metadata[METADATA_KEY]
    return {"contour_of": record["image_id"], "number": record["number"]}


def _labelled(above: NDArray[np.bool_], axes: tuple[int, ...]) -> NDArray[np.uint8]:
    """Tell the line, inside of what is above, from what it surrounds."""
    width = max(1, round(max(above.shape[axis] for axis in axes) / _PIXELS_PER_WIDTH))
    inner = above
    for axis in axes:
        inner = _shrunk(inner, width, axis)
    return above.astype(np.uint8) + inner


def _shrunk(mask: NDArray[np.bool_], width: int, axis: int) -> NDArray[np.bool_]:
    """Take a number of pixels off either end of every run along an axis; what touches the edge of the map goes on."""
    mask = np.moveaxis(mask, axis, -1)
    done = 0
    while done < width:
        # Each pixel stands for all of 2 done + 1 by now, so that a step of that size leaves no gap.
        step = min(2 * done + 1, width - done)
        shrunk = mask.copy(order="K")
        shrunk[..., step:] &= mask[..., :-step]
        shrunk[..., :-step] &= mask[..., step:]
        mask, done = shrunk, done + step
    return np.moveaxis(mask, -1, axis)

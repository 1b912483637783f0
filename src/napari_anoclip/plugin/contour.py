"""The line around what lies above the threshold: a Labels layer that is computed from the maps when it is drawn."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray

from napari_anoclip.plugin.drawn_planes import DrawnPlanes, line_width, shrunk
from napari_anoclip.plugin.placement import place_of, put_in_place
from napari_anoclip.plugin.provenance import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import LayerList

LINE, INSIDE = 1, 2
"""What a pixel above the threshold is called: on the line, which is drawn, or within it, which stays clear."""

SKY_BLUE = (0.337, 0.706, 0.914, 1.0)
"""Of Okabe and Ito's palette: told from every colour of inferno and from grey, also without red or green vision."""

_CLEAR = (0.0, 0.0, 0.0, 0.0)


class Outline(DrawnPlanes):
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

    def __init__(self, maps: Any, axes: tuple[int, ...], threshold: float) -> None:
        super().__init__(tuple(maps.shape), axes, np.uint8)
        self.maps = maps
        self.threshold = threshold

    def draw(self, whole: tuple[int | slice, ...]) -> NDArray[np.uint8]:
        """Tell the line, inside of what is above, from what it surrounds."""
        above = np.asarray(self.maps[whole]) > self.threshold
        kept = [axis for axis, k in enumerate(whole) if isinstance(k, slice)]
        axes = tuple(kept.index(axis) for axis in self.axes)
        width = line_width(tuple(above.shape[axis] for axis in axes))
        inner = above
        for axis in axes:
            inner = shrunk(inner, width, axis)
        return above.astype(np.uint8) + inner


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

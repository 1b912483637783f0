"""One picture of a queue in the viewer: its layer, made by us, and what was made of it. The user's layers stay."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Labels

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin import helper_layers
from napari_anoclip.plugin.planes import ImageChoice, Plane, shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.regions_of_interest import outline_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_anoclip.plugin.picture_loader import Pixels

FILE_KEY = "napari_anoclip_file"
"""Under this, a layer's metadata say which file it is of."""

_TIES = ("image_id", "contour_of")
"""Under these, the records of what was made of an image say which one it is."""


class QueueCanvas:
    """Shows one picture at a time.

    Parameters
    ----------
    viewer : ViewerModel
        Where.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layer: weakref.ref[Image] | None = None
        self._id = ""

    @property
    def layer(self) -> Image | None:
        """The layer of the picture, unless the user deleted it."""
        layer = None if self._layer is None else self._layer()
        return layer if layer is not None and layer in self._viewer.layers else None

    def show(self, path: Path, pixels: Pixels) -> Image:
        """Show a picture in the place of the one before, whole, and select it."""
        before = [*self._made()]
        layer = _layer(path, pixels)
        layers = self._viewer.layers
        layers.insert(layers.index(before[0]) if before else len(layers), layer)
        layers.selection.active = layer
        self._layer, self._id = weakref.ref(layer), str(layer.unique_id)
        self._take_out(before)
        layers.selection.active = layer
        # Beside a stack, napari does not find the last axes of a flat layer, and can only show everything.
        self._viewer.reset_view(layers=[layer] if layer.ndim == self._viewer.dims.ndim else None)
        return layer

    def clear(self) -> None:
        """Take the picture out of the viewer, with what was made of it."""
        self._take_out(self._made())
        self._layer, self._id = None, ""

    def plane(self, pixels: Pixels, choice: ImageChoice) -> Plane | None:
        """The plane of a picture that would be scored if it were shown now; None where that cannot be told before."""
        layer = _layer(Path(), pixels)
        if choice.region == "view" or layer.ndim != self._viewer.dims.ndim:
            return None
        try:
            return shown_plane(layer, self._viewer.dims, choice, outline_of(self._viewer, layer, choice))
        except ImageError:
            return None

    def _take_out(self, made: list[Layer]) -> None:
        # What napari keeps of a layer that went is only found by a full collection of garbage, which looks at all of
        # torch and may be hundreds of pictures away. So there is nothing in it by then.
        for layer in made:
            _empty(layer)
        helper_layers.remove(self._viewer.layers, *made)

    def _made(self) -> list[Layer]:
        """The picture and all that was made of it, from the bottom of the list to its top."""
        return [layer for layer in self._viewer.layers if self._id and self._id in _tied(layer)]


def _layer(path: Path, pixels: Pixels) -> Image:
    return Image(
        pixels.data,
        name=path.stem,
        contrast_limits=pixels.contrast_limits,
        metadata={FILE_KEY: str(path)},
    )


def _empty(layer: Layer) -> None:
    """Let go of a layer's pixels, and have its visual do so, which it does while it is in the viewer and seen."""
    if isinstance(layer, Image | Labels) and not layer.multiscale:
        colours = layer.data.shape[layer.ndim :]
        layer.visible = True
        layer.data = np.zeros((1,) * layer.ndim + tuple(colours), layer.dtype)


def _tied(layer: Layer) -> set[str]:
    """The images that a layer is, or was made of."""
    record = layer.metadata.get(METADATA_KEY)
    found = {str(record[key]) for key in _TIES if key in record} if isinstance(record, dict) else set()
    return {str(layer.unique_id), *found}

"""Where to look in an image: what the viewer shows of it, or a drawn shape, as corners in the image's own pixels.

Everything goes through what is seen on the screen: a layer's transform restricted to the two axes that are shown, as
napari draws it, in the units of the world.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image, Shapes
from napari.utils.transforms import Affine

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.planes import ImageChoice, order_on_screen

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Layer

ELLIPSE_CORNERS = 64


def outline_of(viewer: ViewerModel, image: Image, choice: ImageChoice) -> np.ndarray | None:
    """Find the region of an image that was chosen.

    Parameters
    ----------
    viewer : ViewerModel
        Its camera, sliders and shapes.
    image : Image
        The image to look at.
    choice : ImageChoice
        Whole, view or shape.

    Returns
    -------
    ndarray or None
        (n, 2) corners (row, column) on the screen, in pixels of the image's finest level, whole numbers at the
        centres of pixels; None for the whole image.

    Raises
    ------
    ImageError
        If the view is three-dimensional, or there is no shape that encloses anything.
    """
    if choice.region == "whole":
        return None
    seen = _view(viewer) if choice.region == "view" else _shape(viewer, choice.shape_layer)
    to_image: np.ndarray = on_screen(image, viewer.dims).inverse(seen)
    return to_image


def on_screen(layer: Layer, dims: Dims) -> Affine:
    """From a layer's two shown axes, down and across the screen, to the world."""
    own = Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear)
    whole = np.asarray(layer.affine.affine_matrix) @ own.affine_matrix
    axes = order_on_screen(layer, dims)[-2:]
    linear, translate = whole[np.ix_(axes, axes)], whole[axes, -1]
    if dims.units is not None:
        units = [(layer.units[axis], dims.units[axis - layer.ndim]) for axis in axes]
        to_world = np.array([(1 * own_unit).to(world).magnitude for own_unit, world in units])
        linear, translate = to_world[:, None] * linear, to_world * translate
    return Affine(linear_matrix=linear, translate=translate)


def _view(viewer: ViewerModel) -> np.ndarray:
    """The four corners of what the camera sees, in the world."""
    if viewer.dims.ndisplay != 2:
        raise ImageError("The viewer shows the image in three dimensions. Switch to 2D to look at what is in view.")
    size = np.asarray(viewer.canvas.viewbox_size(viewer.layers), dtype=float)  # of one tile where layers lie in a grid
    half = size / viewer.scene.camera.zoom / 2
    return np.asarray(viewer.scene.camera.center)[-2:] + half * [(-1, -1), (-1, 1), (1, 1), (1, -1)]


def _shape(viewer: ViewerModel, name: str) -> np.ndarray:
    """The corners of the selected shape, or of the last one, in the world."""
    layer = next((layer for layer in viewer.layers if isinstance(layer, Shapes) and layer.name == name), None)
    if layer is None:
        raise ImageError(
            "There is no shapes layer to look into. Add one, and draw a rectangle or polygon on the image."
        )
    if not layer.nshapes:
        raise ImageError(f"“{layer.name}” holds no shape yet. Draw a rectangle or polygon on the image.")
    at = max((i for i in layer.selected_data if i < layer.nshapes), default=layer.nshapes - 1)
    kind = layer.shape_type[at]
    if kind in ("line", "path"):
        raise ImageError(f"A {kind} encloses nothing to look at. Draw a rectangle or polygon in “{layer.name}”.")
    corners = np.asarray(layer.data[at])[:, order_on_screen(layer, viewer.dims)[-2:]]
    if kind == "ellipse":
        corners = _ellipse(corners)
    world: np.ndarray = on_screen(layer, viewer.dims)(corners)
    return world


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Corners along the ellipse inside a parallelogram."""
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    centre, first, second = corners.mean(axis=0), (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
    ring: np.ndarray = centre + np.cos(angle) * first + np.sin(angle) * second
    return ring

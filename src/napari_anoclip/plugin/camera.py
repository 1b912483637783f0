"""The camera goes to a place in a short flight, so that one sees where it went; it never leaves the image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEasingCurve, QObject, QVariantAnimation

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

FLIGHT = 180
"""Milliseconds."""

_SMALLEST, _LARGEST = 24.0, 0.7
"""A place is seen well if it has so many pixels of the screen, and no more than that share of its shorter side."""

_WANTED = 0.15
"""Share of the screen's shorter side that a place gets if it is too small to be seen well."""


class Pilot(QObject):
    """Flies the camera of a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Whose camera.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._flight = QVariantAnimation(self)
        self._flight.setStartValue(0.0)
        self._flight.setEndValue(1.0)
        self._flight.setDuration(FLIGHT)
        self._flight.setEasingCurve(QEasingCurve.Type.InOutQuad)
        self._way: Callable[[float], None] = lambda _: None
        self._flight.valueChanged.connect(lambda way: self._way(way))

    def fly_to(self, middle: np.ndarray, size: float, layer: Layer) -> None:
        """Move sliders and camera to a place, if it is not seen well already.

        Parameters
        ----------
        middle : ndarray
            Of the place, in the world.
        size : float
            Its longer side in the world.
        layer : Layer
            What it lies in: the view is kept within that.
        """
        self.stop()
        dims, camera = self._viewer.dims, self._viewer.scene.camera
        more = dims.ndim - len(middle)
        for axis, at in enumerate(middle, more):
            if axis not in dims.displayed:
                dims.set_point(axis, at)
        if dims.ndisplay != 2:
            return
        screen = np.asarray(self._viewer.canvas.viewbox_size(self._viewer.layers), float)
        shown = [axis - more for axis in dims.displayed]
        target, here = np.asarray(middle)[shown], np.asarray(camera.center, float)[-2:]
        zoom = _zoom(camera.zoom, size, screen)
        half = screen / zoom / 2
        if zoom == camera.zoom and (np.abs(target - here) + size / 2 <= half).all():
            return
        low, high = (np.asarray(layer.extent.world, float)[end][shown] for end in (0, 1))
        low, high = low + half, high - half
        target = np.where(low <= high, np.clip(target, low, high), (low + high) / 2)
        self._way = partial(_put, self._viewer, (here, target), (float(camera.zoom), zoom))
        self._flight.start()

    def stop(self) -> None:
        """End a flight where it is."""
        self._flight.stop()


def _zoom(now: float, size: float, screen: np.ndarray) -> float:
    pixels, shorter = size * now, float(screen.min())
    if size <= 0 or shorter <= 0 or _SMALLEST <= pixels <= _LARGEST * shorter:
        return now
    return (_WANTED if pixels < _SMALLEST else _LARGEST) * shorter / size


def _put(viewer: ViewerModel, centres: tuple[np.ndarray, np.ndarray], zooms: tuple[float, float], way: float) -> None:
    camera = viewer.scene.camera
    camera.zoom = float(zooms[0] * (zooms[1] / zooms[0]) ** way)
    centre = np.asarray(camera.center, float)
    centre[-2:] = centres[0] + (centres[1] - centres[0]) * way
    camera.center = tuple(centre)

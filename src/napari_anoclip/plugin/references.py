"""The user's own good images: chosen here, read and measured by the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from napari_anoclip.plugin.plane import levels
from napari_anoclip.plugin.plane_pixels import PlanePixels
from napari_anoclip.plugin.provenance import METADATA_KEY

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

MAX_PLANES = 64
"""Of a stack, so many planes evenly spread are taken: more would say little new."""

MAX_LEVEL_PIXELS = 4096 * 4096
"""Of a pyramid, the finest level with a plane no larger than this is taken."""

_FILTER = "Images (*.png *.jpg *.jpeg *.tif *.tiff *.bmp *.webp);;All files (*)"


def planes_of(layer: Layer) -> list[PlanePixels]:
    """The planes of an image layer, not read yet."""
    colours = 1 if layer.rgb else 0
    for data in levels(layer):
        shape = data.shape[: data.ndim - colours]
        if shape[-1] * shape[-2] <= MAX_LEVEL_PIXELS:
            break
    stack = shape[:-2]
    count = int(np.prod(stack))
    window = slice(0, shape[-2]), slice(0, shape[-1])
    axes = len(shape) - 2, len(shape) - 1
    planes = []
    for flat in np.unique(np.linspace(0, count - 1, min(count, MAX_PLANES)).astype(int)):
        index = (*(int(i) for i in np.unravel_index(flat, stack)), None, None) if stack else (None, None)
        planes.append(PlanePixels(data, index, axes, window, layer.name))
    return planes


class ReferenceButton(QPushButton):
    """Chooses good images: layers that are selected in the viewer, or files.

    `chosen` is emitted with a list of paths, or of pixels that are not read yet.
    """

    chosen = Signal(list)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.setText("choose")
        self.setAccessibleName("Choose my good images")
        self.setToolTip(
            "Measure the colours' range and the threshold on images of yours without a defect. Ten or more are better."
        )
        menu = QMenu(self)
        self._layers = menu.addAction("")
        self._layers.triggered.connect(self._on_layers)
        menu.addAction("Files…").triggered.connect(self._on_files)
        menu.aboutToShow.connect(self._count)
        self.setMenu(menu)
        self._count()

    def _selected(self) -> list[Layer]:
        chosen = self._viewer.layers.selection
        return [
            layer
            for layer in self._viewer.layers
            if layer in chosen and isinstance(layer, Image) and METADATA_KEY not in layer.metadata
        ]

    def _count(self) -> None:
        count = len(self._selected())
        self._layers.setText(f"Image layers selected in the viewer ({count})")
        self._layers.setEnabled(count > 0)

    def _on_layers(self) -> None:
        self.chosen.emit([plane for layer in self._selected() for plane in planes_of(layer)])

    def _on_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Images without a defect", "", _FILTER)
        if names:
            self.chosen.emit([Path(name) for name in names])

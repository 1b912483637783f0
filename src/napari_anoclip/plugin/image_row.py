"""Which image is scored: follows the layer that is selected in the viewer and says what will be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari.layers import Image
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QVBoxLayout, QWidget

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.layers import Plane, is_result, shown_plane
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, with_note

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class ImageRow(QWidget):
    """Chooses an image layer; `chosen` is emitted with it whenever another one is chosen."""

    chosen = Signal(object)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Image | None = None
        self._combo = QComboBox()
        self._combo.setToolTip("The image to look at. Follows the layer that is selected in the viewer.")
        self._combo.setMinimumContentsLength(12)
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        ignore_wheel_unless_focused(self._combo)
        self._note = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(with_note(self._combo, self._note))
        self._combo.currentIndexChanged.connect(self._on_picked)
        self._connections = [
            (viewer.layers.events.inserted, self._refill),
            (viewer.layers.events.removed, self._refill),
            (viewer.layers.events.renamed, self._refill),
            (viewer.layers.selection.events.active, self._follow),
            (viewer.dims.events.current_step, self._describe),
            (viewer.dims.events.order, self._describe),
        ]
        for event, slot in self._connections:
            event.connect(slot)
        self._refill()
        self._follow()

    @property
    def layer(self) -> Image | None:
        """The chosen image layer."""
        return self._layer

    @property
    def note(self) -> str:
        """What is said about the chosen layer."""
        return self._note.text()

    def plane(self) -> Plane:
        """What would be scored now.

        Raises
        ------
        ImageError
            If there is none.
        """
        return shown_plane(self._layer or self._viewer.layers.selection.active, self._viewer.dims)

    def choose(self, layer: Image) -> None:
        """Choose an image layer of the viewer."""
        self._combo.setCurrentIndex(self._images().index(layer))

    def disconnect_viewer(self) -> None:
        """Stop listening to the viewer, before this widget or the viewer goes."""
        for event, slot in self._connections:
            event.disconnect(slot)
        self._connections.clear()
        self._listen(None)

    def _images(self) -> list[Layer]:
        """What is offered, topmost first as in the layer list."""
        return [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image) and not is_result(layer)]

    def _refill(self) -> None:
        images = self._images()
        with QSignalBlocker(self._combo):
            self._combo.clear()
            self._combo.addItems([layer.name for layer in images])
            self._combo.setCurrentIndex(images.index(self._layer) if self._layer in images else 0)
        self._combo.setEnabled(bool(images))
        self._on_picked(self._combo.currentIndex())

    def _follow(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self._images():
            self.choose(active)
        self._describe()

    def _on_picked(self, index: int) -> None:
        images = self._images()
        layer = images[index] if 0 <= index < len(images) else None
        if layer != self._layer:  # napari hands out a new proxy each time: equal, never identical
            self._listen(layer)
            self.chosen.emit(layer)
        self._describe()

    def _listen(self, layer: Image | None) -> None:
        if self._layer is not None:
            self._layer.events.data.disconnect(self._describe)
            self._layer.events.contrast_limits.disconnect(self._describe)
        self._layer = layer
        if layer is not None:
            layer.events.data.connect(self._describe)
            layer.events.contrast_limits.connect(self._describe)

    def _describe(self) -> None:
        try:
            self._note.setText(self.plane().describe())
        except ImageError as error:
            self._note.setText(str(error))

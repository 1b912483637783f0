"""The workbench as the review sees it: which image is chosen, its newest map, and the threshold."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin import results
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.review_subject import Subject

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.plugin.dock import AnoCLIPDock

PLUGIN, WORKBENCH = "napari-anoclip", "AnoCLIP"


class Desk(QObject):
    """Finds the workbench dock of a window, opens it where it is needed, and tells what changes on it.

    Parameters
    ----------
    viewer : ViewerModel
        Of the window.
    """

    changed = Signal()
    """Another image is chosen, or its map, threshold or outline is another."""
    touched = Signal(object)
    """The pixels of an image were replaced."""

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._dock: AnoCLIPDock | None = None
        self._watched: Image | None = None
        layers = viewer.layers.events
        self._heard: tuple[tuple[Any, Any], ...] = (
            (layers.inserted, self._on_layers),
            (layers.removed, self._on_layers),
        )
        for event, slot in self._heard:
            event.connect(slot)

    @property
    def dock(self) -> AnoCLIPDock:
        """The workbench; opened if it is not."""
        return self._dock if self._dock is not None and self._is_open else self.open()

    def open(self) -> AnoCLIPDock:
        """Open the workbench, or find the one that is open."""
        dock: AnoCLIPDock
        _, dock = self._viewer.window.add_plugin_dock_widget(PLUGIN, WORKBENCH)
        if dock is not self._dock:
            self._dock = dock
            dock.controls.image.chosen.connect(self._on_chosen)
            dock.controls.redisplay.connect(self.changed)
            dock.bench.shown.connect(self.changed)
            dock.job.state_changed.connect(self.changed)
            self._on_chosen()
        return dock

    @property
    def current(self) -> AnoCLIPDock | None:
        """The workbench, while it is open."""
        return self._dock if self._is_open else None

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._is_open and self.dock.job.busy

    def subject(self) -> Subject | None:
        """The chosen image with its map; that of before while the workbench is closed."""
        image = self.dock.controls.image.layer if self._is_open else self._watched
        if image is None or image not in self._viewer.layers:
            return None
        return Subject.of(self._viewer.layers, self._viewer.dims, image)

    @property
    def threshold(self) -> float:
        """What is set in the workbench, for an image without a map."""
        chosen = self.threshold_by_hand
        return 0.5 if chosen is None else chosen

    @property
    def threshold_by_hand(self) -> float | None:
        """What somebody set in the workbench; None while it is left to the model."""
        threshold: float | None = self.dock.controls.scoring.display.threshold if self._is_open else None
        return threshold

    def set_threshold(self, threshold: float, result: Image | None) -> None:
        """Set the threshold of a map, here and in the workbench."""
        scoring = self.dock.controls.scoring
        scoring.display = scoring.display.model_copy(update={"threshold": threshold})
        if result is not None:
            contour = result.metadata[METADATA_KEY]["display"]["contour"]
            results.set_threshold(self._viewer.layers, result, threshold, contour)
        self.changed.emit()

    def close_down(self) -> None:
        """Let go of the viewer; the workbench stays."""
        for event, slot in self._heard:
            event.disconnect(slot)
        self._heard = ()
        self._watch(None)
        dock, self._dock = self._dock, None
        if dock is not None and isalive(dock):
            with suppress(TypeError, RuntimeError):  # a dock that is being taken apart has lost them already
                dock.controls.image.chosen.disconnect(self._on_chosen)
                dock.controls.redisplay.disconnect(self.changed)
                dock.bench.shown.disconnect(self.changed)
                dock.job.state_changed.disconnect(self.changed)

    @property
    def _is_open(self) -> bool:
        return self._dock is not None and isalive(self._dock) and self._dock.is_open

    def _on_layers(self) -> None:
        self.changed.emit()

    def _on_chosen(self, *_: object) -> None:
        assert self._dock is not None
        self._watch(self._dock.controls.image.layer)
        self.changed.emit()

    def _watch(self, image: Image | None) -> None:
        if self._watched is not None:
            self._watched.events.data.disconnect(self._on_data)
        self._watched = image
        if image is not None:
            image.events.data.connect(self._on_data)

    def _on_data(self) -> None:
        self.touched.emit(self._watched)
        self.changed.emit()

"""Results and the images they were made of: a mark where they no longer belong together, and moved where they do."""

from __future__ import annotations

import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QGuiApplication

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.contour import find_contour, prepare
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.placement import PLACE, put_in_place
from napari_anoclip.plugin.provenance import METADATA_KEY, Window, position_key, position_of
from napari_anoclip.plugin.reader import adopt
from napari_anoclip.plugin.reading import read_source
from napari_anoclip.plugin.results import is_ours, mark_stale, name_shown, results_of, shown_position

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.utils.events import Event

    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.plane import Plane

SENTENCE = "The image changed since this map was made. Run again."

_QUIET = 300
"""Milliseconds after the last sign of a change before pixels are compared."""


class StaleGuard(QObject):
    """Watches the images of a viewer that have results.

    Napari tells when data are replaced, not when they are written into. So the pixels of the shown plane are compared
    with their fingerprint in the result's record, in a worker, when there may be a reason to: the image is drawn anew
    or selected, or the user comes back to the window. Lazy data are read again only where they were replaced.

    Parameters
    ----------
    viewer : ViewerModel
        Its results also get the score of the shown plane into their names, and follow their images when those are
        moved.
    """

    stale = Signal(str)
    """A result was found to be stale: a sentence."""

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._suspects: weakref.WeakSet[Image] = weakref.WeakSet()
        self._replaced: weakref.WeakSet[Image] = weakref.WeakSet()
        self._watched: weakref.WeakSet[Image] = weakref.WeakSet()
        self.job = Job()
        self.job.succeeded.connect(self._on_compared)
        self._timer = later(self, self._compare, _QUIET)
        dims = viewer.dims.events
        self._heard = (
            (viewer.layers.events.inserted, self._on_layers),
            (viewer.layers.events.removed, self._on_removed),
            (viewer.layers.selection.events.changed, self._on_selection),
            *((event, self._on_dims) for event in (dims.current_step, dims.order, dims.ndisplay)),
        )
        for event, slot in self._heard:
            event.connect(slot)
        self._application = QGuiApplication.instance()
        self._application.applicationStateChanged.connect(self._on_application)
        self._on_layers()

    def check(self) -> None:
        """Compare all images in memory that have results, soon."""
        if self._heard:
            self._suspect(*self._viewer.layers)

    def close_down(self) -> None:
        """Stop listening and comparing, before the dock or the viewer goes."""
        if not self._heard:
            return
        self._timer.stop()
        self.job.close()
        for event, slot in self._heard:
            event.disconnect(slot)
        for image in list(self._watched):
            self._unwatch(image)
        self._application.applicationStateChanged.disconnect(self._on_application)
        self._heard = ()
        del self._viewer

    def _on_layers(self) -> None:
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                with suppress(ImageError):
                    adopt(layer)
            if isinstance(layer, Image) and layer not in self._watched and not is_ours(layer):
                self._watched.add(layer)
                layer.events.data.connect(self._on_replaced)
                layer.events.set_data.connect(self._on_drawn)
                for name in PLACE:
                    getattr(layer.events, name).connect(self._on_moved)
        name_shown(self._viewer.layers, self._viewer.dims)

    def _on_removed(self, event: Event) -> None:
        if event.value in self._watched:
            self._unwatch(event.value)

    def _unwatch(self, image: Image) -> None:
        self._watched.discard(image)
        image.events.data.disconnect(self._on_replaced)
        image.events.set_data.disconnect(self._on_drawn)
        for name in PLACE:
            getattr(image.events, name).disconnect(self._on_moved)

    def _on_dims(self) -> None:
        name_shown(self._viewer.layers, self._viewer.dims)

    def _on_selection(self) -> None:
        self._suspect(*self._viewer.layers.selection)

    def _on_application(self, state: Qt.ApplicationState) -> None:
        if state == Qt.ApplicationState.ApplicationActive:
            self.check()

    def _on_replaced(self, event: Event) -> None:
        self._replaced.add(event.source)
        self._suspect(event.source)

    def _on_drawn(self, event: Event) -> None:
        self._suspect(event.source)

    def _on_moved(self, event: Event) -> None:
        """Take an image's results along when its place in the world changed."""
        layers = self._viewer.layers
        for result in results_of(layers, event.source):
            window = Window.model_validate(result.metadata[METADATA_KEY]["window"])
            plane = window.plane(event.source)
            if plane is not None:
                line = find_contour(layers, result)
                for layer in (result,) if line is None else (result, line):
                    put_in_place(layer, plane.place())

    def _suspect(self, *layers: object) -> None:
        images = [layer for layer in layers if layer in self._watched]
        if images:
            self._suspects.update(images)
            self._timer.start()

    def _compare(self) -> None:
        """Compare the suspects' planes with what was scored."""
        layers = self._viewer.layers
        tasks = []
        for image in [image for image in self._suspects if image in layers]:
            for result in results_of(layers, image):
                found = result.metadata[METADATA_KEY]
                key = self._key_to_compare(result)
                if key is None:
                    continue
                plane = Window.model_validate(found["window"]).plane(image, position_of(key))
                if plane is None:
                    self._mark(result, key, True)
                elif isinstance(plane.data, np.ndarray) or image in self._replaced:
                    tasks.append(_Task(weakref.ref(result), key, plane, found["planes"][key]["image"]))
        self._suspects.clear()
        self._replaced.clear()
        if tasks:
            self.job.start(lambda _, cancel: _compared(tasks, cancel), newest=True)

    def _key_to_compare(self, result: Image) -> str | None:
        """The plane that is shown, if it was scored; of a stack whose shown plane was not, any that was."""
        scored = result.metadata[METADATA_KEY]["planes"]
        at = shown_position(result, self._viewer.dims)
        return position_key(at) if at is not None and position_key(at) in scored else next(iter(scored), None)

    def _on_compared(self, answers: list[_Answer]) -> None:
        for answer in answers:
            result = answer.result()
            if result is None or result not in self._viewer.layers:
                continue
            entry = result.metadata[METADATA_KEY]["planes"].get(answer.key)
            if entry is not None and entry["image"] == answer.digest:  # else it was made anew meanwhile
                self._mark(result, answer.key, answer.stale)

    def _mark(self, result: Image, key: str, stale: bool) -> None:
        if mark_stale(result, key, stale) and stale:
            self.stale.emit(SENTENCE)


@dataclass(frozen=True)
class _Task:
    """A plane to be compared with the fingerprint of what was scored."""

    result: weakref.ref[Image]
    key: str
    plane: Plane
    digest: str


@dataclass(frozen=True)
class _Answer:
    """What came of a comparison. Holds no layer: it may wait in Qt's queue."""

    result: weakref.ref[Image]
    key: str
    digest: str
    stale: bool


def _compared(tasks: list[_Task], cancel: CancelFlag) -> list[_Answer]:
    """Read planes and compare them; in the worker. One that cannot be read says nothing."""
    prepare()
    answers = []
    for task in tasks:
        if cancel.is_set():
            break
        with suppress(ImageError):
            stale = read_source(task.plane).digest != task.digest
            answers.append(_Answer(task.result, task.key, task.digest, stale))
    return answers

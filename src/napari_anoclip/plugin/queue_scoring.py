"""The pictures of a queue scored by themselves: the shown one by the workbench, its neighbours encoded ahead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.picture_loader import Ahead

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_anoclip.plugin.dock import AnoCLIPDock
    from napari_anoclip.plugin.picture_loader import Pixels
    from napari_anoclip.plugin.queue_canvas import QueueCanvas
    from napari_anoclip.plugin.reviewer import Reviewer


class QueueScoring(QObject):
    """Runs the workbench on the picture that is shown.

    A run of the picture before is cancelled. One that the user started on another image is waited for.

    Parameters
    ----------
    reviewer : Reviewer
        Whose workbench runs.
    canvas : QueueCanvas
        Where the pictures are shown.
    """

    began = Signal()
    """The workbench runs: what is encoded ahead has to wait."""
    rested = Signal()
    """It has nothing to do."""

    def __init__(self, reviewer: Reviewer, canvas: QueueCanvas, parent: QObject) -> None:
        super().__init__(parent)
        self._reviewer, self._canvas = reviewer, canvas
        self._desk: AnoCLIPDock | None = None
        self._picture = self._runs_on = ""
        self._due = later(self, self._run)  # not within the signals of the run that ends
        self._wanted = False

    def score(self, pictures: Sequence[Path]) -> None:
        """Run the workbench on the picture that is shown, as soon as it can; these are all pictures of its queue."""
        desk = self._followed()
        desk.controls.mutual.pictures = pictures
        before, self._picture = self._picture, _id_of(self._canvas.layer)
        self._wanted = True
        if not desk.job.busy:
            self._due.start()
        elif self._runs_on and self._runs_on in (before, self._picture) and not _is_prepared(desk):
            desk.job.cancel()

    def ahead(self, pixels: Sequence[Pixels]) -> Ahead | None:
        """How pictures that come next would be read by a run; None while there is something more urgent."""
        desk = self._desk
        if desk is None or not desk.is_open or desk.job.busy or self._wanted:
            return None
        controls = desk.controls
        choice = controls.image.look_row.choice
        planes = [self._canvas.plane(one, choice) for one in pixels]
        return Ahead(tuple(plane for plane in planes if plane is not None), controls.settings, controls.model.choice)

    def close_down(self) -> None:
        """Start nothing any more."""
        self._due.stop()
        self._wanted = False
        if self._desk is not None and self._desk.is_open:
            self._desk.job.state_changed.disconnect(self._on_state)
        self._desk = None

    def _followed(self) -> AnoCLIPDock:
        """The workbench that is open now; another one after it was closed."""
        desk = self._reviewer.desk
        if desk is not self._desk:
            self._desk = desk
            desk.job.state_changed.connect(self._on_state)
        return desk

    def _on_state(self, state: JobState) -> None:
        desk = self._desk
        if desk is None:
            return
        if state is JobState.RUNNING:
            self._runs_on = _id_of(desk.controls.image.layer)
            self.began.emit()
        elif state is not JobState.CANCELLING:
            self._due.start()

    def _run(self) -> None:
        desk = self._desk
        if desk is None or not desk.is_open or desk.job.busy:
            return  # it is heard when the run ends
        wanted, self._wanted = self._wanted, False
        # The user may have turned to another image meanwhile.
        if wanted and self._picture and self._picture == _id_of(desk.controls.image.layer):
            desk.run()
        if not desk.job.busy:
            self.rested.emit()


def _is_prepared(desk: AnoCLIPDock) -> bool:
    """Whether the run under way looks at the folder, which the next one would have to begin anew."""
    try:
        return desk.controls.request().is_prepared
    except AnoCLIPError:
        return False


def _id_of(layer: Layer | None) -> str:
    return "" if layer is None else str(layer.unique_id)

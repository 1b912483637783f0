"""Hears of whatever changes in the workbench that the answers of the review rest on, whichever workbench is open."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, Signal

if TYPE_CHECKING:
    from napari_anoclip.plugin.dock import AnoCLIPDock
    from napari_anoclip.plugin.reviewer import Reviewer


class DeskWatch(QObject):
    """Tells of changes in prompts, settings, threshold, model and judgements, and of runs that may have loaded a model.

    A workbench that the user closed stays closed until `follow` is called.

    Parameters
    ----------
    reviewer : Reviewer
        Whose workbench.
    """

    changed = Signal()
    """Something may be different. What did not matter is told too: whoever asks compares."""

    def __init__(self, reviewer: Reviewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._desk: AnoCLIPDock | None = None
        reviewer.changed.connect(self.changed)
        reviewer.image_changed.connect(self.changed)
        self.follow()

    @property
    def desk(self) -> AnoCLIPDock | None:
        """The workbench that is listened to; None once it was closed."""
        desk = self._desk
        return desk if desk is not None and isalive(desk) and desk.is_open else None

    @property
    def editing(self) -> bool:
        """Whether prompts are looked at in the workbench."""
        desk = self.desk
        return desk is not None and desk.sections["Prompts"].is_open

    def follow(self) -> None:
        """Listen to the workbench of now; it is opened if it is not."""
        desk = self._reviewer.desk
        if desk is self._desk:
            return
        self._leave()
        self._desk = desk
        for signal in _signals(desk):
            signal.connect(self._on_change)

    def close_down(self) -> None:
        """Listen no more."""
        self._reviewer.changed.disconnect(self.changed)
        self._reviewer.image_changed.disconnect(self.changed)
        self._leave()

    def _leave(self) -> None:
        desk, self._desk = self._desk, None
        if desk is None or not isalive(desk):
            return
        for signal in _signals(desk):
            with suppress(RuntimeError, TypeError):  # a dock that is being taken apart has lost them already
                signal.disconnect(self._on_change)

    def _on_change(self) -> None:
        self.changed.emit()


def _signals(desk: AnoCLIPDock) -> list[Any]:
    """Of Qt and of psygnal; all can be connected to what takes no argument."""
    controls = desk.controls
    return [
        controls.rescore,
        controls.redisplay,
        controls.adaptation.changed,
        controls.tiling.changed,
        controls.tower.changed,
        controls.model.changed,
        desk.job.state_changed,
        desk.sections["Prompts"].toggled,
    ]

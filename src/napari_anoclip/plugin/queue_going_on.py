"""The moment between the last verdict on a picture and the next picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.shown_regions import next_open

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer

GO_ON = 700
"""Milliseconds that a picture stays after its last verdict, so that the verdict is seen."""


class GoingOn(QObject):
    """Waits for a moment; not if the person undoes the verdict, turns to another region, or begins to draw.

    Parameters
    ----------
    reviewer : Reviewer
        What judges.
    """

    due = Signal()
    """It is time for the next picture."""

    def __init__(self, reviewer: Reviewer, parent: QObject) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._region: int | None = None
        self._timer = later(self, self._on_time, GO_ON)
        self._heard: tuple[tuple[Any, Callable[..., None]], ...] = (
            (reviewer.current_changed, self._on_current),
            (reviewer.edit_wanted, self.stop),
            (reviewer.drawing_wanted, self.stop),
        )
        for signal, slot in self._heard:
            signal.connect(slot)

    def begin(self) -> None:
        """The last verdict was given."""
        self._region = self._current
        self._timer.start()

    def stop(self, *_: object) -> None:
        """Stay."""
        self._timer.stop()

    def close_down(self) -> None:
        """Stay, and let go of the reviewer."""
        self.stop()
        for signal, slot in self._heard:
            signal.disconnect(slot)
        self._heard = ()

    @property
    def _current(self) -> int | None:
        current = self._reviewer.current
        return None if current is None else current.id

    def _on_current(self) -> None:
        # After the very first verdict, which opens the session, regions are found anew, and the current one with them.
        if None not in (self._region, self._current):
            self.stop()
        self._region = self._current

    def _on_time(self) -> None:
        if next_open(self._reviewer.regions, None) is None:  # else it was undone
            self.due.emit()

"""Scoring again by itself: once what was changed has stayed as it is for a moment."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.later import later

QUIET = 150
"""Milliseconds without another change before a change counts: between two keys of someone typing."""


class Live(QObject):
    """Waits for quiet after changes; `due` says that it is time to score again."""

    due = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = later(self, self.due, QUIET)

    @property
    def waiting(self) -> bool:
        """Whether a change waits for its quiet."""
        return self._timer.isActive()

    def touch(self) -> None:
        """Note a change; the wait begins anew."""
        self._timer.start()

    def forget(self) -> None:
        """Drop what waits, because it is being scored already or must not be."""
        self._timer.stop()

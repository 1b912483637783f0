"""A dock's content that notices when it goes: its dock is closed, or the window around it."""

from __future__ import annotations

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget


class LeavingWidget(QWidget):
    """Calls `let_go` once, before it or its window goes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._left = False
        self._window: QWidget | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is in use: it goes on to exist for a while after its dock was closed."""
        return not self._left

    def let_go(self) -> None:
        """Stop what is under way, keep what is to be kept, and let go of the viewer."""

    def placed(self) -> None:
        """Called once the dock around it has its place in a window, and again in another one."""

    def leave(self) -> None:
        """Let go, if that was not done yet."""
        if self._left:
            return
        self._left = True
        if self._window is not None and isalive(self._window):
            self._window.removeEventFilter(self)
        self._window = None
        self.let_go()

    def event(self, event: QEvent) -> bool:
        """Notice that the dock was taken out of the window (its ✕ was clicked)."""
        if event.type() == QEvent.Type.ParentChange:
            if self.parent() is None:
                self.leave()
            else:
                QTimer.singleShot(0, self._watch_window)  # once the dock widget around this one has its place
        return super().event(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt names it)
        """Leave when the main window goes; minimising it is a spontaneous hide and changes nothing."""
        hidden = event.type() == QEvent.Type.Hide and not event.spontaneous()
        # A window that was never shown is closed without being hidden.
        closed = event.type() == QEvent.Type.Close and self._window is watched and not self._window.isVisible()
        if watched is self._window and (hidden or closed):
            self.leave()
        return super().eventFilter(watched, event)

    def _watch_window(self) -> None:
        """Keep an eye on the main window."""
        if self._left or self.window() is self._window:
            return
        if self._window is not None:
            self._window.removeEventFilter(self)
        self._window = self.window()
        self._window.installEventFilter(self)
        self.placed()

"""Files and folders that are dropped onto a widget."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Signal
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import QWidget


class FileDrop(QObject):
    """Takes drops onto widgets.

    `dropped` is emitted with a list of paths.
    """

    dropped = Signal(list)

    def watch(self, widget: QWidget) -> None:
        """Take drops onto a widget and what lies in it."""
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt names it)
        """Take what comes from this machine's disks."""
        if isinstance(event, QDropEvent):  # entering and moving are of its kind
            paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
            if paths:
                event.acceptProposedAction()
                if event.type() == QEvent.Type.Drop:
                    self.dropped.emit(paths)
                return True
        return super().eventFilter(watched, event)

"""The popup that lists the keys."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from napari_anoclip.plugin.keys import WORKBENCH, Key


class KeyHelp(QFrame):
    """Goes away at a click beside it or with Esc, as popups do.

    Parameters
    ----------
    parent : QWidget
        The dock that it is of.
    listed : tuple of Key
        What it lists.
    """

    def __init__(self, parent: QWidget, listed: tuple[Key, ...] = WORKBENCH) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAccessibleName("Keys of AnoCLIP")
        rows = "".join(
            f"<tr><td><b>{escape(key.keys.replace(', ', ' or '))}</b>&nbsp;&nbsp;</td>"
            f"<td>{escape(key.where)}&nbsp;&nbsp;</td><td>{escape(key.does)}</td></tr>"
            for key in listed
        )
        self.text = QLabel(f"<table cellpadding='2'>{rows}</table>")
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)

    def show_over(self, dock: QWidget) -> None:
        """Show it with its corner on a dock's, or as near to that as all of it is on the screen."""
        self.adjustSize()
        screen = dock.screen().availableGeometry()
        corner = dock.mapToGlobal(dock.rect().topLeft())
        self.move(
            max(screen.left(), min(corner.x(), screen.right() - self.width())),
            max(screen.top(), min(corner.y(), screen.bottom() - self.height())),
        )
        self.show()

    def event(self, event: QEvent) -> bool:
        """Take Esc before the dock's own shortcut does, which cancels a run."""
        if event.type() == QEvent.Type.ShortcutOverride and _is_escape(event):
            event.accept()
            return True
        return bool(super().event(event))

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt names it)
        """Close with Esc."""
        if _is_escape(event):
            self.close()
        else:
            super().keyPressEvent(event)


def _is_escape(event: QEvent) -> bool:
    return isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape

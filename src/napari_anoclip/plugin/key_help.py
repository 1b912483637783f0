"""The popup that lists the keys."""

from __future__ import annotations

from html import escape

from qtpy.QtCore import Qt
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

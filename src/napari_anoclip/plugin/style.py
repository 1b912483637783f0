"""The few looks that our widgets add to napari's theme."""

from __future__ import annotations

import re
from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtWidgets import QGraphicsOpacityEffect, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget


def muted(label: QLabel) -> QLabel:
    """Make a label a side remark: paler in any theme, wrapping, and selectable so that it can be copied."""
    paler = QGraphicsOpacityEffect(label)
    paler.setOpacity(0.65)
    label.setGraphicsEffect(paler)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def breakable(sentence: str) -> str:
    """Let names that are longer than a line break after their dots and underscores, which Qt alone does not do."""
    return re.sub(r"[^\s/]{28,}", lambda name: re.sub(r"(?<=[._])", "\u200b", name[0]), sentence)


def with_note(control: QWidget, note: QLabel) -> QWidget:
    """Put a side remark right under its control."""
    both = QWidget()
    layout = QVBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(control)
    layout.addWidget(muted(note))
    return both


def push_button(text: str, tooltip: str, pressed: Callable[[], object], name: str = "") -> QPushButton:
    """A button that does something; its name for those who hear it is its text, unless another is given."""
    button = QPushButton(text)
    button.setAccessibleName(name or text)
    button.setToolTip(tooltip)
    button.clicked.connect(lambda: pressed())
    return button


def ignore_wheel_unless_focused(control: QWidget) -> None:
    """Let the wheel scroll the dock, not change a value that merely passes under the pointer."""
    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    control.installEventFilter(_WheelFilter(control))


class _WheelFilter(QObject):
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt names it)
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


class Section(QWidget):
    """A part of the dock that is folded away until its title is clicked.

    Attributes
    ----------
    title : str
        What it is called.
    toggled : Signal
        Emitted with whether it is open now.
    """

    toggled = Signal(bool)

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self._content = content
        self._button = QToolButton()
        self._button.setText(title)
        self._button.setAccessibleName(f"{title}, section")
        self._button.setCheckable(True)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setStyleSheet(
            "QToolButton { border: 1px solid transparent; background: transparent; font-weight: bold; }"
            "QToolButton:focus { border-color: palette(highlight); }"
        )
        self._button.toggled.connect(self._on_toggled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._button)
        layout.addWidget(content)
        self._on_toggled(False)

    @property
    def is_open(self) -> bool:
        """Whether its content is shown."""
        return self._button.isChecked()

    def open(self, opened: bool = True) -> None:
        """Show or fold away the content."""
        self._button.setChecked(opened)

    def say(self, words: str) -> None:
        """Say something beside the title that holds though it is folded away: that it is on."""
        self._button.setText(f"{self.title} · {words}" if words else self.title)
        self._button.setAccessibleName(f"{self._button.text()}, section")

    def _on_toggled(self, opened: bool) -> None:
        self._button.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self._content.setVisible(opened)
        self.toggled.emit(opened)

"""The few looks that our widgets add to napari's theme."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QGraphicsOpacityEffect, QLabel, QToolButton, QVBoxLayout, QWidget


def muted(label: QLabel) -> QLabel:
    """Make a label a side remark: paler in any theme, wrapping, and selectable so that it can be copied."""
    paler = QGraphicsOpacityEffect(label)
    paler.setOpacity(0.65)
    label.setGraphicsEffect(paler)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def with_note(control: QWidget, note: QLabel) -> QWidget:
    """Put a side remark right under its control."""
    both = QWidget()
    layout = QVBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(2)
    layout.addWidget(control)
    layout.addWidget(muted(note))
    return both


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
    """A part of the dock that is folded away until its title is clicked."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        self._title = QToolButton()
        self._title.setText(title)
        self._title.setCheckable(True)
        self._title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._title.setStyleSheet("QToolButton { border: none; background: transparent; font-weight: bold; }")
        self._title.toggled.connect(self._on_toggled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._title)
        layout.addWidget(content)
        self._on_toggled(False)

    def _on_toggled(self, opened: bool) -> None:
        self._title.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self._content.setVisible(opened)

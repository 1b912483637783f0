"""How the dock is laid out: rows from top to bottom as a user goes through them, details folded away below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from napari_anoclip.plugin.controls import Controls
    from napari_anoclip.plugin.style import Section

NARROWEST = 320
"""Pixels of width in which everything must have its place; what is longer wraps, and the page scrolls."""

FOCUS = (
    "QPushButton:focus, QToolButton:focus, QComboBox:focus, QLineEdit:focus, QAbstractSpinBox:focus,"
    "QAbstractItemView:focus { border: 1px solid palette(highlight); }"
    "QCheckBox:focus, QRadioButton:focus { color: palette(highlight); }"
)
"""napari's themes show in text fields alone where keys go."""


def lay_out(dock: QWidget, controls: Controls, middle: Iterable[QWidget], sections: Iterable[Section]) -> QScrollArea:
    """Fill the dock.

    Parameters
    ----------
    dock : QWidget
        Still empty.
    controls : Controls
        What a run is chosen with: the first rows.
    middle : iterable of QWidget
        Buttons, progress and sentences, below each other.
    sections : iterable of Section
        What can be unfolded.
    """
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setSpacing(8)
    layout.addLayout(_rows(controls))
    layout.addLayout(_switches(controls))
    for widget in (*middle, *sections):
        layout.addWidget(widget)
    layout.addStretch()
    return scrolling(dock, page)


def scrolling(dock: QWidget, page: QWidget) -> QScrollArea:
    """Fill a dock with a page that scrolls where it is too long, and never sideways."""
    page.setStyleSheet(FOCUS)
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(page)
    outer = QVBoxLayout(dock)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(scroll)
    dock.setMinimumWidth(NARROWEST)
    return scroll


def stacked(*widgets: QWidget) -> QWidget:
    """Put widgets below each other as one."""
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return whole


def _rows(controls: Controls) -> QFormLayout:
    rows = QFormLayout()
    rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    rows.setVerticalSpacing(6)
    for label, row in (
        ("Image", controls.image.image_row),
        ("Look at", controls.image.look_row),
        ("Object", controls.prompts.object_row),
        ("Prompts", controls.prompts.preset_row),
        ("Model", controls.model.row),
    ):
        rows.addRow(QLabel(label), row)
    return rows


def _switches(controls: Controls) -> QHBoxLayout:
    switches = QHBoxLayout()
    switches.addWidget(controls.adapt)
    switches.addWidget(controls.live)
    switches.addStretch()
    switches.addWidget(controls.help_button)
    return switches

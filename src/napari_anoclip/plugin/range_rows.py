"""Where the heatmap's colours begin and end: measured on normal pictures, or set by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.engine.settings import RangeSource
from napari_anoclip.plugin.colour_bar import ColourBar
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted

if TYPE_CHECKING:
    from napari.utils.colormaps import Colormap

    from napari_anoclip.engine.calibration import DisplayRange

_STEP = 0.0001

_SOURCES: dict[RangeSource, tuple[str, str]] = {
    "calibrated": ("calibrated", "The range measured on the packaged normal pictures, the same for all images."),
    "own": ("good images", "The range measured on your own good images. Choose them first."),
    "manual": ("by hand", "The range between two numbers of yours."),
}


class RangeRows(QWidget):
    """Three sources of the range, the two numbers of the last, and the colour bar.

    `changed` is emitted when another range is chosen.

    Parameters
    ----------
    colormap : Colormap
        The heatmap's.
    choose_images : QWidget
        What good images are chosen with.
    """

    changed = Signal()

    def __init__(self, colormap: Colormap, choose_images: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._measured: DisplayRange | None = None
        self.buttons = {source: QRadioButton(title) for source, (title, _) in _SOURCES.items()}
        self._group = QButtonGroup(self)
        choices = QGridLayout()
        choices.setHorizontalSpacing(6)
        choices.setVerticalSpacing(4)
        choices.addWidget(QLabel("Colours"), 0, 0)
        for source, button in self.buttons.items():
            button.setToolTip(_SOURCES[source][1])
            button.setAccessibleName(f"Range of the colours: {button.text()}")
            self._group.addButton(button)
        choices.addWidget(self.buttons["calibrated"], 0, 1)
        choices.addWidget(self.buttons["manual"], 0, 2)
        choices.addWidget(self.buttons["own"], 1, 1)
        choices.addWidget(choose_images, 1, 2)
        choices.setColumnStretch(3, 1)
        self.low, self.high = _number("First colour", 0.0, 1.0), _number("Last colour", 1.0, 2.0)
        self.high.setMinimum(_STEP)  # above the first colour, as ever
        self._by_hand = QWidget()
        numbers = QHBoxLayout(self._by_hand)
        numbers.setContentsMargins(0, 0, 0, 0)
        numbers.addWidget(self.low, 1)
        numbers.addWidget(QLabel("to"))
        numbers.addWidget(self.high, 1)
        self.bar = ColourBar(colormap)
        self.source = muted(QLabel())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(choices)
        for widget in (self._by_hand, self.bar, self.source):
            layout.addWidget(widget)
        self.buttons["calibrated"].setChecked(True)
        self.buttons["own"].setEnabled(False)
        self._by_hand.hide()
        self._group.buttonToggled.connect(self._on_toggled)
        self.low.valueChanged.connect(self._on_low)
        self.high.valueChanged.connect(self.changed)

    @property
    def chosen(self) -> RangeSource:
        """Where the range comes from."""
        return next(source for source, button in self.buttons.items() if button.isChecked())

    @property
    def limits(self) -> tuple[float, float]:
        """Probabilities of the first and the last colour."""
        if self.chosen == "manual" or self._measured is None:
            return self.low.value(), self.high.value()
        return self._measured.low, self._measured.high

    def set_to(self, source: RangeSource, low: float, high: float) -> None:
        """Choose a range, without a signal."""
        with QSignalBlocker(self):
            self._set_numbers(low, high)
            self.choose(source)
            self._set_numbers(low, high)  # choosing "by hand" starts from what is shown

    def choose(self, source: RangeSource) -> None:
        """Choose where the range comes from; good images count as known from here on."""
        button = self.buttons[source]
        button.setEnabled(True)
        button.setChecked(True)

    def show_range(self, measured: DisplayRange, threshold: float) -> None:
        """Show the colours, where they were measured, and the threshold in them."""
        self._measured = measured
        self.bar.show_range(self.limits, threshold)
        self.source.setText("set by hand" if self.chosen == "manual" else f"from {measured.source}")

    def _on_toggled(self, _: QRadioButton, on: bool) -> None:
        if not on:
            return
        by_hand = self.chosen == "manual"
        if by_hand and self._measured is not None:
            self._set_numbers(self._measured.low, self._measured.high)  # so that no colour jumps
        self._by_hand.setVisible(by_hand)
        self.changed.emit()

    def _on_low(self) -> None:
        with QSignalBlocker(self.high):
            self.high.setMinimum(self.low.value() + _STEP)
        self.changed.emit()

    def _set_numbers(self, low: float, high: float) -> None:
        with QSignalBlocker(self):
            self.low.setValue(low)
            self.high.setValue(high)


def _number(name: str, value: float, largest: float) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(4)
    box.setKeyboardTracking(False)  # half a number is no range
    box.setRange(0.0, largest)
    box.setSingleStep(0.01)
    box.setValue(value)
    box.setAccessibleName(name)
    box.setToolTip(f"Probability of the {name.lower()}.")
    ignore_wheel_unless_focused(box)
    return box

"""What of an image is looked at: region, planes of a stack, level of a pyramid, black and white.

Only what the image leaves open is shown: of a flat 8-bit picture, one line.
"""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.plugin.planes import ImageChoice
from napari_anoclip.plugin.style import ignore_wheel_unless_focused

REGIONS = {
    "whole": "The whole image.",
    "view": "What the viewer shows of the image now. Follows the camera.",
    "shape": "The selected rectangle, polygon or ellipse of a shapes layer, or its last one.",
}
PLANES = {
    "this": "The plane that the viewer shows. Follows the slider.",
    "all": "All planes, the shown one first.",
    "range": "The planes from one to another along the first slider, the one nearest to the shown plane first.",
}
CONTRAST = {
    "displayed": "Black and white are the contrast limits of the layer.",
    "data": "Black and white are measured on the pixels of each plane.",
}


class LookAt(QWidget):
    """Controls for an `ImageChoice`; `changed` is emitted when the user sets another one."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._region = _Radios(REGIONS, "Region to look at")
        self._shapes = _combo("Shapes layer")
        self._planes = _Radios(PLANES, "Planes")
        self._first = _spin("First plane")
        self._last = _spin("Last plane")
        self._level = _combo("Pyramid level")
        self._contrast = _Radios(CONTRAST, "Black and white")
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        self._range = _line("from", self._first, "to", self._last)
        self._planes_line = _line("planes", self._planes)
        self._level_line = _line("level", self._level)
        self._contrast_line = _line("black, white", self._contrast)
        self._shapes_line = _line("in", self._shapes)
        for line in (
            _line(self._region),
            self._shapes_line,
            self._planes_line,
            self._range,
            self._level_line,
            self._contrast_line,
        ):
            rows.addWidget(line)
        for radios in (self._region, self._planes, self._contrast):
            radios.chosen.connect(self._on_changed)
        fields = {"shape_layer": self._shapes, "level": self._level, "first": self._first, "last": self._last}
        for name, control in fields.items():
            control.setToolTip(ImageChoice.model_fields[name].description)
            signal = control.valueChanged if isinstance(control, QSpinBox) else control.currentIndexChanged
            signal.connect(self._on_changed)
        self._offered: tuple[int, list[str], bool] | None = None
        self.offer(0, [], False)

    @property
    def choice(self) -> ImageChoice:
        """What is chosen now. What an image leaves no choice of is as by default."""
        return ImageChoice(
            planes=self._planes.value if self._planes_line.isVisibleTo(self) else "this",
            first=self._first.value(),
            last=self._last.value(),
            region=self._region.value,
            shape_layer=self._shapes.currentText(),
            contrast=self._contrast.value if self._contrast_line.isVisibleTo(self) else "displayed",
            level=self._level.currentData(),
        )

    @choice.setter
    def choice(self, choice: ImageChoice) -> None:
        self._planes.value = choice.planes
        self._region.value = choice.region
        self._contrast.value = choice.contrast
        with QSignalBlocker(self._first), QSignalBlocker(self._last):
            self._first.setValue(choice.first)
            self._last.setValue(choice.last)
        self.choose_shapes(choice.shape_layer)
        with QSignalBlocker(self._level):
            self._level.setCurrentIndex(max(0, self._level.findData(choice.level)))
        self._on_changed()

    def offer(self, plane_count: int, levels: Iterable[str], contrast: bool) -> None:
        """Show what an image leaves open; levels and range are as by default unless it is the same as before.

        Parameters
        ----------
        plane_count : int
            Planes along the first slider, 0 of a flat image.
        levels : iterable of str
            What each level of a pyramid is called, the finest first; none if it has only one.
        contrast : bool
            Whether its grey values have no fixed meaning.
        """
        offered = (plane_count, list(levels), contrast)
        if offered == self._offered:
            return
        self._offered = offered
        _, names, _ = offered
        with QSignalBlocker(self._level), QSignalBlocker(self._first), QSignalBlocker(self._last):
            self._level.clear()
            self._level.addItem("automatic", None)
            for number, name in enumerate(names):
                self._level.addItem(name, number)
            for spin, value in ((self._first, 0), (self._last, plane_count - 1)):
                spin.setMaximum(max(0, plane_count - 1))
                spin.setValue(value)
        self._planes_line.setVisible(plane_count > 1)
        self._level_line.setVisible(len(names) > 1)
        self._contrast_line.setVisible(contrast)
        self._show_what_is_needed()

    def offer_shapes(self, names: Iterable[str]) -> None:
        """Show which shapes layers there are; the chosen one stays chosen while it is there."""
        chosen = self._shapes.currentText()
        with QSignalBlocker(self._shapes):
            self._shapes.clear()
            self._shapes.addItems(list(names))
        self.choose_shapes(chosen)
        self._show_what_is_needed()

    def choose_shapes(self, name: str) -> None:
        """Choose a shapes layer, if it is offered."""
        at = self._shapes.findText(name)
        if at >= 0:
            with QSignalBlocker(self._shapes):
                self._shapes.setCurrentIndex(at)

    def _on_changed(self) -> None:
        self._show_what_is_needed()
        self.changed.emit()

    def _show_what_is_needed(self) -> None:
        self._shapes_line.setVisible(self._region.value == "shape" and self._shapes.count() > 0)
        self._range.setVisible(self._planes_line.isVisibleTo(self) and self._planes.value == "range")


class _Radios(QWidget):
    """One of a few words; `chosen` is emitted when the user takes another."""

    chosen = Signal()

    def __init__(self, words: dict[str, str], name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        group = QButtonGroup(self)
        self._buttons = {word: QRadioButton(word) for word in words}
        for word, button in self._buttons.items():
            button.setToolTip(words[word])
            button.setAccessibleName(f"{name}: {word}")
            button.toggled.connect(self._on_toggled)
            group.addButton(button)
            row.addWidget(button)
        with QSignalBlocker(self):
            next(iter(self._buttons.values())).setChecked(True)

    @property
    def value(self) -> str:
        """The word that is taken."""
        return next(word for word, button in self._buttons.items() if button.isChecked())

    @value.setter
    def value(self, word: str) -> None:
        with QSignalBlocker(self):
            self._buttons[word].setChecked(True)

    def _on_toggled(self, on: bool) -> None:
        if on:  # the other one goes off at the same time
            self.chosen.emit()


def _combo(name: str) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setMinimumContentsLength(10)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    ignore_wheel_unless_focused(combo)
    return combo


def _spin(name: str) -> QSpinBox:
    spin = QSpinBox()
    spin.setAccessibleName(name)
    spin.setMinimumWidth(70)  # its own is that of the largest number there could be
    spin.setKeyboardTracking(False)  # a number that is being typed is not meant yet
    ignore_wheel_unless_focused(spin)
    return spin


def _line(*parts: str | QWidget) -> QWidget:
    """Words and controls in one line."""
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        row.addWidget(QLabel(part) if isinstance(part, str) else part)
    row.addStretch()
    return line

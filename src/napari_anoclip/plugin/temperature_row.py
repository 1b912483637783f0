"""The softmax temperature of the map: the model's own, the paper's, or any other."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QButtonGroup, QDoubleSpinBox, QGridLayout, QRadioButton, QWidget

from napari_anoclip.engine.settings import ScoringSettings
from napari_anoclip.plugin.style import ignore_wheel_unless_focused

PAPER_TEMPERATURE = 1.0

_SMALLEST = 1e-4
_LARGEST = 100.0
_FIRST_FREE = 0.07
"""CLIP's temperature before training: between what trained models learn and the paper's."""


class TemperatureRow(QWidget):
    """Two temperatures with names, and a number; `changed` is emitted when another one is chosen."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(ScoringSettings.model_fields["temperature"].description)
        self.own = QRadioButton("model's")
        self.own.setToolTip("The temperature that the model was trained with.")
        self.paper = QRadioButton("paper (1)")
        self.paper.setToolTip("As published: all scores lie close to 0.5.")
        self.free = QRadioButton("other")
        self.free.setToolTip("A temperature of your own: the lower, the further apart the scores.")
        self.number = QDoubleSpinBox()
        self.number.setDecimals(4)
        self.number.setRange(_SMALLEST, _LARGEST)
        self.number.setSingleStep(0.01)
        self.number.setValue(_FIRST_FREE)
        self.number.setToolTip(self.free.toolTip())
        ignore_wheel_unless_focused(self.number)
        self._group = QButtonGroup(self)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(4)
        for button, name in ((self.own, "the model's own"), (self.paper, "the paper's, 1"), (self.free, "a number")):
            button.setAccessibleName(f"Temperature: {name}")
            self._group.addButton(button)
        self.number.setAccessibleName("Temperature")
        layout.addWidget(self.own, 0, 0)
        layout.addWidget(self.paper, 0, 1)
        layout.addWidget(self.free, 1, 0)
        layout.addWidget(self.number, 1, 1)
        layout.setColumnStretch(1, 1)
        self.own.setChecked(True)
        self.number.setEnabled(False)
        self._group.buttonToggled.connect(self._on_toggled)
        self.number.valueChanged.connect(self.changed)

    @property
    def value(self) -> float | None:
        """The temperature; None for the model's own."""
        if self.own.isChecked():
            return None
        return PAPER_TEMPERATURE if self.paper.isChecked() else self.number.value()

    @value.setter
    def value(self, temperature: float | None) -> None:
        before = self.value
        with QSignalBlocker(self):
            if temperature is None:
                self.own.setChecked(True)
            elif temperature == PAPER_TEMPERATURE:
                self.paper.setChecked(True)
            else:
                self.number.setValue(temperature)
                self.free.setChecked(True)
        if self.value != before:
            self.changed.emit()

    def _on_toggled(self, _: QRadioButton, on: bool) -> None:
        self.number.setEnabled(self.free.isChecked())
        if on:
            self.changed.emit()

"""How the adapter is trained on an image, and what it did: "Adaptation" in the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.engine.settings import AdaptationSettings
from napari_anoclip.plugin.loss_curve import LossCurve
from napari_anoclip.plugin.settings_form import SettingsForm
from napari_anoclip.plugin.style import muted

if TYPE_CHECKING:
    from napari_anoclip.plugin.run_request import PlaneResult


class AdaptationPanel(QWidget):
    """Settings of the adaptation, its loss while it runs, and a button to see the map without it.

    Attributes
    ----------
    changed : Signal
        Other settings; the switch itself is not among them.
    flick : Signal
        True: show the map before adaptation; False: the adapted one again.
    """

    changed = Signal()
    flick = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = SettingsForm(AdaptationSettings, without=("enabled",))
        self.curve = LossCurve()
        self.before = QPushButton("hold to see before")
        self.before.setAccessibleName("Hold to see the map before adaptation")
        self._note = muted(QLabel())
        row = QHBoxLayout()
        row.addWidget(self.curve, 1)
        row.addWidget(self.before)
        inner = QVBoxLayout()
        inner.setContentsMargins(12, 0, 0, 4)
        inner.addLayout(row)
        inner.addWidget(self._note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.form.native)
        layout.addLayout(inner)
        self._allow(False)

        self.form.changed.connect(self._on_form)
        # Qt presses a button with the mouse or the space bar, and releases it when the focus goes meanwhile.
        self.before.pressed.connect(lambda: self.flick.emit(True))
        self.before.released.connect(lambda: self.flick.emit(False))

    @property
    def value(self) -> AdaptationSettings:
        """The settings, `enabled` left at its default. Setting them emits `changed` once, if they are others."""
        return self.form.value

    @value.setter
    def value(self, settings: AdaptationSettings) -> None:
        self.form.value = settings

    @property
    def note(self) -> str:
        """What is said about the last run."""
        return self._note.text()

    def show_step(self, step: int, loss: float) -> None:
        """Add a step to the curve; the first of a run starts a new one.

        Parameters
        ----------
        step : int
            Counted from 1.
        loss : float
            Before this step.
        """
        if step == 1:
            self.curve.begin(self.value.steps)
        self.curve.add(step, loss)

    def show_result(self, result: PlaneResult) -> None:
        """Show what became of a plane."""
        detection = result.detection
        adapted = detection.before is not None
        self.curve.begin(len(detection.losses))
        for step, loss in enumerate(detection.losses, start=1):
            self.curve.add(step, loss)
        self._note.setText(
            f"{len(detection.losses)} steps, {detection.seconds:.1f} s with scoring"
            if detection.losses
            else "The last map was made without adaptation."
        )
        self._allow(adapted)

    def _allow(self, adapted: bool) -> None:
        """Offer the look back where there is a map to look back to."""
        self.before.setEnabled(adapted)
        self.before.setToolTip(
            "Shows the map without adaptation for as long as the button, or the space bar on it, is held down."
            if adapted
            else "There is no map before adaptation: switch on Adapt to this image, and run."
        )

    def _on_form(self) -> None:
        self.changed.emit()

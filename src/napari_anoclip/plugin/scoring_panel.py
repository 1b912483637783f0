"""How tokens become scores, how the scores are spread, and which of them count: "Scoring and colours" in the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.engine.histogram import ScoreHistogram
from napari_anoclip.engine.settings import DisplaySettings, ScoringSettings
from napari_anoclip.plugin.colormaps import anomaly_colormap
from napari_anoclip.plugin.histogram import HistogramView
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.masks import ScoredPixels
from napari_anoclip.plugin.range_rows import RangeRows
from napari_anoclip.plugin.references import ReferenceButton
from napari_anoclip.plugin.settings_form import SettingsForm
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted
from napari_anoclip.plugin.temperature_row import TemperatureRow
from napari_anoclip.plugin.thresholds import F1_MEANING, SuggestButton, Suggestion, calibrated, suggestions

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.engine.calibration import DisplayRange
    from napari_anoclip.plugin.run_request import PlaneResult

DRAW_DELAY = 30
"""Milliseconds in which changes of the display are gathered: the canvas follows a drag without piling up work."""

_ROUNDING = 0.5e-4
"""By which a number with four decimals may differ from the threshold."""


class ScoringPanel(QWidget):
    """All settings from tokens to colours.

    Parameters
    ----------
    viewer : ViewerModel
        Where good images and masks are looked for.

    Attributes
    ----------
    changed : Signal
        Scores must be computed again.
    display_changed : Signal
        Only colours, threshold or contour changed.
    references_wanted : Signal
        With a list of good images, files or pixels that are not read yet; `display.range` is "own" from here on.
    """

    changed = Signal()
    display_changed = Signal()
    references_wanted = Signal(list)

    def __init__(self, viewer: ViewerModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._job = Job()
        self._measured: DisplayRange | None = None
        self._own = False
        self._pixels: ScoredPixels | None = None
        self._plane_scores = self._stack_scores = ScoreHistogram()
        self._threshold: float | None = None
        colormap = anomaly_colormap()
        self.temperature = TemperatureRow()
        self.form = SettingsForm(ScoringSettings, without=("temperature",))
        self.of_plane, self.of_stack = QRadioButton("this plane"), QRadioButton("all planes")
        self.of_stack.setChecked(True)
        self._which = QWidget()
        self.histogram = HistogramView(colormap)
        self.threshold = QDoubleSpinBox()
        self.threshold.setDecimals(4)
        self.threshold.setKeyboardTracking(False)  # half a number is no threshold
        self.threshold.setRange(0.0, 1.0)
        self.threshold.setSingleStep(0.005)
        self.threshold.setAccessibleName("Threshold")
        self.threshold.setToolTip(DisplaySettings.model_fields["threshold"].description)
        ignore_wheel_unless_focused(self.threshold)
        self.suggest = SuggestButton()
        self._meaning = muted(QLabel())
        self.contour = QCheckBox("Outline what lies above the threshold")
        self.contour.setAccessibleName(self.contour.text())
        self.contour.setToolTip("Draw a line in the viewer around all that reaches the threshold.")
        self.references = ReferenceButton(viewer)
        self.range = RangeRows(colormap, self.references)
        self._draw = later(self, self.display_changed, DRAW_DELAY)
        self._lay_out()
        self._show_threshold()

        self.form.changed.connect(self._on_form)
        self.temperature.changed.connect(self.changed)
        self.of_plane.toggled.connect(self._on_which)
        self.histogram.threshold_changed.connect(self._on_threshold)
        self.histogram.threshold_set.connect(self._on_threshold)
        self.threshold.valueChanged.connect(self._on_threshold)
        self.suggest.menu().aboutToShow.connect(self._offer)
        self.suggest.chosen.connect(self._on_suggestion)
        self.suggest.mask_chosen.connect(self._on_mask)
        self.contour.toggled.connect(self._on_display)
        self.range.changed.connect(self._on_range)
        self.references.chosen.connect(self._on_references)
        self._job.failed.connect(lambda error: self._meaning.setText(str(error)))
        self._job.succeeded.connect(self._on_best)

    @property
    def value(self) -> ScoringSettings:
        """The settings that scores are computed with. Setting them emits `changed` once, if they are others."""
        return self.form.value.model_copy(update={"temperature": self.temperature.value})

    @value.setter
    def value(self, settings: ScoringSettings) -> None:
        before = self.value
        with QSignalBlocker(self):
            self.form.value = settings
            self.temperature.value = settings.temperature
        if self.value != before:
            self.changed.emit()

    @property
    def display(self) -> DisplaySettings:
        """How maps are shown. Setting it emits `display_changed` if it is another."""
        return DisplaySettings(
            range=self.range.chosen,
            low=self.range.low.value(),
            high=self.range.high.value(),
            threshold=self._threshold,
            contour=self.contour.isChecked(),
        )

    @display.setter
    def display(self, display: DisplaySettings) -> None:
        if display == self.display:
            return
        self.range.set_to(display.range, display.low, display.high)
        with QSignalBlocker(self.contour):
            self.contour.setChecked(display.contour)
        self._threshold = display.threshold
        self._show_threshold()
        self._on_display()

    @property
    def meaning(self) -> str:
        """What is said about the threshold."""
        return self._meaning.text()

    def show_result(self, result: PlaneResult, total: ScoreHistogram) -> None:
        """Show the scores of a plane.

        Parameters
        ----------
        result : PlaneResult
            The plane that is shown.
        total : ScoreHistogram
            Of all planes that were scored so far.
        """
        self._measured = result.display
        self._own = result.request.display.range == "own"
        self._pixels = ScoredPixels.of(result)
        self._plane_scores, self._stack_scores = result.histogram, total
        self._which.setVisible(total.count > result.histogram.count)
        self._show_threshold()

    def close_down(self) -> None:
        """Stop what is being computed and let go of the map, before this widget goes."""
        self._job.close()
        self._draw.stop()
        self._pixels = None

    @property
    def _scores(self) -> ScoreHistogram:
        return self._plane_scores if self.of_plane.isChecked() else self._stack_scores

    @property
    def _threshold_shown(self) -> float | None:
        """The threshold that counts now; None where it is to be measured yet."""
        if self._threshold is not None or self._measured is None:
            return self._threshold
        return calibrated(self._measured, self._own).value

    def _show_threshold(self, why: str = "") -> None:
        """Bring number, line, mark and sentence to the threshold; `why` says where it comes from."""
        threshold, measured, scores = self._threshold_shown, self._measured, self._scores
        with QSignalBlocker(self.threshold):
            # Only where something changes, for both would disturb someone who is typing.
            unknown = "—" if threshold is None else ""
            if self.threshold.specialValueText() != unknown:
                self.threshold.setSpecialValueText(unknown)
            if abs(self.threshold.value() - (threshold or 0.0)) > _ROUNDING:
                self.threshold.setValue(threshold or 0.0)
        for control in (self.threshold, self.suggest):
            control.setEnabled(scores.count > 0)
        self._meaning.setVisible(scores.count > 0)
        if threshold is None or measured is None:
            return
        self.range.show_range(measured, threshold)
        self.histogram.show_scores(scores, self.range.limits, threshold)
        if self._threshold is None:
            why = calibrated(measured, self._own).meaning
        self._meaning.setText(f"{100 * scores.share_above(threshold):.2f} % of the pixels reach it. {why}".strip())

    def _on_form(self) -> None:
        self.changed.emit()

    def _on_which(self) -> None:
        self._show_threshold()

    def _on_threshold(self, threshold: float) -> None:
        self._threshold = min(max(threshold, 0.0), 1.0)
        self._show_threshold()
        self._on_display()

    def _on_range(self) -> None:
        self._show_threshold()
        self._on_display()

    def _on_display(self) -> None:
        if not self._draw.isActive():
            self._draw.start()

    def _offer(self) -> None:
        if self._measured is None or self._pixels is None:
            return
        what = "stack" if self._which.isVisibleTo(self) and self.of_stack.isChecked() else "image"
        masks = [layer.name for layer in self._pixels.masks(self._viewer.layers)]
        self.suggest.offer(suggestions(self._measured, self._own, self._scores, what), masks)

    def _on_suggestion(self, suggestion: Suggestion) -> None:
        self._threshold = None if suggestion.follows else suggestion.value
        self._show_threshold(suggestion.meaning)
        self._on_display()

    def _on_mask(self, name: str) -> None:
        if self._pixels is None or name not in self._viewer.layers:
            return
        judge = self._pixels.judged_by(self._viewer.layers[name])
        self._meaning.setText(f"Comparing with {name}…")
        self._job.start(lambda *_: (name, *judge()), newest=True)

    def _on_best(self, found: tuple[str, float, float]) -> None:
        name, threshold, f1 = found
        self._threshold = threshold
        self._show_threshold(f"F1 {f1:.2f}. {F1_MEANING.format(name=name)}")
        self._on_display()

    def _on_references(self, items: list) -> None:
        self.range.choose("own")
        self.references_wanted.emit(items)

    def _lay_out(self) -> None:
        """As the dock is drawn: settings, histogram with its threshold, colours."""
        which = QHBoxLayout(self._which)
        which.setContentsMargins(0, 0, 0, 0)
        for button, words in ((self.of_plane, "the plane that is shown"), (self.of_stack, "all planes scored so far")):
            button.setToolTip(f"Scores of {words}.")
            button.setAccessibleName(f"Histogram of {words}")
            which.addWidget(button)
        which.addStretch()
        self._which.hide()
        temperature = QFormLayout()
        temperature.setContentsMargins(12, 0, 0, 0)
        temperature.addRow("Temperature", self.temperature)
        line = QHBoxLayout()
        line.addWidget(QLabel("Threshold"))
        line.addWidget(self.threshold, 1)
        line.addWidget(self.suggest)
        scores = QVBoxLayout()
        scores.setContentsMargins(12, 4, 0, 4)
        scores.setSpacing(4)
        scores.addWidget(self._which)
        scores.addWidget(self.histogram)
        scores.addLayout(line)
        scores.addWidget(self._meaning)
        scores.addWidget(self.contour)
        scores.addWidget(self.range)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(temperature)
        layout.addWidget(self.form.native)
        layout.addLayout(scores)

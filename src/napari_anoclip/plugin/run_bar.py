"""Run and Cancel, how far the run is, and what came of it."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.engine.progress import Progress
from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.run_request import PlaneResult
from napari_anoclip.plugin.style import muted

WORTH_SAYING = 2.0
"""Seconds left of a stage from which the remaining time is told."""

WORTH_MINUTES = 120
"""Seconds left from which it is told in minutes."""

WORTH_SHOWING = {False: 300, True: 1000}
"""Milliseconds that a run takes before its progress is shown, one that began by itself (True) later: rescoring while
somebody types must not flicker, and each picture of the bar costs time that the run could use."""


class RunBar(QWidget):
    """The buttons follow the job's state; what is wanted is told by signals."""

    run_wanted = Signal()
    keep_wanted = Signal()
    cancel_wanted = Signal()
    why_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_button = QPushButton("▶  Run")
        self.run_button.setToolTip("Score the image (Ctrl+Enter).")
        self.keep_button = QPushButton("Run, keep")
        self.keep_button.setToolTip("Score the image into a new result and keep the one there is (Ctrl+Shift+Enter).")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop after the current batch or step (Esc).")
        self.run_button.clicked.connect(self.run_wanted)
        self.keep_button.clicked.connect(self.keep_wanted)
        self.cancel_button.clicked.connect(self.cancel_wanted)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._stage = muted(QLabel())
        self._score = QLabel()
        self._score.setWordWrap(True)
        self.why_button = QPushButton("why?")
        self.why_button.setToolTip("Show which prompts made the hottest place hot.")
        self.why_button.setAccessibleName("Why is the hottest place hot?")
        self.why_button.clicked.connect(self.why_wanted)
        self._patience = later(self, self._on_patience)
        for control, name in (
            (self.run_button, "Run"),
            (self.keep_button, "Run and keep the result there is"),
            (self._bar, "Progress of the run"),
        ):
            control.setAccessibleName(name)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 3)
        buttons.addWidget(self.keep_button, 2)
        buttons.addWidget(self.cancel_button, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self._bar)
        layout.addWidget(self._stage)
        outcome = QHBoxLayout()
        outcome.addWidget(self._score, 1)
        outcome.addWidget(self.why_button)
        layout.addLayout(outcome)
        self._stage_began = ("", 0.0)
        self.clear()
        self.follow(JobState.IDLE)

    @property
    def stage(self) -> str:
        """The stage as it is shown."""
        return self._stage.text()

    @property
    def score(self) -> str:
        """The result as it is shown."""
        return self._score.text()

    def follow(self, state: JobState, by_itself: bool = False) -> None:
        """Set the buttons for a state of the job; a run that began by itself leaves them alone while it is short."""
        busy = state in (JobState.RUNNING, JobState.CANCELLING)
        self._state = state
        if not by_itself or not busy or not self._bar.isHidden():
            self._set_buttons()
        if not busy:
            self._patience.stop()
            self._show_progress(False)
        elif state is JobState.CANCELLING:
            self._stage.setText("cancelling after this step")
        elif self._bar.isHidden() and not self._patience.isActive():
            # An empty bar, not one that swings: each of its pictures has the whole window drawn again, which slows the
            # run several times where no GPU draws.
            self._bar.setRange(0, 1)
            self._bar.setValue(0)
            self._stage.setText("starting")
            self._stage_began = ("", 0.0)
            self._patience.start(WORTH_SHOWING[by_itself])

    def show_progress(self, progress: Progress) -> None:
        """Show the stage, how far it is and how long it will take."""
        stage, began = self._stage_began
        if stage != progress.stage:
            began = time.monotonic()
            self._stage_began = (progress.stage, began)
        self._bar.setRange(0, max(1, progress.total))
        self._bar.setValue(progress.done)
        words = [progress.stage]
        if progress.total > 1:
            words.append(f"{progress.done} of {progress.total}")
        if 0 < progress.done < progress.total:
            left = (time.monotonic() - began) * (progress.total - progress.done) / progress.done
            said = f"{left:.0f} s left" if left < WORTH_MINUTES else f"{left / 60:.0f} min left"
            words += [said] * (left >= WORTH_SAYING)
        self._stage.setText(" · ".join(words))

    def _set_buttons(self) -> None:
        busy = self._state in (JobState.RUNNING, JobState.CANCELLING)
        self.run_button.setEnabled(not busy)
        self.keep_button.setEnabled(not busy)
        self.cancel_button.setEnabled(self._state is JobState.RUNNING)

    def show_result(self, result: PlaneResult) -> None:
        """Show the score, the hottest place and the time it took."""
        value, (row, column) = result.hottest
        detection, (low, high) = result.detection, result.limits
        self._score.setText(
            f"<b>score {detection.score:.3f}</b> &nbsp; hottest {value:.3f} at ({row}, {column}) &nbsp; "
            f"{detection.seconds:.1f}&nbsp;s"
        )
        self.why_button.show()
        source = "set by hand" if result.request.display.range == "manual" else f"from {result.display.source}"
        self._score.setToolTip(
            f"The hottest pixel is given as (row, column) of what was looked at. Colours run from {low:.3f} to "
            f"{high:.3f}, {source}."
        )

    def clear(self) -> None:
        """Show no result."""
        self._score.clear()
        self.why_button.hide()

    def _on_patience(self) -> None:
        self._set_buttons()
        self._show_progress(True)

    def _show_progress(self, shown: bool) -> None:
        self._bar.setVisible(shown)
        self._stage.setVisible(shown)

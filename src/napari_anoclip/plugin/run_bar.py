"""Run and Cancel, how far the run is, and what came of it."""

from __future__ import annotations

import time

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.engine.progress import Progress
from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.run_request import RunResult
from napari_anoclip.plugin.style import muted

WORTH_SAYING = 2.0
"""Seconds left of a stage from which the remaining time is told."""


class RunBar(QWidget):
    """The buttons follow the job's state; Run and Cancel are asked for by signals."""

    run_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_button = QPushButton("▶  Run")
        self.run_button.setToolTip("Score the image (Ctrl+Enter).")
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setToolTip("Stop after the current batch or step (Esc).")
        self.run_button.clicked.connect(self.run_wanted)
        self.cancel_button.clicked.connect(self.cancel_wanted)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._stage = muted(QLabel())
        self._score = QLabel()
        self._score.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(buttons)
        layout.addWidget(self._bar)
        layout.addWidget(self._stage)
        layout.addWidget(self._score)
        self._stage_began = ("", 0.0)
        self.follow(JobState.IDLE)

    @property
    def stage(self) -> str:
        """The stage as it is shown."""
        return self._stage.text()

    @property
    def score(self) -> str:
        """The result as it is shown."""
        return self._score.text()

    def follow(self, state: JobState) -> None:
        """Set the buttons for a state of the job."""
        busy = state in (JobState.RUNNING, JobState.CANCELLING)
        self.run_button.setEnabled(not busy)
        self.cancel_button.setEnabled(state is JobState.RUNNING)
        self._bar.setVisible(busy)
        self._stage.setVisible(busy)
        if state is JobState.RUNNING:
            self._score.clear()
            self._bar.setRange(0, 0)
            self._stage.setText("starting")
        elif state is JobState.CANCELLING:
            self._stage.setText("cancelling after this step")

    def show_progress(self, progress: Progress) -> None:
        """Show the stage, how far it is and how long it will take."""
        stage, began = self._stage_began
        if stage != progress.stage:
            began = time.monotonic()
            self._stage_began = (progress.stage, began)
        self._bar.setRange(0, progress.total if progress.total > 1 else 0)
        self._bar.setValue(progress.done)
        words = [progress.stage]
        if progress.total > 1:
            words.append(f"{progress.done} of {progress.total}")
        if 0 < progress.done < progress.total:
            left = (time.monotonic() - began) * (progress.total - progress.done) / progress.done
            words += [f"{left:.0f} s left"] * (left >= WORTH_SAYING)
        self._stage.setText(" · ".join(words))

    def show_result(self, result: RunResult) -> None:
        """Show the score, the hottest place and the time it took."""
        value, (row, column) = result.hottest
        detection = result.detection
        self._score.setText(
            f"<b>score {detection.score:.3f}</b> &nbsp; hottest {value:.3f} at ({row}, {column}) &nbsp; "
            f"{detection.seconds:.1f} s"
        )
        self._score.setToolTip(
            f"The hottest pixel is given as (row, column) of the image. Colours run from {result.limits[0]:.3f} to "
            f"{result.limits[1]:.3f}, from {result.display.source}."
        )

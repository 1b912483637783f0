"""How far work is, on one line that shows up where the work takes long enough to wonder about it."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_anoclip.engine.progress import Progress
from napari_anoclip.plugin.job import Job, JobState
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.style import muted

WORTH_SHOWING = 300
"""Milliseconds that work takes before its progress is shown: what is over at once must not flicker."""


class ProgressLine(QWidget):
    """A thin bar and the stage in words, hidden while nothing is done.

    Parameters
    ----------
    job : Job
        What is followed.
    what : str
        What a screen reader calls it.
    """

    def __init__(self, job: Job, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setAccessibleName(what)
        self._stage = muted(QLabel())
        self._patience = later(self, self.show, WORTH_SHOWING)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._bar)
        layout.addWidget(self._stage)
        self.hide()
        job.state_changed.connect(self._follow)
        job.progressed.connect(self._on_progress)

    @property
    def stage(self) -> str:
        """The stage as it is told."""
        return self._stage.text()

    def _follow(self, state: JobState) -> None:
        if state is JobState.CANCELLING:
            self._stage.setText("cancelling after this step")
        elif state is not JobState.RUNNING:
            self._patience.stop()
            self.hide()
        elif self.isHidden() and not self._patience.isActive():
            self._bar.setRange(0, 1)
            self._bar.setValue(0)
            self._stage.setText("starting")
            self._patience.start()

    def _on_progress(self, progress: Progress) -> None:
        self._bar.setRange(0, max(1, progress.total))
        self._bar.setValue(progress.done)
        counted = f" · {progress.done} of {progress.total}" if progress.total > 1 else ""
        self._stage.setText(f"{progress.stage}{counted}")

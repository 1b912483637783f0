"""Download of a model: how large, where to, whether, how far, and what to do where there is no network."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.progress import Progress
from napari_anoclip.plugin.job import Job, JobState
from napari_anoclip.plugin.model_files import ask_hub, fetch
from napari_anoclip.plugin.models import PAPER
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.preferences import preferences
from napari_anoclip.plugin.style import breakable, muted

if TYPE_CHECKING:
    from napari_anoclip.engine.download import RemoteModel
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback


@dataclass(frozen=True)
class _Fetched:
    name: str


class ModelDownload(QWidget):
    """A button that asks the hub, its answer with a question, and the download's progress.

    Attributes
    ----------
    downloaded : Signal
        A model is on this machine now, by its name.
    """

    downloaded = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = PAPER
        self._began = 0.0
        self.job = Job()
        self.button = QPushButton()
        self.button.setToolTip("Asks the model hub for its size first. Nothing is fetched before you agree.")
        self.button.clicked.connect(lambda: self.ask(self._name))
        self.notice = Notice()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setAccessibleName("Progress of the download")
        self._stage = muted(QLabel())
        self.cancel_button = QPushButton("Cancel download")
        self.cancel_button.setToolTip("Stop; nothing of the file stays behind.")
        self.cancel_button.clicked.connect(self.job.cancel)
        below = QHBoxLayout()
        below.addWidget(self._stage, 1)
        below.addWidget(self.cancel_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.button, self.notice, self._bar):
            layout.addWidget(widget)
        layout.addLayout(below)
        self.job.state_changed.connect(self._follow)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_answer)
        self.job.failed.connect(self._on_error)
        self.offer(PAPER)
        self._follow(JobState.IDLE)

    @property
    def stage(self) -> str:
        """How far the download is, as it is shown."""
        return self._stage.text()

    def offer(self, name: str) -> None:
        """Let the button be for this model."""
        self._name = name
        self.button.setText("Download the paper's model…" if name == PAPER else "Download this model…")
        self.button.setAccessibleName(f"Download {name}")

    def ask(self, name: str) -> None:
        """Ask the hub how large a model is, and the user whether to fetch it."""
        preferred = preferences()
        if self.job.start(lambda *_: ask_hub(name, preferred)):
            self.notice.clear()
            self._stage.setText("asking the model hub")

    def close_down(self) -> None:
        """Stop what is under way."""
        self.job.close()

    def _fetch(self, name: str) -> None:
        preferred = preferences()

        def work(on_progress: ProgressCallback, cancel: CancelFlag) -> _Fetched:
            fetch(name, preferred, on_progress, cancel)
            return _Fetched(name)

        self._began = time.monotonic()
        if self.job.start(work):
            self.notice.clear()
            self._stage.setText("downloading")

    def _on_answer(self, answer: RemoteModel | _Fetched) -> None:
        if isinstance(answer, _Fetched):
            self.downloaded.emit(answer.name)
            return
        self.notice.say(
            breakable(
                f"{answer.name} is {answer.bytes / 1e6:.0f} MB and goes to {answer.path.parent.parent}. Without a "
                f"network, get {answer.path.name} of {answer.source.rpartition('/')[0]} another way and choose it as a "
                "local file."
            ),
            "Download",
            lambda: self._fetch(answer.name),
        )

    def _on_error(self, error: AnoCLIPError) -> None:
        self.notice.say(breakable(str(error)))

    def _on_progress(self, progress: Progress) -> None:
        if progress.total <= 0:
            return
        thousandths = progress.done * 1000 // progress.total
        self._bar.setRange(0, 1000)
        self._bar.setValue(thousandths)
        words = f"{progress.done / 1e6:.0f} of {progress.total / 1e6:.0f} MB"
        if 0 < progress.done < progress.total:
            left = (time.monotonic() - self._began) * (progress.total - progress.done) / progress.done
            words += f" · {left:.0f} s left"
        self._stage.setText(words)

    def _follow(self, state: JobState) -> None:
        busy = state in (JobState.RUNNING, JobState.CANCELLING)
        self.button.setEnabled(not busy)
        self.cancel_button.setEnabled(state is JobState.RUNNING)
        for widget in (self._bar, self._stage, self.cancel_button):
            widget.setVisible(busy)
        if state is JobState.RUNNING:
            self._bar.setRange(0, 1000)
            self._bar.setValue(0)

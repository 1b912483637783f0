"""Compare two to four states of the dock on the image: kept by a button, scored together, shown three ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.plugin.compare import LETTERS, Snapshot, compare
from napari_anoclip.plugin.compare_view import CompareView
from napari_anoclip.plugin.comparison import Comparison
from napari_anoclip.plugin.job import Job, JobState
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.style import muted

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.engine.progress import Progress
    from napari_anoclip.plugin.models import ModelHolder
    from napari_anoclip.plugin.run_request import PlaneResult, RunRequest

HOW = "Set the dock up one way and keep that as A, then another way and keep that as B."
REMOVED = "The image was removed, so the comparison was closed."
CHANGED = "The image changed, so the comparison was closed. Compare again."
TAKEN_APART = "A layer of the comparison was deleted, so the comparison was closed."


class SnapshotRow(QWidget):
    """A state that was kept: its letter, its title, and a button that drops it."""

    dropped = Signal()

    def __init__(self, snapshot: Snapshot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._request = snapshot.request
        self._letter = QLabel()
        self.title = QLineEdit(snapshot.title)
        self.title.setCursorPosition(0)
        self.drop = QToolButton()
        self.drop.setText("✕")
        self.drop.clicked.connect(self.dropped)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._letter)
        layout.addWidget(self.title, 1)
        layout.addWidget(self.drop)

    @property
    def snapshot(self) -> Snapshot:
        """What was kept, as it is called now."""
        return Snapshot(self.title.text().strip(), self._request)

    def call(self, letter: str) -> None:
        """Give it a letter."""
        self._letter.setText(f"<b>{letter}</b>")
        self.title.setAccessibleName(f"Title of {letter}")
        self.title.setToolTip(f"What {letter} is called in the viewer.")
        self.drop.setAccessibleName(f"Drop {letter}")
        self.drop.setToolTip(f"Drop {letter}; nothing in the dock changes.")


class ComparePanel(QWidget):
    """Keeps states of the dock and compares them.

    Parameters
    ----------
    viewer : ViewerModel
        Where the comparison is shown.
    models : ModelHolder
        Where the models come from.
    current : callable
        Gives the `RunRequest` that the dock stands for now; raises an `AnoCLIPError` where it stands for none.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        models: ModelHolder,
        current: Callable[[], RunRequest],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._models = models
        self._current = current
        self._comparison: Comparison | None = None
        self.rows: list[SnapshotRow] = []
        self._scored: list[Snapshot] = []
        self.job = Job()
        self.job.state_changed.connect(self._follow)
        self.job.progressed.connect(self._on_progress)
        self.job.succeeded.connect(self._on_results)
        self.job.failed.connect(lambda error: self.notice.say(str(error)))
        self._lay_out()
        self._removed = viewer.layers.events.removed
        self._removed.connect(self._on_removed)
        self._follow(self.job.state)

    @property
    def snapshots(self) -> list[Snapshot]:
        """What was kept, A first."""
        return [row.snapshot for row in self.rows]

    def keep_current(self) -> None:
        """Keep the dock's present state under the next letter."""
        try:
            request = self._current()
        except AnoCLIPError as error:
            self.notice.say(str(error))
            return
        self.notice.clear()
        row = SnapshotRow(Snapshot.of(request, self.snapshots))
        row.dropped.connect(lambda: self._drop(row))
        self.rows.append(row)
        self._list.addWidget(row)
        self._follow(self.job.state)

    def compare_now(self) -> None:
        """Score the plane that is shown with everything that was kept."""
        try:
            now = self._current()
        except AnoCLIPError as error:
            self.notice.say(str(error))
            return
        self.close_comparison()
        self.notice.clear()
        snapshots, models = self.snapshots, self._models
        self._scored = snapshots
        self.job.start(lambda channel, cancel: compare(snapshots, now, models, channel, cancel))

    def close_comparison(self) -> None:
        """Take the comparison out of the viewer, which then is as it was."""
        comparison, self._comparison = self._comparison, None
        if comparison is not None:
            comparison.image.events.data.disconnect(self._on_changed)
            comparison.leave()
        self.view.hide()

    def close_down(self) -> None:
        """Stop, and let go of the viewer, before this panel or the viewer goes."""
        self.job.close()
        self._removed.disconnect(self._on_removed)
        self.close_comparison()

    def _lay_out(self) -> None:
        self._how = muted(QLabel(HOW))
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self.keep = QPushButton()
        self.keep.setToolTip("Keep prompts, settings and model as they are set now.")
        self.keep.clicked.connect(self.keep_current)
        self.start = QPushButton("Compare")
        self.start.setAccessibleName("Compare what was kept")
        self.start.setToolTip("Score the plane that is shown with everything that was kept, in one and the same range.")
        self.start.clicked.connect(self.compare_now)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel comparing")
        self.cancel.setToolTip("Stop after the current batch or step.")
        self.cancel.clicked.connect(self.job.cancel)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._stage = muted(QLabel())
        self.notice = Notice()
        self.view = CompareView()
        self.view.changed.connect(self._show)
        self.view.split_moved.connect(self._swipe)
        self.view.left.connect(self.close_comparison)
        self.view.hide()
        buttons = QHBoxLayout()
        for button in (self.keep, self.start, self.cancel):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._how)
        layout.addLayout(self._list)
        layout.addLayout(buttons)
        for widget in (self._bar, self._stage, self.notice, self.view):
            layout.addWidget(widget)

    def _drop(self, row: SnapshotRow) -> None:
        self.rows.remove(row)
        self._list.removeWidget(row)
        row.deleteLater()
        self._follow(self.job.state)

    def _follow(self, state: JobState) -> None:
        """Set the controls for a state of the job and what was kept."""
        busy = state in (JobState.RUNNING, JobState.CANCELLING)
        count = len(self.rows)
        for letter, row in zip(LETTERS, self.rows, strict=False):
            row.call(letter)
        self._how.setVisible(count < 2)
        self.keep.setText(f"Keep as {LETTERS[count]}" if count < len(LETTERS) else f"{len(LETTERS)} kept")
        self.keep.setAccessibleName(self.keep.text())
        self.keep.setEnabled(count < len(LETTERS))
        self.start.setEnabled(count >= 2 and not busy)
        self.cancel.setEnabled(state is JobState.RUNNING)
        self._bar.setVisible(busy)
        self._stage.setVisible(busy)
        if busy:
            self._bar.setRange(0, 1)
            self._bar.setValue(0)
            self._stage.setText("starting" if state is JobState.RUNNING else "cancelling after this step")

    def _on_progress(self, progress: Progress) -> None:
        self._bar.setRange(0, max(1, progress.total))
        self._bar.setValue(progress.done)
        counted = f" · {progress.done} of {progress.total}" if progress.total > 1 else ""
        self._stage.setText(f"{progress.stage}{counted}")

    def _on_results(self, results: list[PlaneResult]) -> None:
        stale = results[0].plane.why_stale(self._viewer.layers)
        if stale is not None:
            self.notice.say(stale)
            return
        titles = [snapshot.title for snapshot in self._scored]
        comparison = Comparison(self._viewer, titles, results)
        comparison.image.events.data.connect(self._on_changed)
        self._comparison = comparison
        self.view.offer(titles, [result.detection.score for result in results])
        self.view.show()
        self._show()

    def _show(self) -> None:
        """Show the comparison in the way that is chosen."""
        comparison, view = self._comparison, self.view
        if comparison is None:
            return
        self._comparison = None  # its layers come and go: what is removed now, nobody took apart
        low, high = comparison.limits
        if view.way == "swipe":
            comparison.swipe(*view.pair, view.split)
        elif view.way == "difference":
            high = comparison.difference(*view.pair)
            low = -high
        else:
            comparison.side_by_side()
        self._comparison = comparison
        view.explain_colours(low, high)

    def _swipe(self, split: float) -> None:
        if self._comparison is not None and self.view.way == "swipe":
            self._comparison.swipe(*self.view.pair, split)

    def _on_removed(self) -> None:
        comparison = self._comparison
        if comparison is None:
            return
        if comparison.image not in self._viewer.layers:
            self._close_because(REMOVED)
        elif not comparison.is_whole():
            self._close_because(TAKEN_APART)

    def _on_changed(self) -> None:
        self._close_because(CHANGED)

    def _close_because(self, sentence: str) -> None:
        self.close_comparison()
        self.notice.say(sentence)

"""A search for better prompts on the judged images, and what to think of its result: "Suggest a prompt set…"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.plugin.exam_request import ExamRequest
from napari_anoclip.plugin.figures_panel import NOTHING_JUDGED
from napari_anoclip.plugin.job import Job, JobState
from napari_anoclip.plugin.judged_images import left_out
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.progress_line import ProgressLine
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted
from napari_anoclip.review.aims import Aim

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.review.suggest import Step, Suggestion

AIMS = {
    Aim.FALSE_REGIONS: "fewer FP regions at equal recall",
    Aim.AUPRO: "higher AUPRO",
    Aim.AP: "higher average precision",
}

_COLUMNS = (
    ("change", "What is switched on or off, or how the object is called, in the order in which it was found."),
    ("after", "The aim's figure after it, on all judged images: those that it was chosen by."),
    ("found", "In how many of the trials, each on a part of the images, the same change was found."),
)
_ROWS_SEEN = 6


class SuggestPanel(QWidget):
    """Starts a search, shows what came of it, and puts that into the workbench if somebody says so.

    Parameters
    ----------
    reviewer : Reviewer
        Whose judged images and whose workbench.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._suggestion: Suggestion | None = None
        self.job = Job()
        self.job.state_changed.connect(self._follow)
        self.job.succeeded.connect(self._on_suggestion)
        self.job.failed.connect(self._on_error)
        self._lay_out()
        self._follow(self.job.state)
        self._show(None)

    @property
    def sentence(self) -> str:
        """What came of the search, as it is shown."""
        return "" if self._sentence.isHidden() else self._sentence.text()

    def suggest(self) -> None:
        """Search; the model is loaded where it is not, for somebody clicked."""
        request = ExamRequest.of(self._reviewer)
        self._show(None)
        self.notice.clear()
        if not request.judged.pairs:
            self.notice.say(left_out(request.judged.missing) or NOTHING_JUDGED)
            return
        aim, models = list(AIMS)[self.aim.currentIndex()], self._reviewer.models
        words = tuple(word.strip() for word in self.words.text().split(",") if word.strip())

        def work(channel: Channel, cancel: CancelFlag) -> tuple[Suggestion, tuple[str, ...]]:
            with models.borrow(request.model, channel, cancel) as model:
                return _search(model, request, aim, words, channel, cancel)

        self.job.start(work)

    def close_down(self) -> None:
        """Stop, before this panel or the viewer goes."""
        self.job.close()
        self._suggestion = None

    def _lay_out(self) -> None:
        self.aim = QComboBox()
        self.aim.addItems(list(AIMS.values()))
        self.aim.setAccessibleName("Aim of the suggestion")
        self.aim.setToolTip("What the suggested prompts are to better, on images that were not searched.")
        self.aim.setMinimumContentsLength(8)  # a long aim is cut, it does not widen the dock
        self.aim.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        ignore_wheel_unless_focused(self.aim)
        self.words = QLineEdit()
        self.words.setPlaceholderText("e.g. hide, upholstery")
        self.words.setAccessibleName("Other words for the object")
        self.words.setToolTip("Words of your own for the object, with commas between; usual synonyms are tried too.")
        self.words.returnPressed.connect(self.suggest)
        self.start, self.cancel = QPushButton("Suggest"), QPushButton("Cancel")
        self.start.setAccessibleName("Suggest a prompt set")
        self.start.setToolTip("Search for a better choice of ticks and of the object's name. Nothing is changed by it.")
        self.start.clicked.connect(self.suggest)
        self.cancel.setAccessibleName("Cancel the search")
        self.cancel.setToolTip("Stop after the current step.")
        self.cancel.clicked.connect(self.job.cancel)
        self.notice = Notice()
        self._sentence, self._left_out = QLabel(), muted(QLabel())
        self._sentence.setWordWrap(True)
        self._sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.table = _StepTable()
        self.take = QPushButton()
        self.take.clicked.connect(self._take)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Aim", self.aim)
        form.addRow("Also called", self.words)
        buttons = QHBoxLayout()
        buttons.addWidget(self.start, 2)
        buttons.addWidget(self.cancel, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addLayout(buttons)
        progress = ProgressLine(self.job, "Progress of the search")
        for widget in (progress, self.notice, self._sentence, self.table, self.take, self._left_out):
            layout.addWidget(widget)
        layout.addStretch()

    def _follow(self, state: JobState) -> None:
        self.start.setEnabled(state not in (JobState.RUNNING, JobState.CANCELLING))
        self.cancel.setEnabled(state is JobState.RUNNING)

    def _on_suggestion(self, found: tuple[Suggestion, tuple[str, ...]]) -> None:
        self._show(*found)

    def _on_error(self, error: AnoCLIPError) -> None:
        self.notice.say(str(error), "Try again", self.suggest)

    def _show(self, suggestion: Suggestion | None, missing: tuple[str, ...] = ()) -> None:
        self._suggestion = suggestion
        self._sentence.setText("" if suggestion is None else suggestion.sentence)
        self._sentence.setVisible(suggestion is not None)
        self._left_out.setText(left_out(missing))
        self._left_out.setVisible(bool(missing))
        self.table.show_steps(() if suggestion is None else suggestion.table)
        self.take.setVisible(suggestion is not None and suggestion.prompts is not None)
        reliable = suggestion is not None and suggestion.reliable
        self.take.setText("Try it" if reliable else "Try it anyway")
        self.take.setAccessibleName(f"{self.take.text()}: put the suggested prompts into the AnoCLIP dock")
        self.take.setFlat(not reliable)
        doubt = "" if reliable else " What it seemed to gain may be chance."
        self.take.setToolTip(f"Put the suggested prompts into the AnoCLIP dock; Undo there takes that back.{doubt}")

    def _take(self) -> None:
        prompts = None if self._suggestion is None else self._suggestion.prompts
        if prompts is not None:
            self._reviewer.desk.controls.document.edit(lambda _: prompts)


class _StepTable(QTableWidget):
    """The changes of a suggestion, as tall as they need up to a bound."""

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self.setAccessibleName("Steps of the suggestion")
        self.setToolTip("The changes, in the order in which they were found.")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        for column, (title, meaning) in enumerate(_COLUMNS):
            item = QTableWidgetItem(title)
            item.setToolTip(meaning)
            self.setHorizontalHeaderItem(column, item)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_steps(self, steps: tuple[Step, ...]) -> None:
        """Show other steps; none hides the table."""
        self.setRowCount(len(steps))
        for row, step in enumerate(steps):
            for column, text in enumerate((step.change, f"{step.value:.3g}", f"{step.folds} times")):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.setItem(row, column, item)
        rows = min(len(steps), _ROWS_SEEN)
        height = self.horizontalHeader().sizeHint().height() + rows * self.verticalHeader().defaultSectionSize()
        self.setFixedHeight(height + 2 * self.frameWidth() + 2)
        self.setVisible(bool(steps))


def _search(
    model: AnoCLIP, request: ExamRequest, aim: Aim, own: tuple[str, ...], channel: Channel, cancel: CancelFlag
) -> tuple[Suggestion, tuple[str, ...]]:
    """The search, and the names of images that do not count; in the worker."""
    from napari_anoclip.review.suggest import suggest
    from napari_anoclip.review.synonyms import synonyms

    asked, broken = request.images.questions(request.judged)
    found = suggest(
        model,
        request.prompts,
        asked,
        aim,
        settings=request.settings,
        threshold=request.threshold_of(model, request.prompts, cancel),
        object_words=(*synonyms(request.prompts.object), *own),
        on_progress=channel,
        cancel=cancel,
    )
    return found, (*request.judged.missing, *broken)

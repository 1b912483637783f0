"""How good the maps are by what was judged, and what the last edit did: "How good is it?" in the review dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_anoclip.engine.words import counted
from napari_anoclip.plugin.exam_request import Answer, ExamRequest
from napari_anoclip.plugin.figure_grid import FIRST, MORE, FigureGrid
from napari_anoclip.plugin.history_view import HistoryView
from napari_anoclip.plugin.judged_images import left_out
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.progress_line import ProgressLine
from napari_anoclip.plugin.style import Section, muted
from napari_anoclip.plugin.upkeep import NO_MODEL, Upkeep
from napari_anoclip.review.metrics import Figure, Figures
from napari_anoclip.review.trials import added, compare

if TYPE_CHECKING:
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.plugin.reviewer import Reviewer

NOTHING_JUDGED = "No image is judged yet. Judge a region, or press G on a good image."

SETTLED = 2000
"""Milliseconds that prompts rest before they are an entry of the history, and what the next edit is compared with."""


class FiguresPanel(QWidget):
    """Figures of merit over the judged images, kept up to date, with the history of prompt sets.

    Parameters
    ----------
    reviewer : Reviewer
        Whose judgements; the history is kept in its session.

    Attributes
    ----------
    compared : Signal
        What the last edit did, in words: "FP regions 14 → 9, recall 31/32"; empty where nothing can be compared.
    """

    compared = Signal(str)

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._open = False
        self._now: tuple[ExamRequest, Answer] | None = None
        self._before: tuple[ExamRequest, Answer] | None = None
        self._upkeep = Upkeep(reviewer, self._ask, self)
        self._upkeep.answered.connect(self._on_answer)
        self._upkeep.failed.connect(self._on_failed)
        self._upkeep.model_missing.connect(self._on_model_missing)
        self._upkeep.nothing.connect(self._on_nothing)
        self._upkeep.watch.changed.connect(self._follow)
        self._settled = later(self, self._note, SETTLED)
        self._summary, self._left_out = muted(QLabel()), muted(QLabel())
        self._sentence = QLabel()
        self._sentence.setWordWrap(True)
        self._sentence.setAccessibleName("What the last edit did")
        self._sentence.setToolTip("Prompts, settings or threshold before the last edit, and now, on the same images.")
        self.notice = Notice()
        self.grid, self.more = FigureGrid(FIRST), FigureGrid(MORE)
        self._more = Section("More figures", self.more)
        self.history = HistoryView()
        self.history.restore_wanted.connect(self._restore)
        self._history = Section("History of prompt sets", self.history)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        progress = ProgressLine(self._upkeep.job, "Progress of the figures")
        for widget in (
            *(self._summary, self.notice, self.grid, self._sentence, progress, self._left_out),
            *(self._more, self._history),
        ):
            layout.addWidget(widget)
        layout.addStretch()
        reviewer.session_changed.connect(self._on_session)
        self._show()

    @property
    def figures(self) -> Figures | None:
        """The figures, where they are still those of what is judged and set; in the GUI thread."""
        if self._now is None or self._upkeep.watch.desk is None:
            return None
        request, answer = self._now
        return answer.figures if ExamRequest.of(self._reviewer).same(request) else None

    @property
    def summary(self) -> str:
        """What the figures rest on, as it is shown."""
        return self._summary.text()

    @property
    def sentence(self) -> str:
        """What the last edit did, as it is shown."""
        return "" if self._sentence.isHidden() else self._sentence.text()

    @property
    def left_out(self) -> str:
        """Which judged images do not count, as it is shown."""
        return "" if self._left_out.isHidden() else self._left_out.text()

    @property
    def busy(self) -> bool:
        """Whether newer figures are on their way."""
        return self._upkeep.busy

    def switch(self, on: bool) -> None:
        """Say whether the panel is looked at; figures are worked out while it is, or while prompts are edited."""
        self._open = on
        self._follow()

    def close_down(self) -> None:
        """Write down what was tried, and stop; before the session is closed."""
        if self._settled.isActive():
            self._settled.stop()
            self._note()
        self._upkeep.close_down()
        self._reviewer.session_changed.disconnect(self._on_session)
        self._now = self._before = None

    def _follow(self) -> None:
        """Prompts that are edited in the workbench need figures too: `compared` is shown beside them."""
        self._upkeep.switch(self._open or self._upkeep.watch.editing)
        self._show_history()

    def _ask(self) -> ExamRequest | None:
        request = ExamRequest.of(self._reviewer)
        if not request.judged.pairs:
            self._show_left_out(request.judged.missing)
            return None
        return request

    def _on_answer(self, request: ExamRequest, answer: Answer) -> None:
        last, self._now = self._now, (request, answer)
        self.notice.clear()
        if last is None or not request.same_images(last[0]):
            self._before = None  # other judgements: what is different is not the maps
        elif not self._settled.isActive():
            self._before = last
        # Else it is still the same edit, key by key: it is compared with what was there before it.
        self._settled.start()
        self._show()
        self.compared.emit(self._comparison)

    def _on_failed(self, sentence: str) -> None:
        self.notice.say(sentence, "Try again", self._upkeep.insist)

    def _on_model_missing(self) -> None:
        self.notice.say(NO_MODEL, "Load it", self._upkeep.insist)

    def _on_nothing(self) -> None:
        self.notice.clear()
        self._now = self._before = None
        self._settled.stop()
        self._show()
        self.compared.emit("")

    def _on_session(self) -> None:
        """Another review: what was known belongs to the one before."""
        self._settled.stop()
        self._now = self._before = None
        self._show()
        self._upkeep.touch()

    def _note(self) -> None:
        """Write the prompt set that is in use down in the history."""
        session = self._reviewer.session
        if session is None or self._now is None:
            return
        request, answer = self._now
        last = session.trials[-1] if session.trials else None
        known = last is not None and (last.prompts.digest, last.figures) == (request.prompts.digest, answer.figures)
        if not known and _tells(answer.figures):
            session.trials = added(session.trials, request.prompts, answer.figures)
        self._show_history()

    def _restore(self, prompts: PromptSet) -> None:
        self._reviewer.desk.controls.document.edit(lambda _: prompts)

    @property
    def _comparison(self) -> str:
        if self._now is None or self._before is None:
            return ""
        return compare(self._before[1].figures, self._now[1].figures)

    def _show(self) -> None:
        now, before = self._now, self._before
        for widget in (self.grid, self._more):
            widget.setVisible(now is not None)
        sentence = self._comparison
        self._sentence.setText(f"Last edit: {sentence}")
        self._sentence.setVisible(bool(sentence))
        self._show_history()
        if now is None:
            judged = any(image.judged for image in self._reviewer.review.images.values())
            self._summary.setText("" if judged else NOTHING_JUDGED)
            self._summary.setVisible(not judged)
            return
        request, answer = now
        figures = answer.figures
        images = counted(figures.images, "image")
        self._summary.setText(f"{images} judged, {figures.complete} as a whole · threshold {figures.threshold:.3f}")
        self._summary.show()
        earlier = None if before is None else before[1].figures
        self.grid.show_figures(figures, earlier)
        self.more.show_figures(figures, earlier)
        self._show_left_out((*request.judged.missing, *answer.broken))

    def _show_left_out(self, names: tuple[str, ...]) -> None:
        self._left_out.setText(left_out(names))
        self._left_out.setVisible(bool(names))

    def _show_history(self) -> None:
        session = self._reviewer.session
        desk = self._upkeep.watch.desk
        digest = "" if desk is None else desk.controls.document.value.digest
        self.history.show_trials(None if session is None else session.trials, digest)


def _tells(figures: Figures) -> bool:
    """Whether there is any number among the figures."""
    told = (getattr(figures, name) for name in Figures.model_fields)
    return any(isinstance(figure, Figure) and figure.value is not None for figure in told)

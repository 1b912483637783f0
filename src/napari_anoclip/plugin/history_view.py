"""The prompt sets that were tried, with their figures; each can be had back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.plugin.figure_grid import FIRST
from napari_anoclip.plugin.style import muted
from napari_anoclip.plugin.trial_plot import TrialPlot

if TYPE_CHECKING:
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.review.trials import Trial

NONE_YET = "Each prompt set that you try is kept here with its figures."
NO_SESSION = "Prompt sets that you try are kept with a session. Open one, or begin one by judging an image of a file."

_SEEN = 4
"""Rows before the list scrolls."""


class HistoryView(QWidget):
    """A plot, a list, and a button that brings a prompt set back.

    Attributes
    ----------
    restore_wanted : Signal
        With the `PromptSet`.
    """

    restore_wanted = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trials: tuple[Trial, ...] = ()
        self._digest = ""
        self._note = muted(QLabel(NO_SESSION))
        self.plot = TrialPlot()
        self.list = QListWidget()
        self.list.setAccessibleName("Prompt sets that were tried")
        self.list.setToolTip("The newest first, with the figures of its maps.")
        self.list.setWordWrap(True)
        self.restore = QPushButton()
        self.restore.setToolTip("Put this prompt set into the AnoCLIP dock. Undo there takes that back.")
        self.list.currentRowChanged.connect(self._follow)
        self.list.itemActivated.connect(self._restore)  # Enter, or a double click
        self.restore.clicked.connect(self._restore)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self._note, self.plot, self.list, self.restore):
            layout.addWidget(widget)
        self.show_trials(None, "")

    @property
    def note(self) -> str:
        """What is said where there is no prompt set to show."""
        return "" if self._note.isHidden() else self._note.text()

    def show_trials(self, trials: Sequence[Trial] | None, now: str) -> None:
        """Show a history.

        Parameters
        ----------
        trials : sequence of Trial or None
            The oldest first; None where none is kept.
        now : str
            Digest of the prompt set that is in use.
        """
        trials = None if trials is None else tuple(trials)
        self._digest = now
        if self._trials != (trials or ()):
            self._trials = trials or ()
            self._fill()
        self._note.setText(NO_SESSION if trials is None else NONE_YET)
        self._note.setVisible(not self._trials)
        for widget in (self.list, self.restore):
            widget.setVisible(bool(self._trials))
        self.plot.setVisible(len(self._trials) > 1)
        self._follow()

    def _fill(self) -> None:
        chosen = self._chosen
        with QSignalBlocker(self.list):
            self.list.clear()
            for number, trial in reversed(list(enumerate(self._trials, start=1))):
                told = ((row, row.number(getattr(trial.figures, row.field))) for row in FIRST)
                figures = " · ".join(f"{'FP' if row.falls else row.title} {value}" for row, value in told if value)
                words = trial.words or trial.prompts.title or trial.prompts.name
                item = QListWidgetItem(f"{number}   {figures or 'too few judged'}\n{words}")
                item.setToolTip(f"{trial.at.astimezone():%Y-%m-%d %H:%M}, {trial.images} judged images. {words}")
                self.list.addItem(item)
            places = [place for place, trial in enumerate(self._trials) if trial is chosen]
            if places:
                self.list.setCurrentRow(len(self._trials) - 1 - places[0])
        height = max(self.list.sizeHintForRow(0), 2 * self.fontMetrics().height())
        rows = min(_SEEN, max(1, self.list.count()))
        self.list.setFixedHeight(rows * height + 2 * self.list.frameWidth() + 2)
        self.plot.show_trials(self._trials)

    @property
    def _chosen(self) -> Trial | None:
        row = self.list.currentRow()
        return self._trials[len(self._trials) - 1 - row] if 0 <= row < len(self._trials) else None

    def _follow(self) -> None:
        """Offer what is chosen, unless it is in use."""
        chosen = self._chosen
        number = 0 if chosen is None else len(self._trials) - self.list.currentRow()
        self.restore.setText("Restore" if chosen is None else f"Restore prompt set {number}")
        self.restore.setAccessibleName(self.restore.text())
        self.restore.setEnabled(chosen is not None and chosen.prompts.digest != self._digest)

    def _restore(self) -> None:
        chosen = self._chosen
        if chosen is not None and self.restore.isEnabled():
            prompts: PromptSet = chosen.prompts
            self.restore_wanted.emit(prompts)

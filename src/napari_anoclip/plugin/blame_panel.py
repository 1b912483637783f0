"""Which prompts make a region hot, and what switching one off would do: "Which prompt is to blame?" in the review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QRadioButton, QVBoxLayout, QWidget

from napari_anoclip.engine.words import counted
from napari_anoclip.plugin.blame_request import BlameRequest, WhatIf
from napari_anoclip.plugin.figure_grid import in_brief
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.progress_line import ProgressLine
from napari_anoclip.plugin.share_bars import Bar, BarList
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted
from napari_anoclip.plugin.upkeep import NO_MODEL, Upkeep
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.exam_request import Answer
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.review.blame import Blame, Effect

GUILTIEST = 8
"""Rows that are shown at most."""

NO_REGION = "No region is chosen. Press N to go to the next one."
NO_FALSE = "No region is judged false yet. Press F on one that is no defect."
NOBODY = "Nothing stands out: leaving out any one of them makes this no cooler."


class BlamePanel(QWidget):
    """Effects of prompts and of what they are made from, the guiltiest first; one click to try, one to switch off.

    Parameters
    ----------
    reviewer : Reviewer
        Whose regions and whose workbench.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._found: tuple[BlameRequest, Blame] | None = None
        self._chosen: Effect | None = None
        self._upkeep = Upkeep(reviewer, self._ask, self)
        self._upkeep.answered.connect(self._on_blame)
        self._upkeep.failed.connect(lambda sentence: self.notice.say(sentence, "Try again", self._upkeep.insist))
        self._upkeep.model_missing.connect(self._on_model_missing)
        self._upkeep.nothing.connect(self._on_nothing)
        self.what_if = Job()
        self.what_if.succeeded.connect(self._on_figures)
        self.what_if.failed.connect(lambda error: self._show_switch(str(error)))
        reviewer.current_changed.connect(self._upkeep.touch)
        self._lay_out()
        self._show()

    @property
    def said(self) -> str:
        """What is asked about, or why nothing is, as it is shown."""
        return self._said.text()

    @property
    def busy(self) -> bool:
        """Whether something newer is on its way."""
        return self._upkeep.busy or self.what_if.busy

    def switch(self, on: bool) -> None:
        """Say whether the panel is looked at: blame is shared out while it is."""
        self._upkeep.switch(on)

    def close_down(self) -> None:
        """Stop, before this panel or the viewer goes."""
        self._reviewer.current_changed.disconnect(self._upkeep.touch)
        self._upkeep.close_down()
        self.what_if.close()
        self._found = self._chosen = None

    def _lay_out(self) -> None:
        self.of_region, self.of_all = QRadioButton("this region"), QRadioButton("all false positives")
        self.of_region.setToolTip("What makes the current region hot, whatever its verdict.")
        self.of_all.setToolTip("What makes all regions hot that were judged false, in all images, by their areas.")
        self.of_region.setChecked(True)
        self.of_region.toggled.connect(self._on_other)
        self.by = QComboBox()
        self.by.addItems(["states, frames, domains", "single prompts"])
        self.by.setAccessibleName("What is blamed")
        self.by.setToolTip("Blame the parts that prompts are made of, or prompts one by one.")
        ignore_wheel_unless_focused(self.by)
        self.by.currentIndexChanged.connect(self._on_by)
        self._said = muted(QLabel())
        self.notice = Notice()
        self.bars = BarList(
            "Prompts to blame", "What makes it hot, the guiltiest first. A click or Enter tries it off.", signed=False
        )
        self.bars.chosen.connect(self._choose)
        self.off = QPushButton()
        self.off.clicked.connect(self._switch_off)
        which = QHBoxLayout()
        which.addWidget(self.of_region)
        which.addWidget(self.of_all)
        which.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(which)
        progress = ProgressLine(self._upkeep.job, "Progress of sharing out the blame")
        for widget in (self.by, self._said, self.notice, self.bars, progress, self.off):
            layout.addWidget(widget)
        layout.addStretch()

    def _ask(self) -> BlameRequest | None:
        return BlameRequest.of(self._reviewer, self.of_all.isChecked())

    def _on_other(self) -> None:
        self._found = self._chosen = None
        self._show()
        self._upkeep.touch()

    def _on_by(self) -> None:
        self._chosen = None
        self._show()

    def _on_blame(self, request: BlameRequest, blame: Blame | None) -> None:
        self.notice.clear()
        self._found = None if blame is None else (request, blame)
        self._show()
        if self._chosen is not None:
            self._try()

    def _on_model_missing(self) -> None:
        self._found = None
        self._show()
        self.notice.say(NO_MODEL, "Load it", self._upkeep.insist)

    def _on_nothing(self) -> None:
        self._found = None
        self.notice.clear()
        self._show()

    def _show(self) -> None:
        """Show what is known, with the same row chosen as before where it is still there."""
        effects = self._effects
        chosen, self._chosen = self._chosen, None
        self.bars.show_bars(_bars(effects))
        for row, effect in enumerate(effects):
            if chosen is not None and (effect.kind, effect.text) == (chosen.kind, chosen.text):
                self.bars.setCurrentRow(row)
                self._chosen = effect
        self.bars.setVisible(bool(effects))
        self._said.setText(self._words(bool(effects)))
        self._show_switch()

    @property
    def _effects(self) -> list[Effect]:
        if self._found is None:
            return []
        blame = self._found[1]
        effects = blame.entries if self.by.currentIndex() == 0 else blame.prompts
        return [effect for effect in effects if effect.probability < 0][:GUILTIEST]

    def _words(self, any_guilty: bool) -> str:
        if self._found is None:
            if self.of_all.isChecked():
                review = self._reviewer.review
                told = any(image.with_verdict(Verdict.FALSE) for image in review.images.values())
                return "" if told else NO_FALSE
            return "" if self._reviewer.current is not None else self._reviewer.problem or NO_REGION
        request, blame = self._found
        if request.region is not None:
            what = f"Region {request.region.id}"
        else:
            count = sum(len(image.with_verdict(Verdict.FALSE)) for image in request.accused.images)
            what = counted(count, "false positive")
        mean = f"{what}: mean probability {blame.probability:.3f}."
        return f"{mean} This is how much each adds to it." if any_guilty else f"{mean} {NOBODY}"

    def _choose(self, effect: Effect) -> None:
        self._chosen = effect
        self._try()

    def _try(self) -> None:
        """Find out what would come of switching it off."""
        found, effect = self._found, self._chosen
        if found is None or effect is None:
            return
        exam = found[0].exam
        if not exam.judged.pairs:
            self._show_switch()
            return
        what_if, models = WhatIf(exam, effect), self._reviewer.models

        def work(channel: Channel, cancel: CancelFlag) -> tuple[Effect, Answer]:
            with models.borrow(exam.model, channel, cancel) as model:
                return effect, what_if.answer(model, channel, cancel)

        self._show_switch("trying …")
        self.what_if.start(work, newest=True)

    def _on_figures(self, found: tuple[Effect, Answer]) -> None:
        effect, answer = found
        if effect is self._chosen:
            self._show_switch(in_brief(answer.figures))

    def _show_switch(self, consequence: str = "") -> None:
        """Offer to switch off what is chosen."""
        effect = self._chosen
        self.off.setVisible(effect is not None)
        if effect is None:
            return
        self.off.setText(f"Switch off → {consequence}" if consequence else "Switch off")
        self.off.setAccessibleName(self.off.text())
        self.off.setToolTip(
            f"Switch {effect.kind} “{effect.text}” off in the AnoCLIP dock. Undo there takes that back."
        )

    def _switch_off(self) -> None:
        found, effect = self._found, self._chosen
        document = self._reviewer.desk.controls.document
        if found is not None and effect is not None and document.value == found[0].exam.prompts:
            self._chosen = None
            self._show_switch()
            document.edit(effect.left_out)


def _signed(effect: float) -> str:
    """Three decimals where they tell something; one prompt of hundreds may do less."""
    return f"{effect:+.3f}" if abs(effect) >= 0.001 else f"{effect:+.0e}".replace("e-0", "e-")


def _bars(effects: Sequence[Effect]) -> list[Bar]:
    longest = max((-effect.probability for effect in effects), default=1.0)
    return [
        Bar(
            effect.text,
            _signed(-effect.probability),
            -effect.probability / longest,
            effect,
            f"{effect.kind} “{effect.text}”, in {effect.prompts} prompt{'s' * (effect.prompts != 1)}: the mean "
            f"probability would be {-effect.probability:.2g} lower without, the logit {-effect.logit:.2g}.",
        )
        for effect in effects
    ]

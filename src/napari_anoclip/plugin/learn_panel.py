"""What was judged lowers the score of what looks like it: "Learn from false positives" in the review dock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.compat import isalive
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget

from napari_anoclip.engine.settings import ReferenceSettings
from napari_anoclip.plugin.exam_request import ExamRequest
from napari_anoclip.plugin.judged_images import left_out
from napari_anoclip.plugin.live import Live
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.progress_line import ProgressLine
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted
from napari_anoclip.plugin.upkeep import NO_MODEL, Upkeep

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.engine.reference_memory import ReferenceMemory
    from napari_anoclip.plugin.controls import Controls
    from napari_anoclip.plugin.reviewer import Reviewer

HOW = "Patches like those judged false, or in good images, score lower. Patches of defects speak against it."
NOTHING = "no patches yet: judge regions false, or images good"

_STEPS = 100


@dataclass(frozen=True)
class Gathered:
    """What was learnt, and the names of judged images that could not be read for it."""

    memory: ReferenceMemory | None
    broken: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class GatherRequest:
    """The judged images, to be made a memory of."""

    exam: ExamRequest

    @property
    def model(self) -> ModelChoice:
        """Whose patches."""
        return self.exam.model

    def same(self, other: object) -> bool:
        """Whether the answer to both is the same: prompts and scoring do not matter."""
        return (
            isinstance(other, GatherRequest)
            and self.exam.same_images(other.exam)
            and self._settings == other._settings
            and self.model == other.model
        )

    def answer(self, model: AnoCLIP, on_progress: ProgressCallback, cancel: CancelFlag) -> Gathered:
        """Gather; in a worker that has borrowed the model."""
        from napari_anoclip.review.references import gather

        asked, broken = self.exam.images.questions(self.exam.judged)
        return Gathered(gather(model, asked, self.exam.settings, on_progress=on_progress, cancel=cancel), broken)

    @property
    def _settings(self) -> tuple[object, ...]:
        settings = self.exam.settings
        return settings.tiling, settings.vv_blocks, settings.references.size


class LearnPanel(QWidget):
    """On or off, how far, and what is kept. Both are of the workbench, and of the session where there is one.

    Parameters
    ----------
    reviewer : Reviewer
        Whose judgements are learnt from, and whose workbench learns.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._open = False
        self._by_hand = False
        self._controls: Controls | None = None
        self._upkeep = Upkeep(reviewer, self._ask, self)
        self._upkeep.answered.connect(self._on_gathered)
        self._upkeep.failed.connect(lambda sentence: self.notice.say(sentence, "Try again", self._upkeep.insist))
        self._upkeep.model_missing.connect(self._on_model_missing)
        self._upkeep.nothing.connect(lambda: self._keep(None))
        self._upkeep.watch.changed.connect(self._on_desk)
        self._writing = Live(self)
        self._writing.due.connect(self._write)
        self._lay_out()
        reviewer.session_changed.connect(self._on_session)
        self._on_desk()
        if reviewer.session is not None:
            self._on_session()

    @property
    def kept(self) -> str:
        """How many patches are kept, as it is shown."""
        return self._kept.text()

    @property
    def busy(self) -> bool:
        """Whether patches are being gathered."""
        return self._upkeep.busy

    def switch(self, on: bool) -> None:
        """Say whether the panel is looked at: patches are gathered while it is, and while they are used."""
        self._open = on
        self._show()

    def close_down(self) -> None:
        """Write down what is set, and stop; before the session is closed."""
        if self._writing.waiting:
            self._write()
        self._writing.forget()
        self._upkeep.close_down()
        self._reviewer.session_changed.disconnect(self._on_session)
        if self._controls is not None and isalive(self._controls):
            self._controls.references_changed.disconnect(self._on_references)
            self._controls.model.changed.disconnect(self._on_model)
        self._controls = None

    def _lay_out(self) -> None:
        self.on = QCheckBox("Learn")
        self.on.setAccessibleName("Learn from false positives")
        self.on.setToolTip(ReferenceSettings.model_fields["enabled"].description)
        self.on.clicked.connect(self._on_clicked)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, _STEPS)
        self.strength.setPageStep(_STEPS // 10)
        self.strength.setAccessibleName("Strength of what was learnt")
        self.strength.setToolTip(ReferenceSettings.model_fields["strength"].description)
        self.strength.setMinimumWidth(80)
        ignore_wheel_unless_focused(self.strength)
        self.strength.valueChanged.connect(self._on_strength)
        self._number = QLabel()
        self._how, self._kept, self._left_out = muted(QLabel(HOW)), QLabel(), muted(QLabel())
        self._kept.setWordWrap(True)
        self._kept.setAccessibleName("Patches that are kept")
        self._kept.setToolTip("They are spread over all that was judged, so that few stand for many.")
        self.notice = Notice()
        label = QLabel("strength")
        label.setBuddy(self.strength)
        row = QHBoxLayout()
        for widget, stretch in ((self.on, 0), (label, 0), (self.strength, 1), (self._number, 0)):
            row.addWidget(widget, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        progress = ProgressLine(self._upkeep.job, "Progress of learning")
        for shown in (self._kept, self.notice, progress, self._left_out, self._how):
            layout.addWidget(shown)
        layout.addStretch()

    def _ask(self) -> GatherRequest | None:
        exam = ExamRequest.of(self._reviewer)
        self._show_left_out(exam.judged.missing)
        return GatherRequest(exam) if exam.judged.pairs else None

    def _on_clicked(self, on: bool) -> None:
        self._set({"enabled": on})
        if on:
            self._upkeep.insist()  # a click may load the model

    def _on_strength(self, step: int) -> None:
        self._set({"strength": step / _STEPS})

    def _set(self, change: dict[str, object]) -> None:
        """Set it in the workbench, as the user said."""
        self._by_hand = self._reviewer.session is None
        controls = self._workbench
        controls.references = controls.references.model_copy(update=change)
        self._show()

    @property
    def _workbench(self) -> Controls:
        """Controls of the workbench, which is opened if it is not."""
        self._upkeep.watch.follow()
        self._on_desk()
        assert self._controls is not None
        return self._controls

    def _on_desk(self) -> None:
        """Listen to the workbench that is open now, for its settings can be restored from a result."""
        desk = self._upkeep.watch.desk
        if desk is None or desk.controls is self._controls:
            return
        before, self._controls = self._controls, desk.controls
        if before is not None:  # that workbench was closed: what was learnt is not learnt again
            self._controls.memory = before.memory
        if before is not None and self._reviewer.session is not None:
            self._controls.references = self._reviewer.session.settings.references
        self._controls.references_changed.connect(self._on_references)
        self._controls.model.changed.connect(self._on_model)
        self._show()

    def _on_references(self) -> None:
        self._show()
        self._writing.touch()  # not for each step of the slider

    def _on_model(self) -> None:
        """Patches of one model say nothing to another one."""
        self._keep(None)

    def _on_session(self) -> None:
        """Set what the session says; what was set by hand before there was one goes into it."""
        session = self._reviewer.session
        if session is None:
            return
        if self._by_hand and session.settings.references == ReferenceSettings():
            self._write()
        elif self._controls is not None:
            self._controls.references = session.settings.references
        self._by_hand = False
        self._show()
        self._upkeep.touch()

    def _write(self) -> None:
        """Keep it with the session."""
        session, controls = self._reviewer.session, self._controls
        if session is not None and controls is not None:
            session.settings = session.settings.model_copy(update={"references": controls.references})

    def _on_gathered(self, request: GatherRequest, gathered: Gathered) -> None:
        self.notice.clear()
        self._keep(gathered.memory)
        self._show_left_out((*request.exam.judged.missing, *gathered.broken))

    def _on_model_missing(self) -> None:
        self.notice.say(NO_MODEL, "Load it", self._upkeep.insist)

    def _keep(self, memory: ReferenceMemory | None) -> None:
        """Give the workbench what was learnt, if it is anything new."""
        if self._controls is not None and memory != self._controls.memory:
            self._controls.memory = memory
        self._show()

    def _show(self) -> None:
        """Bring the controls to what the workbench says."""
        controls = self._controls
        if controls is None:
            return
        references = controls.references
        with QSignalBlocker(self.on), QSignalBlocker(self.strength):
            self.on.setChecked(references.enabled)
            self.strength.setValue(round(references.strength * _STEPS))
        self._number.setText(f"{references.strength:.2f}")
        self._kept.setText(_counted(controls.memory))
        self._upkeep.switch(self._open or references.enabled)

    def _show_left_out(self, names: tuple[str, ...]) -> None:
        self._left_out.setText(left_out(names))
        self._left_out.setVisible(bool(names))


def _counted(memory: ReferenceMemory | None) -> str:
    if memory is None:
        return NOTHING
    total, defect = sum(memory.counts), memory.counts[1]
    return f"{total} patch{'es' * (total != 1)} kept, {defect} of defects"

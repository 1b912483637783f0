"""An answer that is kept up to date: asked for anew, in a worker, once what it rests on has changed and is quiet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.desk_watch import DeskWatch
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.live import Live
from napari_anoclip.plugin.models import ModelChoice

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.reviewer import Reviewer

NO_MODEL = "The model is not in memory. Load it here, or press Run in the AnoCLIP dock."


class Asked(Protocol):
    """What is asked: plain values."""

    @property
    def model(self) -> ModelChoice:
        """Whom it is put to."""

    def same(self, other: object) -> bool:
        """Whether the answer to both is the same."""

    def answer(self, model: AnoCLIP, on_progress: Channel, cancel: CancelFlag) -> Any:
        """Answer it; in a worker that has borrowed the model."""


class Upkeep(QObject):
    """Asks again whenever the answer may be another, while it is switched on; the newest counts.

    A model that is not in memory is not loaded by itself: `model_missing` says that somebody has to `insist`.

    Parameters
    ----------
    reviewer : Reviewer
        Changes of its review and of its workbench are heard of.
    ask : callable
        Gives what is to be asked now; None where there is nothing to ask.

    Attributes
    ----------
    job : Job
        The work.
    watch : DeskWatch
        What changes are heard by, switched on or not.
    """

    answered = Signal(object, object)
    """(what was asked, answer) The newest."""
    failed = Signal(str)
    """A sentence; the same is not asked again by itself."""
    model_missing = Signal()
    """There is something to ask, and no model in memory to put it to."""
    nothing = Signal()
    """There is nothing to ask."""

    def __init__(self, reviewer: Reviewer, ask: Callable[[], Asked | None], parent: QObject) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._make = ask
        self._on = False
        self._asked: Asked | None = None
        self._quiet = Live(self)
        self._quiet.due.connect(self._ask)
        self.watch = DeskWatch(reviewer, self)
        self.watch.changed.connect(self.touch)
        self.job = Job()
        self.job.succeeded.connect(self._on_answer)
        self.job.failed.connect(self._on_error)
        self.job.cancelled.connect(self._on_cancelled)

    @property
    def on(self) -> bool:
        """Whether it is switched on."""
        return self._on

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return self._on and (self._quiet.waiting or self.job.busy)

    def switch(self, on: bool) -> None:
        """Keep the answer up to date from now on, or no longer."""
        if on == self._on:
            return
        self._on = on
        if on:
            self.touch()
        else:
            self._rest()

    def touch(self) -> None:
        """Note that something may have changed."""
        if self._on:
            self._quiet.touch()

    def insist(self) -> None:
        """Ask now, and load the model for it: somebody clicked. What failed is tried again."""
        self._asked = None
        self._ask(load=True)

    def close_down(self) -> None:
        """Stop, and hear of nothing any more."""
        self._on = False
        self._quiet.forget()
        self.watch.close_down()
        self.job.close()
        self._asked = None

    def _rest(self) -> None:
        """Let go of what is under way."""
        self._quiet.forget()
        self._asked = None
        self.job.cancel()

    def _ask(self, load: bool = False) -> None:
        if load:
            self.watch.follow()
        elif self.watch.desk is None:  # it was closed by somebody who does not want it back
            self._rest()
            self.model_missing.emit()
            return
        asked = self._make()
        if asked is None:
            self._rest()
            self.nothing.emit()
            return
        if self._asked is not None and asked.same(self._asked):
            return
        models = self._reviewer.models
        if not load and models.loaded(asked.model) is None:
            self._rest()
            self.model_missing.emit()
            return
        self._quiet.forget()
        self._asked = asked

        def work(channel: Channel, cancel: CancelFlag) -> tuple[Asked, Any]:
            with models.borrow(asked.model, channel, cancel) as model:
                return asked, asked.answer(model, channel, cancel)

        self.job.start(work, newest=True)

    def _on_answer(self, found: tuple[Asked, Any]) -> None:
        if found[0] is self._asked:
            self.answered.emit(*found)

    def _on_error(self, error: AnoCLIPError) -> None:
        self.failed.emit(str(error))

    def _on_cancelled(self) -> None:
        if not self.job.busy:
            self._asked = None

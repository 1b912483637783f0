"""The maps under review as another prompt set would have them: where the two differ, a judgement tells most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.reading import read_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.dock import AnoCLIPDock
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.review_subject import Position, Subject
    from napari_anoclip.review.session import Session

_FALLBACKS = ("paper-texture", "short")
"""Presets to compare with where the session has no other prompt set: the second one where the first is in use."""


class Disagreement(QObject):
    """Scores the planes under review with another prompt set, from kept tokens where there are any."""

    known = Signal()
    """`maps` are there."""
    said = Signal(str, str, object)
    """A sentence, with the label of a button and what it does where one helps."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.maps: dict[Position, NDArray[np.float32]] | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_scored)
        self.job.failed.connect(lambda error: self.said.emit(str(error), "", None))

    def compute(self, dock: AnoCLIPDock, subject: Subject | None, session: Session | None) -> None:
        """Score what is under review with the last prompt set of the history that is another one, or with a preset."""
        if subject is None or subject.result is None:
            return
        prompts = other_prompts(dock.controls.document.value, session)
        settings, choice, models = dock.settings, dock.controls.model.choice, dock.models
        planes = {position: subject.plane_at(position) for position in subject.positions}

        def work(channel: Channel, cancel: CancelFlag) -> dict[Position, NDArray[np.float32]]:
            report = Reporter(channel, cancel)
            maps = {}
            with models.borrow(choice, channel, cancel) as model:
                for done, (position, plane) in enumerate(planes.items()):
                    report("scoring with other prompts", done, len(planes))
                    found = model.detect(read_source(plane), prompts, settings, block=plane.block, cancel=cancel)
                    maps[position] = found.map
            return maps

        self.job.start(work, newest=True)

    def forget(self) -> None:
        """Another image comes."""
        self.job.cancel()
        self.maps = None

    def close_down(self) -> None:
        """Stop."""
        self.job.close()

    def _on_scored(self, maps: dict[Position, NDArray[np.float32]]) -> None:
        self.maps = maps
        self.known.emit()


def other_prompts(prompts: PromptSet, session: Session | None) -> PromptSet:
    """The prompt set that the present one is compared with."""
    for trial in reversed(session.trials if session is not None else ()):
        if trial.prompts.digest != prompts.digest:
            return trial.prompts
    presets = (PromptSet.preset(name, prompts.object) for name in _FALLBACKS)
    return next(other for other in presets if other.digest != prompts.digest)

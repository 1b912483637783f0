"""How the engine tells how far it is and learns that it should stop, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from napari_anoclip.engine.errors import Cancelled


@dataclass(frozen=True)
class Progress:
    """One step of the work.

    Attributes
    ----------
    stage : str
        What is being done, in words: "encoding image", "adapting", ...
    done, total : int
        Steps of this stage finished, and steps in all.
    """

    stage: str
    done: int
    total: int


class CancelFlag(Protocol):
    """Anything that can be asked whether to stop, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the work should stop."""
        ...


ProgressCallback = Callable[[Progress], None]


class Reporter:
    """Progress callback and cancel flag in one, so that no stage has to test either for None.

    Parameters
    ----------
    on_progress : callable, optional
        Called with a `Progress` after every step, in the caller's own thread.
    cancel : CancelFlag, optional
        Polled before and after every step.
    """

    def __init__(self, on_progress: ProgressCallback | None = None, cancel: CancelFlag | None = None) -> None:
        self._on_progress = on_progress
        self._cancel = cancel

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report one step.

        Raises
        ------
        Cancelled
            If the cancel flag is set.
        """
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("The run was cancelled.")
        if self._on_progress is not None:
            self._on_progress(Progress(stage, done, total))

"""One run at a time, off the GUI thread.

Who may touch what:

- The work runs in a plain `threading.Thread`. It gets a progress callback and a cancel flag, and touches nothing of Qt
  or napari beyond them.
- The callback only emits a signal of the `Job`, which lives in the GUI thread: Qt queues it, and every slot (state,
  progress, result) runs in the GUI thread.
- The thread holds the `Job`, never a widget. When the dock goes away it calls `close`: the flag is set, the thread
  joined, and whatever is still queued is dropped.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, Signal

from napari_anoclip.engine.errors import AnoCLIPError, Cancelled
from napari_anoclip.engine.progress import CancelFlag, Progress, ProgressCallback

_log = logging.getLogger(__name__)

Work = Callable[[ProgressCallback, CancelFlag], Any]
"""The work of a run: called in the worker thread as ``work(on_progress, cancel)``."""

UNEXPECTED = "Something went wrong that AnoCLIP did not foresee ({kind}). The log has the details; you can run again."


class JobState(enum.Enum):
    """What the job is doing; the buttons follow it."""

    IDLE = "idle"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FAILED = "failed"


class Job(QObject):
    """Runs one piece of work at a time in a thread and tells the GUI thread what becomes of it."""

    state_changed = Signal(JobState)
    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    _reported = Signal(int, object)
    _ended = Signal(int, object, object)

    def __init__(self) -> None:
        super().__init__()
        self._state = JobState.IDLE
        self._run = 0
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported.connect(self._on_reported, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def state(self) -> JobState:
        """What the job is doing now."""
        return self._state

    @property
    def busy(self) -> bool:
        """Whether work is under way, cancelled or not."""
        return self._state in (JobState.RUNNING, JobState.CANCELLING)

    def start(self, work: Work) -> bool:
        """Start work in a thread; False, and nothing happens, if some is under way."""
        if self.busy:
            return False
        self._run += 1
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(self._run, work, self._cancel), name="anoclip-run")
        self._set_state(JobState.RUNNING)
        self._thread.start()
        return True

    def cancel(self) -> None:
        """Ask the work to stop; it does so after its current batch or step."""
        if self._state is JobState.RUNNING:
            self._cancel.set()
            self._set_state(JobState.CANCELLING)

    def close(self, timeout: float = 10.0) -> None:
        """Cancel, wait for the thread (seconds) and drop what it may still have to say.

        A thread that outlives the wait ends by itself at its next look at the flag.
        """
        self._run += 1
        self._cancel.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None
        self._state = JobState.IDLE

    def _work(self, run: int, work: Work, cancel: threading.Event) -> None:
        """Body of the thread."""

        def report(progress: Progress) -> None:
            self._reported.emit(run, progress)

        result, error = None, None
        try:
            result = work(report, cancel)
        except AnoCLIPError as expected:
            error = expected
        except Exception as unexpected:
            _log.exception("a run failed")
            error = AnoCLIPError(UNEXPECTED.format(kind=type(unexpected).__name__))
        self._ended.emit(run, result, error)

    def _on_reported(self, run: int, progress: Progress) -> None:
        if run == self._run:
            self.progressed.emit(progress)

    def _on_ended(self, run: int, result: Any, error: AnoCLIPError | None) -> None:
        if run != self._run:
            return
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        # A result that arrives after Cancel was pressed is not shown: the user said no.
        if isinstance(error, Cancelled) or (error is None and self._state is JobState.CANCELLING):
            self._set_state(JobState.IDLE)
            self.cancelled.emit()
        elif error is not None:
            self._set_state(JobState.FAILED)
            self.failed.emit(error)
        else:
            self._set_state(JobState.IDLE)
            self.succeeded.emit(result)

    def _set_state(self, state: JobState) -> None:
        self._state = state
        self.state_changed.emit(state)

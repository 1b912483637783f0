"""One run at a time, off the GUI thread; where the newest counts, it takes the place of the one under way.

Who may touch what:

- The work runs in a plain `threading.Thread`. It gets a progress callback and a cancel flag, and touches nothing of Qt
  or napari beyond them.
- The callback only emits a signal of the `Job`, which lives in the GUI thread: Qt queues it, and every slot (state,
  progress, result) runs in the GUI thread.
- Each thread has a number, and words of another than the present one are dropped: a run that was replaced by a newer
  one says nothing any more, whenever it ends.
- The thread holds the `Job`, never a widget. When the dock goes away it calls `close`: the flag is set, the thread
  joined, and whatever is still queued is dropped.
"""

from __future__ import annotations

import enum
import gc
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from qtpy.QtCore import QObject, Qt, Signal

from napari_anoclip.engine.errors import AnoCLIPError, Cancelled
from napari_anoclip.engine.progress import CancelFlag, Progress

_log = logging.getLogger(__name__)
_NICENESS = 10

PACE = 0.05
"""Seconds between two reports of one stage: each makes the window draw itself, and nobody reads faster."""


class Channel(Protocol):
    """What the work tells the GUI thread by: called with progress, or given a part of the result to publish."""

    def __call__(self, progress: Progress) -> None:
        """Tell how far the work is."""

    def publish(self, part: Any) -> None:
        """Hand over a part of the result while the work goes on."""


Work = Callable[[Channel, CancelFlag], Any]
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
    published = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()

    _reported = Signal(int, object)
    _handed_over = Signal(int, object)
    _ended = Signal(object, object, object)

    def __init__(self) -> None:
        super().__init__()
        self._state = JobState.IDLE
        self._run = 0
        self._cancel = threading.Event()
        self._thread: threading.Thread | None = None
        self._next: Work | None = None
        self._reported.connect(self._on_reported, Qt.ConnectionType.QueuedConnection)
        self._handed_over.connect(self._on_handed_over, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def state(self) -> JobState:
        """What the job is doing now."""
        return self._state

    @property
    def busy(self) -> bool:
        """Whether work is under way, cancelled or not."""
        return self._state in (JobState.RUNNING, JobState.CANCELLING)

    def start(self, work: Work, newest: bool = False) -> bool:
        """Start work in a thread.

        Parameters
        ----------
        work : callable
            Called in the thread.
        newest : bool
            Take the place of work that is under way: that is cancelled and not heard of again, and this starts as
            soon as it has ended. Otherwise nothing happens while some is under way.

        Returns
        -------
        bool
            Whether the work was taken.
        """
        if self.busy and not newest:
            return False
        if self._thread is not None:
            self._run += 1
            self._cancel.set()
            self._next = work
            self._set_state(JobState.RUNNING)
        else:
            self._begin(work)
        return True

    def cancel(self) -> None:
        """Ask the work to stop; it does so after its current batch or step."""
        if self._state is JobState.RUNNING:
            self._cancel.set()
            self._next = None
            self._set_state(JobState.CANCELLING)

    def close(self, timeout: float = 10.0) -> None:
        """Cancel, wait for the thread (seconds) and drop what it may still have to say.

        A thread that outlives the wait ends by itself at its next look at the flag.
        """
        self._run += 1
        self._cancel.set()
        self._next = None
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None
        self._state = JobState.IDLE

    def _begin(self, work: Work) -> None:
        self._run += 1
        self._cancel = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(self._run, work, self._cancel), name="anoclip-run")
        self._set_state(JobState.RUNNING)
        self._thread.start()

    def _work(self, run: int, work: Work, cancel: threading.Event) -> None:
        """Body of the thread."""
        _yield_to_the_window()
        result, error = None, None
        try:
            with _full_collections_later:
                result = work(_Channel(self, run), cancel)
        except AnoCLIPError as expected:
            error = expected
        except Exception as unexpected:
            _log.exception("a run failed")
            error = AnoCLIPError(UNEXPECTED.format(kind=type(unexpected).__name__))
        self._ended.emit(threading.get_ident(), result, error)

    def _on_reported(self, run: int, progress: Progress) -> None:
        if run == self._run:
            self.progressed.emit(progress)

    def _on_handed_over(self, run: int, part: Any) -> None:
        if run == self._run and self._state is JobState.RUNNING:
            self.published.emit(part)

    def _on_ended(self, thread: int, result: Any, error: AnoCLIPError | None) -> None:
        if self._thread is None or self._thread.ident != thread:
            return  # closed meanwhile
        self._thread.join()
        self._thread = None
        if self._next is not None:
            work, self._next = self._next, None
            self._begin(work)
        # A result that arrives after Cancel was pressed is not shown: the user said no.
        elif self._state is JobState.CANCELLING or isinstance(error, Cancelled):
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


class _Channel:
    """A run's way to the GUI thread."""

    def __init__(self, job: Job, run: int) -> None:
        self._job = job
        self._run = run
        self._told, self._at = "", 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._told or now - self._at >= PACE or progress.done == progress.total:
            self._told, self._at = progress.stage, now
            self._job._reported.emit(self._run, progress)

    def publish(self, part: Any) -> None:
        self._job._handed_over.emit(self._run, part)


class _FullCollectionsLater:
    """Puts off full garbage collections while jobs run: one looks at all of torch and stops the window for so long.

    Young garbage, which is what a job makes, is collected as ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs = 0
        self._usual = gc.get_threshold()

    def __enter__(self) -> None:
        with self._lock:
            if self._jobs == 0:
                self._usual = gc.get_threshold()
                gc.set_threshold(*self._usual[:2], 1_000_000)
            self._jobs += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._jobs -= 1
            if self._jobs == 0:
                gc.set_threshold(*self._usual)


_full_collections_later = _FullCollectionsLater()


def _yield_to_the_window() -> None:
    """Let the GUI thread go first where the system has priorities by thread; torch's own threads inherit it."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

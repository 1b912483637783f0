"""How a command ends: its exit code, the sentence that goes with it, Ctrl-C, and being told to end by the system."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from types import TracebackType
from typing import Self

from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import AnoCLIPError


class Code(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    INCOMPLETE = 1
    """Finished, but some files failed; a check found something."""
    WRONG = 2
    """Wrong usage or input; typer's own code for it, too."""
    FAULT = 70
    """A fault of the program: sysexits' EX_SOFTWARE."""
    STOPPED = 130
    """Ctrl-C, as shells have it: 128 + SIGINT. SIGTERM, too: what was begun is whole, and the rest is to be done."""


class Interrupt:
    """A cancel flag that Ctrl-C and SIGTERM set, while it is entered; the second one ends the process at once.

    Schedulers of clusters and containers send SIGTERM some time before they kill.

    Parameters
    ----------
    on_first : callable
        Called when the flag is set, within the signal handler: it may write to a file descriptor, and nothing else.
    """

    def __init__(self, on_first: Callable[[], None]) -> None:
        self._on_first = on_first
        self._set = False
        self._before: dict[int, object] = {}

    def is_set(self) -> bool:
        """Whether Ctrl-C was pressed, or the system wants the process to end."""
        return self._set

    def __enter__(self) -> Self:
        # Python allows handlers in the main thread only; elsewhere nobody presses Ctrl-C.
        with suppress(ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _on_signal(self, *_: object) -> None:
        if self._set:
            # Not an exception: it would wait for threads and for whatever swallows it. Files are whole at any moment.
            os._exit(Code.STOPPED)
        self._set = True
        self._on_first()


def sentence(error: Exception) -> str:
    """Say what went wrong, for a person.

    Parameters
    ----------
    error : Exception
        Of ours: its own sentence. Of the system: which file, and why. Any other: that it is a fault of the program.

    Returns
    -------
    str
    """
    if isinstance(error, AnoCLIPError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{atomic.reason(error)}. Free what is missing, or choose another place, and run it again."
    return f"This should not happen ({type(error).__name__}: {error}). Run it again with --debug, and report that."


def code_of(error: Exception) -> Code:
    """The exit code for an error that ended a command."""
    return Code.WRONG if isinstance(error, AnoCLIPError | OSError) else Code.FAULT

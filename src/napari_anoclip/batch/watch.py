"""Files that come into a folder while it is watched: taken once nobody writes to them any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.batch.inputs import Input
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.progress import CancelFlag
from napari_anoclip.review.pictures import file_version

State = tuple[int, int]
"""Time and size of a file."""

_POLL = 0.1


class WatchSettings(BaseModel):
    """How a folder is watched. By looking again and again: that works on network disks as well."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every: float = Field(2.0, gt=0, le=3600, description="Seconds between two looks at the folder.")
    still: float = Field(2.0, ge=0, le=3600, description="Seconds for which a file must not have changed.")


class Watched:
    """Which inputs are new or changed, and complete.

    Parameters
    ----------
    settings : WatchSettings
    clock : callable
        Seconds that only rise.
    """

    def __init__(self, settings: WatchSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._still = settings.still
        self._clock = clock
        self._since: dict[Path, tuple[State, float]] = {}
        self._taken: dict[str, State] = {}

    def take(self, inputs: Iterable[Input]) -> list[Input]:
        """Inputs whose files stood still for long enough, and that were not taken as they are now.

        Parameters
        ----------
        inputs : iterable of Input
            All that there are now.

        Returns
        -------
        list of Input
        """
        now = self._clock()
        since: dict[Path, tuple[State, float]] = {}
        taken: dict[str, State] = {}
        new = []
        for one in inputs:
            if one.path not in since:
                state = file_version(one.path)
                if state is None:
                    continue
                before = self._since.get(one.path)
                since[one.path] = before if before is not None and before[0] == state else (state, now)
            state, first = since[one.path]
            former = self._taken.get(one.key)
            if former is not None:
                taken[one.key] = former
            if former != state and now - first >= self._still:
                taken[one.key] = state
                new.append(one)
        # What is gone is forgotten: should it come back, it is another file.
        self._since, self._taken = since, taken
        return new


class Look(NamedTuple):
    """What a look at a folder saw.

    Attributes
    ----------
    found : list of Input
        All that there are now.
    new : list of Input
        Those of them that are new or changed, and complete.
    """

    found: list[Input]
    new: list[Input]


def looks(find: Callable[[], list[Input]], settings: WatchSettings, cancel: CancelFlag | None = None) -> Iterator[Look]:
    """Look again and again.

    Parameters
    ----------
    find : callable
        Gives all inputs that there are.
    settings : WatchSettings
        How often, and when a file counts as complete.
    cancel : CancelFlag, optional
        Polled between two looks.

    Yields
    ------
    Look
        Without end.

    Raises
    ------
    Cancelled
        If the flag is set.
    """
    watched = Watched(settings)
    pause = threading.Event()
    while True:
        started = time.monotonic()
        found = find()
        new = watched.take(found)
        took = time.monotonic() - started
        yield Look(found, new)
        # A look at 100,000 files takes seconds.
        until = time.monotonic() + max(settings.every, took)
        while not (cancel is not None and cancel.is_set()):
            left = until - time.monotonic()
            if left <= 0:
                break
            pause.wait(min(left, _POLL))
        else:
            raise Cancelled("The run was cancelled.")


class Sparingly:
    """When something that may take long is due again, so that it takes no more than a share of the time.

    Parameters
    ----------
    share : float
        Of the time that it may take.
    clock : callable
        Seconds that only rise.
    """

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._done, self._took = clock(), 0.0

    @property
    def due(self) -> bool:
        """Whether so much time has passed since it was done that doing it again takes no more than the share."""
        return self._clock() - self._done >= self._took / self._share

    @contextmanager
    def doing(self) -> Iterator[None]:
        """Measure it, in a block."""
        started = self._clock()
        yield
        self._done = self._clock()
        self._took = self._done - started

"""Files that come into a folder while it is watched: taken once nobody writes to them any more."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.batch.inputs import Input

State = tuple[int, int]
"""Time and size of a file."""


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
                state = _state(one.path)
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


def _state(path: Path) -> State | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size

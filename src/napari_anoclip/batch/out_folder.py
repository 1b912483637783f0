"""The folder that results are written to, by one run at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_anoclip.batch.errors import OutputError
from napari_anoclip.batch.outputs import said_in_words
from napari_anoclip.review.lock import FILE, Lock, SessionLocked

_SETTLING = 0.2
"""Seconds after which another one that had looked at the same lock as we did has taken it, if it wanted to."""


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make a folder where it is not there, and keep others from writing to it.

    Parameters
    ----------
    out : Path
        The folder.

    Raises
    ------
    OutputError
        If it cannot be made or written to, or another run is writing to it.
    """
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file: give a folder for the results.")
    with said_in_words(out, out.parent):
        out.mkdir(parents=True, exist_ok=True)
        try:
            left = (out / FILE).exists()
            lock = Lock.take(out)
            if left:  # of two that take over what a killed run left, the one that was later has it
                time.sleep(_SETTLING)
            lock.check()
        except SessionLocked as error:
            who = f"by {error.holder}" if error.holder else "by someone"
            raise OutputError(
                f"Results are being written to {out} {who}: wait until that has ended, or choose another folder."
            ) from error
    try:
        yield
    finally:
        lock.release()

"""A bound on what is held in memory at once by work that goes through several threads, in order."""

from __future__ import annotations

import threading

from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.progress import CancelFlag

_POLL = 0.1


class Room:
    """Bytes that numbered pieces of work may hold together.

    The oldest piece that has not left may always enter, however large: so work goes on whatever waits behind it.

    Parameters
    ----------
    most : int
        Bytes.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[int, int] = {}
        self._changed = threading.Condition()
        self._waiting = 0

    @property
    def full(self) -> bool:
        """Whether a piece waits to enter."""
        return self._waiting > 0

    def expect(self, number: int) -> None:
        """Announce a piece, before any thread works on it. Numbers rise."""
        with self._changed:
            self._held[number] = 0

    def enter(self, number: int, size: int, stop: CancelFlag) -> None:
        """Wait until there is room for a piece.

        Raises
        ------
        Cancelled
            If the flag is set meanwhile.
        """
        with self._changed:
            self._waiting += 1
            try:
                while not (min(self._held) == number or sum(self._held.values()) + size <= self.most):
                    if stop.is_set():
                        raise Cancelled("The run was cancelled.")
                    self._changed.wait(_POLL)
            finally:
                self._waiting -= 1
            self._held[number] += size

    def leave(self, number: int) -> None:
        """Give back what a piece holds; it is done."""
        with self._changed:
            self._held.pop(number, None)
            self._changed.notify_all()

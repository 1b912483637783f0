"""Waiting for a window without a user. Nothing of the plugin is imported here: what its import costs is measured."""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtWidgets import QApplication

PATIENCE = 300


class Stamp:
    """When something happened last."""

    at = 0.0

    def __call__(self, *_: object) -> None:
        self.at = time.perf_counter()


def wait_until(done: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"Nothing came of it within {PATIENCE} seconds.")
        QApplication.processEvents()
        time.sleep(0.0005)


def settle(seconds: float) -> None:
    """Let the window live for so long."""
    end = time.perf_counter() + seconds
    wait_until(lambda: time.perf_counter() > end)

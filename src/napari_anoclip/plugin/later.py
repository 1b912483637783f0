"""Something that is done in a moment, once, however often it is asked for until then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, QTimer


def later(parent: QObject, do: Callable[..., Any], milliseconds: int = 0) -> QTimer:
    """Make a timer that fires once after it was started last.

    Parameters
    ----------
    parent : QObject
        It goes with it.
    do : callable or signal
        What is called.
    milliseconds : int
        How long it waits; 0 until all that goes on now has ended.
    """
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(do)
    return timer

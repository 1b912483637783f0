"""Pictures above their maps, and what a page says of them, measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docs.drawing import colour_bar, panels, save, show, show_map
from docs.subjects import Subject

SIDE = 2.1
"""Inches of a picture."""


@dataclass(frozen=True)
class Claim:
    """A sentence of the page, and whether it holds for this model."""

    sentence: str
    holds: bool


def compare(name: str, subjects: dict[str, Subject], *, wide: float = SIDE) -> dict[str, NDArray[np.float32]]:
    """Draw pictures above their maps, all in the default range of their prompts; return the maps."""
    first = next(iter(subjects.values()))
    figure, axes = panels(2, len(subjects), wide, first.aspect)
    maps = {}
    for (title, subject), (above, below) in zip(subjects.items(), axes.T, strict=True):
        maps[title] = subject.detect().map
        show(above, subject.picture, title)
        show_map(below, maps[title], subject.shown(), f"hottest {maps[title].max():.2f}")
    colour_bar(figure, axes[1], first.shown())
    save(figure, name)
    return maps


def hottest_at(heat: NDArray[np.float32]) -> tuple[int, int]:
    """(row, column) of a map's hottest pixel."""
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    return int(row), int(column)


def middle(subject: Subject) -> float:
    """The probability in the middle of the colours."""
    shown = subject.shown()
    return (shown.low + shown.high) / 2

"""Greedy search over choices of prompts, on several parts of the judged images side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from napari_anoclip.review.aims import Aim, FloatArray, Part
from napari_anoclip.review.choices import Choice

MAX_STEPS = 8
"""Each step is one tick or another word. What a search finds after that holds for the images it saw alone."""

LEAST_STEP = 0.005
"""A step must better the aim by so much: less is more likely chance than help."""

TIE = 0.1
"""False regions are whole numbers, and many choices give the same one: average precision decides, with this weight."""


@dataclass
class Path:
    """The way of one search.

    Attributes
    ----------
    choices : list of Choice
        From where it began to the best choice found.
    worth : float
        Of the last of them, on the images that were searched.
    ended : bool
        Whether no neighbour is better.
    """

    choices: list[Choice]
    worth: float
    ended: bool = False


def search(
    start: Choice,
    neighbours: Callable[[Choice], list[Choice]],
    scores_of: Callable[[Sequence[Choice]], FloatArray],
    parts: Sequence[Part],
    aim: Aim,
    recall: float,
    report: Callable[[int], None],
) -> list[list[Choice]]:
    """Go from a choice to its best neighbour, again and again, on each part for itself.

    Parameters
    ----------
    start : Choice
        Where to begin.
    neighbours : callable
        Choices that one step leads to.
    scores_of : callable
        Gives the grids (n, R, W) of all images under n choices.
    parts : sequence of Part
        Images that are searched. All parts go on side by side: what several of them look at is scored once.
    aim : Aim
        What to better.
    recall : float
        As for `Part.figure`.
    report : callable
        Told how many steps are done, before each and at the end.

    Returns
    -------
    list of list of Choice
        Of each part, the way from the start to the best choice found.
    """

    def worth(part: Part, scores: FloatArray) -> float:
        value = part.figure(aim, scores, recall)
        return TIE * part.figure(Aim.AP, scores, recall) - value if aim is Aim.FALSE_REGIONS else value

    (first,) = scores_of([start])
    paths = [Path([start], worth(part, first)) for part in parts]
    for step in range(MAX_STEPS):
        report(step)
        # Told apart before any of them moves on, so that each takes one step a round.
        meeting: dict[Choice, list[tuple[Path, Part]]] = {}
        for path, part in zip(paths, parts, strict=True):
            if not path.ended:
                meeting.setdefault(path.choices[-1], []).append((path, part))
        for choice, here in meeting.items():
            near = neighbours(choice)
            scores = scores_of(near)
            for path, part in here:
                values = [worth(part, one) for one in scores]
                best = max(range(len(near)), key=values.__getitem__, default=None)
                if best is None or values[best] < path.worth + LEAST_STEP:
                    path.ended = True
                else:
                    path.choices.append(near[best])
                    path.worth = values[best]
    report(MAX_STEPS)
    return [path.choices for path in paths]

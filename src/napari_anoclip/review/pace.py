"""How fast a person judges, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

PAUSE = timedelta(minutes=2)
"""Who gave no verdict for longer than that did something else meanwhile."""

_RECENT = 100
"""Verdicts that count: a person becomes faster."""

_FEWEST_GAPS = 3


def remaining(times: Sequence[datetime], left: int) -> timedelta | None:
    """Estimate the time that is left, from the median time between verdicts without pauses.

    Verdicts that were given at once, as all of a good image, count as one step; it is taken into account how many
    regions a step judges.

    Parameters
    ----------
    times : sequence of datetime
        When each region was judged, in any order.
    left : int
        Regions that are not judged.

    Returns
    -------
    timedelta or None
        None while too little was judged to tell.
    """
    if left <= 0:
        return timedelta(0)
    recent = sorted(times)[-_RECENT:]
    steps = sorted(set(recent))
    gaps = [(after - before).total_seconds() for before, after in pairwise(steps) if after - before <= PAUSE]
    if len(gaps) < _FEWEST_GAPS:
        return None
    return timedelta(seconds=median(gaps) * left * len(steps) / len(recent))


def sentence(judged: int, total: int, remaining: timedelta | None = None) -> str:
    """Say how far one is: "37 of 120 judged, about 6 min left".

    Parameters
    ----------
    judged, total : int
        Regions, or images.
    remaining : timedelta, optional
        As `remaining` gives it.

    Returns
    -------
    str
    """
    said = f"{judged} of {total} judged"
    if remaining is None or judged >= total:
        return said
    minutes = round(remaining / timedelta(minutes=1))
    if not minutes:
        return f"{said}, less than a minute left"
    if minutes < 60:
        return f"{said}, about {minutes} min left"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"{said}, about {hours} h{f' {rest} min' if rest else ''} left"

"""What is said about a queue: where it ends, and what was passed over."""

from __future__ import annotations

from collections.abc import Sequence

from napari_anoclip.engine.words import named
from napari_anoclip.plugin.picture_queue import PictureQueue, Show

_NAMED = 3
"""Pictures that cannot be read which are told by name."""


def passed_over(failed: Sequence[tuple[str, str]]) -> str:
    """Say which pictures cannot be read.

    Parameters
    ----------
    failed : sequence of (str, str)
        Their names, and the sentence that says why.
    """
    if len(failed) <= 1:
        return failed[0][1] if failed else ""
    return f"{len(failed)} pictures cannot be read and were passed over: {named((name for name, _ in failed), _NAMED)}."


def end(queue: PictureQueue, step: int) -> str:
    """Say why there is no picture to go to.

    Parameters
    ----------
    queue : PictureQueue
        Where one is in it.
    step : int
        1 where a following picture was looked for, -1 for one before, 0 for any.
    """
    total = len(queue) - queue.broken
    if not total:
        return "None of the pictures can be read."
    others = f"Choose to show “{Show.ALL}” to see the others."
    if not queue.left and queue.show in (Show.ALL, Show.LEFT) and step >= 0:
        words = f"All {total} are judged." if total > 1 else "The picture is judged."
        return words if queue.at is not None else f"{words} {others}"
    if not step or queue.at is None:
        other = "other " * (queue.at is not None and queue[queue.at].passes(queue.show))
        return f"There is no {other}{queue.show.picture}. {others}"
    if queue.show is Show.ALL:
        return "This is the last picture." if step > 0 else "This is the first picture."
    return f"There is no {queue.show.picture} {'after' if step > 0 else 'before'} this one. {others}"

"""Images read and encoded ahead of whoever works on them: decoding, encoding and the rest go on side by side.

Readers decode files and resize pixels; one thread encodes, batch after batch; what comes after (scores, regions,
files) is the caller's, or is handed to threads of its own.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from napari_anoclip.batch.encoding_line import EncodingLine, Entry
from napari_anoclip.batch.stopwatch import Stopwatch
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.progress import CancelFlag

T = TypeVar("T")
R = TypeVar("R")

BATCH = 8
"""Images in a batch for the image tower, where there is room for the tokens of so many."""

_FEW, _MANY = 2, 16


def encoded(
    model: AnoCLIP,
    items: Iterable[T],
    read: Callable[[T], Any],
    settings: Sequence[AnoCLIPSettings],
    *,
    batch: int = BATCH,
    readers: int | None = None,
    busy: Stopwatch | None = None,
    cancel: CancelFlag | None = None,
) -> Generator[tuple[T, ImageSource | AnoCLIPError], None, None]:
    """Give images whose tokens are known, while the next ones are read and encoded.

    Parameters
    ----------
    model : AnoCLIP
    items : iterable
        What stands for an image; taken a few at a time.
    read : callable
        Gives the array or `ImageSource` of an item, in any thread.
    settings : sequence of AnoCLIPSettings
        What the images will be scored with: tokens are there for each of them.
    batch : int
        Images encoded together, where there is room for their tokens.
    readers : int, optional
        Threads that read; as many as suit the device otherwise.
    busy : Stopwatch, optional
        Counts the time spent encoding.
    cancel : CancelFlag, optional
        Polled all the time.

    Yields
    ------
    tuple
        Each item in order, with its source, or with the error that it failed with. Its tokens are kept until the next
        one is asked for.

    Raises
    ------
    Cancelled
        If the flag is set.
    """
    with EncodingLine(model, items, read, settings, batch, readers or side_threads(model), busy, cancel) as ahead:
        for entry in ahead:
            yield entry.item, ahead.result(entry)
            ahead.leave(entry)


def encoded_map(
    model: AnoCLIP,
    items: Iterable[T],
    read: Callable[[T], Any],
    use: Callable[[T, ImageSource | AnoCLIPError], R],
    settings: Sequence[AnoCLIPSettings],
    *,
    batch: int = BATCH,
    readers: int | None = None,
    users: int | None = None,
    busy: Stopwatch | None = None,
    cancel: CancelFlag | None = None,
) -> Generator[R, None, None]:
    """Do something with images whose tokens are known, in threads of its own.

    Parameters
    ----------
    model, items, read, settings, batch, readers, busy, cancel
        As for `encoded`.
    use : callable
        Takes an item and its source, or the error that it failed with.
    users : int, optional
        Threads that call it; as many as suit the device otherwise.

    Yields
    ------
    object
        What `use` gave, in the order of the items.

    Raises
    ------
    Cancelled
        If the flag is set. What `use` has begun is finished first.
    Exception
        Whatever `use` raises.
    """
    users = users or side_threads(model)
    with (
        EncodingLine(model, items, read, settings, batch, readers or side_threads(model), busy, cancel) as ahead,
        ThreadPoolExecutor(users, "anoclip-write") as pool,
    ):
        working: deque[Future[R]] = deque()
        stopped: Cancelled | None = None

        def work(entry: Entry[T]) -> R:
            try:
                return use(entry.item, ahead.result(entry))
            finally:
                ahead.leave(entry)

        try:
            try:
                for entry in ahead:
                    working.append(pool.submit(work, entry))
                    while working and (len(working) > 2 * users or working[0].done()):
                        yield working.popleft().result()
            except Cancelled as error:
                stopped = error
            while working:
                try:
                    yield working.popleft().result()
                except Cancelled as error:
                    stopped = error
            if stopped is not None:
                raise stopped
        finally:
            for future in working:
                future.cancel()


def side_threads(model: AnoCLIP) -> int:
    """How many threads read, and how many write: few beside a model that needs the processor itself, more for a GPU.

    Parameters
    ----------
    model : AnoCLIP

    Returns
    -------
    int
    """
    if model.device == "cpu":
        return _FEW
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(_FEW, min(_MANY, cores // 2))

"""Work in batches that shrink when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from napari_anoclip.engine.errors import DeviceMemoryError, ImageError

T = TypeVar("T")


def run_in_batches(
    function: Callable[[int, int], T],
    count: int,
    batch_size: int,
    on_batch: Callable[[int, int], None] | None = None,
) -> list[T]:
    """Call a function on consecutive ranges of items, halving the range when memory runs out.

    Parameters
    ----------
    function : callable
        Given start and stop, does the items start to stop - 1. It may be called again for items that it has failed on.
    count : int
        How many items there are.
    batch_size : int
        How many to try at once; once halved, it stays so.
    on_batch : callable, optional
        Called with the items done and `count`, before the first batch and after each; may raise to stop.

    Returns
    -------
    list
        What the function returned, in order.

    Raises
    ------
    DeviceMemoryError
        If memory runs out on a single item.
    """
    results: list[T] = []
    start = 0
    while start < count:
        if on_batch is not None:
            on_batch(start, count)
        stop = min(start + batch_size, count)
        try:
            results.append(function(start, stop))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if stop - start == 1:
                raise DeviceMemoryError(
                    "Memory ran out even for a single item; close other programs, or choose a smaller model or the CPU."
                ) from error
            batch_size = (stop - start) // 2
            stop = start
        if stop == start:
            # Only here, after the except clause, has the error let go of the failed batch's tensors.
            torch.cuda.empty_cache()
        start = stop
    if on_batch is not None:
        on_batch(count, count)
    return results


@contextmanager
def memory_for_an_image() -> Iterator[None]:
    """Work on one of many images: should memory run out, in whatever words, it is this image's fault alone.

    Raises
    ------
    ImageError
        In place of an error that says so.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise ImageError("Memory ran out for this image: close other programs, or cut it into parts.") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, in the words of any of the places where it can.

    Parameters
    ----------
    error : BaseException
        Any error.

    Returns
    -------
    bool
    """
    message = str(error).lower()
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or any(
        words in message for words in ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    )

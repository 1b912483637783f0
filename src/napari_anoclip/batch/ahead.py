"""Images read and encoded ahead of whoever works on them: decoding, encoding and the rest go on side by side.

Readers decode files and resize pixels; one thread encodes, batch after batch; what comes after (scores, regions,
files) is the caller's, or is handed to threads of its own. What is read ahead and what is encoded ahead is bounded by
bytes, so that the largest images come one after the other and small ones fill whole batches.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

import torch

from napari_anoclip.batch.room import Room
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, DeviceMemoryError, ImageError
from napari_anoclip.engine.image_encoder import ImageSource
from napari_anoclip.engine.prepared import Prepared
from napari_anoclip.engine.progress import CancelFlag

T = TypeVar("T")
R = TypeVar("R")

BATCH = 8
"""Images in a batch for the image tower, where there is room for the tokens of so many."""

HELD_PIXEL_BYTES = 1 << 30
"""Bound on the pixels of images that were read and are not done with."""

_TOKEN_SHARE = 0.75
"""Of the token cache that images which were encoded and are not done with may fill: none may be dropped before."""

_POLL = 0.05

_FEW, _MANY = 2, 16

_BATCHES = 2
"""One is encoded while the next one is read."""


@dataclass
class Stopwatch:
    """Seconds that something was at work; read from one thread while another one adds."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time in a block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started


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
) -> Iterator[tuple[T, ImageSource | AnoCLIPError]]:
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
    with _Ahead(model, items, read, settings, batch, readers, busy, cancel) as ahead:
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
) -> Iterator[R]:
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
        _Ahead(model, items, read, settings, batch, readers, busy, cancel) as ahead,
        ThreadPoolExecutor(users, "anoclip-write") as pool,
    ):
        working: deque[Future[R]] = deque()
        stopped: Cancelled | None = None

        def work(entry: _Entry[T]) -> R:
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


@dataclass
class _Entry(Generic[T]):
    number: int
    item: T
    read: Future[list[Prepared]]
    ready: Future[ImageSource] = field(default_factory=Future)


class _Ahead(Generic[T]):
    """The readers and the encoder; iterating gives entries in order, once they are ready."""

    def __init__(
        self,
        model: AnoCLIP,
        items: Iterable[T],
        read: Callable[[T], Any],
        settings: Sequence[AnoCLIPSettings],
        batch: int,
        readers: int | None,
        busy: Stopwatch | None,
        cancel: CancelFlag | None,
    ) -> None:
        self._model, self._items, self._read = model, iter(items), read
        self._settings, self._batch = settings, max(1, batch)
        self._busy, self._cancel = busy or Stopwatch(), cancel
        self._numbers = count()
        self._stopped = threading.Event()
        self._pixels = Room(HELD_PIXEL_BYTES)
        self._tokens = Room(int(_TOKEN_SHARE * model.token_cache_bytes))
        self._readers = ThreadPoolExecutor(readers or side_threads(model), "anoclip-read")
        self._encoder = ThreadPoolExecutor(1, "anoclip-encode")

    def __enter__(self) -> _Ahead[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for pool in (self._readers, self._encoder):
            pool.shutdown(cancel_futures=True)

    def is_set(self) -> bool:
        """Whether to stop: the caller's flag, or the end of the iteration."""
        return self._stopped.is_set() or (self._cancel is not None and self._cancel.is_set())

    def __iter__(self) -> Iterator[_Entry[T]]:
        waiting: deque[_Entry[T]] = deque()
        more = True
        while more or waiting:
            # Whole batches are handed on: the encoder itself waits for those who read.
            while more and len(waiting) <= (_BATCHES - 1) * self._batch:
                entries = self._next_batch()
                more = len(entries) == self._batch
                waiting.extend(entries)
                if entries:
                    self._encoder.submit(self._encode, entries)
            if waiting:
                entry = waiting.popleft()
                self._wait(entry)
                yield entry

    def result(self, entry: _Entry[T]) -> ImageSource | AnoCLIPError:
        """Of an entry that is ready."""
        error = entry.ready.exception()
        if error is None:
            return entry.ready.result()
        if isinstance(error, AnoCLIPError):
            return error
        raise error

    def leave(self, entry: _Entry[T]) -> None:
        """Nobody needs the pixels and the tokens any more."""
        self._pixels.leave(entry.number)
        self._tokens.leave(entry.number)

    def _next_batch(self) -> list[_Entry[T]]:
        entries: list[_Entry[T]] = []
        while len(entries) < self._batch:
            self._check()
            try:
                item = next(self._items)
            except StopIteration:
                break
            number = next(self._numbers)
            self._pixels.expect(number)
            self._tokens.expect(number)
            entries.append(_Entry(number, item, self._readers.submit(self._prepare, number, item)))
        return entries

    def _wait(self, entry: _Entry[T]) -> None:
        while True:
            self._check()
            try:
                error = entry.ready.exception(timeout=0.2)
            except TimeoutError:
                continue
            if isinstance(error, Cancelled) or (error is not None and not isinstance(error, AnoCLIPError)):
                raise error
            return

    def _check(self) -> None:
        if self.is_set():
            raise Cancelled("The run was cancelled.")

    def _prepare(self, number: int, item: T) -> list[Prepared]:
        self._check()
        try:
            image = self._read(item)
            source = image if isinstance(image, ImageSource) else ImageSource.of(image)
            self._pixels.enter(number, int(getattr(source.image, "nbytes", 0)), self)
            return [self._model.prepare(source, settings) for settings in self._settings]
        except MemoryError as error:
            raise ImageError("The image is too large for this machine's memory: cut it into parts.") from error

    def _encode(self, entries: list[_Entry[T]]) -> None:
        """Encode a batch, in several parts where there is no room for all of its tokens."""
        together: list[tuple[_Entry[T], list[Prepared]]] = []
        size = 0
        for entry in entries:
            while together and not entry.read.done():
                if self._pixels.full:  # it may be this one that waits for those before it
                    self._encode_together(together)
                    together, size = [], 0
                wait([entry.read], timeout=_POLL)
            try:
                prepared = entry.read.result()
            except BaseException as error:  # whoever waits for the entry gets it
                entry.ready.set_exception(error)
                continue
            more = sum(one.token_bytes for one in prepared)
            if together and size + more > self._tokens.most // 2:
                self._encode_together(together)
                together, size = [], 0
            together.append((entry, prepared))
            size += more
        if together:
            self._encode_together(together)

    def _encode_together(self, together: list[tuple[_Entry[T], list[Prepared]]]) -> None:
        try:
            for entry, prepared in together:
                self._tokens.enter(entry.number, sum(one.token_bytes for one in prepared), self)
        except Cancelled as error:
            _fail(together, error)
        else:
            self._run_tower_on(together)

    def _run_tower_on(self, together: list[tuple[_Entry[T], list[Prepared]]]) -> None:
        try:
            self._run_tower([one for _, prepared in together for one in prepared])
        except DeviceMemoryError as error:
            if len(together) == 1:
                _fail(together, error)
            else:
                for alone in together:
                    self._run_tower_on([alone])
        except BaseException as error:  # as above
            _fail(together, error)
        else:
            for entry, prepared in together:
                entry.ready.set_result(prepared[0].source)

    def _run_tower(self, prepared: list[Prepared]) -> None:
        with self._busy.running():
            self._model.encode_ahead(prepared, cancel=self)
            if self._model.device.startswith("cuda"):
                torch.cuda.synchronize()  # what is still under way there belongs to this time


def _fail(together: list[tuple[_Entry[T], list[Prepared]]], error: BaseException) -> None:
    for entry, _ in together:
        entry.ready.set_exception(error)

"""Readers and the image tower, one behind the other: images go in at one end, and come out with their tokens kept.

What is read ahead and what is encoded ahead is bounded by bytes, so that the largest images come one after the other
and small ones fill whole batches.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Generic, TypeVar

import torch

from napari_anoclip.batch.room import Room
from napari_anoclip.batch.stopwatch import Stopwatch
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings
from napari_anoclip.engine.batching import memory_for_an_image
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, DeviceMemoryError
from napari_anoclip.engine.image_source import ImageSource, as_source
from napari_anoclip.engine.prepared import Prepared
from napari_anoclip.engine.progress import CancelFlag

T = TypeVar("T")

HELD_PIXEL_BYTES = 1 << 30
"""Bound on the pixels of images that were read and are not done with, besides those that each reader has in hand."""

_TOKEN_SHARE = 0.75
"""Of the token cache that images which were encoded and are not done with may fill: none may be dropped before."""

_POLL = 0.05

_BATCHES = 2
"""One is encoded while the next one is read."""


@dataclass
class Entry(Generic[T]):
    """An item on its way: first its reader is done with it, then the encoder.

    Attributes
    ----------
    number : int
        From 0 on.
    item : object
        What stands for the image.
    read : Future
        What its reader prepared.
    ready : Future
        Its source, once its tokens are kept.
    """

    number: int
    item: T
    read: Future[list[Prepared]]
    ready: Future[ImageSource] = field(default_factory=Future)


class EncodingLine(Generic[T]):
    """The readers and the encoder; iterating gives entries in order, once they are ready.

    Parameters
    ----------
    model, items, read, settings, batch, busy, cancel
        As for `ahead.encoded`.
    readers : int
        Threads that read.
    """

    def __init__(
        self,
        model: AnoCLIP,
        items: Iterable[T],
        read: Callable[[T], Any],
        settings: Sequence[AnoCLIPSettings],
        batch: int,
        readers: int,
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
        self._readers = ThreadPoolExecutor(readers, "anoclip-read")
        self._encoder = ThreadPoolExecutor(1, "anoclip-encode")

    def __enter__(self) -> EncodingLine[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for pool in (self._readers, self._encoder):
            pool.shutdown(cancel_futures=True)

    def is_set(self) -> bool:
        """Whether to stop: the caller's flag, or the end of the iteration."""
        return self._stopped.is_set() or (self._cancel is not None and self._cancel.is_set())

    def __iter__(self) -> Iterator[Entry[T]]:
        waiting: deque[Entry[T]] = deque()
        more = True
        while more or waiting:
            # Whole batches are handed on: the encoder itself waits for those who read.
            while more and len(waiting) <= (_BATCHES - 1) * self._batch:
                entries = self._next_batch()
                more = len(entries) == self._batch
                waiting.extend(entries)
                if entries:
                    self._encoder.submit(self._encode, deque(entries))
            if waiting:
                entry = waiting.popleft()
                self._wait(entry)
                yield entry

    def result(self, entry: Entry[T]) -> ImageSource | AnoCLIPError:
        """Of an entry that is ready."""
        error = entry.ready.exception()
        if error is None:
            return entry.ready.result()
        if isinstance(error, AnoCLIPError):
            return error
        raise error

    def leave(self, entry: Entry[T]) -> None:
        """Nobody needs the pixels and the tokens any more."""
        self._pixels.leave(entry.number)
        self._tokens.leave(entry.number)

    def _next_batch(self) -> list[Entry[T]]:
        entries: list[Entry[T]] = []
        while len(entries) < self._batch:
            self._check()
            try:
                item = next(self._items)
            except StopIteration:
                break
            number = next(self._numbers)
            self._pixels.expect(number)
            self._tokens.expect(number)
            entries.append(Entry(number, item, self._readers.submit(self._prepare, number, item)))
        return entries

    def _wait(self, entry: Entry[T]) -> None:
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
        with memory_for_an_image():
            image = self._read(item)
            source = as_source(image)
            self._pixels.enter(number, int(getattr(source.image, "nbytes", 0)), self)
            return [self._model.prepare(source, settings) for settings in self._settings]

    def _encode(self, entries: deque[Entry[T]]) -> None:
        """Encode a batch, in several parts where there is no room for all of its tokens; empties it.

        What was encoded may be done with while the rest still waits for room: nothing here must hold it any longer.
        """
        together: list[tuple[Entry[T], list[Prepared]]] = []
        size = 0
        while entries:
            entry = entries.popleft()
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
            del entry, prepared
        if together:
            self._encode_together(together)

    def _encode_together(self, together: list[tuple[Entry[T], list[Prepared]]]) -> None:
        try:
            for entry, prepared in together:
                self._tokens.enter(entry.number, sum(one.token_bytes for one in prepared), self)
        except Cancelled as error:
            _fail(together, error)
        else:
            self._run_tower_on(together)

    def _run_tower_on(self, together: list[tuple[Entry[T], list[Prepared]]]) -> None:
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
                source = prepared[0].source
                prepared.clear()  # inputs of the tower, which whoever waits for the entry has no use for
                entry.ready.set_result(source)

    def _run_tower(self, prepared: list[Prepared]) -> None:
        with self._busy.running():
            self._model.encode_ahead(prepared, cancel=self)
            if self._model.device.startswith("cuda"):
                torch.cuda.synchronize()  # what is still under way there belongs to this time


def _fail(together: list[tuple[Entry[T], list[Prepared]]], error: BaseException) -> None:
    for entry, _ in together:
        entry.ready.set_exception(error)

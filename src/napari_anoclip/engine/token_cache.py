"""What the image tower said about recent images, so that nothing but the images themselves makes it run again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from torch import Tensor


class TokenCache:
    """Tensors by key, the least recently used dropped first; safe for several threads.

    Parameters
    ----------
    max_bytes : int
        Bound on the sum of all tensors, to begin with.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, tuple[Tensor, ...]] = OrderedDict()
        self._lock = threading.Lock()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return self._bytes

    @property
    def max_bytes(self) -> int:
        """Bound on the sum of all tensors; a lower one drops the least recently used at once."""
        return self._max_bytes

    @max_bytes.setter
    def max_bytes(self, bound: int) -> None:
        with self._lock:
            self._max_bytes = bound
            self._shrink()

    def get(self, key: Hashable) -> tuple[Tensor, ...] | None:
        """What was put under a key, or None."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: Hashable, tensors: tuple[Tensor, ...]) -> None:
        """Keep tensors; one entry larger than the bound is not kept."""
        with self._lock:
            self._drop(key)
            if _size(tensors) > self._max_bytes:
                return
            self._entries[key] = tensors
            self._bytes += _size(tensors)
            self._shrink()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        dropped = self._entries.pop(key, None)
        if dropped is not None:
            self._bytes -= _size(dropped)


def _size(tensors: tuple[Tensor, ...]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

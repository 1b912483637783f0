"""What the image tower will be asked about an image, read ahead of it, so that the tower need not wait for pixels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from napari_anoclip.engine.image_source import ImageSource

HELD_INPUT_BYTES = 64 << 20
"""Inputs of one image up to so much are read ahead; those of a larger one when they are encoded."""


@dataclass(frozen=True)
class Part:
    """Inputs of one kind, whose tokens are kept under one key.

    Attributes
    ----------
    key : hashable
        In the token cache.
    alike : tuple
        ("tiles", "views" or "layers", side of an input, V-V blocks); parts with the same can be encoded in one batch.
    count : int
        How many inputs there are.
    read : callable
        Takes (start, stop) and gives (stop - start, 3, S, S) normalised, from any thread.
    """

    key: Hashable
    alike: tuple[str, int, int]
    count: int
    read: Callable[[int, int], Tensor]

    def read_ahead(self, input_bytes: int) -> Part:
        """The same with its inputs in memory, unless they are too many; `input_bytes` of each."""
        if self.count * input_bytes > HELD_INPUT_BYTES:
            return self
        held = self.read(0, self.count)
        return Part(self.key, self.alike, self.count, lambda start, stop: held[start:stop])


@dataclass(frozen=True)
class Prepared:
    """An image of which the tower's inputs are ready.

    Attributes
    ----------
    source : ImageSource
        The image.
    parts : tuple of Part
        What is to be encoded; nothing where all tokens are kept already, or are too many to be.
    token_bytes : int
        Of the tokens that will be kept.
    """

    source: ImageSource
    parts: tuple[Part, ...]
    token_bytes: int


def groups(prepared: Iterable[Prepared]) -> list[list[Part]]:
    """Parts that can be encoded together, no key twice."""
    found: dict[Hashable, dict[Hashable, Part]] = {}
    for one in prepared:
        for part in one.parts:
            found.setdefault(part.alike, {}).setdefault(part.key, part)
    return [list(parts.values()) for parts in found.values()]


def reader(parts: list[Part]) -> Callable[[int, int], Tensor]:
    """Read inputs of several parts as if they were those of one."""
    ends = list(accumulate(part.count for part in parts))

    def read(start: int, stop: int) -> Tensor:
        pieces = []
        for part, end in zip(parts, ends, strict=True):
            first = end - part.count
            if start < end and first < stop:
                pieces.append(part.read(max(start, first) - first, min(stop, end) - first))
        return torch.cat(pieces)

    return read

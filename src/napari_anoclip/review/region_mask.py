"""The pixels of a region: a box, and which pixels in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

BoolArray = NDArray[np.bool_]

MAX_PIXELS = 1 << 30
"""Of a box that is read from a file, whatever that says; the largest map has a sixteenth of it."""


@dataclass(frozen=True, eq=False)
class RegionMask:
    """Pixels of a region on a map's own grid; made by `of`, so that the box is tight.

    Attributes
    ----------
    start : tuple of int
        First row and column of the box; plane, row and column of a volume's.
    bits : ndarray
        Bool, of the box's shape. Not to be written into.
    """

    start: tuple[int, ...]
    bits: BoolArray

    @classmethod
    def of(cls, bits: NDArray[Any], start: tuple[int, ...] | None = None) -> Self:
        """Take what is set in an array.

        Parameters
        ----------
        bits : ndarray
            (H, W) or (D, H, W); what is not 0 belongs to the region.
        start : tuple of int, optional
            Where the array's first pixel lies on the map.

        Returns
        -------
        RegionMask

        Raises
        ------
        ValueError
            If nothing is set.
        """
        set_ = np.asarray(bits) != 0
        origin = start or (0,) * set_.ndim
        box = []
        for axis in range(set_.ndim):
            along = np.flatnonzero(set_.any(axis=tuple(other for other in range(set_.ndim) if other != axis)))
            if not along.size:
                raise ValueError("a region has at least one pixel")
            box.append(slice(int(along[0]), int(along[-1]) + 1))
        tight = np.ascontiguousarray(set_[tuple(box)])
        tight.flags.writeable = False
        return cls(tuple(int(o) + b.start for o, b in zip(origin, box, strict=True)), tight)

    @property
    def stop(self) -> tuple[int, ...]:
        """End of the box along each axis, exclusive."""
        return tuple(first + length for first, length in zip(self.start, self.bits.shape, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box, to index the map with."""
        return tuple(slice(first, end) for first, end in zip(self.start, self.stop, strict=True))

    @cached_property
    def area(self) -> int:
        """Pixels, or voxels of a volume's."""
        return int(np.count_nonzero(self.bits))

    def of_map(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values (n,) of a map, at the region's pixels."""
        picked: NDArray[Any] = values[self.slices][self.bits]
        return picked

    def draw(self, canvas: NDArray[Any], value: Any) -> None:
        """Set the region's pixels of an array of the map's shape."""
        canvas[self.slices][self.bits] = value

    def overlap(self, other: RegionMask) -> int:
        """Count the pixels that both have."""
        common = [
            (max(a, c), min(b, d)) for a, b, c, d in zip(self.start, self.stop, other.start, other.stop, strict=True)
        ]
        if any(first >= end for first, end in common):
            return 0
        here, there = (
            one.bits[tuple(slice(a - s, b - s) for (a, b), s in zip(common, one.start, strict=True))]
            for one in (self, other)
        )
        return int(np.count_nonzero(here & there))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RegionMask):
            return NotImplemented
        return self.start == other.start and np.array_equal(self.bits, other.bits)

    def __hash__(self) -> int:
        return hash((self.start, self.bits.shape, self.area))

    def to_json(self) -> dict[str, list[int]]:
        """Box and run lengths: of clear and set pixels in turn, row by row, beginning with clear ones."""
        flat = self.bits.ravel()
        changes = np.flatnonzero(np.diff(flat)) + 1
        runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
        return {"start": list(self.start), "shape": list(self.bits.shape), "runs": [0, *runs] if flat[0] else runs}

    @classmethod
    def from_json(cls, found: Any) -> Self:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            If it is not that.
        """
        try:
            start, shape, runs = (np.array(found[key], dtype=np.int64) for key in ("start", "shape", "runs"))
            fits = start.shape == shape.shape and shape.size in (2, 3) and min(*start, *shape, *runs) >= 0
            # In Python's numbers, which have no end: before any array is made of it, a file may say what it likes.
            pixels = math.prod(shape.tolist())
            if not fits or pixels > MAX_PIXELS or sum(runs.tolist()) != pixels:
                raise ValueError("runs do not fill the box")
            bits = np.repeat(np.arange(runs.size) % 2 == 1, runs).reshape(shape)
            return cls.of(bits, tuple(start.tolist()))
        except (KeyError, TypeError, IndexError, OverflowError) as error:
            raise ValueError(f"no region: {error}") from error


def _read(found: Any) -> RegionMask:
    return found if isinstance(found, RegionMask) else RegionMask.from_json(found)


Mask = Annotated[RegionMask, PlainValidator(_read), PlainSerializer(RegionMask.to_json, when_used="json")]
"""A `RegionMask` as a field of a pydantic model."""

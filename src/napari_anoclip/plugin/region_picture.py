"""Regions as a label image: each outlined by its verdict, in line as well as in colour, the current one twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray

from napari_anoclip.plugin.drawn_planes import DrawnPlanes, line_width, shrunk
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.plugin.review_subject import Position, Subject
    from napari_anoclip.review.matching import Matched

INSIDE, OPEN, DEFECT, FALSE, UNSURE, CURRENT = range(6)
"""What a pixel of a region is: within its line, on a line of one of the verdicts, or on the second line."""

_PARTS = CURRENT + 1
_LINES = {None: OPEN, Verdict.DEFECT: DEFECT, Verdict.FALSE: FALSE, Verdict.UNSURE: UNSURE}

_CLEAR = (0.0, 0.0, 0.0, 0.0)
_COLOURS = {
    INSIDE: _CLEAR,
    OPEN: (1.0, 1.0, 1.0, 1.0),
    DEFECT: (1.0, 0.25, 0.15, 1.0),
    FALSE: (0.0, 0.75, 0.55, 1.0),
    UNSURE: (0.34, 0.71, 0.91, 1.0),
    CURRENT: (1.0, 1.0, 1.0, 1.0),
}

_DASH, _DOT = 4, 2
"""Lengths of the pieces of a line, in its widths: a false positive's is dashed, that of an unsure region dotted."""


def label_of(region: int, part: int = INSIDE) -> int:
    """The label of a part of a region."""
    return (region - 1) * _PARTS + part + 1


def region_at(label: int) -> int | None:
    """The region that a label is of; None for the background."""
    return (label - 1) // _PARTS + 1 if label > 0 else None


def colormap() -> CyclicLabelColormap:
    """Colours of the parts, whatever the region: labels go round by them."""
    return CyclicLabelColormap(colors=[_CLEAR, *(_COLOURS[part] for part in range(_PARTS))])


class RegionPicture(DrawnPlanes):
    """Duck array (int32) of regions.

    Parameters
    ----------
    subject : Subject
        What they are regions of.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject.plane.stack_shape, subject.plane.axes, np.int32)
        self._hidden = subject.hidden
        self._by_plane: dict[Position, list[tuple[Matched, Any, Position]]] = {}
        self._current: int | None = None

    def set(self, regions: Iterable[Matched], current: int | None) -> None:
        """Hold other regions, or have another one current."""
        self._by_plane, self._current = defaultdict(list), current
        for region in regions:
            mask = region.mask
            if mask.bits.ndim == 2:
                self._by_plane[region.plane].append((region, mask.bits, mask.start))
            else:
                for z, bits in enumerate(mask.bits, mask.start[0]):
                    self._by_plane[(*region.plane, z)].append((region, bits, mask.start[1:]))

    def region_at(self, position: Position, pixel: tuple[int, int]) -> int | None:
        """The smallest region that has a pixel (row, column) of a plane."""
        here = [
            region
            for region, bits, start in self._by_plane.get(position, ())
            if all(0 <= at - first < length for at, first, length in zip(pixel, start, bits.shape, strict=True))
            and bits[pixel[0] - start[0], pixel[1] - start[1]]
        ]
        return min(here, key=lambda region: region.mask.area).id if here else None

    def draw(self, whole: tuple[int | slice, ...]) -> NDArray[np.int32]:
        """Draw planes, with the axes that are picked by a number left out."""
        along = [range(self.shape[axis])[whole[axis]] for axis in self._hidden]
        steps = [at if isinstance(at, range) else (at,) for at in along]
        size = tuple(self.shape[axis] for axis in self.axes)
        block = np.zeros((*map(len, steps), *size), np.int32)
        for where in np.ndindex(*map(len, steps)):
            position = tuple(int(step[i]) for step, i in zip(steps, where, strict=True))
            if position in self._by_plane:
                block[where] = self._drawn(self._by_plane[position], size)
        # Hidden axes come first now: back to their places, and without those picked by a number.
        kept = tuple(slice(None) if isinstance(at, range) else 0 for at in along)
        axes = [axis for axis, at in zip(self._hidden, along, strict=True) if isinstance(at, range)] + list(self.axes)
        picture: NDArray[np.int32] = block[kept].transpose(np.argsort(axes))
        return picture

    def _drawn(self, regions: list[tuple[Matched, Any, Position]], size: tuple[int, ...]) -> NDArray[np.int32]:
        """One plane: regions without their lines first, the smallest on top; then all lines at once."""
        picture = np.zeros(size, np.int32)
        lines = np.zeros(size, np.int8)
        for region, bits, start in sorted(regions, key=lambda one: -one[0].mask.area):
            place = tuple(slice(first, first + length) for first, length in zip(start, bits.shape, strict=True))
            picture[place][bits] = label_of(region.id)
            lines[place][bits] = _LINES[region.verdict]
        width = line_width(size)
        rim = (picture > 0) & ~(_within(picture, width, 0) & _within(picture, width, 1))
        rows, columns = (np.arange(length) for length in size)
        for line, piece in ((FALSE, _DASH), (UNSURE, _DOT)):
            gaps = (rows[:, None] // (piece * width) + columns // (piece * width)) % 2 == 1
            rim &= ~((lines == line) & gaps)
        picture += np.where(rim, lines, 0)
        for region, bits, start in regions:
            if region.id == self._current:
                _draw_ring(picture, bits, start, width)
                picture[picture == -1] = label_of(region.id, CURRENT)
        return picture


def _within(labels: NDArray[np.int32], width: int, axis: int) -> NDArray[np.bool_]:
    """Pixels whose neighbours up to a distance, along an axis, are of the same region."""
    same = np.ones(labels.shape, np.bool_)
    changes = np.diff(labels, axis=axis) != 0
    before = [slice(None)] * 2
    after = [slice(None)] * 2
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    same[tuple(before)] &= ~changes
    same[tuple(after)] &= ~changes
    return shrunk(same, width - 1, axis) if width > 1 else same


def _draw_ring(picture: NDArray[np.int32], bits: NDArray[np.bool_], start: tuple[int, ...], width: int) -> None:
    """Mark a second line around a region, with a gap of its width between, by -1."""
    reach = 3 * width
    padded = np.pad(bits, reach)
    outer, inner = (~shrunk(shrunk(~padded, far, 0), far, 1) for far in (reach, 2 * width))
    ring = outer & ~inner
    low = [first - reach for first in start]
    first = [max(0, at) for at in low]
    last = [min(at + length, size) for at, length, size in zip(low, ring.shape, picture.shape, strict=True)]
    place = tuple(slice(begin, end) for begin, end in zip(first, last, strict=True))
    cut = tuple(slice(begin - at, end - at) for begin, end, at in zip(first, last, low, strict=True))
    picture[place][ring[cut]] = -1

"""Regions of the maps under review, found and matched with what was judged, off the GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.contour import prepare
from napari_anoclip.plugin.job import Job
from napari_anoclip.review.matching import Matched, match
from napari_anoclip.review.order import Maps, Order, ordered
from napari_anoclip.review.regions import Found, RegionSettings, find_regions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.review_subject import Position, Subject
    from napari_anoclip.review.judgement import Judgement


@dataclass(frozen=True)
class Wanted:
    """What regions are looked for in, and by what.

    Attributes
    ----------
    subject : Subject
        The image with its maps.
    threshold, settings
        What counts as a region.
    judgements : tuple of Judgement
        All of the image.
    before : sequence of Matched
        What was found last: regions keep their numbers through small moves.
    order : Order
        What comes first.
    other : mapping or None
        Maps under another prompt set, for `Order.TELLING`.
    """

    subject: Subject
    threshold: float
    settings: RegionSettings
    judgements: tuple[Judgement, ...]
    before: Sequence[Matched]
    order: Order
    other: Maps | None


@dataclass(frozen=True)
class Finding:
    """What came of it.

    Attributes
    ----------
    regions : list of Matched
        In the order of the queue.
    vanished : list of Judgement
        Of regions that are not found at this threshold.
    covered : bool
        Whether there is a map of all of the image.
    """

    regions: list[Matched]
    vanished: list[Judgement]
    covered: bool


class RegionFinder(QObject):
    """Finds regions, the newest wish first; what did not change since the last time is not looked at again."""

    found = Signal(object)
    """A `Finding`."""
    failed = Signal(str)
    """A sentence."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._kept: dict[Position, tuple[NDArray[np.float32], float, RegionSettings, list[Found]]] = {}
        self._covered = False
        self.job = Job()
        self.job.succeeded.connect(self._on_found)
        self.job.failed.connect(self._on_failed)

    @property
    def covered(self) -> bool:
        """Whether the last finding was of all of the image."""
        return self._covered

    def find(self, wanted: Wanted) -> None:
        """Find and match; `found` tells."""
        maps = list(wanted.subject.maps())
        self.job.start(lambda _, cancel: self._work(wanted, maps, cancel), newest=True)

    def forget(self) -> None:
        """Another image comes."""
        self.job.cancel()
        self._covered = False

    def close_down(self) -> None:
        """Stop."""
        self.job.close()

    def _on_found(self, finding: Finding | None) -> None:
        if finding is not None:
            self._covered = finding.covered
            self.found.emit(finding)

    def _on_failed(self, error: AnoCLIPError) -> None:
        self.failed.emit(str(error))

    def _work(
        self, wanted: Wanted, maps: list[tuple[Position, NDArray[np.float32]]], cancel: CancelFlag
    ) -> Finding | None:
        """In the worker; jobs follow each other, so that `_kept` has one user."""
        prepare()  # for the layer that will show them
        shape = wanted.subject.map_shape
        covered = len(maps) == int(np.prod(shape[:-2])) and not any(np.isnan(values).any() for _, values in maps)
        if wanted.settings.volume and len(shape) > 2:
            maps = _volumes(maps, shape)
        found: list[Found] = []
        kept = {}
        for position, values in maps:
            if cancel.is_set():
                return None
            known = self._kept.get(position)
            # A map stays the same array until it is computed anew, unless it was put together from planes just now.
            if known is None or not _same(known[0], values) or known[1:3] != (wanted.threshold, wanted.settings):
                here = find_regions(values, wanted.threshold, wanted.settings, position)
                known = values, wanted.threshold, wanted.settings, here
            kept[position] = known
            found += known[3]
        self._kept = kept
        found.sort(key=lambda one: -(one.measures.maximum or 0.0))
        matching = match(found, wanted.judgements, wanted.before)
        regions = ordered(matching.regions, wanted.order, wanted.threshold, wanted.other)
        return Finding(regions, matching.vanished, covered)


def _volumes(
    maps: list[tuple[Position, NDArray[np.float32]]], shape: tuple[int, ...]
) -> list[tuple[Position, NDArray[np.float32]]]:
    """Put planes together along the last hidden axis; NaN where there is none."""
    volumes: dict[Position, NDArray[np.float32]] = {}
    for position, values in maps:
        if position[:-1] not in volumes:
            volumes[position[:-1]] = np.full(shape[-3:], np.nan, np.float32)
        volumes[position[:-1]][position[-1]] = values
    return list(volumes.items())


def _same(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two arrays are the same memory, or hold the same."""
    if one.shape != other.shape:
        return False
    same_memory = one.__array_interface__["data"] == other.__array_interface__["data"] and one.strides == other.strides
    return same_memory or np.array_equal(one, other, equal_nan=True)

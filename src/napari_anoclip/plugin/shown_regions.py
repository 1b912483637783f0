"""Which regions are listed, and which comes after which."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.review.matching import Matched


class Show(StrEnum):
    """What the list shows."""

    ALL = "all"
    OPEN = "not judged"
    DEFECT = "defect"
    FALSE = "false"
    UNSURE = "unsure"
    SECOND = "second look"

    def shows(self, region: Matched) -> bool:
        """Whether a region is listed."""
        match self:
            case Show.ALL:
                return True
            case Show.OPEN:
                return region.verdict is None
            case Show.SECOND:
                return bool(region.second_look)
            case _:
                return region.verdict is Verdict(self.value)


def neighbour(regions: Sequence[Matched], current: Matched | None, show: Show, by: int) -> Matched | None:
    """The listed region after (1) or before (-1) the current one; round at the ends; None if none is listed."""
    start = -1 if by > 0 else 0
    at = next((i for i, region in enumerate(regions) if current is not None and region.id == current.id), start)
    for steps in range(1, len(regions) + 1):
        region = regions[(at + by * steps) % len(regions)]
        if show.shows(region):
            return region
    return None


def next_open(regions: Sequence[Matched], after: Matched | None) -> Matched | None:
    """The next region without a verdict, round at the end; None if `after` is the only one or all have one."""
    found = neighbour(regions, after, Show.OPEN, 1)
    return None if found is None or (after is not None and found.id == after.id) else found

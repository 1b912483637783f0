"""Which prompt speaks loudest in each region, from kept tokens, off the GUI thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.provenance import restore_values
from napari_anoclip.plugin.reading import read_source

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.models import ModelHolder
    from napari_anoclip.plugin.provenance import Restored
    from napari_anoclip.plugin.review_subject import Position, Subject
    from napari_anoclip.review.matching import Matched

MOST = 200
"""Regions that are asked about at most, those that come first."""


class TopPrompts(QObject):
    """Asks the model about the hottest pixel of each region; only a model that is in memory, and each region once."""

    known = Signal()
    """Some are there that were not."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._found: dict[int, tuple[Matched, str]] = {}
        self._made: Restored | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_found)

    def of(self, region: Matched) -> str:
        """The prompt that speaks loudest in a region; nothing while that is not known."""
        if region.judgement is not None and region.judgement.top_prompt:
            return region.judgement.top_prompt
        known = self._found.get(region.id)
        return known[1] if known is not None and known[0].mask == region.mask else ""

    def ask(self, subject: Subject, regions: Sequence[Matched], models: ModelHolder) -> None:
        """Find out about regions that are not known yet; `known` tells."""
        if subject.result is None:
            return
        try:
            made = restore_values(subject.result)
        except ImageError:
            return
        if made != self._made:  # other prompts, or other settings, say other things of the same regions
            self._made = made
            self._found.clear()
        wanted = [region for region in regions[:MOST] if not self.of(region)]
        if not wanted or models.loaded(made.model) is None:
            return
        maps = dict(subject.maps())

        def work(channel: Channel, cancel: CancelFlag) -> list[tuple[Matched, str]]:
            found: list[tuple[Matched, str]] = []
            with models.borrow(made.model, channel, cancel) as model:
                by_plane: dict[Position, list[tuple[Matched, tuple[int, int]]]] = {}
                for region in wanted:
                    position, pixel = _hottest(region, maps)
                    by_plane.setdefault(position, []).append((region, pixel))
                for position, here in by_plane.items():
                    plane = subject.plane_at(position)
                    source = read_source(plane)
                    for region, (row, column) in here:
                        if cancel.is_set():
                            return found
                        at = row * plane.block, column * plane.block
                        said = model.explain(source, made.prompts, at, made.settings)
                        found.append((region, said.prompts[int(np.argmax(said.shares))]))
            return found

        self.job.start(work, newest=True)

    def forget(self) -> None:
        """Another image, or another map, comes."""
        self.job.cancel()
        self._found.clear()

    def close_down(self) -> None:
        """Stop."""
        self.job.close()

    def _on_found(self, found: list[tuple[Matched, str]]) -> None:
        if found:
            self._found |= {region.id: (region, prompt) for region, prompt in found}
            self.known.emit()


def _hottest(region: Matched, maps: dict[Position, np.ndarray]) -> tuple[Position, tuple[int, int]]:
    """Plane, and (row, column) on its map, of a region's largest value; of its middle where there is no map."""
    mask = region.mask
    planes = (
        [(region.plane, mask.bits)]
        if mask.bits.ndim == 2
        else [((*region.plane, z), bits) for z, bits in enumerate(mask.bits, mask.start[0])]
    )
    (rows, columns) = mask.slices[-2:]
    best = (-1.0, planes[len(planes) // 2][0], ((rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2))
    for position, bits in planes:
        if position in maps and bits.any():
            values = np.where(bits, np.nan_to_num(maps[position][rows, columns], nan=-1.0), -1.0)
            row, column = np.unravel_index(int(values.argmax()), values.shape)
            best = max(
                best, (float(values[row, column]), position, (rows.start + int(row), columns.start + int(column)))
            )
    return best[1], best[2]

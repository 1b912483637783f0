"""A viewer with a map under review, without a model: bright squares on a map that is put in place of a computed one."""

from __future__ import annotations

from collections.abc import Sequence

import napari
import numpy as np
from gui.scored import scored, shown

from napari_anoclip.plugin import results
from napari_anoclip.plugin.planes import ImageChoice, all_planes
from napari_anoclip.plugin.reviewer import Reviewer

BACKGROUND, THRESHOLD = 0.2, 0.5
SQUARE = 8
"""Pixels across."""


def blobs(shape: tuple[int, int], places: Sequence[tuple[int, int, float]]) -> np.ndarray:
    """A map (H, W) with a square of a probability at each (row, column) of its first pixel."""
    values = np.full(shape, BACKGROUND, np.float32)
    for row, column, probability in places:
        values[row : row + SQUARE, column : column + SQUARE] = probability
    return values


def show_map(
    viewer: napari.Viewer, layer: napari.layers.Image, values: np.ndarray, choice: ImageChoice | None = None
) -> napari.layers.Image:
    """Give an image a result, as a run does."""
    result = results.show(viewer.layers, shown(layer, viewer.dims, values, choice=choice or ImageChoice()))
    results.set_threshold(viewer.layers, result, THRESHOLD, False)
    return result


def show_stack(viewer: napari.Viewer, layer: napari.layers.Image, maps: Sequence[np.ndarray]) -> napari.layers.Image:
    """Give every plane of a stack a result."""
    for plane in all_planes(layer, viewer.dims, ImageChoice(planes="all")):
        result = results.show(viewer.layers, scored(plane, maps[plane.hidden[0]]))
    results.set_threshold(viewer.layers, result, THRESHOLD, False)
    return result


def wait_for_regions(qtbot, reviewer: Reviewer, count: int | None = None) -> None:
    """Wait until the regions of the map are there, and nothing is under way."""

    def there() -> bool:
        busy = reviewer._finder.job.busy or reviewer._identity.job.busy or reviewer._soon.isActive()
        return not busy and reviewer.entry is not None and (count is None or len(reviewer.regions) == count)

    qtbot.waitUntil(there, timeout=20_000)

"""Masks painted in the viewer, and the threshold of the scores that agrees best with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels

from napari_anoclip.engine.histogram import ScoreHistogram, best_f1
from napari_anoclip.plugin.plane_pixels import PlanePixels, inside
from napari_anoclip.plugin.provenance import METADATA_KEY

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_anoclip.plugin.run_request import PlaneResult


@dataclass(frozen=True, eq=False)
class ScoredPixels:
    """The scores of a plane and which pixels of its image they belong to; holds on to no layer.

    Attributes
    ----------
    scores : ndarray
        (h, w) map.
    shape : tuple of int
        Of the image, colours left out.
    index, axes, window, outline, block
        As of the `Plane`.
    """

    scores: np.ndarray
    shape: tuple[int, ...]
    index: tuple[int | None, ...]
    axes: tuple[int, int]
    window: tuple[slice, slice]
    outline: np.ndarray | None
    block: int

    @classmethod
    def of(cls, result: PlaneResult) -> ScoredPixels:
        """Take from a result what is needed to compare it with a mask."""
        plane = result.plane
        shape = tuple(plane.data.shape[: len(plane.index)])
        return cls(result.detection.map, shape, plane.index, plane.axes, plane.window, plane.outline, plane.block)

    def masks(self, layers: Iterable[Layer]) -> list[Layer]:
        """The Labels layers with as many pixels as the image, or as one plane of it; our own contours are none."""
        flat = tuple(self.shape[axis] for axis in sorted(self.axes))
        return [
            layer
            for layer in layers
            if isinstance(layer, Labels)
            and METADATA_KEY not in layer.metadata
            and not layer.multiscale
            and tuple(layer.data.shape) in (self.shape, flat)
        ]

    def judged_by(self, mask: Layer) -> Callable[[], tuple[float, float]]:
        """The work that finds the best threshold and its F1 against a mask, for a thread: it touches no layer.

        The work raises `ImageError` if the mask marks nothing, or cannot be read.
        """
        data = mask.data
        index, axes = self.index, self.axes
        if data.ndim < len(self.shape):
            index, axes = (None, None), ((0, 1) if self.axes[0] < self.axes[1] else (1, 0))
        pixels = PlanePixels(data, index, axes, self.window, mask.name)
        return lambda: self._best(pixels)

    def _best(self, mask: Any) -> tuple[float, float]:
        scores = self.scores
        if self.outline is not None:
            within = inside((np.asarray(self.outline) + 0.5) / self.block - 0.5, scores.shape)
            scores = np.where(within, scores, np.float32(np.nan))
        centres = slice(self.block // 2, None, self.block)
        marked = mask[centres, centres] > 0
        scores = scores[: marked.shape[0], : marked.shape[1]]  # a last block may end before its centre
        return best_f1(ScoreHistogram.of(scores[marked]), ScoreHistogram.of(scores[~marked]))

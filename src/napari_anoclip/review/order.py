"""In which order regions are judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from napari_anoclip.review.matching import Matched
from napari_anoclip.review.regions import measure

Maps = NDArray[Any] | Mapping[tuple[int, ...], NDArray[Any]]

_FARTHEST = 1e-7
"""Probabilities nearer to 0 or 1 than float32 can tell apart are this far from it, so that their logit is finite."""


class Order(StrEnum):
    """What comes first."""

    HIGHEST = "highest"
    DOUBTFUL = "doubtful"
    LARGEST = "largest"
    TELLING = "telling"


def ordered(regions: Iterable[Matched], order: Order, threshold: float, other: Maps | None = None) -> list[Matched]:
    """Sort regions; equal ones by their number, and those that have no map last.

    Parameters
    ----------
    regions : iterable of Matched
        Regions of an image.
    order : Order
        HIGHEST: by their maximum. DOUBTFUL: those whose maximum is nearest to the threshold. LARGEST: by area.
        TELLING: by abs(logit(p) - logit(q)) of a region's mean probabilities p on its map and q on the other one.
    threshold : float
        Probability.
    other : ndarray or mapping, optional
        For TELLING, map of the same image under another prompt set: (H, W), or a stack or volume of them; or one (H, W)
        for each plane.

    Returns
    -------
    list of Matched
    """

    def first(region: Matched) -> float | None:
        measures = region.measures
        if measures is None:
            return None
        if order is Order.LARGEST:
            return measures.area
        if measures.mean is None or measures.maximum is None:
            return None
        if order is Order.HIGHEST:
            return measures.maximum
        if order is Order.DOUBTFUL:
            return -abs(measures.maximum - threshold)
        there = _mean_on(other, region)
        return None if there is None else abs(_logit(measures.mean) - _logit(there))

    def key(region: Matched) -> tuple[bool, float, int]:
        value = first(region)
        return value is None, -(value or 0.0), region.id

    return sorted(regions, key=key)


def _mean_on(maps: Maps | None, region: Matched) -> float | None:
    """Mean probability of a region on another map; None where there is none."""
    if maps is None:
        return None
    map_ = maps.get(region.plane) if isinstance(maps, Mapping) else maps[region.plane]
    return None if map_ is None else measure(map_, region.mask).mean


def _logit(probability: float) -> float:
    inside = min(max(probability, _FARTHEST), 1 - _FARTHEST)
    return math.log(inside / (1 - inside))

"""Regions of a map above a threshold, and what is measured of them.

A region's pixels are those where the map exceeds the threshold (as the contour draws it), with its holes if wanted.
All regions are measured at once, by sums over a label image: `skimage.measure.regionprops` measures them one by one in
Python, which takes seconds for 10,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.review.judgement import Measures
from napari_anoclip.review.region_mask import BoolArray, RegionMask


class RegionSettings(BaseModel):
    """What counts as a region of a map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_area: int = Field(16, ge=1, le=1_000_000, description="Smallest region, in pixels of the map.")
    fill_holes: bool = Field(True, description="A hole within a region belongs to it.")
    merge_distance: int = Field(
        0, ge=0, le=100, description="Regions with at most so many pixels of the map between them are one."
    )
    volume: bool = Field(False, description="Regions reach through the planes of a volume, instead of one each.")


@dataclass(frozen=True)
class Found:
    """A region of a map.

    Attributes
    ----------
    mask : RegionMask
        Its pixels.
    plane : tuple of int
        Position of its map in a stack; empty for a flat image's, and for a volume's.
    measures : Measures
        On its map.
    """

    mask: RegionMask
    plane: tuple[int, ...]
    measures: Measures


def find_regions(
    values: NDArray[Any], threshold: float, settings: RegionSettings, plane: tuple[int, ...] = ()
) -> list[Found]:
    """Find what lies above a threshold.

    Pixels that touch, also by a corner, belong together.

    Parameters
    ----------
    values : ndarray
        (H, W) or (D, H, W) probabilities; NaN where none was computed. Planes of the latter are told apart, by a number
        at the end of `plane`, unless `settings.volume` is set.
    threshold : float
        Probability; what exceeds it is found.
    settings : RegionSettings
        What counts as a region.
    plane : tuple of int
        Position of the map in a stack.

    Returns
    -------
    list of Found
        By their maximum, highest first.
    """
    if values.ndim == 3 and not settings.volume:
        stack = (find_regions(one, threshold, settings, (*plane, at)) for at, one in enumerate(values))
        return sorted((found for one in stack for found in one), key=lambda found: -(found.measures.maximum or 0.0))
    above = values > threshold
    if settings.fill_holes:
        above |= _holes(above, values)
    return _measured(_labelled(above, settings.merge_distance), values, settings.min_area, plane)


def measure(values: NDArray[Any] | None, mask: RegionMask) -> Measures:
    """Measure one region.

    Parameters
    ----------
    values : ndarray or None
        Map of probabilities that the mask lies on; NaN is left out of mean and maximum.
    mask : RegionMask
        The region.

    Returns
    -------
    Measures
    """
    offsets = np.nonzero(mask.bits)
    picked = None if values is None else mask.of_map(values)
    return _measures(np.zeros(mask.area, np.intp), offsets, np.array([mask.start]), picked)[0]


def _holes(above: BoolArray, values: NDArray[Any]) -> BoolArray:
    """What is below the threshold and surrounded by what is above; where a map was not computed, a hole isn't known."""
    below = _numbered(~above, connectivity=1)
    reaches_out = np.zeros(int(below.max(initial=0)) + 1, np.bool_)
    reaches_out[0] = True
    for axis in range(above.ndim):
        for end in (0, -1):
            reaches_out[below.take(end, axis)] = True
    reaches_out[below[np.isnan(values)]] = True
    holes: BoolArray = ~reaches_out[below]
    return holes


def _labelled(above: BoolArray, merge_distance: int) -> NDArray[np.intp]:
    """Number what belongs together, from 1."""
    if not merge_distance:
        return _numbered(above)
    # Grown to one side by the whole distance, not to both by half of it: that is exact for odd distances as well.
    grown = _numbered(_grown(above, merge_distance))
    middle = merge_distance // 2
    return np.where(above, grown[tuple(slice(middle, middle + length) for length in above.shape)], 0)


def _numbered(mask: BoolArray, connectivity: int | None = None) -> NDArray[np.intp]:
    # Here, for it brings SciPy's image filters: the dock, which knows reviews, opens without them.
    from skimage.measure import label

    labels: NDArray[np.intp] = label(mask, connectivity=connectivity)
    return labels


def _grown(above: BoolArray, distance: int) -> BoolArray:
    """Replace each pixel by a ball `distance + 1` across, whose box begins at the pixel; so much larger at the ends.

    The ball is a stack of runs. `skimage.morphology` does the same by a distance transform, at ten times the cost.
    """
    wide = np.pad(above, [(0, distance)] * above.ndim)
    centre, radius = distance / 2, (distance + 1) / 2
    runs: dict[int, list[tuple[int, ...]]] = {}
    for offset in product(range(distance + 1), repeat=above.ndim - 1):
        left = radius**2 - sum((o - centre) ** 2 for o in offset)
        columns = [k for k in range(distance + 1) if (k - centre) ** 2 <= left]
        if columns:
            runs.setdefault(len(columns), []).append((*offset, columns[0]))
    grown, run, done = np.zeros_like(wide), wide, 1
    for width in sorted(runs):
        while done < width:
            step = min(done, width - done)
            run, done = run | _shifted(run, (0,) * (above.ndim - 1) + (step,)), done + step
        for offset in runs[width]:
            grown |= _shifted(run, offset)
    return grown


def _shifted(mask: BoolArray, offset: tuple[int, ...]) -> BoolArray:
    """Move to higher places; what is moved beyond the end is lost."""
    moved = np.zeros_like(mask)
    moved[tuple(slice(o, None) for o in offset)] = mask[
        tuple(slice(length - o) for o, length in zip(offset, mask.shape, strict=True))
    ]
    return moved


def _measured(labels: NDArray[np.intp], values: NDArray[Any], min_area: int, plane: tuple[int, ...]) -> list[Found]:
    """Cut the regions out of a label image, hottest first, but for small ones."""
    flat = np.flatnonzero(labels)
    owner = labels.ravel()[flat]
    picked = values.ravel()[flat]
    area = np.bincount(owner)
    large = np.flatnonzero(area >= min_area)
    heat = np.full(area.size, -np.inf)
    np.maximum.at(heat, owner, picked)
    large = large[np.argsort(-heat[large], kind="stable")]
    place = np.full(area.size, -1)
    place[large] = np.arange(large.size)

    kept = place[owner] >= 0
    owner, picked = place[owner[kept]], picked[kept]
    where = np.unravel_index(flat[kept], labels.shape)
    start = np.full((large.size, labels.ndim), np.iinfo(np.intp).max)
    stop = np.zeros((large.size, labels.ndim), np.intp)
    for axis, along in enumerate(where):
        np.minimum.at(start[:, axis], owner, along)
        np.maximum.at(stop[:, axis], owner, along + 1)
    offsets = tuple(along - start[owner, axis] for axis, along in enumerate(where))
    measures = _measures(owner, offsets, start, picked)

    found = []
    for number, first, end, measured in zip(large, start.tolist(), stop.tolist(), measures, strict=True):
        bits = labels[tuple(slice(a, b) for a, b in zip(first, end, strict=True))] == number
        bits.flags.writeable = False
        found.append(Found(RegionMask(tuple(first), bits), plane, measured))
    return found


def _measures(
    owner: NDArray[np.intp],
    offsets: tuple[NDArray[np.intp], ...],
    start: NDArray[np.intp],
    picked: NDArray[Any] | None,
) -> list[Measures]:
    """Measure regions whose pixels are given one by one.

    Parameters
    ----------
    owner : ndarray
        (n,) which region a pixel belongs to.
    offsets : tuple of ndarray
        (n,) place of the pixel in the region's box, along each axis.
    start : ndarray
        (regions, axes) first pixel of each box.
    picked : ndarray or None
        (n,) probability of the pixel.
    """
    count, axes = start.shape
    area = np.bincount(owner, minlength=count)
    centre = np.stack([np.bincount(owner, along, count) / area for along in offsets], axis=1)
    away = [along - centre[owner, axis] for axis, along in enumerate(offsets)]
    spread = np.empty((count, axes, axes))
    for i, j in product(range(axes), repeat=2):
        spread[:, i, j] = np.bincount(owner, away[i] * away[j], count) / area if i <= j else spread[:, j, i]
    # Of the ellipse (ellipsoid) of the same second moments: its variance along an axis is the square of that
    # semi-axis, over 4 (5).
    length = 2 * np.sqrt((axes + 2) * np.linalg.eigvalsh(spread)[:, -1].clip(0))
    turned = _orientation(spread).tolist() if axes == 2 else [None] * count
    mean, maximum = _mean_and_maximum(owner, picked, count)
    return [
        Measures(area=a, centroid=tuple(c), mean=m, maximum=top, length=le, orientation=o)
        for a, c, m, top, le, o in zip(
            area.tolist(), (centre + start).tolist(), mean, maximum, length.tolist(), turned, strict=True
        )
    ]


def _orientation(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) angles as of `skimage.measure.regionprops`, also where no axis is the longer one."""
    rows, columns, both = spread[:, 0, 0], spread[:, 1, 1], spread[:, 0, 1]
    return np.where(
        rows == columns, np.where(both > 0, np.pi / 4, -np.pi / 4), np.arctan2(2 * both, rows - columns) / 2
    )


def _mean_and_maximum(
    owner: NDArray[np.intp], picked: NDArray[Any] | None, count: int
) -> tuple[list[float | None], list[float | None]]:
    if picked is None:
        return [None] * count, [None] * count
    known = np.isfinite(picked)
    owner, picked = owner[known], picked[known].astype(np.float64)
    number = np.bincount(owner, minlength=count)
    mean = np.bincount(owner, picked, count) / np.maximum(number, 1)
    maximum = np.full(count, -np.inf)
    np.maximum.at(maximum, owner, picked)
    pairs = [(m, top) if n else (None, None) for n, m, top in zip(number, mean.tolist(), maximum.tolist(), strict=True)]
    return [m for m, _ in pairs], [top for _, top in pairs]

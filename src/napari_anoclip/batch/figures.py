"""Figures of merit of a data set's category, counted image by image: memory does not grow with their number.

Formulae, bins and intervals: docs/evaluate.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from napari_anoclip.batch.score_bins import ScoreBins, order_keys
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.words import counted
from napari_anoclip.review import bootstrap
from napari_anoclip.review.curves import RESCALED_LIMIT, RESCALED_THRESHOLDS, Curves, above
from napari_anoclip.review.metrics import FEWEST, Figure

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

GROUPS = 64
"""Image i belongs to group i mod 64; the bootstrap draws groups, so that no image need be kept."""

FINE = 1 << 20
"""Bins of the figures themselves."""

COARSE = 1 << 12
"""Bins of each group, of which only the intervals are made."""

TITLES: Mapping[str, str] = {
    "pixel_auroc": "Pixel AUROC",
    "pixel_ap": "Pixel AP",
    "pixel_f1_max": "Pixel F1-max",
    "aupro_30": "AUPRO 0.3",
    "aupro_05": "AUPRO 0.05",
    "pro_rescaled": "PRO, rescaled",
    "image_auroc": "Image AUROC",
    "image_ap": "Image AP",
    "image_f1_max": "Image F1-max",
}
"""What the figures are called, in the order of tables."""

PIXEL_FIGURES = tuple(name for name in TITLES if not name.startswith("image_"))
IMAGE_FIGURES = tuple(name for name in TITLES if name.startswith("image_"))

_EIGHT_CONNECTED = np.ones((3, 3), bool)
_DEFECT, _NORMAL, _OVERLAP = range(3)
_NO_TWO = f"no two of its {RESCALED_THRESHOLDS} thresholds have different false-positive rates below {RESCALED_LIMIT}"


class DataFigures(BaseModel):
    """All figures of merit of a category, or their mean over categories.

    Attributes
    ----------
    pixel_auroc, pixel_ap, pixel_f1_max : Figure
        All pixels of the category together.
    aupro_30, aupro_05 : Figure
        Per-region overlap up to a false-positive rate of 0.3 and of 0.05.
    pro_rescaled : Figure
        The same as the research code reckons it.
    image_auroc, image_ap, image_f1_max : Figure
        Image scores.
    images, defective : int
        Images counted, and those of them known to have a defect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_auroc: Figure
    pixel_ap: Figure
    pixel_f1_max: Figure
    aupro_30: Figure
    aupro_05: Figure
    pro_rescaled: Figure
    image_auroc: Figure
    image_ap: Figure
    image_f1_max: Figure
    images: int = Field(ge=0)
    defective: int = Field(ge=0)

    def __getitem__(self, name: str) -> Figure:
        """One of `TITLES`."""
        figure: Figure = getattr(self, name)
        return figure


class FigureCounter:
    """Counts images of one category, one after the other; an image is called by its number, from 0 on."""

    def __init__(self) -> None:
        self._pixels = _Tally(3)
        self._scores: list[tuple[int, bool, float]] = []
        self._images = self._regions = 0
        self._masked = self._with_regions = self._with_normal = 0

    def add_score(self, number: int, score: float, defective: bool | None) -> None:
        """Count the score of an image.

        Parameters
        ----------
        number : int
            Of the image.
        score : float
            Its score.
        defective : bool or None
            Whether it has a defect; None where that is not known, and then it does not count.
        """
        self._images = max(self._images, number + 1)
        if defective is not None:
            self._scores.append((number % GROUPS, defective, score))

    def add_map(self, number: int, heat: NDArray[np.float32], mask: BoolArray) -> None:
        """Count the pixels of an image.

        Parameters
        ----------
        number : int
            Of the image.
        heat : ndarray
            (H, W) scores of its pixels.
        mask : ndarray
            (H, W) bool, its defect pixels; all False in a good image.

        Raises
        ------
        ImageError
            If the mask is not of the map's size.
        """
        if heat.shape != mask.shape:
            raise ImageError(
                f"The mask has {mask.shape[0]} × {mask.shape[1]} pixels and the map {heat.shape[0]} × "
                f"{heat.shape[1]}: a mask must be as large as its image."
            )
        group, keys = number % GROUPS, order_keys(heat)
        regions, count = ndimage.label(mask, _EIGHT_CONNECTED)
        self._pixels.add(group, _NORMAL, keys[~mask])
        if count:
            numbers, defects = regions[mask], keys[mask]
            self._pixels.add(group, _DEFECT, defects)
            self._pixels.add(group, _OVERLAP, defects, 1 / np.bincount(numbers)[numbers])
        self._images = max(self._images, number + 1)
        self._masked += 1
        self._regions += count
        self._with_regions += count > 0
        self._with_normal += not mask.all()

    def figures(self) -> DataFigures:
        """The figures of all images so far."""
        groups = min(self._images, GROUPS)
        return DataFigures(
            **self._pixel_figures(groups),
            **self._image_figures(groups),
            images=self._images,
            defective=sum(defective for _, defective, _ in self._scores),
        )

    def _pixel_figures(self, groups: int) -> dict[str, Figure]:
        if not self._masked:
            lack = "no image has a mask"
        elif not self._regions:
            lack = "no mask marks a defect pixel"
        else:
            lack = "" if self._with_normal else "masks mark all pixels as defects"
        if lack:
            return dict.fromkeys(PIXEL_FIGURES, Figure.nothing(self._regions, lack))
        words = (
            f"{counted(self._regions, 'defect region')} in {counted(self._with_regions, 'image')}, "
            f"normal pixels of {counted(self._with_normal, 'image')}"
        )
        fewest = min(self._with_regions, self._with_normal)
        return self._pixels.figures(PIXEL_FIGURES, groups, self._regions, fewest, words)

    def _image_figures(self, groups: int) -> dict[str, Figure]:
        bad = sum(defective for _, defective, _ in self._scores)
        good = len(self._scores) - bad
        if not (good and bad):
            lack = " and ".join(
                f"no {what} image" for what, number in (("defective", bad), ("good", good)) if not number
            )
            return dict.fromkeys(IMAGE_FIGURES, Figure.nothing(good + bad, lack))
        words = f"{counted(bad, 'defective image')}, {counted(good, 'good image')}"
        # There are few of them: ranks tell apart what float32 would not.
        ranks = np.unique([score for _, _, score in self._scores], return_inverse=True)[1].astype(np.int64)
        tally = _Tally(2)
        for rank, (group, defective, _) in zip(ranks, self._scores, strict=True):
            tally.add(group, _DEFECT if defective else _NORMAL, rank[None])
        return tally.figures(IMAGE_FIGURES, groups, good + bad, min(good, bad), words)


def mean_figures(categories: Sequence[DataFigures]) -> DataFigures:
    """Mean of each figure over the categories that have it.

    Categories are independent, so that their intervals' halves add up as squares.

    Parameters
    ----------
    categories : sequence of DataFigures

    Returns
    -------
    DataFigures
        `Figure.count` says how many categories a mean is of.
    """
    return DataFigures(
        **{name: _mean([one[name] for one in categories]) for name in TITLES},
        images=sum(one.images for one in categories),
        defective=sum(one.defective for one in categories),
    )


def _mean(figures: Sequence[Figure]) -> Figure:
    known = [one for one in figures if one.value is not None]
    if not known:
        return Figure.nothing(0, figures[0].words if len(figures) == 1 else "no category has it")
    value = math.fsum(one.value or 0.0 for one in known) / len(known)
    of = "" if len(known) == len(figures) else f" of {len(figures)}"
    words = f"mean of {len(known)}{of} {'category' if len(figures) == 1 else 'categories'}"
    ends: dict[str, float | None] = {"low": None, "high": None}
    for end, sign in (("low", -1), ("high", 1)):
        halves = [(getattr(one, end), one.value) for one in known]
        if all(reached is not None for reached, _ in halves):
            half = math.sqrt(math.fsum((reached - (middle or 0.0)) ** 2 for reached, middle in halves)) / len(known)
            ends[end] = min(max(value + sign * half, 0.0), 1.0)
    return Figure(value=value, count=len(known), words=words, **ends)


class _Tally:
    """Counts by score: of all images in fine bins, and of each group in coarse ones."""

    def __init__(self, kinds: int) -> None:
        self._kinds = kinds
        self._fine = ScoreBins(kinds, FINE)
        self._coarse = ScoreBins(kinds * GROUPS, COARSE)

    def add(self, group: int, kind: int, keys: NDArray[np.int64], weights: FloatArray | None = None) -> None:
        self._fine.add(kind, keys, weights)
        self._coarse.add(group * self._kinds + kind, keys, weights)

    def figures(self, names: Sequence[str], groups: int, count: int, rests_on: int, words: str) -> dict[str, Figure]:
        """Those of some `TITLES`, of so many things; of one of the two kinds there are only so many images."""
        counts = self._fine.counts.T[:, None]
        values = _values(names, counts, self._fine.scores, np.array([float(count)]))[0]
        if rests_on < FEWEST:
            return {
                name: _figure(value, None, count, f"{words}; too few images for an interval")
                for name, value in zip(names, values, strict=True)
            }
        drawn = self._resampled(names, groups, count)
        # What coarse bins lose, they lose of every resample alike.
        drawn = drawn[1:] - drawn[0] + values
        return {
            name: _figure(value, of_draws, count, words)
            for name, value, of_draws in zip(names, values, drawn.T, strict=True)
        }

    def _resampled(self, names: Sequence[str], groups: int, count: int) -> FloatArray:
        """Figures (1 + resamples, names) with groups drawn anew; of the groups as they are in the first row."""
        taken = bootstrap.draws(groups)
        by_group = self._coarse.counts.reshape(-1, GROUPS, self._kinds)[:, :groups].transpose(2, 1, 0)
        scores = self._coarse.scores
        # The regions of a resample are what their shares sum up to.
        regions = taken @ by_group[-1].sum(axis=1) if self._kinds > _OVERLAP else np.full(len(taken), float(count))
        return bootstrap.of_each(lambda some: _values(names, taken[some] @ by_group, scores, regions[some]), len(taken))


def _values(names: Sequence[str], counts: FloatArray, scores: FloatArray, regions: FloatArray) -> FloatArray:
    """Figures (k, names) of counts (kinds, k, m) in bins of these lowest scores (m,)."""
    curves = Curves.of(counts[_DEFECT], counts[_NORMAL])
    overlap = above(counts[_OVERLAP]) if len(counts) > _OVERLAP else curves.defect
    made: Mapping[str, Callable[[], FloatArray]] = {
        "auroc": curves.auroc,
        "ap": curves.average_precision,
        "f1_max": curves.f1_max,
        "30": lambda: curves.aupro(overlap, regions, 0.3),
        "05": lambda: curves.aupro(overlap, regions, 0.05),
        "rescaled": lambda: curves.rescaled_pro(overlap, regions, scores),
    }
    return np.stack([made[name.split("_", 1)[1]]() for name in names], axis=1)


def _figure(value: float, draws: FloatArray | None, count: int, words: str) -> Figure:
    if math.isnan(value):
        return Figure.nothing(count, _NO_TWO)  # the only figure of which that can come
    low = high = None
    if draws is not None and not np.isnan(draws).all():
        low, high = bootstrap.interval(draws.clip(0, 1))
    return Figure(value=float(value), low=low, high=high, count=count, words=words)

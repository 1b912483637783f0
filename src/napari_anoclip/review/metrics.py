"""How good the maps are, by what was judged: figures of merit, each with what it rests on and how sure it is.

What is known of an image, and so what is counted, is said by `exam`. Here it is counted: scores in bins, so that a
thousand images fit into memory and hundreds of resamples take no time. Sources of the formulae: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.engine.words import counted
from napari_anoclip.review import bootstrap
from napari_anoclip.review.curves import Curves, above, ratio

FloatArray = NDArray[np.float64]

FEWEST = 3
"""With fewer of a kind (defect regions, good images, ...) a number would say more about chance than about the map."""

FALSE_POSITIVE_LIMIT = 0.3
"""False-positive rate at which AUPRO's integration ends."""

BINS = 1 << 14
"""Half of them shared out by the defect pixels, half by the normal ones: average precision is right to 0.0001 then."""

_FINE = 1 << 20


class Figure(BaseModel):
    """One figure of merit.

    Attributes
    ----------
    value : float or None
        None where there is too little to tell it from.
    low, high : float or None
        Ends of the 95 % bootstrap interval over images; None with fewer than `FEWEST` images.
    count : int
        What it rests on: defect regions, or images of `image_auroc` and `false_regions`.
    words : str
        The same in words, or what there is too little of.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None
    high: float | None
    count: int = Field(ge=0)
    words: str

    @classmethod
    def nothing(cls, count: int, lack: str) -> Figure:
        """None, of so many things, for a lack that is said in words."""
        return cls(value=None, low=None, high=None, count=count, words=lack)

    @property
    def total(self) -> int | None:
        """Of a mean over `count` things, what they have together: regions found, or false ones."""
        return None if self.value is None else round(self.value * self.count)


class Figures(BaseModel):
    """All figures of merit of a prompt set, with the settings of the moment.

    A plane of a stack counts as an image; the bootstrap takes all planes of a stack or none.

    Attributes
    ----------
    pixel_auroc, pixel_ap : Figure
        Area under the ROC curve and average precision of pixels: how well the map ranks them, whatever the threshold.
    f1_max, f1 : Figure
        F1 of pixels at the best threshold, and at `threshold`.
    aupro : Figure
        Per-region overlap up to a false-positive rate of 0.3.
    image_auroc : Figure
        How well image scores tell defective images from good ones.
    recall : Figure
        Share of the defect regions that a found region meets.
    false_regions : Figure
        Found regions an image that are none. The mean is over the images that were looked at as a whole, and those
        judged in part that have a region judged false: of these, only found regions on such are counted.
    threshold : float
        Probability, of `f1`, `recall` and `false_regions`.
    images : int
        Images of which anything is known.
    complete : int
        Those of them that were looked at as a whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixel_auroc: Figure
    pixel_ap: Figure
    f1_max: Figure
    f1: Figure
    aupro: Figure
    image_auroc: Figure
    recall: Figure
    false_regions: Figure
    threshold: float
    images: int = Field(ge=0)
    complete: int = Field(ge=0)


class Binning:
    """Bins for the scores of one exam, so narrow where there are many that next to no order is lost in them.

    Probabilities of a model may all lie between 0.471 and 0.490, and defects are few: bins of equal width would put
    most of what matters into a few of them. Everything counted in them depends on the order of scores alone.

    Parameters
    ----------
    low, high : float
        The lowest and the highest score of all.
    parts : iterable of tuple
        (values, defect, normal) of each image: scores (n,), and how many defect and normal pixels have them. Gone
        through once, one image after the other.
    """

    def __init__(
        self, low: float, high: float, parts: Iterable[tuple[NDArray[np.float32], FloatArray, FloatArray]]
    ) -> None:
        self._low, self._reach = low, max(high - low, 1e-12)
        fine = np.zeros((2, _FINE))
        for values, defect, normal in parts:
            bins = self._fine_bins(values)
            for counts, weights in zip(fine, (defect, normal), strict=True):
                np.add.at(counts, bins, weights)
        shares = fine / np.maximum(fine.sum(axis=1, keepdims=True), 1)
        share = shares.sum(axis=0)
        # By its middle: a score that fills bins of its own is kept apart from those before and after it.
        self._bins = ((np.cumsum(share) - share / 2) / 2 * BINS).clip(0, BINS - 1).astype(np.int32)

    def bins(self, values: NDArray[np.float32]) -> NDArray[np.int32]:
        """Bin (n,) of each score (n,): 0 to `BINS` - 1."""
        bins: NDArray[np.int32] = self._bins[self._fine_bins(values)]
        return bins

    def _fine_bins(self, values: NDArray[np.float32]) -> NDArray[np.int32]:
        """Bin (n,) of equal width, between the lowest and the highest score."""
        shares = (values.astype(np.float64) - self._low) / self._reach
        return np.clip(shares * _FINE, 0, _FINE - 1).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Scores:
    """What is counted of one image. Those of one exam belong together: their bins are the same.

    Attributes
    ----------
    image : str
        Key of the image; planes of a stack share it.
    defect, normal : ndarray
        (BINS,) pixels known to be defective and normal, by score.
    overlap : ndarray
        (BINS,) sum over the defect regions of the share of their pixels, by score.
    hits, false_alarms : float
        Defect and normal pixels above the threshold.
    regions, met : int
        Defect regions, and those that a found region meets.
    false_judgements : int
        Regions judged false.
    false_regions : int or None
        Found regions that are none; None where that cannot be told.
    complete : bool
        Whether the image was looked at as a whole.
    score : float
        Of the image.
    defective : bool or None
        Whether the image has a defect; None where that cannot be told.
    """

    image: str
    defect: NDArray[np.float32]
    normal: NDArray[np.float32]
    overlap: NDArray[np.float32]
    hits: float
    false_alarms: float
    regions: int
    met: int
    false_judgements: int
    false_regions: int | None
    complete: bool
    score: float
    defective: bool | None


def figures(scores: Sequence[Scores], threshold: float) -> Figures:
    """Sum up an exam.

    Parameters
    ----------
    scores : sequence of Scores
        Of one exam.
    threshold : float
        The one that they were made with.

    Returns
    -------
    Figures
    """
    known = [one for one in scores if one.regions or one.false_judgements or one.complete]
    weights = _draws([one.image for one in known])
    return Figures(
        **_pixel_figures(known, weights),
        image_auroc=_image_auroc(known, weights),
        recall=_recall(known, weights),
        false_regions=_false_regions(known, weights),
        threshold=threshold,
        images=len(known),
        complete=sum(one.complete for one in known),
    )


def _draws(images: Sequence[str]) -> FloatArray:
    """How often each plane or image (n) is taken, (1 + resamples, n): once in the first row, which gives the value."""
    places = {image: place for place, image in enumerate(dict.fromkeys(images))}
    return bootstrap.draws(len(places))[:, [places[image] for image in images]]


def _figure(values: FloatArray, rests_on: Iterable[Scores], count: int, words: str) -> Figure:
    """Value in the first place of (1 + resamples,), NaN where a resample had nothing to tell it from."""
    if len({one.image for one in rests_on}) < FEWEST:
        return Figure(
            value=float(values[0]), low=None, high=None, count=count, words=f"{words}; too few images for an interval"
        )
    low, high = bootstrap.interval(values[1:])
    return Figure(value=float(values[0]), low=low, high=high, count=count, words=words)


def _lacks(**kinds: int) -> str:
    """What there is too little of, of counts by the words for one; empty if there is enough."""
    few = [counted(number, kind.replace("_", " ")) for kind, number in kinds.items() if number < FEWEST]
    return f"too few: {' and '.join(few)}, at least {FEWEST} are needed" if few else ""


def _pixel_figures(scores: Sequence[Scores], weights: FloatArray) -> dict[str, Figure]:
    names = ("pixel_auroc", "pixel_ap", "f1_max", "f1", "aupro")
    regions = sum(one.regions for one in scores)
    grounds = [one for one in scores if one.normal.any()]
    normal = sum(one.complete + one.false_judgements for one in grounds)  # a whole image, or a region judged false
    lack = _lacks(defect_region=regions, normal_area=normal)
    if lack:
        return dict.fromkeys(names, Figure.nothing(regions, lack))
    counts = tuple(
        np.stack([getattr(one, name) for one in scores], dtype=np.float64) for name in ("defect", "normal", "overlap")
    )
    single = np.array([(one.hits, one.false_alarms, one.regions) for one in scores], dtype=float)
    values = bootstrap.of_each(lambda some: _pixel_values(weights[some], counts, single), len(weights))
    bad = [one for one in scores if one.regions]
    words = (
        f"{counted(regions, 'defect region')} in {counted(len(bad), 'image')}, "
        f"normal pixels of {counted(len(grounds), 'image')}"
    )
    return {name: _figure(values[:, place], bad, regions, words) for place, name in enumerate(names)}


def _pixel_values(weights: FloatArray, counts: tuple[FloatArray, ...], single: FloatArray) -> FloatArray:
    """Pixel AUROC, AP, F1-max, F1 and AUPRO (k, 5) with images (n) taken as often as said.

    Parameters
    ----------
    weights : ndarray
        (k, n) how often.
    counts : tuple of ndarray
        (n, BINS) defect pixels, normal ones, and shares of regions.
    single : ndarray
        (n, 3) hits, false alarms, and defect regions.
    """
    defect, normal, overlap = (above(weights @ of_images) for of_images in counts)
    curves = Curves(defect, normal)
    hits, false_alarms, regions = (weights @ single).T
    return np.stack(
        [
            curves.auroc(),
            curves.average_precision(),
            curves.f1_max(),
            ratio(2 * hits, hits + false_alarms + defect[:, -1]),
            curves.aupro(overlap, regions, FALSE_POSITIVE_LIMIT),
        ],
        axis=1,
    )


def _image_auroc(scores: Sequence[Scores], weights: FloatArray) -> Figure:
    bad, good = ([place for place, one in enumerate(scores) if one.defective is kind] for kind in (True, False))
    told = [scores[place] for place in bad + good]
    lack = _lacks(defective_image=len(bad), good_image=len(good))
    if lack:
        return Figure.nothing(len(told), lack)
    above = np.subtract.outer([scores[place].score for place in bad], [scores[place].score for place in good])
    won = np.sum(weights[:, bad] @ ((np.sign(above) + 1) / 2) * weights[:, good], axis=1)
    pairs = weights[:, bad].sum(axis=1) * weights[:, good].sum(axis=1)
    return _figure(
        ratio(won, pairs),
        told,
        len(told),
        f"{counted(len(bad), 'defective image')}, {counted(len(good), 'good image')}",
    )


def _recall(scores: Sequence[Scores], weights: FloatArray) -> Figure:
    regions, met = (np.array([getattr(one, name) for one in scores], dtype=float) for name in ("regions", "met"))
    count = int(regions.sum())
    lack = _lacks(defect_region=count)
    if lack:
        return Figure.nothing(count, lack)
    with_defects = [one for one in scores if one.regions]
    words = f"{int(met.sum())} of {counted(count, 'defect region')} in {counted(len(with_defects), 'image')}"
    return _figure(ratio(weights @ met, weights @ regions), with_defects, count, words)


def _false_regions(scores: Sequence[Scores], weights: FloatArray) -> Figure:
    told = [place for place, one in enumerate(scores) if one.false_regions is not None]
    lack = _lacks(fully_judged_image=len(told))
    if lack:
        return Figure.nothing(len(told), lack)
    false = np.array([scores[place].false_regions for place in told], dtype=float)
    partly = sum(not scores[place].complete for place in told)
    words = f"{int(false.sum())} in {counted(len(told), 'image')}" + (f", {partly} judged in part" if partly else "")
    values = ratio(weights[:, told] @ false, weights[:, told].sum(axis=1))
    return _figure(values, [scores[place] for place in told], len(told), words)

"""The judged images put to a model: which pixels count as what, and what its maps make of them.

What is counted of an image (docs/metrics.md says it in full):

- Pixels of defect judgements are positive, those of unsure ones are left out, and those of false ones are normal; where
  judgements overlap, the first of these wins. A judgement without a verdict is as good as none.
- All other pixels are normal in an image that was looked at as a whole, and unknown in one judged in part.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.metrics import BINS, Binning, FloatArray, Scores
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings, find_regions

if TYPE_CHECKING:
    from napari_anoclip.engine.detection import Detection
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.engine.mutual import Others
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.reference_memory import ReferenceMemory
    from napari_anoclip.engine.settings import AnoCLIPSettings

SIDE = 256
"""Most values of an exam's map along its longer side: each stands for a square of the map's pixels."""

_PRECEDENCE = (Verdict.DEFECT, Verdict.UNSURE, Verdict.FALSE)

Cells = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Question:
    """An image, or a plane of a stack, with what was said about it.

    Attributes
    ----------
    source : array-like or ImageSource
        Its pixels, (H, W) or (H, W, 1|3|4): of the window that was reviewed, if it was one.
    image : ImageReview
        What is known.
    plane : tuple of int
        Position of the pixels in a stack or volume.
    """

    source: Any
    image: ImageReview
    plane: tuple[int, ...] = ()

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """Those of this plane that have a verdict, by number; of a volume's region, what it covers of the plane."""
        told = (one for _, one in sorted(self.image.judgements.items()) if one.verdict is not None)
        return tuple(one for one in (_on_plane(judgement, self.plane) for judgement in told) if one is not None)

    def check(self, size: tuple[int, int]) -> None:
        """Make sure that an image of a size (H, W) can be the one that was judged.

        Raises
        ------
        ImageError
            If it is not.
        """
        image = self.image
        shape = tuple(math.ceil(length / step - 1e-6) for length, step in zip(size, image.step, strict=True))
        if shape != image.map_shape[-2:]:
            raise ImageError(
                f"{image.name} has {size[0]} × {size[1]} pixels now, and its regions were judged on another size: "
                "put the image that was judged back."
            )


def questions(image: ImageReview, picture: Any) -> list[Question]:
    """Take what was judged of a file apart, plane by plane.

    Parameters
    ----------
    image : ImageReview
        What is known.
    picture : array-like
        All of the file: (..., H, W) or (..., H, W, 1|3|4), the axes before H as those of `image.map_shape`.

    Returns
    -------
    list of Question
        Of planes that have a verdict; of all where the image was looked at as a whole.
    """
    rows, columns = (
        slice(round(first), round(first + step * length))
        for first, step, length in zip(image.origin, image.step, image.map_shape[-2:], strict=True)
    )
    places = [Question(None, image, place) for place in np.ndindex(image.map_shape[:-2])]
    asked = [one.plane for one in places if image.complete or one.judgements]
    return [Question(_Part(picture, plane, (rows, columns)), image, plane) for plane in asked]


class Exam:
    """Puts judged images to a model, again and again.

    Keeps what does not change from one prompt set to the next: which image a source is (so that kept tokens are found
    without reading it again), and which pixels count as what. Not to be used from two threads at once.
    """

    def __init__(self) -> None:
        self._sources: dict[tuple[str, tuple[int, ...]], ImageSource] = {}
        self._truths: dict[tuple[str, tuple[int, ...]], tuple[ImageReview, _Truth]] = {}

    def examine(
        self,
        model: AnoCLIP,
        prompts: PromptSet,
        settings: AnoCLIPSettings,
        asked: Sequence[Question],
        threshold: float,
        regions: RegionSettings,
        *,
        memory: ReferenceMemory | None = None,
        others: Others | None = None,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> list[Scores]:
        """Compare a model's maps with what was judged.

        Maps are computed with at most `SIDE` values along their longer side, each for a square of pixels of the map
        that was judged, and each pixel of the square counts. Regions are found on these maps too: their least area and
        merge distance are scaled down, to no less than one value.

        Parameters
        ----------
        model : AnoCLIP
            The model.
        prompts : PromptSet
            What normal and abnormal look like.
        settings : AnoCLIPSettings
            Everything else of a run.
        asked : sequence of Question
            The judged images.
        threshold : float
            Probability; what exceeds it is found.
        regions : RegionSettings
            What counts as a region. A volume's are found plane by plane.
        memory : ReferenceMemory, optional
            References, as for `AnoCLIP.detect`.
        others : Others, optional
            Other images of the batch that the judged ones are of, as for `AnoCLIP.detect`.
        on_progress : callable, optional
            Called with a `Progress` after each image.
        cancel : CancelFlag, optional
            Polled between images and within them.

        Returns
        -------
        list of Scores
            One a question, for `metrics.figures`.

        Raises
        ------
        ImageError
            If a source is no image, or not of the size that was judged.
        AnoCLIPError
            As for `AnoCLIP.detect`.
        """
        report = Reporter(on_progress, cancel)
        self._forget_others(asked)
        answers = []
        for done, question in enumerate(asked):
            report("scoring judged images", done, len(asked))
            truth, source = self._truth(question), self._source(question)
            question.check(source.size)
            found = model.detect(
                source, prompts, settings, block=truth.block, memory=memory, others=others, cancel=cancel
            )
            answers.append((truth, found))
        report("scoring judged images", len(asked), len(asked))
        low = min((float(found.map.min()) for _, found in answers), default=0.0)
        high = max((float(found.map.max()) for _, found in answers), default=1.0)
        binning = Binning(low, high, ((found.map.ravel(), *truth.pixels()[:2]) for truth, found in answers))
        return [truth.scores(found, threshold, regions, binning) for truth, found in answers]

    def _source(self, question: Question) -> ImageSource:
        from napari_anoclip.engine.image_source import ImageSource

        if isinstance(question.source, ImageSource):
            return question.source
        place = question.image.key, question.plane
        if place not in self._sources:
            self._sources[place] = ImageSource.of(question.source, question.image.contrast_limits)
        return self._sources[place]

    def _truth(self, question: Question) -> _Truth:
        place = question.image.key, question.plane
        kept = self._truths.get(place)
        if kept is None or kept[0] is not question.image:
            kept = self._truths[place] = question.image, _Truth.of(question)
        return kept[1]

    def _forget_others(self, asked: Iterable[Question]) -> None:
        places = {(question.image.key, question.plane) for question in asked}
        self._sources = {place: kept for place, kept in self._sources.items() if place in places}
        self._truths = {place: kept for place, kept in self._truths.items() if place in places}


@dataclass(frozen=True, eq=False)
class _Region:
    """A judgement on an exam's map: its cells (n,), ascending, and how many of its pixels each has."""

    verdict: Verdict
    cells: Cells
    pixels: FloatArray


@dataclass(frozen=True, eq=False)
class _Truth:
    """What each cell (value of an exam's map, counted row by row) stands for.

    Attributes
    ----------
    image : ImageReview
        The judged one.
    shape : tuple of int
        Of the exam's map.
    block : int
        Pixels of the image, across, of a cell.
    zoom : int
        Pixels of the judged map, across, of a cell.
    rows, columns : ndarray
        Row and column of the exam's map that each of the judged map's rows and columns falls into.
    regions : tuple of _Region
        The judgements.
    defect, unsure, false : ndarray
        (n,) cell of every pixel that counts as such.
    """

    image: ImageReview
    shape: tuple[int, int]
    block: int
    zoom: int
    rows: Cells
    columns: Cells
    regions: tuple[_Region, ...]
    defect: Cells
    unsure: Cells
    false: Cells

    @classmethod
    def of(cls, question: Question) -> _Truth:
        """Bring judgements onto the map of an exam."""
        image = question.image
        height, width = image.map_shape[-2:]
        zoom = math.ceil(max(height, width) / SIDE)
        block = max(1, round(zoom * max(image.step)))
        rows, columns = (
            ((np.arange(length) + 0.5) * step / block).astype(np.intp)
            for length, step in zip((height, width), image.step, strict=True)
        )
        shape = int(rows[-1]) + 1, int(columns[-1]) + 1

        def cells(pixels: Cells) -> Cells:
            return rows[pixels // width] * shape[1] + columns[pixels % width]

        pixels: dict[Verdict, list[Cells]] = {verdict: [] for verdict in Verdict}
        regions = []
        for judgement in question.judgements:
            if judgement.verdict is None:
                continue
            inside = _places(judgement.mask, width)
            pixels[judgement.verdict].append(inside)
            met, counts = np.unique(cells(inside), return_counts=True)
            regions.append(_Region(judgement.verdict, met, counts.astype(float)))
        defect, unsure, false = (
            np.unique(np.concatenate([*pixels[verdict], np.empty(0, np.intp)])) for verdict in _PRECEDENCE
        )
        unsure = np.setdiff1d(unsure, defect, assume_unique=True)
        false = np.setdiff1d(false, np.concatenate([defect, unsure]), assume_unique=True)
        told = cells(defect), cells(unsure), cells(false)
        return cls(image, shape, block, zoom, rows, columns, tuple(regions), *told)

    def pixels(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Defect pixels, normal ones, and shares of the defect regions: each (cells,)."""
        count = self.shape[0] * self.shape[1]
        defect = np.bincount(self.defect, minlength=count).astype(float)
        if self.image.complete:
            area = np.outer(np.bincount(self.rows), np.bincount(self.columns)).ravel()
            normal = area - defect - np.bincount(self.unsure, minlength=count)
        else:
            normal = np.bincount(self.false, minlength=count).astype(float)
        overlap = np.zeros(count)
        for region in self.regions:
            if region.verdict is Verdict.DEFECT:
                overlap[region.cells] += region.pixels / region.pixels.sum()
        return defect, normal, overlap

    def scores(self, found: Detection, threshold: float, settings: RegionSettings, binning: Binning) -> Scores:
        """Count what a map makes of it."""
        values = found.map.ravel()
        bins = binning.bins(values)

        def by_score(pixels: FloatArray) -> NDArray[np.float32]:
            return np.bincount(bins, pixels, minlength=BINS).astype(np.float32)

        defect, normal, overlap = self.pixels()
        above = values > threshold
        judged = {verdict: [one for one in self.regions if one.verdict is verdict] for verdict in Verdict}
        numbers, count = self._found(found.map, threshold, settings)
        touched = {verdict: [np.setdiff1d(numbers[one.cells], 0) for one in some] for verdict, some in judged.items()}
        complete = self.image.complete
        if complete:
            false = count - len(set().union(*touched[Verdict.DEFECT], *touched[Verdict.UNSURE]))
        else:
            false = len(
                set().union(*touched[Verdict.FALSE]).difference(*touched[Verdict.DEFECT], *touched[Verdict.UNSURE])
            )
        good = complete and not judged[Verdict.UNSURE]
        return Scores(
            image=self.image.key,
            defect=by_score(defect),
            normal=by_score(normal),
            overlap=by_score(overlap),
            hits=float(defect[above].sum()),
            false_alarms=float(normal[above].sum()),
            regions=len(judged[Verdict.DEFECT]),
            met=sum(bool(one.size) for one in touched[Verdict.DEFECT]),
            false_judgements=len(judged[Verdict.FALSE]),
            false_regions=false if complete or judged[Verdict.FALSE] else None,
            complete=complete,
            score=found.score,
            defective=True if judged[Verdict.DEFECT] else False if good else None,
        )

    def _found(self, values: NDArray[np.float32], threshold: float, settings: RegionSettings) -> tuple[Cells, int]:
        """Number of the found region in each cell, 0 where there is none; and how many there are."""
        scaled = RegionSettings(
            min_area=max(1, round(settings.min_area / self.zoom**2)),
            fill_holes=settings.fill_holes,
            merge_distance=round(settings.merge_distance / self.zoom),
        )
        regions = find_regions(values, threshold, scaled)
        numbers = np.zeros(self.shape, np.intp)
        for number, region in enumerate(regions, start=1):
            region.mask.draw(numbers, number)
        return numbers.ravel(), len(regions)


class _Part:
    """Duck array over a window of one plane of a picture: reads what is asked for, when it is.

    Parameters
    ----------
    picture : array-like
        (..., H, W) or (..., H, W, 1|3|4).
    plane : tuple of int
        Place along the axes before H.
    window : tuple of slice
        Rows and columns.
    """

    def __init__(self, picture: Any, plane: tuple[int, ...], window: tuple[slice, slice]) -> None:
        size = picture.shape[len(plane) : len(plane) + 2]
        self._picture, self._plane = picture, plane
        self._window = tuple(slice(one.start, min(one.stop, length)) for one, length in zip(window, size, strict=True))
        inside = tuple(one.stop - one.start for one in self._window)
        self.shape: tuple[int, ...] = inside + tuple(picture.shape[len(plane) + 2 :])
        self.dtype = picture.dtype

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[Any]:
        moved = (range(one.start, one.stop)[asked] for asked, one in zip(key, self._window, strict=True))
        return np.asarray(self._picture[(*self._plane, *(slice(one.start, one.stop, one.step) for one in moved))])


def _on_plane(judgement: Judgement, plane: tuple[int, ...]) -> Judgement | None:
    """What a judgement says of a plane; of a volume's region, what it covers of it."""
    mask = judgement.mask
    if len(mask.start) == 2:
        return judgement if judgement.plane == plane else None
    if not plane or judgement.plane != plane[:-1] or not mask.start[0] <= plane[-1] < mask.stop[0]:
        return None
    bits = mask.bits[plane[-1] - mask.start[0]]
    if not bits.any():
        return None
    return judgement.model_copy(update={"plane": plane, "mask": RegionMask.of(bits, mask.start[1:])})


def _places(mask: RegionMask, width: int) -> Cells:
    """Each pixel's place on a flat map of so many columns."""
    rows, columns = np.nonzero(mask.bits)
    return (rows + mask.start[0]) * width + columns + mask.start[1]

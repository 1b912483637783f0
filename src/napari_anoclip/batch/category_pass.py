"""One pass over the pictures of a category: each is read and encoded once, and scored by every variant."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.batch.ahead import encoded
from napari_anoclip.batch.datasets import Category, Sample
from napari_anoclip.batch.datasets.masks import picture_size
from napari_anoclip.batch.evaluation import Broken, Resolution
from napari_anoclip.batch.figures import DataFigures, FigureCounter
from napari_anoclip.batch.protocol import Protocol, Window
from napari_anoclip.batch.records import as_text
from napari_anoclip.engine import AnoCLIP
from napari_anoclip.engine.batching import memory_for_an_image
from napari_anoclip.engine.detection import Detection
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.mutual import Others, rescore
from napari_anoclip.engine.progress import CancelFlag, Progress, Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.tiling import Axis, Lattice, resample, upsample
from napari_anoclip.review.pictures import Picture

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class _View:
    """A window of a picture; `last` of those of its picture or not."""

    sample: Sample
    size: tuple[int, int]
    window: Window
    last: bool

    def read(self) -> NDArray[np.generic]:
        """Its pixels; in any thread."""
        rows, columns = self.window
        return np.ascontiguousarray(Picture(self.sample.image)[rows, columns])


_Encoded = Generator[tuple[_View, ImageSource | AnoCLIPError], None, None]


@dataclass
class _Contender:
    """A variant at work: what it asks, and what it has counted; `class_token` is of a picture not counted yet."""

    protocol: Protocol
    prompts: PromptSet
    others: Others | None = None
    counter: FigureCounter = field(default_factory=FigureCounter)
    scores: list[float] = field(default_factory=list)
    class_token: FloatArray | None = None
    class_tokens: list[FloatArray] = field(default_factory=list)
    seconds: float = 0.0


class CategoryPass:
    """Scores a category by variants that look at the same squares of each picture.

    Parameters
    ----------
    model : AnoCLIP
    category : Category
    variants : mapping of str to Protocol
        By name; `squares` of all is the same.
    resolution : {"native", "model"}
        Where pixels are counted.
    root : Path
        The data set's folder; broken pictures are named from there on.
    report : Reporter
        Told after each picture.
    cancel : CancelFlag, optional
        Polled all the time.
    """

    def __init__(
        self,
        model: AnoCLIP,
        category: Category,
        variants: Mapping[str, Protocol],
        resolution: Resolution,
        root: Path,
        report: Reporter,
        cancel: CancelFlag | None = None,
    ) -> None:
        self._model, self._category, self._resolution, self._root = model, category, resolution, root
        self._report, self._cancel = report, cancel
        self._protocol = next(iter(variants.values()))
        self._contenders = {
            name: _Contender(one, one.prompts_for(category.object, category.kind)) for name, one in variants.items()
        }
        self._counted: list[Sample] = []
        self._broken: list[Broken] = []
        self._shared = 0.0

    def run(self) -> None:
        """Look at all pictures.

        Raises
        ------
        Cancelled
            If the flag is set.
        AnoCLIPError
            If prompts are not to be used, or images are too few to judge each other. A picture that cannot be scored
            is only named.
        """
        for one in self._contenders.values():
            self._model.encode_prompts(one.prompts, one.protocol.settings.scoring.mean_order, cancel=self._cancel)
        started = time.perf_counter()
        self._gather_others()
        found: dict[str, list[Detection]] = {name: [] for name in self._contenders}
        failure: AnoCLIPError | None = None
        with self._encoded(list(self._contenders.values())) as pairs:
            for view, source in pairs:
                if isinstance(source, AnoCLIPError):
                    failure = failure or source
                elif failure is None:
                    failure = self._detect(source, found)
                if view.last:
                    failure = failure or self._count(view, found)
                    if failure is not None:
                        self._leave_out(view.sample, failure)
                    found, failure = {name: [] for name in self._contenders}, None
        self._count_scores()
        self._shared = time.perf_counter() - started - sum(one.seconds for one in self._contenders.values())

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Pictures that were left out, by path: some are known to be broken before others are looked at."""
        return tuple(sorted(self._broken, key=lambda one: one.path))

    def figures(self, name: str) -> DataFigures:
        """The figures of a variant."""
        return self._contenders[name].counter.figures()

    def seconds(self, name: str) -> float:
        """Wall time a picture of a variant, that of the shared pass among it."""
        return (self._shared + self._contenders[name].seconds) / max(1, len(self._category.samples))

    def _encoded(self, contenders: Sequence[_Contender]) -> closing[_Encoded]:
        """All views with their sources; closed at the end, so that no thread outlives a failure."""
        settings = [
            one.protocol.settings if one.others is None else one.others.still_asks(one.protocol.settings)
            for one in contenders
        ]
        return closing(encoded(self._model, self._views(), _View.read, settings, cancel=self._cancel))

    def _views(self) -> Iterator[_View]:
        for sample in self._category.samples:
            try:
                size = picture_size(sample.image)
            except AnoCLIPError as error:
                self._leave_out(sample, error)
                continue
            *first, last = self._protocol.windows(size)
            yield from (_View(sample, size, window, False) for window in first)
            yield _View(sample, size, last, True)

    def _gather_others(self) -> None:
        """For those variants in which images judge each other."""
        for one in self._contenders.values():
            settings = one.protocol.settings
            if not settings.mutual.enabled:
                continue
            started = time.perf_counter()
            with self._encoded([one]) as pairs:
                sources = (source for _, source in pairs if isinstance(source, ImageSource))
                one.others = Others.gather(
                    self._model, sources, settings, on_progress=self._pass_on, cancel=self._cancel
                )
            one.seconds += time.perf_counter() - started
            self._broken.clear()  # the same are met again

    def _detect(self, source: ImageSource, found: Mapping[str, list[Detection]]) -> AnoCLIPError | None:
        """Score a window by each variant, or tell why that cannot be done."""
        for name, one in self._contenders.items():
            settings = one.protocol.settings
            # A map of one pixel: what is asked for is its grid.
            block = max(source.size) if self._by_grid(one.protocol) else 1
            started = time.perf_counter()
            try:
                with memory_for_an_image():
                    detection = self._model.detect(
                        source, one.prompts, settings, block=block, others=one.others, cancel=self._cancel
                    )
                found[name].append(detection)
                if one.others is not None and one.protocol.neighbours:
                    token = self._model.tokens(source, settings, cancel=self._cancel)[0].cls.mean(dim=0)
                    one.class_token = token.cpu().numpy()
            except Cancelled:
                raise
            except AnoCLIPError as error:
                return error
            finally:
                one.seconds += time.perf_counter() - started
        return None

    def _count(self, view: _View, found: Mapping[str, list[Detection]]) -> AnoCLIPError | None:
        """Count a picture for each variant, or tell why that cannot be done."""
        sample, mask = view.sample, None
        if sample.mask is not None:
            try:
                mask = sample.mask()
            except AnoCLIPError as error:
                return error
        number = len(self._counted)
        for name, one in self._contenders.items():
            started = time.perf_counter()
            if mask is not None:
                frame = self._frame(one.protocol, view)
                one.counter.add_map(number, self._heat(one.protocol, view, found[name], frame), _reduced(mask, frame))
            if one.class_token is not None:
                one.class_tokens.append(one.class_token)
            one.scores.append(float(np.mean([detection.score for detection in found[name]])))
            one.seconds += time.perf_counter() - started
        self._counted.append(sample)
        self._tell()
        return None

    def _count_scores(self) -> None:
        for one in self._contenders.values():
            scores = np.array(one.scores)
            if one.class_tokens:
                scores = rescore(scores, np.stack(one.class_tokens), one.protocol.neighbours)
            for number, (sample, score) in enumerate(zip(self._counted, scores, strict=True)):
                one.counter.add_score(number, float(score), sample.defective)

    def _by_grid(self, protocol: Protocol) -> bool:
        return self._resolution == "model" and protocol.settings.tiling.mode == "fit"

    def _frame(self, protocol: Protocol, view: _View) -> tuple[int, int]:
        """Size of the map that is counted."""
        if self._resolution == "native":
            return view.size
        patch = self._model.patch_size
        side = protocol.settings.tiling.side or self._model.image_size
        return protocol.frame(view.size, max(1, round(side / patch)) * patch)

    def _heat(self, protocol: Protocol, view: _View, found: Sequence[Detection], frame: tuple[int, int]) -> FloatArray:
        """The map of a picture, the mean where windows overlap."""
        windows = protocol.windows(view.size)
        if len(windows) == 1:
            return self._part(protocol, found[0], frame)
        total, counts = np.zeros(frame), np.zeros(frame)
        side = min(frame)
        for (rows, columns), detection in zip(windows, found, strict=True):
            place = tuple(
                slice(start, start + side)
                for start in (
                    round(axis.start * (wanted - side) / max(1, length - (axis.stop - axis.start)))
                    for axis, wanted, length in zip((rows, columns), frame, view.size, strict=True)
                )
            )
            total[place] += self._part(protocol, detection, (side, side))
            counts[place] += 1
        heat: FloatArray = (total / counts).astype(np.float32)
        return heat

    def _part(self, protocol: Protocol, detection: Detection, size: tuple[int, int]) -> FloatArray:
        """The map of a window in the size that is counted."""
        if self._by_grid(protocol):
            cells = detection.grid.shape
            lattice = Lattice(*(Axis.fit(length, count) for length, count in zip(size, cells, strict=True)))
            return upsample(detection.grid, lattice, protocol.settings.scoring.upsampling)
        if detection.map.shape == size:
            return detection.map
        pixels, wanted = (
            Lattice(*(Axis.fit(length, count) for length, count in zip(detection.map.shape, shape, strict=True)))
            for shape in (detection.map.shape, size)
        )
        return resample(detection.map, pixels, wanted)

    def _leave_out(self, sample: Sample, error: AnoCLIPError) -> None:
        self._broken.append(Broken(path=name_within(self._root, sample.image), reason=as_text(str(error))))
        self._tell()

    def _pass_on(self, progress: Progress) -> None:
        self._report(f"{progress.stage} of {self._category.name}", progress.done, progress.total)

    def _tell(self) -> None:
        done = len(self._counted) + len(self._broken)
        self._report(f"evaluating {self._category.name}", done, len(self._category.samples))


def name_within(root: Path, path: Path) -> str:
    """A path from a folder on, if it is in there, as text."""
    return as_text((path.relative_to(root) if path.is_relative_to(root) else path).as_posix())


def _reduced(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """A mask in another size; each pixel is the one under its middle."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * length / wanted).astype(np.intp)
        for wanted, length in zip(size, mask.shape, strict=True)
    )
    reduced: BoolArray = mask[rows[:, None], columns]
    return reduced

"""What a run needs and what it gives, as plain values, and the run itself. No Qt: it is called in the worker thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anoclip.engine.errors import AnoCLIPError, ImageError
from napari_anoclip.engine.progress import Progress, Reporter
from napari_anoclip.engine.settings import DisplaySettings
from napari_anoclip.engine.words import named
from napari_anoclip.plugin.models import ModelChoice, ModelHolder
from napari_anoclip.plugin.reading import read_source
from napari_anoclip.review.pictures import read_picture

if TYPE_CHECKING:
    from napari_anoclip.engine.calibration import DisplayRange
    from napari_anoclip.engine.detection import Detection
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.histogram import ScoreHistogram
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.engine.mutual import Others
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.reference_memory import ReferenceMemory
    from napari_anoclip.engine.settings import AnoCLIPSettings
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.others_bank import OtherImages
    from napari_anoclip.plugin.planes import Plane

PLANES = "scoring planes"
"""The stage of a run over several planes."""

Reference = Any
"""A good image of the user's own: an array, or the path of a file."""


@dataclass(frozen=True)
class LossStep:
    """The loss before one step of adaptation, as it happens."""

    step: int
    loss: float


@dataclass(frozen=True)
class RunRequest:
    """All that was chosen in the dock when the run was asked for.

    Attributes
    ----------
    planes : tuple of Plane
        What is scored, in this order.
    prompts, settings, display, model
        As they were set.
    references : tuple
        The user's own good images, from which the colours are taken where `display` says so.
    image_choice : dict
        What was chosen of the image, JSON-like, for the record.
    memory : ReferenceMemory, optional
        Patches that were judged; they count where ``settings.references`` is enabled.
    others : OtherImages, optional
        The batch that the planes are of; it counts where ``settings.mutual`` is enabled.
    """

    planes: tuple[Plane, ...]
    prompts: PromptSet
    settings: AnoCLIPSettings
    display: DisplaySettings = field(default_factory=DisplaySettings)
    model: ModelChoice = field(default_factory=ModelChoice)
    references: tuple[Reference, ...] = field(default=(), repr=False)
    image_choice: dict[str, Any] = field(default_factory=dict)
    memory: ReferenceMemory | None = field(default=None, repr=False)
    others: OtherImages | None = field(default=None, repr=False)

    @property
    def judges(self) -> OtherImages | None:
        """The other images, where they count."""
        return self.others if self.settings.mutual.enabled else None

    @property
    def is_prepared(self) -> bool:
        """Whether another run is looking at the other images just now as this one would."""
        return self.judges is not None and self.judges.bank.is_gathering(self.judges, self.settings)

    def continues(self, other: RunRequest) -> bool:
        """Whether the results of both may stand beside each other: the same question to planes of the same stack."""
        return (
            same_stack(self.planes[0], other.planes[0])
            and self.prompts.digest == other.prompts.digest
            and (self.settings, self.model, self.display.range, self.references, self.memory, self.judges)
            == (other.settings, other.model, other.display.range, other.references, other.memory, other.judges)
        )

    def run(self, models: ModelHolder, channel: Channel, cancel: CancelFlag) -> RunSummary:
        """Load the model where needed, and score and publish plane by plane.

        A plane that cannot be read or scored does not stop the others.

        Returns
        -------
        RunSummary

        Raises
        ------
        AnoCLIPError
            With the sentence to show, if the only plane fails or the fault is not one of the plane;
            `Cancelled` when the flag was seen.
        """
        broken = []
        with models.borrow(self.model, channel, cancel) as model:
            for index, plane in enumerate(self.planes):
                report = _overall(channel, index, len(self.planes))
                if len(self.planes) > 1:
                    Reporter(channel, cancel)(PLANES, index, len(self.planes))
                try:
                    result = self._score(model, plane, report, channel, cancel)
                except ImageError as error:
                    if len(self.planes) == 1:
                        raise
                    broken.append((plane, str(error)))
                    continue
                if index:
                    result = replace(result, detection=replace(result.detection, before=None))
                channel.publish(result)
            if self.display.range == "calibrated":
                # A kept range needed no pictures; the next edit of the prompts will, and is not to wait for them.
                model.encode_references(self.settings, cancel=cancel)
        return RunSummary(self, tuple(broken), "" if self.judges is None else self.judges.bank.news())

    def _score(
        self, model: AnoCLIP, plane: Plane, report: Callable[[Progress], None], channel: Channel, cancel: CancelFlag
    ) -> PlaneResult:
        from napari_anoclip.engine.histogram import ScoreHistogram

        source = read_source(plane)
        detection = model.detect(
            source,
            self.prompts,
            self.settings,
            block=plane.block,
            memory=self.memory,
            others=self._look_at_others(model, plane, source.digest, channel, cancel),
            on_step=lambda step, loss: channel.publish(LossStep(step, loss)),
            on_progress=report,
            cancel=cancel,
        )
        references = None
        if self.display.range == "own" and self.references:
            references = [_read_reference(reference) for reference in self.references]
        calibrated = model.display_range(self.prompts, self.settings, references, on_progress=report, cancel=cancel)
        seen = detection.map if plane.mask is None else detection.map[plane.mask]
        return PlaneResult(plane, detection, calibrated, ScoreHistogram.of(seen), self)

    def _look_at_others(
        self, model: AnoCLIP, plane: Plane, digest: str, channel: Channel, cancel: CancelFlag
    ) -> Others | None:
        """What was seen of the other images, where they count; of a plane that changed, what is seen now."""
        if self.judges is None:
            return None
        self.judges.bank.compare(plane, digest)
        return self.judges.gathered(model, self.settings, channel, cancel)


@dataclass(frozen=True)
class PlaneResult:
    """A scored plane, the range its map is shown in, and what was asked for."""

    plane: Plane
    detection: Detection
    display: DisplayRange
    histogram: ScoreHistogram
    request: RunRequest

    @cached_property
    def source(self) -> ImageSource:
        """The plane as the engine read it. Takes as long as reading does: for workers."""
        return read_source(self.plane)

    @property
    def limits(self) -> tuple[float, float]:
        """Probabilities that the first and the last colour stand for."""
        return limits(self.request.display, self.display)

    @property
    def threshold(self) -> float:
        """Probability from which on a pixel counts as anomalous."""
        return threshold(self.request.display, self.display)

    @property
    def hottest(self) -> tuple[float, tuple[int, int]]:
        """The map's largest value inside the region, and its (row, column) in pixels of the plane's window."""
        values, block = self.detection.map, self.plane.block
        if self.plane.mask is not None and self.plane.mask.any():
            values = np.where(self.plane.mask, values, -1.0)
        row, column = divmod(int(values.argmax()), values.shape[1])
        return float(values[row, column]), (row * block, column * block)


@dataclass(frozen=True)
class RunSummary:
    """What came of a run as a whole: the planes that failed, each with its sentence, and what else is to be told."""

    request: RunRequest
    broken: tuple[tuple[Plane, str], ...] = ()
    news: str = ""

    @property
    def sentence(self) -> str:
        """What to tell about the planes that failed, and else; nothing if all is well."""
        if not self.broken:
            return self.news
        count, total = len(self.broken), len(self.request.planes)
        planes = named("/".join(map(str, plane.hidden)) for plane, _ in self.broken)
        failed = f"{count} of {total} planes could not be scored, number {planes}. {self.broken[0][1]}"
        return f"{failed} {self.news}".strip()


def limits(display: DisplaySettings, calibrated: DisplayRange) -> tuple[float, float]:
    """Range of the colours: set by hand, or calibrated."""
    return (display.low, display.high) if display.range == "manual" else (calibrated.low, calibrated.high)


def threshold(display: DisplaySettings, calibrated: DisplayRange) -> float:
    """Threshold set by hand, or that of the normal pictures."""
    return display.threshold if display.threshold is not None else min(1.0, calibrated.threshold)


def same_stack(one: Plane, other: Plane) -> bool:
    """Whether two planes are of the same data, cut out and scaled alike."""
    return (
        one.layer == other.layer
        and one.data is other.data
        and (one.axes, one.window, one.contrast_limits) == (other.axes, other.window, other.contrast_limits)
        and _corners(one) == _corners(other)
    )


def _read_reference(reference: Reference) -> Any:
    if not isinstance(reference, str | Path):
        return reference
    try:
        return read_picture(Path(reference))
    except ImageError as error:
        raise AnoCLIPError(f"The good image {Path(reference).name} cannot be read. Choose another file.") from error


def _corners(plane: Plane) -> list[list[float]] | None:
    return None if plane.outline is None else plane.outline.tolist()


def _overall(channel: Channel, index: int, total: int) -> Callable[[Progress], None]:
    """Progress of one plane; of several planes, how many are done, for their own stages pass too fast to be read."""
    if total == 1:
        return channel
    return lambda _: channel(Progress(PLANES, index, total))

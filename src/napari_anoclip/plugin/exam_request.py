"""What is asked of the judged images, as plain values taken in the GUI thread, and how it is answered in a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_anoclip.plugin.judged_images import Judged, JudgedImages
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.review.metrics import Figures, figures
from napari_anoclip.review.regions import RegionSettings

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.reference_memory import ReferenceMemory
    from napari_anoclip.engine.settings import AnoCLIPSettings
    from napari_anoclip.plugin.others_bank import OtherImages
    from napari_anoclip.plugin.reviewer import Reviewer


@dataclass(frozen=True)
class Answer:
    """Figures of a prompt set, and the names of judged images that could not be read for them."""

    figures: Figures
    broken: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ExamRequest:
    """The judged images, and all of the workbench that says what a map of them would be.

    Attributes
    ----------
    model, prompts, settings
        As they are set.
    threshold : float or None
        Probability; None for the one of normal pictures, which is another for each prompt set.
    regions : RegionSettings
        What counts as a region.
    memory : ReferenceMemory or None
        Patches that were judged, where they are used.
    judged : Judged
        The images.
    images : JudgedImages
        Where they come from.
    others : OtherImages or None
        The batch that they are of, where it is used.
    """

    model: ModelChoice
    prompts: PromptSet
    settings: AnoCLIPSettings
    threshold: float | None
    regions: RegionSettings
    memory: ReferenceMemory | None
    judged: Judged
    images: JudgedImages
    others: OtherImages | None = None

    @classmethod
    def of(cls, reviewer: Reviewer) -> ExamRequest:
        """Take it as it is now; in the GUI thread."""
        controls = reviewer.desk.controls
        settings, display = controls.settings, controls.scoring.display
        images = JudgedImages.of(reviewer)
        judged = images.now()
        threshold = display.threshold
        if threshold is None and display.range == "own":
            # Measured on the user's own pictures by a run; they are not read again for each edit.
            threshold = reviewer.threshold
        return cls(
            controls.model.choice,
            controls.document.value,
            settings,
            threshold,
            reviewer.settings,
            controls.memory if settings.references.enabled else None,
            judged,
            images,
            _batch(reviewer, judged) if settings.mutual.enabled else None,
        )

    def same(self, other: object) -> bool:
        """Whether the answer to both is the same."""
        return isinstance(other, ExamRequest) and self.same_images(other) and self._asked == other._asked

    def same_images(self, other: ExamRequest) -> bool:
        """Whether both are about the same judgements, so that their figures can be compared."""
        return self.judged.same(other.judged)

    def threshold_of(self, model: AnoCLIP, prompts: PromptSet, cancel: CancelFlag) -> float:
        """Threshold that counts for prompts; in a worker."""
        if self.threshold is not None:
            return self.threshold
        return min(1.0, model.display_range(prompts, self.settings, cancel=cancel).threshold)

    def answer(
        self, model: AnoCLIP, on_progress: ProgressCallback, cancel: CancelFlag, prompts: PromptSet | None = None
    ) -> Answer:
        """Work the figures out; in a worker that has borrowed the model.

        Parameters
        ----------
        model : AnoCLIP
            The model.
        on_progress : callable
            Called with a `Progress` after each image.
        cancel : CancelFlag
            Polled between images and within them.
        prompts : PromptSet, optional
            Other prompts to try.

        Returns
        -------
        Answer

        Raises
        ------
        AnoCLIPError
            As for `Exam.examine`.
        """
        prompts = prompts or self.prompts
        asked, broken = self.images.questions(self.judged)
        threshold = self.threshold_of(model, prompts, cancel)
        others = None if self.others is None else self.others.gathered(model, self.settings, on_progress, cancel)
        scores = self.images.exam.examine(
            model,
            prompts,
            self.settings,
            asked,
            threshold,
            self.regions,
            memory=self.memory,
            others=others,
            on_progress=on_progress,
            cancel=cancel,
        )
        return Answer(figures(scores, threshold), broken)

    @property
    def _asked(self) -> tuple[object, ...]:
        # By its digest: two prompt sets may differ in their title only.
        return self.model, self.prompts.digest, self.settings, self.threshold, self.regions, self.memory, self.others


def _batch(reviewer: Reviewer, judged: Judged) -> OtherImages | None:
    """The other images, unless they are the planes of a stack that some of the judged images are not of."""
    others = reviewer.desk.controls.mutual.others()
    if others is None or others.kind != "planes":
        return others
    entry = reviewer.entry
    return others if entry is not None and all(image.key == entry.key for image in judged.images) else None

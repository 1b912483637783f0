"""What is asked about prompts, as plain values taken in the GUI thread: who is to blame, and what if it were off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_anoclip.plugin.exam_request import Answer, ExamRequest
from napari_anoclip.plugin.judged_images import Judged
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.review.judgement import Judgement, Verdict

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.review.blame import Blame, Effect
    from napari_anoclip.review.matching import Matched


@dataclass(frozen=True, eq=False)
class BlameRequest:
    """Regions that are accused of being no defect, and the prompts that may have made them hot.

    Attributes
    ----------
    exam : ExamRequest
        Prompts, settings and model; and the judged images.
    accused : Judged
        Images whose regions judged false are meant.
    region : Matched or None
        The one region that is meant; None for all that were judged false.
    """

    exam: ExamRequest
    accused: Judged
    region: Matched | None = None

    @classmethod
    def of(cls, reviewer: Reviewer, all_false: bool) -> BlameRequest | None:
        """Take it as it is now, in the GUI thread; None where there is no such region."""
        exam = ExamRequest.of(reviewer)
        if all_false:
            told = any(image.with_verdict(Verdict.FALSE) for image in exam.judged.images)
            return cls(exam, exam.judged) if told else None
        entry, region = reviewer.entry, reviewer.current
        if entry is None or region is None:
            return None
        # Whatever was said of it: as the only thing known of the image, and false, it is looked at by itself.
        alone = Judgement(id=region.id, plane=region.plane, mask=region.mask, verdict=Verdict.FALSE)
        image = entry.model_copy(update={"judgements": {region.id: alone}, "complete": False})
        accused = exam.images.only(image)
        return cls(exam, accused, region) if accused.pairs else None

    @property
    def model(self) -> ModelChoice:
        """Whose tokens."""
        return self.exam.model

    def same(self, other: object) -> bool:
        """Whether the answer to both is the same, and so is what would come of switching something off."""
        if not isinstance(other, BlameRequest) or not self.exam.same(other.exam):
            return False
        if self.exam.prompts != other.exam.prompts:
            return False  # effects know entries by their rows, those that are off count too
        if self.region is None or other.region is None:
            return self.region is other.region
        image, another = self.accused.images[0], other.accused.images[0]
        return (image.key, self.region.plane, self.region.mask) == (another.key, other.region.plane, other.region.mask)

    def answer(self, model: AnoCLIP, on_progress: ProgressCallback, cancel: CancelFlag) -> Blame | None:
        """Share out the blame; in a worker that has borrowed the model."""
        from napari_anoclip.review.accuse import accuse

        asked, _ = self.exam.images.questions(self.accused)
        return accuse(model, self.exam.prompts, self.exam.settings, asked, on_progress=on_progress, cancel=cancel)


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What the figures would be with something switched off."""

    exam: ExamRequest
    effect: Effect

    def answer(self, model: AnoCLIP, on_progress: ProgressCallback, cancel: CancelFlag) -> Answer:
        """Work them out; in a worker that has borrowed the model."""
        return self.exam.answer(model, on_progress, cancel, self.effect.left_out(self.exam.prompts))

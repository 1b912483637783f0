"""The history of prompt sets that were tried, each with its figures, and what an edit did in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.review.metrics import Figure, Figures
from napari_anoclip.review.tuning import NAMES


class Trial(BaseModel):
    """A prompt set that was tried on the judged images.

    Attributes
    ----------
    at : datetime
        When its figures were made, UTC.
    prompts : PromptSet
        All of it, so that it can be restored.
    figures : Figures
        How good its maps were.
    words : str
        What was changed since the trial before it; empty for the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    prompts: PromptSet
    figures: Figures
    words: str = ""

    @property
    def images(self) -> int:
        """Judged images that the figures rest on."""
        return self.figures.images


def added(trials: Sequence[Trial], prompts: PromptSet, figures: Figures) -> list[Trial]:
    """Put new figures into the history.

    Parameters
    ----------
    trials : sequence of Trial
        The oldest first.
    prompts : PromptSet
        What was tried.
    figures : Figures
        What came of it.

    Returns
    -------
    list of Trial
        With one more at the end; where the last one has the same prompts, with that one brought up to date.
    """
    if not trials:
        return [Trial(prompts=prompts, figures=figures)]
    last = trials[-1]
    if last.prompts.digest == prompts.digest:
        return [*trials[:-1], Trial(prompts=prompts, figures=figures, words=last.words)]
    return [*trials, Trial(prompts=prompts, figures=figures, words=what_changed(last.prompts, prompts))]


def what_changed(before: PromptSet, after: PromptSet) -> str:
    """Say in words what was edited.

    Parameters
    ----------
    before, after : PromptSet
        The sets.

    Returns
    -------
    str
        Such as "object: leather; 3 domains added"; empty where only the order differs, or what is off.
    """
    told = [] if before.object == after.object else [f"object: {after.object}"]
    for field, noun in NAMES.items():
        old, new = ({one.text: one.on for one in getattr(prompts, field)} for prompts in (before, after))
        edits = {
            "switched on": [text for text in new if new[text] and old.get(text) is False],
            "switched off": [text for text in old if old[text] and new.get(text) is False],
            "added": [text for text in new if new[text] and text not in old],
            "removed": [text for text in old if old[text] and text not in new],
        }
        told += [_edit(noun, does, texts) for does, texts in edits.items() if texts]
    told += [
        _edit("single prompt", does, sorted(first - second))
        for does, first, second in (
            ("switched off", after.disabled, before.disabled),
            ("switched on", before.disabled, after.disabled),
        )
        if first - second
    ]
    return "; ".join(told)


def compare(before: Figures, after: Figures) -> str:
    """Say what an edit did: "FP regions 14 → 9, recall 31/32, AUPRO 0.71 → 0.74".

    Parameters
    ----------
    before, after : Figures
        Of two exams.

    Returns
    -------
    str
        What both have. FP regions in all where both rest on as many images, otherwise an image; AUPRO where it
        changed by what can be seen in two digits.
    """
    told = [
        _false_regions(before.false_regions, after.false_regions),
        _recall(before.recall, after.recall),
        _aupro(before.aupro, after.aupro),
    ]
    return ", ".join(one for one in told if one) or "too few judged images to compare"


def _edit(noun: str, does: str, texts: list[str]) -> str:
    return f"{noun} {does}: {texts[0]}" if len(texts) == 1 else f"{len(texts)} {noun}s {does}"


def _false_regions(before: Figure, after: Figure) -> str:
    if before.value is None or after.value is None:
        return ""
    if before.count == after.count:
        return f"FP regions {_changed(str(before.total), str(after.total))}"
    return f"FP regions / image {_changed(f'{before.value:.1f}', f'{after.value:.1f}')}"


def _recall(before: Figure, after: Figure) -> str:
    if before.value is None or after.value is None:
        return ""
    return f"recall {_changed(*(f'{one.total}/{one.count}' for one in (before, after)))}"


def _aupro(before: Figure, after: Figure) -> str:
    if before.value is None or after.value is None:
        return ""
    first, second = f"{before.value:.2f}", f"{after.value:.2f}"
    return "" if first == second else f"AUPRO {first} → {second}"


def _changed(before: str, after: str) -> str:
    return after if before == after else f"{before} → {after}"

"""Undo and redo of prompt sets: they are frozen, so every step is simply kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.prompts import PromptSet

STEPS_KEPT = 500


@cache
def packaged(name: str) -> PromptSet:
    """A preset, read once."""
    return PromptSet.preset(name)


@dataclass(frozen=True)
class Source:
    """Where a prompt set came from: what Revert brings back and Save writes to.

    Attributes
    ----------
    saved : PromptSet
        As the file or preset has it.
    preset : str
        The packaged set that Reset goes back to.
    path : Path or None
        The file, if it is one.
    fingerprint : str
        Of the file when it was last read or written.
    """

    saved: PromptSet
    preset: str
    path: Path | None = None
    fingerprint: str = ""


@dataclass(frozen=True)
class Step:
    """What was edited, and where it came from."""

    value: PromptSet
    source: Source

    @property
    def edited(self) -> bool:
        """Whether it differs from its source; a preset is made for whatever object is named."""
        if self.source.path is not None:
            return self.value != self.source.saved
        return self.value.model_copy(update={"object": self.source.saved.object}) != self.source.saved

    def to_json(self) -> dict[str, Any]:
        """Everything, in JSON's types."""
        return {
            "prompts": self.value.model_dump(mode="json"),
            "saved": self.source.saved.model_dump(mode="json"),
            "preset": self.source.preset,
            "path": None if self.source.path is None else str(self.source.path),
            "fingerprint": self.source.fingerprint,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Step:
        """What `to_json` gave.

        Raises
        ------
        PromptError
            If it is something else.
        """
        try:
            path = None if told["path"] is None else Path(told["path"])
            saved = PromptSet.model_validate(told["saved"])
            source = Source(saved, packaged(told["preset"]).name, path, str(told["fingerprint"]))
            return cls(PromptSet.model_validate(told["prompts"]), source)
        except (KeyError, TypeError, ValueError) as error:
            raise PromptError("The prompts of the last time could not be read.") from error


class PromptHistory:
    """The steps so far, and which one is shown."""

    def __init__(self, first: Step) -> None:
        self._steps = [first]
        self._at = 0
        self._typing = ""

    @property
    def now(self) -> Step:
        """The step that is shown."""
        return self._steps[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is a step before."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether a step was undone."""
        return self._at < len(self._steps) - 1

    def add(self, step: Step, typing: str = "") -> None:
        """Go on to a new step; steps typed into the same place without a pause are one."""
        merged = typing != "" and typing == self._typing
        kept = self._steps[: self._at + (0 if merged else 1)]
        self._steps = [*kept, step][-STEPS_KEPT:]
        self._at = len(self._steps) - 1
        self._typing = typing

    def pause(self) -> None:
        """Let the next step typed be one of its own."""
        self._typing = ""

    def move(self, by: int) -> bool:
        """Go back (-1) or forth (+1) if there is such a step."""
        self.pause()
        if not 0 <= self._at + by < len(self._steps):
            return False
        self._at += by
        return True

    def rebase(self, old: Source, new: Source, **renamed: Any) -> None:
        """Let all steps from one source come from another, which was saved from them, under its name."""
        self._steps = [
            Step(step.value.model_copy(update=renamed), new) if step.source is old else step for step in self._steps
        ]

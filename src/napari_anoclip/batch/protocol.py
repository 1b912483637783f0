"""How a data set is looked at: settings, prompts, and whether each picture is one square or cut into two.

The published protocol is `PRESETS["paper"]`; what of it depends on the data set is said here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_anoclip.engine.prompts import Kind, PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings

BY_KIND = "paper"
"""Prompts of the two published sets, `paper-object` and `paper-texture`, by what the category is."""

Window = tuple[slice, slice]
"""Rows and columns of a picture."""


class Protocol(BaseModel):
    """One way to evaluate.

    Raises
    ------
    PromptError
        If there is no such prompt preset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: AnoCLIPSettings = Field(AnoCLIPSettings(), description="Everything that the engine is told.")
    prompts: str | PromptSet = Field(
        BY_KIND,
        description="paper (the published prompts, by the category's kind), another preset's name, or a set of one's "
        "own; the object's word is always the category's.",
    )
    squares: Literal["whole", "cut"] = Field(
        "whole",
        description="Fit the whole picture into the model's square, or cut squares of its short side and average the "
        "maps where they overlap.",
    )
    neighbours: tuple[Annotated[int, Field(ge=1, le=100)], ...] = Field(
        (1, 2, 3),
        description="Where images judge each other: numbers of nearest images whose scores an image's is drawn to; "
        "empty leaves image scores alone.",
    )
    special: Mapping[str, Protocol] = Field(
        {}, description="Other protocols for some data sets, by the data set's key."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if isinstance(self.prompts, str) and self.prompts != BY_KIND:
            PromptSet.preset(self.prompts)
        if self.squares == "cut" and self.settings.mutual.enabled:
            # Squares of one picture overlap: each would be excused by the other.
            raise ValueError("pictures that are cut into squares cannot judge each other: switch one of the two off")
        if self.squares == "cut" and self.settings.tiling.mode != "fit":
            raise ValueError("pictures that are cut into squares cannot be tiled as well: set the tiling to fit")
        return self

    def for_data_set(self, key: str) -> Protocol:
        """The protocol for a data set, which has no others within it."""
        return self.special.get(key) or self.model_copy(update={"special": {}})

    def with_settings(self, settings: AnoCLIPSettings) -> Protocol:
        """The same prompts and squares with other settings, for every data set."""
        return self.model_validate({**dict(self), "settings": settings, "special": {}})

    def prompts_for(self, word: str, kind: Kind) -> PromptSet:
        """Prompts for a category.

        Parameters
        ----------
        word : str
            What is looked at.
        kind : {"object", "texture"}
            Which of the two published sets.

        Returns
        -------
        PromptSet
        """
        if isinstance(self.prompts, PromptSet):
            return self.prompts.with_object(word)
        return PromptSet.paper(word, kind) if self.prompts == BY_KIND else PromptSet.preset(self.prompts, word)

    def windows(self, size: tuple[int, int]) -> list[Window]:
        """What the model is shown of a picture, one after the other.

        Parameters
        ----------
        size : tuple of int
            (H, W) of the picture in pixels.

        Returns
        -------
        list of tuple of slice
            The whole, or squares of its short side, from one end to the other: two up to twice as long as wide, and
            as few as cover it beyond.
        """
        if self.squares == "whole":
            return [(slice(0, size[0]), slice(0, size[1]))]
        short, long = sorted(size)
        count = math.ceil(long / short)
        starts = [round(number * (long - short) / max(1, count - 1)) for number in range(count)]
        across = size[1] >= size[0]
        return [
            (slice(0, short), slice(start, start + short)) if across else (slice(start, start + short), slice(0, short))
            for start in starts
        ]

    def frame(self, size: tuple[int, int], side: int) -> tuple[int, int]:
        """Size (h, w) of a picture as the model sees it: its square, or its short side as long as the square's.

        Parameters
        ----------
        size : tuple of int
            (H, W) of the picture in pixels.
        side : int
            Of the model's square.
        """
        if self.squares == "whole":
            return side, side
        height, width = (max(side, round(side * length / min(size))) for length in size)
        return height, width


def _paper() -> Protocol:
    settings = AnoCLIPSettings.paper()
    linear = settings.model_copy(update={"adaptation": settings.adaptation.model_copy(update={"adapter": "linear"})})
    return Protocol(settings=settings, special={"visa": Protocol(settings=linear, squares="cut")})


PRESETS: Mapping[str, Protocol] = MappingProxyType({"default": Protocol(), "paper": _paper()})
"""Ours, and the published one: VisA by its second script, with two squares and the linear adapter."""

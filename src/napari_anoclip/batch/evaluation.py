"""What an evaluation comes to, as plain values that go into a file and come out of it the same."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.batch.figures import DataFigures, mean_figures
from napari_anoclip.batch.protocol import Protocol
from napari_anoclip.engine.prompts import Kind

Resolution = Literal["native", "model"]

RESOLUTIONS = {
    "native": "maps and masks in the pictures' own resolution",
    "model": "maps in the resolution that the model sees, masks reduced to it by the nearest pixel",
}
"""What the figures of pixels were counted on, in words."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Broken(_Plain):
    """A picture that was left out.

    Attributes
    ----------
    path : str
        Of the picture, from the data set's folder on.
    reason : str
        A sentence.
    """

    path: str
    reason: str


class CategoryResult(_Plain):
    """What came of one category.

    Attributes
    ----------
    category : str
        As the data set calls it.
    object, kind : str
        What prompts called it.
    figures : DataFigures
    broken : tuple of Broken
        Pictures left out of all figures.
    seconds : float
        Wall time a picture; reading and encoding, which variants share, count in each. Loading the model and encoding
        prompts do not count.
    """

    category: str
    object: str
    kind: Kind
    figures: DataFigures
    broken: tuple[Broken, ...] = ()
    seconds: float = Field(ge=0)


class VariantResult(_Plain):
    """What came of one way to evaluate.

    Attributes
    ----------
    name : str
        As it was called.
    protocol : Protocol
        The one for this data set.
    categories : tuple of CategoryResult
        In the order of the data set.
    """

    name: str
    protocol: Protocol
    categories: tuple[CategoryResult, ...]

    @property
    def mean(self) -> DataFigures:
        """Mean over categories."""
        return mean_figures([one.figures for one in self.categories])

    @property
    def seconds(self) -> float:
        """Wall time a picture, of all pictures."""
        pictures = sum(one.figures.images for one in self.categories)
        return sum(one.seconds * one.figures.images for one in self.categories) / max(1, pictures)


class Evaluation(_Plain):
    """What came of a data set.

    Attributes
    ----------
    data : str
        Key of the data set.
    title : str
        Its name in print.
    model, model_id, device, precision : str
        Who looked.
    image_size : int
        Side of the model's square in pixels.
    resolution : {"native", "model"}
        Where the figures of pixels were counted.
    limit : int or None
        Pictures of each category that were looked at, at most.
    variants : tuple of VariantResult
    version : str
        Of napari-anoclip.
    """

    data: str
    title: str
    model: str
    model_id: str
    device: str
    precision: str
    image_size: int
    resolution: Resolution
    limit: int | None = None
    variants: tuple[VariantResult, ...]
    version: str

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Pictures that were left out, each once."""
        every = (one for variant in self.variants for category in variant.categories for one in category.broken)
        return tuple({one.path: one for one in every}.values())

"""What a person said about a region, and about an image. Plain values; `verdicts.Review` changes them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator

from napari_anoclip.review.region_mask import MAX_PIXELS, Mask, RegionMask


class Verdict(StrEnum):
    """What a region is, in the eyes of the one who judges."""

    DEFECT = "defect"
    FALSE = "false"
    UNSURE = "unsure"


class Measures(BaseModel):
    """A region measured on its map.

    Attributes
    ----------
    area : float
        Pixels of the map (voxels of a volume).
    centroid : tuple of float
        Position on the map, one entry an axis of the mask.
    mean, maximum : float or None
        Probability; None where there is no map.
    length : float
        Major axis of the ellipse of the same second moments, in pixels.
    orientation : float or None
        Angle between the rows' axis and the major axis, in radians, from -π/2 to π/2; None of a volume's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: float
    centroid: tuple[float, ...]
    mean: float | None
    maximum: float | None
    length: float
    orientation: float | None


class Judgement(BaseModel):
    """A region with what was said about it. Its pixels are those that were judged, whatever the threshold is later.

    Attributes
    ----------
    id : int
        Number of the region in its image, from 1.
    plane : tuple of int
        Position along the hidden axes of a stack; empty for a flat image and for regions of a volume.
    mask : RegionMask
        Its pixels.
    verdict : Verdict or None
        None where only a note, a kind or a shape was given.
    kind : str
        Kind of defect.
    note : str
        Free words.
    origin : {"found", "drawn", "imported"}
        Whether it came from the map, was drawn by hand, or was read from elsewhere.
    edited : bool
        Whether its shape was painted since.
    measures : Measures or None
        On the map it was judged on.
    threshold : float or None
        Of that map.
    top_prompt : str
        The prompt that spoke loudest in it.
    at : datetime
        When it was said last, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: int = Field(ge=1, lt=1 << 32)
    plane: tuple[int, ...] = ()
    mask: Mask
    verdict: Verdict | None = None
    kind: str = ""
    note: str = ""
    origin: Literal["found", "drawn", "imported"] = "found"
    edited: bool = False
    measures: Measures | None = None
    threshold: float | None = None
    top_prompt: str = ""
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class ImageReview(BaseModel):
    """An image (or stack, or window of one) and all that was said about it.

    Attributes
    ----------
    key : str
        Names it in a session.
    name : str
        As shown to people.
    path : str or None
        Its file: relative to the session's folder with slashes where it is below that folder's parent, else absolute.
    fingerprint : str
        `engine.imaging.fingerprint` of its pixels, by which it is found again after it was moved; of a stack, of
        its first plane.
    map_shape : tuple of int
        Shape of its map, (H, W) or that of the stack of maps.
    origin : tuple of float
        (row, column) of the map's first pixel in pixels of the image.
    step : tuple of float
        Pixels of the image, down and across, of one pixel of the map.
    pixel_size : tuple of float
        Length of a pixel of the map in the world, down and across.
    unit : str
        Of that length.
    contrast_limits : tuple of float or None
        Intensities that were black and white when it was judged; None where the type or the pixels say.
    judgements : dict
        `Judgement` by its number.
    complete : bool
        Whether all of it was looked at: what was not judged a defect is normal then, otherwise unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    name: str
    path: str | None = None
    fingerprint: str
    map_shape: tuple[PositiveInt, ...]
    origin: tuple[float, float] = (0.0, 0.0)
    step: tuple[float, float] = (1.0, 1.0)
    pixel_size: tuple[float, float] = (1.0, 1.0)
    unit: str = "pixel"
    contrast_limits: tuple[float, float] | None = None
    judgements: dict[int, Judgement] = Field(default_factory=dict)
    complete: bool = False

    @field_validator("map_shape")
    @classmethod
    def _can_be_drawn(cls, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Pages of masks are as large as the map, and a file may say what it likes."""
        if math.prod(shape[-2:]) > MAX_PIXELS:
            raise ValueError("no map is as large")
        return shape

    def holds(self, mask: RegionMask) -> bool:
        """Whether a mask lies on the map, which a file may deny."""
        return len(mask.stop) <= len(self.map_shape) and all(
            end <= length for end, length in zip(mask.stop[::-1], self.map_shape[::-1], strict=False)
        )

    @property
    def judged(self) -> bool:
        """Whether anything is known: it was looked at as a whole, or a region has a verdict."""
        return self.complete or any(one.verdict is not None for one in self.judgements.values())

    @property
    def next_id(self) -> int:
        """A number that no judgement has."""
        return max(self.judgements, default=0) + 1

    def with_verdict(self, verdict: Verdict) -> list[Judgement]:
        """All judgements of a verdict, by number."""
        return [one for _, one in sorted(self.judgements.items()) if one.verdict is verdict]

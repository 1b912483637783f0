"""The form of a COCO file, and the pixels of a segmentation. What does not fit it is an error before anything is used.

Format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_anoclip.engine import atomic
from napari_anoclip.engine.foreign import json_of
from napari_anoclip.review.exports.coco import KEY
from napari_anoclip.review.imports.problems import AnnotationError, DamagedFile, WrongSize
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.region_mask import RegionMask

Identity = int | str
Polygon = list[float]

_BITS, _MORE, _SIGN = 0x1F, 0x20, 0x10
_LONGEST_NUMBER = 12
"""Characters of a run: 60 bits."""


class _Part(BaseModel):
    """A part of the file; what it has beyond that is none of ours."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class RunLengths(_Part):
    """Runs of clear and set pixels in turn, column by column; packed into text or not."""

    size: tuple[int, int]
    counts: list[int] | str


class OwnImage(_Part):
    """What `exports.coco` says of an image beyond COCO."""

    plane: tuple[int, ...] = ()
    fingerprint: str = ""
    complete: bool = True


class OwnAnnotation(_Part):
    """What `exports.coco` says of a region beyond COCO."""

    region: int = Field(0, ge=0)
    volume: bool = False
    verdict: Verdict | None = None
    kind: str = ""
    note: str = ""


class Image(_Part):
    """A picture, or a plane of a stack."""

    id: Identity
    file_name: str
    height: int | None = None
    width: int | None = None
    own: OwnImage | None = Field(None, alias=KEY)


class Annotation(_Part):
    """A region."""

    id: Identity = "without a number"
    image_id: Identity
    category_id: Identity
    segmentation: list[Polygon] | RunLengths = []
    iscrowd: int = 0
    own: OwnAnnotation | None = Field(None, alias=KEY)


class Category(_Part):
    """What regions are."""

    id: Identity
    name: str


class CocoFile(_Part):
    """All of it."""

    images: list[Image]
    annotations: list[Annotation] = []
    categories: list[Category] = []


def read_coco(file: Path) -> CocoFile:
    """Read a file.

    Raises
    ------
    AnnotationError
        If it cannot be read; `DamagedFile` if it is no JSON, or no COCO.
    """
    try:
        content = json_of(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise AnnotationError(f"{file.name} cannot be read ({atomic.reason(error)}). Choose another file.") from error
    except ValueError as error:
        where = f" in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DamagedFile(f"{file.name} is damaged: it is no JSON{where}. Export it again.") from error
    if not isinstance(content, dict) or "images" not in content:
        raise DamagedFile(f"{file.name} is no COCO file: it has no list of images. Choose another file.")
    try:
        return CocoFile.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"][:3]))
        raise DamagedFile(f"{file.name} is damaged at {where}: {first['msg']}. Export it again.") from error


def pixels_of(segmentation: list[Polygon] | RunLengths, size: tuple[int, int]) -> RegionMask:
    """Draw a segmentation.

    Parameters
    ----------
    segmentation : list of list of float, or RunLengths
    size : tuple of int
        (H, W) of the picture.

    Returns
    -------
    RegionMask
        (H, W). Polygons too small for a pixel get the one at their middle.

    Raises
    ------
    WrongSize
        If it does not fit the picture, or has no pixel in it: a clause for a sentence that says where.
    """
    if isinstance(segmentation, RunLengths):
        return _by_runs(segmentation, size)
    if not segmentation:
        raise WrongSize("has no outline")
    return _by_polygons(segmentation, size)


def _by_runs(lengths: RunLengths, size: tuple[int, int]) -> RegionMask:
    if lengths.size != size:
        raise WrongSize(f"is for {lengths.size[1]} × {lengths.size[0]} pixels, not {size[1]} × {size[0]}")
    counts = _unpacked(lengths.counts) if isinstance(lengths.counts, str) else lengths.counts
    # Before any array is made of it: a file may say what it likes.
    if min(counts, default=0) < 0 or sum(counts) != size[0] * size[1]:
        raise WrongSize("has run lengths that do not fill the picture")
    edges = np.cumsum([0, *counts])
    firsts, ends = edges[1:-1:2], edges[2::2]
    some = ends > firsts
    if not some.any():
        raise WrongSize("has no pixel")
    firsts, ends = firsts[some], ends[some]
    height = size[0]
    first_column, last_column = firsts[0] // height, (ends[-1] - 1) // height
    steps = np.zeros((last_column - first_column + 1) * height + 1, np.int8)
    for at, step in ((firsts, 1), (ends, -1)):
        np.add.at(steps, at - first_column * height, step)
    columns = np.cumsum(steps[:-1], dtype=np.int8).reshape(-1, height)
    return RegionMask.of(columns.T, (0, int(first_column)))


def _unpacked(text: str) -> list[int]:
    """Numbers of 5 bits a character, each but the first three less the one before the last."""
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift >= 5 * _LONGEST_NUMBER:
            raise WrongSize("has run lengths that are none")
        value |= (code & _BITS) << shift
        shift += 5
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise WrongSize("has run lengths that are cut off")
    return counts


def _by_polygons(polygons: list[Polygon], size: tuple[int, int]) -> RegionMask:
    """As pycocotools draws them, in the part of the picture that they are in."""
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2:
            raise WrongSize("has an outline with too few corners, or half a corner")
    across, down = (np.concatenate([polygon[axis::2] for polygon in polygons]) for axis in (0, 1))
    (left, right), (top, bottom) = (_within(values, length) for values, length in ((across, size[1]), (down, size[0])))
    shifted = [(np.reshape(polygon, (-1, 2)) - (left, top)).ravel().tolist() for polygon in polygons]
    height, width = bottom - top, right - left
    packed = coco_mask.frPyObjects(shifted, height, width)  # type: ignore[arg-type]  # the stubs know whole corners only
    bits: NDArray[Any] = coco_mask.decode(coco_mask.merge(packed))
    if bits.any():
        return RegionMask.of(bits, (top, left))
    middle = (
        min(max(int((values.min() + values.max()) / 2), 0), length - 1)
        for values, length in ((down, size[0]), (across, size[1]))
    )
    return RegionMask.of(np.ones((1, 1), bool), tuple(middle))


def _within(values: NDArray[np.float64], length: int) -> tuple[int, int]:
    """The part of an axis that corners lie in, at least one pixel; they may be a little beside the picture."""
    low, high = math.floor(values.min()), math.ceil(values.max())
    if high < 0 or low > length or low < -length or high > 2 * length:
        raise WrongSize("lies beside the picture")
    first = min(max(low, 0), length - 1)
    return first, max(min(high, length), first + 1)

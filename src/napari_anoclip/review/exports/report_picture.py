"""A picture of the report: scaled down, as a data URI, with the outlines of its regions as SVG paths over it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import approximate_polygon

from napari_anoclip.review.exports.outline import rings
from napari_anoclip.review.exports.place import Region
from napari_anoclip.review.judgement import ImageReview

_QUALITY = 82
_TOLERANCE = 0.6
"""Pixels of the picture by which an outline may be simplified."""
_SMALLEST = 9.0
"""Regions smaller than this on the picture get a ring around them, or nobody would find them."""
_MAX_RINGS = 30
"""Parts and holes of a region that are drawn, the largest ones."""
_THUMB = 36.0
"""Smallest side of a region's cut-out, in pixels of the picture."""


@dataclass(frozen=True)
class Frame:
    """Which part of an image is shown, and how large.

    Attributes
    ----------
    rows, columns : slice
        Pixels of the image.
    scale : float
        Pixels of the picture to one of the image.
    """

    rows: slice
    columns: slice
    scale: float

    @classmethod
    def of(cls, image: ImageReview, size: tuple[int, int], longest: int) -> Frame:
        """The part that the map covers, at most `longest` pixels long, and not enlarged but for tiny ones."""
        rows, columns = (
            slice(min(max(math.floor(first), 0), end - 1), min(math.ceil(first + step * length - 1e-6), end))
            for first, step, length, end in zip(image.origin, image.step, image.map_shape[-2:], size, strict=True)
        )
        side = max(rows.stop - rows.start, columns.stop - columns.start)
        return cls(rows, columns, longest / side if side > longest else max(1.0, min(4.0, longest / 2 / side)))

    @property
    def width(self) -> int:
        """Of the picture, in its pixels."""
        return max(1, round(int(self.columns.stop - self.columns.start) * self.scale))

    @property
    def height(self) -> int:
        """Of the picture, in its pixels."""
        return max(1, round(int(self.rows.stop - self.rows.start) * self.scale))

    @property
    def letter(self) -> float:
        """Size of the numbers on the picture, in its pixels: readable when it is shown half as large."""
        return round(max(self.width, self.height) * 0.028, 1)


@dataclass(frozen=True)
class Outline:
    """A region drawn on a picture.

    Attributes
    ----------
    path : str
        SVG path data.
    x, y : float
        Where its number stands.
    view : str
        SVG view box of the picture's part around it.
    """

    path: str
    x: float
    y: float
    view: str


def jpeg_uri(pixels: Any, frame: Frame) -> str:
    """Encode the shown part of an image, as `uri_of` and `picture_of` do."""
    return uri_of(picture_of(pixels, frame))


def picture_of(pixels: Any, frame: Frame) -> Image.Image:
    """Draw the shown part of an image.

    Parameters
    ----------
    pixels : array-like
        (H, W) or (H, W, 1|3|4) of any type; black and white are chosen as for the model.
    frame : Frame
        What is shown.

    Returns
    -------
    Image
        Grey or RGB, of the frame's size.

    Raises
    ------
    ImageError
        If this is no image.
    """
    from napari_anoclip.engine.imaging import check_image, intensity_scaling  # loads torch

    check_image(pixels)
    # Twice as many pixels as are shown are enough to average over.
    stride = max(1, int(0.5 / frame.scale))
    part = np.asarray(pixels[frame.rows, frame.columns])[::stride, ::stride]
    scaling = intensity_scaling(part)
    intensities = (part[..., :3] if part.ndim == 3 else part).astype(np.result_type(part.dtype, np.float32))
    unit = np.nan_to_num((intensities - scaling.low) / (scaling.high - scaling.low), nan=0.0).clip(0, 1)
    grey = unit[..., 0] if unit.ndim == 3 and unit.shape[2] == 1 else unit
    picture = Image.fromarray((grey * 255 + 0.5).astype(np.uint8))
    if picture.size != (frame.width, frame.height):
        picture = picture.resize((frame.width, frame.height), Image.Resampling.LANCZOS)
    return picture


def uri_of(picture: Image.Image) -> str:
    """A picture as ``data:image/jpeg;base64,...``."""
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def outline(region: Region, frame: Frame) -> Outline:
    """Draw a region.

    Parameters
    ----------
    region : Region
    frame : Frame
        Of the picture.

    Returns
    -------
    Outline
    """
    origin = np.array([frame.rows.start, frame.columns.start])
    corners = [(ring - origin) * frame.scale for side in rings(region.mask) for ring in side]
    # A ragged region has thousands of specks and holes, which nobody could see.
    corners.sort(key=lambda ring: -np.ptp(ring, axis=0).max())
    corners = [corners[0], *(ring for ring in corners[1:_MAX_RINGS] if np.ptp(ring, axis=0).max() >= 1)]
    (top, left), (bottom, right) = (
        (np.array(edge) - origin) * frame.scale for edge in (region.mask.start, region.mask.stop)
    )
    middle = ((left + right) / 2, (top + bottom) / 2)
    size = max(right - left, bottom - top)
    paths = [_path(ring) for ring in corners]
    if size < _SMALLEST:
        paths.append(_ring(middle, _SMALLEST))
    half = max(_THUMB, 1.6 * size) / 2
    view = f"{middle[0] - half:.1f} {middle[1] - half:.1f} {2 * half:.1f} {2 * half:.1f}"
    letter = frame.letter
    x = min(max(middle[0], letter / 2), frame.width - letter / 2)
    y = top - letter / 3 if top > 1.5 * letter else bottom + 1.1 * letter
    if y > frame.height:  # it reaches from the top to the bottom
        y = middle[1]
    return Outline("".join(paths), round(float(x), 1), round(float(y), 1), view)


def _path(ring: NDArray[np.float64]) -> str:
    closed = np.concatenate([ring, ring[:1]])
    corners = approximate_polygon(closed, _TOLERANCE)[:-1]
    if len(corners) < 3:
        corners = ring
    return "M" + "L".join(f"{column:.1f} {row:.1f}" for row, column in corners.tolist()) + "Z"


def _ring(middle: Iterable[float], radius: float) -> str:
    x, y = middle
    return f"M{x - radius:.1f} {y:.1f}a{radius} {radius} 0 1 0 {2 * radius} 0a{radius} {radius} 0 1 0 {-2 * radius} 0Z"

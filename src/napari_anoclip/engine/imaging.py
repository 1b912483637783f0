"""Pixels of any kind to the model's input: checks, intensity scaling, RGB, resize, fingerprint.

An image is read region by region, so that one far larger than memory for its float copy can be scored.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_anoclip.engine.errors import ImageError

ROBUST_PERCENTILES = (0.1, 99.9)
"""Intensities that become black and white where neither limits nor the type say."""

_FULL_RANGES = {np.dtype(bool): 1.0, np.dtype(np.uint8): 255.0}
_SAMPLED_PIXELS = 1 << 22
_STRIP_PIXELS = 1 << 22
_READ_BYTES = 1 << 27
"""Whole rows of chunks are read at once, up to so much; what is stored in larger ones is read again and again."""


@dataclass(frozen=True)
class IntensityScaling:
    """Which intensities are black and white, and where that comes from.

    Attributes
    ----------
    low, high : float
        Intensities mapped to 0 and 1, in the image's own unit.
    source : {"given", "dtype", "percentiles", "constant"}
        Contrast limits of the caller, the range of the type, robust percentiles of the data, or a constant image.
    """

    low: float
    high: float
    source: Literal["given", "dtype", "percentiles", "constant"]


def check_image(image: Any) -> tuple[int, int]:
    """Check that an array can be read as an image.

    Parameters
    ----------
    image : array-like
        Anything with ``shape``, ``dtype`` and slices.

    Returns
    -------
    tuple of int
        (H, W) in pixels.

    Raises
    ------
    ImageError
        If the shape, the size or the type is not one of an image.
    """
    shape = tuple(getattr(image, "shape", ()))
    grey, colour = len(shape) == 2, len(shape) == 3 and shape[2] in (1, 3, 4)
    if not (grey or colour):
        raise ImageError(
            f"An array of shape {shape} is not an image: give one of shape (H, W), (H, W, 3) or (H, W, 4)."
        )
    if 0 in shape:
        raise ImageError(f"The image has no pixels (shape {shape}): give one of at least 1 × 1.")
    try:
        dtype = np.dtype(image.dtype)
    except TypeError as error:
        raise ImageError(f"The image's type {image.dtype} is not one of numpy's: give a numpy array.") from error
    if dtype.kind == "c":
        raise ImageError(f"The image holds complex numbers ({dtype}): give its magnitude or its real part.")
    if dtype.kind not in "buif":
        raise ImageError(f"The image's type {dtype} holds no intensities: give integers, floats or bool.")
    return int(shape[0]), int(shape[1])


def intensity_scaling(image: Any, contrast_limits: tuple[float, float] | None = None) -> IntensityScaling:
    """Decide which intensities are black and white.

    Given limits win; bool and uint8 use their type's range, floats that stay within 0 to 1 that range; everything
    else, 16-bit images foremost, uses the `ROBUST_PERCENTILES` of its finite pixels, because a 12-bit camera fills
    a small part of its type.

    Parameters
    ----------
    image : array-like
        (H, W) or (H, W, 1|3|4).
    contrast_limits : tuple of float, optional
        (low, high) in the image's unit.

    Returns
    -------
    IntensityScaling

    Raises
    ------
    ImageError
        If the limits are not two rising finite numbers, or no pixel is finite.
    """
    given = None if contrast_limits is None else _given_scaling(*contrast_limits)
    dtype = np.dtype(image.dtype)
    if dtype in _FULL_RANGES:
        return given or IntensityScaling(0.0, _FULL_RANGES[dtype], "dtype")
    sample = _finite_sample(image)
    if sample.size == 0:
        raise ImageError("The image holds no finite pixel, only NaN or infinity: there is nothing to score.")
    return given or _measured_scaling(sample, dtype)


def read_rgb(image: Any, rows: slice, columns: slice, scaling: IntensityScaling) -> Tensor:
    """Read a region as RGB between 0 and 1.

    Parameters
    ----------
    image : array-like
        (H, W) or (H, W, 1|3|4); a fourth channel is dropped.
    rows, columns : slice
        The region, in pixels.
    scaling : IntensityScaling
        Black and white, beyond which intensities are clipped, infinite ones too. NaN becomes black.

    Returns
    -------
    Tensor
        (3, h, w) float32.
    """
    return _rgb(np.asarray(image[rows, columns]), scaling)


def read_resized(
    image: Any,
    rows: slice,
    columns: slice,
    scaling: IntensityScaling,
    size: tuple[int, int],
    interpolation: Literal["bilinear", "bicubic"],
) -> Tensor:
    """Read a region as RGB and resize it with antialiasing, a strip of rows at a time.

    Parameters
    ----------
    image, rows, columns, scaling
        As for `read_rgb`.
    size : tuple of int
        (height, width) of the result, in pixels.
    interpolation : {"bilinear", "bicubic"}
        Filter.

    Returns
    -------
    Tensor
        (3, height, width) float32 between 0 and 1.
    """
    height, width = size
    # Resampling is separable: rows are narrowed strip by strip, and only the narrow image is held whole.
    strips = [
        _resize(_rgb(strip, scaling), (strip.shape[0], width), interpolation)
        for _, strip in _read_strips(image, rows, columns)
    ]
    return _resize(torch.cat(strips, dim=1), (height, width), interpolation).clamp_(0, 1)


def fingerprint(image: Any) -> str:
    """Hash an image's shape, type and pixels.

    Parameters
    ----------
    image : array-like
        (H, W) or (H, W, 1|3|4).

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    # SHA-256, because processors have instructions for it: this is the larger part of a run on kept tokens.
    digest = hashlib.sha256(f"{tuple(image.shape)} {image.dtype}".encode())
    for _, strip in _read_strips(image, slice(0, image.shape[0]), slice(0, image.shape[1])):
        digest.update(np.ascontiguousarray(strip).view(np.uint8).data)
    return digest.hexdigest()


def _given_scaling(low: float, high: float) -> IntensityScaling:
    low, high = float(low), float(high)
    if not (low < high and math.isfinite(high - low)):
        raise ImageError(f"Contrast limits ({low:g}, {high:g}) are no range: give two finite rising numbers.")
    return IntensityScaling(low, high, "given")


def _measured_scaling(sample: NDArray[np.float64], dtype: np.dtype[Any]) -> IntensityScaling:
    minimum, maximum = float(sample.min()), float(sample.max())
    if dtype.kind == "f" and minimum >= 0 and maximum <= 1:
        return IntensityScaling(0.0, 1.0, "dtype")
    low, high = (float(x) for x in np.percentile(sample, ROBUST_PERCENTILES))
    if low == high:  # a few bright pixels on a constant ground lie outside the percentiles
        low, high = minimum, maximum
    if low == high:
        return IntensityScaling(low, low + max(1.0, 1e-6 * abs(low)), "constant")
    return IntensityScaling(low, high, "percentiles")


def _resize(planes: Tensor, size: tuple[int, int], interpolation: str) -> Tensor:
    if tuple(planes.shape[-2:]) == size:
        return planes
    resized = F.interpolate(planes[None], size=size, mode=interpolation, align_corners=False, antialias=True)
    return resized[0]


def _rgb(region: NDArray[Any], scaling: IntensityScaling) -> Tensor:
    grey = region.ndim == 2 or region.shape[2] == 1
    # Wide types would lose small differences in float32 before the offset is taken away.
    unit: NDArray[Any] = np.atleast_3d(region)[..., :3].astype(np.float64 if region.dtype.itemsize > 2 else np.float32)
    unit -= scaling.low
    unit /= scaling.high - scaling.low
    np.clip(unit, 0, 1, out=unit)
    planes = torch.from_numpy(np.moveaxis(unit, -1, 0).astype(np.float32, order="C")).nan_to_num_(nan=0.0)
    return planes.expand(3, -1, -1) if grey else planes


def _read_strips(image: Any, rows: slice, columns: slice) -> Iterator[tuple[int, NDArray[Any]]]:
    """Read a region in strips of at most `_STRIP_PIXELS` pixels, each with its first row.

    Where the image is stored in chunks, rows of chunks are read whole, so that none is decoded twice.
    """
    width = max(1, columns.stop - columns.start)
    strip_rows = max(1, _STRIP_PIXELS // width)
    chunk_rows = _chunk_rows(image)
    row_bytes = width * int(np.prod(image.shape[2:])) * np.dtype(image.dtype).itemsize
    together = chunk_rows if chunk_rows > strip_rows and chunk_rows * row_bytes <= _READ_BYTES else strip_rows
    if 1 < chunk_rows < together:
        together -= together % chunk_rows
    start = rows.start
    while start < rows.stop:
        stop = min((start // together + 1) * together, rows.stop)
        read = np.asarray(image[start:stop, columns])
        for first in range(0, stop - start, strip_rows):
            yield start + first, read[first : first + strip_rows]
        start = stop


def _chunk_rows(image: Any) -> int:
    """Rows that are stored together, by the two ways in which array libraries say so; 1 if they are not."""
    chunks = getattr(image, "chunks", None)  # zarr and h5py: rows of a chunk; dask: rows of each
    if not chunks:
        return 1
    return int(max(chunks[0]) if isinstance(chunks[0], tuple) else chunks[0])


def _finite_sample(image: Any) -> NDArray[np.float64]:
    """Finite values of a regular subset of the pixels, alpha left out; all of them in images up to 4 megapixels."""
    step = max(1, math.ceil(math.sqrt(image.shape[0] * image.shape[1] / _SAMPLED_PIXELS)))
    if isinstance(image, np.ndarray):
        parts = [image[::step, ::step]]
    else:
        strips = _read_strips(image, slice(0, image.shape[0]), slice(0, image.shape[1]))
        parts = [np.array(strip[-first % step :: step, ::step]) for first, strip in strips]
    values = np.concatenate([part[..., :3].ravel() if part.ndim == 3 else part.ravel() for part in parts])
    sample: NDArray[np.float64] = values.astype(np.float64)
    return sample[np.isfinite(sample)]

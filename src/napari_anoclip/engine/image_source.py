"""An image as the engine takes it: its pixels, how their intensities are read, and what identifies both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.imaging import IntensityScaling, check_image, fingerprint, intensity_scaling


@dataclass(frozen=True)
class ImageSource:
    """One image, how its intensities are read, and what identifies both.

    Attributes
    ----------
    image : array-like
        (H, W) or (H, W, 1|3|4).
    size : tuple of int
        (H, W) in pixels.
    scaling : IntensityScaling
        Black and white.
    digest : str
        Hash of the pixels and of the scaling.
    """

    image: Any
    size: tuple[int, int]
    scaling: IntensityScaling
    digest: str

    @classmethod
    def of(cls, image: Any, contrast_limits: tuple[float, float] | None = None) -> ImageSource:
        """Check an image and decide how it is read.

        Raises
        ------
        ImageError
            If it is no image, holds nothing finite, or the limits are no range.
        """
        image = image if hasattr(image, "shape") and hasattr(image, "dtype") else np.asarray(image)
        size = check_image(image)
        scaling = intensity_scaling(image, contrast_limits)
        identity = json.dumps([fingerprint(image), scaling.low, scaling.high])
        return cls(image, size, scaling, hashlib.blake2b(identity.encode(), digest_size=16).hexdigest())

    def check_pixel(self, at: tuple[int, int]) -> None:
        """Make sure that (row, column) is a pixel of it.

        Raises
        ------
        ImageError
            If it is outside.
        """
        if not (0 <= at[0] < self.size[0] and 0 <= at[1] < self.size[1]):
            raise ImageError(f"Pixel {tuple(at)} is outside the image, which has {self.size[0]} × {self.size[1]}.")


def as_source(image: Any, contrast_limits: tuple[float, float] | None = None) -> ImageSource:
    """Give an image that is a source already as it is, and make one of an array.

    Parameters
    ----------
    image : array-like or ImageSource
        The image.
    contrast_limits : tuple of float, optional
        Of an array, as for `ImageSource.of`.

    Returns
    -------
    ImageSource

    Raises
    ------
    ImageError
        As for `ImageSource.of`.
    """
    return image if isinstance(image, ImageSource) else ImageSource.of(image, contrast_limits)

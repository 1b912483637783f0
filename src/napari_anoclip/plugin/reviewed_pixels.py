"""The pixels of reviewed images, wherever they are: of a layer in the viewer, or of a file that is read when asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anoclip.plugin.plane import levels
from napari_anoclip.review.pictures import SUFFIXES, Picture

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_anoclip.plugin.review_subject import Subject
    from napari_anoclip.review.judgement import ImageReview
    from napari_anoclip.review.session import Session


def pixels_of_layer(layer: Image, image: ImageReview, subject: Subject | None) -> Any:
    """Pixels of a layer with its hidden axes first, as a review counts them.

    Parameters
    ----------
    layer : Image
        In the viewer.
    image : ImageReview
        What is reviewed of it.
    subject : Subject or None
        What is under review now; if that is this layer, it says which axes are hidden.
    """
    pixels = levels(layer)[0]
    leading = tuple(range(len(image.map_shape) - 2))
    if subject is None or layer != subject.image or subject.hidden == leading:
        return pixels
    return np.moveaxis(np.asarray(pixels), subject.hidden, leading)


def path_of(image: ImageReview, session: Session | None) -> Path | None:
    """The file of a reviewed image, if it is where it was."""
    if session is not None:
        return session.path_of(image)
    path = None if image.path is None else Path(image.path)
    return path if path is not None and path.exists() else None


def picture_of_file(file: Path | None) -> Picture | None:
    """A picture whose pixels are read when they are asked for; None where there is no file, or none that is read."""
    return Picture(file) if file is not None and file.suffix.lower() in SUFFIXES else None

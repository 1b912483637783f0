"""Truth as files: masks, polygons, MATLAB, ellipses, each read when somebody asks for it.

All of them are plain values that are called: they can be pickled and sent to another machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import draw

from napari_anoclip.batch.datasets.model import DataSetError
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.foreign import json_of
from napari_anoclip.review.mask_picture import set_pixels
from napari_anoclip.review.pictures import SUFFIXES, TIFF_SUFFIXES, read_picture

LABELME, MATLAB = ".json", ".mat"
PICTURES = tuple(sorted(SUFFIXES))

_CRACK = 2
"""In CrackForest's "Segmentation" 1 is road; 3 and 4 are patches of road that a web of cracks encloses."""


@dataclass(frozen=True)
class NoDefect:
    """The truth of a good picture: False everywhere."""

    image: Path

    def __call__(self) -> NDArray[np.bool_]:
        """Give an empty mask (H, W)."""
        return np.zeros(picture_size(self.image), bool)


@dataclass(frozen=True)
class MaskFile:
    """Truth in a file of its own: a picture, labelme's JSON or CrackForest's MATLAB."""

    path: Path
    image: Path

    def __call__(self) -> NDArray[np.bool_]:
        """Read it as (H, W).

        Raises
        ------
        DataSetError
            If it is damaged, or not as large as the picture.
        ImageError
            If a file cannot be read.
        """
        size = picture_size(self.image)
        mask = _polygons(self.path, size) if self.path.suffix.casefold() == LABELME else _set_pixels(self.path)
        if mask.shape != size:
            raise DataSetError(
                f"The mask {self.path} has {_words(mask.shape)} pixels, but the picture {self.image} has "
                f"{_words(size)}: a mask has to be as large as its picture."
            )
        return mask


@dataclass(frozen=True)
class Ellipse:
    """Truth as DAGM's development data give it: an ellipse around the defect.

    Attributes
    ----------
    image : Path
        The picture.
    major, minor : float
        Semi-axes in pixels.
    angle : float
        From the x axis towards the y axis, which points down, to the major axis; radians.
    x, y : float
        Centre in pixels.
    """

    image: Path
    major: float
    minor: float
    angle: float
    x: float
    y: float

    def __call__(self) -> NDArray[np.bool_]:
        """Draw it as (H, W)."""
        height, width = picture_size(self.image)
        right, down = np.arange(width) - self.x, (np.arange(height) - self.y)[:, None]
        along = right * np.cos(self.angle) + down * np.sin(self.angle)
        across = down * np.cos(self.angle) - right * np.sin(self.angle)
        inside: NDArray[np.bool_] = (along / self.major) ** 2 + (across / self.minor) ** 2 <= 1
        return inside


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture, of which only the head is read.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    try:
        if path.suffix.casefold() in TIFF_SUFFIXES:
            with tifffile.TiffFile(path) as file:
                height, width = file.pages.first.shape[:2]
        else:
            with Image.open(path) as picture:
                width, height = picture.size
    # A damaged file can make a decoder fail in any way at all.
    except Exception as error:
        raise ImageError(f"The picture {path} cannot be read: put it back as it was.") from error
    return int(height), int(width)


def shows_defect(path: Path) -> bool:
    """Whether anything is marked in a file of truth.

    Raises
    ------
    DataSetError
        If it is damaged.
    ImageError
        If it cannot be read.
    """
    return bool(_shapes(path)) if path.suffix.casefold() == LABELME else bool(_set_pixels(path).any())


def _set_pixels(path: Path) -> NDArray[np.bool_]:
    """Where a file says that there is a defect."""
    if path.suffix.casefold() == MATLAB:
        crack: NDArray[np.bool_] = _segmentation(path) == _CRACK
        return crack
    values = read_picture(path)
    return set_pixels(values, path, coloured=values.ndim > 2)


def _segmentation(path: Path) -> NDArray[Any]:
    from scipy.io import loadmat

    try:
        return np.asarray(loadmat(str(path))["groundTruth"]["Segmentation"][0, 0])
    # Of a damaged file, any of SciPy's readers may stumble in its own way.
    except Exception as error:
        raise DataSetError(
            f"{path} cannot be read as MATLAB file with groundTruth.Segmentation: unpack the data set again."
        ) from error


def _shapes(path: Path) -> list[dict[str, Any]]:
    try:
        shapes = json_of(path.read_text(encoding="utf-8"))["shapes"]
        if all(len(shape["points"]) > 0 for shape in shapes):
            return list(shapes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataSetError(f"{path} cannot be read as labelme's JSON: unpack the data set again.") from error
    raise DataSetError(f"{path} has a shape without points: draw it again in labelme, or delete it there.")


def _polygons(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """All polygons and rectangles. A pixel belongs to one if its centre does."""
    mask = np.zeros(size, bool)
    for shape in _shapes(path):
        points = np.asarray(shape["points"], float)
        form = shape.get("shape_type", "polygon")
        if form == "rectangle":
            (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
            points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        elif form != "polygon":
            raise DataSetError(f"{path} holds a {form}: only polygons and rectangles say which pixels are defective.")
        # labelme measures from the corner of the first pixel, whose centre is at 0.5.
        rows, columns = draw.polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, size)
        mask[rows, columns] = True
    return mask


def _words(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))

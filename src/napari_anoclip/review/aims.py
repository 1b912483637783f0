"""What a suggestion is to better, counted cell by cell on patch grids.

Cells stand in the place of pixels, so that thousands of choices of prompts can be tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from napari_anoclip.review.curves import Curves
from napari_anoclip.review.metrics import FALSE_POSITIVE_LIMIT

if TYPE_CHECKING:
    from napari_anoclip.review.patches import Truth

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


class Aim(StrEnum):
    """What counts as better."""

    FALSE_REGIONS = "false regions"
    AUPRO = "AUPRO"
    AP = "AP"


@dataclass(frozen=True, eq=False)
class Sheet:
    """Grids of several images below each other, with a clear row between: regions of all are found in one go.

    Attributes
    ----------
    region : ndarray
        (R, W) int, which defect a cell belongs to, counted over all images from 1; 0 where none.
    normal, near : ndarray
        (R, W) bool: known to be good; reached by a defect or something unsure.
    shapes : tuple of tuple of int
        (Gh, Gw) of each image's grid.
    """

    region: NDArray[np.int32]
    normal: BoolArray
    near: BoolArray
    shapes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, truths: Sequence[Truth]) -> Sheet:
        """Lay out what is known of images."""
        shapes = tuple((truth.region.shape[0], truth.region.shape[1]) for truth in truths)
        size = sum(height + 1 for height, _ in shapes), max(width for _, width in shapes)
        sheet = cls(np.zeros(size, np.int32), np.zeros(size, bool), np.zeros(size, bool), shapes)
        count = 0
        for image, truth in enumerate(truths):
            place = sheet.rows(image), slice(shapes[image][1])
            sheet.region[place] = np.where(truth.region > 0, truth.region + count, 0)
            sheet.normal[place], sheet.near[place] = truth.normal, truth.near
            count += int(truth.region.max())
        return sheet

    def rows(self, image: int) -> slice:
        """Rows of an image, without the clear one below."""
        start = sum(height + 1 for height, _ in self.shapes[:image])
        return slice(start, start + self.shapes[image][0])

    def cells(self, image: int) -> NDArray[np.intp]:
        """Places of an image's cells, row by row, in the flat sheet."""
        width = self.region.shape[1]
        rows = self.rows(image)
        places: NDArray[np.intp] = np.add.outer(
            np.arange(rows.start, rows.stop) * width, np.arange(self.shapes[image][1])
        )
        return places.ravel()

    def part(self, images: Iterable[int]) -> Part:
        """Take some of the images."""
        places = [self.rows(image) for image in sorted(images)]
        rows = np.concatenate([np.arange(place.start, place.stop + 1) for place in places])
        return Part(rows, len(places), self.region[rows], self.normal[rows], self.near[rows])


class Part:
    """Some of the images of a sheet, whose figures are asked for again and again.

    Parameters
    ----------
    rows : ndarray
        (r,) rows of the sheet that belong to them.
    images : int
        How many they are.
    region, normal, near : ndarray
        (r, W) what is known of them, as in the sheet.
    """

    def __init__(
        self, rows: NDArray[np.intp], images: int, region: NDArray[np.int32], normal: BoolArray, near: BoolArray
    ) -> None:
        self._rows = rows
        self._images = images
        self._near = near
        self._normal = normal
        self._good = np.flatnonzero(normal)
        places = np.flatnonzero(region)
        # Region by region, so that the hottest cell of each is one reduction.
        self._bad = places[np.argsort(region.ravel()[places], kind="stable")]
        numbers = region.ravel()[self._bad]
        self._firsts = np.flatnonzero(np.diff(numbers, prepend=0))
        sizes = np.diff([*self._firsts, len(numbers)])
        self._shares = np.repeat(1 / np.maximum(sizes, 1), sizes) / max(1, len(sizes))

    @property
    def tells(self) -> bool:
        """Whether there is a defect, and something good to tell it from."""
        return bool(len(self._bad) and len(self._good))

    def recall(self, scores: FloatArray, threshold: float) -> float:
        """Share of the defect regions that exceed a threshold, of scores (R, W) on the whole sheet."""
        return float(np.mean(self._hottest(scores[self._rows]) > threshold))

    def figure(self, aim: Aim, scores: FloatArray, recall: float) -> float:
        """Count what is aimed at.

        Parameters
        ----------
        aim : Aim
            What is counted.
        scores : ndarray
            (R, W) scores on the whole sheet.
        recall : float
            Share of the defect regions that must be found, where false regions are counted.

        Returns
        -------
        float
            AUPRO or average precision, 0 to 1; or false regions an image.
        """
        mine = scores[self._rows]
        if aim is Aim.FALSE_REGIONS:
            return self._false_regions(mine, recall)
        return self._aupro(mine) if aim is Aim.AUPRO else self._precision(mine)

    def _hottest(self, mine: FloatArray) -> FloatArray:
        hottest: FloatArray = np.maximum.reduceat(mine.ravel()[self._bad], self._firsts)
        return hottest

    def _false_regions(self, mine: FloatArray, recall: float) -> float:
        """Regions an image that hold a good cell and touch no defect, where the threshold just gives the recall."""
        hottest = np.sort(self._hottest(mine))[::-1]
        threshold = hottest[max(1, math.ceil(recall * len(hottest) - 1e-9)) - 1]
        numbers = label(mine >= threshold, connectivity=2)
        false = np.bincount(numbers.ravel(), self._normal.ravel()) > 0
        false &= np.bincount(numbers.ravel(), self._near.ravel()) == 0
        return float(np.count_nonzero(false[1:])) / self._images

    def _curves(self, mine: FloatArray) -> tuple[Curves, NDArray[np.float64]]:
        """From the hottest cell down, where another score follows: cells of both kinds, and shares of the defects."""
        flat = mine.ravel()
        scores = np.concatenate([flat[self._bad], flat[self._good]])
        order = np.argsort(-scores)
        last = np.flatnonzero(np.diff(scores[order], append=np.float32(-1)))
        bad = order < len(self._bad)
        shares = np.concatenate([self._shares, np.zeros(len(self._good))])[order]
        defect, normal, overlap = (np.concatenate([[0.0], part.cumsum()[last]])[None] for part in (bad, ~bad, shares))
        return Curves(defect, normal), overlap

    def _aupro(self, mine: FloatArray) -> float:
        curves, overlap = self._curves(mine)
        return float(curves.aupro(overlap, np.ones(1), FALSE_POSITIVE_LIMIT)[0])

    def _precision(self, mine: FloatArray) -> float:
        return float(self._curves(mine)[0].average_precision()[0])

"""A review whose three regions differ in height and size, regions without an image, and how wide a widget has to be."""

from __future__ import annotations

import napari
import numpy as np
from gui.reviewed import show_map, wait_for_regions
from napari.qt import get_stylesheet
from qtpy.QtWidgets import QApplication, QWidget

from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.review.matching import Matched
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import measure

THRESHOLD = 0.62
SQUARES = ((10, 10, 6, 0.91), (40, 20, 10, 0.88), (70, 90, 5, 0.86))
"""Row, column, side and height: the first is the highest, the second the largest, the third the most doubtful."""


def begin(viewer: napari.Viewer, qtbot, picture: np.ndarray) -> Reviewer:
    """Review a picture with a map, once its regions are found."""
    values = np.full(picture.shape[:2], 0.3, np.float32)
    for row, column, side, height in SQUARES:
        values[row : row + side, column : column + side] = height
    show_map(viewer, viewer.add_image(picture.copy(), rgb=True, name="plate"), values)
    reviewer = Reviewer(viewer)
    reviewer.set_threshold(THRESHOLD)
    wait_for_regions(qtbot, reviewer, len(SQUARES))
    return reviewer


def many(count: int) -> list[Matched]:
    """Regions of 4 × 4 pixels, each a little less high than the one before."""
    regions = []
    for number in range(1, count + 1):
        mask = RegionMask.of(np.ones((4, 4)), (6 * number, 0))
        measures = measure(None, mask).model_copy(update={"maximum": 1 - number / (2 * count), "mean": 0.5})
        regions.append(Matched(number, mask, (), measures))
    return regions


def narrowest_of(widget: QWidget) -> int:
    """Pixels of width that a widget needs in napari's looks."""
    widget.setStyleSheet(get_stylesheet("dark"))
    QApplication.processEvents()  # the layout takes the looks in
    return widget.minimumSizeHint().width()

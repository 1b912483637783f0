"""Plates that a person judges: each has a bright square, which is a defect, and a less bright one, which is none.

The model is that of `towers`: it finds both, and only the threshold tells them apart.
"""

from __future__ import annotations

from pathlib import Path

import napari
import numpy as np
from gui.reviewed import wait_for_regions
from skimage.io import imsave

from napari_anoclip.plugin.dock import AnoCLIPDock
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.tuning import Place, ticked

LOW, HIGH = 0.497, 0.4990
"""Thresholds above which both squares are, and only the bright one."""

HEARD = 15
"""Milliseconds within which a panel hears of a change: of the threshold, once the display is drawn."""

MIDDLE = 60
"""Row above which a square is the defect."""


def plate(number: int) -> np.ndarray:
    """(96, 120, 3) uint8; no two are the same."""
    picture = np.full((96, 120, 3), 40, np.uint8)
    picture[16:32, 16 + 4 * number : 32 + 4 * number] = 230
    picture[64:80, 88 - 8 * number : 104 - 8 * number] = 190
    return picture


class Inspector:
    """Does what a person does: opens a plate, presses Run, judges its regions."""

    def __init__(self, viewer: napari.Viewer, dock: AnoCLIPDock, folder: Path, qtbot, run) -> None:
        self._viewer, self._dock, self._folder, self._qtbot, self._run = viewer, dock, folder, qtbot, run
        self.reviewer = Reviewer(viewer)
        self._opened = 0

    def open(self) -> Path:
        """Open the next plate, score it, and wait for its two regions."""
        self._folder.mkdir(exist_ok=True)
        file = self._folder / f"plate {self._opened}.png"
        imsave(file, plate(self._opened), check_contrast=False)
        self._opened += 1
        (layer,) = self._viewer.open(str(file), plugin="napari")
        self._dock.controls.image.choose(layer)
        self._run(self._dock)
        self.reviewer.set_threshold(LOW)
        wait_for_regions(self._qtbot, self.reviewer, 2)
        return file

    def edit(self, state: str) -> None:
        """Switch an abnormal state off in the workbench."""
        document = self._dock.controls.document
        (row,) = [row for row, entry in enumerate(document.value.abnormal_states) if entry.text == state]
        place = Place("abnormal_states", row)
        document.edit(lambda prompts: ticked(prompts, [(place, False)]))

    def judge(self, plates: int = 1) -> None:
        """Open plates and judge both regions of each: the square above is a defect, the one below is none."""
        for _ in range(plates):
            self.open()
            for region in list(self.reviewer.regions):
                self.reviewer.select(region.id)
                above = region.mask.start[0] < MIDDLE
                self.reviewer.judge(Verdict.DEFECT if above else Verdict.FALSE)
            wait_for_regions(self._qtbot, self.reviewer, 2)


def wait_for(qtbot, panel) -> None:
    """Wait until a panel has heard of what was done, and has answered."""
    qtbot.wait(5 * HEARD)
    qtbot.waitUntil(lambda: not panel.busy, timeout=30_000)

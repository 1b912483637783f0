"""The pictures of the review's pages: a folder of pictures is gone through and judged, as by somebody who knows."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from qtpy.QtCore import QPoint
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QApplication, QScrollArea

from benchmarks.waiting import wait_until
from napari_anoclip.plugin.review_dock import ReviewDock
from napari_anoclip.plugin.sample_data import open_sample
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from docs.screenshots import Desk
    from napari_anoclip.review.matching import Matched

SAMPLE = "grid"
PIECE = 400
"""Pixels across of a picture."""
PICTURE = 2
"""The one that is shown in the end."""
THRESHOLD = 0.4
"""Low enough that false alarms are among the regions."""

WINDOW = (1500, 860)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def review_dock(desk: Desk) -> QPixmap:
    review = judged_folder(desk)
    review.reviewer.select(review.reviewer.regions[0].id)
    return desk.window()


def review_figures(desk: Desk) -> QPixmap:
    review = judged_folder(desk)
    show(desk, review, "How good is it?")
    wait_until(lambda: not review.figures._settled.isActive())  # what comes now is another edit
    desk.controls.document.edit(lambda prompts: prompts.with_entries("abnormal_states", ["{} with rust"]))
    wait_until(lambda: review.figures.sentence != "")
    return desk.window()


def review_blame(desk: Desk) -> QPixmap:
    review = judged_folder(desk)
    review.reviewer.select(review.reviewer.regions[0].id)
    show(desk, review, "Which prompt is to blame?")
    return desk.window()


def review_learn(desk: Desk) -> QPixmap:
    review = judged_folder(desk)
    show(desk, review, "Learn from false positives")
    review.learn.on.click()
    return desk.window()


def review_drawing(desk: Desk) -> QPixmap:
    review = judged_folder(desk)
    review.reviewer.add_missed("lasso")
    return desk.window()


def review_session(desk: Desk) -> QPixmap:
    review = judged_folder(desk)
    assert review.reviewer.session is not None
    review.reviewer.session.save()
    show(desk, review, "Session and export")
    return desk.window()


def review_keys(desk: Desk) -> QPixmap:
    review = open_review(desk)
    review.help_button.click()
    wait_until(lambda: QApplication.activePopupWidget() is not None)
    popup = QApplication.activePopupWidget()
    taken = popup.grab()
    popup.close()
    return taken


def review_report(desk: Desk) -> QPixmap:
    """The report as a browser shows it."""
    review = judged_folder(desk)
    show(desk, review, "How good is it?")
    page = Path(tempfile.mkdtemp()) / "report.html"
    review.export.formats.setCurrentText("HTML report")
    review.export.export(page)
    wait_until(lambda: not review.export.job.busy)
    return in_browser(page)


def in_browser(page: Path) -> QPixmap:
    """A page as a browser shows it; needs one, such as Debian's package chromium."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"The picture of the report needs a browser, one of {', '.join(BROWSERS)}.")
    folder = Path(tempfile.mkdtemp())
    shot = folder / "page.png"
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,1300",
         f"--screenshot={shot}", page.as_uri()],
        check=True, capture_output=True, env=os.environ | {"HOME": str(folder)}, timeout=120,
    )  # fmt: skip
    return QPixmap(str(shot))


def open_review(desk: Desk) -> ReviewDock:
    """Open the review dock beside the workbench."""
    desk.viewer.window.resize(*WINDOW)
    review: ReviewDock
    _, review = desk.viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    desk.also_busy = lambda: _busy(review)
    desk.settle()
    return review


def judged_folder(desk: Desk, also: str = "") -> ReviewDock:
    """Go through a folder of eight pictures of one material, and judge six by the mask they were drawn with.

    Parameters
    ----------
    desk : Desk
        Where.
    also : str
        An abnormal state beside the preset's, perhaps one that raises false alarms.
    """
    review = open_review(desk)
    desk.controls.prompts.prefill({"object": SAMPLE, "preset": "paper-texture", "kind": "texture"})
    if also:
        desk.controls.editor.columns["abnormal_states"].list.add([also])
    masks = folder_of_pictures(folder := Path(tempfile.mkdtemp()) / "grids" / "line 3")
    review.queue.open_folder(folder)
    wait_until(lambda: bool(review.reviewer.regions))
    reviewer = review.reviewer
    reviewer.set_threshold(THRESHOLD)
    desk.settle()
    for _ in range(6):
        desk.settle()
        mask = masks[reviewer.entry.name]
        before = reviewer.entry.key
        while (region := reviewer.current) is not None and region.verdict is None:
            reviewer.judge(verdict_of(region, mask))
        wait_until(lambda before=before: reviewer.entry is not None and reviewer.entry.key != before)
    review.queue.walk.choose(PICTURE)
    wait_until(lambda: reviewer.entry is not None and reviewer.entry.name == f"grid_{PICTURE + 1:02}.png")
    desk.settle()
    review.notice.clear()
    return review


def verdict_of(region: Matched, mask: np.ndarray) -> Verdict:
    """What somebody says who knows the mask."""
    share = region.mask.of_map(mask).mean()
    return Verdict.DEFECT if share > 0.3 else Verdict.FALSE if not share else Verdict.UNSURE


def folder_of_pictures(folder: Path) -> dict[str, np.ndarray]:
    """Pieces of a sample, turned and mirrored, as a camera might see parts of one kind; gives their masks."""
    folder.mkdir(parents=True)
    layers = [np.asarray(layer[0]) for layer in open_sample(SAMPLE)[:2]]
    masks = {}
    for number in range(8):
        name = f"grid_{number + 1:02}.png"
        top, left = 30 * (number % 3), 20 * (number % 4)
        turned = [np.rot90(one[top : top + PIECE, left : left + PIECE], number // 2) for one in layers]
        picture, mask = (one[:, ::-1] if number % 2 else one for one in turned)
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / name)
        masks[name] = mask > 0
    return masks


def show(desk: Desk, review: ReviewDock, title: str) -> None:
    """Open one section of the review dock, fold the others away, and scroll to it."""
    for name, section in review.sections.items():
        section.open(name == title)
    desk.settle()
    scroll = review.findChild(QScrollArea)
    scroll.verticalScrollBar().setValue(review.sections[title].mapTo(scroll.widget(), QPoint()).y())
    desk.settle()


def _busy(review: ReviewDock) -> bool:
    reviewer = review.reviewer
    parts = (reviewer._identity, reviewer._finder, reviewer._disagreement, reviewer._top)
    panels = (review.figures, review.blame, review.learn)
    return any(part.job.busy for part in parts) or any(panel.busy for panel in panels) or reviewer._soon.isActive()


MAKERS = (
    *(review_dock, review_figures, review_blame, review_learn, review_drawing, review_session, review_keys),
    review_report,
)

"""Make the moving picture of the documentation's home: the real window, used as a person would use it.

``python -m docs.moving_picture`` needs a display, a virtual one will do. Verdicts are those of somebody who knows: they
come from the masks that the pictures were drawn with.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import QScrollArea, QWidget

from benchmarks.waiting import wait_until
from docs import review_screenshots
from docs.film import Film
from docs.screenshots import IMAGES, Desk
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    import numpy as np

    from napari_anoclip.plugin.review_dock import ReviewDock
    from napari_anoclip.review.matching import Matched

FILE = IMAGES / "moving_picture.webp"
WIDTH = 1280
MOST_KB = 3000

STATE = "{} with rust"
"""What the user looks for at first, and takes back when the figures say that general words do better."""
JUDGED = 6
"""Pictures of the folder that are gone through."""
FLIGHT = 0.45
"""Seconds for the camera to get to the next region."""
AT_LEISURE = 1
"""Of these, the ones that are shown at the pace of a person; the others go by."""


def main() -> None:
    desk = Desk()
    desk.viewer.window.resize(*review_screenshots.WINDOW)
    desk.settle()
    film = Film(desk.viewer.window._qt_window, WIDTH)
    _find(desk, film)
    _name(desk, film)
    review, masks = _open_folder(desk, film)
    _judge(desk, film, review, masks)
    _improve(desk, film, review)
    film.save(FILE)
    desk.viewer.close()
    size = FILE.stat().st_size / 1000
    print(f"{FILE.name}: {size:.0f} kB, {film.seconds:.1f} s, {len(film.frames)} frames")
    assert size <= MOST_KB, f"larger than {MOST_KB} kB"


def _find(desk: Desk, film: Film) -> None:
    film.say("Open an image, here a sample.")
    film.hold(0.6)
    film.choose("File", "Open Sample", "AnoCLIP", "Grid with rust")
    desk.settle()
    desk.viewer.reset_view()
    film.hold(0.6)
    film.say("Press Run. Bright is where it looks abnormal.")
    film.click(desk.dock.run_bar.run_button)
    film.follow(lambda: not desk.dock.job.busy, most=0.6)
    desk.settle()
    film.hold(1.2)


def _name(desk: Desk, film: Film) -> None:
    film.say("Say in words what you look for. The map follows.")
    film.click(_heading(desk.dock.sections["Prompts"]))
    desk.settle()
    line = desk.controls.editor.columns["abnormal_states"].add_line
    _scroll_to(desk.dock, desk.dock.sections["Prompts"])
    film.click(line)
    film.type(line, STATE)
    film.follow(desk._quiet, most=0.6)
    desk.settle()
    film.hold(1.0)


def _open_folder(desk: Desk, film: Film) -> tuple[ReviewDock, dict[str, np.ndarray]]:
    """Open the review, and a folder of pictures in it; the column of layers makes room."""
    film.say("A folder of them: each region comes up, to be judged by one key.")
    review = review_screenshots.open_review(desk)
    window = desk.viewer.window
    window._qt_viewer.dockLayerList.hide()
    window._qt_viewer.dockLayerControls.hide()
    folder = Path(tempfile.mkdtemp()) / "grids" / "line 3"
    masks = review_screenshots.folder_of_pictures(folder)
    desk.settle()
    desk.viewer.reset_view()
    film.click(review.queue.folder_button.parentWidget(), _middle(review.queue.folder_button))
    review.queue.open_folder(folder)  # what its dialog does with the folder that is chosen
    reviewer = review.reviewer
    wait_until(lambda: reviewer.entry is not None and reviewer.entry.name in masks and bool(reviewer.regions))
    desk.settle()
    desk.viewer.reset_view()
    film.hold(0.5)
    film.say("Lower the threshold until the defects that you see are outlined.")
    film.click(review.rows.threshold)
    review.rows.threshold.selectAll()
    film.type(review.rows.threshold, str(review_screenshots.THRESHOLD))
    desk.settle()
    film.hold(0.5)
    return review, masks


def _judge(desk: Desk, film: Film, review: ReviewDock, masks: dict[str, np.ndarray]) -> None:
    window = desk.viewer.window._qt_window
    window.activateWindow()
    film.say("D: a defect.  F: a false alarm.  The next one comes by itself.")
    for number in range(JUDGED):
        picture = review.reviewer.entry
        assert picture is not None
        leisure = number < AT_LEISURE
        while (region := _waiting(review, picture.key)) is not None:
            verdict = review_screenshots.verdict_of(region, masks[picture.name])
            film.press(window.centralWidget(), _KEYS[verdict], seconds=0.6 if leisure else 0.2)
            review.notice.clear()  # where verdicts are kept: a folder of this run
            film.follow(lambda one=region.id, key=picture.key: _other(review, key, one), most=0.4)
            film.follow(_after(FLIGHT if leisure else 0.0), most=FLIGHT)
        wait_until(lambda key=picture.key: review.reviewer.entry is not None and review.reviewer.entry.key != key)
        desk.settle()
        film.hold(0.2)


def _waiting(review: ReviewDock, picture: str) -> Matched | None:
    """The region of a picture that waits for a verdict; None if none does or another picture is shown."""
    reviewer = review.reviewer
    if reviewer.entry is None or reviewer.entry.key != picture:
        return None
    region = reviewer.current
    return region if region is not None and region.verdict is None else None


def _other(review: ReviewDock, picture: str, region: int) -> bool:
    """Whether another region waits than this one, or none."""
    waiting = _waiting(review, picture)
    return waiting is None or waiting.id != region


def _after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _improve(desk: Desk, film: Film, review: ReviewDock) -> None:
    film.say("Change the prompts, and your verdicts say whether it helped.")
    review_screenshots.show(desk, review, "How good is it?")
    wait_until(lambda: not review.figures._settled.isActive())  # what comes now is another edit
    film.hold(1.2)
    states = desk.controls.editor.columns["abnormal_states"].list
    row = [entry.text for entry in states.entries.entries].index(STATE)
    states.go_to(row)
    box: QRect = states.visualRect(states.model().index(row, 0))
    film.click(states.viewport(), QPoint(box.left() + 10, box.center().y()))
    wait_until(lambda: review.figures.sentence != "")
    desk.settle()
    film.hold(2.8)


def _heading(section: QWidget) -> QWidget:
    return section._button  # type: ignore[attr-defined]


def _middle(widget: QWidget) -> QPoint:
    return widget.mapTo(widget.parentWidget(), widget.rect().center())


def _scroll_to(dock: QWidget, widget: QWidget) -> None:
    scroll = dock.findChild(QScrollArea)
    scroll.verticalScrollBar().setValue(widget.mapTo(scroll.widget(), QPoint()).y())


_KEYS = {Verdict.DEFECT: "D", Verdict.FALSE: "F", Verdict.UNSURE: "U"}

if __name__ == "__main__":
    main()

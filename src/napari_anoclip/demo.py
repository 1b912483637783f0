"""``python -m napari_anoclip.demo``: napari opens on a sample, AnoCLIP runs, what it finds is ready to be judged."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import napari

    from napari_anoclip.plugin.dock import AnoCLIPDock
    from napari_anoclip.plugin.review_dock import ReviewDock

FIRST_SAMPLE = "grid"
SIZE = (1600, 950)
"""Of the window, in pixels: room for both docks beside an image."""
PATIENCE = 600
"""Seconds after which a demo that has to save a picture gives up."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit status is 0 unless the picture that was asked for could not be made."""
    parser = argparse.ArgumentParser(
        prog="python -m napari_anoclip.demo", description="Show AnoCLIP on a sample image."
    )
    parser.add_argument("--sample", default=FIRST_SAMPLE, help="which sample to open (default: %(default)s)")
    parser.add_argument("--screenshot", type=Path, help="save a picture of the window with the result, then quit")
    options = parser.parse_args(arguments)
    problem = show(options.sample, options.screenshot)
    if problem:
        print(problem, file=sys.stderr)
    elif options.screenshot is not None:
        print(f"Saved {options.screenshot.resolve()}")
    return 1 if problem else 0


def open_viewer(title: str) -> napari.Viewer:
    """Open a window of napari, in the way that suits the platform."""
    if sys.platform == "win32":
        import torch  # noqa: F401 (beside an older Qt it cannot start any more: see engine.cpp_runtime)
    import napari

    viewer = napari.Viewer(title=title)
    room = viewer.window._qt_window.screen().availableSize()
    viewer.window.resize(min(SIZE[0], room.width()), min(SIZE[1], room.height()))
    return viewer


def show(sample: str = FIRST_SAMPLE, screenshot: Path | None = None) -> str:
    """Open a sample and run; come back when the window is closed or the picture of it is saved.

    Parameters
    ----------
    sample : str
        Name of one of the plugin's samples.
    screenshot : Path, optional
        Where to save a picture of the window with the result; the window is closed then.

    Returns
    -------
    str
        A sentence if something failed; else empty.
    """
    import napari
    from qtpy.QtCore import QTimer

    viewer = open_viewer("AnoCLIP demo")
    try:
        viewer.layers.selection.active = viewer.open_sample("napari-anoclip", sample)[0]
    except KeyError:
        viewer.close()
        return f"There is no sample “{sample}”; File > Open Sample > AnoCLIP lists them."
    dock: AnoCLIPDock
    _, dock = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    review: ReviewDock
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    QTimer.singleShot(100, viewer.reset_view)  # once the docks have taken their share of the window
    QTimer.singleShot(0, dock.run)
    if screenshot is None:
        napari.run()
        return ""

    problem = f"There was no result after {PATIENCE} seconds."

    def finish(sentence: str) -> None:
        nonlocal problem
        problem = sentence
        viewer.close()

    def save() -> None:
        viewer.screenshot(str(screenshot), canvas_only=False, flash=False)
        finish("")

    def found() -> None:
        """Regions are there, and nothing is under way: what remains is to draw them."""
        if review.reviewer.regions and not dock.job.busy:
            review.reviewer.changed.disconnect(found)
            QTimer.singleShot(500, save)

    review.reviewer.changed.connect(found)
    dock.job.succeeded.connect(lambda _: review.reviewer.look())
    dock.job.failed.connect(lambda error: finish(str(error)))
    QTimer.singleShot(PATIENCE * 1000, viewer.close)
    napari.run()
    return problem


if __name__ == "__main__":
    sys.exit(main())

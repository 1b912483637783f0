"""Print how long it takes from an edit to new pixels on the screen: the whole chain, in a real window.

python -m benchmarks.live (needs a display, a virtual one will do)
"""

from __future__ import annotations

import statistics
import time

import napari
import numpy as np

from benchmarks.desk import idle, open_desk, picture
from benchmarks.report import heading, line
from benchmarks.waiting import Stamp, settle, wait_until
from napari_anoclip.engine.prompts import Entry, PromptSet
from napari_anoclip.plugin import results
from napari_anoclip.plugin.dock import AnoCLIPDock
from napari_anoclip.plugin.live import QUIET

ROUNDS = 15
WORDS = ("hole", "rust", "dirt", "chip", "dent", "mark", "tear", "burn", "stain", "crack", "mould", "dust", "rip")


def edited(prompts: PromptSet, index: int) -> PromptSet:
    """The prompt set with another last abnormal state, one that was never encoded, not by an earlier run either."""
    state = Entry(text=f"{{}} with {WORDS[index % len(WORDS)]} {time.time_ns() % 1_000_000}")
    states = (*prompts.abnormal_states[:-1], state)
    return PromptSet.model_validate({**dict(prompts), "abnormal_states": states})


def edits_to_pixels(viewer: napari.Viewer, dock: AnoCLIPDock, first: int) -> list[float]:
    """Seconds from an edit until the canvas has drawn the map that it leads to, the 150 ms of quiet not counted."""
    drawn, shown = Stamp(), Stamp()
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(drawn, position="last")
    dock.bench.shown.connect(shown)
    seconds = []
    for index in range(ROUNDS):
        wait_until(lambda: idle(dock))
        settle(0.2)
        drawn.at = shown.at = 0.0
        started = time.perf_counter()
        dock.controls.document.value = edited(dock.controls.document.value, first + index)
        wait_until(lambda: 0 < shown.at < drawn.at)
        seconds.append(drawn.at - started - QUIET / 1000)
    wait_until(lambda: idle(dock))
    return seconds


def report(name: str, seconds: list[float], target: float) -> None:
    line(name, statistics.median(seconds), target, f"longest of {len(seconds)}: {max(seconds):.3f} s")


def main() -> None:
    viewer, dock = open_desk()
    image = viewer.add_image(picture(1024), rgb=True, name="leather")
    dock.run()
    wait_until(lambda: results.find(viewer.layers, image) is not None and idle(dock))
    heading("seconds", "")
    report("one state edited -> pixels, 1024 × 1024, TTA off", edits_to_pixels(viewer, dock, 0), 0.3)
    dock.controls.adapt.setChecked(True)
    wait_until(lambda: idle(dock))
    report("one state edited -> pixels, 1024 × 1024, TTA on", edits_to_pixels(viewer, dock, 100), 1.0)
    dock.controls.adapt.setChecked(False)
    stack = viewer.add_image(np.stack([picture(1024)[..., 0]] * 50), name="stack")
    dock.controls.image.choice = {**dock.controls.image.choice, "planes": "all"}
    dock.run()
    wait_until(lambda: results.find(viewer.layers, stack) is not None and idle(dock))
    report("the same, the shown plane of 50 × 1024 × 1024, all chosen", edits_to_pixels(viewer, dock, 200), 0.3)
    viewer.close()


if __name__ == "__main__":
    main()

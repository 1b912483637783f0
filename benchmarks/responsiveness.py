"""Print the gaps between ticks of the GUI's event loop while jobs run, and who was at work in the long ones.

    python -m benchmarks.responsiveness (needs a display, a virtual one will do)

A timer in the GUI thread ticks as often as the event loop lets it. A second thread looks at the first one's stack
when a tick is overdue: that names the culprit, unless it holds the interpreter's lock, and then the worker is named.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

import numpy as np
from qtpy.QtCore import QTimer

from benchmarks.desk import idle, open_desk, picture
from benchmarks.live import edited
from benchmarks.report import heading, line
from benchmarks.waiting import settle, wait_until
from napari_anoclip.plugin.dock import AnoCLIPDock

TICK = 2
"""Milliseconds between ticks of a loop that has nothing else to do."""
LONG = 0.030
LONGEST = 0.100


class Pulse:
    """Gaps between ticks, and what the process was doing in the long ones."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.culprits: dict[str, list[float]] = {}
        self._suspect = "not caught"
        self._last = time.perf_counter()
        self._gui = threading.get_ident()
        self._stop = threading.Event()
        self._timer = QTimer()
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._tick)
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Pulse:
        self._last = time.perf_counter()
        self._timer.start()
        self._watch.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.stop()
        self._stop.set()
        self._watch.join()

    def _tick(self) -> None:
        now = time.perf_counter()
        gap = now - self._last
        self.gaps.append(gap)
        if gap > LONG:
            self.culprits.setdefault(self._suspect, []).append(gap)
        self._suspect = "not caught"
        self._last = now

    def _look(self) -> None:
        named = 0.0
        while not self._stop.wait(0.004):
            last = self._last
            if time.perf_counter() - last > LONG and last != named:
                named = last
                frames = sys._current_frames()
                at_work = _own_place(frames.get(self._gui))
                if at_work is None:
                    others = [t for t in threading.enumerate() if t.name == "anoclip-run" and t.ident in frames]
                    at_work = "worker: " + (str(_own_place(frames[others[0].ident])) if others else "none")
                self._suspect = at_work


def _own_place(frame: FrameType | None) -> str | None:
    """The innermost place of a stack, with the innermost of our own; None where the event loop itself waits."""
    stack = traceback.extract_stack(frame)
    inner = stack[-1]
    if inner.filename.endswith("waiting.py"):
        return None
    ours = next((s for s in reversed(stack) if "napari_anoclip" in s.filename), None)
    place = f"{inner.name} ({inner.filename.rsplit('/', 1)[-1]}:{inner.lineno})"
    return place if ours is None or ours is inner else f"{ours.name} ({ours.filename.rsplit('/', 1)[-1]}) > {place}"


def measure(name: str, work: Callable[[], None], dock: AnoCLIPDock) -> None:
    """Let a job run and print its gaps."""
    wait_until(lambda: idle(dock))
    settle(0.3)
    with Pulse() as pulse:
        work()
        settle(0.02)
        wait_until(lambda: idle(dock))
    gaps = np.array(pulse.gaps)
    worst = sorted(pulse.culprits.items(), key=lambda named: -max(named[1]))[:3]
    who = "; ".join(f"{culprit}: {max(long):.3f} s, {len(long)} times" for culprit, long in worst)
    line(f"{name}: p99", float(np.percentile(gaps, 99)), LONG, f"{len(gaps)} ticks")
    line(f"{name}: longest", float(gaps.max()), LONGEST, who)


def main() -> None:
    viewer, dock = open_desk()
    viewer.add_image(picture(1024), rgb=True, name="leather")
    heading("gap in seconds", "culprits of gaps above 30 ms")

    def move_camera() -> None:
        for _ in range(20):
            viewer.scene.camera.zoom *= 1.01
            settle(0.1)

    measure("no job, the camera moves", move_camera, dock)
    measure("first run, model loaded", dock.run, dock)

    def type_prompts() -> None:
        for index in range(10):
            dock.controls.document.value = edited(dock.controls.document.value, index)
            settle(0.25)

    measure("ten edits, live", type_prompts, dock)
    dock.controls.adapt.setChecked(True)
    measure("run with TTA", dock.run, dock)
    dock.controls.adapt.setChecked(False)
    wait_until(lambda: idle(dock))
    tiling = dock.controls.tiling.value
    dock.controls.tiling.value = tiling.model_copy(update={"mode": "tiles"})
    measure("run in tiles", dock.run, dock)
    dock.controls.tiling.value = tiling
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (50, 1024, 1024), np.uint8), name="stack")
    dock.controls.image.choice = {**dock.controls.image.choice, "planes": "all"}
    measure("stack of 50 planes", dock.run, dock)
    viewer.close()


if __name__ == "__main__":
    main()

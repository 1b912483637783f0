"""Print how long somebody waits who starts napari anew: for the dock, and for the first map on a packaged sample.

    python -m benchmarks.cold_start [--rounds 5] (needs a display, a virtual one will do)

Each figure comes from a process of its own, those that are compared in turn. Files are in the system's memory, as they
are where napari was used before since the machine started.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import heading, line

SAMPLE = "leather"
DOCK_TARGET, MAP_TARGET = 1.0, 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scene", choices=["window", "dock", "map"], help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.scene is None:
        measure(options.rounds)
    else:
        print(json.dumps(play(options.scene, options.began)))


def measure(rounds: int) -> None:
    """Let the scenes play in turn, and print what they took."""
    windows, docks, cold, warm = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        fresh("dock", Path(folder) / "warm-up")  # whatever has to be read from the disk is read here
        for lap in range(rounds):
            cache = Path(folder) / str(lap)
            windows.append(fresh("window", cache))
            docks.append(fresh("dock", cache))
            cold.append(fresh("map", cache))
            warm.append(fresh("map", cache))
    heading("seconds", "")
    extra = [dock["dock"] - window["window"] for dock, window in zip(docks, windows, strict=True)]
    of_window, clicks = ([run[name] for run in docks] for name in ("window", "click"))
    line(
        "napari starts -> dock usable, over napari itself",
        statistics.median(extra),
        DOCK_TARGET,
        f"napari itself {spread(of_window)}; menu -> dock {spread(clicks)}; "
        f"torch {'LOADED' if any(run['torch'] for run in docks) else 'not loaded'}",
    )
    for name, runs in (("nothing kept", cold), ("kept prompts of an earlier start", warm)):
        line(
            f"Run -> first map on the canvas, {name}",
            statistics.median(run["first"] for run in runs),
            MAP_TARGET,
            f"{spread([run['first'] for run in runs])}; the next sample {spread([run['second'] for run in runs])}",
        )


def spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def fresh(scene: str, folder: Path) -> dict[str, Any]:
    """Play a scene in a process of its own that keeps what it keeps in a folder."""
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cold_start", "--scene", scene, "--began", str(began)],
        capture_output=True,
        text=True,
        env={**os.environ, "BENCHMARK_FOLDER": str(folder), "NAPARI_CONFIG": str(folder / "napari.yaml")},
        cwd=Path(__file__).parents[1],
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The scene “{scene}” failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def play(scene: str, began: float) -> dict[str, Any]:
    """Start napari as a person does, and tell how long after the process began (seconds) each thing was there."""
    import platformdirs

    folder = os.environ["BENCHMARK_FOLDER"]
    for kind in ("cache", "config", "data"):
        setattr(platformdirs, f"user_{kind}_dir", lambda *_, kind=kind, **__: f"{folder}/{kind}")

    import napari

    from benchmarks.waiting import Stamp, settle, wait_until

    drawn, painted = Stamp(), Stamp()
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(drawn, position="last")
    wait_until(lambda: drawn.at > 0)
    found: dict[str, Any] = {"window": time.time() - began}
    if scene == "window":
        viewer.close()
        return found
    clicked = time.perf_counter()
    dock: Any
    _, dock = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    dock.run_bar.run_button.installEventFilter(watcher(dock, painted))
    wait_until(lambda: painted.at > 0)
    found |= {"dock": time.time() - began, "click": painted.at - clicked, "torch": "torch" in sys.modules}
    if scene == "map":
        shown = Stamp()
        dock.bench.shown.connect(shown)
        for name, sample in (("first", SAMPLE), ("second", "grid")):
            viewer.layers.selection.active = viewer.open_sample("napari-anoclip", sample)[0]
            settle(1.0)  # somebody looks at the picture and moves the mouse to the button
            drawn.at = shown.at = 0.0
            pressed = time.perf_counter()
            dock.run_bar.run_button.click()
            wait_until(lambda: 0 < shown.at < drawn.at)
            found[name] = drawn.at - pressed
            wait_until(lambda: not dock.job.busy and not dock.bench.live.waiting)
    viewer.close()
    return found


def watcher(parent: Any, painted: Any) -> Any:
    """Stamps when a widget is painted."""
    from qtpy.QtCore import QEvent, QObject

    class Watcher(QObject):
        def eventFilter(self, _: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt names it)
            if event.type() == QEvent.Type.Paint:
                painted()
            return False

    return Watcher(parent)


if __name__ == "__main__":
    main()

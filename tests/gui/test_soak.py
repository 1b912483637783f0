"""Two thousand runs in one process: memory and threads stay as they are. A few runs only, unless ``--thorough``."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from collections.abc import Callable
from statistics import median

import numpy as np
import psutil
import pytest
from gui.conftest import PROMPTS

from napari_anoclip.engine import AnoCLIPSettings
from napari_anoclip.engine.settings import AdaptationSettings, TilingSettings
from napari_anoclip.plugin import results
from napari_anoclip.plugin.models import ModelChoice

QUICK, THOROUGH = 20, 2000
WARM_UP = 0.2
"""Share of the runs after which everything is loaded, and caches are as full as they get."""

SAMPLES = 40
"""How often memory is measured."""

MOST_GROWTH = 20e6
"""Bytes, of `THOROUGH` runs: between the medians of the first and the last quarter of what was measured once warm."""

MOST_AT_WORK = 3
"""Threads that may be in the middle of something when it is measured."""

PICTURES = 30
"""Different ones; runs take them in turn."""


class Gauge:
    """Memory that only this process has, and its threads, now and then."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._every = max(5, runs // SAMPLES)
        self._process = psutil.Process(os.getpid())
        self.bytes: list[int] = []
        self.threads: list[int] = []

    def after(self, run: int) -> None:
        if run >= WARM_UP * self._runs and run % self._every == 0:
            gc.collect()
            if sys.platform == "linux":
                ctypes.CDLL("libc.so.6").malloc_trim(0)  # what is free, but was not given back, is no leak
            self.bytes.append(self._process.memory_full_info().uss)
            self.threads.append(threading.active_count())

    @property
    def growth(self) -> float:
        quarter = max(1, len(self.bytes) // 4)
        return median(self.bytes[-quarter:]) - median(self.bytes[:quarter])

    def words(self, what: str) -> str:
        low, high = min(self.bytes) / 1e6, max(self.bytes) / 1e6
        return (
            f"soak, {what}: {self._runs} runs, memory of its own between {low:.1f} and {high:.1f} MB once warm, growth "
            f"{self.growth / 1e6:+.1f} MB, threads {min(self.threads)} to {max(self.threads)}"
        )


@pytest.fixture
def pictures() -> list[np.ndarray]:
    """(H, W, 3) uint8 of several sizes, none like another."""
    draw = np.random.default_rng(3)
    sizes = [(96, 120), (60, 200), (150, 150), (33, 47), (240, 100)]
    return [draw.integers(0, 255, (*sizes[n % len(sizes)], 3), np.uint8) for n in range(PICTURES)]


def holds_still(gauge: Gauge, thorough: bool) -> None:
    quarter = max(1, len(gauge.threads) // 4)
    assert min(gauge.threads[:quarter]) == min(gauge.threads[-quarter:]), f"threads: {gauge.threads}"
    assert max(gauge.threads) - min(gauge.threads) <= MOST_AT_WORK, f"threads: {gauge.threads}"
    if thorough:
        assert gauge.growth <= MOST_GROWTH, f"MB: {[round(size / 1e6, 1) for size in gauge.bytes]}"


@pytest.mark.timeout(1500)
@pytest.mark.fault(
    "memory",
    "two thousand runs of the engine in one process",
    "memory and threads: as at the beginning",
    sees="nothing",
)
def test_runs_of_the_engine(bright_is_bad, pictures, thorough: bool, tells: Callable[[str], None]) -> None:
    runs = THOROUGH if thorough else QUICK
    gauge = Gauge(runs)
    adapted = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True))
    ways = [AnoCLIPSettings(), adapted, AnoCLIPSettings(tiling=TilingSettings(mode="tiles"))]
    for run in range(runs):
        prompts = PROMPTS.with_object(f"plate {run}" if run % 10 == 0 else "plate")
        found = bright_is_bad.detect(pictures[run % PICTURES], prompts, ways[run % len(ways)])
        assert np.isfinite(found.map).all()
        gauge.after(run)
    tells(gauge.words("engine"))
    holds_still(gauge, thorough)


@pytest.mark.timeout(1500)
@pytest.mark.fault(
    "memory",
    "run after run of both docks in one process (2,000 by `make faults`)",
    "memory within 20 MB, and the same threads",
    sees="heatmaps",
)
def test_runs_of_the_docks(
    dock, viewer, use_model, bright_is_bad, pictures, run, qtbot, thorough: bool, tells: Callable[[str], None]
) -> None:
    use_model(bright_is_bad)
    viewer.window._qt_viewer.canvas.native.hide()
    runs = THOROUGH if thorough else QUICK
    gauge = Gauge(runs)
    dock.controls.live.setChecked(False)
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    for number in range(runs):
        if number % 10 == 0:
            viewer.layers.clear()
            image = viewer.add_image(pictures[number // 10 % PICTURES], rgb=True, name=f"plate {number}")
        elif number % 5 == 1:
            dock.controls.adapt.click()
        elif number % 5 == 2:
            image.data = pictures[number % PICTURES]
        elif number % 5 == 3:
            dock.controls.scoring.contour.click()
        run(dock)
        result = results.find(viewer.layers, image)
        assert np.isfinite(result.data).all()
        if number % 5 == 4:
            qtbot.waitUntil(lambda wanted=result: review.reviewer.result is wanted)
            review.reviewer.set_threshold(float(np.median(result.data)))
        gauge.after(number)
    assert dock.models.loaded(ModelChoice()) is bright_is_bad
    tells(gauge.words("docks"))
    holds_still(gauge, thorough)

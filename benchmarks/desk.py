"""A napari window with the dock in it, driven without a user: what the benchmarks of the GUI share."""

from __future__ import annotations

import tempfile
from pathlib import Path

import napari
import numpy as np

from napari_anoclip.plugin import dock_state
from napari_anoclip.plugin.dock import AnoCLIPDock
from napari_anoclip.plugin.sample_data import open_sample


def open_desk() -> tuple[napari.Viewer, AnoCLIPDock]:
    """A shown window; what the user's own dock was left with is neither read nor written."""
    folder = Path(tempfile.mkdtemp())
    dock_state.state_file = lambda: folder / "dock.json"
    viewer = napari.Viewer()
    viewer.window.resize(1400, 900)
    _, dock = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    dock.controls.live.setChecked(True)
    return viewer, dock


def picture(side: int) -> np.ndarray:
    """(side, side, 3) uint8: a sample's picture, repeated."""
    sample = np.asarray(open_sample("leather")[0][0])
    repeats = -(-side // min(sample.shape[:2]))
    return np.tile(sample, (repeats, repeats, 1))[:side, :side].copy()


def idle(dock: AnoCLIPDock) -> bool:
    """Whether nothing is under way or about to be."""
    return not dock.job.busy and not dock.bench.live.waiting

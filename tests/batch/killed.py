"""What a child process does that is killed while it runs on a folder."""

from __future__ import annotations

from pathlib import Path

from batch.small import RECIPE, load

from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.run import run


def run_on(folder: Path, out: Path, cache: Path) -> None:
    """One run, as the command line does it."""
    import torch

    torch.set_num_threads(1)
    run([folder], out, RECIPE, OutputSettings(report=False), model=load(cache))

"""Print what a batch costs beside the work of the image tower itself: on this machine, and on workers of Dask.

The built-in model, pictures of 640 × 480 as JPEG, maps as TIFF. What is compared runs in turn, for speed drifts.

    python -m benchmarks.batch [--images 200] [--rounds 3]
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.peak import peak_megabytes
from benchmarks.report import heading, line
from napari_anoclip.batch.cluster import ClusterSettings, score_on_cluster
from napari_anoclip.batch.cluster_connection import connected
from napari_anoclip.batch.inputs import find_inputs
from napari_anoclip.batch.outputs import OutputSettings, Scale
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.run import RunSummary, run
from napari_anoclip.engine import AnoCLIP, PromptSet

RECIPE = Recipe(prompts=PromptSet.preset("surface", "plate"))
OUTPUT = OutputSettings(report=False)
WARM_UP = 16


class Bench:
    """Folders of pictures that were never seen, scored into folders of their own."""

    def __init__(self, folder: Path, images: int) -> None:
        self.model = AnoCLIP.load()
        self.images = images
        self.scale = Scale.of(self.model, RECIPE)
        self._folder, self._numbers = folder, count()

    def new(self) -> Path:
        """A folder that is not there yet."""
        return self._folder / str(next(self._numbers))

    def draw(self, images: int) -> Path:
        """Rough plates with a scratch in every other one; each time others, for tokens of known ones are kept."""
        folder = self.new()
        folder.mkdir()
        random = np.random.default_rng(int(folder.name))
        for index in range(images):
            grain = Image.fromarray(random.integers(88, 168, (240, 320, 3), dtype=np.uint8))
            picture = np.array(grain.resize((640, 480), Image.Resampling.BICUBIC))
            if index % 2:
                row, column = random.integers(40, 440, 2)
                picture[row : row + 4, column : column + 160] = 250
            Image.fromarray(picture).save(folder / f"{index:04}.jpg", quality=90)
        return folder

    def plain(self, pictures: Path) -> RunSummary:
        """Of one process, this one."""
        return run([pictures], self.new(), RECIPE, OUTPUT, model=self.model)

    def on(self, address: str, threads: int, pictures: Path) -> float:
        """Seconds with the workers of a scheduler, from reaching it to the last record."""
        out, inputs = self.new(), find_inputs([pictures])
        out.mkdir()
        started = time.perf_counter()
        records = score_on_cluster(
            inputs,
            RECIPE,
            out,
            OUTPUT,
            ClusterSettings(scheduler=address, threads=threads),
            scale=self.scale,
            model_id=self.model.model_id,
        )
        assert not any(record.failed for record in records)
        return time.perf_counter() - started

    @contextmanager
    def workers(self, workers: int, threads: int) -> Iterator[str]:
        """Workers that have loaded the model, and the address of their scheduler."""
        with connected(ClusterSettings(workers=workers, threads=threads)) as client:
            address = client.scheduler.address
            for _ in range(3):  # once is not enough to be sure that each of them had a batch
                self.on(address, threads, self.draw(WARM_UP))
            yield address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    threads = torch.get_num_threads()
    print(
        f"{os.cpu_count()} cores, {threads} torch threads, load {os.getloadavg()[0]:.1f}; {options.images} pictures\n"
    )
    heading("ratio", "")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.images)
        throughput(bench, options.rounds)
        for workers in sorted({1, threads}):
            dask(bench, workers, threads // workers, options.rounds)
        if sys.platform == "linux":
            memory(bench)


def throughput(bench: Bench, rounds: int) -> None:
    bench.plain(bench.draw(WARM_UP))
    runs = [bench.plain(bench.draw(bench.images)) for _ in range(rounds)]
    idle = statistics.median(1 - one.busy / one.seconds for one in runs)
    seconds = statistics.median(one.seconds for one in runs)
    remark = f"{bench.images / seconds:.1f} images/s, from the first one to the tables"
    line("share of a run in which the image tower waits", idle, 0.10, remark)


def dask(bench: Bench, workers: int, threads: int, rounds: int) -> None:
    ours, theirs = [], []
    with bench.workers(workers, threads) as address:
        for _ in range(rounds):
            pictures = bench.draw(bench.images)
            theirs.append(bench.plain(pictures).seconds)
            ours.append(bench.on(address, threads, pictures))
    name = f"overhead of Dask, {workers} × {threads} threads against {workers * threads} in one process"
    overhead = statistics.median(mine / other - 1 for mine, other in zip(ours, theirs, strict=True))
    speeds = [bench.images / statistics.median(seconds) for seconds in (ours, theirs)]
    remark = "{:.1f} against {:.1f} images/s; start of workers and loading of the model left out"
    line(name, overhead, 0.10, remark.format(*speeds))


def memory(bench: Bench) -> None:
    """Each figure is the peak of a process of its own."""
    program = (
        "import sys, tempfile; from pathlib import Path; from benchmarks import batch as b\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    b.run([Path(sys.argv[1])], Path(folder), b.RECIPE, b.OUTPUT)\n"
    )
    peaks = [peak_megabytes(program, str(bench.draw(images))) for images in (bench.images // 4, bench.images)]
    remark = f"{peaks[1]:.0f} MB, torch and model included; {peaks[0]:.0f} MB for a quarter of the images"
    line(f"peak memory, {bench.images} images / {bench.images // 4}", peaks[1] / peaks[0], 1.05, remark)


if __name__ == "__main__":
    main()

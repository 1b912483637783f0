"""Print what the figures of a data set cost: memory over the number of pictures, and time for a picture.

python -m benchmarks.figures
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from skimage.filters import gaussian

from benchmarks.peak import peak_megabytes
from benchmarks.report import heading, line
from napari_anoclip.batch.figures import FigureCounter

FEW, MANY, SMALL, SIDE, ROUNDS, SUMS = 1_000, 10_000, 64, 256, 200, 10
RANGES = {"0 to 1": (0.0, 1.0), "0.471 to 0.490": (0.471, 0.490)}
MEMORY_TARGET, SECONDS_TARGET = 1.05, 0.05


class Pictures:
    """Maps as smooth as a model's, each a shifted cut of a large one with some grain, and masks with a spot."""

    def __init__(self, side: int, low: float, high: float) -> None:
        self._draw = np.random.default_rng(0)
        self._side, self._low, self._reach = side, low, high - low
        self._large = gaussian(self._draw.standard_normal((4 * side, 4 * side)), side / 15) * side / 5

    def __call__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        side = self._side
        row, column, top, left = self._draw.integers(0, 3 * side, 4)
        mask = np.zeros((side, side), bool)
        if number % 2:
            mask[top // 4 : top // 4 + side // 6, left // 4 : left // 4 + side // 8] = True
        logits = self._large[row : row + side, column : column + side] - 3 + 2 * mask
        logits = logits + 0.1 * self._draw.standard_normal(mask.shape)
        return (self._low + self._reach / (1 + np.exp(-logits))).astype(np.float32), mask


def count(pictures: Pictures, number: int) -> None:
    """Count so many, and sum up ten times: how many bins are filled comes and goes, and what that takes with it."""
    counter = FigureCounter()
    for place in range(number):
        heat, mask = pictures(place)
        counter.add_map(place, heat, mask)
        counter.add_score(place, float(heat.max()), bool(mask.any()))
        if (place + 1) % (number // SUMS) == 0:
            counter.figures()


def peak_of_maps(number: int) -> float:
    """Peak memory, in MB, of a process that counts so many pictures."""
    return peak_megabytes(f"from benchmarks.figures import *\ncount(Pictures(SMALL, 0.0, 1.0), {number})\n")


def main() -> None:
    heading("figures of a data set", "")
    few, many = (peak_of_maps(number) for number in (FEW, MANY))
    remark = f"{many:.0f} MB against {few:.0f} MB"
    line(f"peak memory, {MANY} / {FEW} maps of {SMALL}²", many / few, MEMORY_TARGET, remark)
    for name, (low, high) in RANGES.items():
        pictures, counter, seconds = Pictures(SIDE, low, high), FigureCounter(), []
        for place in range(ROUNDS):
            heat, mask = pictures(place)
            started = time.perf_counter()
            counter.add_map(place, heat, mask)
            seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        counter.figures()
        summed = time.perf_counter() - started
        # The later ones meet bins that are filled.
        median = statistics.median(seconds[ROUNDS // 2 :])
        remark = f"median of {ROUNDS // 2}; {summed:.1f} s to sum up {ROUNDS}, with intervals"
        line(f"seconds for a map of {SIDE}², scores {name}", median, SECONDS_TARGET, remark)


if __name__ == "__main__":
    main()

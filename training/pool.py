"""A pool of generated scenes on disk, made shard by shard ahead of the training that eats them."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
import numpy as np

from .fields import SIDE
from .scenes import Recipe, scene
from .sources import work_folder

SHARD = 1000
"""Scenes a shard."""


def shard_path(folder: Path, seed: int, index: int) -> Path:
    """File of one shard: (SHARD, SIDE, SIDE, 4) uint8, RGB and the number of the defect's kind."""
    return folder / "pool" / f"seed{seed}-{index:04d}.npy"


def make_shard(folder: Path, seed: int, index: int) -> Path:
    """Generate one shard unless it exists; the same (seed, index) always gives the same pictures."""
    path = shard_path(folder, seed, index)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.empty((SHARD, SIDE, SIDE, 4), np.uint8)
    for number in range(SHARD):
        drawn = scene(np.random.default_rng([seed, index, number]), Recipe())
        cells[number, ..., :3], cells[number, ..., 3] = drawn.image, drawn.kinds
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        np.save(file, cells)
    part.replace(path)
    return path


def main() -> None:
    """Generate a range of shards; several processes may share a range by ``--every``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for index in range(arguments.first, arguments.first + arguments.count, arguments.every):
        make_shard(work_folder(), arguments.seed, index)


if __name__ == "__main__":
    main()

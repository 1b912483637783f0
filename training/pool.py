"""A pool of generated scenes on disk: the oldest make room for fresh ones while training eats from it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from .batches import Batch, normalised, patch_coverage
from .fields import SIDE
from .scenes import Recipe, scene

CAPACITY = 12_000
"""Scenes that are kept; 3.1 GB."""
FIRST = 2_000
"""Scenes to begin with."""


class Pool:
    """Scenes (CAPACITY, SIDE, SIDE, 4) uint8, RGB and the number of the defect's kind, in a file.

    Parameters
    ----------
    path : Path
        The file; made where there is none.
    seed : int
        Of the scenes: scene number i is always the same picture.
    recipe : Recipe
        What they are drawn from.
    drawn : int
        How many a run that is gone on with has drawn.
    """

    def __init__(self, path: Path, seed: int, recipe: Recipe, drawn: int = 0) -> None:
        self._seed, self._recipe = seed, recipe
        found = path.exists()
        self._cells = np.lib.format.open_memmap(
            path, mode="r+" if found else "w+", dtype=np.uint8, shape=None if found else (CAPACITY, SIDE, SIDE, 4)
        )
        self.drawn = drawn if found else 0

    def __len__(self) -> int:
        return min(self.drawn, len(self._cells))

    def renew(self, count: int) -> None:
        """Draw fresh scenes, in place of the oldest once the pool is full."""
        for _ in range(count):
            fresh = scene(np.random.default_rng([self._seed, self.drawn]), self._recipe)
            cell = self._cells[self.drawn % len(self._cells)]
            cell[..., :3], cell[..., 3] = fresh.image, fresh.kinds
            self.drawn += 1

    def draw(self, seed: tuple[int, int], count: int, side: int) -> Batch:
        """Random crops of ``side`` pixels, flipped, turned, developed: scenes and details, defects seldom missed."""
        rng = np.random.default_rng(seed)
        images = np.empty((count, side, side, 3), np.uint8)
        kinds = np.empty((count, side, side), np.uint8)
        for row in range(count):
            cell = np.asarray(self._cells[rng.integers(len(self))])
            least = min(side * 0.9, SIDE)
            draw = rng.random()
            reach = SIDE if draw < 0.25 else least if draw < 0.4 else np.exp(rng.uniform(np.log(least), np.log(SIDE)))
            reach = int(reach)
            top, left = rng.integers(0, SIDE - reach + 1, 2)
            spots = np.argwhere(cell[::4, ::4, 3])
            if len(spots) and rng.random() < 0.85:
                spot = spots[rng.integers(len(spots))] * 4 - rng.integers(0, reach, 2)
                top, left = np.clip(spot, 0, SIDE - reach)
            cell = cell[top : top + reach, left : left + reach]
            turns, flip = rng.integers(4), rng.random() < 0.5
            cell = np.rot90(cell[:, ::-1] if flip else cell, turns)
            how = cv2.INTER_AREA if reach > side else cv2.INTER_LINEAR
            image = cv2.resize(np.ascontiguousarray(cell[..., :3]), (side, side), interpolation=how)
            images[row] = developed(rng, image) if rng.random() < 0.5 else image
            kinds[row] = cv2.resize(np.ascontiguousarray(cell[..., 3]), (side, side), interpolation=cv2.INTER_NEAREST)
        return Batch(normalised(images), patch_coverage(kinds))


def developed(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The same picture lighter or darker, harder or softer: good and bad ones alike, so that tone tells nothing."""
    levels = np.arange(256, dtype=np.float32)
    curve = 255 * (levels / 255) ** np.exp(rng.normal(0, 0.3))
    middle = image.mean()
    curve = middle + rng.uniform(0.6, 1.2) * (curve - curve[int(middle)]) + rng.uniform(-25, 25)
    return cv2.LUT(image, np.clip(curve + 0.5, 0, 255).astype(np.uint8))

"""Batches of crops from the pool, with what share of every patch each kind of defect covers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .defects import TRAINED_KINDS
from .fields import SIDE
from .model import MEAN, STD

PATCH = 16


@dataclass(frozen=True)
class Batch:
    """One batch.

    Attributes
    ----------
    images : Tensor
        (N, 3, S, S) normalised.
    coverage : Tensor
        (N, L, K) share of each patch that each trained kind covers.
    """

    images: Tensor
    coverage: Tensor


def normalised(images: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 to (N, 3, S, S) float32 with CLIP's mean and deviation."""
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in (MEAN, STD))
    return ((torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std).contiguous()


def patch_coverage(kinds: np.ndarray, count: int = len(TRAINED_KINDS)) -> Tensor:
    """(N, S, S) label maps to (N, L, count) shares of every patch."""
    n, side, _ = kinds.shape
    grid = side // PATCH
    cells = kinds.reshape(n, grid, PATCH, grid, PATCH).transpose(0, 1, 3, 2, 4).reshape(n * grid * grid, -1)
    index = np.arange(len(cells))[:, None] * (count + 1) + cells
    shares = np.bincount(index.ravel(), minlength=len(cells) * (count + 1)).reshape(n, grid * grid, count + 1)
    return torch.from_numpy((shares[..., 1:] / PATCH**2).astype(np.float32))


class Pool:
    """The shards that have been generated so far, opened as they appear."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._pattern = f"seed{seed}-*.npy"
        self._folder = folder / "pool"
        self._shards: list[np.ndarray] = []

    def refresh(self) -> int:
        """Open shards that have appeared; the number of scenes at hand."""
        for path in sorted(self._folder.glob(self._pattern))[len(self._shards) :]:
            self._shards.append(np.load(path, mmap_mode="r"))
        return sum(map(len, self._shards))

    def draw(self, seed: tuple[int, int], count: int, side: int) -> Batch:
        """Random crops resized to ``side``, flipped and turned: whole scenes and details, defects seldom missed."""
        rng = np.random.default_rng(seed)
        images = np.empty((count, side, side, 3), np.uint8)
        kinds = np.empty((count, side, side), np.uint8)
        for row in range(count):
            shard = self._shards[rng.integers(len(self._shards))]
            cell = np.asarray(shard[rng.integers(len(shard))])
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
            images[row] = cv2.resize(np.ascontiguousarray(cell[..., :3]), (side, side), interpolation=how)
            kinds[row] = cv2.resize(np.ascontiguousarray(cell[..., 3]), (side, side), interpolation=cv2.INTER_NEAREST)
        return Batch(normalised(images), patch_coverage(kinds))

"""What a step of training takes in: normalised pictures, and what share of every patch each kind of defect covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .defects import TRAINED_KINDS
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

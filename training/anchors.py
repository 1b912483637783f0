"""Where normal, abnormal and each kind of defect lie in the joint space.

A small image tower and a small text tower that start from nothing hold each other up: while captions are all alike,
patches learn nothing, and the other way round (measured: no progress in 500 steps). So both learn towards
directions fixed beforehand: normal and abnormal orthogonal, a kind halfway between abnormal and a direction of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .defects import TRAINED_KINDS
from .model import MODEL_CONFIG


@dataclass(frozen=True)
class Anchors:
    """Unit directions of the joint space: (C,), (C,), (K, C)."""

    normal: Tensor
    abnormal: Tensor
    kinds: Tensor

    @classmethod
    def new(cls) -> Anchors:
        """The same anchors every time, from a seeded random orthonormal basis."""
        width = MODEL_CONFIG["embed_dim"]
        basis = torch.linalg.qr(torch.randn(width, width, generator=torch.Generator().manual_seed(0)))[0].T
        kinds = F.normalize(basis[1] + basis[2 : 2 + len(TRAINED_KINDS)], dim=1)
        return cls(basis[0], basis[1], kinds)

"""The 22 views of an image over which the published code averages the class token's score.

All are made on the normalised tensor. Source: method page, section on scores; the geometry was checked against
arrays recorded from the published code.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

VIEW_COUNT = 22
_ROTATIONS = tuple(k * math.pi / 16 for k in (-4, -3, -2, -1, 1, 2, 3, 4))
_SHIFT_SIGNS = ((1, 1), (-1, 1), (-1, -1), (1, -1))
_SHIFTS = tuple((a * size, b * size) for size in (0.2, 0.1) for a, b in _SHIFT_SIGNS)
_LUMA = (0.299, 0.587, 0.114)


def views(image: Tensor) -> Iterator[Tensor]:
    """Yield the views: original, 8 rotations, 8 diagonal shifts, flip, grey, three quarter turns.

    Parameters
    ----------
    image : Tensor
        (3, S, S) normalised; square, because quarter turns must keep the shape.

    Yields
    ------
    Tensor
        (3, S, S).
    """
    yield image
    for angle in _ROTATIONS:
        cos, sin = math.cos(angle), math.sin(angle)
        yield _warp(image, [[cos, -sin, 0.0], [sin, cos, 0.0]])
    for across, down in _SHIFTS:
        yield _warp(image, [[1.0, 0.0, across], [0.0, 1.0, down]])
    yield image.flip(-1)
    luma = torch.tensor(_LUMA, dtype=image.dtype, device=image.device)
    yield torch.einsum("c,chw->hw", luma, image).expand_as(image)
    for quarter_turns in (1, 2, 3):
        yield image.rot90(quarter_turns, dims=(-2, -1))


def _warp(image: Tensor, matrix: list[list[float]]) -> Tensor:
    theta = torch.tensor([matrix], dtype=image.dtype, device=image.device)
    grid = F.affine_grid(theta, [1, *image.shape], align_corners=True)
    warped = F.grid_sample(image[None], grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    return warped[0]

"""What comes of an image, as plain values: its map, and what adaptation made of its tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_anoclip.engine.imaging import IntensityScaling

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Detection:
    """What was found in one image.

    Attributes
    ----------
    map : ndarray
        (H, W) float32, probability of being abnormal, on the image's own pixels, or on blocks of them.
    before : ndarray or None
        The same without adaptation, where adaptation was on.
    grid : ndarray
        (Gh, Gw) float32, the same on the patch lattice, before interpolation.
    score : float
        Probability for the whole image.
    scaling : IntensityScaling
        Which intensities were taken as black and white.
    losses : tuple of float
        Loss before each adaptation step; empty where adaptation is off.
    seconds : float
        Wall time.
    provenance : dict
        Everything needed to make this result again, in JSON's types.
    """

    map: FloatArray
    before: FloatArray | None
    grid: FloatArray
    score: float
    scaling: IntensityScaling
    losses: tuple[float, ...]
    seconds: float
    provenance: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Adaptation:
    """Adapted tokens of a batch of images, each adapted on its own.

    Attributes
    ----------
    tokens : Tensor
        (N, L, C) adapted patch tokens, not normalised.
    grid : ndarray
        (N, Gh, Gw) probabilities of the adapted tokens, not smoothed.
    losses : ndarray
        (N, steps) loss before each step.
    """

    tokens: Tensor
    grid: FloatArray
    losses: NDArray[np.float64]

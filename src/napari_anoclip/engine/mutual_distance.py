"""How strange each patch of an image is to the other images: distances on lattices of tokens, at one scale.

Source of the formulae: Li et al., "MuSc: Zero-Shot Industrial Anomaly Classification and Segmentation with Mutual
Scoring of the Unlabeled Images", ICLR 2024, arXiv 2401.16753: neighbourhood aggregation with several degrees, and
mutual scoring. How the distances meet the map of the text (`OthersAtScale.raising`) is our own; see docs/mutual.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.tiling import Lattice

USUAL = 1.0
"""Spreads above the median up to which a patch is as usual as any: so that good images stay as calm as without."""

HIGHEST = 8.0
"""Where a patch's excess ends: so that no patch is certain by this alone."""

COMPARING = "comparing with other images"
"""Stage of the work, as it is reported."""

_BELL = 1.4826
_LEAST_SPREAD = 1e-3
_CHUNK_BYTES = 64 << 20


def aggregate(tokens: Tensor, degree: int) -> Tensor:
    """Mean of the tokens in the square around each cell, of unit length.

    Parameters
    ----------
    tokens : Tensor
        (..., Gh, Gw, C) tokens on a lattice, not necessarily of unit length.
    degree : int
        Odd side of the square in cells. Beyond the lattice's border there is nothing: at a border, the mean is over the
        cells that there are.

    Returns
    -------
    Tensor
        (..., Gh, Gw, C), unit.
    """
    if degree > 1:
        flat = tokens.flatten(0, -4) if tokens.ndim > 3 else tokens[None]
        pooled = F.avg_pool2d(
            flat.permute(0, 3, 1, 2), degree, stride=1, padding=degree // 2, count_include_pad=False
        ).permute(0, 2, 3, 1)
        tokens = pooled.reshape(tokens.shape)
    return F.normalize(tokens, dim=-1)


def nearest_distances(ones: Tensor, others: Tensor) -> Tensor:
    """Distance of each token of an image to the nearest one of another image.

    Parameters
    ----------
    ones, others : Tensor
        (s, l, C) and (s, m, C) unit; each of the s sets is compared on its own.

    Returns
    -------
    Tensor
        (s, l) Euclidean, 0 to 2.
    """
    rows = max(1, _CHUNK_BYTES // (others.shape[0] * others.shape[1] * others.element_size()))
    turned = others.mT
    found = torch.cat([(part @ turned).argmax(dim=-1) for part in ones.split(rows, dim=1)], dim=1)
    # Not from the cosine: of patches that are nearly the same, it has lost the digits that the distance is made of.
    nearest = others.gather(1, found[..., None].expand(-1, -1, others.shape[-1]))
    distances: Tensor = (ones - nearest).norm(dim=-1)
    return distances


def lowest_mean(distances: Tensor, share: float) -> Tensor:
    """Mean of the lowest share of distances, at least of one.

    Parameters
    ----------
    distances : Tensor
        (n, ...) to n other images.
    share : float
        Above 0, at most 1.

    Returns
    -------
    Tensor
        (...)
    """
    count = max(1, int(share * len(distances) + 1e-9))
    mean: Tensor = distances.topk(count, dim=0, largest=False).values.mean(dim=0)
    return mean


@dataclass(frozen=True, eq=False)
class OthersAtScale:
    """The other images at one scale.

    Attributes
    ----------
    tokens : tuple of Tensor
        (T, Gh, Gw, C) of each image: T sets of tokens on its lattice, not normalised.
    degrees : tuple of int
        Sides of the squares over which they are aggregated.
    share : float
        Of the other images, the most alike ones, that count.
    own : tuple of Tensor
        (Gh, Gw) of each image: its patches' mutual distances to all others.
    median, spread : float
        Of all those: their median, and 1.4826 times the median distance from it, which for a bell curve is its
        standard deviation.
    """

    tokens: tuple[Tensor, ...]
    degrees: tuple[int, ...]
    share: float
    own: tuple[Tensor, ...] = ()
    median: float = 0.0
    spread: float = 1.0

    def compared(self, report: Reporter, quiet: Reporter) -> OthersAtScale:
        """The same, with each image compared with all others."""
        own = []
        for place, tokens in enumerate(self.tokens):
            report(COMPARING, place, len(self.tokens))
            own.append(self.distances(tokens, quiet, without=place).cpu())
        report(COMPARING, len(self.tokens), len(self.tokens))
        every = torch.cat([grid.flatten() for grid in own])
        median = float(every.median())
        spread = _BELL * float((every - median).abs().median())
        # Images that are the same to the pixel would make everything else infinitely strange.
        return replace(self, own=tuple(own), median=median, spread=max(spread, _LEAST_SPREAD))

    def distances(self, tokens: Tensor, report: Reporter, without: int | None = None) -> Tensor:
        """Mutual distance of each patch of an image.

        For each set of tokens and each degree, the distance of a patch to the nearest patch of every other image; of
        these, the mean of the lowest share; of that, the mean over sets and degrees (MuSc, sections 3.2 and 3.3).

        Parameters
        ----------
        tokens : Tensor
            (T, Gh, Gw, C) of the image.
        report : Reporter
            Told before each image.
        without : int, optional
            Which of the images to leave out: the image itself.

        Returns
        -------
        Tensor
            (Gh, Gw) Euclidean, 0 to 2.
        """
        ones = _aggregated(tokens.float(), self.degrees)
        found = []
        for place, other in enumerate(self._aggregated):
            report(COMPARING, place, len(self.tokens))
            if place != without:
                found.append(nearest_distances(ones, other.to(ones)))
        return lowest_mean(torch.stack(found), self.share).mean(dim=0).reshape(tokens.shape[1:3])

    def raising(self, distances: Tensor, weight: float, temperature: float) -> Tensor:
        """By how much patches are raised.

        ``weight * temperature * excess``, with ``excess`` the mutual distance in spreads above the median, less
        `USUAL`, between 0 and `HIGHEST`.

        Parameters
        ----------
        distances : Tensor
            (Gh, Gw) as `distances` gives them.
        weight : float
            0 changes nothing.
        temperature : float
            The model's own softmax temperature: it says what differences of cosines mean to the model.

        Returns
        -------
        Tensor
            (Gh, Gw) at least 0, to be added to cos_abnormal - cos_normal.
        """
        return weight * temperature * ((distances - self.median) / self.spread - USUAL).clamp(0, HIGHEST)

    def to(self, device: torch.device) -> OthersAtScale:
        """The same on a device."""
        return replace(self, tokens=tuple(one.to(device) for one in self.tokens))

    @cached_property
    def _aggregated(self) -> tuple[Tensor, ...]:
        """Aggregated once, in the precision in which the tokens are held: a comparison would wait for it each time."""
        return tuple(_aggregated(one.float(), self.degrees).to(one.dtype) for one in self.tokens)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all but what can be worked out again."""
        return {name: value for name, value in self.__dict__.items() if name != "_aggregated"}


def on_lattice(lattice: Lattice, tiles: Tensor) -> Tensor:
    """Tokens of overlapping tiles as one of each cell, their mean weighted as scores are when tiles are blended.

    Parameters
    ----------
    lattice : Lattice
        Where the tiles lie.
    tiles : Tensor
        (n, l, C) tokens of the n tiles.

    Returns
    -------
    Tensor
        (Gh, Gw, C).
    """
    if len(tiles) == 1:
        return tiles[0].reshape(*lattice.shape, -1)
    weight = torch.from_numpy(lattice.tile_weights).to(tiles)[..., None]
    total = tiles.new_zeros((*lattice.shape, tiles.shape[-1]))
    weights = tiles.new_zeros((*lattice.shape, 1))
    for (row, column), tokens in zip(lattice.tiles, tiles, strict=True):
        place = np.s_[row : row + weight.shape[0], column : column + weight.shape[1]]
        total[place] += weight * tokens.reshape(*weight.shape[:2], -1)
        weights[place] += weight
    return total / weights


def _aggregated(tokens: Tensor, degrees: Sequence[int]) -> Tensor:
    """Tokens (T, Gh, Gw, C) aggregated with each degree: (T * degrees, Gh * Gw, C) unit."""
    return torch.cat([aggregate(tokens, degree).flatten(1, 2) for degree in degrees])

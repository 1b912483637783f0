"""Judged images on their patch grids: which tokens make a region hot, and which cells are known to be good or bad.

Between the probabilities of an image's tokens and the grid of its map, everything is linear: blending of tiles, the
mean over scales, smoothing. It is one sparse matrix here, so that a region's mean, or the grids under forty prompt
sets, are one product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, kron
from torch import Tensor

from napari_anoclip.engine.settings import AnoCLIPSettings, Upsampling
from napari_anoclip.engine.tiling import Axis, Lattice, resample, upsample
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.region_mask import RegionMask

if TYPE_CHECKING:
    from napari_anoclip.engine.token_field import TokenField, TokenStream

FloatArray = NDArray[np.float64]

HALF = 0.5
"""Share of a cell's pixels from which on it counts as what they are."""


@dataclass(frozen=True)
class RegionTokens:
    """The tokens that a region's mean probability is made of.

    Attributes
    ----------
    tokens : Tensor
        (n, C) unit.
    weights : Tensor
        (n,) float64 share of each token's probability in the region's mean; they sum to 1.
    """

    tokens: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Truth:
    """What is known of an image's cells.

    Attributes
    ----------
    region : ndarray
        (Gh, Gw) int, which defect a cell belongs to, from 1; 0 where none. Each defect has one cell at least, unless
        a smaller one has it.
    normal : ndarray
        (Gh, Gw) bool, known to be good.
    near : ndarray
        (Gh, Gw) bool, where a defect or something unsure reaches into the cell: what is hot there is no false alarm.
    """

    region: NDArray[np.int32]
    normal: NDArray[np.bool_]
    near: NDArray[np.bool_]


def region_tokens(
    fields: Sequence[TokenField | TokenStream],
    masks: RegionMask | Iterable[RegionMask],
    settings: AnoCLIPSettings,
    block: int = 1,
) -> RegionTokens:
    """Find the tokens behind a region, or behind several regions of one map taken together.

    The weights are exact for the mean of the map over the region's pixels: interpolation, smoothing, blending of tiles
    and scales are followed back from the pixels to the tokens.

    Parameters
    ----------
    fields : sequence of TokenField or TokenStream
        What `AnoCLIP.tokens` gave for what the map covers.
    masks : RegionMask or iterable of RegionMask
        Pixels on the map's grid; in a volume, of one plane of it.
    settings : AnoCLIPSettings
        Those of the map. With adaptation, tokens are taken as they are before it.
    block : int
        Pixels of the image, across, of one of the map.

    Returns
    -------
    RegionTokens

    Raises
    ------
    ValueError
        If there is no region.
    """
    lattice = fields[-1].lattice
    method: Upsampling = settings.scoring.upsampling if settings.tiling.mode == "fit" else "half_pixel"
    down, across = (_interpolation(axis, method, block) for axis in (lattice.rows, lattice.columns))
    cells = np.zeros(lattice.shape)
    for mask in [masks] if isinstance(masks, RegionMask) else masks:
        rows, columns = mask.slices[-2:]
        bits = mask.bits.reshape(mask.bits.shape[-2:]).astype(np.float64)
        cells += down[rows].T @ bits @ across[columns]
    if not cells.any():
        raise ValueError("there is no region")
    matrix = to_grid(tuple(one.lattice for one in fields), settings.scoring.smooth)
    weights = torch.from_numpy(matrix.T @ (cells / cells.sum()).ravel())
    tokens = [part.flatten(0, 1) for one in fields for part in one.parts()]
    parts = list(zip(tokens, weights.split([len(part) for part in tokens]), strict=True))
    return RegionTokens(
        tokens=F.normalize(torch.cat([part[share.to(part.device) > 0] for part, share in parts]).float(), dim=-1),
        weights=weights[weights > 0],
    )


def truth(image: ImageReview, judgements: Iterable[Judgement], lattice: Lattice) -> Truth:
    """Bring what was judged onto the cells of a lattice over what the map covers.

    A cell belongs to a defect if half of its pixels do; a defect too small for that has the cell that it lies in most.
    In an image that was looked at as a whole all cells without any defect or unsure pixel are good; otherwise only
    those of regions judged false.

    Parameters
    ----------
    image : ImageReview
        Shape and step of its map, and whether it is complete.
    judgements : iterable of Judgement
        Those of the plane in question.
    lattice : Lattice
        Where the cells lie.

    Returns
    -------
    Truth
    """
    rows, columns = (
        np.minimum((np.arange(length) + 0.5) * step / axis.pitch, axis.cells - 1).astype(int)
        for length, step, axis in zip(image.map_shape[-2:], image.step, (lattice.rows, lattice.columns), strict=True)
    )
    pixels = np.outer(np.bincount(rows, minlength=lattice.shape[0]), np.bincount(columns, minlength=lattice.shape[1]))

    def share(mask: RegionMask) -> FloatArray:
        down, across = np.nonzero(mask.bits.reshape(mask.bits.shape[-2:]))
        top, left = mask.start[-2:]
        covered = np.zeros(lattice.shape)
        np.add.at(covered, (rows[down + top], columns[across + left]), 1)
        return covered / np.maximum(pixels, 1)

    region = np.zeros(lattice.shape, np.int32)
    false = np.zeros(lattice.shape, bool)
    near = np.zeros(lattice.shape, bool)
    # The smallest last, so that no larger neighbour takes its only cell.
    for number, judgement in enumerate(sorted(judgements, key=lambda one: -one.mask.area), start=1):
        if judgement.verdict is None:
            continue
        covered = share(judgement.mask)
        mostly = (covered >= HALF) | (covered == covered.max())
        if judgement.verdict is Verdict.DEFECT:
            region[mostly] = number
        if judgement.verdict is Verdict.FALSE:
            false |= mostly
        else:
            near |= covered > 0
    normal = (pixels > 0 if image.complete else false) & ~near
    return Truth(region, normal, near)


@lru_cache(maxsize=16)
def to_grid(lattices: tuple[Lattice, ...], smooth: bool) -> csr_array:
    """Matrix from the probabilities of all tokens to the map's grid.

    Parameters
    ----------
    lattices : tuple of Lattice
        Of each scale, the finest last.
    smooth : bool
        Whether the grid is smoothed.

    Returns
    -------
    csr_array
        (cells, tokens) float64; rows sum to 1.
    """
    finest = lattices[-1]
    scales = []
    for lattice in lattices:
        blended = _blend(lattice)
        if lattice != finest:
            blended = kron(*(_resampling(*axes) for axes in _axes(lattice, finest))) @ blended
        scales.append(blended / len(lattices))
    grid = hstack(scales)
    if smooth:
        grid = kron(*(_smoothing(cells) for cells in finest.shape)) @ grid
    return csr_array(grid)


def _axes(old: Lattice, new: Lattice) -> tuple[tuple[Axis, Axis], tuple[Axis, Axis]]:
    return (old.rows, new.rows), (old.columns, new.columns)


def _blend(lattice: Lattice) -> csr_array:
    """(cells, tokens) share of each tile's token in its cell."""
    weight = lattice.tile_weights
    places = [np.s_[row : row + weight.shape[0], column : column + weight.shape[1]] for row, column in lattice.tiles]
    total = np.zeros(lattice.shape)
    for place in places:
        total[place] += weight
    cells = np.arange(total.size).reshape(total.shape)
    rows = np.concatenate([cells[place].ravel() for place in places])
    shares = np.concatenate([(weight / total[place]).ravel() for place in places])
    return csr_array((shares, (rows, np.arange(len(rows)))), (total.size, len(rows)))


@lru_cache(maxsize=16)
def _interpolation(axis: Axis, method: Upsampling, block: int) -> csr_array:
    """(pixels of the map, cells) weights along one axis, read off from the engine's own interpolation."""
    single = Axis.fit(block, 1)
    marks = np.eye(axis.cells, dtype=np.float32)
    columns = [upsample(marks[:, [cell]], Lattice(axis, single), method, block) for cell in range(axis.cells)]
    return csr_array(np.concatenate(columns, axis=1).astype(np.float64))


def _resampling(old: Axis, new: Axis) -> csr_array:
    """(new cells, old cells) weights along one axis."""
    same = Axis.fit(old.cells, old.cells)
    marks = np.eye(old.cells, dtype=np.float32)
    return csr_array(resample(marks, Lattice(old, same), Lattice(new, same)).astype(np.float64))


def _smoothing(cells: int) -> csr_array:
    """(cells, cells) mean of three neighbours, the border replicated: half of `scoring.smooth`, which is separable."""
    near = np.eye(cells) + np.eye(cells, k=1) + np.eye(cells, k=-1)
    near[0, 0] += 1
    near[-1, -1] += 1
    return csr_array(near / 3)

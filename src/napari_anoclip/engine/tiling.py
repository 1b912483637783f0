"""Geometry of patches: which pixels a patch covers, how tiles lie on an image, how a grid becomes a map.

This is the only module that knows it. One regular lattice of cells lies over the image; each cell is one patch
token. Tiles start at whole cells, so tokens of overlapping tiles meet in the same cell and blend without seams.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

FloatArray = NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Edges of a rectangle on an image, in pixels from its top left corner: (top, left, bottom, right)."""


@dataclass(frozen=True)
class Axis:
    """The lattice along one axis of the image.

    Attributes
    ----------
    length : int
        Pixels of the image.
    cells : int
        Cells of the lattice. The last may reach beyond the image's end.
    pitch : float
        Image pixels a cell.
    tile_cells : int
        Cells of a tile.
    starts : tuple of int
        First cell of each tile.
    """

    length: int
    cells: int
    pitch: float
    tile_cells: int
    starts: tuple[int, ...]

    @classmethod
    def fit(cls, length: int, tile_cells: int) -> Axis:
        """One tile over the whole axis."""
        return cls(length, tile_cells, length / tile_cells, tile_cells, (0,))

    @classmethod
    def tiled(cls, length: int, tile_cells: int, patch: int, scale: float, overlap: float) -> Axis:
        """Tiles of ``tile_cells * patch`` model pixels, ``scale`` model pixels an image pixel.

        Tiles are spread evenly, so that the last ends inside the image and all overlap by at least ``overlap`` of a
        tile. An axis that is shorter than a tile is stretched to one.
        """
        pitch = patch / scale
        cells = math.ceil(round(length / pitch, 6))  # a rounding error in the pitch is no cell of its own
        if cells <= tile_cells:
            return cls.fit(length, tile_cells)
        step = max(1, math.floor(tile_cells * (1 - overlap)))
        count = math.ceil((cells - tile_cells) / step) + 1
        starts = np.linspace(0, cells - tile_cells, count).round().astype(int)
        return cls(length, cells, pitch, tile_cells, tuple(starts.tolist()))

    def pixels(self, start: int) -> tuple[slice, int]:
        """Image pixels of the tile at a start cell, and how many pixels it reaches beyond the image's end."""
        first, last = round(start * self.pitch), round((start + self.tile_cells) * self.pitch)
        last = max(last, first + 1)
        return slice(first, min(last, self.length)), max(0, last - self.length)

    def cell_at(self, pixel: int) -> int:
        """The cell that covers a pixel."""
        return min(int((pixel + 0.5) / self.pitch), self.cells - 1)


@dataclass(frozen=True)
class Lattice:
    """The cells over an image and the tiles on them.

    Attributes
    ----------
    rows, columns : Axis
        The two axes.
    """

    rows: Axis
    columns: Axis

    @property
    def shape(self) -> tuple[int, int]:
        """(Gh, Gw), cells of the whole lattice."""
        return self.rows.cells, self.columns.cells

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """First cell (row, column) of every tile, row by row."""
        return [(row, column) for row in self.rows.starts for column in self.columns.starts]

    def cell_at(self, pixel: tuple[int, int]) -> tuple[int, int]:
        """The cell (row, column) that covers a pixel (row, column)."""
        return self.rows.cell_at(pixel[0]), self.columns.cell_at(pixel[1])

    def box(self, cell: tuple[int, int]) -> Box:
        """Edges of a cell on the image, in pixels from its top left corner: (top, left, bottom, right)."""
        (top, bottom), (left, right) = (
            (min(index * axis.pitch, axis.length), min((index + 1) * axis.pitch, axis.length))
            for index, axis in zip(cell, (self.rows, self.columns), strict=True)
        )
        return top, left, bottom, right

    @property
    def tile_weights(self) -> NDArray[np.float64]:
        """(gh, gw) weights of a tile's cells: most at its centre, where patches see most of their surroundings."""
        return np.outer(_ramp(self.rows.tile_cells), _ramp(self.columns.tile_cells))

    def blend(self, tiles: FloatArray) -> FloatArray:
        """Blend the scores of all tiles into one grid, each by its `tile_weights`.

        Parameters
        ----------
        tiles : ndarray
            (n, gh, gw) scores, in the order of `tiles`.

        Returns
        -------
        ndarray
            (Gh, Gw) float32.
        """
        weight = self.tile_weights
        total = np.zeros(self.shape)
        weights = np.zeros(self.shape)
        for (row, column), scores in zip(self.tiles, tiles, strict=True):
            place = np.s_[row : row + weight.shape[0], column : column + weight.shape[1]]
            total[place] += weight * scores
            weights[place] += weight
        return (total / weights).astype(np.float32)

    def cut(self, grid: Tensor) -> Iterator[Tensor]:
        """Cut a grid (Gh, Gw) into what lies under each tile, (l) row by row, in the order of `tiles`."""
        height, width = self.rows.tile_cells, self.columns.tile_cells
        for row, column in self.tiles:
            yield grid[row : row + height, column : column + width].flatten()

    def tile_at(self, cell: tuple[int, int]) -> tuple[int, tuple[int, int]]:
        """The tile that weighs most in a cell.

        Parameters
        ----------
        cell : tuple of int
            (row, column) on the lattice.

        Returns
        -------
        index : int
            Of the tile, in the order of `tiles`.
        local : tuple of int
            (row, column) of the cell within that tile.
        """
        row_ramp, column_ramp = _ramp(self.rows.tile_cells), _ramp(self.columns.tile_cells)
        holding = [
            (index, (cell[0] - row, cell[1] - column))
            for index, (row, column) in enumerate(self.tiles)
            if 0 <= cell[0] - row < len(row_ramp) and 0 <= cell[1] - column < len(column_ramp)
        ]
        return max(holding, key=lambda held: row_ramp[held[1][0]] * column_ramp[held[1][1]])

    def token(self, tiles: Tensor, cell: tuple[int, int]) -> Tensor:
        """The token (C,) of a cell among those of all tiles (n, l, C): of the tile that weighs most there."""
        tile, (row, column) = self.tile_at(cell)
        return tiles[tile, row * self.columns.tile_cells + column]


def upsample(
    grid: FloatArray, lattice: Lattice, method: Literal["half_pixel", "align_corners"], block: int = 1
) -> FloatArray:
    """Bilinear interpolation of a grid to the image's pixels, or to blocks of them.

    Parameters
    ----------
    grid : ndarray
        (Gh, Gw) on the lattice.
    lattice : Lattice
        Where the cells lie on the image.
    method : {"half_pixel", "align_corners"}
        Each score sits at the centre of its cell, or the outermost scores sit on the outermost pixels, which shifts
        the map by up to half a patch (the published code).
    block : int
        Side of the square of pixels that gets one value, that of its centre: a map of an image larger than memory.

    Returns
    -------
    ndarray
        (ceil(H / block), ceil(W / block)) float32.
    """
    # Rows last: they are copied whole, where single values of a large map would be gathered one by one.
    flat = _interpolate(grid, lattice.columns, method, block, axis=1)
    return _interpolate(flat, lattice.rows, method, block, axis=0)


def resample(grid: FloatArray, source: Lattice, target: Lattice) -> FloatArray:
    """Bilinear interpolation of a grid to the cell centres of another lattice over the same image.

    Parameters
    ----------
    grid : ndarray
        (gh, gw) on the source lattice.
    source, target : Lattice
        Both over the same image.

    Returns
    -------
    ndarray
        (Gh, Gw) float32 on the target lattice.
    """
    for axis, (old, new) in enumerate(((source.rows, target.rows), (source.columns, target.columns))):
        centres = (np.arange(new.cells, dtype=np.float64) + 0.5) * new.pitch
        grid = _sample(grid, centres / old.pitch - 0.5, axis)
    return grid


def _interpolate(grid: FloatArray, axis_of_lattice: Axis, method: str, block: int, axis: int) -> FloatArray:
    pixels = np.arange(0, axis_of_lattice.length, block, dtype=np.float64) + (block - 1) / 2
    if method == "align_corners":
        positions = pixels * (axis_of_lattice.cells - 1) / max(1, axis_of_lattice.length - 1)
    else:
        positions = (pixels + 0.5) / axis_of_lattice.pitch - 0.5
    return _sample(grid, positions, axis)


def _sample(grid: FloatArray, positions: NDArray[np.float64], axis: int) -> FloatArray:
    """Linear interpolation along one axis at positions in cells; beyond the outermost centres the value stays."""
    positions = np.clip(positions, 0, grid.shape[axis] - 1)
    lower = positions.astype(int)
    upper = np.minimum(lower + 1, grid.shape[axis] - 1)
    share = (positions - lower).astype(np.float32)
    if axis == 0:
        share = share[:, None]
    below, above = np.take(grid, lower, axis), np.take(grid, upper, axis)
    # In place, because this can be a map of many megapixels: below + share * (above - below).
    above -= below
    above *= share
    below += above
    return below


def _ramp(cells: int) -> NDArray[np.float64]:
    """Weights that rise linearly from a tile's edge to its centre."""
    steps = np.arange(cells, dtype=np.float64)
    return np.minimum(steps + 1, cells - steps)

"""Where else in an image it looks like this: V-V patch tokens compared with one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_anoclip.engine.tiling import Box, Lattice

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Similarity:
    """How much every patch of an image looks like one of them.

    Attributes
    ----------
    patch : tuple of int
        (row, column) of the patch that was asked about.
    grid : ndarray
        (Gh, Gw) cosine of each patch's V-V token with that patch's.
    lattice : Lattice
        Where the patches lie on the image.
    """

    patch: tuple[int, int]
    grid: FloatArray
    lattice: Lattice

    @property
    def box(self) -> Box:
        """(top, left, bottom, right) of the patch, in pixels of the image."""
        return self.lattice.box(self.patch)

    def nearest(self, count: int) -> list[tuple[float, Box]]:
        """Give the patches most like it, itself left out.

        Parameters
        ----------
        count : int
            How many at most.

        Returns
        -------
        list of (float, tuple of float)
            Cosine and (top, left, bottom, right) in pixels of the image, the most alike first.
        """
        own = int(np.ravel_multi_index(self.patch, self.grid.shape))
        order = [index for index in np.argsort(-self.grid, axis=None, kind="stable") if index != own]
        cells = [divmod(int(index), self.grid.shape[1]) for index in order[:count]]
        return [(float(self.grid[cell]), self.lattice.box(cell)) for cell in cells]


def similar_patches(tiles: Tensor, lattice: Lattice, patch: tuple[int, int]) -> Similarity:
    """Compare all patch tokens of an image with one of them.

    Parameters
    ----------
    tiles : Tensor
        (n, l, C) patch tokens of the tiles of the lattice, not normalised.
    lattice : Lattice
        Where they lie.
    patch : tuple of int
        (row, column) on the lattice.

    Returns
    -------
    Similarity
    """
    with torch.inference_mode():
        token = F.normalize(lattice.token(tiles, patch), dim=-1)
        cosines = (F.normalize(tiles, dim=-1) @ token).cpu().numpy()
    shape = lattice.rows.tile_cells, lattice.columns.tile_cells
    return Similarity(patch, lattice.blend(cosines.reshape(-1, *shape)), lattice)

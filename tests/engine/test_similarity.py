"""Where else it looks like this: patches compared with one of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_anoclip.engine.similarity import similar_patches
from napari_anoclip.engine.tiling import Axis, Lattice

LATTICE = Lattice(Axis.fit(30, 3), Axis.fit(80, 4))
TOKENS = torch.randn((1, 12, 5), generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 9, 12)[:, None]


def test_a_patch_is_compared_by_the_cosine_of_its_token():
    found = similar_patches(TOKENS, LATTICE, (1, 2))
    expected = F.cosine_similarity(TOKENS[0], TOKENS[0, 6][None]).reshape(3, 4)
    np.testing.assert_allclose(found.grid, expected, atol=1e-6)
    assert found.box == (10, 40, 20, 60)


def test_the_nearest_are_the_most_alike_without_the_patch_itself():
    found = similar_patches(TOKENS, LATTICE, (1, 2))
    order = [place for place in np.argsort(-found.grid.ravel()) if place != 6]
    nearest = found.nearest(5)
    assert [box for _, box in nearest] == [LATTICE.box(divmod(int(place), 4)) for place in order[:5]]
    assert [cosine for cosine, _ in nearest] == pytest.approx(found.grid.ravel()[order[:5]])
    assert len(found.nearest(100)) == 11


def test_where_tiles_overlap_a_patch_is_compared_once_by_both():
    lattice = Lattice(Axis.fit(16, 2), Axis.tiled(24, 2, 8, 1.0, 0.5))
    assert len(lattice.tiles) == 2
    tokens = torch.ones(2, 4, 3)
    tokens[1, ::2] = torch.tensor([1.0, -1.0, 0.0])  # the shared column, as the second tile sees it
    found = similar_patches(tokens, lattice, (0, 0))
    np.testing.assert_allclose(found.grid, [[1, 0.5, 1]] * 2, atol=1e-6)

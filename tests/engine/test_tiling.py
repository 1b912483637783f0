"""The lattice over an image, by its properties: nothing uncovered, nothing displaced, no seams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from napari_anoclip.engine.tiling import Axis, Lattice, resample, upsample

TILE_CELLS, PATCH = 15, 16

lengths = st.integers(1, 4000)
axes = st.builds(
    Axis.tiled,
    length=lengths,
    tile_cells=st.integers(2, 24),
    patch=st.sampled_from([8, 14, 16, 32]),
    scale=st.sampled_from([0.1, 0.25, 0.3, 0.5, 0.65, 0.7, 1.0, 1.5, 2.0, 3.0, 8.0]),
    overlap=st.floats(0, 0.75),
) | st.builds(Axis.fit, length=lengths, tile_cells=st.integers(2, 24))


def fitted(height, width, cells=TILE_CELLS):
    return Lattice(Axis.fit(height, cells), Axis.fit(width, cells))


def tiled(height, width, scale=1.0, overlap=0.25):
    return Lattice(*(Axis.tiled(length, TILE_CELLS, PATCH, scale, overlap) for length in (height, width)))


def centres(axis):
    """Of all cells, in pixels from the image's edge."""
    return (np.arange(axis.cells) + 0.5) * axis.pitch


@given(axes)
@settings(deadline=None, max_examples=50)
def test_cells_cover_the_image_and_none_lies_beyond_it(axis):
    assert axis.cells * axis.pitch >= axis.length - 1e-5
    assert (axis.cells - 1) * axis.pitch < axis.length - 1e-7


def test_a_rounding_error_is_no_cell():
    """280 pixels at a scale of 0.65 are 13 patches of 14; 280 / (14 / 0.65) is a little more than 13."""
    assert Axis.tiled(280, 4, 14, 0.65, 0.25).cells == 13


@given(axes)
@settings(deadline=None, max_examples=50)
def test_tiles_lie_inside_the_lattice_in_order_and_cover_it(axis):
    starts = axis.starts
    assert starts[0] == 0
    assert starts[-1] == axis.cells - axis.tile_cells
    covered = {cell for start in starts for cell in range(start, start + axis.tile_cells)}
    assert covered == set(range(axis.cells))
    assert list(starts) == sorted(set(starts))


@given(axes)
@settings(deadline=None, max_examples=50)
def test_every_pixel_is_in_a_tile_and_only_the_last_reaches_beyond(axis):
    covered = np.zeros(axis.length, bool)
    for start in axis.starts:
        pixels, beyond = axis.pixels(start)
        assert 0 <= pixels.start < pixels.stop <= axis.length
        assert beyond == 0 or start == axis.starts[-1]
        assert beyond <= axis.pitch + 0.5  # ends are rounded to whole pixels
        covered[pixels] = True
    assert covered.all()


@given(st.integers(1, 5000), st.integers(2, 24), st.floats(0, 0.75))
@settings(deadline=None, max_examples=50)
def test_neighbours_overlap_at_least_as_asked_and_no_tile_is_wasted(length, tile_cells, overlap):
    axis = Axis.tiled(length, tile_cells, PATCH, 1.0, overlap)
    assume(len(axis.starts) > 1)
    steps = np.diff(axis.starts)
    assert ((tile_cells - steps) >= overlap * tile_cells - 1e-9).all() or (steps == 1).all()
    largest_step = max(1, int(tile_cells * (1 - overlap)))
    assert (len(axis.starts) - 2) * largest_step < axis.cells - tile_cells, "one tile less would do"


@given(st.integers(1, 240))
def test_an_axis_shorter_than_a_tile_is_stretched_to_one(length):
    assert Axis.tiled(length, TILE_CELLS, PATCH, 1.0, 0.25) == Axis.fit(length, TILE_CELLS)


@given(axes, st.data())
@settings(deadline=None, max_examples=50)
def test_a_pixel_lies_in_its_cell(axis, data):
    pixel = data.draw(st.integers(0, axis.length - 1))
    cell = axis.cell_at(pixel)
    assert 0 <= cell < axis.cells
    assert cell * axis.pitch - 1e-6 <= pixel + 0.5 <= (cell + 1) * axis.pitch + 1e-6


def test_boxes_of_cells_lie_side_by_side_and_end_with_the_image():
    lattice = Lattice(Axis.fit(30, 4), Axis.tiled(300, 15, 16, 1.0, 0.25))
    assert lattice.box((1, 2)) == (7.5, 32, 15, 48)
    assert lattice.box((3, 18)) == (22.5, 288, 30, 300)
    for row, column in ((0, 0), (8, 16), (29, 299), (15, 31)):
        top, left, bottom, right = lattice.box(lattice.cell_at((row, column)))
        assert top <= row + 0.5 <= bottom
        assert left <= column + 0.5 <= right


@given(axes, axes, st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_a_blend_of_a_constant_is_that_constant(rows, columns, value):
    lattice = Lattice(rows, columns)
    assume(len(lattice.tiles) < 400)
    tiles = np.full((len(lattice.tiles), rows.tile_cells, columns.tile_cells), value, np.float32)
    blended = lattice.blend(tiles)
    assert blended.shape == lattice.shape
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, np.float32(value), rtol=1e-6)


def test_tiles_that_agree_blend_to_what_they_were_cut_from():
    lattice = tiled(700, 901)
    whole = np.random.default_rng(0).uniform(size=lattice.shape).astype(np.float32)
    tiles = np.stack([whole[row : row + TILE_CELLS, column : column + TILE_CELLS] for row, column in lattice.tiles])
    np.testing.assert_allclose(lattice.blend(tiles), whole, rtol=1e-6)


def test_what_is_cut_for_the_tiles_lies_under_them_row_by_row():
    lattice = tiled(300, 420)
    whole = torch.arange(float(np.prod(lattice.shape))).reshape(lattice.shape)
    parts = list(lattice.cut(whole))
    assert len(parts) == len(lattice.tiles) > 3
    for (row, column), part in zip(lattice.tiles, parts, strict=True):
        expected = whole[row : row + TILE_CELLS, column : column + TILE_CELLS]
        assert part.tolist() == expected.flatten().tolist()
        assert len(part) == TILE_CELLS**2


def test_the_token_of_a_cell_is_that_of_the_tile_that_weighs_most_there():
    lattice = Lattice(Axis.tiled(64, 4, 8, 1.0, 0.5), Axis.tiled(48, 3, 8, 1.0, 0.3))
    tokens = torch.arange(float(len(lattice.tiles) * 12)).reshape(len(lattice.tiles), 12, 1)
    for cell in np.ndindex(lattice.shape):
        tile, (row, column) = lattice.tile_at(cell)
        assert lattice.token(tokens, cell).item() == tile * 12 + row * 3 + column


def test_no_tile_holds_a_cell_beyond_the_lattice():
    with pytest.raises(ValueError):
        tiled(300, 420).tile_at((300, 0))


def test_tiles_that_disagree_meet_without_a_seam():
    """Two tiles of 0 and 1: the blend rises over their overlap in steps of at most twice an even ramp's."""
    lattice = tiled(240, 400)
    assert len(lattice.tiles) == 2
    tiles = np.stack([np.zeros((TILE_CELLS, TILE_CELLS)), np.ones((TILE_CELLS, TILE_CELLS))]).astype(np.float32)
    profile = lattice.blend(tiles)[7]
    overlap = lattice.rows.tile_cells - lattice.columns.starts[1]
    assert overlap >= 4
    assert (np.diff(profile) >= 0).all()
    assert np.diff(profile).max() <= 2 / (overlap + 1)


def test_blending_needs_every_tile():
    with pytest.raises(ValueError):
        tiled(240, 420).blend(np.zeros((1, TILE_CELLS, TILE_CELLS), np.float32))


@given(st.integers(1, 900), st.integers(1, 900), st.data())
@settings(deadline=None, max_examples=40)
def test_the_tile_of_a_cell_holds_it_as_near_its_centre_as_any(height, width, data):
    lattice = tiled(height, width)
    cell = tuple(data.draw(st.integers(0, side - 1)) for side in lattice.shape)
    index, local = lattice.tile_at(cell)
    assert (lattice.tiles[index][0] + local[0], lattice.tiles[index][1] + local[1]) == cell

    def depth(position):
        return min(position + 1, TILE_CELLS - position)

    others = [(cell[0] - row, cell[1] - column) for row, column in lattice.tiles]
    depths = [depth(row) * depth(column) for row, column in others if depth(row) > 0 and depth(column) > 0]
    assert depth(local[0]) * depth(local[1]) == max(depths)


@given(axes, axes, st.floats(0, 1))
@settings(deadline=None, max_examples=20)
@example(Axis.fit(1, 15), Axis.fit(1, 15), 0.3)
@example(Axis.fit(3, 15), Axis.fit(4000, 15), 0.3)
def test_a_constant_stays_constant_on_the_pixels(rows, columns, value):
    assume(rows.length * columns.length < 500_000)
    lattice = Lattice(rows, columns)
    grid = np.full(lattice.shape, value, np.float32)
    for method in ("half_pixel", "align_corners"):
        seen = upsample(grid, lattice, method)
        assert seen.shape == (rows.length, columns.length)
        assert seen.dtype == np.float32
        assert (seen == np.float32(value)).all()


@pytest.mark.parametrize("lattice", [fitted(241, 577), fitted(90, 61), tiled(700, 901), tiled(333, 401, 1.5)])
def test_a_ramp_stays_a_ramp_away_from_the_borders(lattice):
    """Scores that are the coordinate of their cell's centre become, at each pixel, that pixel's coordinate."""
    grid = np.add.outer(centres(lattice.rows), 2 * centres(lattice.columns)).astype(np.float32)
    seen = upsample(grid, lattice, "half_pixel")
    pixels = (np.arange(lattice.rows.length) + 0.5)[:, None] + 2 * (np.arange(lattice.columns.length) + 0.5)
    edge_rows, edge_columns = (int(np.ceil(axis.pitch)) for axis in (lattice.rows, lattice.columns))
    inside = np.s_[edge_rows:-edge_rows, edge_columns:-edge_columns]
    np.testing.assert_allclose(seen[inside], pixels[inside], rtol=1e-5)


@given(st.integers(60, 700), st.integers(60, 700), st.sampled_from(["fit", "tiles"]), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_a_hot_patch_is_hot_where_its_pixels_are(height, width, mode, at_row, at_column):
    """The centre of mass of one hot cell lies within half a pixel of the cell's centre, at odd sizes too."""
    lattice = (fitted if mode == "fit" else tiled)(height, width)
    row, column = (1 + round(at * (side - 3)) for at, side in zip((at_row, at_column), lattice.shape, strict=True))
    assume((row + 2) * lattice.rows.pitch <= height)  # the last cell may lie half outside
    assume((column + 2) * lattice.columns.pitch <= width)
    grid = np.zeros(lattice.shape, np.float32)
    grid[row, column] = 1
    seen = upsample(grid, lattice, "half_pixel").astype(float)
    for axis, (cells, cell) in enumerate(((lattice.rows, row), (lattice.columns, column))):
        profile = seen.sum(axis=1 - axis)
        centre = (profile * (np.arange(cells.length) + 0.5)).sum() / profile.sum()
        assert abs(centre - (cell + 0.5) * cells.pitch) <= 0.5


@pytest.mark.parametrize("length", [5, 241, 1001])
def test_align_corners_is_that_of_the_published_code(length):
    """Outermost scores on outermost pixels, as torch's own align_corners does."""
    grid = np.random.default_rng(0).uniform(size=(15, 15)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(grid)[None, None], size=(length, 2 * length), mode="bilinear", align_corners=True
    )[0, 0]
    seen = upsample(grid, fitted(length, 2 * length), "align_corners")
    np.testing.assert_allclose(seen, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("size", [(241, 577), (90, 61)])
def test_half_pixel_is_torchs_on_a_fitted_lattice(size):
    grid = np.random.default_rng(0).uniform(size=(15, 15)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(grid)[None, None], size=size, mode="bilinear", align_corners=False
    )[0, 0]
    np.testing.assert_allclose(upsample(grid, fitted(*size), "half_pixel"), expected.numpy(), atol=1e-5)


def test_upsampling_leaves_the_grid_as_it_was():
    grid = np.random.default_rng(0).uniform(size=(15, 15)).astype(np.float32)
    before = grid.copy()
    for size in ((15, 15), (40, 31)):
        upsample(grid, fitted(*size), "half_pixel")
    np.testing.assert_array_equal(grid, before)


@given(st.integers(1, 900), st.integers(1, 900))
@settings(deadline=None, max_examples=30)
def test_resampling_to_the_same_lattice_changes_nothing(height, width):
    lattice = tiled(height, width)
    grid = np.random.default_rng(0).uniform(size=lattice.shape).astype(np.float32)
    np.testing.assert_allclose(resample(grid, lattice, lattice), grid, atol=1e-5)


@pytest.mark.parametrize("size", [(241, 577), (701, 999), (300, 2000)])
def test_resampling_between_lattices_keeps_things_in_place(size):
    """A ramp over the image is the same ramp on either lattice, where neither is at its border."""
    source, target = fitted(*size), tiled(*size)
    ramps = [np.add.outer(centres(axes.rows), centres(axes.columns)).astype(np.float32) for axes in (source, target)]
    moved = resample(ramps[0], source, target)
    assert moved.shape == target.shape
    rows = int(np.ceil(source.rows.pitch / target.rows.pitch))
    columns = int(np.ceil(source.columns.pitch / target.columns.pitch))
    inside = np.s_[rows:-rows, columns:-columns]
    np.testing.assert_allclose(moved[inside], ramps[1][inside], rtol=1e-5)


@pytest.mark.parametrize("method", ["half_pixel", "align_corners"])
def test_a_block_of_pixels_gets_the_value_of_its_centre(method):
    lattice = Lattice(Axis.tiled(301, TILE_CELLS, PATCH, 1.0, 0.25), Axis.fit(91, TILE_CELLS))
    grid = np.random.default_rng(0).random(lattice.shape).astype(np.float32)
    full = upsample(grid, lattice, method)
    blocks = upsample(grid, lattice, method, block=3)
    assert blocks.shape == (101, 31)
    np.testing.assert_allclose(blocks[:100, :30], full[1:300:3, 1:90:3], atol=1e-6)
    # An even block has its centre between pixels: on a slope without kinks that is the mean of the four around it.
    slope = np.add.outer(np.arange(lattice.shape[0]), 2 * np.arange(lattice.shape[1])).astype(np.float32)
    full = upsample(slope, lattice, method)
    between = (full[:300:2, :90:2] + full[1:300:2, :90:2] + full[:300:2, 1:90:2] + full[1:300:2, 1:90:2]) / 4
    blocks = upsample(slope, lattice, method, block=2)[:150, :45]
    np.testing.assert_allclose(blocks[8:-8, 4:-4], between[8:-8, 4:-4], rtol=1e-4)

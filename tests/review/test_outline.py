"""Outlines along the edges of pixels: filled, they are the region again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Curve

from napari_anoclip.review.exports.outline import rings
from napari_anoclip.review.region_mask import RegionMask


def inside(ring, shape):
    """Pixels whose centre is in a ring, by another library."""
    centres = np.stack(np.indices(shape), axis=-1).reshape(-1, 2) + 0.5
    closed = np.concatenate([ring, ring[:1]])
    return Curve(closed.astype(float)).contains_points(centres).reshape(shape)


def filled(mask, shape):
    outer, holes = rings(mask)
    canvas = np.zeros(shape, int)
    for ring in outer:
        canvas += inside(ring, shape)
    for ring in holes:
        canvas -= inside(ring, shape)
    return canvas


def turning(ring):
    """Twice the area, positive for clockwise on the screen."""
    following = np.roll(ring, -1, axis=0)
    return int(np.sum(ring[:, 1] * following[:, 0] - following[:, 1] * ring[:, 0]))


def test_a_pixel_is_a_square_of_four_corners():
    (ring,), holes = rings(RegionMask.of(np.ones((1, 1)), (3, 5)))
    assert not holes
    assert sorted(map(tuple, ring.tolist())) == [(3, 5), (3, 6), (4, 5), (4, 6)]


def test_pixels_that_touch_at_a_corner_are_two():
    outer, holes = rings(RegionMask.of(np.eye(2)))
    assert (len(outer), len(holes)) == (2, 0)


def test_a_hole_has_a_ring_of_its_own_that_turns_the_other_way():
    bits = np.ones((5, 6))
    bits[2:4, 2:3] = 0
    (outer,), (hole,) = rings(RegionMask.of(bits))
    assert (turning(outer), turning(hole)) == (60, -4)


def test_an_island_in_a_hole_is_outside_again():
    bits = np.ones((7, 7))
    bits[1:-1, 1:-1] = 0
    bits[3, 3] = 1
    outer, holes = rings(RegionMask.of(bits))
    assert (len(outer), len(holes)) == (2, 1)


@settings(deadline=None, max_examples=150)
@given(bits=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))).filter(np.any))
def test_filled_rings_are_the_region(bits):
    mask = RegionMask.of(bits)
    outer, holes = rings(mask)
    assert np.array_equal(filled(mask, bits.shape), bits)
    assert all(turning(ring) > 0 for ring in outer)
    assert all(turning(ring) < 0 for ring in holes)
    for ring in [*outer, *holes]:
        along = np.count_nonzero(np.diff(ring, axis=0, append=ring[:1]), axis=1)
        assert np.all(along == 1), "each side runs along rows or columns"


def test_a_large_chequered_region_is_walked_in_reasonable_time():
    bits = np.indices((200, 200)).sum(axis=0) % 2 == 0
    outer, _ = rings(RegionMask.of(bits))
    assert len(outer) == np.count_nonzero(bits)

"""The outline of a region: polygons along the edges of its pixels, so that filling them gives the same pixels."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.review.region_mask import RegionMask

Ring = NDArray[np.int64]
"""(K, 2) corners (row, column), the first not repeated; pixel (r, c) reaches from r to r + 1 and from c to c + 1."""

_Corner = tuple[int, int]
_Edges = dict[_Corner, list[_Corner]]
"""Where straight edges end, by where they begin."""


def rings(mask: RegionMask) -> tuple[list[Ring], list[Ring]]:
    """Follow the edges between a region and what is around it.

    Pixels that only touch at a corner are not joined there.

    Parameters
    ----------
    mask : RegionMask
        (H, W).

    Returns
    -------
    tuple of list
        Outer rings, clockwise as seen on the screen, and those of holes, anticlockwise.
    """
    padded = np.pad(mask.bits, 1).astype(np.int8)
    # The region lies to the right of who walks: upper edges lead right, left edges lead up.
    across = _edges(np.diff(padded, axis=0)[:, 1:-1])
    down = _edges(-np.diff(padded, axis=1)[1:-1].T, transposed=True)
    outer: list[Ring] = []
    holes: list[Ring] = []
    while across:
        ring = _walk(across, down)
        following = np.roll(ring, -1, axis=0)
        area = np.sum(ring[:, 1] * following[:, 0] - following[:, 1] * ring[:, 0])
        (outer if area > 0 else holes).append(ring + np.array(mask.start))
    return outer, holes


def _edges(signs: NDArray[np.int8], transposed: bool = False) -> _Edges:
    """Straight edges along the rows of an array: where it is 1 they lead to higher columns, where -1 to lower ones."""
    padded = np.pad(signs, ((0, 0), (1, 1)))
    change = padded[:, 1:] != padded[:, :-1]
    lines, firsts = np.nonzero(change & (padded[:, 1:] != 0))
    _, lasts = np.nonzero(change & (padded[:, :-1] != 0))
    backwards = signs[lines, firsts] < 0
    begins, ends = np.where(backwards, lasts, firsts), np.where(backwards, firsts, lasts)
    edges: _Edges = defaultdict(list)
    for line, begin, end in zip(lines.tolist(), begins.tolist(), ends.tolist(), strict=True):
        if transposed:
            edges[begin, line].append((end, line))
        else:
            edges[line, begin].append((line, end))
    return edges


def _walk(across: _Edges, down: _Edges) -> Ring:
    """Take one ring out of the edges, turning right wherever there is a choice."""
    start, ends = next(iter(across.items()))
    at, turn = start, _sign(ends[0][1] - start[1])
    first_turn = turn
    corners: list[_Corner] = []
    while not corners or at != start or (start in across and turn != first_turn):
        corner = _take(across, at, axis=1, direction=turn)
        corners += [at, corner]
        at = _take(down, corner, axis=0, direction=_sign(corner[1] - at[1]))
        turn = -_sign(at[0] - corner[0])
    return np.array(corners)


def _take(edges: _Edges, begin: _Corner, axis: int, direction: int) -> _Corner:
    """Take the edge that begins at a corner; of two, the one that leads in a direction."""
    ends = edges[begin]
    end = next((end for end in ends if _sign(end[axis] - begin[axis]) == direction), ends[0])
    ends.remove(end)
    if not ends:
        del edges[begin]
    return end


def _sign(number: int) -> int:
    return 1 if number > 0 else -1

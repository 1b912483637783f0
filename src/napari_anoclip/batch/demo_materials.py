"""Generated materials: what they look like when they are good, and what can go wrong with them.

Colours are RGB from 0 to 1. Each material is drawn from a random generator alone; nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_anoclip.engine.prompts import Kind

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass
class Scene:
    """A good picture, in layers, so that one of its elements can be left out.

    Attributes
    ----------
    ground : ndarray
        (H, W, 3), what is under the elements.
    elements : list of (ndarray, ndarray)
        Masks (H, W) and colours (H, W, 3), in the order in which they are laid; they do not overlap.
    inside : ndarray
        (H, W), where the thing is and not what is around it.
    """

    ground: Pixels
    elements: list[tuple[Mask, Pixels]]
    inside: Mask

    def pixels(self, without: int | None = None) -> Pixels:
        """Draw it as (H, W, 3), perhaps without one of the elements."""
        pixels = self.ground.copy()
        for index, (mask, colours) in enumerate(self.elements):
            if index != without:
                pixels[mask] = colours[mask]
        return pixels


@dataclass(frozen=True)
class Material:
    """A category of generated pictures.

    Attributes
    ----------
    object : str
        Word for prompts.
    kind : {"object", "texture"}
        A thing or a surface.
    draw : callable
        Draws a good one of a side in pixels.
    defects : tuple of str
        Kinds of defects it can have.
    """

    object: str
    kind: Kind
    draw: Callable[[np.random.Generator, int], Scene]
    defects: tuple[str, ...]


def clouds(rng: np.random.Generator, side: int, size: float) -> Pixels:
    """Smooth noise (H, W) of mean 0 and deviation 1 with features of about a share `size` of the side."""
    # Drawn coarse and enlarged: a wide filter at full size costs more than all the rest.
    coarse = max(4, min(side, round(2 / size)))
    noise = rng.standard_normal((coarse + 3, coarse + 3)).astype(np.float32)
    wide = ndimage.zoom(noise, side / coarse, order=3, mode="nearest")[:side, :side]
    return np.asarray((wide - wide.mean()) / (wide.std() + 1e-6), np.float32)


def _grain(rng: np.random.Generator, side: int, amount: float) -> Pixels:
    return np.asarray(rng.standard_normal((side, side, 1)) * amount, np.float32)


def _colour(rng: np.random.Generator, red: float, green: float, blue: float, spread: float = 0.03) -> Pixels:
    return np.asarray(np.array([red, green, blue]) + rng.uniform(-spread, spread, 3), np.float32)


def _grid(side: int) -> tuple[Pixels, Pixels]:
    """Rows (H, 1) and columns (1, W) from 0 to 1."""
    steps = ((np.arange(side) + 0.5) / side).astype(np.float32)
    return steps[:, None], steps[None, :]


def _cloth(rng: np.random.Generator, side: int) -> Scene:
    """Plain weave: threads over and under each other, each a little different."""
    rows, columns = _grid(side)
    threads = int(rng.integers(18, 24))
    bend = 0.004 * clouds(rng, side, 0.4)
    down, right = (rows + bend) * threads, (columns + bend.T) * threads
    over = (np.floor(down) + np.floor(right)) % 2 == 0
    round_weft, round_warp = np.abs(np.sin(np.pi * down)), np.abs(np.sin(np.pi * right))
    tone = rng.uniform(0.9, 1.1, (2, threads + 8)).astype(np.float32)
    weft = round_weft * (0.75 + 0.25 * round_warp) * tone[0][np.floor(down).astype(int) + 4]
    warp = round_warp * (0.75 + 0.25 * round_weft) * tone[1][np.floor(right).astype(int) + 4]
    light = 0.35 + 0.55 * np.where(over, weft, 0.85 * warp)
    pixels = light[..., None] * _colour(rng, 0.62, 0.56, 0.46) + _grain(rng, side, 0.02)
    bare = (0.2 + 0.4 * warp)[..., None] * _colour(rng, 0.5, 0.45, 0.38)
    lines = [np.floor(down) == number for number in rng.permutation(np.arange(2, threads - 2))[:3]]
    elements = [(np.broadcast_to(line, (side, side)) & _span(rng, columns, side), pixels) for line in lines]
    ground = pixels.copy()
    for mask, _ in elements:
        ground[mask] = bare[mask]
    return Scene(ground, elements, np.ones((side, side), bool))


def _span(rng: np.random.Generator, columns: Pixels, side: int) -> Mask:
    start = rng.uniform(0.05, 0.4)
    return np.broadcast_to((columns > start) & (columns < start + rng.uniform(0.25, 0.5)), (side, side))


def _metal(rng: np.random.Generator, side: int) -> Scene:
    """Brushed sheet: noise that is long in one direction, under a soft light."""
    lines = ndimage.uniform_filter1d(rng.standard_normal((side, 2 * side)).astype(np.float32), side // 2, axis=1)
    lines = lines[:, side // 2 : side // 2 + side] + ndimage.gaussian_filter1d(rng.standard_normal((side, 1)), 0.8, 0)
    rows, columns = _grid(side)
    light = 0.62 + 0.12 * np.cos(3 * (columns - rng.uniform(0.2, 0.8)) + rows) + 0.02 * clouds(rng, side, 0.5)
    pixels = (light + 0.045 * lines)[..., None] * _colour(rng, 1.0, 1.0, 1.02, 0.015) + _grain(rng, side, 0.01)
    return Scene(np.asarray(pixels, np.float32), [], np.ones((side, side), bool))


def _tiles(rng: np.random.Generator, side: int) -> Scene:
    """Square tiles with rounded edges in mortar."""
    rows, columns = _grid(side)
    count = int(rng.integers(4, 6))
    down, right = rows * count + rng.uniform(), columns * count + rng.uniform()
    edge = np.minimum(0.5 - np.abs(down % 1 - 0.5), 0.5 - np.abs(right % 1 - 0.5))
    number = (np.floor(down) * (count + 1) + np.floor(right)).astype(int)
    tone = rng.uniform(0.88, 1.04, (count + 1) ** 2).astype(np.float32)
    glaze = tone[number] * (0.9 + 0.1 * np.clip(edge / 0.12, 0, 1)) * (1 + 0.05 * clouds(rng, side, 0.06))
    pixels = glaze[..., None] * _colour(rng, 0.72, 0.5, 0.4, 0.06) + _grain(rng, side, 0.015)
    mortar = (0.5 + 0.06 * clouds(rng, side, 0.02))[..., None] * _colour(rng, 1, 0.97, 0.92) + _grain(rng, side, 0.04)
    elements = [((number == each) & (edge > 0.04), pixels) for each in range((count + 1) ** 2)]
    elements = [(mask, colours) for mask, colours in elements if mask.sum() > side * side / count**2 / 4]
    ground = np.where((edge > 0.04)[..., None], pixels, mortar).astype(np.float32)
    for mask, _ in elements:
        ground[mask] = mortar[mask]
    return Scene(ground, elements, np.ones((side, side), bool))


def _panel(rng: np.random.Generator, side: int) -> Scene:
    """Something like a printed circuit: tracks, pads and parts at fixed places on green lacquer."""
    rows, columns = _grid(side)
    pixels = (1 + 0.05 * clouds(rng, side, 0.1))[..., None] * _colour(rng, 0.08, 0.36, 0.2)
    track = _colour(rng, 0.16, 0.5, 0.28)
    for at in (0.14, 0.2, 0.26, 0.47, 0.53, 0.74, 0.8, 0.86):
        pixels[np.abs(columns - at + 0.06 * np.clip(np.abs(rows - 0.5) - 0.2, 0, 0.1)) < 0.008] = track
        pixels[np.hypot(rows - 0.06, columns - at) < 0.02] = _colour(rng, 0.8, 0.68, 0.35)
        pixels[np.hypot(rows - 0.94, columns - at) < 0.02] = _colour(rng, 0.8, 0.68, 0.35)
    elements = []
    for row, column, height, width, tint in _PARTS:
        across = np.abs(columns - column - rng.uniform(-0.008, 0.008)) / width
        away = np.maximum(np.abs(rows - row - rng.uniform(-0.008, 0.008)) / height, across)
        colours = np.clip(1.15 - 0.25 * away, 0, 1)[..., None] * _colour(rng, *tint, 0.02)
        colours = np.where((across > 0.78)[..., None], _colour(rng, 0.75, 0.75, 0.72), colours)
        pixels[(away > 0.8) & (away < 1.0)] = _colour(rng, 0.7, 0.66, 0.5)
        elements.append((away < 1.0, colours.astype(np.float32)))
    grain = _grain(rng, side, 0.015)
    elements = [(mask, colours + grain) for mask, colours in elements]
    return Scene(np.asarray(pixels + grain, np.float32), elements, np.ones((side, side), bool))


_BLACK, _BROWN, _BLUE = (0.1, 0.1, 0.11), (0.5, 0.32, 0.18), (0.16, 0.24, 0.5)
_PARTS = (
    (0.3, 0.36, 0.1, 0.07, _BLACK),
    (0.66, 0.64, 0.11, 0.08, _BLACK),
    *((row, column, 0.025, 0.05, _BROWN) for row in (0.2, 0.3, 0.4) for column in (0.63,)),
    *((row, column, 0.025, 0.05, _BLUE) for row in (0.58, 0.68, 0.78) for column in (0.36,)),
)
"""Row, column, half the height, half the width, colour."""


def _washer(rng: np.random.Generator, side: int) -> Scene:
    """A turned ring of metal on felt."""
    rows, columns = _grid(side)
    down, right = rows - 0.5 - rng.uniform(-0.04, 0.04), columns - 0.5 - rng.uniform(-0.04, 0.04)
    radius, angle = np.hypot(down, right), np.arctan2(down, right)
    inside = (radius < 0.38) & (radius > 0.16)
    felt = (0.22 + 0.03 * clouds(rng, side, 0.015) + 0.02 * clouds(rng, side, 0.2))[..., None]
    ground = felt * _colour(rng, 0.9, 0.95, 1.2, 0.1) + _grain(rng, side, 0.02)
    ground *= (1 - 0.5 * np.clip(1 - np.abs(np.hypot(down - 0.015, right - 0.015) - 0.385) / 0.03, 0, 1))[..., None]
    turned = rng.standard_normal(side * 2).astype(np.float32)[np.clip(radius * side * 2, 0, 2 * side - 1).astype(int)]
    shine = 0.6 + 0.12 * np.cos(2 * (angle - rng.uniform(0, np.pi))) + 0.03 * turned
    bevel = np.clip(np.minimum(0.38 - radius, radius - 0.16) / 0.02, 0, 1)
    metal = (shine * (0.7 + 0.3 * bevel))[..., None] * _colour(rng, 1, 0.98, 0.94, 0.03) + _grain(rng, side, 0.01)
    return Scene(np.where(inside[..., None], metal, ground).astype(np.float32), [], inside)


MATERIALS: dict[str, Material] = {
    "demo_cloth": Material("woven cloth", "texture", _cloth, ("hole", "stain", "missing")),
    "demo_metal": Material("brushed metal sheet", "texture", _metal, ("scratch", "stain", "crack")),
    "demo_tiles": Material("tiles", "texture", _tiles, ("crack", "stain", "missing")),
    "demo_panel": Material("circuit board", "object", _panel, ("missing", "scratch", "stain")),
    "demo_washer": Material("metal washer", "object", _washer, ("scratch", "crack", "hole")),
}
"""By the name of the category, which says that the pictures are generated."""

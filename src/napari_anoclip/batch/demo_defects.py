"""Defects on generated materials, each with the mask of exactly those pixels that it covers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from napari_anoclip.batch.demo_materials import Mask, Pixels, Scene, clouds

SMALLEST = 20
"""Pixels that a defect has at least; a smaller one is drawn again."""

_TRIES = 20


def damaged(rng: np.random.Generator, scene: Scene, defect: str) -> tuple[Pixels, Mask]:
    """Draw a scene with a defect.

    Parameters
    ----------
    rng : Generator
        Decides where it is and how large.
    scene : Scene
        A good one.
    defect : str
        One of `DEFECTS`.

    Returns
    -------
    tuple of ndarray
        Pixels (H, W, 3) and the mask (H, W) of the defect; all others are as in the good picture.
    """
    for _ in range(_TRIES):
        pixels, mask = DEFECTS[defect](rng, scene)
        if mask.sum() >= SMALLEST:
            break
    return pixels, mask


def _scratch(rng: np.random.Generator, scene: Scene) -> tuple[Pixels, Mask]:
    """A long thin line, a little bent, brighter in the middle of its track than at its edges."""
    line = _walk(rng, scene, length=rng.uniform(0.3, 0.6), turn=0.04)
    away = ndimage.distance_transform_edt(~line)
    width = max(1.2, rng.uniform(0.006, 0.011) * line.shape[0])
    tone = rng.choice([-0.24, 0.3])
    return _blend(scene, (away < width) & scene.inside, scene.pixels() + tone * (1 - 0.6 * away / width)[..., None])


def _crack(rng: np.random.Generator, scene: Scene) -> tuple[Pixels, Mask]:
    """A dark line that turns sharply, with a branch."""
    line = _walk(rng, scene, length=rng.uniform(0.3, 0.5), turn=0.4)
    line |= _walk(rng, scene, length=rng.uniform(0.12, 0.25), turn=0.4, start=_somewhere(rng, line))
    away = ndimage.distance_transform_edt(~line)
    width = max(1.2, rng.uniform(0.004, 0.008) * line.shape[0])
    return _blend(scene, (away < width) & scene.inside, 0.25 * scene.pixels())


def _stain(rng: np.random.Generator, scene: Scene) -> tuple[Pixels, Mask]:
    """A spot of another tint through which the material shows."""
    mask = _blob(rng, scene, rng.uniform(0.06, 0.13))
    tint = np.array([rng.uniform(0.1, 0.5), rng.uniform(0.05, 0.3), rng.uniform(0.02, 0.15)], np.float32)
    depth = np.clip(ndimage.distance_transform_edt(mask) / (0.02 * mask.shape[0]), 0, 1)
    share = (0.45 + 0.25 * depth)[..., None]
    return _blend(scene, mask, (1 - share) * scene.pixels() + share * tint)


def _hole(rng: np.random.Generator, scene: Scene) -> tuple[Pixels, Mask]:
    """A dark opening with a bright rim."""
    mask = _blob(rng, scene, rng.uniform(0.04, 0.08))
    rim = ndimage.distance_transform_edt(mask) < max(1.5, 0.01 * mask.shape[0])
    dark = 0.05 + 0.03 * clouds(rng, mask.shape[0], 0.03)
    return _blend(scene, mask, np.where(rim[..., None], scene.pixels() * 1.3 + 0.08, dark[..., None]))


def _missing(rng: np.random.Generator, scene: Scene) -> tuple[Pixels, Mask]:
    """One of the elements is not there."""
    index = int(rng.integers(len(scene.elements)))
    return scene.pixels(without=index), scene.elements[index][0].copy()


DEFECTS: dict[str, Callable[[np.random.Generator, Scene], tuple[Pixels, Mask]]] = {
    "crack": _crack,
    "hole": _hole,
    "missing": _missing,
    "scratch": _scratch,
    "stain": _stain,
}
"""How each kind is drawn."""


def _blend(scene: Scene, mask: Mask, colours: Pixels) -> tuple[Pixels, Mask]:
    return np.where(mask[..., None], colours, scene.pixels()).astype(np.float32), mask


def _somewhere(rng: np.random.Generator, mask: Mask) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    at = int(rng.integers(len(rows)))
    return float(rows[at]), float(columns[at])


def _walk(
    rng: np.random.Generator, scene: Scene, length: float, turn: float, start: tuple[float, float] | None = None
) -> Mask:
    """Pixels of a walk that turns by about `turn` radians at each of 24 steps; length as a share of the side."""
    side = scene.inside.shape[0]
    headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, turn, 24))
    fine = np.repeat(headings, max(1, side // 24))
    step = length * side / len(fine)
    rows, columns = np.cumsum(np.sin(fine)) * step, np.cumsum(np.cos(fine)) * step
    if start is None:  # around the place, not away from it and out of the picture
        rows, columns = rows - rows.mean(), columns - columns.mean()
    row, column = start or _somewhere(rng, scene.inside)
    rows, columns = np.round(row + rows).astype(int), np.round(column + columns).astype(int)
    on = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
    line = np.zeros((side, side), bool)
    line[rows[on], columns[on]] = True
    if not line.any():
        line[int(row), int(column)] = True  # distances are measured from something
    return line


def _blob(rng: np.random.Generator, scene: Scene, radius: float) -> Mask:
    """A round spot with an uneven edge; radius as a share of the side."""
    side = scene.inside.shape[0]
    row, column = _somewhere(rng, scene.inside)
    rows, columns = np.ogrid[:side, :side]
    away = np.hypot(rows - row, columns - column) / (radius * side)
    return np.asarray((away + 0.18 * clouds(rng, side, radius) < 1) & scene.inside)

"""Random fields and shapes that surfaces, objects and defects are drawn with. All arrays are float32, side x side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

SIDE = 256
"""Side of a generated scene in pixels."""

_ROWS, _COLUMNS = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)


def coordinates() -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every pixel."""
    return _ROWS, _COLUMNS


def smooth_noise(rng: Generator, cells: float, stretch: float = 1.0) -> np.ndarray:
    """Noise of mean 0 and variance 1 whose blobs are about ``SIDE / cells`` pixels high, ``stretch`` times as wide."""
    rows = max(2, round(cells) + 2)
    columns = max(2, round(cells / stretch) + 2)
    coarse = rng.standard_normal((min(rows, SIDE), min(columns, SIDE)), dtype=np.float32)
    field = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    field -= field.mean()
    return field / (field.std() + 1e-6)


def cloud(rng: Generator, cells: float, octaves: int = 3, decay: float = 0.55) -> np.ndarray:
    """Fractal noise: octaves of ``smooth_noise``, each twice as fine and ``decay`` times as strong."""
    field = smooth_noise(rng, cells)
    for octave in range(1, octaves):
        field = field + decay**octave * smooth_noise(rng, min(cells * 2**octave, SIDE - 2))
    return field / (field.std() + 1e-6)


def warp(image: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Move pixels: the result at (r, c) is the image at (r + down, c + right)."""
    to_column, to_row = (_COLUMNS + right).astype(np.float32), (_ROWS + down).astype(np.float32)
    return cv2.remap(
        image.astype(np.float32, copy=False),
        to_column,
        to_row,
        borderMode=cv2.BORDER_REFLECT_101,
        interpolation=cv2.INTER_LINEAR,
    )


def blob(rng: Generator, centre: tuple[float, float], radius: float, roughness: float = 0.35) -> np.ndarray:
    """Signed field of an irregular ellipse: positive inside, about 1 at the centre, 0 on the outline."""
    angle = rng.uniform(0, np.pi)
    ratio = rng.uniform(0.5, 1.0)
    down, right = _ROWS - centre[0], _COLUMNS - centre[1]
    along = (right * np.cos(angle) + down * np.sin(angle)) / radius
    across = (down * np.cos(angle) - right * np.sin(angle)) / (radius * ratio)
    cells = float(np.clip(SIDE / max(radius, 2.0) * rng.uniform(0.8, 2.5), 2, 120))
    return 1 - np.hypot(along, across) + roughness * smooth_noise(rng, cells)


def soft(field: np.ndarray, edge: float) -> np.ndarray:
    """Turn a signed field into coverage in [0, 1] with an edge of the given width."""
    return np.clip(field / max(edge, 1e-3) + 0.5, 0, 1)


def walk(rng: Generator, start: tuple[float, float], length: float, wander: float, step: float = 4.0) -> np.ndarray:
    """Points (row, column) of a line whose heading drifts by ``wander`` radians a step."""
    count = max(2, int(length / step))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, wander, count))
    heading -= heading[count // 2] - heading[0]
    points = np.stack([np.sin(heading), np.cos(heading)], 1).cumsum(0) * step
    return (points - points[count // 2] + np.asarray(start)).astype(np.float32)


def stroke(points: np.ndarray, width: float, canvas: np.ndarray | None = None) -> np.ndarray:
    """Draw (row, column) points as an anti-aliased line of sub-pixel width; coverage in [0, 1]."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    fixed = np.round(points[:, ::-1] * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [fixed], False, 255, max(1, round(width)), cv2.LINE_AA, 4)
    coverage = drawn.astype(np.float32) / 255 * min(1.0, width)
    return coverage if canvas is None else np.maximum(canvas, coverage)


def polygon(points: np.ndarray) -> np.ndarray:
    """Fill (row, column) points with anti-aliased edges; coverage in [0, 1]."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    fixed = np.round(points[:, ::-1] * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.fillPoly(drawn, [fixed], 255, cv2.LINE_AA, 4)
    return drawn.astype(np.float32) / 255


def disc(centre: tuple[float, float], radius: float) -> np.ndarray:
    """Filled circle with an edge of one pixel; coverage in [0, 1]."""
    cover = np.zeros((SIDE, SIDE), np.float32)
    top, left = (max(0, int(x - radius - 1)) for x in centre)
    bottom, right = (max(0, int(x + radius + 3)) for x in centre)
    box = np.s_[top:bottom, left:right]
    cover[box] = np.clip(radius + 0.5 - np.hypot(_ROWS[box] - centre[0], _COLUMNS[box] - centre[1]), 0, 1)
    return cover


def grey(image: np.ndarray) -> np.ndarray:
    """Mean of the channels, (SIDE, SIDE)."""
    return cv2.transform(image, np.full((1, 3), 1 / 3, np.float32))


def mean_colour(image: np.ndarray) -> np.ndarray:
    """Mean over all pixels, (3,)."""
    return np.array(cv2.mean(image)[:3], np.float32)


def largest(change: np.ndarray) -> np.ndarray:
    """Largest magnitude over the channels, (SIDE, SIDE)."""
    first, second, third = cv2.split(np.abs(change))
    return np.maximum(np.maximum(first, second), third)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; a sigma below a quarter of a pixel changes nothing."""
    return image if sigma < 0.25 else cv2.GaussianBlur(image, (0, 0), sigma)


def mix(image: np.ndarray, other: np.ndarray | float, coverage: np.ndarray) -> np.ndarray:
    """Blend ``other`` (colour, grey value or image) over the image."""
    return (image + (np.asarray(other, np.float32) - image) * coverage[..., None]).astype(np.float32, copy=False)


def colour(rng: Generator, saturation: float = 0.5) -> np.ndarray:
    """A random colour, 0 to 255, its channels drawn apart by ``saturation`` at most."""
    grey = rng.uniform(20, 235)
    return np.clip(grey + rng.uniform(-1, 1, 3) * 140 * rng.uniform(0, saturation), 4, 250).astype(np.float32)


def relief(height: np.ndarray, angle: float) -> np.ndarray:
    """Shading of a height field lit from ``angle``: brighter where it faces the light, about -1 to 1."""
    down, right = np.gradient(height)
    return (-(right * np.cos(angle) + down * np.sin(angle))).astype(np.float32)

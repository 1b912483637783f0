"""Surfaces without a defect: photographed or procedural, with the benign marks that real good surfaces carry."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from .fields import (
    SIDE,
    blur,
    cloud,
    colour,
    coordinates,
    mean_colour,
    mix,
    polygon,
    relief,
    smooth_noise,
    stroke,
    warp,
)
from .sources import Pictures


def photographed(rng: Generator, bank: np.ndarray, zoom: tuple[float, float] = (0.55, 1.8)) -> np.ndarray:
    """A turned, scaled, recoloured crop of a photographed surface, (SIDE, SIDE, 3) in 0..255."""
    source = np.asarray(bank[rng.integers(len(bank))])
    full = source.shape[0]
    scale = np.exp(rng.uniform(*np.log(zoom)))
    reach = min(SIDE / scale, full)
    angle = rng.choice(4) * np.pi / 2 + (rng.uniform(-np.pi, np.pi) if rng.random() < 0.3 else rng.normal(0, 0.03))
    margin = max(0.0, (full - reach) / 2)
    centre = full / 2 + rng.uniform(-margin, margin, 2)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * reach / 2
    if rng.random() < 0.3:
        corners *= 1 + rng.uniform(-0.2, 0.2, (4, 1)).astype(np.float32)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    quad = (corners @ turn.T + centre).astype(np.float32)
    target = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    to_scene = cv2.getPerspectiveTransform(quad, target)
    if scale < 0.75:
        source = cv2.GaussianBlur(source, (0, 0), 0.45 / scale)
    image = cv2.warpPerspective(
        source, to_scene, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return recoloured(rng, image.astype(np.float32))


def recoloured(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Change brightness, contrast, saturation and tint, so that no colour belongs to one material."""
    mean = mean_colour(image)
    saturation, contrast = rng.uniform(0.2, 1.4), np.exp(rng.uniform(-0.8, 0.35))
    brightness = (rng.uniform(55, 205) / (mean.mean() + 1)) ** rng.uniform(0.2, 1)
    tint = 1 + rng.uniform(-0.25, 0.25, 3) if rng.random() < 0.5 else np.ones(3)
    matrix = np.full((3, 3), (1 - saturation) / 3) + np.eye(3) * saturation
    gain = np.diag(tint * brightness)
    offset = gain @ (mean - contrast * (matrix @ mean))
    image = cv2.transform(image, np.concatenate([gain @ matrix * contrast, offset[:, None]], 1).astype(np.float32))
    return np.clip(image, 0, 255)


def _dyed(rng: Generator, field: np.ndarray, contrast: float) -> np.ndarray:
    base = colour(rng, 0.5)
    direction = np.ones(3, np.float32) + rng.uniform(-0.4, 0.4, 3).astype(np.float32)
    return np.clip(base + field[..., None] * direction * contrast, 0, 255)


def plain(rng: Generator) -> np.ndarray:
    """Painted, moulded or cast surface: hardly any texture."""
    return _dyed(rng, cloud(rng, rng.uniform(1, 6)) + 0.5 * smooth_noise(rng, 120), rng.uniform(0.5, 6))


def cast(rng: Generator) -> np.ndarray:
    """Rough cast, sand-blasted or plastered surface."""
    height = cloud(rng, rng.uniform(20, 90), 2)
    return _dyed(rng, relief(blur(height, 0.7), rng.uniform(0, 6.3)) * 2 + 0.3 * cloud(rng, 3), rng.uniform(5, 22))


def brushed(rng: Generator) -> np.ndarray:
    """Brushed or ground metal: grain along one direction, sometimes around a centre."""
    grain = smooth_noise(rng, rng.uniform(110, 230), stretch=rng.uniform(20, 110))
    if rng.random() < 0.5:
        grain = grain.T.copy()
    return _dyed(rng, grain + 0.6 * smooth_noise(rng, 3), rng.uniform(3, 16))


def grained(rng: Generator) -> np.ndarray:
    """Wood grain: warped bands with fine fibres."""
    rows, _ = coordinates()
    bands = np.sin((rows + 14 * smooth_noise(rng, 3, 3) + 3 * smooth_noise(rng, 12, 6)) * rng.uniform(0.08, 0.6))
    field = bands + 0.6 * smooth_noise(rng, 180, 14)
    return _dyed(rng, field if rng.random() < 0.5 else field.T.copy(), rng.uniform(5, 20))


def speckled(rng: Generator) -> np.ndarray:
    """Granite, terrazzo, filled plastic, food dough: grains of a few tones."""
    image = _dyed(rng, cloud(rng, 5), 4)
    for _ in range(rng.integers(1, 4)):
        grains = smooth_noise(rng, rng.uniform(30, 110)) > rng.uniform(0.8, 2.2)
        image = mix(image, colour(rng, 0.4), blur(grains.astype(np.float32), 0.6) * rng.uniform(0.2, 0.9))
    return image


def leathery(rng: Generator) -> np.ndarray:
    """Leather, rubber and vinyl: pebbles divided by fine valleys."""
    cells = rng.uniform(16, 60)
    height = -np.minimum(np.abs(smooth_noise(rng, cells)), np.abs(smooth_noise(rng, cells)))
    field = relief(blur(height, 0.8), rng.uniform(0, 6.3)) * 3 - blur((height > -0.08).astype(np.float32), 0.7)
    return _dyed(rng, field + 0.3 * cloud(rng, 3), rng.uniform(5, 22))


def woven(rng: Generator) -> np.ndarray:
    """Cloth, carpet and mesh: two families of threads over and under each other."""
    rows, columns = coordinates()
    pitch = rng.uniform(4, 15)
    slack = rng.uniform(0, 1.2)
    a = np.sin((rows + slack * smooth_noise(rng, 6)) * 2 * np.pi / pitch)
    b = np.sin((columns + slack * smooth_noise(rng, 6)) * 2 * np.pi / (pitch * rng.uniform(0.7, 1.4)))
    style = rng.integers(3)
    field = np.maximum(a, b) if style == 0 else np.sign(a) * np.sign(b) * (a * a + b * b) / 2 if style == 1 else a * b
    field = field + 0.35 * smooth_noise(rng, 150)
    image = _dyed(rng, blur(field.astype(np.float32), 0.6), rng.uniform(6, 32))
    return turned(rng, image)


def striped(rng: Generator) -> np.ndarray:
    """Ribs, corrugations, knurls and stripes."""
    rows, columns = coordinates()
    pitch = rng.uniform(6, 50)
    wave = np.sin(rows * 2 * np.pi / pitch)
    if rng.random() < 0.3:
        wave = wave * np.sin(columns * 2 * np.pi / pitch)
    wave = np.tanh(wave * rng.uniform(0.5, 6))
    return turned(rng, _dyed(rng, wave + 0.2 * smooth_noise(rng, 100), rng.uniform(6, 35)))


def turned(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Turn a regular surface by a little, a quarter or any angle."""
    angle = rng.normal(0, 2) if rng.random() < 0.5 else rng.uniform(0, 360)
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), angle, 1)
    return cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


PROCEDURAL = (plain, cast, brushed, grained, speckled, leathery, woven, striped)


def surface(rng: Generator, pictures: Pictures, photograph: float = 0.6) -> np.ndarray:
    """Any surface, photographed with the given probability; (SIDE, SIDE, 3) float32 in 0..255."""
    if rng.random() < photograph:
        return photographed(rng, pictures.textures)
    return PROCEDURAL[rng.integers(len(PROCEDURAL))](rng).astype(np.float32)


def print_marks(rng: Generator, image: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Text and symbols that belong on a part, in one ink, straight and sharp."""
    ink = np.zeros((SIDE, SIDE), np.uint8)
    spots = np.argwhere(room > 0.95)
    if len(spots) < 400:
        return image
    row, column = spots[rng.integers(len(spots))]
    size = rng.uniform(0.35, 1.3)
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)
    font = int(fonts[rng.integers(len(fonts))])
    letters = np.array(list("ABCDEFGHKLMNPRSTUVXZ0123456789-/+"))
    for line in range(rng.integers(1, 4)):
        text = "".join(rng.choice(letters, rng.integers(2, 9)))
        origin = (int(column - 25 * size * 2), int(row + line * 30 * size))
        cv2.putText(ink, text, origin, font, size, 255, int(rng.integers(1, 3)), cv2.LINE_AA)
    if rng.random() < 0.3:
        cv2.circle(ink, (int(column), int(row)), int(rng.uniform(8, 40)), 255, int(rng.integers(1, 4)), cv2.LINE_AA)
    if rng.random() < 0.3:
        ink = cv2.warpAffine(
            ink, cv2.getRotationMatrix2D((float(column), float(row)), rng.uniform(0, 360), 1), (SIDE, SIDE)
        )
    return mix(image, colour(rng, 0.8), ink.astype(np.float32) / 255 * (room > 0.9) * rng.uniform(0.4, 1))


def seams(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Straight joints, weld-free edges, stripes or a boundary between two tones, from one border to the other."""
    rows, columns = coordinates()
    angle = rng.choice([0, np.pi / 2]) + (rng.normal(0, 0.04) if rng.random() < 0.7 else rng.uniform(-0.8, 0.8))
    across = (rows - SIDE / 2) * np.cos(angle) + (columns - SIDE / 2) * np.sin(angle)
    for _ in range(rng.integers(1, 4)):
        distance = across - rng.uniform(-110, 110)
        style = rng.integers(4)
        if style == 0:
            line = np.clip(rng.uniform(1, 5) - np.abs(distance), 0, 1)
            image = mix(image, colour(rng, 0.2), line * rng.uniform(0.3, 1))
        elif style == 1:
            image = np.clip(
                image
                + (rng.uniform(10, 40) * np.exp(-((distance / rng.uniform(1.5, 6)) ** 2)) * np.sign(distance))[
                    ..., None
                ],
                0,
                255,
            )
        elif style == 2:
            image = mix(image, colour(rng, 0.5), soft_step(distance) * rng.uniform(0.15, 0.8))
        else:
            stitches = np.clip(2 - np.abs(distance), 0, 1) * (np.sin((columns - rows) * rng.uniform(0.2, 0.8)) > -0.3)
            image = mix(image, colour(rng, 0.5), stitches * rng.uniform(0.4, 1))
    return image


def soft_step(distance: np.ndarray) -> np.ndarray:
    """Coverage of the half-plane where the distance is positive, with an edge of one pixel."""
    return np.clip(distance + 0.5, 0, 1)


def lit(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Uneven light that good pictures have too: gradient, vignette, highlight, cast shadow."""
    rows, columns = coordinates()
    if rng.random() < 0.6:
        angle = rng.uniform(0, 2 * np.pi)
        slope = ((rows - SIDE / 2) * np.sin(angle) + (columns - SIDE / 2) * np.cos(angle)) / SIDE
        image = image * (1 + rng.uniform(0, 0.5) * slope)[..., None]
    if rng.random() < 0.3:
        radius = np.hypot(rows - SIDE * rng.uniform(0.3, 0.7), columns - SIDE * rng.uniform(0.3, 0.7)) / SIDE
        image = image * (1 - rng.uniform(0.1, 0.7) * radius**2)[..., None]
    if rng.random() < 0.25:
        centre = rng.uniform(-40, SIDE + 40, 2)
        wide, high = rng.uniform(25, 130, 2)
        image = (
            image
            + (rng.uniform(10, 70) * np.exp(-(((rows - centre[0]) / high) ** 2) - ((columns - centre[1]) / wide) ** 2))[
                ..., None
            ]
        )
    if rng.random() < 0.15:
        angle = rng.uniform(0, 2 * np.pi)
        points = (
            SIDE / 2
            + np.array([[-400, 0], [400, 0], [400, 600], [-400, 600]])
            @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            + rng.uniform(-70, 70, 2)
        )
        image = image * (1 - rng.uniform(0.15, 0.55) * blur(polygon(points), rng.uniform(3, 16)))[..., None]
    return np.clip(image, 0, 255).astype(np.float32)


def benign_lines(rng: Generator, image: np.ndarray) -> np.ndarray:
    """Fine regular lines that belong: scale marks, ruled grooves, machining marks."""
    count = rng.integers(3, 14)
    pitch = rng.uniform(6, 26)
    start = rng.uniform(20, 120, 2)
    step = np.array([0.0, 1.0]) if rng.random() < 0.5 else np.array([1.0, 0.0])
    length = rng.uniform(10, 120)
    marks: np.ndarray | None = None
    for index in range(count):
        first = start + step * pitch * index
        marks = stroke(np.stack([first, first + step[::-1] * length]), rng.uniform(1, 1.2), marks)
    assert marks is not None
    return mix(image, colour(rng, 0.3), marks * rng.uniform(0.3, 0.9))


def wavy(rng: Generator, image: np.ndarray) -> np.ndarray:
    """A gentle overall distortion, as lenses and soft materials give."""
    strength = rng.uniform(1, 6)
    return warp(image, strength * smooth_noise(rng, 2), strength * smooth_noise(rng, 2))

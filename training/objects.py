"""Whole things on a ground: drawn parts with shading, holes, rings and prints that belong, and photographed things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .fields import SIDE, blur, cloud, colour, coordinates, disc, grey, mean_colour, mix, polygon, relief, smooth_noise
from .sources import Pictures
from .structures import corners, regular_polygon
from .surfaces import PROCEDURAL, lit, photographed, print_marks


@dataclass(frozen=True)
class Thing:
    """An object before it is put on a ground.

    Attributes
    ----------
    image : ndarray
        (SIDE, SIDE, 3) its colours, valid where it covers.
    cover : ndarray
        (SIDE, SIDE) coverage in [0, 1].
    """

    image: np.ndarray
    cover: np.ndarray


Outline = Callable[[Generator, float], tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]]
"""Returns coverage, raised or sunk features that belong, and holes through the part."""

CENTRE = (SIDE / 2, SIDE / 2)


def _nut(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    inner = disc(CENTRE, r * rng.uniform(0.35, 0.6))
    return polygon(regular_polygon(CENTRE, r, int(rng.choice([4, 6, 6, 8])), 0)), [disc(CENTRE, r * 0.8)], [inner]


def _washer(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    rings = [disc(CENTRE, r * q) for q in rng.uniform(0.5, 0.95, rng.integers(0, 3))]
    return disc(CENTRE, r), rings, [disc(CENTRE, r * rng.uniform(0.25, 0.75))]


def _disc_part(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    count = int(rng.integers(3, 9))
    ring = regular_polygon(CENTRE, r * rng.uniform(0.55, 0.75), count, rng.uniform(0, 6))
    holes = [disc((p[0], p[1]), r * 0.09) for p in ring] if rng.random() < 0.7 else []
    return disc(CENTRE, r), [disc(CENTRE, r * q) for q in rng.uniform(0.2, 0.95, rng.integers(1, 5))], holes


def _gear(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    teeth = int(rng.integers(9, 26))
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    reach = r * (0.9 + 0.1 * np.tanh(4 * np.sin(turn * teeth)))
    outline = np.stack([np.sin(turn), np.cos(turn)], 1) * reach[:, None] + np.asarray(CENTRE)
    return polygon(outline), [disc(CENTRE, r * 0.7)], [disc(CENTRE, r * rng.uniform(0.15, 0.35))]


def _bar(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    high = r * rng.uniform(0.18, 0.5)
    cover = np.maximum(polygon(corners(CENTRE, high, r - high, 0)), disc((CENTRE[0], CENTRE[1] - r + high), high))
    cover = np.maximum(cover, disc((CENTRE[0], CENTRE[1] + r - high), high))
    bands = [
        polygon(corners((CENTRE[0], CENTRE[1] + x * r), high, r * 0.05, 0))
        for x in rng.uniform(-0.6, 0.6, rng.integers(0, 5))
    ]
    return cover, bands, []


def _capsule(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    high = r * rng.uniform(0.3, 0.45)
    ends = [disc((CENTRE[0], CENTRE[1] + s * (r - high)), high) for s in (-1, 1)]
    cover = np.maximum(polygon(corners(CENTRE, high, r - high, 0)), np.maximum(*ends))
    half = polygon(corners((CENTRE[0], CENTRE[1] + r / 2), high * 1.05, r / 2, 0)) * cover
    return cover, [half], []


def _pill(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    rows, columns = coordinates()
    high = r * rng.uniform(0.5, 1)
    field = 1 - np.hypot((rows - CENTRE[0]) / high, (columns - CENTRE[1]) / r)
    score = polygon(corners(CENTRE, high * 0.85, r * 0.02, 0))
    return np.clip(field * r + 0.5, 0, 1), [score] if rng.random() < 0.5 else [], []


def _screw(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    shaft, head = r * rng.uniform(0.12, 0.25), r * rng.uniform(0.3, 0.5)
    turn = np.linspace(-r, r * 0.55, 160)
    thread = shaft * (1 + 0.16 * np.sin(turn * rng.uniform(0.35, 0.8)))
    outline = np.concatenate(
        [np.stack([CENTRE[0] - thread, CENTRE[1] + turn], 1), np.stack([CENTRE[0] + thread, CENTRE[1] + turn], 1)[::-1]]
    )
    top = polygon(corners((CENTRE[0], CENTRE[1] + r * 0.72), head, r * 0.18, 0))
    marks = [
        polygon(corners((CENTRE[0], CENTRE[1] + x), shaft, 1.2, 0.25))
        for x in np.arange(-r * 0.95, r * 0.4, max(5.0, r / 12))
    ]
    return np.maximum(polygon(outline), top), marks, []


def _bottle_mouth(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    q = np.sort(rng.uniform(0.35, 0.95, 3))
    return disc(CENTRE, r), [disc(CENTRE, r * x) for x in q], []


def _cable(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    count = int(rng.choice([1, 2, 3, 3, 4]))
    middles = regular_polygon(CENTRE, r * (0.45 if count > 1 else 0), count, rng.uniform(0, 6))
    inner = r * (0.4 if count > 1 else 0.65)
    wires = [disc((m[0], m[1]), inner) for m in middles]
    strands = [
        disc((m[0] + d[0], m[1] + d[1]), inner * 0.13)
        for m in middles
        for d in regular_polygon((0, 0), inner * 0.4, 6, 0)
    ]
    return disc(CENTRE, r), [*wires, *strands], []


def _chip(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    high = r * rng.uniform(0.35, 0.7)
    cover = polygon(corners(CENTRE, high, r * 0.8, 0))
    body = cover.copy()
    for x in np.linspace(-0.7, 0.7, int(rng.integers(2, 9))) * r:
        for side in (-1, 1) if rng.random() < 0.8 else (1,):
            cover = np.maximum(
                cover, polygon(corners((CENTRE[0] + side * high * 1.25, CENTRE[1] + x), high * 0.35, r * 0.04, 0))
            )
    return cover, [body, disc((CENTRE[0] - high * 0.6, CENTRE[1] - r * 0.65), r * 0.05)], []


def _grown(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    rows, columns = coordinates()
    field = (
        1
        - np.hypot((rows - CENTRE[0]) / (r * rng.uniform(0.55, 1)), (columns - CENTRE[1]) / r)
        + 0.06 * smooth_noise(rng, 4)
    )
    return np.clip(field * r * 0.8 + 0.5, 0, 1), [], []


def _biscuit(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    cover = disc(CENTRE, r) if rng.random() < 0.5 else polygon(corners(CENTRE, r * 0.75, r * 0.75, 0))
    grid = [(CENTRE[0] + a * r * 0.3, CENTRE[1] + b * r * 0.3) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return cover, [disc(p, r * 0.045) for p in grid], []


def _button(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    holes = regular_polygon(CENTRE, r * 0.25, int(rng.choice([2, 4])), np.pi / 4)
    return disc(CENTRE, r), [disc(CENTRE, r * 0.75)], [disc((h[0], h[1]), r * 0.09) for h in holes]


def _bracket(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    w = r * rng.uniform(0.22, 0.4)
    upright = polygon(corners((CENTRE[0], CENTRE[1] - r + w), r * 0.9, w, 0))
    foot = polygon(corners((CENTRE[0] + r * 0.9 - w, CENTRE[1] - r * 0.1), w, r * 0.9, 0))
    holes = [(CENTRE[0] - r * 0.5, CENTRE[1] - r + w), (CENTRE[0] + r * 0.9 - w, CENTRE[1] + r * 0.4)]
    return np.maximum(upright, foot), [], [disc(h, w * 0.4) for h in holes]


def _brush(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    high = r * rng.uniform(0.35, 0.55)
    tufts = [
        disc((CENTRE[0] + a * high, CENTRE[1] + b * r), r * 0.085)
        for a in (-0.6, 0, 0.6)
        for b in np.linspace(-0.75, 0.75, 7)
    ]
    return polygon(corners(CENTRE, high, r, 0)), tufts, []


def _connector(rng: Generator, r: float) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    high = r * rng.uniform(0.35, 0.6)
    count = int(rng.integers(2, 7))
    slots = [
        corners((CENTRE[0] + a * high * 0.45, CENTRE[1] + b), high * 0.2, r * 0.6 / count, 0)
        for a in (-1, 1)
        for b in np.linspace(-0.75, 0.75, count) * r
    ]
    return (
        polygon(corners(CENTRE, high, r, 0)),
        [polygon(corners(CENTRE, high * 0.85, r * 0.93, 0))],
        [polygon(s) for s in slots],
    )


SEEN_SHAPES: tuple[Outline, ...] = (
    _nut,
    _washer,
    _disc_part,
    _bar,
    _pill,
    _screw,
    _bottle_mouth,
    _cable,
    _chip,
    _grown,
    _grown,
    _biscuit,
    _button,
    _brush,
)
UNSEEN_SHAPES: tuple[Outline, ...] = (_gear, _capsule, _bracket, _connector)


def drawn(rng: Generator, pictures: Pictures, unseen: bool) -> Thing:
    """A drawn part: its outline, a material, shading that follows its form, features and holes that belong."""
    shapes = UNSEEN_SHAPES if unseen else SEEN_SHAPES
    radius = rng.uniform(70, 120)
    cover, features, holes = shapes[rng.integers(len(shapes))](rng, radius)
    image = (
        photographed(rng, pictures.textures) if rng.random() < 0.35 else PROCEDURAL[rng.integers(len(PROCEDURAL))](rng)
    )
    image = mean_colour(image) + (image - mean_colour(image)) * np.float32(rng.uniform(0.1, 0.9))
    for feature in features:
        depth = rng.uniform(-80, 120)
        if rng.random() < 0.6:
            image = mix(image, colour(rng, 0.6), feature * rng.uniform(0.2, 1))
        image = image + (relief(blur(feature, 1.3), 0.8) * depth)[..., None]
    for hole in holes:
        cover = cover * (1 - hole)
    bevel = np.minimum(
        cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 3), radius * rng.uniform(0.05, 0.9)
    )
    angle = rng.uniform(0, 2 * np.pi)
    image = image + (relief(blur(bevel.astype(np.float32), 2.5), angle) * rng.uniform(10, 60))[..., None]
    if rng.random() < 0.4:
        rows, columns = coordinates()
        spot = CENTRE + rng.uniform(-0.5, 0.5, 2) * radius
        shine = np.exp(-((np.hypot(rows - spot[0], columns - spot[1]) / (radius * rng.uniform(0.1, 0.5))) ** 2))
        image = image + (rng.uniform(20, 120) * shine)[..., None]
    if rng.random() < 0.3:
        image = print_marks(rng, image, blur(cover, 2))
    return Thing(np.clip(image, 0, 255).astype(np.float32), cover.astype(np.float32))


def photographed_thing(rng: Generator, pictures: Pictures) -> Thing:
    """A photographed thing, recoloured a little."""
    pixels = np.asarray(pictures.things[rng.integers(len(pictures.things))])
    pixels = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    image = pixels[..., :3]
    tone = grey(image)[..., None]
    image = (tone + (image - tone) * rng.uniform(0, 1.3)) * rng.uniform(0.6, 1.2) * (1 + rng.uniform(-0.2, 0.2, 3))
    return Thing(np.clip(image, 0, 255).astype(np.float32), pixels[..., 3] / 255)


def ground(rng: Generator, pictures: Pictures) -> np.ndarray:
    """What a thing lies on: black, white, a colour, a paper, a table, a belt."""
    style = rng.random()
    if style < 0.5:
        tone = [rng.uniform(0, 20), rng.uniform(220, 255), rng.uniform(20, 230)][rng.integers(3)]
        image = np.full((SIDE, SIDE, 3), tone, np.float32) + colour(rng, 0.3) * rng.uniform(0, 0.15)
        return np.clip(image + rng.uniform(0, 3) * cloud(rng, 4)[..., None], 0, 255)
    if style < 0.75:
        return PROCEDURAL[rng.integers(len(PROCEDURAL))](rng).astype(np.float32)
    return photographed(rng, pictures.textures)


def placed(thing: Thing, scale: float, angle: float, shift: tuple[float, float]) -> Thing:
    """Turn, scale and move a thing within the scene."""
    matrix = cv2.getRotationMatrix2D(CENTRE, angle, scale)
    matrix[:, 2] += shift[1], shift[0]
    image = cv2.warpAffine(thing.image, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Thing(image, cv2.warpAffine(thing.cover, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR))


def on_ground(rng: Generator, pictures: Pictures, unseen: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A good scene with one thing, or several alike.

    Returns
    -------
    tuple
        The image, the coverage of the things and the empty ground, (SIDE, SIDE[, 3]).
    """
    use_photograph = rng.random() < 0.3 and len(pictures.things) > 0
    thing = photographed_thing(rng, pictures) if use_photograph else drawn(rng, pictures, unseen)
    empty = lit(rng, ground(rng, pictures))
    angle = rng.uniform(0, 360)
    if rng.random() < 0.15:
        step = SIDE / 2
        spots = [(a * step / 2, b * step / 2) for a in (-1, 1) for b in (-1, 1)]
        places = [(rng.uniform(0.38, 0.48), angle + rng.normal(0, 8), s) for s in spots]
    else:
        close = rng.random() < 0.3
        scale = rng.uniform(1.3, 2.2) if close else rng.uniform(0.7, 1.15)
        reach = 70 if close else 14
        shift = rng.uniform(-reach, reach, 2)
        places = [(scale, angle if rng.random() < 0.6 else rng.normal(0, 4), (shift[0], shift[1]))]
    image, total = empty, np.zeros((SIDE, SIDE), np.float32)
    depth, side = rng.uniform(2, 12), rng.uniform(0, 2 * np.pi)
    dark = rng.uniform(0, 0.7)
    for scale, turn, shift in places:
        put = placed(thing, scale, turn, shift)
        fall = np.float32([[1, 0, depth * np.cos(side)], [0, 1, depth * np.sin(side)]])
        shadow = blur(cv2.warpAffine(put.cover, fall, (SIDE, SIDE)), depth / 2)
        image = image * (1 - dark * shadow * (1 - put.cover))[..., None]
        image = mix(image, put.image, put.cover)
        total = np.maximum(total, put.cover)
    return np.clip(image, 0, 255).astype(np.float32), total, empty

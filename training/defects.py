"""Defects of many kinds. Each takes a good picture and returns the spoilt one with the outline an annotator would draw.

``SEEN`` kinds are trained on; ``UNSEEN`` kinds serve evaluation only. What counts in the end is where the picture
really changed (``scenes.visible``), so an outline may be generous.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .fields import (
    SIDE,
    blob,
    blur,
    cloud,
    colour,
    coordinates,
    disc,
    mix,
    polygon,
    relief,
    smooth_noise,
    soft,
    stroke,
    walk,
    warp,
)
from .sources import Pictures


@dataclass(frozen=True)
class Place:
    """Where a defect may go, and what it is made from.

    Attributes
    ----------
    centre : tuple of float
        Row and column.
    size : float
        Half extent in pixels.
    empty : ndarray
        (SIDE, SIDE, 3) what is seen where the part is gone.
    pictures : Pictures
        Photographs of the split.
    strength : float
        At least 1; grows when a first attempt was too faint to see.
    """

    centre: tuple[float, float]
    size: float
    empty: np.ndarray
    pictures: Pictures
    strength: float


Defect = Callable[[Generator, np.ndarray, Place], tuple[np.ndarray, np.ndarray]]


def _tone(
    rng: Generator, image: np.ndarray, place: Place, least: float, most: float, darker: float = 0.5
) -> np.ndarray:
    """A colour that differs from the local one by ``least`` to ``most`` grey levels."""
    r, c = (int(np.clip(x, 4, SIDE - 5)) for x in place.centre)
    local = image[r - 4 : r + 5, c - 4 : c + 5].mean((0, 1))
    step = rng.uniform(least, most) * place.strength
    down = rng.random() < darker
    if local.mean() < step * 0.8:
        down = False
    elif local.mean() > 255 - step * 0.8:
        down = True
    return np.clip(local + (-step if down else step) * (1 + rng.uniform(-0.15, 0.15, 3)), 0, 255).astype(np.float32)


def _fade(rng: Generator) -> np.ndarray:
    """Unevenness along lines."""
    return np.clip(0.75 + 0.35 * smooth_noise(rng, 20), 0.25, 1)


def scratch(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    lines = np.zeros((SIDE, SIDE), np.float32)
    start = np.asarray(place.centre)
    for _ in range(rng.integers(1, 5)):
        points = walk(rng, tuple(start + rng.normal(0, place.size * 0.15, 2)), place.size * rng.uniform(1, 2.4), 0.03)
        lines = stroke(points, rng.uniform(0.9, 2.6), lines)
    tone = _tone(rng, image, place, 35, 110, darker=0.35)
    return mix(image, tone, lines * _fade(rng)), lines


def crack(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    main = walk(rng, place.centre, place.size * rng.uniform(1.4, 2.6), 0.35, 5)
    lines = stroke(main, rng.uniform(1, 3.4))
    for _ in range(rng.integers(0, 5)):
        branch = walk(rng, tuple(main[rng.integers(len(main))]), place.size * rng.uniform(0.3, 1), 0.4, 4)
        lines = stroke(branch[len(branch) // 2 :], rng.uniform(0.9, 2), lines)
    image = image + (25 * place.strength * blur(np.roll(lines, (1, 1), (0, 1)), 1))[..., None]
    return mix(image, _tone(rng, image, place, 55, 130, darker=0.93), np.minimum(1, lines * 1.1) * _fade(rng)), lines


def cut(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    points = walk(rng, place.centre, place.size * rng.uniform(0.9, 2.2), 0.015)
    middle = np.linspace(-1, 1, len(points))
    heading = points[-1] - points[0]
    normal = np.array([-heading[1], heading[0]]) / (np.linalg.norm(heading) + 1e-6)
    width = rng.uniform(1, 4.5) * (1 - middle**2)[:, None] + 0.4
    opening = polygon(np.concatenate([points + normal * width / 2, (points - normal * width / 2)[::-1]]))
    lip = np.clip(blur(opening, 1.6) * 2 - opening, 0, 1)
    image = image + (rng.uniform(15, 45) * place.strength * lip)[..., None]
    return mix(image, _tone(rng, image, place, 60, 140, darker=0.9), opening), np.maximum(opening, lip > 0.3)


def dent(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = np.clip(blob(rng, place.centre, place.size, 0.12), 0, 1)
    height = blur(field**0.5 * rng.uniform(0.6, 1), 1.5 + place.size * 0.06)
    shade = relief(height, rng.uniform(0, 2 * np.pi))
    shade = shade / (np.abs(shade).max() + 1e-6) * rng.uniform(35, 90) * place.strength
    rows, columns = coordinates()
    pull = height * place.size * 0.25
    down, right = (rows - place.centre[0]) / place.size, (columns - place.centre[1]) / place.size
    return warp(image, -down * pull, -right * pull) + shade[..., None], (field > 0.02).astype(np.float32)


def hole(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = blob(rng, place.centre, place.size * 0.8, 0.18)
    inside = soft(field, 0.12)
    rim = np.exp(-((field / 0.14) ** 2)) * (field < 0.05)
    image = image + (rng.uniform(-40, 60) * place.strength * rim)[..., None]
    deep = place.empty if rng.random() < 0.3 else rng.uniform(0, 35) * np.ones(3, np.float32)
    shaded = deep * (1 - 0.5 * blur(1 - inside, 3))[..., None]
    return mix(image, shaded, inside), inside


def stain(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    inside = soft(blob(rng, place.centre, place.size, 0.4), rng.uniform(0.1, 0.7))
    tint = (
        np.array([rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.75), rng.uniform(0.15, 0.7)], np.float32) / place.strength
    )
    if rng.random() < 0.25:
        return mix(image, _tone(rng, image, place, 40, 100, 0.3), inside * 0.8), inside
    return image * (1 - inside[..., None] * (1 - tint)), inside


def burn(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = blob(rng, place.centre, place.size, 0.3)
    heart, halo = soft(field - 0.35, 0.5), soft(field, 0.6)
    image = mix(image, image * np.array([0.5, 0.33, 0.2], np.float32), halo * rng.uniform(0.7, 1))
    return mix(image, rng.uniform(5, 35) * np.ones(3, np.float32), heart * rng.uniform(0.7, 1)), halo


def discolouration(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    inside = soft(blob(rng, place.centre, place.size * 1.2, 0.2), rng.uniform(0.3, 0.9))
    shift = rng.uniform(-1, 1, 3)
    shift = shift / np.abs(shift).max() * rng.uniform(25, 65) * place.strength
    return image + inside[..., None] * shift, inside


def broken(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    count = int(rng.integers(5, 10))
    turn = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = place.size * rng.uniform(0.55, 1.25, count)
    inside = polygon(np.stack([np.sin(turn), np.cos(turn)], 1) * reach[:, None] + np.asarray(place.centre))
    gone = place.empty if rng.random() < 0.85 else place.empty * 0.3
    edge = np.clip(blur(inside, 1.5) * 2 - inside, 0, 1) * (1 - inside)
    return mix(image + (rng.uniform(-50, 70) * edge)[..., None], gone, inside), inside


def bent(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = np.clip(blob(rng, place.centre, place.size * 1.1, 0.05), 0, 1)
    window = blur(np.minimum(1, field * 2), 2)
    angle, reach = rng.uniform(0, 2 * np.pi), min(place.size * 0.55, 16) * place.strength
    bend = np.sin(smooth_noise(rng, SIDE / place.size) * 0.8 + 1.2) * reach * window
    shade = relief(window, angle) * rng.uniform(0, 260)
    return warp(image, bend * np.sin(angle), bend * np.cos(angle)) + shade[..., None], (field > 0.05).astype(np.float32)


def thread(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    line = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(rng.integers(1, 3)):
        line = stroke(walk(rng, place.centre, place.size * rng.uniform(1.6, 4), 0.16, 3), rng.uniform(1, 2.6), line)
    image = image * (1 - 0.35 * blur(np.roll(line, (2, 2), (0, 1)), 1))[..., None]
    tone = colour(rng, 0.8) if rng.random() < 0.4 else _tone(rng, image, place, 55, 130, 0.5)
    return mix(image, tone, line), line


def misprint(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    ink = np.zeros((SIDE, SIDE), np.uint8)
    text = "".join(rng.choice(list("ABEHKMNRSXZ0358#%&"), rng.integers(1, 5)))
    size = place.size / 22
    origin = (int(place.centre[1] - place.size * 0.8), int(place.centre[0] + place.size * 0.4))
    cv2.putText(ink, text, origin, cv2.FONT_HERSHEY_SIMPLEX, size, 255, int(max(1, size * 2.5)), cv2.LINE_AA)
    cover = ink.astype(np.float32) / 255
    ghost = np.roll(cover, tuple(int(x) for x in rng.integers(-6, 7, 2)), (0, 1))
    worn = np.clip(np.maximum(cover, 0.6 * ghost) * (smooth_noise(rng, 30) > -0.4), 0, 1)
    smudge = np.maximum(blur(worn, rng.uniform(0.8, 2.2)), 0.5 * worn)
    smudge = warp(smudge, 4 * smooth_noise(rng, 12), 4 * smooth_noise(rng, 12))
    return mix(image, _tone(rng, image, place, 70, 150, 0.6), smudge * 0.9), blur(smudge, 2) * 2


def rust(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    grains = cloud(rng, np.clip(SIDE / place.size * 4, 8, 80), 3)
    inside = soft(blob(rng, place.centre, place.size * 1.1, 0.5) + 0.35 * grains - 0.1, 0.35)
    tone = np.array([rng.uniform(110, 190), rng.uniform(50, 95), rng.uniform(10, 50)], np.float32)
    return mix(image, np.clip(tone + 22 * grains[..., None], 0, 255), inside * rng.uniform(0.7, 1)), inside


def chip(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    turn = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 8)))
    reach = place.size * rng.uniform(0.4, 0.9, len(turn))
    inside = polygon(np.stack([np.sin(turn), np.cos(turn)], 1) * reach[:, None] + np.asarray(place.centre))
    facets = smooth_noise(rng, SIDE / place.size * 1.5) * 16
    shade = relief(blur(inside, 1.2), rng.uniform(0, 6.3)) * rng.uniform(60, 160) * place.strength
    return mix(image, _tone(rng, image, place, 30, 90, 0.4) + facets[..., None], inside) + shade[..., None], inside


def smear(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = blob(rng, place.centre, place.size * 1.1, 0.35)
    inside = soft(field, 0.25)
    streaks = smooth_noise(rng, rng.uniform(40, 110), rng.uniform(8, 30))
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(0, 360), 1)
    streaks = cv2.warpAffine(streaks, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)
    film = mix(
        blur(image, rng.uniform(2, 6)),
        _tone(rng, image, place, 45, 100, 0.3),
        np.full((SIDE, SIDE), rng.uniform(0.3, 0.8), np.float32),
    )
    rim = np.exp(-((field / 0.12) ** 2)) * rng.uniform(0, 45)
    return mix(image, film + 12 * streaks[..., None], inside * 0.9) + rim[..., None], np.maximum(inside, rim > 8)


def foreign(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    size = place.size * 0.8
    if rng.random() < 0.35 and len(place.pictures.things) > 0:
        pixels = np.asarray(place.pictures.things[rng.integers(len(place.pictures.things))])
        side = int(max(8, 2 * size))
        matrix = cv2.getRotationMatrix2D(
            (pixels.shape[1] / 2, pixels.shape[0] / 2), rng.uniform(0, 360), side / pixels.shape[0]
        )
        matrix[:, 2] += np.array([place.centre[1], place.centre[0]]) - pixels.shape[0] / 2
        put = cv2.warpAffine(
            cv2.GaussianBlur(pixels, (0, 0), pixels.shape[0] / side * 0.4), matrix, (SIDE, SIDE)
        ).astype(np.float32)
        cover, body = put[..., 3] / 255, put[..., :3]
    else:
        field = blob(rng, place.centre, size, rng.uniform(0, 0.3))
        cover = soft(field, 3 / max(size, 3))
        body = _tone(rng, image, place, 55, 130) if rng.random() < 0.5 else colour(rng, 0.9)
        body = np.clip(body + (relief(np.sqrt(np.clip(field, 0, 1)), 0.8) * size * 12)[..., None], 0, 255)
    shadow = blur(np.roll(cover, (3, 3), (0, 1)), 2)
    image = image * (1 - rng.uniform(0.2, 0.6) * shadow * (1 - cover))[..., None]
    return mix(image, body, cover), np.maximum(cover, shadow > 0.6)


def bubble(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    shade = np.zeros((SIDE, SIDE), np.float32)
    inside = np.zeros((SIDE, SIDE), np.float32)
    light = rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(1, 6)):
        centre = tuple(np.asarray(place.centre) + rng.normal(0, place.size * 0.4, 2))
        radius = max(3.0, place.size * rng.uniform(0.2, 0.6))
        rows, columns = coordinates()
        dome = np.sqrt(np.clip(1 - ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2) / radius**2, 0, 1))
        shade += relief(dome, light) * radius * rng.uniform(20, 42) * place.strength
        inside = np.maximum(inside, disc(centre, radius))
        shine = (centre[0] - radius * 0.4 * np.sin(light), centre[1] - radius * 0.4 * np.cos(light))
        shade += blur(disc(shine, radius * 0.18), 0.7) * rng.uniform(0, 110)
    return image + np.clip(shade, -90, 110)[..., None], inside


def wrinkle(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    ridge = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(rng.integers(1, 5)):
        start = tuple(np.asarray(place.centre) + rng.normal(0, place.size * 0.35, 2))
        ridge = stroke(walk(rng, start, place.size * rng.uniform(1, 2.2), 0.06, 5), rng.uniform(2, 6), ridge)
    height = blur(ridge, rng.uniform(1.5, 3.5))
    shade = relief(height, rng.uniform(0, 2 * np.pi))
    shade = shade / (np.abs(shade).max() + 1e-6) * rng.uniform(40, 90) * place.strength
    return warp(image, 5 * height, 5 * height) + shade[..., None], (height > 0.06).astype(np.float32)


def tear(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    points = walk(rng, place.centre, place.size * rng.uniform(1.2, 2.2), 0.12, 5)
    middle = np.linspace(-1, 1, len(points))
    heading = points[-1] - points[0]
    normal = np.array([-heading[1], heading[0]]) / (np.linalg.norm(heading) + 1e-6)
    width = (rng.uniform(3, 4 + place.size * 0.3) * (1 - middle**2) + rng.uniform(0, 3, len(points)))[:, None]
    jag = rng.normal(0, 1.6, (2, len(points), 1))
    opening = polygon(
        np.concatenate([points + normal * (width / 2 + jag[0]), (points - normal * (width / 2 + jag[1]))[::-1]])
    )
    fibre = np.clip(blur(opening, 2) * 2.4 - opening, 0, 1) * (1 - opening) * (smooth_noise(rng, 110) > -0.5)
    image = mix(image, _tone(rng, image, place, 50, 110, 0.2), fibre * 0.8)
    inner = place.empty * 0.5 if rng.random() < 0.4 else rng.uniform(5, 45) * np.ones(3, np.float32)
    return mix(image, inner, opening), np.maximum(opening, fibre > 0.3)


def paint(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    inside = soft(blob(rng, place.centre, place.size * 0.85, 0.45), 3 / max(place.size, 4))
    for _ in range(rng.integers(0, 8)):
        drop = tuple(np.asarray(place.centre) + rng.normal(0, place.size * 0.8, 2))
        inside = np.maximum(inside, disc(drop, rng.uniform(1.5, max(2.0, place.size * 0.16))))
    tone = colour(rng, 1.0)
    local = image[(inside > 0.5)].mean(0) if (inside > 0.5).any() else image.mean((0, 1))
    if np.abs(tone - local).max() < 60:
        tone = np.clip(255 - local, 0, 255)
    return mix(image, tone, inside * rng.uniform(0.8, 1)), inside


def worn(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    inside = soft(blob(rng, place.centre, place.size * 1.15, 0.3), 0.5)
    grain = smooth_noise(rng, rng.uniform(110, 220), rng.uniform(4, 30))
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(0, 360), 1)
    grain = cv2.warpAffine(grain, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)
    tone = _tone(rng, image, place, 35, 90, 0.3)
    return mix(image, tone, inside * np.clip(0.45 + 0.45 * grain, 0, 1)), inside


def puncture(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    pits = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(rng.integers(3, 14)):
        spot = tuple(np.asarray(place.centre) + rng.normal(0, place.size * 0.45, 2))
        pits = np.maximum(pits, disc(spot, rng.uniform(1.2, max(2.0, place.size * 0.12))))
    lip = np.clip(blur(pits, 1.3) * 2 - pits, 0, 1)
    image = image + (rng.uniform(10, 45) * place.strength * lip)[..., None]
    return mix(image, rng.uniform(0, 40) * np.ones(3, np.float32), pits), pits


def peeling(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = blob(rng, place.centre, place.size, 0.5)
    inside = soft(field, 2.5 / max(place.size, 4))
    under = _tone(rng, image, place, 45, 110, 0.5) + 7 * cloud(rng, 40)[..., None]
    curl = relief(blur(inside, 1.5), rng.uniform(0, 6.3)) * rng.uniform(90, 220)
    return mix(image, under, inside) + curl[..., None], inside


def tide_mark(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    field = blob(rng, place.centre, place.size, 0.15)
    ring = np.exp(-(((field - 0.12) / rng.uniform(0.06, 0.14)) ** 2))
    inside = soft(field, 0.1)
    return mix(image, _tone(rng, image, place, 45, 110, 0.7), np.clip(0.8 * ring + 0.2 * inside, 0, 1)), np.maximum(
        inside, ring > 0.3
    )


def mould(rng: Generator, image: np.ndarray, place: Place) -> tuple[np.ndarray, np.ndarray]:
    spots = np.zeros((SIDE, SIDE), np.float32)
    for _ in range(rng.integers(3, 10)):
        centre = tuple(np.asarray(place.centre) + rng.normal(0, place.size * 0.45, 2))
        spots = np.maximum(spots, soft(blob(rng, centre, max(4.0, place.size * rng.uniform(0.15, 0.4)), 0.5), 0.8))
    fuzz = np.clip(spots * (0.8 + 0.3 * smooth_noise(rng, 130)), 0, 1)
    tone = np.array([[40, 60, 35], [215, 220, 210], [70, 95, 90]], np.float32)[rng.integers(3)]
    return mix(image, tone, fuzz * 0.85), spots


SEEN: dict[str, Defect] = {
    "scratch": scratch,
    "crack": crack,
    "cut": cut,
    "dent": dent,
    "hole": hole,
    "stain": stain,
    "burn": burn,
    "discolouration": discolouration,
    "broken": broken,
    "bent": bent,
    "thread": thread,
    "misprint": misprint,
    "rust": rust,
    "chip": chip,
    "smear": smear,
    "foreign": foreign,
    "bubble": bubble,
    "wrinkle": wrinkle,
    "tear": tear,
    "paint": paint,
    "worn": worn,
}
UNSEEN: dict[str, Defect] = {"puncture": puncture, "peeling": peeling, "tide mark": tide_mark, "mould": mould}
STRUCTURAL = ("missing", "misplaced")
THIN = frozenset({"scratch", "crack", "cut", "thread"})

KINDS: tuple[str, ...] = (*SEEN, *STRUCTURAL, *UNSEEN)
"""Every kind; a kind's number in a label map is its position here plus one."""
TRAINED_KINDS: tuple[str, ...] = (*SEEN, *STRUCTURAL)

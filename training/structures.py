"""Structured panels and repeats: parts in rows, pins, holes, bricks, boards, fastenings, all where they belong.

A structure may be drawn twice from the same random state, once as it should be and once with an odd one out
(missing, turned, displaced, of another tone): that difference is a defect that no scratch drawn on top could show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from .fields import SIDE, blur, colour, coordinates, disc, mean_colour, mix, polygon, relief
from .sources import Pictures
from .surfaces import photographed, print_marks, surface

Element = Callable[[np.ndarray, tuple[float, float], float, float], np.ndarray]
"""Draws one element on an image at a centre, with a radius and an angle."""

SEEN_LAYOUTS = ("grid", "row", "staggered", "bricks", "tiles", "mesh", "board")
UNSEEN_LAYOUTS = ("honeycomb", "ring")


def corners(centre: tuple[float, float], height: float, width: float, angle: float) -> np.ndarray:
    """Corners of a turned rectangle of the given half sides, (4, 2) rows and columns."""
    box = np.array([[-height, -width], [-height, width], [height, width], [height, -width]])
    cosine, sine = np.cos(angle), np.sin(angle)
    return box @ np.array([[cosine, sine], [-sine, cosine]]) + np.asarray(centre)


def regular_polygon(centre: tuple[float, float], radius: float, sides: int, angle: float) -> np.ndarray:
    """Corners of a regular polygon, (sides, 2)."""
    turn = angle + np.arange(sides) * 2 * np.pi / sides
    return np.stack([np.sin(turn), np.cos(turn)], 1) * radius + np.asarray(centre)


def element(rng: Generator) -> Element:
    """One sort of thing that repeats: hole, stud, pin, slot, nut, rectangle, cross, soldered pad."""
    style = rng.integers(8)
    tone, inner = colour(rng, 0.5), colour(rng, 0.3)
    ratio = rng.uniform(0.35, 0.9)
    light = rng.uniform(0, 2 * np.pi)

    def shaded(image: np.ndarray, cover: np.ndarray, depth: float, ink: np.ndarray) -> np.ndarray:
        image = mix(image, ink, cover)
        return np.clip(image + (relief(blur(cover, 1.2), light) * depth)[..., None], 0, 255)

    def draw(image: np.ndarray, centre: tuple[float, float], radius: float, angle: float) -> np.ndarray:
        if style == 0:
            return shaded(image, disc(centre, radius), -90, tone * 0.35)
        if style == 1:
            image = shaded(image, disc(centre, radius), 160, tone)
            return mix(image, inner, disc(centre, radius * ratio) * 0.6)
        if style == 2:
            return shaded(image, polygon(corners(centre, radius, radius * ratio * 0.5, angle)), 120, tone)
        if style == 3:
            return shaded(image, polygon(regular_polygon(centre, radius, 6, angle)), 140, tone) * (
                1 - 0.8 * disc(centre, radius * ratio * 0.7)[..., None]
            )
        if style == 4:
            image = shaded(image, polygon(corners(centre, radius * ratio, radius, angle)), 110, tone)
            return mix(image, inner, polygon(corners(centre, radius * ratio * 0.5, radius * 0.6, angle)) * 0.7)
        if style == 5:
            image = shaded(image, disc(centre, radius), 150, tone)
            cross = np.maximum(
                polygon(corners(centre, radius * 0.7, radius * 0.14, angle)),
                polygon(corners(centre, radius * 0.14, radius * 0.7, angle)),
            )
            return mix(image, inner * 0.4, cross)
        if style == 6:
            image = shaded(image, disc(centre, radius), 60, np.array([205, 185, 120], np.float32) * ratio + 40)
            return mix(image, 25.0, disc(centre, radius * 0.45))
        return shaded(image, polygon(corners(centre, radius * 0.9, radius * 0.9, angle)), 80, tone)

    return draw


def _oddity(rng: Generator) -> tuple[str, float, float, tuple[float, float]]:
    """How the odd element differs: name of the defect, scale, turn, offset in radii."""
    kind = ["missing", "missing", "misplaced"][rng.integers(3)]
    if kind == "missing":
        return kind, 0.0, 0.0, (0.0, 0.0)
    turn = rng.uniform(0.4, 1.2) * rng.choice([-1, 1])
    side = rng.uniform(0, 2 * np.pi)
    reach = rng.uniform(0.5, 1.0)
    return kind, rng.choice([0.6, 1.0, 1.0, 1.35]), turn, (reach * np.sin(side), reach * np.cos(side))


def positions(rng: Generator, layout: str) -> tuple[list[tuple[float, float]], float]:
    """Centres and radius of a repeat's elements; some lie partly outside the picture."""
    pitch = rng.uniform(26, 84)
    radius = pitch * rng.uniform(0.18, 0.42)
    offset = rng.uniform(0, pitch, 2)
    if layout == "row":
        line = rng.uniform(50, SIDE - 50)
        return [(line, float(c)) for c in np.arange(offset[0], SIDE, pitch)], radius
    if layout == "ring":
        centre, reach, count = rng.uniform(100, 156, 2), rng.uniform(55, 95), int(rng.integers(5, 13))
        ring = regular_polygon((centre[0], centre[1]), reach, count, rng.uniform(0, 6.3))
        return [(float(r), float(c)) for r, c in ring], min(radius, reach * 2 / count)
    skew = 0.5 * pitch if layout in {"staggered", "honeycomb"} else 0.0
    step = pitch * (0.866 if layout == "honeycomb" else rng.uniform(0.8, 1.2))
    rows = np.arange(offset[0] - pitch, SIDE + radius, step)
    return [
        (float(r), float(c) + (index % 2) * skew)
        for index, r in enumerate(rows)
        for c in np.arange(offset[1] - pitch, SIDE + radius, pitch)
    ], radius


def repeat(rng: Generator, base: np.ndarray, layout: str, odd: bool) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Draw a repeat; where ``odd``, also a copy with one element wrong.

    Returns
    -------
    tuple
        The good image, the image to show (the same unless ``odd``), the name of the oddity or None.
    """
    draw = element(rng)
    centres, radius = positions(rng, layout)
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else rng.choice([0.0, np.pi / 2])
    well_inside = [i for i, c in enumerate(centres) if all(radius + 6 < x < SIDE - radius - 6 for x in c)]
    chosen = well_inside[rng.integers(len(well_inside))] if odd and len(well_inside) >= 2 and len(centres) >= 4 else -1
    oddity = _oddity(rng)
    good = shown = base
    for index, centre in enumerate(centres):
        good_next = draw(good, centre, radius, angle)
        if index != chosen:
            shown = good_next if shown is good else draw(shown, centre, radius, angle)
        elif oddity[0] != "missing":
            _, scale, turn, (down, right) = oddity
            shown = draw(good, (centre[0] + down * radius, centre[1] + right * radius), radius * scale, angle + turn)
        good = good_next
    return good, shown, oddity[0] if chosen >= 0 else None


def bricks(rng: Generator, base: np.ndarray, layout: str) -> np.ndarray:
    """Courses of bricks or square tiles with joints, each with a tone of its own."""
    rows, columns = coordinates()
    high = rng.uniform(22, 70)
    wide = high * (rng.uniform(1.6, 3) if layout == "bricks" else rng.choice([1.0, 1.0, 1.5]))
    joint = rng.uniform(1, 4)
    shift_rows, shift_columns = rng.uniform(0, 100, 2)
    course = np.floor((rows + shift_rows) / high)
    along = columns + shift_columns + (course % 2) * (wide / 2 if layout == "bricks" else 0)
    number = np.floor(along / wide)
    tones = rng.uniform(0.85, 1.15, 997).astype(np.float32) ** rng.uniform(0, 2)
    image = base * tones[(course * 31 + number * 7).astype(int) % 997][..., None]
    inside = np.minimum.reduce(
        [(rows + shift_rows) % high, high - (rows + shift_rows) % high, along % wide, wide - along % wide]
    )
    gap = np.clip(joint - inside + 0.5, 0, 1).astype(np.float32)
    image = mix(image, colour(rng, 0.2), gap)
    return np.clip(image + (relief(blur(1 - gap, 1.0), rng.uniform(0, 6.3)) * rng.uniform(0, 60))[..., None], 0, 255)


def mesh(rng: Generator, base: np.ndarray) -> np.ndarray:
    """Wire grid or perforated sheet over a ground."""
    rows, columns = coordinates()
    pitch = rng.uniform(16, 60)
    bar = pitch * rng.uniform(0.12, 0.35)
    turn = rng.choice([0, 0, np.pi / 4]) + rng.normal(0, 0.03)
    a = rows * np.cos(turn) + columns * np.sin(turn)
    b = columns * np.cos(turn) - rows * np.sin(turn)
    distance = np.minimum(np.abs((a % pitch) - pitch / 2), np.abs((b % pitch) - pitch / 2))
    wire = np.clip(bar / 2 - distance + 0.5, 0, 1).astype(np.float32)
    image = mix(base, colour(rng, 0.3), wire)
    return np.clip(image + (relief(blur(wire, 1.2), rng.uniform(0, 6.3)) * rng.uniform(20, 110))[..., None], 0, 255)


@dataclass(frozen=True)
class Component:
    """A part on a circuit board: half sides of its body, its tone, pins along each long side."""

    high: float
    wide: float
    tone: np.ndarray
    pins: int

    def draw(self, on: np.ndarray, at: tuple[float, float], turn: float) -> np.ndarray:
        """The board with the part at a centre, turned."""
        cosine, sine = np.cos(turn), np.sin(turn)
        for side in (-1, 1) if self.pins else ():
            for right in np.linspace(-self.wide * 0.8, self.wide * 0.8, self.pins):
                down = side * (self.high + 4)
                pin = (at[0] + down * cosine - right * sine, at[1] + down * sine + right * cosine)
                on = mix(on, 190.0, polygon(corners(pin, 4, 1.6, turn)))
        body = polygon(corners(at, self.high, self.wide, turn))
        on = mix(on, self.tone, body)
        return np.clip(on + (relief(blur(body, 1.3), 0.8) * 90)[..., None], 0, 255)


def board(rng: Generator, odd: bool) -> tuple[np.ndarray, np.ndarray, str | None]:
    """A circuit board: tracks, pads, chips, pins and print; where ``odd``, one component is missing or crooked."""
    tone = np.array([rng.uniform(10, 60), rng.uniform(50, 120), rng.uniform(20, 90)], np.float32)
    image = np.broadcast_to(tone if rng.random() < 0.7 else colour(rng, 0.6), (SIDE, SIDE, 3)).astype(np.float32)
    track_tone = np.clip(tone * 1.5 + 15, 0, 255)
    for _ in range(rng.integers(6, 22)):
        start = rng.uniform(0, SIDE, 2)
        bend = start + rng.choice([-1, 0, 1], 2) * rng.uniform(20, 140)
        end = bend + np.array([0, rng.choice([-1, 1])]) * rng.uniform(20, 140)
        for a, b in ((start, bend), (bend, end)):
            normal = np.array([b[1] - a[1], a[0] - b[0]]) / (np.linalg.norm(b - a) + 1e-6) * rng.uniform(0.7, 2)
            image = mix(image, track_tone, polygon(np.stack([a + normal, b + normal, b - normal, a - normal])))
    for _ in range(rng.integers(4, 22)):
        spot, size = tuple(rng.uniform(0, SIDE, 2)), rng.uniform(3, 7)
        image = mix(image, np.array([200, 180, 110], np.float32), disc(spot, size))
        image = mix(image, 20.0, disc(spot, size * 0.5))
    if rng.random() < 0.6:
        image = print_marks(rng, image, np.ones((SIDE, SIDE), np.float32))
    good = shown = image
    name = None
    places = rng.permutation(np.argwhere(np.ones((3, 3))))[: rng.integers(2, 7)]
    for index, place in enumerate(places):
        centre = tuple((place + 0.5) * SIDE / 3 + rng.uniform(-14, 14, 2))
        high, wide = rng.uniform(10, 34, 2)
        angle = rng.choice([0.0, np.pi / 2])
        tone = rng.uniform(15, 60) * np.ones(3, np.float32) if rng.random() < 0.7 else colour(rng, 0.6)
        pins = int(rng.integers(0, 8))

        part = Component(high, wide, tone, pins)
        good = part.draw(good, centre, angle)
        if odd and index == 0:
            name = "missing" if rng.random() < 0.5 else "misplaced"
            turn = rng.uniform(0.2, 0.6) * rng.choice([-1, 1])
            if name == "misplaced":
                shifted = (centre[0] + rng.normal(0, 5), centre[1] + rng.normal(0, 5))
                shown = part.draw(shown, shifted, angle + turn)
        else:
            shown = part.draw(shown, centre, angle)
    return good, shown, name


def structured(
    rng: Generator, pictures: Pictures, odd: bool, unseen: bool
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Any structured panel.

    Parameters
    ----------
    rng : Generator
        Source of every choice.
    pictures : Pictures
        Photographs of the split.
    odd : bool
        Try to make one element wrong.
    unseen : bool
        Use the layouts that training never sees.

    Returns
    -------
    tuple
        The good image, the image to show, the name of the oddity or None.
    """
    if rng.random() < 0.4:
        image = photographed(rng, pictures.panels, zoom=(0.5, 1.1))
        return image, image, None
    base = surface(rng, pictures, 0.4)
    if rng.random() < 0.5:
        base = np.clip(mean_colour(base) + (base - mean_colour(base)) * np.float32(rng.uniform(0.1, 0.7)), 0, 255)
    layouts = UNSEEN_LAYOUTS if unseen else SEEN_LAYOUTS
    layout = layouts[rng.integers(len(layouts))]
    if layout == "board":
        return board(rng, odd)
    if layout in {"bricks", "tiles"}:
        image = bricks(rng, base, layout)
        return image, image, None
    if layout == "mesh":
        image = mesh(rng, base)
        return image, image, None
    return repeat(rng, base, layout, odd)

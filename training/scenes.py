"""Whole pictures: a good scene, perhaps spoilt by one or two defects that a person can see, as a camera saw it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from .defects import KINDS, SEEN, THIN, UNSEEN, Place
from .fields import SIDE, blur, grey, largest, mean_colour, mix
from .objects import on_ground
from .sources import Pictures, pictures
from .structures import structured
from .surfaces import benign_lines, lit, print_marks, seams, surface, wavy

DEFECTS = SEEN | UNSEEN


@dataclass(frozen=True)
class Recipe:
    """Which part of the world a scene is drawn from.

    Attributes
    ----------
    held_out : bool
        Use materials, panels, things, shapes and layouts that training never sees.
    new_kinds : bool
        Use defect kinds that training never sees.
    free : bool
        Use photographs in the public domain only.
    bad : float
        Share of pictures with a defect.
    two : float
        Share of bad pictures that get a second defect of another kind.
    thin : float
        Share of defects that are thin ones, beyond those that an even draw of all kinds gives.
    structure : float
        Share of structured panels and repeats, beyond those that an even draw of all scenes gives.
    """

    held_out: bool = False
    new_kinds: bool = False
    free: bool = False
    bad: float = 0.5
    two: float = 0.4
    thin: float = 0.0
    structure: float = 0.0


@dataclass(frozen=True)
class Scene:
    """One generated picture.

    Attributes
    ----------
    image : ndarray
        (SIDE, SIDE, 3) uint8.
    kinds : ndarray
        (SIDE, SIDE) uint8, 0 where good, else 1 + the position of the defect's kind in ``KINDS``.
    family : str
        ``texture``, ``structure`` or ``object``.
    """

    image: np.ndarray
    kinds: np.ndarray
    family: str


@dataclass(frozen=True)
class Camera:
    """How a scene is seen; the same for a scene with and without its defects."""

    blur: float
    gain: float
    offset: float
    cast: np.ndarray
    grey: bool
    noise: float
    quality: int


def camera(rng: Generator) -> Camera:
    """Draw a camera: focus, exposure, contrast, colour cast, sensor noise, JPEG quality."""
    gain = np.exp(rng.uniform(-0.55, 0.15))
    return Camera(
        blur=rng.uniform(0, 1.3) if rng.random() < 0.5 else 0.0,
        gain=gain,
        offset=rng.uniform(0, 1) * 255 * max(0.0, 1 - gain) + rng.normal(0, 10),
        cast=1 + rng.normal(0, 0.05, 3).astype(np.float32),
        grey=rng.random() < 0.25,
        noise=rng.uniform(0, 7) if rng.random() < 0.6 else 0.8,
        quality=int(rng.uniform(45, 96)) if rng.random() < 0.5 else 0,
    )


def expose(lens: Camera, image: np.ndarray) -> np.ndarray:
    """The noise-free picture, 0..255 float32."""
    image = cv2.merge([grey(image)] * 3) if lens.grey else image * lens.cast.astype(np.float32)
    return np.clip(blur(image, lens.blur) * np.float32(lens.gain) + np.float32(lens.offset), 0, 255)


def record(rng: Generator, lens: Camera, exposed: np.ndarray) -> np.ndarray:
    """Add sensor noise and compression; uint8."""
    grain = rng.standard_normal((SIDE, SIDE, 1 if lens.grey or rng.random() < 0.7 else 3), dtype=np.float32)
    image = np.clip(exposed + lens.noise * grain + 0.5, 0, 255).astype(np.uint8)
    if lens.quality:
        packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, lens.quality])[1]
        image = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return image


def visible(
    before: np.ndarray, after: np.ndarray, outline: np.ndarray, noise: float, *, thin: bool = False
) -> np.ndarray | None:
    """The region a person would mark, or None where the change is too faint, too small or too large to be marked.

    The change is what the pictures differ by after a blur of about a pixel. It must stand out of the sensor's noise and
    of the surface's own texture nearby; the region follows the change and is drawn generously around thin lines.
    """
    change = largest(blur(after - before, 1.0))
    support = cv2.dilate((outline > 0.15).astype(np.uint8), np.ones((5, 5), np.uint8))
    if support.sum() < 12:
        return None
    inside = change[support > 0]
    peak = np.percentile(inside, 92)
    near = cv2.dilate(support, np.ones((15, 15), np.uint8)) > 0
    tone = grey(before)
    texture = (tone - cv2.blur(tone, (15, 15)))[near].std()
    if peak < max(22.0, 2.5 * noise, (1.1 if thin else 1.25) * texture):
        return None
    marked = ((change > max(7.0, 0.28 * peak)) & (support > 0)).astype(np.uint8)
    reach = 5 if thin else 9
    marked = cv2.morphologyEx(marked, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    if not thin:
        marked = cv2.morphologyEx(marked, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        contours, _ = cv2.findContours(marked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.drawContours(marked, contours, -1, 1, cv2.FILLED)
    grown = cv2.dilate(marked, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5) if thin else (3, 3)))
    return grown > 0 if 30 <= marked.sum() <= 0.4 * SIDE * SIDE else None


@dataclass(frozen=True)
class Stage:
    """A scene before defects are put on it.

    Attributes
    ----------
    good, shown : ndarray
        (SIDE, SIDE, 3) as it should be, and as it is: they differ where a structure has an odd element.
    oddity : str or None
        The defect kind of that element.
    room : ndarray
        (SIDE, SIDE) where a defect may lie.
    empty : ndarray
        (SIDE, SIDE, 3) what is seen where the part is gone.
    family : str
        ``texture``, ``structure`` or ``object``.
    """

    good: np.ndarray
    shown: np.ndarray
    oddity: str | None
    room: np.ndarray
    empty: np.ndarray
    family: str


def stage(rng: Generator, bank: Pictures, held_out: bool, odd: bool, structure: float = 0.0) -> Stage:
    """Draw a scene of any family, with an odd element where ``odd`` and the structure allows it."""
    everywhere = np.ones((SIDE, SIDE), np.float32)
    draw = rng.random()
    if structure and rng.random() < structure:
        draw = 0.5
    if draw < 0.36:
        image = surface(rng, bank, 1.0 if held_out else 0.6)
        if rng.random() < 0.25:
            image = seams(rng, image)
        if rng.random() < 0.12:
            image = print_marks(rng, image, everywhere)
        if rng.random() < 0.08:
            image = benign_lines(rng, image)
        if rng.random() < 0.15:
            image = wavy(rng, image)
        empty = surface(rng, bank, 0.5) * rng.uniform(0.3, 0.8)
        return Stage(image, image, None, everywhere, empty, "texture")
    if draw < 0.62:
        image, shown, oddity = structured(rng, bank, odd, held_out)
        if oddity is None and rng.random() < 0.15:
            image = shown = print_marks(rng, image, everywhere)
        empty = np.clip(mean_colour(image) * rng.uniform(0.1, 0.5) + np.zeros_like(image), 0, 255)
        return Stage(image, shown, oddity, everywhere, empty, "structure")
    image, room, empty = on_ground(rng, bank, held_out)
    return Stage(image, image, None, room, empty, "object")


def scene(rng: Generator, recipe: Recipe) -> Scene:
    """Draw one scene.

    Parameters
    ----------
    rng : Generator
        Source of every choice: one generator state, one picture.
    recipe : Recipe
        What it is drawn from.

    Returns
    -------
    Scene
        The picture and what is wrong where.
    """
    bank = pictures(recipe.held_out, recipe.free)
    lens = camera(rng)
    bad = rng.random() < recipe.bad
    odd = bad and not recipe.new_kinds and rng.random() < 0.5
    drawn = stage(rng, bank, recipe.held_out, odd, recipe.structure)
    good, shown = drawn.good, drawn.shown
    kinds = np.zeros((SIDE, SIDE), np.uint8)
    if drawn.family != "object":
        state = rng.bit_generator.state
        good = lit(rng, good)
        rng.bit_generator.state = state
        shown = lit(rng, shown) if drawn.oddity else good
    if drawn.oddity:
        region = visible(expose(lens, good), expose(lens, shown), largest(shown - good) / 40, lens.noise)
        if region is None:
            shown = good
        else:
            kinds[region] = 1 + KINDS.index(drawn.oddity)
    wanted = (0 if not bad else 1 + (rng.random() < recipe.two)) - bool(kinds.any())
    palette = UNSEEN if recipe.new_kinds else SEEN
    names = list(palette)
    for _ in range(wanted):
        shown = spoil(rng, shown, kinds, drawn, bank, names, lens, recipe.thin)
    return Scene(record(rng, lens, expose(lens, shown)), kinds, drawn.family)


def spoil(
    rng: Generator,
    image: np.ndarray,
    kinds: np.ndarray,
    on: Stage,
    bank: Pictures,
    names: list[str],
    lens: Camera,
    thin: float = 0.0,
) -> np.ndarray:
    """Put one more visible defect on a picture.

    Parameters
    ----------
    rng : Generator
        Source of every choice.
    image : ndarray
        (SIDE, SIDE, 3), before the camera.
    kinds : ndarray
        (SIDE, SIDE) label map; the new defect is marked in it.
    on : Stage
        Where defects may lie and what is behind the part.
    bank : Pictures
        Photographs of the split.
    names : list of str
        Kinds to choose from; the one chosen is taken out.
    lens : Camera
        How it will be seen.
    thin : float
        How often only thin kinds are chosen from.

    Returns
    -------
    ndarray
        The spoilt picture, or the picture as it was where four attempts gave nothing that a person can see.
    """
    room = on.room
    free = room * (kinds == 0)
    spots = np.argwhere(free[8:-8, 8:-8] > 0.9)
    if len(spots) < 300:
        return image
    near = blur(room, 6)[8:-8, 8:-8]
    edge = np.argwhere((near > 0.35) & (near < 0.75) & (free[8:-8, 8:-8] > 0.5))
    limit = np.clip(blur(room, 1.0) * 1.3, 0, 1)
    before = expose(lens, image)
    for attempt in range(4):
        choice = names
        if thin and rng.random() < thin:
            choice = [name for name in names if name in THIN] or names
        name = choice[rng.integers(len(choice))]
        at_edge = name in {"broken", "chip", "bent"} and len(edge) > 50 and rng.random() < 0.7
        candidates = edge if at_edge else spots
        row, column = candidates[rng.integers(len(candidates))] + 8
        size = float(np.exp(rng.uniform(np.log(9), np.log(75))))
        if name in THIN or name == "wrinkle":
            size = float(np.exp(rng.uniform(np.log(18), np.log(100))))
        place = Place((float(row), float(column)), size, on.empty, bank, 1 + 0.35 * attempt)
        spoilt, outline = DEFECTS[name](rng, image, place)
        if name not in {"thread", "foreign", "bent"}:
            spoilt, outline = mix(image, spoilt, limit), outline * limit
        spoilt = np.clip(spoilt, 0, 255)
        region = visible(before, expose(lens, spoilt), outline, lens.noise, thin=name in THIN)
        if region is not None:
            kinds[region] = 1 + KINDS.index(name)
            names.remove(name)
            return spoilt.astype(np.float32)
    return image

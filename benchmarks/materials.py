"""Materials that the built-in model was never trained on, each seen many times, as a camera over a line sees parts.

A material is one surface, panel, layout or part under one camera and one light. Its pictures show other pieces of the
surface, or the same part put down a little differently, half of them with defects that a person can see. The pictures
an expert judges and those that are kept for measuring share no piece of a photographed surface.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from training.defects import SEEN
from training.fields import SIDE, blur, mean_colour, mix
from training.objects import drawn, ground, placed
from training.scenes import Camera, Stage, camera, expose, record, spoil
from training.sources import Pictures, pictures, work_folder
from training.structures import repeat
from training.surfaces import lit, recoloured, surface

JUDGED, KEPT = 0, 1
"""Which half of a material's pictures: those an expert judges, those that are kept for measuring."""

TWO = 0.4
"""Share of bad pictures that get a second defect."""

Staging = Callable[[Generator, int], Stage]
"""Puts a piece of the material before the camera, for one picture of a half."""


@dataclass(frozen=True)
class Picture:
    """One picture: (SIDE, SIDE, 3) uint8, and (SIDE, SIDE) bool where it is bad."""

    image: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Material:
    """One material; made by `of`."""

    name: str
    seed: int
    _stage: Staging
    _lens: Camera
    _bank: Pictures

    @classmethod
    def of(cls, name: str, seed: int) -> Material:
        """Draw a material of a sort in `MATERIALS`."""
        rng = np.random.default_rng([seed, *name.encode()])
        bank = pictures(held_out=True)
        return cls(name, seed, MATERIALS[name](rng, bank), camera(rng), bank)

    def picture(self, half: int, number: int) -> Picture:
        """Draw a picture: every second one is bad."""
        rng = np.random.default_rng([self.seed, *self.name.encode(), half, number])
        stage = self._stage(rng, half)
        light = np.random.default_rng([self.seed, 1])
        image = lit(light, stage.shown) * (1 + rng.normal(0, 0.03))
        kinds = np.zeros((SIDE, SIDE), np.uint8)
        names = list(SEEN)
        for _ in range(0 if number % 2 else 1 + (rng.random() < TWO)):
            image = spoil(rng, image, kinds, stage, self._bank, names, self._lens)
        return Picture(record(rng, self._lens, expose(self._lens, image)), kinds > 0)


def photographed_surface(category: str) -> Callable[[Generator, Pictures], Staging]:
    """A photographed surface: each picture is another crop of the half of the photograph that it may see."""

    def begin(rng: Generator, bank: Pictures) -> Staging:
        listed = json.loads((work_folder() / "sources.json").read_text())
        held_out = [one for one in listed if one["kind"] == "texture" and one["held_out"]]
        mine = [index for index, one in enumerate(held_out) if one["category"] == category]
        source = recoloured(rng, np.asarray(bank.textures[rng.choice(mine)], np.float32))
        reach = rng.uniform(0.36, 0.48) * source.shape[0]
        return lambda rng, half: _flat(_crop(rng, source, half, reach))

    return begin


def panel(rng: Generator, bank: Pictures) -> Staging:
    """A photographed panel of which every picture shows the same place, a little moved."""
    source = recoloured(rng, np.asarray(bank.panels[rng.integers(len(bank.panels))], np.float32))
    reach = rng.uniform(0.6, 0.85)
    return lambda rng, _: _flat(_moved(rng, source, reach))


def honeycomb(rng: Generator, bank: Pictures) -> Staging:
    """Elements in a layout that training never sees."""
    good, _, _ = repeat(rng, surface(rng, bank, 1.0), "honeycomb", odd=False)
    return lambda rng, _: _flat(_moved(rng, good, 0.87))


def part(rng: Generator, bank: Pictures) -> Staging:
    """A drawn part of a shape that training never sees, put down a little differently each time."""
    thing, empty = drawn(rng, bank, unseen=True), ground(rng, bank)
    scale, angle, depth = rng.uniform(0.8, 1.1), rng.uniform(0, 360), rng.uniform(2, 10)
    dark = rng.uniform(0.1, 0.6)

    def stage(rng: Generator, _: int) -> Stage:
        shift = rng.uniform(-14, 14, 2)
        put = placed(thing, scale * (1 + rng.normal(0, 0.02)), angle + rng.normal(0, 6), (shift[0], shift[1]))
        fall = np.float32([[1, 0, depth], [0, 1, depth]])
        shadow = blur(cv2.warpAffine(put.cover, fall, (SIDE, SIDE)), depth / 2)
        image = mix(empty * (1 - dark * shadow * (1 - put.cover))[..., None], put.image, put.cover)
        return Stage(image, image, None, put.cover, empty, "object")

    return stage


MATERIALS: dict[str, Callable[[Generator, Pictures], Staging]] = {
    "brick": photographed_surface("brick"),
    "marble": photographed_surface("marble"),
    "sand": photographed_surface("sand"),
    "panel": panel,
    "honeycomb": honeycomb,
    "part": part,
}


def _flat(image: np.ndarray) -> Stage:
    everywhere = np.ones((SIDE, SIDE), np.float32)
    empty = np.clip(mean_colour(image) * 0.3 + np.zeros_like(image), 0, 255)
    return Stage(image, image, None, everywhere, empty, "texture")


def _crop(rng: Generator, source: np.ndarray, half: int, reach: float) -> np.ndarray:
    """A square of a side of ``reach`` pixels out of the left or the right half, scaled to SIDE."""
    side = source.shape[0]
    top = rng.uniform(0, side - reach)
    left = rng.uniform(0, side / 2 - reach) + half * side / 2
    scale = SIDE / reach
    matrix = np.float32([[scale, 0, -left * scale], [0, scale, -top * scale]])
    image = cv2.warpAffine(source, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    image = np.rot90(image, int(rng.choice([0, 2])))
    return np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image)


def _moved(rng: Generator, source: np.ndarray, reach: float) -> np.ndarray:
    """The middle of a picture, a share ``reach`` of its side, turned and moved a little, scaled to SIDE."""
    side = source.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.normal(0, 1), SIDE / (reach * side))
    matrix[:, 2] += (SIDE - side) / 2 + rng.uniform(-12, 12, 2)
    return cv2.warpAffine(source, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)

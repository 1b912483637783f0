"""Pictures that the model is evaluated on: freshly drawn scenes, and photographs of good surfaces and things."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from skimage import color, data

from napari_anoclip.engine import PromptSet

from .scenes import Recipe, scene

SIDE = 240
"""Side of the pictures in pixels: what the model takes in."""

SETS = {
    "materials and objects seen": Recipe(),
    "materials and objects never trained on": Recipe(held_out=True),
    "defect kinds never trained on": Recipe(new_kinds=True),
}
SURFACES = ("brick", "grass", "gravel")
THINGS = ("coins", "coffee", "page", "text", "moon")
"""Photographs that ship in scikit-image and show nothing damaged; no training has seen them."""
_WINDOW = 256


@dataclass(frozen=True)
class Pictures:
    """One set: images (N, S, S, 3) uint8, label maps (N, S, S), and the family that each scene is of."""

    images: np.ndarray
    kinds: np.ndarray
    families: list[str]

    @property
    def texture(self) -> list[bool]:
        """Which scenes are spoken of as a surface."""
        return [family == "texture" for family in self.families]

    @classmethod
    def draw(cls, recipe: Recipe, seed: int, count: int) -> Pictures:
        """Draw fresh scenes."""
        drawn = [scene(np.random.default_rng([seed, index]), recipe) for index in range(count)]
        images = np.stack([cv2.resize(s.image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for s in drawn])
        kinds = np.stack([cv2.resize(s.kinds, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) for s in drawn])
        return cls(images, kinds, [s.family for s in drawn])

    @classmethod
    def photographs(cls, names: tuple[str, ...], family: str) -> Pictures:
        """Photographs of good things by their names in ``skimage.data``, whole and in windows that overlap by half."""
        images = [view for name in names for view in _views(getattr(data, name)())]
        return cls(np.stack(images), np.zeros((len(images), SIDE, SIDE), np.uint8), [family] * len(images))


def prompts_of(preset: str | None, texture: bool) -> PromptSet:
    """The paper's prompts for a scene, or a preset by name; the object is not named."""
    if preset is None:
        return PromptSet.paper("surface" if texture else "object", kind="texture" if texture else "object")
    return PromptSet.preset(preset, "object")


def _views(photograph: np.ndarray) -> list[np.ndarray]:
    """The whole photograph, and square windows of it."""
    image = photograph if photograph.ndim == 3 else color.gray2rgb(photograph)
    height, width = image.shape[:2]
    window = min(height, width, _WINDOW)
    corners = [
        (top, left)
        for top in range(0, height - window + 1, window // 2)
        for left in range(0, width - window + 1, window // 2)
    ]
    squares = [image, *(image[top : top + window, left : left + window] for top, left in corners)]
    return [cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for square in squares]

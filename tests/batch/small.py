"""A tiny model, a recipe for it and folders of small pictures: what a run is tested on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from engine import golden
from PIL import Image

from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.engine import AnoCLIP, PromptSet

RECIPE = Recipe(
    prompts=PromptSet.compose(
        object="carpet",
        normal_states=["normal {}"],
        abnormal_states=["damaged {}"],
        frames=["a photo of the {}"],
    ),
    threshold=0.6,
)


def load(cache: Path) -> AnoCLIP:
    """The recorded tiny model."""
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=cache)


def pixels(seed: int, shape: tuple[int, ...] = (40, 52, 3)) -> np.ndarray:
    """Noise with a patch that differs from it."""
    random = np.random.default_rng(seed)
    picture = random.integers(90, 130, shape, dtype=np.uint8)
    top, left = random.integers(0, 20, 2)
    picture[top : top + 14, left : left + 18] = random.integers(0, 255)
    return picture


def write_pictures(folder: Path, count: int, first: int = 0) -> list[Path]:
    """Pictures 0.png, 1.png and so on, all of them different."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.png" for number in range(first, first + count)]
    for number, file in enumerate(files, first):
        Image.fromarray(pixels(number)).save(file)
    return files

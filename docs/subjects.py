"""What the figures of the explanations are drawn of: packaged samples, drawn pictures, and the built-in model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.batch.demo_defects import damaged
from napari_anoclip.batch.demo_materials import MATERIALS
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.calibration import DisplayRange
from napari_anoclip.engine.detection import Detection
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.plugin.sample_data import open_sample

Picture = NDArray[np.uint8]
DEFAULT = AnoCLIPSettings()


@cache
def model() -> AnoCLIP:
    """The built-in model, loaded once."""
    return AnoCLIP.load("builtin")


@dataclass(frozen=True)
class Subject:
    """A picture and what is asked about it."""

    picture: Picture
    prompts: PromptSet

    @classmethod
    def sample(cls, name: str) -> Subject:
        """A packaged sample, asked about with the paper's prompts."""
        picture, about, _ = open_sample(name)[0]
        asked = about["metadata"]["napari_anoclip_sample"]
        return cls(picture, PromptSet.paper(asked["object"], kind=asked["kind"]))

    @classmethod
    def drawn(cls, material: str, defect: str = "", *, side: int = 256, seed: int = 1) -> Subject:
        """A picture drawn by ``anoclip demo-data``'s generator, good without a defect."""
        made, rng = MATERIALS[material], np.random.default_rng(seed)
        scene = made.draw(rng, side)
        pixels = damaged(rng, scene, defect)[0] if defect else scene.pixels()
        return cls(as_picture(pixels), PromptSet.paper(made.object, kind=made.kind))

    def detect(self, settings: AnoCLIPSettings = DEFAULT, **known: Any) -> Detection:
        """Score it; with ``memory`` or ``others`` as for the engine."""
        return model().detect(self.picture, self.prompts, settings, **known)

    def shown(self, settings: AnoCLIPSettings = DEFAULT) -> DisplayRange:
        """The range in which its map is shown."""
        return model().display_range(self.prompts, settings)

    @property
    def aspect(self) -> float:
        """Height to width."""
        return self.picture.shape[0] / self.picture.shape[1]

    @property
    def lattice(self) -> Lattice:
        """Where its patches lie, fitted into the model's square."""
        cells = model()._backbone.image_size // model()._backbone.patch_size
        height, width = self.picture.shape[:2]
        return Lattice(Axis.fit(height, cells), Axis.fit(width, cells))


def as_picture(pixels: NDArray[np.float32]) -> Picture:
    """Colours from 0 to 1 as an 8-bit picture."""
    return np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8)

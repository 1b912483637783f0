"""A model made by hand, for which it is known which prompt raises false alarms, and judged images for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from review.reviewing import image, judgement, square

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.text import TextFeatures, text_features
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.engine.token_field import TokenField
from napari_anoclip.review.exam import Question
from napari_anoclip.review.judgement import Verdict

SIDE, CELL = 12, 8
LATTICE = Lattice(Axis.fit(SIDE * CELL, SIDE), Axis.fit(SIDE * CELL, SIDE))
WIDTH = 24
DEFECT, DUST, NORMAL = torch.eye(WIDTH, dtype=torch.float64)[:3]

PROMPTS = PromptSet.compose(
    object="plate",
    normal_states=["good {}", "clean {}", "plain {}"],
    abnormal_states=["broken {}", "scratched {}", "dusty {}"],
    frames=["a photo of {a} {}", "the {}"],
)
"""Whoever asks for "dusty" finds dust, which is no defect."""


class Planted:
    """What `suggest` needs of an `AnoCLIP`: prompts about dust look like dust, all others like what they say.

    Parameters
    ----------
    dusty : str
        Word that makes a prompt about dust.
    """

    temperature = 0.1

    def __init__(self, *, dusty: str = "dusty") -> None:
        self._dusty = dusty
        self._draw = torch.Generator().manual_seed(5)
        self._known: dict[str, torch.Tensor] = {}
        self.encoded: list[PromptSet] = []

    def encode_prompts(self, prompts: PromptSet, order: str, **options: Any) -> TextFeatures:
        self.encoded.append(prompts)
        return text_features(
            prompts, lambda texts: torch.stack([self._embedding(text) for text in texts]).float(), order
        )

    def tokens(self, source: torch.Tensor, settings: Any = None, **options: Any) -> list[TokenField]:
        return [TokenField(LATTICE, source.float()[None], source.mean(dim=0, keepdim=True).float())]

    def _embedding(self, text: str) -> torch.Tensor:
        if text not in self._known:
            noise = torch.randn(WIDTH, generator=self._draw, dtype=torch.float64)
            bad = any(word in text for word in ("broken", "scratched", "dusty"))
            self._known[text] = (DEFECT if bad else NORMAL) + 6 * DUST * (self._dusty in text) + 0.05 * noise
        return self._known[text]


def question(number: int, *, defect: bool = True, complete: bool = True, key: str = "", seen: bool = True) -> Question:
    """An image with a defect and two specks of dust, each two cells wide; what is not `seen` is in no token."""
    draw = np.random.default_rng(number)
    heat = torch.from_numpy((0.1 if seen else 1) * draw.standard_normal((SIDE, SIDE, WIDTH))) + NORMAL
    judgements = {}
    kinds = [Verdict.DEFECT] * defect + [Verdict.FALSE] * 2
    places = draw.permutation(9)[: len(kinds)]
    for region, (kind, place) in enumerate(zip(kinds, places, strict=True), start=1):
        row, column = 4 * (place // 3), 4 * (place % 3)
        here = DEFECT * draw.uniform(0.8, 1.2) if kind is Verdict.DEFECT else DUST * draw.uniform(1.0, 1.4)
        heat[row : row + 2, column : column + 2] += 2 * here * seen
        judgements[region] = judgement(region, square(row * CELL, column * CELL, 2 * CELL), kind)
    known = image(
        key or f"image {number}", f"plate_{number:02d}.png", (SIDE * CELL, SIDE * CELL), judgements=judgements,
        complete=complete,
    )  # fmt: skip
    return Question(F.normalize(heat, dim=-1).reshape(-1, WIDTH), known)

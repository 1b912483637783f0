"""A model whose images are tokens already and whose words are directions: what it will say is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from review.reviewing import image

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.engine.text import TextFeatures, text_features
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.engine.token_field import TokenField
from napari_anoclip.review.exam import Question
from napari_anoclip.review.judgement import Judgement, Verdict
from napari_anoclip.review.region_mask import RegionMask

PATCH = 8


class HandMade:
    """Stands in for `AnoCLIP` where only tokens, prompts and the temperature are asked for.

    Parameters
    ----------
    embedding : callable, optional
        Gives the embedding (C,) of a prompt.
    temperature : float
        Softmax temperature.
    """

    model_id = "handmade"

    def __init__(self, embedding: Callable[[str], torch.Tensor] | None = None, temperature: float = 0.1) -> None:
        self._embedding = embedding
        self.temperature = temperature
        self.encoded: list[str] = []

    def tokens(self, source: torch.Tensor, settings: AnoCLIPSettings, **_: Any) -> list[TokenField]:
        """An image is its tokens (Gh, Gw, C)."""
        rows, columns = (Axis.fit(PATCH * cells, cells) for cells in source.shape[:2])
        return [TokenField(Lattice(rows, columns), source.flatten(0, 1)[None], source.mean(dim=(0, 1))[None])]

    def encode_prompts(self, prompts: PromptSet, mean_order: str = "embeddings", **_: Any) -> TextFeatures:
        assert self._embedding is not None
        embedding = self._embedding

        def embed(texts: list[str]) -> torch.Tensor:
            self.encoded += texts
            return torch.stack([embedding(text) for text in texts])

        return text_features(prompts, embed, mean_order)


def block(rows: slice, columns: slice) -> RegionMask:
    """All pixels of some cells."""
    height, width = ((one.stop - one.start) * PATCH for one in (rows, columns))
    return RegionMask.of(np.ones((height, width), bool), (rows.start * PATCH, columns.start * PATCH))


def asked(
    tokens: torch.Tensor, name: str, judged: Iterable[tuple[int, RegionMask, Verdict]] = (), complete: bool = True
) -> Question:
    """A judged image: numbers, places and verdicts of its regions."""
    judgements = {number: Judgement(id=number, mask=mask, verdict=verdict) for number, mask, verdict in judged}
    height, width = (PATCH * cells for cells in tokens.shape[:2])
    return Question(tokens, image(name, name, shape=(height, width), complete=complete, judgements=judgements))

"""Tokens against text: probabilities on the patch grid, the image score, and what each prompt contributes.

Source of all formulae: arXiv 2308.15939 and the method page, section on scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_anoclip.engine.settings import ImageScore
from napari_anoclip.engine.text import TextFeatures
from napari_anoclip.engine.tiling import Box

FloatArray = NDArray[np.float32]


def cosines(tokens: Tensor, sides: Tensor) -> Tensor:
    """Cosine of every token with the two side features.

    Parameters
    ----------
    tokens : Tensor
        (..., C), not necessarily normalised.
    sides : Tensor
        (2, C) unit, normal first.

    Returns
    -------
    Tensor
        (..., 2).
    """
    # Dividing (..., 2) products instead of (..., C) tokens: adaptation does this, and its gradient, at every step.
    lengths: Tensor = tokens.norm(dim=-1, keepdim=True)
    return tokens @ sides.T / lengths.clamp_min(1e-12)


def abnormal_probability(cosines: Tensor, temperature: float, lowering: Tensor | None = None) -> Tensor:
    """Softmax over normal and abnormal of cosine / temperature; its abnormal part.

    Parameters
    ----------
    cosines : Tensor
        (..., 2), normal first.
    temperature : float
        Softmax temperature τ.
    lowering : Tensor, optional
        (...) to be taken off the difference of the cosines, as `ReferenceMemory.lowering` gives it.

    Returns
    -------
    Tensor
        (...), probability.
    """
    difference = cosines[..., 1] - cosines[..., 0]
    return torch.sigmoid((difference if lowering is None else difference - lowering) / temperature)


def smooth(grid: FloatArray) -> FloatArray:
    """3 × 3 mean of a grid, its border replicated by one.

    Parameters
    ----------
    grid : ndarray
        (Gh, Gw).

    Returns
    -------
    ndarray
        (Gh, Gw).
    """
    padded = F.pad(torch.from_numpy(grid)[None, None], (1, 1, 1, 1), mode="replicate")
    pooled: FloatArray = F.avg_pool2d(padded, kernel_size=3, stride=1)[0, 0].numpy()
    return pooled


def image_score(class_probability: float, hottest_patch: float, method: ImageScore) -> float:
    """One number for the image.

    Parameters
    ----------
    class_probability : float
        Abnormal probability of the class token.
    hottest_patch : float
        Maximum of the (smoothed) patch grid.
    method : {"class_token", "map_max", "both"}
        Which of them, or their mean.

    Returns
    -------
    float
        Probability.
    """
    if method == "class_token":
        return class_probability
    if method == "map_max":
        return hottest_patch
    return (class_probability + hottest_patch) / 2


@dataclass(frozen=True)
class Explanation:
    """Why one patch is hot.

    Attributes
    ----------
    patch : tuple of int
        (row, column) on the lattice of the result's grid.
    box : tuple of float
        (top, left, bottom, right) of the patch, in pixels of the image.
    logit : float
        (cos_abnormal - cos_normal) / τ of this patch before smoothing.
    probability : float
        Abnormal probability of this patch before smoothing: the sigmoid of ``logit + raised - lowered``.
    prompts : tuple of str
        All prompts, normal side first.
    similarities : ndarray
        (2K,) cosine of the patch with each prompt.
    shares : ndarray
        (2K,) each prompt's part of the logit, negative on the normal side; they sum to `logit`.
    lowered : float
        What normal references took off the logit.
    reference : str
        Where the normal reference most like the patch comes from; empty where it was lowered by less than `TOLD`.
    raised : float
        What the other images of the batch added to the logit.
    """

    patch: tuple[int, int]
    box: Box
    logit: float
    probability: float
    prompts: tuple[str, ...]
    similarities: FloatArray
    shares: FloatArray
    lowered: float
    reference: str
    raised: float

    @property
    def before(self) -> float:
        """Abnormal probability of this patch without references."""
        return _sigmoid(self.logit + self.raised)


TOLD = 0.05
"""Logits from which on it is told which reference lowered a patch: less is not seen on a map."""


def explain_token(
    token: Tensor,
    text: TextFeatures,
    temperature: float,
    patch: tuple[int, int],
    box: Box,
    *,
    lowering: float = 0.0,
    reference: str = "",
    raising: float = 0.0,
) -> Explanation:
    """Split a patch's logit among the prompts.

    A side feature is a weighted sum of its prompts' unit embeddings, so that its cosine with a token is the same
    weighted sum of the prompts' cosines: the split is exact.

    Parameters
    ----------
    token : Tensor
        (C,) projected patch token, adapted or not.
    text : TextFeatures
        Features of the prompts.
    temperature : float
        Softmax temperature τ of the map.
    patch, box
        Where the token sits, for the record.
    lowering : float
        What normal references take off the difference of the cosines.
    reference : str
        Where the nearest of them comes from.
    raising : float
        What other images add to the difference of the cosines.

    Returns
    -------
    Explanation
    """
    similarities = text.bank @ F.normalize(token, dim=-1)
    normal_count = text.counts[0]
    signs = torch.ones_like(similarities)
    signs[:normal_count] = -1
    shares = signs * text.weights * similarities / temperature
    logit = float(shares.double().sum())
    return Explanation(
        patch=patch,
        box=box,
        logit=logit,
        probability=_sigmoid(logit + (raising - lowering) / temperature),
        prompts=text.prompts,
        similarities=similarities.float().cpu().numpy(),
        shares=shares.float().cpu().numpy(),
        lowered=lowering / temperature,
        reference=reference if lowering / temperature >= TOLD else "",
        raised=raising / temperature,
    )


def _sigmoid(logit: float) -> float:
    return float(torch.sigmoid(torch.tensor(logit)))

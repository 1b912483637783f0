"""Which prompts make a region hot: what its mean probability would be without each prompt, state, frame or domain.

Exact, and without encoding anything: a side without some of its prompts is the unit sum of the others, see `tuning`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.review.tuning import NAMES, BoolArray, Makings, Place, side_features, split

if TYPE_CHECKING:
    from torch import Tensor

    from napari_anoclip.engine.text import TextFeatures

_TOKENS_AT_ONCE = 1024


@dataclass(frozen=True)
class Effect:
    """What leaving something out would change.

    Attributes
    ----------
    text : str
        The prompt, or the words of the entry.
    kind : str
        "prompt", or what the entry is called: "abnormal state", "frame", ...
    place : Place or None
        Where the entry stands in the prompt set; None of a single prompt.
    prompts : int
        How many prompts are left out with it.
    probability : float
        Mean probability without it minus mean probability with it: below 0 if it makes the region hot.
    logit : float
        The same of the mean logit.
    """

    text: str
    kind: str
    place: Place | None
    prompts: int
    probability: float
    logit: float

    def left_out(self, prompts: PromptSet) -> PromptSet:
        """Switch it off in a prompt set, the one that was asked about."""
        if self.place is None:
            return prompts.with_prompt(self.text, False)
        entries = list(getattr(prompts, self.place.field))
        entries[self.place.row] = entries[self.place.row].model_copy(update={"on": False})
        return prompts.with_entries(self.place.field, entries)


@dataclass(frozen=True)
class Blame:
    """What every prompt and every entry does to a region.

    Attributes
    ----------
    probability, logit : float
        Means of the region with all prompts.
    prompts : tuple of Effect
        Of each different prompt, the one that makes the region hottest first.
    entries : tuple of Effect
        Of each entry that is on, in the same order. What a side cannot do without is left out of both.
    """

    probability: float
    logit: float
    prompts: tuple[Effect, ...]
    entries: tuple[Effect, ...]


def blame(
    tokens: Tensor, text: TextFeatures, prompts: PromptSet, temperature: float, weights: Tensor | None = None
) -> Blame:
    """Leave out each prompt and each entry in turn.

    The logit of a token t is (cos(t, a) - cos(t, n)) / τ, with the unit features n and a of the sides. Without the
    prompts J, a side's feature is normalise(Σ_{i ∉ J} weights_i · bank_i).

    Parameters
    ----------
    tokens : Tensor
        (n, C) unit tokens, such as `patches.region_tokens` gives: of a region, or of several.
    text : TextFeatures
        Features of the prompts.
    prompts : PromptSet
        The prompts themselves.
    temperature : float
        Softmax temperature τ of the map.
    weights : Tensor, optional
        (n,) share of each token in the means; equal ones otherwise.

    Returns
    -------
    Blame

    Raises
    ------
    ValueError
        If the features are not those of the prompts, or there is no token.
    """
    import torch

    makings = Makings.of(prompts)
    if makings.prompts != text.prompts:
        raise ValueError("the features belong to other prompts")
    if not len(tokens):
        raise ValueError("there is no token")
    different = list(dict.fromkeys(makings.prompts))
    number = {prompt: index for index, prompt in enumerate(different)}
    alike = np.zeros((len(different), len(makings.prompts)), bool)
    alike[[number[prompt] for prompt in makings.prompts], np.arange(len(makings.prompts))] = True
    nothing = np.zeros((1, len(makings.prompts)), bool)
    left_out = np.concatenate([nothing, alike, makings.members])

    named: list[tuple[str, str, Place | None]] = [(prompt, "prompt", None) for prompt in different]
    named += [(place.entry(prompts).text, NAMES[place.field], place) for place in makings.places]
    count = makings.normal_count
    possible = np.flatnonzero(~left_out[:, :count].all(axis=1) & ~left_out[:, count:].all(axis=1))
    with torch.inference_mode():
        probability, logit = _means(tokens, text, ~left_out[possible], temperature, weights)
    effects = []
    for row, p, x in zip(possible[1:], probability[1:], logit[1:], strict=True):
        words, kind, place = named[row - 1]
        gone = int(left_out[row].sum())
        if gone:  # a domain that no frame names makes no prompt
            effects.append(Effect(words, kind, place, gone, p - float(probability[0]), x - float(logit[0])))
    effects.sort(key=lambda effect: (effect.probability, effect.logit))
    return Blame(
        float(probability[0]),
        float(logit[0]),
        tuple(effect for effect in effects if effect.place is None),
        tuple(effect for effect in effects if effect.place is not None),
    )


def _means(
    tokens: Tensor, text: TextFeatures, kept: BoolArray, temperature: float, weights: Tensor | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probability and mean logit (m,) of tokens for m choices (m, 2K) of prompts."""
    import torch

    share = torch.ones(len(tokens)) if weights is None else weights
    share = (share / share.sum()).to(tokens.device, torch.float64)
    normal, abnormal = (
        side_features(chosen, bank.double(), weight.double())
        for chosen, (bank, weight) in zip(np.split(kept, [text.counts[0]], axis=1), split(text), strict=True)
    )
    probability = torch.zeros(len(kept), dtype=torch.float64, device=tokens.device)
    logit = torch.zeros_like(probability)
    for part, mass in zip(tokens.split(_TOKENS_AT_ONCE), share.split(_TOKENS_AT_ONCE), strict=True):
        good, bad = ((part.double() @ sides.T)[:, which] for sides, which in (normal, abnormal))
        logits = (bad - good) / temperature
        logit += mass @ logits
        probability += mass @ torch.sigmoid(logits)
    return probability.cpu().numpy(), logit.cpu().numpy()

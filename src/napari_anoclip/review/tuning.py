"""What a prompt set is made of: which entries each finished prompt comes from, and the sides without some prompts.

A side's feature is the unit mean of its prompts' embeddings. Only its direction counts, so that the feature of any
part of the prompts is the unit sum of ``weights * bank`` over that part: nothing has to be encoded again. This holds
for both orders of the mean. Source: arXiv 2308.15939 and the method page, section on contrastive state prompts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.engine.prompts import DOMAIN, Entry, PromptSet, Side

if TYPE_CHECKING:
    from torch import Tensor

    from napari_anoclip.engine.text import TextFeatures

BoolArray = NDArray[np.bool_]

NAMES = {
    "normal_states": "normal state",
    "abnormal_states": "abnormal state",
    "frames": "frame",
    "domains": "domain",
    "normal_prompts": "normal prompt",
    "abnormal_prompts": "abnormal prompt",
}
"""What an entry is called, by the list it is in."""


@dataclass(frozen=True)
class Place:
    """Where an entry stands in a prompt set.

    Attributes
    ----------
    field : str
        The list, a key of `engine.prompts.PLACEHOLDERS`.
    row : int
        Its place in the list.
    """

    field: str
    row: int

    def entry(self, prompts: PromptSet) -> Entry:
        """The entry itself."""
        entries: tuple[Entry, ...] = getattr(prompts, self.field)
        return entries[self.row]


@dataclass(frozen=True)
class Makings:
    """Which entries the prompts of a set are made from.

    Attributes
    ----------
    places : tuple of Place
        The entries that are on.
    prompts : tuple of str
        The prompts that are on, normal side first, as `TextFeatures` has them.
    normal_count : int
        How many of them are on the normal side.
    members : ndarray
        (entries, prompts) bool, whether a prompt is made from an entry.
    """

    places: tuple[Place, ...]
    prompts: tuple[str, ...]
    normal_count: int
    members: BoolArray

    @classmethod
    def of(cls, prompts: PromptSet) -> Makings:
        """Take a prompt set apart."""
        found = {side: list(_made(prompts, side)) for side in get_args(Side)}
        made = [*found["normal"], *found["abnormal"]]
        places = tuple(
            Place(field, row) for field in NAMES for row, entry in enumerate(getattr(prompts, field)) if entry.on
        )
        number = {place: index for index, place in enumerate(places)}
        members = np.zeros((len(places), len(made)), bool)
        for column, (_, parts) in enumerate(made):
            members[[number[part] for part in parts], column] = True
        return cls(places, tuple(prompt for prompt, _ in made), len(found["normal"]), members)

    def kept(self, on: BoolArray) -> BoolArray:
        """Which prompts (..., prompts) are left when only these entries (..., entries) are on."""
        off: NDArray[np.float32] = (~on).astype(np.float32)
        left: BoolArray = off @ self.members.astype(np.float32) == 0
        return left


def ticked(prompts: PromptSet, ticks: Iterable[tuple[Place, bool]]) -> PromptSet:
    """Switch entries on or off, all others left as they are."""
    wanted = dict(ticks)
    fields = {
        field: tuple(
            entry.model_copy(update={"on": wanted.get(Place(field, row), entry.on)})
            for row, entry in enumerate(getattr(prompts, field))
        )
        for field in NAMES
    }
    return PromptSet.model_validate({**dict(prompts), **fields})


def side_features(kept: BoolArray, bank: Tensor, weights: Tensor) -> tuple[Tensor, NDArray[np.intp]]:
    """Features of one side for several choices of its prompts, equal choices worked out once.

    Parameters
    ----------
    kept : ndarray
        (m, K) bool, which prompts are chosen; at least one each.
    bank : Tensor
        (K, C) unit embeddings of the side's prompts.
    weights : Tensor
        (K,) share of each in the side.

    Returns
    -------
    features : Tensor
        (u, C) unit, of the different choices.
    which : ndarray
        (m,) number of each choice's feature.
    """
    import torch
    import torch.nn.functional as F

    packed, which = np.unique(np.packbits(kept, axis=1), axis=0, return_inverse=True)
    different = torch.from_numpy(np.unpackbits(packed, axis=1, count=kept.shape[1])).to(weights)
    return F.normalize((different * weights) @ bank, dim=-1), which.reshape(-1)


def split(text: TextFeatures) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Bank (K, C) and weights (K,) of the normal side, and of the abnormal side."""
    (normal, abnormal), (light, heavy) = text.bank.split(text.counts), text.weights.split(text.counts)
    return (normal, light), (abnormal, heavy)


def _made(prompts: PromptSet, side: Side) -> Iterator[tuple[str, list[Place]]]:
    """Prompts of a side that are on, in their order, each with the entries that it is made from."""
    states = _on(prompts, f"{side}_states")
    parts = [[*template, state] for template in _templates(prompts) for state in states]
    parts += [[whole] for whole in _on(prompts, f"{side}_prompts")]
    for prompt, made_from in zip(prompts.composed(side), parts, strict=True):
        if prompt not in prompts.disabled:
            yield prompt, made_from


def _templates(prompts: PromptSet) -> Iterator[list[Place]]:
    """Frames with their domain; those that name no domain come with the first one only, and do not need it."""
    frames = _on(prompts, "frames")
    domains = _on(prompts, "domains")
    for index in range(max(1, len(domains))):
        for frame in frames:
            if DOMAIN not in frame.entry(prompts).text:
                if index == 0:
                    yield [frame]
            elif domains:
                yield [frame, domains[index]]


def _on(prompts: PromptSet, field: str) -> list[Place]:
    return [Place(field, row) for row, entry in enumerate(getattr(prompts, field)) if entry.on]

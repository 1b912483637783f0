"""Which entries each prompt is made from, whatever is switched off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.text import text_features
from napari_anoclip.review.tuning import Makings, Place, side_features, split, ticked

MIXED = PromptSet.compose(
    object="nut",
    normal_states=["good {}", "clean {}"],
    abnormal_states=["bad {}", "broken {}", "rusty {}"],
    frames=["{a} {domain} of the {}", "the {}", "a dark {domain} of {a} {}"],
    domains=["photo", "image"],
    normal_prompts=["a fine {}"],
    abnormal_prompts=["a {} to throw away", "scrap"],
)
CHOICES = {
    "all": MIXED,
    "first domain off": ticked(MIXED, [(Place("domains", 0), False)]),
    "no domain": ticked(MIXED, [(Place("domains", 0), False), (Place("domains", 1), False)]),
    "a frame and a state off": ticked(MIXED, [(Place("frames", 0), False), (Place("abnormal_states", 1), False)]),
    "single prompts off": MIXED.with_prompts(["the bad nut", "scrap", "a photo of the good nut"], False),
    **{name: PromptSet.preset(name) for name in ("paper-object", "electronics")},
}


@pytest.mark.parametrize("prompts", CHOICES.values(), ids=CHOICES)
def test_every_prompt_is_listed_in_the_order_of_the_features(prompts: PromptSet) -> None:
    makings = Makings.of(prompts)
    assert makings.prompts == (*prompts.normal, *prompts.abnormal)
    assert makings.normal_count == len(prompts.normal)


@pytest.mark.parametrize("prompts", CHOICES.values(), ids=CHOICES)
def test_switching_an_entry_off_leaves_exactly_the_prompts_not_made_from_it(prompts: PromptSet) -> None:
    makings = Makings.of(prompts)
    for row, place in enumerate(makings.places):
        left = ticked(prompts, [(place, False)])
        on = np.arange(len(makings.places)) != row
        kept = [prompt for prompt, stays in zip(makings.prompts, makings.kept(on), strict=True) if stays]
        assert sorted(kept) == sorted([*left.normal, *left.abnormal]), place


def test_what_was_off_can_be_switched_on_and_nothing_else_changes() -> None:
    off = ticked(MIXED, [(Place("frames", 1), False)])
    assert off.frames[1].on is False
    assert ticked(off, [(Place("frames", 1), True)]) == MIXED


@pytest.mark.parametrize("order", ["embeddings", "unit"])
def test_features_of_a_part_are_those_of_the_prompts_encoded_alone(order: str) -> None:
    generator = torch.Generator().manual_seed(2)
    known: dict[str, torch.Tensor] = {}

    def embeddings(texts: list[str]) -> torch.Tensor:
        for text in texts:
            known.setdefault(text, 3 * torch.randn(16, generator=generator, dtype=torch.float64))
        return torch.stack([known[text] for text in texts])

    text = text_features(MIXED, embeddings, order)
    makings = Makings.of(MIXED)
    on = np.random.default_rng(0).random((20, len(makings.places))) < 0.8
    kept = makings.kept(on)
    count = makings.normal_count
    usable = kept[:, :count].any(1) & kept[:, count:].any(1)
    assert usable.sum() > 5
    for choice, whether in zip(on[usable], kept[usable], strict=True):
        alone = ticked(MIXED, zip(makings.places, choice.tolist(), strict=True))
        expected = text_features(alone, embeddings, order).sides
        for side, part, (bank, weights) in zip(expected, np.split(whether, [count]), split(text), strict=True):
            features, _ = side_features(part[None], bank, weights)
            assert torch.allclose(features[0], F.normalize(side, dim=-1), atol=1e-12)


def test_equal_choices_are_worked_out_once() -> None:
    bank = F.normalize(torch.randn(3, 8), dim=-1)
    kept = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 0]], bool)
    features, which = side_features(kept, bank, torch.ones(3))
    assert len(features) == 2
    assert which[0] == which[2] != which[1]

"""Blame says exactly what leaving something out does: it is compared with leaving it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from engine import golden
from review.reviewing import square
from review.test_tuning import CHOICES, MIXED

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.text import TextFeatures, text_features
from napari_anoclip.review.blame import Blame, blame
from napari_anoclip.review.patches import region_tokens


class Words:
    """A text tower made of random numbers: each new prompt gets an embedding, lengths differ as CLIP's do."""

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(7)
        self._known: dict[str, torch.Tensor] = {}

    def __call__(self, texts: list[str]) -> torch.Tensor:
        for text in texts:
            self._known.setdefault(text, self._draw())
        return torch.stack([self._known[text] for text in texts])

    def _draw(self) -> torch.Tensor:
        length = 5 + 5 * torch.rand(1, generator=self._generator, dtype=torch.float64)
        return length * (1 + torch.randn(32, generator=self._generator, dtype=torch.float64))

    def features(self, prompts: PromptSet, order: str = "embeddings") -> TextFeatures:
        return text_features(prompts, self, order)


@pytest.fixture(scope="module")
def words() -> Words:
    return Words()


@pytest.fixture
def tokens() -> torch.Tensor:
    drawn = torch.randn(11, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return F.normalize(drawn, dim=-1)


def means(tokens: torch.Tensor, text: TextFeatures, temperature: float, weights: torch.Tensor) -> tuple[float, float]:
    logits = tokens @ (text.sides[1] - text.sides[0]) / temperature
    return float((weights * torch.sigmoid(logits)).sum()), float((weights * logits).sum())


@pytest.mark.parametrize("order", ["embeddings", "unit"])
@pytest.mark.parametrize("temperature", [1.0, 0.05])
@pytest.mark.parametrize("name", ["all", "single prompts off", "no domain", "paper-object"])
def test_effects_are_those_of_switching_off_and_encoding_anew(
    words: Words, tokens: torch.Tensor, order: str, temperature: float, name: str
) -> None:
    prompts = CHOICES[name]
    shares = torch.rand(len(tokens), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = blame(tokens, words.features(prompts, order), prompts, temperature, shares)
    shares = shares / shares.sum()
    with_all = means(tokens, words.features(prompts, order), temperature, shares)
    assert (found.probability, found.logit) == pytest.approx(with_all, abs=1e-12)
    effects = [*found.entries, *found.prompts[:: max(1, len(found.prompts) // 20)]]
    for effect in effects:
        without = means(tokens, words.features(effect.left_out(prompts), order), temperature, shares)
        assert effect.probability == pytest.approx(without[0] - with_all[0], abs=1e-6)
        assert effect.logit == pytest.approx(without[1] - with_all[1], abs=1e-6)


def ask(words: Words, tokens: torch.Tensor, prompts: PromptSet) -> Blame:
    return blame(tokens, words.features(prompts), prompts, 1.0)


def test_every_prompt_and_entry_has_its_effect_and_the_guiltiest_comes_first(
    words: Words, tokens: torch.Tensor
) -> None:
    found = ask(words, tokens, MIXED)
    assert {effect.text for effect in found.prompts} == {*MIXED.normal, *MIXED.abnormal}
    assert len(found.entries) == 2 + 3 + 3 + 2 + 1 + 2
    for effects in (found.prompts, found.entries):
        changes = [effect.probability for effect in effects]
        assert changes == sorted(changes)
    assert found.entries[0].probability < 0 < found.entries[-1].probability


def test_one_click_switches_off_what_is_blamed(words: Words, tokens: torch.Tensor) -> None:
    found = ask(words, tokens, MIXED)
    guilty = found.entries[0]
    assert guilty.place.entry(guilty.left_out(MIXED)).on is False
    single = found.prompts[0]
    assert single.text in single.left_out(MIXED).disabled


def test_a_prompt_that_stands_twice_goes_as_one(words: Words, tokens: torch.Tensor) -> None:
    twice = MIXED.with_entries("abnormal_prompts", ["scrap", "scrap", "junk"])
    found = next(effect for effect in ask(words, tokens, twice).prompts if effect.text == "scrap")
    assert found.prompts == 2


def test_what_a_side_cannot_do_without_is_not_offered(words: Words, tokens: torch.Tensor) -> None:
    lone = PromptSet.compose(object="nut", normal_states=["good {}"], abnormal_states=["bad {}", "broken {}"])
    found = ask(words, tokens, lone)
    assert {effect.text for effect in found.entries} == {"bad {}", "broken {}"}
    assert {effect.text for effect in found.prompts} == {"bad nut", "broken nut"}


def test_features_of_other_prompts_are_refused(words: Words, tokens: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="other prompts"):
        blame(tokens, words.features(MIXED), MIXED.with_object("bolt"), 1.0)


def test_many_tokens_take_a_moment_only(words: Words) -> None:
    prompts = CHOICES["paper-object"]
    many = F.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(1500, 32))), dim=-1)
    whole = blame(many, words.features(prompts), prompts, 0.1)
    halves = [blame(part, words.features(prompts), prompts, 0.1) for part in many.split(750)]
    assert whole.probability == pytest.approx(np.mean([half.probability for half in halves]), abs=1e-12)


@pytest.mark.parametrize("mode", ["fit", "both"])
def test_effects_are_those_on_the_mean_of_a_new_map_over_the_regions(mode: str, tmp_path: Path) -> None:
    model = AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)
    picture = np.random.default_rng(3).integers(0, 255, (70, 101, 3), dtype=np.uint8)
    settings = AnoCLIPSettings.model_validate({"tiling": {"mode": mode}, "scoring": {"temperature": 1}})
    masks = [square(20, 30, 14), square(50, 80, 9)]

    def mean(prompts: PromptSet) -> float:
        found = model.detect(picture, prompts, settings).map
        return float(np.concatenate([mask.of_map(found) for mask in masks]).mean(dtype=np.float64))

    behind = region_tokens(model.tokens(picture, settings), masks, settings)
    found = blame(behind.tokens, model.encode_prompts(MIXED), MIXED, 1.0, behind.weights)
    with_all = mean(MIXED)
    assert found.probability == pytest.approx(with_all, abs=1e-6)
    assert len(found.prompts) > 20
    for effect in (*found.entries, *found.prompts):
        assert effect.probability == pytest.approx(mean(effect.left_out(MIXED)) - with_all, abs=1e-6), effect.text


def test_a_lone_region_without_tokens_is_refused(words: Words, tokens: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="no token"):
        blame(tokens[:0], words.features(MIXED), MIXED, 1.0)


def test_what_leads_to_no_prompt_has_no_effect_to_be_listed(words: Words, tokens: torch.Tensor) -> None:
    idle = PromptSet.compose(
        object="nut", normal_states=["good {}", "clean {}"], abnormal_states=["bad {}", "broken {}"], frames=["a {}"],
        domains=["photo"],
    )  # fmt: skip
    assert "photo" not in {effect.text for effect in ask(words, tokens, idle).entries}

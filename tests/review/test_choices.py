"""Grids under many choices at once are those that the engine makes of each choice alone."""

from __future__ import annotations

import numpy as np
import pytest
from engine import golden
from review.planted import PROMPTS as PLATES
from review.planted import Planted, question
from review.reviewing import image, judgement, square

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review import choices
from napari_anoclip.review.choices import Bank, Choice, Grids
from napari_anoclip.review.exam import Question
from napari_anoclip.review.tuning import Makings, ticked

PROMPTS = PromptSet.compose(
    object="nut",
    normal_states=["good {}", "clean {}"],
    abnormal_states=["bad {}", "broken {}"],
    frames=["the {}", "a {domain} of {a} {}"],
    domains=["photo", "image"],
)
SHAPES = [(70, 101), (48, 48), (60, 40)]


@pytest.fixture(scope="module")
def ano(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path_factory.mktemp("tiny"))


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (*SHAPES[number], 3), dtype=np.uint8)


def judged(number: int) -> Question:
    known = image(str(number), shape=SHAPES[number], complete=True, judgements={1: judgement(1, square(3, 4, 20))})
    return Question(picture(number), known)


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("mode", ["fit", "tiles", "both"])
def test_grids_are_those_of_maps_with_the_same_ticks_and_word(ano: AnoCLIP, mode: str, smooth: bool) -> None:
    settings = AnoCLIPSettings.model_validate({"tiling": {"mode": mode}, "scoring": {"smooth": smooth}})
    grids = Grids.of(ano, [judged(number) for number in range(3)], settings, lambda done: None)
    named = [PROMPTS, PROMPTS.with_object("bolt")]
    banks = [Bank(Makings.of(one), ano.encode_prompts(one)) for one in named]
    start = Choice(0, (True,) * len(banks[0].makings.places))
    several = [start, *(choice for choice in start.neighbours(2) if banks[choice.word].possible(choice))]
    scores = grids.scores(several, banks, ano.temperature)
    assert scores.shape == (len(several), *grids.sheet.region.shape)
    for choice, sheet in zip(several, scores, strict=True):
        prompts = ticked(named[choice.word], zip(banks[0].makings.places, choice.on, strict=True))
        for number in range(3):
            expected = ano.detect(picture(number), prompts, settings).grid
            found = sheet.ravel()[grids.sheet.cells(number)].reshape(expected.shape)
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_between_and_beside_the_images_nothing_is_hot(ano: AnoCLIP) -> None:
    settings = AnoCLIPSettings.model_validate({"tiling": {"mode": "tiles"}})
    grids = Grids.of(ano, [judged(number) for number in range(3)], settings, lambda done: None)
    bank = Bank(Makings.of(PROMPTS), ano.encode_prompts(PROMPTS))
    (scores,) = grids.scores([Choice(0, (True,) * len(bank.makings.places))], [bank], 1.0)
    inside = np.zeros(scores.size, bool)
    for number in range(3):
        inside[grids.sheet.cells(number)] = True
    assert np.all(scores.ravel()[inside] > 0)
    assert not scores.ravel()[~inside].any()


def test_no_choice_has_no_grids() -> None:
    grids = Grids.of(Planted(), [question(0)], AnoCLIPSettings(), lambda done: None)
    assert grids.scores([], [], 1.0).shape == (0, 13, 12)


def test_a_neighbour_differs_by_one_tick_or_by_the_word() -> None:
    start = Choice(1, (True, False, True))
    assert start.neighbours(3) == [
        Choice(1, (False, False, True)),
        Choice(1, (True, True, True)),
        Choice(1, (True, False, False)),
        Choice(0, start.on),
        Choice(2, start.on),
    ]


def test_a_choice_that_leaves_a_side_empty_is_impossible() -> None:
    model = Planted()
    bank = Bank(Makings.of(PLATES), model.encode_prompts(PLATES, "embeddings"))
    places = bank.makings.places
    without = tuple(place.field != "abnormal_states" for place in places)
    assert not bank.possible(Choice(0, without))
    assert not bank.possible(Choice(0, tuple(place.field != "frames" for place in places)))
    assert bank.possible(Choice(0, tuple(place.row == 0 for place in places)))


def test_more_patches_than_can_be_held_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "MAX_TOKEN_BYTES", 30_000)  # two images of 12 × 12 patches
    told: list[int] = []
    with pytest.raises(ImageError, match="The first 3 of 5 judged images have more patches"):
        Grids.of(Planted(), [question(number) for number in range(5)], AnoCLIPSettings(), told.append)
    assert told == [1, 2]

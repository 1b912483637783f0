"""Blame over several images is what leaving something out does to their maps."""

from __future__ import annotations

import numpy as np
import pytest
from gui.towers import brightness_model
from review.reviewing import image, judgement, square

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.review.accuse import accuse
from napari_anoclip.review.exam import Question, questions
from napari_anoclip.review.judgement import Verdict

PROMPTS = PromptSet.preset("short", "plate")
SETTINGS = AnoCLIPSettings()
MASKS = {"a": [square(10, 20, 12)], "b": [square(40, 60, 5), square(70, 100, 20)]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return brightness_model(PROMPTS, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def asked() -> list[Question]:
    """Two noisy images with regions judged false, and a defect that is not meant."""
    draw = np.random.default_rng(0)
    found = []
    for key, masks in MASKS.items():
        judged = {number: judgement(number, mask, Verdict.FALSE) for number, mask in enumerate(masks, start=1)}
        judged[9] = judgement(9, square(0, 0, 8), Verdict.DEFECT)
        picture = draw.integers(0, 255, (96, 128, 3), np.uint8)
        found += questions(image(key, judgements=judged), picture)
    return found


def mean_of_regions(model, prompts: PromptSet, asked: list[Question]) -> float:
    """Over all pixels of the regions that were judged false."""
    pixels = []
    for question in asked:
        values = model.detect(question.source, prompts, SETTINGS).map
        pixels += [values[mask.slices][mask.bits] for mask in MASKS[question.image.key]]
    return float(np.concatenate(pixels).mean())


def test_the_effect_over_all_images_is_that_of_leaving_it_out(model, asked):
    found = accuse(model, PROMPTS, SETTINGS, asked)
    before = mean_of_regions(model, PROMPTS, asked)
    assert found.probability == pytest.approx(before, abs=1e-6)
    for effect in (*found.entries[:3], *found.prompts[-2:]):
        after = mean_of_regions(model, effect.left_out(PROMPTS), asked)
        assert effect.probability == pytest.approx(after - before, abs=1e-6)


def test_without_a_region_judged_false_there_is_nobody_to_blame(model, asked):
    good = [Question(asked[0].source, asked[0].image.model_copy(update={"judgements": {}}))]
    assert accuse(model, PROMPTS, SETTINGS, good) is None


def test_a_side_without_a_prompt_is_told(model, asked):
    with pytest.raises(PromptError, match="abnormal"):
        accuse(model, PROMPTS.with_entries("abnormal_states", []), SETTINGS, asked)

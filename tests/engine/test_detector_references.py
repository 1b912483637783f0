"""References inside a run: off by default, exact where they are on, told in the result and at the probe."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from engine import golden
from review.reviewing import image, judgement

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.calibration import reference_pictures
from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.reference_memory import REACH, ReferenceMemory
from napari_anoclip.engine.scoring import TOLD, smooth
from napari_anoclip.review.exam import Question
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.references import gather
from napari_anoclip.review.region_mask import RegionMask

PROMPTS = PromptSet.compose(
    object="carpet", normal_states=["normal {}"], abnormal_states=["damaged {}", "{} with flaw"]
)
PICTURE = np.random.default_rng(0).integers(0, 255, (70, 101, 3), dtype=np.uint8)


def settings(mode: str = "fit", enabled: bool = True, strength: float = 0.5, adapting: bool = False) -> AnoCLIPSettings:
    return AnoCLIPSettings.model_validate(
        {
            "tiling": {"mode": mode},
            "references": {"enabled": enabled, "strength": strength},
            "adaptation": {"enabled": adapting},
            "scoring": {"smooth": False},
        }
    )


@pytest.fixture
def ano(tmp_path: Path) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)


def memory_of(ano: AnoCLIP, width: float = 0.2) -> ReferenceMemory:
    """Some patches of the picture itself, so that parts of it are lowered and others are not."""
    tokens = ano.tokens(PICTURE, settings())[0].patches[0]
    labels = [f"region {number} in carpet_01, judged false" for number in range(1, 7)]
    return ReferenceMemory.of(ano.model_id, tokens[:6], labels, width, tokens[30:32])


def logit(probability: np.ndarray) -> np.ndarray:
    return np.log(probability / (1 - probability.astype(np.float64)))


def test_they_are_off_until_they_are_asked_for(ano: AnoCLIP) -> None:
    memory = memory_of(ano)
    plain = ano.detect(PICTURE, PROMPTS)
    with_memory = ano.detect(PICTURE, PROMPTS, memory=memory)
    np.testing.assert_array_equal(with_memory.map, plain.map)
    assert AnoCLIPSettings().references.enabled is False
    assert plain.provenance["references"] is None
    assert with_memory.provenance["references"] is None


def test_switched_on_without_any_they_change_nothing(ano: AnoCLIP) -> None:
    np.testing.assert_array_equal(
        ano.detect(PICTURE, PROMPTS, settings()).grid, ano.detect(PICTURE, PROMPTS, settings(enabled=False)).grid
    )


def test_what_is_taken_off_each_patch_is_what_the_memory_says(ano: AnoCLIP) -> None:
    memory = memory_of(ano)
    before = ano.detect(PICTURE, PROMPTS, settings(enabled=False)).grid
    after = ano.detect(PICTURE, PROMPTS, settings(strength=0.3), memory=memory).grid
    tokens = ano.tokens(PICTURE, settings())[0].patches[0]
    lowered = memory.lowering(tokens, 0.3, ano.temperature).reshape(before.shape).numpy() / ano.temperature
    told = before < 0.9999  # nearer to 1, float32 does not tell logits apart
    np.testing.assert_allclose((logit(before) - logit(after))[told], lowered[told], atol=5e-3)
    assert told.sum() > 25
    assert float(lowered.max()) == pytest.approx(0.3 * REACH, abs=1e-3)
    assert lowered.min() < 0.02


def test_strength_0_changes_nothing_and_more_of_it_lowers_more(ano: AnoCLIP) -> None:
    memory = memory_of(ano)
    grids = [ano.detect(PICTURE, PROMPTS, settings(strength=s), memory=memory).grid for s in (0, 0.3, 0.6, 1)]
    np.testing.assert_array_equal(grids[0], ano.detect(PICTURE, PROMPTS, settings(enabled=False)).grid)
    for less, more in pairwise(grids):
        assert np.all(more <= less)
        assert np.any(more < less)


@pytest.mark.parametrize("mode", ["fit", "tiles", "both"])
@pytest.mark.parametrize("adapting", [False, True])
def test_they_work_on_tiles_and_with_adaptation_and_never_raise_a_score(
    ano: AnoCLIP, mode: str, adapting: bool
) -> None:
    memory = memory_of(ano, width=0.5)
    before = ano.detect(PICTURE, PROMPTS, settings(mode, enabled=False, adapting=adapting))
    after = ano.detect(PICTURE, PROMPTS, settings(mode, adapting=adapting), memory=memory)
    assert np.all(after.grid <= before.grid + 1e-6)
    assert np.any(after.grid < before.grid - 1e-3)
    if adapting:
        assert np.any(after.before < before.before - 1e-3), "the map without adaptation is lowered too"


def test_smoothing_comes_after_the_lowering(ano: AnoCLIP) -> None:
    memory = memory_of(ano)
    smoothed = settings().model_copy(update={"scoring": AnoCLIPSettings().scoring})
    expected = smooth(ano.detect(PICTURE, PROMPTS, settings(), memory=memory).grid)
    np.testing.assert_allclose(ano.detect(PICTURE, PROMPTS, smoothed, memory=memory).grid, expected, atol=1e-6)


@pytest.mark.parametrize("adapting", [False, True])
@pytest.mark.parametrize("mode", ["fit", "tiles"])
def test_the_probe_says_what_was_lowered_and_which_reference_it_is_like(
    ano: AnoCLIP, mode: str, adapting: bool
) -> None:
    memory = memory_of(ano)
    asked = settings(mode, adapting=adapting)
    grid = ano.detect(PICTURE, PROMPTS, asked, memory=memory).grid
    plain = ano.detect(PICTURE, PROMPTS, settings(mode, enabled=False, adapting=adapting)).grid
    told = [ano.explain(PICTURE, PROMPTS, at, asked, memory=memory) for at in [(2, 3), (2, 20), (40, 60), (69, 100)]]
    for one in told:
        assert one.shares.sum() == pytest.approx(one.logit, abs=1e-4)
        assert one.probability == pytest.approx(1 / (1 + np.exp(one.lowered - one.logit)), abs=1e-5)
        assert bool(one.reference) == (one.lowered >= TOLD)
        if mode == "fit":
            assert one.probability == pytest.approx(grid[one.patch], abs=1e-5)
            assert one.before == pytest.approx(plain[one.patch], abs=1e-5)
    if mode == "fit":
        assert told[0].reference == "region 1 in carpet_01, judged false"
        assert told[0].lowered == pytest.approx(0.5 * REACH, abs=1e-2)
        assert told[1].reference == "region 2 in carpet_01, judged false"


def test_without_references_the_probe_says_nothing_of_them(ano: AnoCLIP) -> None:
    told = ano.explain(PICTURE, PROMPTS, (2, 3), settings(enabled=False), memory=memory_of(ano))
    assert (told.lowered, told.reference, told.before) == (0, "", told.probability)


def test_those_of_another_model_are_refused_where_they_are_on(ano: AnoCLIP) -> None:
    strange = ReferenceMemory.of("another", memory_of(ano).normal, memory_of(ano).labels, 0.2)
    ano.detect(PICTURE, PROMPTS, settings(enabled=False), memory=strange)
    for work in (ano.detect, lambda *asked, **more: ano.explain(*asked[:2], (2, 3), *asked[2:], **more)):
        with pytest.raises(ModelError, match="gathered with another model"):
            work(PICTURE, PROMPTS, settings(), memory=strange)


def test_a_result_says_which_references_it_was_made_with_and_how_strong(ano: AnoCLIP) -> None:
    memory = memory_of(ano)
    told = ano.detect(PICTURE, PROMPTS, settings(strength=0.8), memory=memory).provenance
    assert told["references"] == {"digest": memory.digest, "normal": 6, "defect": 2, "width": 0.2}
    assert told["settings"]["references"] == {"enabled": True, "strength": 0.8, "size": 1024}
    assert json.loads(json.dumps(told)) == told


@pytest.mark.parametrize(("image_score", "lower"), [("class_token", False), ("map_max", True), ("both", True)])
def test_the_class_token_knows_nothing_of_them_and_the_hottest_patch_does(
    ano: AnoCLIP, image_score: str, lower: bool
) -> None:
    hottest = ReferenceMemory.of(ano.model_id, ano.tokens(PICTURE)[0].patches[0], ["x"] * 36, 0.1)
    scores = []
    for enabled in (False, True):
        asked = settings(enabled=enabled)
        asked = asked.model_copy(update={"scoring": asked.scoring.model_copy(update={"image_score": image_score})})
        scores.append(ano.detect(PICTURE, PROMPTS, asked, memory=hottest).score)
    assert (scores[1] < scores[0]) is lower


class TestRealModel:
    """Yellow stickers on leather are no defects, and a scratch is one: said of one picture, seen on another."""

    prompts = PromptSet.preset("surface", "surface")

    @staticmethod
    def sticker(row: int, column: int) -> np.ndarray:
        return np.hypot(*np.ogrid[-row : 240 - row, -column : 240 - column]) < 18

    @staticmethod
    def scratch(row: int, column: int) -> np.ndarray:
        down, across = np.mgrid[-row : 240 - row, -column : 240 - column]
        return (np.abs(down - 0.7 * across) < 4) & (np.abs(across) < 28)

    @staticmethod
    def painted(picture: np.ndarray, stickers: list[np.ndarray], scratches: list[np.ndarray]) -> np.ndarray:
        picture = np.array(picture)
        for place in stickers:
            picture[place] = (235, 225, 60)
        for place in scratches:
            picture[place] = 15
        return picture

    def test_a_false_alarm_that_was_judged_falls_below_the_threshold_and_a_defect_stays(self, tmp_path: Path) -> None:
        model = AnoCLIP.load(cache_folder=tmp_path)
        leather = list(reference_pictures())[6]
        stickers, scratch = [self.sticker(60, 60), self.sticker(170, 60)], self.scratch(120, 170)
        first = self.painted(leather, stickers, [scratch])
        judged = [(stickers[0], Verdict.FALSE), (stickers[1], Verdict.FALSE), (scratch, Verdict.DEFECT)]
        judgements = {
            number: judgement(number, RegionMask.of(place), verdict)
            for number, (place, verdict) in enumerate(judged, 1)
        }
        known = image("a", "leather_04", (240, 240), judgements=judgements, complete=True)
        on = AnoCLIPSettings.model_validate({"references": {"enabled": True, "strength": 1}})
        memory = gather(model, [Question(first, known)], on)
        threshold = 0.5

        second = self.painted(leather[:, ::-1], [self.sticker(170, 170)], [self.scratch(70, 70)])
        for picture, false, defect in (
            (first, stickers[0], scratch),
            (second, self.sticker(170, 170), self.scratch(70, 70)),
        ):
            before = model.detect(picture, self.prompts).map
            after = model.detect(picture, self.prompts, on, memory=memory).map
            assert before[false].max() > threshold
            assert after[false].max() < 0.8 * threshold
            assert after[defect].max() > before[defect].max() - 0.03
        told = model.explain(second, self.prompts, (170, 170), on, memory=memory)
        assert told.reference.endswith("in leather_04, judged false")
        assert told.probability < told.before


def test_a_memory_is_not_moved_or_changed_by_a_run(ano: AnoCLIP) -> None:
    memory = memory_of(ano)
    normal = memory.normal.clone()
    ano.detect(PICTURE, PROMPTS, settings(), memory=memory)
    assert torch.equal(memory.normal, normal)

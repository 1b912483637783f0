"""Tokens against text, on tokens and prompts made by hand: each part of a score is what its formula says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import uniform_filter

from napari_anoclip.engine.field_scoring import FieldScoring
from napari_anoclip.engine.reference_memory import ReferenceMemory
from napari_anoclip.engine.scoring import (
    abnormal_probability,
    cosines,
    explain_token,
    image_score,
    smooth,
)
from napari_anoclip.engine.settings import AnoCLIPSettings, ReferenceSettings, ScoringSettings
from napari_anoclip.engine.text import TextFeatures
from napari_anoclip.engine.tiling import Axis, Lattice, resample
from napari_anoclip.engine.token_field import TokenField

PLACE = (0, 0), (0.0, 0.0, 1.0, 1.0)
TEMPERATURE = 0.1


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def some_text(channels: int = 6) -> TextFeatures:
    """Two normal prompts and three abnormal ones; each side is the mean of its embeddings."""
    bank = F.normalize(drawn(5, channels, seed=7), dim=-1)
    means = torch.stack([bank[:2].mean(0), bank[2:].mean(0)])
    lengths = means.norm(dim=-1)
    weights = torch.cat([torch.full((2,), 0.5) / lengths[0], torch.full((3,), 1 / 3) / lengths[1]])
    return TextFeatures(means / lengths[:, None], bank, weights, (2, 3), tuple("abcde"))


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_cosines_are_those_of_torch_whatever_the_length_of_a_token():
    tokens = torch.logspace(-3, 1, 7)[:, None] * drawn(2, 7, 6)
    sides = F.normalize(drawn(2, 6, seed=1), dim=-1)
    expected = torch.stack([F.cosine_similarity(tokens, side, dim=-1) for side in sides], dim=-1)
    torch.testing.assert_close(cosines(tokens, sides), expected)


def test_a_token_of_zeros_looks_like_neither_side():
    assert cosines(torch.zeros(3, 4), torch.eye(2, 4)).tolist() == [[0, 0]] * 3


def test_the_probability_is_the_softmax_over_both_sides():
    found = drawn(4, 5, 2)
    expected = (found / TEMPERATURE).softmax(dim=-1)[..., 1]
    torch.testing.assert_close(abnormal_probability(found, TEMPERATURE), expected)


def test_what_is_lowered_is_taken_off_the_difference_of_the_cosines():
    found = torch.tensor([[0.2, 0.5], [0.4, 0.1]])
    lowered = abnormal_probability(found, TEMPERATURE, torch.tensor([0.3, -0.1]))
    assert lowered.tolist() == pytest.approx([0.5, sigmoid(-2.0)])


def test_smoothing_is_the_mean_of_three_by_three_with_the_border_repeated():
    grid = drawn(5, 8).numpy()
    np.testing.assert_allclose(smooth(grid), uniform_filter(grid, 3, mode="nearest"), atol=1e-6)


@pytest.mark.parametrize(("method", "expected"), [("class_token", 0.2), ("map_max", 0.9), ("both", 0.55)])
def test_the_score_of_an_image_is_the_one_the_other_or_their_mean(method, expected):
    assert image_score(0.2, 0.9, method) == pytest.approx(expected)


class TestExplanation:
    def test_prompts_of_the_normal_side_count_against_and_all_sum_to_the_logit(self):
        text, token = some_text(), 3 * drawn(6)
        told = explain_token(token, text, TEMPERATURE, *PLACE)
        normal, abnormal = F.cosine_similarity(text.sides, token[None], dim=-1).tolist()
        assert told.logit == pytest.approx((abnormal - normal) / TEMPERATURE, abs=1e-4)
        assert told.shares[:2].sum() == pytest.approx(-normal / TEMPERATURE, abs=1e-4)
        assert told.shares[2:].sum() == pytest.approx(abnormal / TEMPERATURE, abs=1e-4)
        np.testing.assert_allclose(told.similarities, F.cosine_similarity(text.bank, token[None]).numpy(), atol=1e-6)
        assert told.probability == told.before == pytest.approx(sigmoid(told.logit))

    def test_what_references_take_and_others_add_is_told_in_logits(self):
        told = explain_token(drawn(6), some_text(), TEMPERATURE, *PLACE, lowering=0.2, reference="x", raising=0.05)
        assert (told.lowered, told.raised, told.reference) == (pytest.approx(2), pytest.approx(0.5), "x")
        assert told.probability == pytest.approx(sigmoid(told.logit + 0.5 - 2), abs=1e-6)
        assert told.before == pytest.approx(sigmoid(told.logit + 0.5), abs=1e-6)

    @pytest.mark.parametrize(("lowering", "reference"), [(0.05, "x"), (0.049, "")])
    def test_a_reference_is_named_from_a_lowering_on_that_is_seen(self, lowering, reference):
        assert (
            explain_token(drawn(6), some_text(), 1.0, *PLACE, lowering=lowering, reference="x").reference == reference
        )


def field(cells: int, side: int = 48, seed: int = 3) -> TokenField:
    """An image of so many cells along each side, in one tile."""
    axis = Axis.fit(side, cells)
    return TokenField(Lattice(axis, axis), drawn(1, cells * cells, 6, seed=seed), drawn(1, 6))


def by(memory: ReferenceMemory | None = None, **scoring: object) -> FieldScoring:
    settings = AnoCLIPSettings(
        scoring=ScoringSettings(**{"smooth": False} | scoring), references=ReferenceSettings(enabled=True)
    )
    return FieldScoring(some_text(), settings, TEMPERATURE, memory)


class TestGrid:
    def test_the_temperature_is_the_models_unless_one_is_set(self):
        assert by().temperature == TEMPERATURE
        assert by(temperature=1.0).temperature == 1.0

    def test_the_grid_holds_the_probability_of_each_token(self):
        one = field(4)
        grid, lattice = by().grid([one])
        expected = abnormal_probability(cosines(one.patches, some_text().sides), TEMPERATURE)
        np.testing.assert_allclose(grid, expected.reshape(4, 4), atol=1e-6)
        assert lattice == one.lattice

    def test_several_scales_are_averaged_on_the_finest(self):
        coarse, fine = field(3, seed=3), field(6, seed=4)
        grid, lattice = by().grid([coarse, fine])
        expected = (resample(by().grid([coarse])[0], coarse.lattice, fine.lattice) + by().grid([fine])[0]) / 2
        assert lattice == fine.lattice
        np.testing.assert_allclose(grid, expected, atol=1e-6)

    def test_it_is_smoothed_where_that_is_on(self):
        np.testing.assert_array_equal(by(smooth=True).grid([field(4)])[0], smooth(by().grid([field(4)])[0]))

    def test_what_other_images_add_falls_on_its_own_cells(self):
        """On tiles that overlap: each has its part of what is added."""
        axis = Axis.tiled(80, 4, 8, 1.0, 0.5)
        lattice = Lattice(axis, Axis.fit(32, 4))
        tiles = len(lattice.tiles)
        assert tiles == 4
        tokens = TokenField(lattice, drawn(1, 1, 6).expand(tiles, 16, 6), drawn(tiles, 6))
        raising = torch.linspace(0, 0.2, lattice.shape[0] * lattice.shape[1]).reshape(lattice.shape)
        plain, raised = by().grid([tokens])[0], by().grid([tokens], raising=[raising])[0]
        np.testing.assert_allclose(
            np.log(raised / (1 - raised)) - np.log(plain / (1 - plain)), raising / TEMPERATURE, atol=1e-3
        )

    def test_references_lower_what_is_like_them_as_it_comes_from_the_model(self):
        adapted, plain = field(4, seed=3), field(4, seed=5)
        memory = ReferenceMemory.of("any", plain.patches[0, :1], ["here"], 0.01)
        off = by().grid([adapted])[0]
        on = by(memory).grid([adapted], [plain])[0]
        assert on[0, 0] < off[0, 0]
        np.testing.assert_allclose(on.ravel()[1:], off.ravel()[1:], atol=1e-6)
        np.testing.assert_allclose(by(memory).grid([adapted])[0], off, atol=1e-6)

    def test_references_and_other_images_both_count(self):
        one = field(4)
        memory = ReferenceMemory.of("any", one.patches[0, :1], ["here"], 0.01)
        lowering = float(memory.lowering(one.patches[0, 0], 0.5, TEMPERATURE))
        grid = by(memory).grid([one], raising=[torch.full((4, 4), lowering)])[0]
        assert grid[0, 0] == pytest.approx(by().grid([one])[0][0, 0], abs=1e-6)
        assert (grid.ravel()[1:] > by().grid([one])[0].ravel()[1:]).all()


def test_the_explanation_of_a_pixel_is_of_the_patch_that_covers_it():
    adapted, plain = field(4, seed=3), field(4, seed=5)
    memory = ReferenceMemory.of("any", plain.patches[0, 6:7], ["here"], 0.01)
    raising = torch.arange(16.0).reshape(4, 4) / 100
    told = by(memory).explanation((13, 25), adapted, plain, raising)
    grid = by(memory).grid([adapted], [plain], [raising])[0]
    assert told.patch == (1, 2)
    assert told.box == (12, 24, 24, 36)
    assert told.reference == "here"
    assert told.raised == pytest.approx(0.06 / TEMPERATURE)
    assert told.probability == pytest.approx(grid[1, 2], abs=1e-5)
    bare = by().explanation((13, 25), adapted, plain)
    assert (bare.lowered, bare.reference, bare.raised) == (0, "", 0)

"""What lies between tokens and maps is followed back exactly, and what was judged reaches the right cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from engine import golden
from review.reviewing import image, judgement, square

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, scoring
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.patches import region_tokens, to_grid, truth
from napari_anoclip.review.region_mask import RegionMask

PROMPTS = PromptSet.compose(object="nut", normal_states=["good {}"], abnormal_states=["bad {}", "broken {}"])
PICTURE = np.random.default_rng(0).integers(0, 255, (70, 101, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def ano(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path_factory.mktemp("tiny"))


def settings(mode: str = "fit", smooth: bool = True, upsampling: str = "half_pixel") -> AnoCLIPSettings:
    return AnoCLIPSettings.model_validate(
        {"tiling": {"mode": mode}, "scoring": {"smooth": smooth, "upsampling": upsampling, "temperature": 0.1}}
    )


def probabilities(ano: AnoCLIP, tokens: torch.Tensor) -> torch.Tensor:
    return scoring.abnormal_probability(
        scoring.cosines(tokens.double(), ano.encode_prompts(PROMPTS).sides.double()), 0.1
    )


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("mode", ["fit", "tiles", "both"])
def test_one_matrix_takes_probabilities_of_tokens_to_the_grid_of_the_map(ano: AnoCLIP, mode: str, smooth: bool) -> None:
    asked = settings(mode, smooth)
    fields = ano.tokens(PICTURE, asked)
    matrix = to_grid(tuple(one.lattice for one in fields), smooth)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-6)
    every = torch.cat([part.flatten(0, 1) for one in fields for part in one.parts()])
    grid = (matrix @ probabilities(ano, every).numpy()).reshape(fields[-1].lattice.shape)
    np.testing.assert_allclose(grid, ano.detect(PICTURE, PROMPTS, asked).grid, atol=2e-6)


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("upsampling", ["half_pixel", "align_corners"])
@pytest.mark.parametrize("mode", ["fit", "tiles", "both"])
def test_weighted_tokens_give_the_mean_of_the_map_over_a_region(
    ano: AnoCLIP, mode: str, upsampling: str, block: int
) -> None:
    asked = settings(mode, upsampling=upsampling)
    found = ano.detect(PICTURE, PROMPTS, asked, block=block).map
    ring = np.hypot(*np.ogrid[-6:7, -6:7]).round() == 6
    mask = RegionMask.of(ring, (8, 11))
    behind = region_tokens(ano.tokens(PICTURE, asked), mask, asked, block)
    assert float(behind.weights.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.allclose(behind.tokens.norm(dim=-1), torch.ones(len(behind.tokens)), atol=1e-6)
    mean = float(behind.weights @ probabilities(ano, behind.tokens))
    assert mean == pytest.approx(float(mask.of_map(found).mean(dtype=np.float64)), abs=2e-6)


def test_several_regions_are_taken_together_pixel_by_pixel(ano: AnoCLIP) -> None:
    asked = settings()
    small, large = square(3, 4, 5), square(30, 60, 20)
    found = ano.detect(PICTURE, PROMPTS, asked).map
    behind = region_tokens(ano.tokens(PICTURE, asked), [small, large], asked)
    pixels = np.concatenate([small.of_map(found), large.of_map(found)])
    assert float(behind.weights @ probabilities(ano, behind.tokens)) == pytest.approx(pixels.mean(), abs=2e-6)


def test_a_region_of_a_volume_may_cover_one_plane(ano: AnoCLIP) -> None:
    flat = square(30, 60, 20)
    deep = RegionMask.of(flat.bits[None], (7, *flat.start))
    first, second = (region_tokens(ano.tokens(PICTURE), mask, settings()) for mask in (flat, deep))
    assert torch.equal(first.weights, second.weights)


def test_no_region_has_no_tokens(ano: AnoCLIP) -> None:
    with pytest.raises(ValueError, match="no region"):
        region_tokens(ano.tokens(PICTURE), [], settings())


def test_a_hundred_tiles_a_side_are_laid_out_at_once() -> None:
    axis = Axis.tiled(8000, 6, 8, 1.0, 0.25)
    lattice = Lattice(axis, Axis.tiled(400, 6, 8, 1.0, 0.25))
    assert len(lattice.tiles) > 1500
    matrix = to_grid((lattice,), False)
    assert matrix.shape == (lattice.shape[0] * lattice.shape[1], len(lattice.tiles) * 36)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)


CELLS = Lattice(Axis.fit(96, 12), Axis.fit(128, 16))
"""Cells of 8 × 8 pixels over an image of the usual shape."""


class TestTruth:
    def test_cells_that_are_defective_by_half_belong_to_the_defect_and_the_rest_of_it_is_not_good(self) -> None:
        told = truth(image(complete=True), [judgement(1, square(8, 12, 16))], CELLS)
        # Rows 8 to 23 fill two cells; columns 12 to 27 fill the cell from 16 on, and halves of those beside it.
        expected = np.zeros(CELLS.shape, int)
        expected[1:3, 1:4] = 1
        np.testing.assert_array_equal(told.region, expected)
        np.testing.assert_array_equal(told.normal, expected == 0)
        off = truth(image(complete=True), [judgement(1, square(8, 11, 16))], CELLS)
        assert set(np.flatnonzero(off.region.any(axis=0))) == {1, 2}
        assert set(np.flatnonzero(~off.normal.all(axis=0))) == {1, 2, 3}

    def test_a_defect_smaller_than_a_cell_has_the_cell_that_it_lies_in_most(self) -> None:
        told = truth(image(), [judgement(1, square(6, 6, 3))], CELLS)
        assert np.argwhere(told.region).tolist() == [[0, 0]]

    def test_the_only_cell_of_a_small_defect_is_not_taken_by_a_larger_one(self) -> None:
        large, small = judgement(1, square(0, 0, 40)), judgement(2, square(9, 9, 3))
        for told in (truth(image(), both, CELLS) for both in ([large, small], [small, large])):
            assert len(np.unique(told.region)) == 3

    @pytest.mark.parametrize(("complete", "good"), [(True, 12 * 16 - 9), (False, 4)])
    def test_what_was_not_judged_is_good_only_where_the_image_was_looked_at_as_a_whole(
        self, complete: bool, good: int
    ) -> None:
        told = truth(
            image(complete=complete),
            [
                judgement(1, square(40, 40, 16), Verdict.FALSE),
                judgement(2, square(0, 0, 16), Verdict.DEFECT),
                judgement(3, square(60, 92, 15), Verdict.UNSURE),
                judgement(4, square(80, 8, 8), verdict=None),
            ],
            CELLS,
        )
        assert np.count_nonzero(told.near) == 4 + 9
        assert np.count_nonzero(told.normal) == good - 4 * complete
        assert told.normal[5:7, 5:7].all()

    def test_what_is_unsure_or_defective_is_not_good_whoever_says_so_besides(self) -> None:
        same = square(40, 40, 16)
        told = truth(image(), [judgement(1, same, Verdict.FALSE), judgement(2, same, Verdict.UNSURE)], CELLS)
        assert not told.normal.any()

    def test_a_coarser_map_covers_the_same_cells(self) -> None:
        fine = truth(image(complete=True), [judgement(1, square(8, 16, 24))], CELLS)
        coarse = image(shape=(48, 64), step=(2.0, 2.0), complete=True)
        np.testing.assert_array_equal(truth(coarse, [judgement(1, square(4, 8, 12))], CELLS).region, fine.region)

    def test_cells_without_a_pixel_of_the_image_are_not_good(self) -> None:
        tiny = image(shape=(3, 200), complete=True)
        told = truth(tiny, [], Lattice(Axis.fit(3, 6), Axis.fit(200, 25)))
        assert told.normal.any(axis=1).sum() == 3

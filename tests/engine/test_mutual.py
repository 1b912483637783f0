"""Images that judge each other: as the formulae say, whatever the order, and with nothing compared with itself."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from engine import golden

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, image_encoder, mutual, mutual_distance
from napari_anoclip.engine.errors import Cancelled, ImageError, ModelError
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.mutual import Others, rescore
from napari_anoclip.engine.mutual_distance import HIGHEST, USUAL
from napari_anoclip.engine.progress import Progress, Reporter
from napari_anoclip.engine.settings import FEWEST_OTHERS

PROMPTS = PromptSet.compose(
    object="carpet", normal_states=["normal {}"], abnormal_states=["damaged {}", "{} with flaw"]
)


def pictures(count: int, first: int = 0) -> list[np.ndarray]:
    return [
        np.random.default_rng(first + number).integers(0, 255, (70, 101, 3), dtype=np.uint8) for number in range(count)
    ]


PICTURES = pictures(8)
STRANGER = pictures(1, first=100)[0]
STRANGER[20:60, 30:90] = (200, 40, 40)


def settings(mode: str = "fit", adapting: bool = False, smooth: bool = False, **changed: object) -> AnoCLIPSettings:
    return AnoCLIPSettings.model_validate(
        {
            "tiling": {"mode": mode},
            "mutual": {"enabled": True, "held": "fp32", **changed},
            "adaptation": {"enabled": adapting},
            "scoring": {"smooth": smooth},
        }
    )


@pytest.fixture(scope="module")
def ano(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    """One for all: what it keeps of images changes nothing but the time that this takes."""
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path_factory.mktemp("a"))


def naive_aggregate(tokens: np.ndarray, degree: int) -> np.ndarray:
    """(Gh, Gw, C) of one image; at a border, the mean of what there is."""
    rows, columns, _ = tokens.shape
    reach = degree // 2
    out = np.empty_like(tokens)
    for row in range(rows):
        for column in range(columns):
            around = [
                tokens[r, c]
                for r in range(max(0, row - reach), min(rows, row + reach + 1))
                for c in range(max(0, column - reach), min(columns, column + reach + 1))
            ]
            out[row, column] = np.mean(around, axis=0)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def naive_distances(mine: np.ndarray, others: list[np.ndarray], degrees: tuple[int, ...], share: float) -> np.ndarray:
    """Mutual distances (Gh, Gw) of an image with tokens (T, Gh, Gw, C), patch by patch."""
    grids = []
    for layer in range(len(mine)):
        for degree in degrees:
            ones = naive_aggregate(mine[layer].astype(np.float64), degree)
            banks = [
                naive_aggregate(other[layer].astype(np.float64), degree).reshape(-1, ones.shape[-1]) for other in others
            ]
            grid = np.empty(ones.shape[:2])
            for place in np.ndindex(grid.shape):
                nearest = sorted(np.linalg.norm(bank - ones[place], axis=-1).min() for bank in banks)
                grid[place] = np.mean(nearest[: max(1, int(share * len(nearest)))])
            grids.append(grid)
    return np.mean(grids, axis=0)


def tokens_of(ano: AnoCLIP, picture: np.ndarray, asked: AnoCLIPSettings) -> list[np.ndarray]:
    return [one.numpy() for one in ano.lattice_tokens(picture, asked)]


def logit(probability: np.ndarray) -> np.ndarray:
    return np.log(probability / (1 - probability.astype(np.float64)))


def own(others: Others, picture: np.ndarray, scale: int = 0) -> np.ndarray:
    return others.scales[scale].own[others.images.index(ImageSource.of(picture).digest)].numpy()


class TestDistances:
    @pytest.mark.parametrize("tokens", ["vv", "layers"])
    @pytest.mark.parametrize(("degrees", "share", "mode"), [((1, 3, 5), 0.3, "fit"), ((3,), 0.6, "tiles")])
    def test_are_those_of_the_formulae_worked_out_patch_by_patch(
        self, ano: AnoCLIP, tokens: str, degrees: tuple[int, ...], share: float, mode: str
    ) -> None:
        asked = settings(mode, tokens=tokens, degrees=degrees, share=share)
        others = Others.gather(ano, PICTURES[:5], asked)
        known = [tokens_of(ano, picture, asked)[0] for picture in PICTURES[:5]]
        expected = naive_distances(known[1], known[:1] + known[2:], degrees, share)
        np.testing.assert_allclose(own(others, PICTURES[1]), expected, atol=1e-5)
        strange = ano.lattice_tokens(STRANGER, asked)[0]
        expected = naive_distances(strange.numpy(), known, degrees, share)
        np.testing.assert_allclose(others.scales[0].distances(strange, Reporter()), expected, atol=1e-5)

    def test_are_the_same_in_tiny_blocks_of_memory(self, ano: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
        at_once = Others.gather(ano, PICTURES[:5], settings())
        monkeypatch.setattr(mutual_distance, "_CHUNK_BYTES", 1)
        in_blocks = Others.gather(ano, PICTURES[:5], settings())
        for one, other in zip(at_once.scales[0].own, in_blocks.scales[0].own, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)

    def test_are_nothing_between_copies_and_exact_between_near_copies(self) -> None:
        unit = torch.nn.functional.normalize(torch.randn(1, 40, 64, generator=torch.Generator().manual_seed(0)), dim=-1)
        assert float(mutual_distance.nearest_distances(unit, unit.flip(1)).max()) == 0
        moved = torch.nn.functional.normalize(unit + 1e-5, dim=-1)
        expected = (moved.double() - unit.double()).norm(dim=-1)
        np.testing.assert_allclose(mutual_distance.nearest_distances(moved, unit), expected, atol=1e-7)

    def test_held_in_half_precision_differ_little(self, ano: AnoCLIP) -> None:
        exact, half = (Others.gather(ano, PICTURES[:5], settings(held=held)) for held in ("fp32", "fp16"))
        assert half.scales[0].tokens[0].dtype == torch.float16
        for one, other in zip(exact.scales[0].own, half.scales[0].own, strict=True):
            np.testing.assert_allclose(one, other, atol=2e-3)

    def test_of_images_of_other_sizes_are_compared_cell_by_cell(self, ano: AnoCLIP) -> None:
        others = Others.gather(ano, [*PICTURES[:4], STRANGER[:50, :60]], settings("tiles"))
        assert len({grid.shape for grid in others.scales[0].own}) == 2

    def test_tiles_meet_in_one_token_a_cell(self, ano: AnoCLIP) -> None:
        field = ano.tokens(STRANGER, settings("tiles"))[0]
        (lattice,) = ano.lattice_tokens(STRANGER, settings("tiles"))
        assert lattice.shape == (1, *field.lattice.shape, field.patches.shape[-1])
        tiles = field.patches[..., 0].reshape(-1, field.lattice.rows.tile_cells, field.lattice.columns.tile_cells)
        np.testing.assert_allclose(lattice[0, ..., 0], field.lattice.blend(tiles.numpy()), atol=1e-5)


class TestGathering:
    def test_does_not_depend_on_the_order_and_counts_copies_once(self, ano: AnoCLIP) -> None:
        asked = settings(references=5)
        one = Others.gather(ano, PICTURES, asked)
        other = Others.gather(ano, [*PICTURES[::-1], PICTURES[3].copy()], asked)
        assert one == other
        assert one.images == other.images
        assert len(one.images) == 5
        assert one.provenance == {"digest": one.digest, "count": 5, "of": 8}
        assert [ano.detect(STRANGER, PROMPTS, asked, others=each).map.sum() for each in (one, other)] == [
            pytest.approx(ano.detect(STRANGER, PROMPTS, asked, others=one).map.sum(), abs=0)
        ] * 2

    def test_above_the_bound_draws_a_sample_that_the_seed_decides(self, ano: AnoCLIP) -> None:
        drawn = [set(Others.gather(ano, PICTURES, settings(references=4, seed=seed)).images) for seed in (0, 0, 1, 2)]
        assert drawn[0] == drawn[1]
        assert len({frozenset(one) for one in drawn}) > 1
        digests = {ImageSource.of(picture).digest for picture in PICTURES}
        assert all(one < digests for one in drawn)

    def test_takes_a_generator_and_lets_go_of_each_image(self, ano: AnoCLIP) -> None:
        alive: list[ImageSource] = []

        def one_by_one() -> Iterator[ImageSource]:
            for picture in PICTURES[:5]:
                yield ImageSource.of(picture)
                alive.clear()

        assert Others.gather(ano, one_by_one(), settings()) == Others.gather(ano, PICTURES[:5], settings())

    @pytest.mark.parametrize("count", [0, 1, FEWEST_OTHERS])
    def test_of_too_few_different_images_says_how_many_are_needed(self, ano: AnoCLIP, count: int) -> None:
        with pytest.raises(
            ImageError, match=rf"must be {FEWEST_OTHERS + 1} different ones at least, and there (is|are) {count}"
        ):
            Others.gather(ano, PICTURES[:count] * 2, settings())

    @pytest.mark.parametrize("tokens", ["vv", "layers"])
    def test_of_an_image_too_large_to_be_held_says_what_to_do(
        self, ano: AnoCLIP, monkeypatch: pytest.MonkeyPatch, tokens: str
    ) -> None:
        monkeypatch.setattr(image_encoder, "HELD_BYTES", 1)
        monkeypatch.setattr(ano, "token_cache_bytes", 0)
        with pytest.raises(ImageError, match=r"tiles, more than can be compared with other images: fit the whole"):
            Others.gather(ano, PICTURES, settings("tiles", tokens=tokens))

    def test_reports_and_stops_when_it_is_told_to(self, ano: AnoCLIP) -> None:
        told: list[Progress] = []
        Others.gather(ano, PICTURES[:4], settings(), on_progress=told.append)
        assert [one.stage for one in told] == ["gathering other images"] * 4 + ["comparing with other images"] * 5
        assert (told[-1].done, told[-1].total) == (4, 4)
        flag = threading.Event()

        def stop(progress: Progress) -> None:
            if progress.stage == "comparing with other images":
                flag.set()

        with pytest.raises(Cancelled):
            Others.gather(ano, PICTURES[:4], settings(), on_progress=stop, cancel=flag)

    def test_pickles_into_not_much_more_than_its_tokens(self, ano: AnoCLIP) -> None:
        others = Others.gather(ano, PICTURES[:6], settings(held="fp16"))
        packed = pickle.dumps(others)
        assert len(packed) < 2 * sum(one.nbytes for one in others.scales[0].tokens) + 10_000
        again = pickle.loads(packed)
        assert again == others
        maps = [ano.detect(STRANGER, PROMPTS, settings(held="fp16"), others=one).map for one in (others, again)]
        np.testing.assert_array_equal(*maps)

    def test_encodes_nothing_that_was_encoded(self, ano: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
        for tokens in ("vv", "layers"):
            Others.gather(ano, PICTURES[:4], settings(tokens=tokens))
        for name in ("two_paths", "layer_tokens"):
            monkeypatch.setattr(image_encoder.vision, name, None)
        for tokens in ("vv", "layers"):
            Others.gather(ano, PICTURES[:4], settings(tokens=tokens))


class TestDetecting:
    def test_is_off_until_it_is_asked_for(self, ano: AnoCLIP) -> None:
        others = Others.gather(ano, PICTURES, settings())
        plain = ano.detect(STRANGER, PROMPTS)
        given = ano.detect(STRANGER, PROMPTS, others=others)
        np.testing.assert_array_equal(given.map, plain.map)
        assert AnoCLIPSettings().mutual.enabled is False
        assert plain.provenance["others"] is None
        assert given.provenance["others"] is None
        np.testing.assert_array_equal(
            ano.detect(STRANGER, PROMPTS, settings()).grid,
            ano.detect(STRANGER, PROMPTS, settings().model_copy(update={"mutual": AnoCLIPSettings().mutual})).grid,
        )

    def test_raises_logits_by_the_excess_over_what_is_usual_in_spreads(self, ano: AnoCLIP) -> None:
        asked = settings(weight=0.4)
        others = Others.gather(ano, PICTURES, asked)
        (scale,) = others.scales
        every = np.concatenate([grid.flatten() for grid in scale.own])
        median = np.sort(every)[(len(every) - 1) // 2]
        assert scale.median == pytest.approx(median, abs=1e-6)
        assert scale.spread == pytest.approx(1.4826 * np.median(np.abs(every - median)), rel=0.02)
        before = ano.detect(PICTURES[2], PROMPTS, asked).grid
        after = ano.detect(PICTURES[2], PROMPTS, asked, others=others).grid
        expected = 0.4 * np.clip((own(others, PICTURES[2]) - scale.median) / scale.spread - USUAL, 0, HIGHEST)
        told = after < 0.9999  # nearer to 1, float32 does not tell logits apart
        np.testing.assert_allclose((logit(after) - logit(before))[told], expected[told], atol=5e-3)
        assert told.sum() > 20
        assert (expected == 0).sum() > 5, "a patch as typical as most keeps its score"

    @pytest.mark.parametrize("mode", ["fit", "tiles", "both"])
    @pytest.mark.parametrize("tokens", ["vv", "layers"])
    def test_weight_0_changes_nothing_and_more_of_it_raises_more(self, ano: AnoCLIP, mode: str, tokens: str) -> None:
        others = Others.gather(ano, PICTURES[:5], settings(mode, tokens=tokens))
        grids = [
            ano.detect(STRANGER, PROMPTS, settings(mode, tokens=tokens, weight=weight), others=others).grid
            for weight in (0, 0.3, 1)
        ]
        np.testing.assert_array_equal(grids[0], ano.detect(STRANGER, PROMPTS, settings(mode)).grid)
        for less, more in pairwise(grids):
            assert np.all(more >= less)
            assert np.any(more > less)
        assert grids[-1].max() <= 1

    def test_leaves_an_image_out_of_its_own_comparison(self, ano: AnoCLIP) -> None:
        # Were the copy among those that it is compared with, its distances would all be nothing.
        asked = settings(share=0.01)
        with_it = Others.gather(ano, PICTURES, asked)
        without = Others.gather(ano, PICTURES[1:], asked)
        tokens = ano.lattice_tokens(PICTURES[0], asked)[0]
        assert float(with_it.scales[0].distances(tokens, Reporter()).max()) == 0
        np.testing.assert_allclose(
            own(with_it, PICTURES[0]), without.scales[0].distances(tokens, Reporter()), atol=1e-6
        )
        digest = ImageSource.of(PICTURES[0]).digest
        for found in (with_it.known(digest), with_it.distances(digest, [tokens], Reporter())):
            np.testing.assert_allclose(found[0], own(with_it, PICTURES[0]), atol=1e-6)

    def test_counts_without_adaptation_too_and_for_the_tokens_as_they_come_from_the_model(self, ano: AnoCLIP) -> None:
        asked = settings(adapting=True)
        others = Others.gather(ano, PICTURES, asked)
        without, given = ano.detect(STRANGER, PROMPTS, asked), ano.detect(STRANGER, PROMPTS, asked, others=others)
        assert np.any(given.before > without.before + 1e-3)
        assert np.any(given.grid > without.grid + 1e-3)
        plain = ano.detect(STRANGER, PROMPTS, settings(), others=others)
        np.testing.assert_allclose(given.before, plain.map, atol=1e-6)

    def test_says_in_the_result_and_at_the_probe_what_the_others_did(self, ano: AnoCLIP) -> None:
        others = Others.gather(ano, PICTURES, settings())
        result = ano.detect(STRANGER, PROMPTS, settings(), others=others)
        assert result.provenance["others"] == {"digest": others.digest, "count": 8, "of": 8}
        assert json.loads(json.dumps(result.provenance)) == result.provenance
        probed = [ano.explain(STRANGER, PROMPTS, at, settings(), others=others) for at in [(2, 3), (40, 60), (69, 100)]]
        for told in probed:
            assert told.probability == pytest.approx(result.grid[told.patch], abs=1e-5)
            assert told.before == pytest.approx(told.probability)
        assert max(told.raised for told in probed) > 0
        assert ano.explain(STRANGER, PROMPTS, (2, 3), settings()).raised == 0

    def test_refuses_others_of_another_model_or_of_other_settings(self, ano: AnoCLIP) -> None:
        others = Others.gather(ano, PICTURES[:4], settings())
        ano.detect(STRANGER, PROMPTS, settings(weight=0.1, smooth=True), others=others)
        for asked in (settings("tiles"), settings(tokens="layers"), settings(degrees=(1,)), settings(share=0.5)):
            with pytest.raises(ModelError, match="other settings of tiling, V-V blocks or mutual scoring: gather"):
                ano.detect(STRANGER, PROMPTS, asked, others=others)
        with pytest.raises(ModelError, match="gathered with another model"):
            others.check("another")

    def test_stops_between_two_images_when_it_is_told_to(self, ano: AnoCLIP) -> None:
        others = Others.gather(ano, PICTURES, settings())
        flag, seen = threading.Event(), []

        def stop(progress: Progress) -> None:
            if progress.stage == "comparing with other images":
                seen.append(progress.done)
                flag.set()

        with pytest.raises(Cancelled):
            ano.detect(STRANGER, PROMPTS, settings(), others=others, on_progress=stop, cancel=flag)
        assert seen == [0]

    def test_compares_an_image_once_whatever_prompts_and_weights_follow(
        self, ano: AnoCLIP, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        others = Others.gather(ano, PICTURES[:4], settings())
        first = ano.detect(STRANGER, PROMPTS, settings(), others=others)
        monkeypatch.setattr(mutual_distance, "nearest_distances", None)
        np.testing.assert_array_equal(ano.detect(STRANGER, PROMPTS, settings(), others=others).map, first.map)
        ano.detect(STRANGER, PROMPTS, settings(weight=0.1), others=others)
        assert pickle.loads(pickle.dumps(others)).known(ImageSource.of(STRANGER).digest) is None

    def test_leaves_the_display_range_alone(self, ano: AnoCLIP) -> None:
        ranges = [ano.display_range(PROMPTS, asked, PICTURES[:2]) for asked in (settings(), settings(weight=3))]
        plain = settings().model_copy(update={"mutual": AnoCLIPSettings().mutual})
        assert ranges == [ano.display_range(PROMPTS, plain, PICTURES[:2])] * 2


def test_layers_are_those_at_the_end_of_each_quarter_and_the_last_is_the_towers_own(ano: AnoCLIP) -> None:
    visual = ano._backbone.visual
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        layers = image_encoder.vision.layer_tokens(visual, images)
        _, original = image_encoder.vision.two_paths(visual, images, original_patches=True)
    assert len(layers) == len(image_encoder.vision.quarters(visual))
    assert image_encoder.vision.quarters(visual)[-1] == len(visual.transformer.resblocks)
    torch.testing.assert_close(layers[-1], original[:, 1:])


class TestRescoring:
    scores = np.random.default_rng(0).random(9)
    tokens = np.random.default_rng(1).normal(size=(9, 5))

    def naive(self, neighbours: tuple[int, ...]) -> np.ndarray:
        unit = self.tokens / np.linalg.norm(self.tokens, axis=1, keepdims=True)
        alike = unit @ unit.T
        found = []
        for k in neighbours:
            kept = np.zeros_like(alike)
            for row in range(9):
                near = np.argsort(-alike[row])[:k]
                kept[row, near] = np.maximum(alike[row, near], 0)
            found.append(kept / kept.sum(axis=1, keepdims=True) @ self.scores)
        return np.mean(found, axis=0)

    @pytest.mark.parametrize("neighbours", [(1, 2, 3), (1,), (4, 9), (2,)])
    def test_is_that_of_the_formula(self, neighbours: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
        expected = self.naive(neighbours)
        np.testing.assert_allclose(rescore(self.scores, self.tokens, neighbours), expected, atol=1e-12)
        monkeypatch.setattr(mutual, "_CHUNK_BYTES", 1)
        np.testing.assert_allclose(rescore(self.scores, self.tokens, neighbours), expected, atol=1e-12)

    def test_stays_within_the_scores_and_draws_like_images_together(self) -> None:
        scores = rescore([0.9, 0.1, 0.5], [[1, 0], [1, 0.01], [-1, 0]])
        assert 0.1 < scores[1] < scores[0] < 0.9
        assert scores[2] == pytest.approx(0.5), "an image like no other keeps its score"

    def test_of_fewer_images_than_neighbours_takes_those_that_there_are(self) -> None:
        np.testing.assert_allclose(rescore([0.3], [[1.0, 2.0]]), [0.3])
        assert rescore([], np.empty((0, 4))).shape == (0,)

    @pytest.mark.parametrize(
        "call",
        [lambda: rescore([1, 2], [[1.0]]), lambda: rescore([1], [[1.0]], ()), lambda: rescore([1], [[1.0]], (0,))],
    )
    def test_refuses_what_does_not_fit_together(self, call: Callable[[], object]) -> None:
        with pytest.raises(ValueError, match="one class token for each score"):
            call()


@pytest.mark.parametrize("degrees", [(2,), (1, 1), (), (17,)])
def test_sides_of_squares_are_odd_different_and_not_too_large(degrees: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="degrees"):
        settings(degrees=degrees)

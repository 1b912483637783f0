"""The pipeline as a user of the Python interface meets it, on the tiny recorded model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from engine import golden

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, scoring, vision
from napari_anoclip.engine.errors import Cancelled, DeviceMemoryError, ImageError, ModelError, PromptError
from napari_anoclip.engine.progress import Progress
from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings

PROMPTS = PromptSet.compose(
    object="carpet",
    normal_states=["normal {}", "flawless {}"],
    abnormal_states=["damaged {}", "{} with flaw"],
    frames=["a photo of the {}", "a close-up photo of the {}"],
)
TILES = AnoCLIPSettings(tiling=TilingSettings(mode="tiles"))
ADAPTING = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True))


@pytest.fixture
def ano(tmp_path: Path) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (70, 101, 3), dtype=np.uint8)


@pytest.fixture
def tower_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Batch sizes of every run of the image tower."""
    runs: list[int] = []
    original = vision.two_paths

    def counted(visual: object, images: torch.Tensor, **options: object) -> object:
        runs.append(len(images))
        return original(visual, images, **options)

    monkeypatch.setattr(vision, "two_paths", counted)
    return runs


@pytest.mark.parametrize("score", ["class_token", "map_max", "both"])
def test_a_model_that_computes_no_numbers_is_said_to(tmp_path: Path, picture: np.ndarray, score: str) -> None:
    model = golden.tiny_model()
    with torch.no_grad():
        model.visual.proj[0, 0] = torch.nan
    broken = AnoCLIP.from_open_clip(model, golden.tokenizer(), cache_folder=tmp_path)
    settings = AnoCLIPSettings(scoring=ScoringSettings.model_validate({"image_score": score}))
    with pytest.raises(ModelError, match=r"no number.*fp32"):
        broken.detect(picture, PROMPTS, settings)


@pytest.mark.parametrize("mode", ["fit", "tiles", "both"])
@pytest.mark.parametrize("shape", [(70, 101, 3), (70, 101), (48, 48, 4), (1, 1), (3, 300), (33, 47, 3)])
def test_map_has_the_images_size_and_is_a_probability(ano: AnoCLIP, mode: str, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    settings = AnoCLIPSettings(
        tiling=TilingSettings.model_validate({"mode": mode}), scoring=ScoringSettings(temperature=1.0)
    )
    result = ano.detect(image, PROMPTS, settings)
    assert result.map.shape == shape[:2]
    assert result.map.dtype == np.float32
    assert 0 < result.map.min() <= result.map.max() < 1
    assert 0 < result.score < 1


def test_fitted_map_equals_the_parts_of_the_method(ano: AnoCLIP) -> None:
    image = np.random.default_rng(2).random((48, 48, 3)).astype(np.float32)
    tokens = ano.encode_image(ano._backbone.normalise(torch.from_numpy(image).permute(2, 0, 1))[None])
    text = ano.encode_prompts(PROMPTS)
    grid = scoring.abnormal_probability(scoring.cosines(tokens.patches, text.sides), ano.temperature)
    expected = scoring.smooth(grid.reshape(6, 6).numpy())
    np.testing.assert_allclose(ano.detect(image, PROMPTS).grid, expected, atol=1e-5)


def test_changes_that_leave_the_image_alone_do_not_run_the_image_tower(
    ano: AnoCLIP, picture: np.ndarray, tower_runs: list[int]
) -> None:
    ano.detect(picture, PROMPTS, TILES)
    first = sum(tower_runs)
    assert first > 0
    for settings in (
        TILES.model_copy(update={"scoring": ScoringSettings(temperature=1.0, smooth=False, mean_order="unit")}),
        TILES.model_copy(update={"adaptation": AdaptationSettings(enabled=True)}),
    ):
        ano.detect(picture, PROMPTS, settings)
    ano.detect(picture, PROMPTS.with_object("leather"), TILES)
    ano.explain(picture, PROMPTS, (10, 10), TILES)
    assert sum(tower_runs) == first


def test_changed_pixels_or_limits_are_looked_at_again(ano: AnoCLIP, picture: np.ndarray, tower_runs: list[int]) -> None:
    ano.detect(picture, PROMPTS)
    picture[3, 4] = 255 - picture[3, 4]
    ano.detect(picture, PROMPTS)
    ano.detect(picture, PROMPTS, contrast_limits=(0, 100))
    assert len(tower_runs) == 3


def test_the_model_is_left_as_it_was(picture: np.ndarray, tmp_path: Path) -> None:
    model = golden.tiny_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    AnoCLIP.from_open_clip(model, golden.tokenizer(), cache_folder=tmp_path).detect(picture, PROMPTS, ADAPTING)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_adaptation_does_not_depend_on_the_order_of_images(ano: AnoCLIP, picture: np.ndarray) -> None:
    other = picture[::-1].copy()
    first = ano.detect(picture, PROMPTS, ADAPTING)
    ano.detect(other, PROMPTS, ADAPTING)
    again = ano.detect(picture, PROMPTS, ADAPTING)
    np.testing.assert_array_equal(first.map, again.map)
    assert first.losses == again.losses
    assert len(first.losses) == ADAPTING.adaptation.steps


def test_a_seed_changes_the_adapted_map_and_a_zero_start_needs_none(ano: AnoCLIP, picture: np.ndarray) -> None:
    def grid(**options: object) -> np.ndarray:
        settings = AdaptationSettings.model_validate({"enabled": True, **options})
        return ano.detect(picture, PROMPTS, AnoCLIPSettings(adaptation=settings)).grid

    assert not np.array_equal(grid(seed=0), grid(seed=1))
    still = {"start": "zero", "learning_rate": 1e-12}
    np.testing.assert_allclose(grid(**still), ano.detect(picture, PROMPTS).grid, atol=1e-5)


@pytest.mark.parametrize("adapter", ["prompt", "linear"])
def test_images_adapted_together_equal_images_adapted_alone(ano: AnoCLIP, adapter: str) -> None:
    settings = AnoCLIPSettings(adaptation=AdaptationSettings.model_validate({"adapter": adapter}))
    text = ano.encode_prompts(PROMPTS)
    tokens = ano.encode_image(torch.tensor(golden.tiny_arrays()["images"])).patches
    together = ano.adapt(tokens, text, settings)
    alone = [ano.adapt(tokens[index : index + 1], text, settings) for index in range(len(tokens))]
    # Not to the last bit: some processors add up a larger product in another order.
    np.testing.assert_allclose(together.grid, np.concatenate([one.grid for one in alone]), rtol=1e-6)
    np.testing.assert_allclose(together.losses, np.concatenate([one.losses for one in alone]), rtol=1e-6)


def test_adaptation_in_chunks_equals_adaptation_at_once(ano: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ano.encode_prompts(PROMPTS)
    tokens = ano.encode_image(torch.tensor(golden.tiny_arrays()["images"])).patches[:1]
    whole = ano.adapt(tokens, text, ADAPTING)
    monkeypatch.setattr("napari_anoclip.engine.adaptation._CHUNK_TOKENS", 7)
    np.testing.assert_allclose(ano.adapt(tokens, text, ADAPTING).grid, whole.grid, atol=1e-5)


@pytest.mark.parametrize("settings", [AnoCLIPSettings(), TILES, ADAPTING], ids=["fit", "tiles", "adapted"])
def test_shares_of_the_prompts_sum_to_the_logit(ano: AnoCLIP, picture: np.ndarray, settings: AnoCLIPSettings) -> None:
    rough = settings.model_copy(update={"scoring": ScoringSettings(smooth=False)})
    for mean_order in ("embeddings", "unit"):
        rough = rough.model_copy(
            update={"scoring": rough.scoring.model_copy(update={"mean_order": mean_order, "temperature": 0.05})}
        )
        told = ano.explain(picture, PROMPTS, (60, 90), rough)
        assert told.shares.sum() == pytest.approx(told.logit, abs=1e-4)
        assert len(told.shares) == len(told.prompts) == len(PROMPTS.normal) + len(PROMPTS.abnormal)
        if rough.tiling.mode == "fit":
            grid = ano.detect(picture, PROMPTS, rough).grid
            assert told.probability == pytest.approx(float(grid[told.patch]), abs=1e-5)


def test_image_score_follows_its_setting(ano: AnoCLIP, picture: np.ndarray) -> None:
    scores = {
        method: ano.detect(
            picture, PROMPTS, AnoCLIPSettings(scoring=ScoringSettings.model_validate({"image_score": method}))
        ).score
        for method in ("class_token", "map_max", "both")
    }
    assert scores["map_max"] == pytest.approx(float(ano.detect(picture, PROMPTS).grid.max()))
    assert scores["both"] == pytest.approx((scores["class_token"] + scores["map_max"]) / 2)
    assert scores["class_token"] != pytest.approx(scores["map_max"], abs=1e-3)


def test_22_views_change_the_class_tokens_score_only(ano: AnoCLIP, picture: np.ndarray) -> None:
    one, many = (
        ano.detect(
            picture,
            PROMPTS,
            AnoCLIPSettings(scoring=ScoringSettings.model_validate({"image_score": "class_token", "views": count})),
        )
        for count in (1, 22)
    )
    np.testing.assert_array_equal(one.map, many.map)
    assert one.score != many.score


def test_progress_names_its_stages_and_ends_complete(ano: AnoCLIP, picture: np.ndarray) -> None:
    seen: list[Progress] = []
    ano.detect(picture, PROMPTS, TILES.model_copy(update={"adaptation": ADAPTING.adaptation}), on_progress=seen.append)
    last = {step.stage: step for step in seen}
    assert set(last) == {"encoding prompts", "encoding image", "adapting"}
    assert all(step.done == step.total for step in last.values())


@pytest.mark.parametrize("stage", ["encoding image", "adapting"])
def test_cancel_stops_within_one_step_and_the_next_run_works(ano: AnoCLIP, picture: np.ndarray, stage: str) -> None:
    flag = threading.Event()
    after_flag: list[Progress] = []

    def watch(step: Progress) -> None:
        if flag.is_set():
            after_flag.append(step)
        if step.stage == stage:
            flag.set()

    with pytest.raises(Cancelled):
        ano.detect(picture, PROMPTS, ADAPTING, on_progress=watch, cancel=flag)
    assert after_flag == []
    assert ano.detect(picture, PROMPTS, ADAPTING).map.shape == picture.shape[:2]


@pytest.mark.fault("memory", "memory runs out for a batch", "the result, from smaller batches", sees="the heatmap")
def test_memory_that_runs_out_halves_the_batch_and_goes_on(
    ano: AnoCLIP, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ano.detect(picture[::-1], PROMPTS, TILES).grid
    original, sizes = vision.two_paths, []

    def scarce(visual: object, images: torch.Tensor, **options: object) -> object:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("simulated")
        return original(visual, images, **options)

    monkeypatch.setattr(vision, "two_paths", scarce)
    ano._images._cache.clear()
    np.testing.assert_allclose(ano.detect(picture[::-1], PROMPTS, TILES).grid, expected, atol=1e-5)
    assert max(sizes) > 2 >= sizes[-1]


@pytest.mark.fault("memory", "memory is not enough for a single tile", "the model; the next run works")
def test_memory_that_is_never_enough_is_said_and_the_next_run_works(
    ano: AnoCLIP, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch, sees: Callable[[object], str]
) -> None:
    def none_left(*args: object, **options: object) -> object:
        raise torch.OutOfMemoryError("simulated")

    with monkeypatch.context() as patch:
        patch.setattr(vision, "two_paths", none_left)
        with pytest.raises(DeviceMemoryError, match="Memory ran out") as refused:
            ano.detect(picture, PROMPTS)
        sees(refused.value)
    assert ano.detect(picture, PROMPTS).map.shape == picture.shape[:2]


def test_an_empty_side_is_refused(ano: AnoCLIP, picture: np.ndarray) -> None:
    one_sided = PromptSet.compose(object="carpet", normal_states=["normal {}"], frames=["a photo of the {}"])
    with pytest.raises(PromptError, match="abnormal"):
        ano.detect(picture, one_sided)


@pytest.mark.parametrize("at", [(-1, 0), (70, 0), (0, 101)])
def test_a_pixel_outside_the_image_is_refused(ano: AnoCLIP, picture: np.ndarray, at: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="outside"):
        ano.explain(picture, PROMPTS, at)


@pytest.mark.parametrize("shape", [(3, 48, 48), (1, 3, 47, 48), (0, 3, 48, 48), (1, 1, 48, 48)])
def test_a_batch_that_does_not_fit_the_patches_is_refused(ano: AnoCLIP, shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="multiples of 8"):
        ano.encode_image(torch.zeros(shape))


def test_a_rectangular_batch_has_a_rectangular_grid(ano: AnoCLIP) -> None:
    tokens = ano.encode_image(torch.zeros(2, 3, 32, 80))
    assert tokens.grid == (4, 10)
    assert tokens.patches.shape[:2] == (2, 40)


def test_a_larger_square_gives_a_finer_grid_in_the_same_place(ano: AnoCLIP, picture: np.ndarray) -> None:
    result = ano.detect(picture, PROMPTS, AnoCLIPSettings(tiling=TilingSettings(side=100)))
    assert result.grid.shape == (12, 12)
    assert result.map.shape == picture.shape[:2]


def test_provenance_is_json_and_restores_the_run(ano: AnoCLIP, picture: np.ndarray) -> None:
    result = ano.detect(picture, PROMPTS, ADAPTING, contrast_limits=(10, 200))
    told = json.loads(json.dumps(result.provenance))
    again = ano.detect(
        picture,
        PromptSet.model_validate(told["prompts"]),
        AnoCLIPSettings.model_validate(told["settings"]),
        contrast_limits=(told["scaling"]["low"], told["scaling"]["high"]),
    )
    np.testing.assert_array_equal(again.map, result.map)
    assert again.provenance["image"] == told["image"]
    assert told["model_id"] == ano.model_id


def test_tiles_of_one_picture_repeated_agree_without_seams(ano: AnoCLIP) -> None:
    """A picture periodic in the tile's step looks the same to every tile, so the blended map must be periodic too."""
    period = np.random.default_rng(3).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    image = np.tile(period, (6, 6, 1))
    settings = AnoCLIPSettings(tiling=TilingSettings(mode="tiles", overlap=0.5), scoring=ScoringSettings(smooth=False))
    grid = ano.detect(image, PROMPTS, settings).grid
    inner = grid[3:-3, 3:-3]
    np.testing.assert_allclose(inner[3:], inner[:-3], atol=1e-4)
    np.testing.assert_allclose(inner[:, 3:], inner[:, :-3], atol=1e-4)


@pytest.mark.fault("threads", "one model is used by two threads", "the results that one thread gives", sees="nothing")
def test_use_from_two_threads_gives_what_one_gives(ano: AnoCLIP, picture: np.ndarray) -> None:
    expected = ano.detect(picture, PROMPTS, TILES).map
    ano._images._cache.clear()
    results: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: results.append(ano.detect(picture, PROMPTS, TILES).map)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    for result in results:
        np.testing.assert_allclose(result, expected, atol=1e-5)

"""Tiles of several images encoded together and ahead of time: the same results, and less to do later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from engine import golden

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, prepared, vision
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.settings import MutualSettings, ScoringSettings, TilingSettings

PROMPTS = PromptSet.compose(
    object="carpet",
    normal_states=["normal {}", "flawless {}"],
    abnormal_states=["damaged {}"],
    frames=["a photo of the {}"],
)
FITTED = AnoCLIPSettings()
TILES = AnoCLIPSettings(tiling=TilingSettings(mode="tiles"))
BOTH = AnoCLIPSettings(tiling=TilingSettings(mode="both"))
VIEWS = AnoCLIPSettings(scoring=ScoringSettings(views=22))


@pytest.fixture
def ano(tmp_path: Path) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)


@pytest.fixture
def sources() -> list[ImageSource]:
    shapes = [(70, 101, 3), (48, 48), (33, 120, 4)]
    random = np.random.default_rng(0)
    return [ImageSource.of(random.integers(0, 255, shape, dtype=np.uint8)) for shape in shapes]


@pytest.fixture
def tower_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Batch sizes of every run of the image tower."""
    runs: list[int] = []
    original = vision.embed

    def counted(visual: object, images: torch.Tensor) -> torch.Tensor:
        runs.append(len(images))
        return original(visual, images)

    monkeypatch.setattr(vision, "embed", counted)
    return runs


@pytest.mark.parametrize("settings", [FITTED, TILES, BOTH, VIEWS], ids=["fit", "tiles", "both", "views"])
def test_detect_gives_the_same_and_does_not_run_the_tower_again(
    ano: AnoCLIP, sources: list[ImageSource], tower_runs: list[int], settings: AnoCLIPSettings
) -> None:
    expected = [ano.detect(source, PROMPTS, settings) for source in sources]
    ano.forget_tokens()
    ano.encode_ahead([ano.prepare(source, settings) for source in sources])
    tower_runs.clear()
    found = [ano.detect(source, PROMPTS, settings) for source in sources]
    assert tower_runs == []
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.map, other.map, atol=2e-6)
        assert one.score == pytest.approx(other.score, abs=2e-6)


def test_tokens_by_which_images_are_compared_are_encoded_ahead_too(
    ano: AnoCLIP, sources: list[ImageSource], tower_runs: list[int]
) -> None:
    settings = AnoCLIPSettings(mutual=MutualSettings(enabled=True, tokens="layers"), tiling=TILES.tiling)
    expected = [ano.lattice_tokens(source, settings) for source in sources]
    ano.forget_tokens()
    ano.encode_ahead([ano.prepare(source, settings) for source in sources])
    tower_runs.clear()
    for source, tokens in zip(sources, expected, strict=True):
        torch.testing.assert_close(ano.lattice_tokens(source, settings), tokens, atol=1e-5, rtol=1e-5)
        ano.detect(source, PROMPTS, settings)
    assert tower_runs == []


def test_several_images_share_a_batch(ano: AnoCLIP, sources: list[ImageSource], tower_runs: list[int]) -> None:
    ano.encode_ahead([ano.prepare(source, FITTED) for source in sources])
    assert tower_runs == [3]


def test_two_settings_that_need_the_same_tokens_are_encoded_once(
    ano: AnoCLIP, sources: list[ImageSource], tower_runs: list[int]
) -> None:
    sharper = AnoCLIPSettings(scoring=ScoringSettings(temperature=0.05))
    ano.encode_ahead([ano.prepare(source, one) for source in sources for one in (FITTED, sharper)])
    assert sum(tower_runs) == 3


def test_what_is_kept_already_is_neither_prepared_nor_encoded(
    ano: AnoCLIP, sources: list[ImageSource], tower_runs: list[int]
) -> None:
    late = ano.prepare(sources[0], FITTED)
    ano.detect(sources[0], PROMPTS, FITTED)
    tower_runs.clear()
    assert ano.prepare(sources[0], FITTED).parts == ()
    ano.encode_ahead([late])
    assert tower_runs == []


def test_kept_tokens_count_no_more_than_they_hold(ano: AnoCLIP, sources: list[ImageSource]) -> None:
    ano.encode_ahead([ano.prepare(source, TILES) for source in sources])
    held = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for source in sources
        for field in ano.tokens(source, TILES)
        for tensor in (field.patches, field.cls)
    }
    assert sum(held.values()) == ano.token_bytes


def test_the_bound_on_kept_tokens_holds(ano: AnoCLIP, sources: list[ImageSource]) -> None:
    ready = [ano.prepare(source, TILES) for source in sources]
    ano.token_cache_bytes = ready[-1].token_bytes + 4096
    ano.encode_ahead(ready)
    assert 0 < ano.token_bytes <= ano.token_cache_bytes


def test_inputs_of_a_large_image_are_read_only_when_they_are_encoded(
    ano: AnoCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "HELD_INPUT_BYTES", 100_000)
    source = ImageSource.of(np.random.default_rng(1).integers(0, 255, (150, 150), dtype=np.uint8))
    expected = ano.detect(source, PROMPTS, TILES)
    ano.forget_tokens()
    reads: list[int] = []
    original = ano._images._inputs.tiles

    def counted(*args: object) -> torch.Tensor:
        inputs = original(*args)
        reads.append(len(inputs))
        return inputs

    monkeypatch.setattr(ano._images._inputs, "tiles", counted)
    ready = ano.prepare(source, TILES)
    assert reads == []
    ano.encode_ahead([ready])
    assert sum(reads) == ready.parts[0].count > 4
    np.testing.assert_allclose(ano.detect(source, PROMPTS, TILES).map, expected.map, atol=2e-6)


@pytest.mark.parametrize("settings", [FITTED, TILES, VIEWS], ids=["fit", "tiles", "views"])
def test_tokens_that_there_is_no_room_to_keep_are_not_encoded_twice(
    ano: AnoCLIP, sources: list[ImageSource], tower_runs: list[int], settings: AnoCLIPSettings
) -> None:
    ano.token_cache_bytes = 0
    ano.detect(sources[0], PROMPTS, settings)
    alone = sum(tower_runs)
    tower_runs.clear()
    ano.encode_ahead([ano.prepare(sources[0], settings)])
    ano.detect(sources[0], PROMPTS, settings)
    assert sum(tower_runs) == alone


def test_encoding_ahead_can_be_cancelled(ano: AnoCLIP, sources: list[ImageSource]) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        ano.encode_ahead([ano.prepare(sources[0], FITTED)], cancel=stop)

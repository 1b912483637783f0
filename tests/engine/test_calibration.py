"""One display range for all images: what is shown does not depend on where a model's scores happen to sit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from engine import golden

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.calibration import NORMAL_SHARE, DisplayRange, RangeStore
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings

PROMPTS = PromptSet.compose(
    object="carpet", normal_states=["normal {}"], abnormal_states=["damaged {}"], frames=["a photo of the {}"]
)


@pytest.fixture
def normal_grids() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.normal(0.3, 0.02, (15, 15)).astype(np.float32) for _ in range(24)]


@pytest.fixture
def good_images() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 255, (48, 48, 3), dtype=np.uint8) for _ in range(3)]


@pytest.fixture
def ano(tmp_path: Path) -> AnoCLIP:
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)


def shown(grid: np.ndarray, display: DisplayRange) -> np.ndarray:
    """Position of each score in the colour map."""
    return np.clip((grid - display.low) / (display.high - display.low), 0, 1)


@pytest.mark.parametrize(("scale", "shift"), [(0.01, 0.47), (0.5, 0.1), (2.0, -0.3)])
def test_scores_shifted_and_scaled_look_the_same(normal_grids: list, scale: float, shift: float) -> None:
    bad = normal_grids[0].copy()
    bad[4:6, 7:9] = 0.42
    before = shown(bad, DisplayRange.of_normal(normal_grids, "test"))
    moved = DisplayRange.of_normal([scale * grid + shift for grid in normal_grids], "test")
    np.testing.assert_allclose(shown(scale * bad + shift, moved), before, atol=2e-3)


def test_a_good_image_is_calm_beside_a_bad_one(normal_grids: list) -> None:
    display = DisplayRange.of_normal(normal_grids[1:], "test")
    bad = normal_grids[0].copy()
    bad[4:6, 7:9] = 0.45
    good = shown(normal_grids[0], display)
    assert np.median(good) < 0.1
    assert np.mean(good > NORMAL_SHARE) < 0.01
    assert good.max() < shown(bad, display)[4:6, 7:9].min() == 1


def test_the_99_9th_percentile_of_normal_lands_where_documented(normal_grids: list) -> None:
    display = DisplayRange.of_normal(normal_grids, "test")
    top = np.percentile(np.stack(normal_grids), 99.9)
    assert (top - display.low) / (display.high - display.low) == pytest.approx(NORMAL_SHARE, abs=1e-4)


def test_identical_normal_patches_still_give_a_range() -> None:
    display = DisplayRange.of_normal([np.full((3, 3), 0.5, np.float32)], "test")
    assert display.high > display.low


def test_range_is_kept_by_model_prompts_and_scoring(ano: AnoCLIP, good_images: list, tmp_path: Path) -> None:
    display = ano.display_range(PROMPTS, references=good_images)
    assert display == ano.display_range(PROMPTS, references=good_images)
    assert display == ano.display_range(
        PROMPTS, AnoCLIPSettings(tiling=TilingSettings(mode="tiles")), references=good_images
    )
    others = [
        ano.display_range(PROMPTS.with_object("leather"), references=good_images),
        ano.display_range(PROMPTS, AnoCLIPSettings(scoring=ScoringSettings(temperature=0.5)), references=good_images),
        ano.display_range(
            PROMPTS, AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True)), references=good_images
        ),
        ano.display_range(PROMPTS, references=good_images[:2]),
    ]
    assert display not in others

    second_start = AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)
    second_start._images = None  # type: ignore[assignment]  # a kept range needs no image tower
    assert second_start.display_range(PROMPTS, references=good_images) == display


def test_a_range_kept_under_another_rule_is_measured_again(
    ano: AnoCLIP, good_images: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ano.display_range(PROMPTS, references=good_images)
    for module in ("calibration", "range_measuring"):
        monkeypatch.setattr(f"napari_anoclip.engine.{module}.NORMAL_SHARE", NORMAL_SHARE / 2)
    assert ano.display_range(PROMPTS, references=good_images).high > before.high


def test_the_users_own_good_images_are_named(ano: AnoCLIP, good_images: list) -> None:
    assert ano.display_range(PROMPTS, references=good_images).source == "3 own good images"


def test_no_reference_is_refused(ano: AnoCLIP) -> None:
    with pytest.raises(ImageError, match="at least one normal picture"):
        ano.display_range(PROMPTS, references=[])


@pytest.mark.fault(
    "caches and disks", "the file of colour ranges is damaged", "the range is measured again and kept", sees="nothing"
)
@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": {"low": 1}}', "\x00"])
def test_a_damaged_file_is_ignored_and_replaced(tmp_path: Path, content: str) -> None:
    file = tmp_path / "ranges.json"
    file.write_text(content)
    store = RangeStore(file)
    assert store.get("a") is None
    kept = DisplayRange(0.1, 0.2, "test")
    store.put("b", kept)
    assert RangeStore(file).get("b") == kept


def test_a_folder_that_cannot_be_written_keeps_ranges_in_memory(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    store = RangeStore(blocked / "ranges.json")
    kept = DisplayRange(0.1, 0.2, "test")
    store.put("a", kept)
    assert store.get("a") == kept


@pytest.mark.fault("caches and disks", "two processes write the colour ranges", "the ranges of both", sees="nothing")
def test_two_processes_keep_each_others_ranges(tmp_path: Path) -> None:
    first, second = RangeStore(tmp_path / "r.json"), RangeStore(tmp_path / "r.json")
    first.put("a", DisplayRange(0.1, 0.2, "first"))
    second.put("b", DisplayRange(0.3, 0.4, "second"))
    both = RangeStore(tmp_path / "r.json")
    assert both.get("a") is not None
    assert both.get("b") is not None

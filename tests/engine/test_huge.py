"""Images larger than memory has room for: read in strips, encoded in groups, and the same result."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from engine import golden

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, image_encoder, imaging, token_field, vision
from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.engine.field_scoring import FieldScoring
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings

PROMPTS = PromptSet.compose(
    object="carpet",
    normal_states=["normal {}", "flawless {}"],
    abnormal_states=["damaged {}", "{} with flaw"],
    frames=["a photo of the {}"],
)
TILES = AnoCLIPSettings(tiling=TilingSettings(mode="tiles"))
PATCH_BYTES = 6 * 6 * 32 * 4
"""Of the tiny model's patch tokens of one tile: 6 × 6 patches, 32 channels, float32."""


class Stored:
    """An array in chunks that can only be sliced; remembers its largest slice and how often each row was decoded."""

    def __init__(self, pixels: np.ndarray, chunk: int) -> None:
        self._pixels = pixels
        self.shape, self.dtype, self.chunks = pixels.shape, pixels.dtype, (chunk, chunk, *pixels.shape[2:])
        self.largest = 0
        self.decoded = np.zeros(-(-pixels.shape[0] // chunk), int)

    def __getitem__(self, key: object) -> np.ndarray:
        part = self._pixels[key]
        rows = key[0] if isinstance(key, tuple) else key
        self.decoded[rows.start // self.chunks[0] : -(-rows.stop // self.chunks[0])] += 1
        self.largest = max(self.largest, part.size)
        return part


@pytest.fixture
def load(tmp_path: Path) -> Callable[[], AnoCLIP]:
    """Load the tiny model, with nothing kept."""
    return lambda: AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=tmp_path)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (190, 230), dtype=np.uint8)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only three tiles' tokens may be handed out, and ten tiles' be held, at once."""
    monkeypatch.setattr(token_field, "GROUP_BYTES", 3 * PATCH_BYTES)
    monkeypatch.setattr(image_encoder, "HELD_BYTES", 10 * PATCH_BYTES)


def no_cache(model: AnoCLIP) -> AnoCLIP:
    model._images._cache.max_bytes = 0
    return model


@pytest.mark.parametrize(("mode", "image_score"), [("tiles", "both"), ("both", "class_token"), ("tiles", "map_max")])
def test_tiles_in_groups_give_what_all_at_once_give(
    load: Callable[[], AnoCLIP], picture: np.ndarray, request: pytest.FixtureRequest, mode: str, image_score: str
) -> None:
    settings = AnoCLIPSettings.model_validate({"tiling": {"mode": mode}, "scoring": {"image_score": image_score}})
    expected = load().detect(picture, PROMPTS, settings)
    request.getfixturevalue("little_memory")
    found = no_cache(load()).detect(picture, PROMPTS, settings)
    np.testing.assert_allclose(found.map, expected.map, atol=1e-5)
    assert found.score == pytest.approx(expected.score, abs=1e-5)


@pytest.mark.usefixtures("little_memory")
def test_of_tiles_in_groups_no_more_than_a_group_is_there(
    load: Callable[[], AnoCLIP], picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = no_cache(load())
    original, sizes, runs = FieldScoring.probability, [], []

    def counted(self: FieldScoring, tokens: torch.Tensor, *args: object) -> torch.Tensor:
        sizes.append(tokens.numel() * 4)
        return original(self, tokens, *args)

    two_paths = vision.two_paths

    def encoded(visual: object, images: torch.Tensor, **options: object) -> object:
        runs.append(len(images))
        return two_paths(visual, images, **options)

    monkeypatch.setattr(FieldScoring, "probability", counted)
    monkeypatch.setattr(vision, "two_paths", encoded)
    seen: list[tuple[int, int]] = []
    model.detect(picture, PROMPTS, TILES, on_progress=lambda progress: seen.append((progress.done, progress.total)))
    lattice = model._images.fields(ImageSource.of(picture), TILES.tiling, TILES.vv_blocks, Reporter())[-1].lattice
    count = len(lattice.tiles)
    assert count > 20
    assert max(sizes[:-1]) <= 3 * PATCH_BYTES
    assert sum(runs) == count, "every tile is encoded once"
    assert (count, count) in seen
    assert [done for done, total in seen if total == count] == sorted(done for done, total in seen if total == count)
    assert model.token_bytes == 0


@pytest.mark.usefixtures("little_memory")
def test_a_patch_of_a_huge_image_is_explained_from_its_tile_alone(
    load: Callable[[], AnoCLIP], picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_paths, runs = vision.two_paths, []

    def encoded(visual: object, images: torch.Tensor, **options: object) -> object:
        runs.append(len(images))
        return two_paths(visual, images, **options)

    monkeypatch.setattr(vision, "two_paths", encoded)
    settings = TILES.model_copy(update={"scoring": ScoringSettings(smooth=False)})
    explained = no_cache(load()).explain(picture, PROMPTS, (151, 99), settings)
    assert runs == [1]
    monkeypatch.setattr(image_encoder, "HELD_BYTES", 1 << 30)
    expected = load().explain(picture, PROMPTS, (151, 99), settings)
    assert explained.box == expected.box
    assert explained.probability == pytest.approx(expected.probability, abs=1e-5)


@pytest.mark.usefixtures("little_memory")
def test_what_needs_all_tokens_at_once_says_what_to_choose_instead(
    load: Callable[[], AnoCLIP], picture: np.ndarray
) -> None:
    model = no_cache(load())
    adapting = TILES.model_copy(update={"adaptation": AdaptationSettings(enabled=True)})
    stages: list[str] = []
    with pytest.raises(ImageError, match="turn adaptation off, fit the whole image, or look at a region"):
        model.detect(picture, PROMPTS, adapting, on_progress=lambda progress: stages.append(progress.stage))
    assert "encoding image" not in stages, "it is said before the work, not after it"
    with pytest.raises(ImageError, match="more than can be adapted or compared"):
        model.similar(picture, (5, 5), TILES)
    model.detect(picture, PROMPTS, TILES.model_copy(update={"tiling": TilingSettings(mode="fit")}))


@pytest.mark.usefixtures("little_memory")
def test_a_long_run_in_groups_can_be_cancelled(load: Callable[[], AnoCLIP], picture: np.ndarray) -> None:
    done: list[int] = []

    class After:
        def is_set(self) -> bool:
            return bool(done) and done[-1] >= 6

    with pytest.raises(Cancelled):
        no_cache(load()).detect(
            picture, PROMPTS, TILES, on_progress=lambda progress: done.append(progress.done), cancel=After()
        )
    assert done[-1] < 12


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", ["fit", "tiles"])
def test_stored_arrays_are_never_read_whole(
    load: Callable[[], AnoCLIP], monkeypatch: pytest.MonkeyPatch, dtype: type, mode: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 300), dtype=np.uint8).astype(dtype)
    settings = AnoCLIPSettings.model_validate({"tiling": {"mode": mode}})
    expected = load().detect(pixels, PROMPTS, settings)
    monkeypatch.setattr(imaging, "_STRIP_PIXELS", 300 * 20)
    stored = Stored(pixels, chunk=64)
    source = ImageSource.of(stored)
    assert stored.largest == 300 * 64, "whole rows of chunks"
    assert set(stored.decoded) == {1 if dtype is np.uint8 else 2}, "one pass to hash, one more to find the range"
    found = load().detect(source, PROMPTS, settings)
    np.testing.assert_array_equal(found.map, expected.map)
    assert found.provenance["image"] == expected.provenance["image"]
    assert stored.largest == 300 * 64


def test_chunks_too_large_to_read_rows_of_them_are_read_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imaging, "_STRIP_PIXELS", 300 * 20)
    monkeypatch.setattr(imaging, "_READ_BYTES", 300 * 63)
    stored = Stored(np.zeros((400, 300), np.uint8), chunk=64)
    imaging.fingerprint(stored)
    assert stored.largest == 300 * 20


PEAK = """
    import sys
    import numpy as np

    class Made:
        shape, dtype, chunks = (12000, 12000), np.dtype(np.uint16), (1000, 1000)

        def __getitem__(self, key):
            rows, columns = (one.indices(12000) for one in key)
            return (np.arange(*rows)[:, None] % 251 + np.arange(*columns) % 241).astype(np.uint16)

    def kilobytes(name):
        with open("/proc/self/status") as status:
            return int(next(line for line in status if line.startswith(name)).split()[1])

    from engine import golden
    from napari_anoclip.engine import AnoCLIP, PromptSet
    from pathlib import Path

    model = AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=Path(sys.argv[1]))
    prompts = PromptSet.preset("short", "plate")
    model.detect(np.zeros((300, 300), np.uint8), prompts)
    idle = kilobytes("VmRSS")
    result = model.detect(Made(), prompts, block=3)
    assert result.map.shape == (4000, 4000)
    print((kilobytes("VmHWM") - idle) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the process's peak from /proc")
def test_the_peak_of_a_process_stays_below_the_size_of_the_image(tmp_path: Path) -> None:
    """A 12,000 × 12,000 16-bit image has 275 MB, 1.7 GB as float RGB; its map alone is 61 MB."""
    tests = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PEAK), str(tmp_path)],
        cwd=tests,
        env={"PYTHONPATH": str(tests), "OMP_NUM_THREADS": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 270

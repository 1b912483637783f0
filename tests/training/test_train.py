"""Training starts from nothing or from the packaged weights, stops when told, and goes on where it stood."""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from training import pool, sources, train
from training.export import BUILTIN, WEIGHTS, export, exported
from training.runs import Run
from training.train import Trainer
from training.train_text import save


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """An empty run among few and small pictures; a step is one of few tokens."""
    monkeypatch.setenv("ANOCLIP_TRAINING", str(tmp_path))
    monkeypatch.setattr(pool, "CAPACITY", 12)
    monkeypatch.setattr(train, "FIRST", 8)
    monkeypatch.setattr(train, "SCENES_A_STEP", 1)
    monkeypatch.setattr(train, "TOKENS_A_BATCH", 240)
    rng = np.random.default_rng(0)
    for kind, channels in (("textures", 3), ("panels", 3), ("things", 4)):
        np.save(tmp_path / f"{kind}_train.npy", rng.integers(0, 255, (2, 288, 288, channels), dtype=np.uint8))
    (tmp_path / "sources.json").write_text(json.dumps([]))
    sources.pictures.cache_clear()
    found = Run.named("small")
    found.folder.mkdir()
    yield found
    sources.pictures.cache_clear()


def options(start: str = "builtin", hours: float = 1.0) -> argparse.Namespace:
    return argparse.Namespace(seed=1, lr=1e-3, hours=hours, bf16=False, start=start)


def test_a_run_that_starts_from_the_packaged_weights_exports_them_unchanged(run: Run, tmp_path: Path) -> None:
    Trainer(options(), run).save()
    save(exported(), run.text_tower)
    export(run, tmp_path / "exported")
    packaged, again = load_file(BUILTIN / WEIGHTS), load_file(tmp_path / "exported" / WEIGHTS)
    assert packaged.keys() == again.keys()
    for name, tensor in packaged.items():
        torch.testing.assert_close(again[name], tensor, rtol=0, atol=0)


def test_a_run_goes_on_where_it_stood(run: Run) -> None:
    first = Trainer(options(), run)
    first._step()
    first.save()
    second = Trainer(options("nothing"), run)
    assert (second.step, second.pool.drawn, second.start) == (1, first.pool.drawn, "builtin")
    torch.manual_seed(5)
    parts = first._step()
    torch.manual_seed(5)
    assert second._step() == pytest.approx(parts, rel=1e-4)
    before, after = exported(), second.model.state_dict()
    assert not torch.equal(after["visual.proj"], before["visual.proj"])
    torch.testing.assert_close(after["text_projection"], before["text_projection"], rtol=0, atol=0)


def test_a_signal_ends_a_run_after_its_step_and_nothing_is_lost(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(options(), run)

    def told_meanwhile() -> dict[str, float]:
        trainer.stop(signal.SIGTERM, None)
        trainer.step += 1
        return {}

    monkeypatch.setattr(trainer, "_step", told_meanwhile)
    assert not trainer.train()
    assert "stopped at step 1" in run.log.read_text()
    assert Trainer(options(), run).step == 1


def test_a_pool_renews_the_oldest_and_gives_a_batch(run: Run) -> None:
    scenes = Trainer(options("nothing"), run).pool
    scenes.renew(6)
    assert len(scenes) == 12
    assert scenes.drawn == 14
    batch = scenes.draw((1, 2), 3, 80)
    assert batch.images.shape == (3, 3, 80, 80)
    assert batch.coverage.shape[:2] == (3, 25)
    torch.testing.assert_close(scenes.draw((1, 2), 3, 80).images, batch.images)

"""`anoclip models`: what is here, what can be fetched, and the one command that fetches."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from cli.calling import ask, call, refused
from open_clip import SimpleTokenizer
from open_clip.model import CLIP

from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli import trial
from napari_anoclip.cli.commands.models import PAPER
from napari_anoclip.engine import AnoCLIP, download
from napari_anoclip.engine.download import LocalModel, RemoteModel
from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.progress import Reporter


class Hub:
    """A hub that has one model of a few bytes."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "someone--a-clip" / "open_clip_model.safetensors"
        self.fetched = 0

    def about(self, name: str, models_folder: Path | None = None) -> RemoteModel:
        return RemoteModel(name, "someone/a-clip/open_clip_model.safetensors", self.file, 4_000_000)

    def fetch(self, entry: dict, name: str, *, download: bool, models_folder: Path | None, reporter: Reporter) -> Path:
        assert download
        for done in range(5):
            reporter("downloading model", done * 1_000_000, 4_000_000)
        self.fetched += 1
        self.file.parent.mkdir(parents=True)
        self.file.write_bytes(b"weights")
        return self.file

    def here(self, models_folder: Path | None = None) -> list[LocalModel]:
        return [LocalModel(PAPER, self.file, 7)] if self.file.is_file() else []


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Hub:
    hub = Hub(tmp_path)
    monkeypatch.setattr(download, "remote_model", hub.about)
    monkeypatch.setattr(download, "local_or_downloaded", hub.fetch)
    monkeypatch.setattr(download, "local_models", hub.here)
    return hub


def test_the_list_begins_with_what_is_here_and_offers_the_rest(hub) -> None:
    listed = ask("models list")
    assert [model["name"] for model in listed["here"]] == ["builtin"]
    assert PAPER in listed["fetchable"]
    words = call("models list").stdout
    assert f"anoclip models get {PAPER}" in words
    assert "ViT-L-14" not in words
    assert "ViT-L-14" in call("models list --all").stdout


def test_a_model_is_fetched_once(hub) -> None:
    assert ask(f"models get {PAPER}")["fetched"] is True
    again = ask(f"models get {PAPER}")
    assert (again["fetched"], again["path"], hub.fetched) == (False, str(hub.file), 1)
    assert [model["name"] for model in ask("models list")["here"]] == ["builtin", PAPER]


def test_a_dry_run_fetches_nothing(hub) -> None:
    result = call(f"models get {PAPER} --dry-run")
    assert result.exit_code == 0
    assert "4 MB" in result.stdout
    assert hub.fetched == 0


def test_a_download_can_be_stopped(hub, monkeypatch) -> None:
    def pressed(*arguments: object, **more: object) -> Path:
        signal.raise_signal(signal.SIGINT)
        return hub.fetch(*arguments, **more)

    monkeypatch.setattr(download, "local_or_downloaded", pressed)
    result = call(f"models get {PAPER}")
    assert result.exit_code == 130
    assert f"To go on: anoclip models get {PAPER}" in result.stderr
    assert hub.fetched == 0


def test_where_models_are_is_printed_alone(hub, tmp_path) -> None:
    assert Path(call("models path").stdout.strip()) == download.default_models_folder()
    assert call("models path --models-folder", tmp_path).stdout == f"{tmp_path}\n"
    assert Path(call("models path builtin").stdout.strip()).is_file()
    assert f"anoclip models get {PAPER}" in refused(f"models path {PAPER}")


@pytest.mark.parametrize("name", ["get", "path", "verify"])
def test_an_unknown_model_is_refused_with_what_works(name) -> None:
    assert "What works: builtin, ViT-B-16" in refused(f"models {name} ViT-Q-99")


def test_a_good_model_is_said_to_be_one(loaded, monkeypatch) -> None:
    monkeypatch.setattr(trial, "ALL", trial.EASY)
    verified = ask("models verify builtin")
    assert verified["works"] is True
    assert verified["trial"]["auroc"] > 0.85
    words = call("models verify builtin").stdout
    assert "240 × 240 pixels as 15 × 15 patches" in words
    assert "It finds what it should" in words


def test_an_untrained_model_is_said_to_be_of_no_use(monkeypatch, tmp_path) -> None:
    torch.manual_seed(0)
    tower = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}
    model = CLIP(32, tower, {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1})
    untrained = AnoCLIP.from_open_clip(model, SimpleTokenizer(), cache_folder=tmp_path)
    monkeypatch.setattr(ModelSpec, "load", lambda spec: untrained)
    result = call("models verify builtin")
    assert result.exit_code == 1, result.output
    assert "It does not find what it should" in result.stdout


def test_a_file_that_cannot_be_used_is_refused(tmp_path) -> None:
    (tmp_path / "model.pt").write_bytes(b"nothing")
    assert "model.pt comes without its configuration" in refused("models verify", tmp_path / "model.pt")
    assert "There is no model file" in refused("models verify", tmp_path / "other.pt")


def test_a_model_that_computes_no_numbers_is_said_to_be_of_no_use(monkeypatch) -> None:
    def try_out(*_: object, **__: object) -> None:
        raise ModelError("The model found no number.")

    monkeypatch.setattr(trial, "try_out", try_out)
    result = call("models verify builtin")
    assert result.exit_code == 1
    assert "no number" in result.stdout

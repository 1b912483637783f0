"""The shelf of models: loaded once, shared, let go, one run at a time. No window, no real model: loading is counted."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from dataclasses import asdict, replace

import pytest

from napari_anoclip.engine.errors import Cancelled, ModelError
from napari_anoclip.plugin import models
from napari_anoclip.plugin.models import ModelChoice, ModelHolder, ModelShelf
from napari_anoclip.plugin.preferences import Preferences

BUILTIN = ModelChoice()
ON_CPU = ModelChoice(device="cpu")


@pytest.fixture
def loads(monkeypatch):
    """What was loaded, in order."""
    loaded = []

    class Model:
        @classmethod
        def load(cls, name, *, device, download, on_progress, cancel, **options):
            loaded.append((name, device, download))
            model = cls()
            model.__dict__ |= options | {"token_bytes": 5, "forgotten": False}
            return model

        def forget_tokens(self):
            self.forgotten = True

    monkeypatch.setattr(models, "_engine", lambda: Model)
    return loaded


def borrow(shelf, choice=BUILTIN, cancel=None):
    return shelf.borrow(choice, lambda progress: None, cancel or threading.Event())


def test_a_model_is_loaded_once_while_it_is_held(loads):
    shelf = ModelShelf()
    with borrow(shelf) as first:
        pass
    with borrow(shelf) as second:
        assert second is first
    assert loads == [("builtin", "auto", False)]


def test_another_device_is_another_model(loads):
    shelf = ModelShelf()
    with borrow(shelf) as first:
        pass
    with borrow(shelf, ON_CPU) as second:
        assert second is not first
    assert [device for _, device, _ in loads] == ["auto", "cpu"]


@pytest.mark.parametrize("other", [{"precision": "bf16"}, {"architecture": "ViT-B-16"}, {"name": "model.pt"}])
def test_another_precision_architecture_or_file_is_another_model(loads, other):
    shelf = ModelShelf()
    with borrow(shelf) as first, pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelf, "_in_use", threading.Lock())
        with borrow(shelf, replace(BUILTIN, **other)) as second:
            assert second is not first
    assert len(loads) == 2


def test_leave_to_download_does_not_make_it_another_model(loads):
    shelf = ModelShelf()
    holder = ModelHolder(shelf)
    with holder.borrow(replace(BUILTIN, download=True), lambda progress: None, threading.Event()) as first:
        pass
    assert holder.loaded(BUILTIN) is first
    with borrow(shelf) as second:
        assert second is first


def test_a_choice_goes_through_json():
    choice = ModelChoice("a/model.pt", device="cuda", precision="fp16", architecture="ViT-B-16")
    assert ModelChoice(**json.loads(json.dumps(asdict(choice)))) == choice


def test_preferences_reach_the_model(loads, monkeypatch, tmp_path):
    preferred = Preferences(token_cache_mb=3, models_folder=str(tmp_path))
    monkeypatch.setattr(models, "preferences", lambda: preferred)
    with borrow(ModelShelf()) as model:
        assert model.token_cache_bytes == 3_000_000
        assert model.models_folder == tmp_path


def test_unloading_reaches_every_dock_and_the_next_run_loads_again(loads):
    shelf = ModelShelf()
    told = []
    docks = [ModelHolder(shelf), ModelHolder(shelf)]
    for number, dock in enumerate(docks):
        dock.on_unloaded = lambda number=number: told.append(number)
        with dock.borrow(BUILTIN, lambda progress: None, threading.Event()) as model:
            pass
    gone = weakref.ref(model)
    del model
    shelf.unload()
    assert gone() is None
    assert sorted(told) == [0, 1]
    assert [dock.loaded(BUILTIN) for dock in docks] == [None, None]
    assert shelf.models == []
    with docks[0].borrow(BUILTIN, lambda progress: None, threading.Event()):
        pass
    assert len(loads) == 2


def test_a_run_under_way_keeps_its_model_until_it_ends(loads):
    shelf = ModelShelf()
    dock = ModelHolder(shelf)
    with dock.borrow(BUILTIN, lambda progress: None, threading.Event()) as model:
        assert shelf.busy
        shelf.unload()
        model.forget_tokens()
        gone = weakref.ref(model)
        del model
        assert gone() is not None
    gc.collect()
    assert gone() is None
    assert not shelf.busy


def test_tokens_of_all_models_are_bounded_and_dropped_together(loads):
    shelf = ModelShelf()
    docks = [ModelHolder(shelf), ModelHolder(shelf)]
    for dock, choice in zip(docks, (BUILTIN, ON_CPU), strict=True):
        with dock.borrow(choice, lambda progress: None, threading.Event()):
            pass
    shelf.limit_tokens(17)
    shelf.forget_tokens()
    assert [(model.token_cache_bytes, model.forgotten) for _, model in shelf.models] == [(17, True)] * 2


def test_waiting_for_another_run_can_be_cancelled(loads):
    shelf = ModelShelf()
    cancelled = threading.Event()
    cancelled.set()
    with borrow(shelf):
        waiting = borrow(shelf, ON_CPU, cancelled)
        with pytest.raises(Cancelled):
            waiting.__enter__()
    assert loads == [("builtin", "auto", False)]


def test_a_dock_keeps_its_model_when_the_run_fails(loads):
    holder = ModelHolder(ModelShelf())
    for _ in range(2):
        with pytest.raises(ModelError), holder.borrow(BUILTIN, lambda progress: None, threading.Event()):
            raise ModelError("No.")
    assert len(loads) == 1
    assert holder.loaded(BUILTIN) is not None
    assert holder.loaded(ON_CPU) is None


def test_a_model_goes_with_the_last_one_who_holds_it(loads):
    shelf = ModelShelf()
    with borrow(shelf):
        pass
    gc.collect()
    with borrow(shelf):
        pass
    assert len(loads) == 2


def test_the_shelf_is_free_again_after_a_failure(loads):
    shelf = ModelShelf()
    with pytest.raises(ModelError), borrow(shelf):
        raise ModelError("No.")
    with borrow(shelf):
        pass


@pytest.mark.fault("threads", "a library of torch cannot start within the window", "the viewer and its layers")
def test_a_library_that_cannot_start_is_a_sentence(monkeypatch, sees):
    def fail():
        raise OSError("DLL load failed")

    monkeypatch.setattr(models, "_import_engine", fail)
    with (
        pytest.raises(ModelError, match=r"PyTorch could not start\..*start napari again") as refused,
        borrow(ModelShelf()),
    ):
        pass
    sees(refused.value)

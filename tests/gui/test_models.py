"""The shelf of models: loaded once, shared, let go, one run at a time. No window, no real model: loading is counted."""

from __future__ import annotations

import gc
import threading

import pytest

from napari_anoclip.engine.errors import Cancelled, ModelError
from napari_anoclip.plugin import models
from napari_anoclip.plugin.models import ModelChoice, ModelHolder, ModelShelf

BUILTIN = ModelChoice()
ON_CPU = ModelChoice(device="cpu")


@pytest.fixture
def loads(monkeypatch):
    """What was loaded, in order."""
    loaded = []

    class Model:
        @classmethod
        def load(cls, name, *, device, download, on_progress, cancel):
            loaded.append((name, device, download))
            return cls()

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


def test_a_library_that_cannot_start_is_a_sentence(monkeypatch):
    def fail():
        raise OSError("DLL load failed")

    monkeypatch.setattr(models, "_import_engine", fail)
    with pytest.raises(ModelError, match="before napari opens its window"), borrow(ModelShelf()):
        pass

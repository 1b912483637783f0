"""Which model, and the models in memory: each is loaded once a process and shared by every dock that uses it.

torch is imported here, in the worker thread, when the first model is needed: opening the dock stays instant. On
Windows torch must be loaded before Qt or its library may fail to start; where it does fail, a sentence says so.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.progress import Reporter

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback

BUILTIN = "builtin"
PAPER = "ViT-B-16-plus-240:laion400m_e32"
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True)
class ModelChoice:
    """A model as the user names it.

    Attributes
    ----------
    name : str
        "builtin", an open_clip name and tag with a colon between, or the path of a checkpoint.
    device : str
        One of `DEVICES`.
    download : bool
        Whether it may be fetched from the network if it is not on this machine.
    """

    name: str = BUILTIN
    device: str = DEVICES[0]
    download: bool = False


class ModelShelf:
    """The models in memory, by name and device.

    It holds them weakly: a model lives as long as some dock's `ModelHolder` does, and goes when the last one closes.
    """

    def __init__(self) -> None:
        self._models: weakref.WeakValueDictionary[tuple[str, str], AnoCLIP] = weakref.WeakValueDictionary()
        self._in_use = threading.Lock()

    def put(self, name: str, device: str, model: AnoCLIP) -> None:
        """Share a model that is in memory, as the one of this name on this device."""
        self._models[name, device] = model

    @contextmanager
    def borrow(self, choice: ModelChoice, on_progress: ProgressCallback, cancel: CancelFlag) -> Iterator[AnoCLIP]:
        """Use a model, loaded where needed; one run at a time, so that two docks do not share memory they do not have.

        Raises
        ------
        ModelError
            If it cannot be used. `DownloadError` if it is not on this machine and may not be fetched.
        Cancelled
            If the flag was seen, also while waiting for another run.
        """
        report = Reporter(on_progress, cancel)
        while not self._in_use.acquire(timeout=0.1):
            report("waiting for another run", 0, 1)
        try:
            key = (choice.name, choice.device)
            model = self._models.get(key)
            if model is None:
                report("loading model", 0, 1)
                model = _engine().load(
                    choice.name,
                    device=choice.device,
                    download=choice.download,
                    on_progress=on_progress,
                    cancel=cancel,
                )
                self.put(*key, model)
            yield model
        finally:
            self._in_use.release()


class ModelHolder:
    """One dock's use of the shelf: keeps the model that it used last, also when that run failed or was cancelled."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf
        self._held: tuple[ModelChoice, AnoCLIP] | None = None

    @contextmanager
    def borrow(self, choice: ModelChoice, on_progress: ProgressCallback, cancel: CancelFlag) -> Iterator[AnoCLIP]:
        """Use a model; see `ModelShelf.borrow`."""
        with self._shelf.borrow(choice, on_progress, cancel) as model:
            self._held = (choice, model)
            yield model

    def loaded(self, choice: ModelChoice) -> AnoCLIP | None:
        """The model that is held, if it is the chosen one."""
        if self._held is None:
            return None
        held, model = self._held
        return model if (held.name, held.device) == (choice.name, choice.device) else None


def _engine() -> type[AnoCLIP]:
    try:
        return _import_engine()
    except OSError as error:
        raise ModelError(
            "PyTorch could not start; on Windows it must be imported before napari opens its window: "
            "start napari from Python, after “import torch”."
        ) from error


def _import_engine() -> type[AnoCLIP]:
    _load_triton_apart()
    from napari_anoclip.engine.detector import AnoCLIP

    return AnoCLIP


def _load_triton_apart() -> None:
    """Keep torch's compiler from crashing napari on Mesa's OpenGL drivers.

    Mesa's software and AMD drivers have an LLVM loaded by now; triton, which torch imports, brings another, and takes
    the first one's symbols for its own unless it is told to look at its own first.
    """
    if sys.platform != "linux" or "triton" in sys.modules:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        with suppress(ImportError):
            import_module("triton")
    finally:
        sys.setdlopenflags(flags)


SHELF = ModelShelf()
"""The one shelf of this process."""

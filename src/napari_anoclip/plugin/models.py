"""Which model, and the models in memory: each is loaded once a process and shared by every dock that uses it.

torch is imported here, in the worker thread, when the first model is needed: opening the dock stays instant. Where it
cannot start within napari's window, as beside an older Qt on Windows, a sentence says what helps.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from napari_anoclip.engine.cpp_runtime import why_torch_cannot_start
from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.plugin.preferences import preferences

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback

BUILTIN = "builtin"
PAPER = "ViT-B-16-plus-240:laion400m_e32"
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class ModelChoice:
    """A model as the user names it. ``dataclasses.asdict`` gives JSON's types, and the keywords give it back.

    Attributes
    ----------
    name : str
        "builtin", an open_clip name and tag with a colon between, or the path of a checkpoint.
    device : str
        One of `DEVICES`.
    download : bool
        Whether it may be fetched from the network if it is not on this machine.
    precision : {"fp32", "bf16", "fp16"}
        Of its towers.
    architecture : str, optional
        Registry name for a checkpoint that comes without its configuration.
    """

    name: str = BUILTIN
    device: str = DEVICES[0]
    download: bool = False
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    architecture: str | None = None


class ModelShelf:
    """The models in memory, by name, device, precision and architecture.

    It holds them weakly: a model lives as long as some dock's `ModelHolder` does, and goes when the last one closes.
    """

    def __init__(self) -> None:
        self._models: weakref.WeakValueDictionary[ModelChoice, AnoCLIP] = weakref.WeakValueDictionary()
        self._holders: weakref.WeakSet[ModelHolder] = weakref.WeakSet()
        self._in_use = threading.Lock()

    @property
    def models(self) -> list[tuple[ModelChoice, AnoCLIP]]:
        """What is in memory."""
        return list(self._models.items())

    @property
    def busy(self) -> bool:
        """Whether a run is using a model."""
        return self._in_use.locked()

    def put(self, name: str, device: str, model: AnoCLIP) -> None:
        """Share a model that is in memory, as the one of this name on this device."""
        self._models[ModelChoice(name, device)] = model

    def register(self, holder: ModelHolder) -> None:
        """Let `unload` reach a holder."""
        self._holders.add(holder)

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
            key = replace(choice, download=False)
            model = self._models.get(key)
            if model is None:
                report("loading model", 0, 1)
                preferred = preferences()
                model = _engine().load(
                    choice.name,
                    device=choice.device,
                    precision=choice.precision,
                    architecture=choice.architecture,
                    download=choice.download,
                    models_folder=preferred.models_path,
                    token_cache_bytes=preferred.token_cache_bytes,
                    on_progress=on_progress,
                    cancel=cancel,
                )
                self._models[key] = model
            yield model
        finally:
            self._in_use.release()

    def limit_tokens(self, token_cache_bytes: int) -> None:
        """Bound the tokens that each model keeps; what is above goes at once."""
        for _, model in self.models:
            model.token_cache_bytes = token_cache_bytes

    def forget_tokens(self) -> None:
        """Drop the tokens that the models keep of images."""
        for _, model in self.models:
            model.forget_tokens()

    def unload(self) -> None:
        """Let every dock's model go; one that a run is using goes when that run ends. For the GUI thread."""
        self._models.clear()
        for holder in list(self._holders):
            holder.let_go()


class ModelHolder:
    """One dock's use of the shelf: keeps the model that it used last, also when that run failed or was cancelled.

    Attributes
    ----------
    on_unloaded : callable, optional
        Called, in the GUI thread, when the models were unloaded in this dock or another.
    """

    def __init__(self, shelf: ModelShelf) -> None:
        self.shelf = shelf
        self.on_unloaded: Callable[[], None] | None = None
        self._held: tuple[ModelChoice, AnoCLIP] | None = None
        shelf.register(self)

    @contextmanager
    def borrow(self, choice: ModelChoice, on_progress: ProgressCallback, cancel: CancelFlag) -> Iterator[AnoCLIP]:
        """Use a model; see `ModelShelf.borrow`."""
        with self.shelf.borrow(choice, on_progress, cancel) as model:
            self._held = (replace(choice, download=False), model)
            yield model

    def loaded(self, choice: ModelChoice) -> AnoCLIP | None:
        """The model that is held, if it is the chosen one."""
        held = self._held
        if held is None or held[0] != replace(choice, download=False):
            return None
        return held[1]

    def let_go(self) -> None:
        """Hold nothing any more, and tell the dock."""
        self._held = None
        if self.on_unloaded is not None:
            self.on_unloaded()


def start_engine() -> None:
    """Import the engine with torch, in a worker and in the way that suits the platform.

    Raises
    ------
    ModelError
        If torch cannot start.
    """
    _engine()


def _engine() -> type[AnoCLIP]:
    try:
        return _import_engine()
    except OSError as error:
        raise ModelError(why_torch_cannot_start()) from error


def _import_engine() -> type[AnoCLIP]:
    _load_torch_aside()
    from napari_anoclip.engine.detector import AnoCLIP

    return AnoCLIP


def _load_torch_aside() -> None:
    """Load torch's large libraries while the window goes on: `import torch` keeps the interpreter's lock for it."""
    if sys.platform != "linux" or "torch" in sys.modules:
        return
    torch = find_spec("torch")
    if torch is None or torch.origin is None:
        return
    try:
        load = ctypes.CDLL(None).dlopen  # called as a foreign function, which gives the lock away
    except AttributeError:  # a C library that keeps it elsewhere
        return
    load.restype, load.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name in ("libc10.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch.so"):
        load(str(Path(torch.origin).parent / "lib" / name).encode(), os.RTLD_NOW)


SHELF = ModelShelf()
"""The one shelf of this process."""

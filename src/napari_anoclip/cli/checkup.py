"""What `anoclip doctor` looks at: each check says in words what is there, and where something is wrong, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import platformdirs
import psutil

from napari_anoclip._version import __version__
from napari_anoclip.engine import atomic
from napari_anoclip.engine.cpp_runtime import old_runtime
from napari_anoclip.engine.errors import AnoCLIPError, DeviceError

State = Literal["ok", "note", "wrong"]

NEEDED = {"torch": "torch", "open_clip": "open_clip_torch", "napari": "napari", "numpy": "numpy"}
"""Modules whose version is told, with the packages that they come in."""

OPTIONAL = {"distributed": "many machines (run --workers, --scheduler)", "zarr": "maps as Zarr (run --maps zarr)"}
"""Extras of this package, by their module, with what they are for."""

QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")

BUILTIN_SCORE = 0.74496
"""Of the built-in model on the packaged trial, recorded on a CPU in fp32."""

TOLERANCE = 2e-3
"""Other processors and GPUs round otherwise; a machine that computes wrongly is off by more."""

LITTLE_MEMORY = 2e9
LITTLE_DISK = 1e9


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What, in a word or two.
    state : {"ok", "note", "wrong"}
        A note is worth knowing, and nothing is the matter.
    words : str
        What was found.
    advice : str
        What to do; empty where nothing is to be done.
    """

    name: str
    state: State
    words: str
    advice: str = ""


def check_up(device: str = "auto") -> Iterator[Check]:
    """Look at everything, one after the other.

    Parameters
    ----------
    device : str
        Where the built-in model is tried.

    Yields
    ------
    Check
        What is quick first. Nothing that goes wrong in a check is raised.
    """
    checks: list[Callable[[], Iterator[Check]]] = [
        python,
        packages,
        memory,
        folders,
        screen,
        cpp_runtime,
        extras,
        devices,
        lambda: builtin(device),
    ]
    for check in checks:
        try:
            yield from check()
        except Exception as error:  # a broken installation breaks anywhere, and the other checks help to see why
            yield Check(
                getattr(check, "__name__", "check").replace("_", " ").replace("<lambda>", "built-in model"),
                "wrong",
                f"This could not be looked at: {type(error).__name__}: {error}.",
                "Install the package again; if that changes nothing, report this line.",
            )


def python() -> Iterator[Check]:
    """Interpreter and system."""
    system = f"{platform.system()} {platform.release()}"
    words = f"napari-anoclip {__version__}, Python {platform.python_version()}, {system}"
    yield Check("system", "ok", words)


def packages() -> Iterator[Check]:
    """Versions of the large libraries."""
    found, missing = {}, []
    for module, package in NEEDED.items():
        try:
            found[module] = version(package)
        except PackageNotFoundError:
            missing.append(package)
    words = ", ".join(f"{module} {number}" for module, number in found.items())
    if missing:
        yield Check("libraries", "wrong", f"{words}; missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    else:
        yield Check("libraries", "ok", words)


def memory() -> Iterator[Check]:
    """Main memory and cores."""
    free, total = psutil.virtual_memory().available, psutil.virtual_memory().total
    words = f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB free; {os.cpu_count()} cores"
    if free < LITTLE_MEMORY:
        yield Check("memory", "note", words, "Close other programs before large images or models are scored.")
    else:
        yield Check("memory", "ok", words)


def folders() -> Iterator[Check]:
    """Whether what is kept between starts can be kept."""
    for name, folder in (
        ("cache folder", platformdirs.user_cache_dir("napari-anoclip", appauthor=False)),
        ("data folder", platformdirs.user_data_dir("napari-anoclip", appauthor=False)),
    ):
        yield folder_check(name, Path(folder))


def folder_check(name: str, folder: Path) -> Check:
    """Whether a folder can be written to, or made where it will be."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"x")
    except OSError as error:
        return Check(
            name, "wrong", f"{folder} cannot be written to: {atomic.reason(error)}", f"Make {there} writable for you."
        )
    free = shutil.disk_usage(there).free
    words = f"{folder}, {free / 1e9:.1f} GB free"
    if free < LITTLE_DISK:
        return Check(name, "note", words, "Free some of the disk before models are fetched.")
    return Check(name, "ok", words)


def screen() -> Iterator[Check]:
    """Whether a window can be opened; only `demo`, `review` and napari itself need one."""
    lack = window_lack()
    if lack is None:
        bindings = ", ".join(_with_version(name) for name in QT_BINDINGS if find_spec(name) is not None)
        yield Check("window", "ok", f"{bindings}, and a display")
    else:
        yield Check("window", "note", f"{lack[0]}: needed by demo and review only", lack[1])


def cpp_runtime() -> Iterator[Check]:
    """Whether PyTorch can start in napari's window; without a window it starts, and the checks below see nothing."""
    old = old_runtime()
    if old is not None:
        words, _, advice = old.partition(". ")
        yield Check("C++ runtime", "wrong", f"{words}: in napari it may not start", advice)


def _with_version(module: str) -> str:
    try:
        return f"{module} {version(module)}"
    except PackageNotFoundError:  # a binding may come in a package of another name, such as PySide6_Essentials
        return module


def window_lack() -> tuple[str, str] | None:
    """What a window of napari would lack on this machine, and what to do; None if it can be opened."""
    if all(find_spec(name) is None for name in QT_BINDINGS):
        return "No Qt binding is installed", 'pip install "napari-anoclip[all]", or another Qt.'
    display = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform == "linux" and not display:
        return "There is no display", "Run it in a desktop session, or by xvfb-run for a virtual one."
    return None


def extras() -> Iterator[Check]:
    """What is not needed and may be wanted."""
    for module, purpose in OPTIONAL.items():
        if find_spec(module) is None:
            yield Check(
                f"extra {module}", "note", f"not installed: {purpose}", f'pip install "napari-anoclip[{module}]"'
            )
        else:
            yield Check(f"extra {module}", "ok", f"{version(module)}: {purpose}")


def devices() -> Iterator[Check]:
    """What models can run on."""
    import torch

    found = []
    if torch.cuda.is_available():
        for at in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(at)
            found.append(f"{torch.cuda.get_device_name(at)}, {total / 1e9:.1f} GB, {free / 1e9:.1f} GB free")
    if torch.backends.mps.is_available():
        found.append("Apple GPU (MPS)")
    if found:
        yield Check("device", "ok", "; ".join(found))
    elif shutil.which("nvidia-smi") is not None:
        yield Check(
            "device",
            "wrong",
            f"There is an NVIDIA driver, but PyTorch {torch.__version__} finds no GPU",
            "Install the PyTorch that fits the driver (pytorch.org), or free the GPU; --device cpu works meanwhile.",
        )
    else:
        yield Check("device", "ok", f"CPU, {torch.get_num_threads()} threads; no GPU")


def builtin(device: str = "auto") -> Iterator[Check]:
    """Whether the built-in model loads and computes what it should."""
    from napari_anoclip.cli.trial import try_out
    from napari_anoclip.engine import AnoCLIP

    try:
        model = AnoCLIP.load(device=device)
        trial = try_out(model)
    except DeviceError as error:
        yield Check(
            "built-in model", "wrong", str(error), "Leave --device out, or install the driver and the PyTorch for it."
        )
        return
    except AnoCLIPError as error:
        yield Check("built-in model", "wrong", str(error), "Install the package again.")
        return
    words = f"gives a packaged picture {trial.score:.4f}, on {model.device} in {trial.seconds:.2f} s"
    if abs(trial.score - BUILTIN_SCORE) <= TOLERANCE:  # NaN is no such number
        yield Check("built-in model", "ok", words)
    else:
        yield Check(
            "built-in model",
            "wrong",
            f"{words}; {BUILTIN_SCORE:.4f} is right",
            "Try --device cpu. If that is right, this device or its driver computes wrongly; if not, install the "
            "package again.",
        )

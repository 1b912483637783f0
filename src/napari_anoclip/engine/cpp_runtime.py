"""Why torch may not start beside Qt on Windows, found in the files, and the sentence that helps.

A process on Windows has one msvcp140.dll, Microsoft's C++ runtime: the first that is loaded. Qt's wheels bring their
own, and torch is built for 14.40 or later. Where Qt's is older and the window is open, torch's c10.dll ends with
WinError 1114 (https://github.com/pytorch/pytorch/issues/166628). PyQt6-Qt6 has 14.26 up to 6.10.0 and 14.44 from 6.10.1
on; PySide6 still has 14.39 in 6.9.1, and 14.44 in 6.12.0.

Whatever opens a window itself imports torch before (`napari_anoclip.demo.open_viewer`). A plugin is imported after
napari's window, when the runtime is chosen and nothing can be undone: there, a newer Qt is the remedy.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Container
from importlib.util import find_spec
from pathlib import Path

NEEDED = (14, 40)
"""Of the C++ runtime: in this version mutexes changed, and what was built with it crashes in an older one."""

LIBRARIES = {
    "PyQt6": "Qt6/bin/msvcp140.dll",
    "PySide6": "msvcp140.dll",
    "PyQt5": "Qt5/bin/msvcp140.dll",
    "PySide2": "msvcp140.dll",
}
"""Where each binding of Qt keeps its own, below its folder."""

_FIXED_FILE_INFO = struct.pack("<I", 0xFEEF04BD)
"""What the version in a Windows library begins with (VS_FIXEDFILEINFO)."""


def file_version(library: Path) -> tuple[int, int] | None:
    """Version of a Windows library, its first two numbers; None if the file has none."""
    content = library.read_bytes()
    at = content.find(_FIXED_FILE_INFO)
    if at < 0 or at + 12 > len(content):
        return None
    minor, major = struct.unpack_from("<HH", content, at + 8)
    return major, minor


def old_runtime(among: Container[str] = LIBRARIES) -> str | None:
    """What brings a C++ runtime that torch cannot live with, and how to replace it.

    Parameters
    ----------
    among : container of str
        Bindings of Qt that count: all that are installed, or those that are loaded.

    Returns
    -------
    str or None
        Two sentences; None where there is no such runtime, as everywhere but on Windows.
    """
    if sys.platform != "win32":
        return None
    for binding, below in LIBRARIES.items():
        spec = find_spec(binding) if binding in among else None
        for folder in (spec and spec.submodule_search_locations) or ():
            library = Path(folder) / below
            version = file_version(library) if library.is_file() else None
            if version is not None and version < NEEDED:
                packages = "PyQt6 PyQt6-Qt6" if binding == "PyQt6" else binding
                found, needed = (".".join(map(str, numbers)) for numbers in (version, NEEDED))
                remedy = {"PyQt5": "Take PyQt6 in its place", "PySide2": "Take PySide6 in its place"}.get(
                    binding, f"Renew it with “pip install --upgrade {packages}”"
                )
                return f"{binding} brings a C++ runtime of version {found}, and PyTorch needs {needed}. {remedy}."
    return None


def why_torch_cannot_start() -> str:
    """A sentence or two for when importing torch ended with an `OSError`."""
    reason = old_runtime(among=sys.modules)
    if reason is None and sys.platform == "win32":
        reason = "Install Microsoft's Visual C++ redistributable."
    return (
        f"PyTorch could not start. {reason or 'Install it again; “anoclip doctor” says more.'} Then start napari again."
    )

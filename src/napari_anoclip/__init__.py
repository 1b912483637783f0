"""Zero-shot anomaly localization with a CLIP, in napari and from Python.

The public names are imported on first use, so that napari, which imports this package at start, pays for neither
torch nor Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_anoclip._version import __version__

if TYPE_CHECKING:
    from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
    from napari_anoclip.plugin.command import run

__all__ = ["AnoCLIP", "AnoCLIPSettings", "PromptSet", "__version__", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "run":
        from napari_anoclip.plugin.command import run

        return run
    from napari_anoclip import engine

    return getattr(engine, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

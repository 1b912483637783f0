"""The method: numpy and torch in, numpy out. Knows no GUI and works in a notebook.

Names are imported when first used, so that settings and prompts can be had without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_anoclip.engine.detection import Adaptation, Detection
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.settings import AnoCLIPSettings

__all__ = ["Adaptation", "AnoCLIP", "AnoCLIPSettings", "Detection", "PromptSet"]

_HOMES = {
    "Adaptation": "detection",
    "AnoCLIP": "detector",
    "AnoCLIPSettings": "settings",
    "Detection": "detection",
    "PromptSet": "prompts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

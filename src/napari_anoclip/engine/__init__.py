"""The method: numpy and torch in, numpy out. Knows no GUI and works in a notebook.

Names are imported when first used, so that settings and prompts can be had without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import Adaptation, AnoCLIP, Detection
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.settings import AnoCLIPSettings

__all__ = ["Adaptation", "AnoCLIP", "AnoCLIPSettings", "Detection", "PromptSet"]

_HOMES = {"PromptSet": "prompts", "AnoCLIPSettings": "settings"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'detector')}"), name)

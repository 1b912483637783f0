"""Scored planes without a model: a given map in place of a computed one, all the rest as a run makes it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image

from napari_anoclip.engine.calibration import DisplayRange
from napari_anoclip.engine.detection import Detection
from napari_anoclip.engine.histogram import ScoreHistogram
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.plane import Plane
from napari_anoclip.plugin.planes import ImageChoice, shown_plane
from napari_anoclip.plugin.run_request import PlaneResult, RunRequest

RANGE = DisplayRange(0.4, 0.8, "normal pictures")

_seconds = itertools.count()


def scored(
    plane: Plane,
    values: np.ndarray | float = 0.0,
    score: float = 0.7,
    *,
    settings: AnoCLIPSettings | None = None,
    prompts: PromptSet | None = None,
    display: DisplaySettings | None = None,
    model: ModelChoice | None = None,
    choice: ImageChoice | None = None,
    shown: DisplayRange = RANGE,
) -> PlaneResult:
    """A result as if the plane had been scored just now."""
    settings = settings or AnoCLIPSettings()
    prompts = prompts or PromptSet.preset("short", "plate")
    choice = choice or ImageChoice()
    values = np.broadcast_to(np.float32(values), plane.map_shape).astype(np.float32)
    source = ImageSource.of(plane.read(), plane.contrast_limits)
    provenance: dict[str, Any] = {
        "version": "1.0",
        "model": "built-in",
        "model_id": "0" * 32,
        "device": "cpu",
        "precision": "fp32",
        "settings": settings.model_dump(mode="json"),
        "prompts": prompts.model_dump(mode="json"),
        "image": source.digest,
        "scaling": {"low": source.scaling.low, "high": source.scaling.high, "source": source.scaling.source},
        "time": f"2026-01-01T00:00:{next(_seconds) % 60:02}+00:00",
    }
    detection = Detection(values, None, values, score, source.scaling, (), 0.1, provenance)
    request = RunRequest(
        (plane,),
        prompts,
        settings,
        display or DisplaySettings(),
        model or ModelChoice(),
        image_choice=choice.model_dump(mode="json"),
    )
    return PlaneResult(plane, detection, shown, ScoreHistogram.of(values), request)


def shown(layer: Image, dims: Dims, values: np.ndarray | float = 0.0, score: float = 0.7, **more: Any) -> PlaneResult:
    """A result of the plane that the viewer shows."""
    return scored(shown_plane(layer, dims, more.get("choice")), values, score, **more)

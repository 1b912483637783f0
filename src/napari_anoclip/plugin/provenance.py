"""What a result says about how it was made: written into ``layer.metadata``, and read back into the dock.

A record is plain JSON, so that it survives in files. It may come from anywhere: nothing in it is trusted before it was
checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from napari_anoclip.engine.errors import AnoCLIPError, ImageError
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.plane import Plane, levels
from napari_anoclip.plugin.planes import ImageChoice

if TYPE_CHECKING:
    from napari.layers import Image, Layer

    from napari_anoclip.plugin.run_request import PlaneResult

METADATA_KEY = "napari_anoclip"
"""Where a result keeps its record in ``layer.metadata``."""

FORMAT = 1
"""Of the record; raised when an older version could not read it any more."""


@dataclass(frozen=True)
class Restored:
    """What the dock was set to when a result was made."""

    settings: AnoCLIPSettings
    prompts: PromptSet
    display: DisplaySettings
    model: ModelChoice
    image_choice: dict[str, Any]


class Window(BaseModel):
    """Which part of an image's data the maps cover, in the terms of `plane.Plane`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: tuple[int, ...]
    index: tuple[int | None, ...]
    axes: tuple[int, int]
    factors: tuple[float, ...]
    contrast_limits: tuple[float, float] | None
    rows: tuple[int, int]
    columns: tuple[int, int]
    outline: tuple[tuple[float, float], ...] | None

    @classmethod
    def of(cls, plane: Plane) -> Window:
        """Describe a plane's."""
        return cls(
            shape=tuple(plane.data.shape),
            index=plane.index,
            axes=plane.axes,
            factors=plane.factors,
            contrast_limits=plane.contrast_limits,
            rows=(plane.window[0].start, plane.window[0].stop),
            columns=(plane.window[1].start, plane.window[1].stop),
            outline=None if plane.outline is None else tuple(map(tuple, np.asarray(plane.outline, float).tolist())),
        )

    def plane(self, image: Image, position: tuple[int, ...] | None = None) -> Plane | None:
        """The plane at a position along the hidden axes of an image as it is now; None if it has no such data.

        Without a position it is the plane that was described.
        """
        data = next((level for level in levels(image) if tuple(level.shape) == self.shape), None)
        if data is None or image.ndim != len(self.index):
            return None
        positions = iter(position or [i for i in self.index if i is not None])
        return Plane(
            image,
            data,
            tuple(None if i is None else next(positions) for i in self.index),
            self.axes,
            self.factors,
            self.contrast_limits,
            (slice(*self.rows), slice(*self.columns)),
            None if self.outline is None else np.array(self.outline),
        )


class _Scored(BaseModel):
    """What the plugin itself reads of one plane's entry."""

    score: float
    image: str


class _Record(BaseModel):
    """What the plugin itself reads of a record while its layer is in the viewer."""

    image: str
    image_id: str
    number: int = Field(ge=1)
    shown: str | None
    window: Window
    planes: dict[Annotated[str, Field(pattern=r"^(\d+(,\d+)*)?$")], _Scored]
    stale: list[str]
    display: DisplaySettings
    display_range: tuple[float, float]
    threshold: float


def record(result: PlaneResult) -> dict[str, Any]:
    """Everything about a scored plane, JSON-like.

    ``planes`` holds one entry, under the plane's position; `results.show` gathers those of a stack.
    """
    plane, detection, request = result.plane, result.detection, result.request
    value, (row, column) = result.hottest
    return {
        "format": FORMAT,
        "image": plane.layer.name,
        "image_id": str(plane.layer.unique_id),
        "model": asdict(request.model) | {"download": False},
        "image_choice": dict(request.image_choice),
        "display": request.display.model_dump(mode="json"),
        "display_range": list(result.limits),
        "display_range_source": "set by hand" if request.display.range == "manual" else result.display.source,
        "threshold": result.threshold,
        "provenance": detection.provenance,
        "window": Window.of(plane).model_dump(mode="json"),
        "planes": {
            position_key(plane.hidden): {
                "score": detection.score,
                "hottest": {"value": value, "row": row, "column": column},
                "losses": list(detection.losses),
                "seconds": detection.seconds,
                **{key: detection.provenance[key] for key in ("image", "scaling", "time")},
            }
        },
        "stale": [],
    }


def same_run(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the maps of two records may stand beside each other in one stack: made alike, of the same window."""
    return _recipe(one) == _recipe(other)


def position_key(position: tuple[int, ...]) -> str:
    """Name of a plane in a record: its positions along the hidden axes, with commas; empty for a flat image."""
    return ",".join(map(str, position))


def position_of(key: str) -> tuple[int, ...]:
    """The position that a name of `position_key` stands for."""
    return tuple(int(part) for part in key.split(",") if part)


def record_of(layer: Layer) -> dict[str, Any]:
    """The record that a layer carries.

    Raises
    ------
    ImageError
        If it has none, or one that this version cannot read.
    """
    found = layer.metadata.get(METADATA_KEY)
    if found is None:
        raise ImageError(f"“{layer.name}” is no anomaly map of AnoCLIP: there are no settings in it.")
    fault = why_unreadable(found)
    if fault is not None:
        raise ImageError(f"The settings in “{layer.name}” cannot be restored: {fault}")
    checked: dict[str, Any] = found
    return checked


def checked_record(found: Any) -> dict[str, Any]:
    """A record from a file; one of another version is left as it is, for `record_of` to say so.

    Raises
    ------
    ImageError
        If it is damaged.
    """
    try:
        if why_unreadable(found) is None:
            _Record.model_validate(found)
        version = found["format"]
    except (ValidationError, TypeError, KeyError) as error:
        raise ImageError(f"The record is damaged ({_where(error)}).") from error
    if not isinstance(version, int):
        raise ImageError("The record is damaged.")
    checked: dict[str, Any] = found
    return checked


def why_unreadable(record: Any) -> str | None:
    """A clause if something is no record, or of a version that cannot be read; else None."""
    if not isinstance(record, dict):
        return "its record is damaged."
    version = record.get("format")
    if not isinstance(version, int) or isinstance(version, bool):
        return "its record is damaged, or of a version before the first release."
    if version > FORMAT:
        return f"it was made by a newer version of napari-anoclip (record format {version}). Update the plugin."
    if version < FORMAT:
        return f"it was made by an older version of napari-anoclip (record format {version}). Run it again."
    return None


def restore_values(layer: Layer) -> Restored:
    """Read back what the dock was set to when a result was made.

    Raises
    ------
    ImageError
        If the layer is no result, or its record is damaged or of another version.
    """
    found = record_of(layer)
    try:
        return Restored(
            AnoCLIPSettings.model_validate(found["provenance"]["settings"]),
            PromptSet.model_validate(found["provenance"]["prompts"]),
            _display(found),
            TypeAdapter(ModelChoice).validate_python(found["model"] | {"download": False}),
            ImageChoice.model_validate(found["image_choice"]).model_dump(mode="json"),
        )
    except (ValidationError, AnoCLIPError, KeyError, TypeError) as error:
        raise ImageError(
            f"The settings in “{layer.name}” cannot be restored: its record is damaged ({_where(error)})."
        ) from error


def _display(record: Mapping[str, Any]) -> DisplaySettings:
    """How a result was shown; the good images behind a range of one's own are not in it, so its numbers stand in."""
    display = DisplaySettings.model_validate(record["display"])
    if display.range != "own":
        return display
    low, high = record["display_range"]
    return display.model_copy(update={"range": "manual", "low": low, "high": high})


def _recipe(record: Mapping[str, Any]) -> str:
    made = {key: record["provenance"].get(key) for key in ("model_id", "settings", "prompts", "others")}
    window = dict(record["window"])
    window["index"] = [i is None for i in window["index"]]
    return json.dumps([made, window], sort_keys=True)


def _where(error: Exception) -> str:
    """Which part of a record is wrong, in a word or two."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{error.title}, {'.'.join(map(str, first['loc'])) or 'as a whole'}"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)

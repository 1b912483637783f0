"""The tables of `reference/settings.md`: every settings model as declared. Written by ``python -m docs.generate``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_anoclip.batch.cluster_connection import ClusterSettings
from napari_anoclip.batch.datasets import FolderSettings
from napari_anoclip.batch.demo_data import DemoDataSettings
from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.protocol import Protocol
from napari_anoclip.batch.recipe import ModelSpec, Recipe
from napari_anoclip.batch.watch import WatchSettings
from napari_anoclip.cli.commands import demo_data, evaluate, run
from napari_anoclip.cli.groups import METHOD, PROTOCOL, REGIONS, THRESHOLD
from napari_anoclip.engine.settings import (
    AdaptationSettings,
    AnoCLIPSettings,
    DisplaySettings,
    MutualSettings,
    ReferenceSettings,
    ScoringSettings,
    TilingSettings,
)
from napari_anoclip.plugin.planes import ImageChoice
from napari_anoclip.plugin.preferences import Preferences
from napari_anoclip.review.regions import RegionSettings

MODELS: tuple[type[BaseModel], ...] = (
    *(ScoringSettings, AdaptationSettings, TilingSettings, ReferenceSettings, MutualSettings, AnoCLIPSettings),
    *(DisplaySettings, RegionSettings, ImageChoice, Preferences),
    *(ModelSpec, Recipe, OutputSettings, WatchSettings, ClusterSettings, Protocol, FolderSettings, DemoDataSettings),
)
"""In the order of the page."""

GROUPS = (*METHOD, REGIONS, THRESHOLD, PROTOCOL, run.OUTPUT, run.CLUSTER, run.WATCHING, evaluate.OWN, demo_data.DATA)

OPTIONS = {(group.model, name): group.flag(name) for group in GROUPS for name in group.fields}
"""The option of a field, where it has one."""

KINDS = {"boolean": "yes or no", "integer": "whole number", "number": "number", "string": "text", "null": "empty"}

SIGNS = {"minimum": "{:,.10g} ≤ x", "exclusiveMinimum": "{:,.10g} < x", "maximum": "x ≤ {:,.10g}"}
SIGNS |= {"exclusiveMaximum": "x < {:,.10g}"}


def parts() -> dict[str, str]:
    """Each table by the name of its model."""
    return {model.__name__: "\n".join(_table(model)) for model in MODELS}


def _table(model: type[BaseModel]) -> Iterator[str]:
    fields = {name: field for name, field in model.model_fields.items() if not _is_model(field.annotation)}
    with_options = any((model, name) in OPTIONS for name in fields)
    yield f"| setting | values | default | meaning |{' option |' * with_options}"
    yield "|---|---|---|---|" + "---|" * with_options
    schema = model.model_json_schema()
    # A model that may hold others of its own kind stands among the definitions.
    properties = schema.get("properties") or schema["$defs"][model.__name__]["properties"]
    for name, field in fields.items():
        option = OPTIONS.get((model, name), "").partition("/")[0]
        cells = [f"`{name}`", _values(properties[name]), _default(field), field.description or ""]
        cells += [f"`{option}`" if option else ""] * with_options
        yield f"| {' | '.join(cells)} |"


def _values(schema: dict[str, Any]) -> str:
    """What can be set, in words: choices as they are typed, numbers with their bounds."""
    if "anyOf" in schema:
        return " or ".join(map(_values, schema["anyOf"]))
    if "enum" in schema:
        *first, last = (f"`{value}`" for value in schema["enum"])
        return f"{', '.join(first)} or {last}"
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if schema["type"] == "array":
        return f"several: {_values(schema['items'])}"
    if schema["type"] == "object":
        return "names with values"
    low, high = (
        next((SIGNS[sign].format(schema[sign]) for sign in (f"exclusive{end}", end.lower()) if sign in schema), "")
        for end in ("Minimum", "Maximum")
    )
    bounds = f"{low}{high.removeprefix('x')}" if low else high
    return ("path" if schema.get("format") == "path" else KINDS[schema["type"]]) + (f", {bounds}" if bounds else "")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or value == {} or value == ():
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)

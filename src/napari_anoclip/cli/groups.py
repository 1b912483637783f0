"""Which options belong to which settings model, and how the well-known ones are called."""

from __future__ import annotations

from napari_anoclip.batch.protocol import Protocol
from napari_anoclip.batch.recipe import ModelSpec, Recipe
from napari_anoclip.cli.options import OptionGroup
from napari_anoclip.engine.settings import (
    AdaptationSettings,
    AnoCLIPSettings,
    MutualSettings,
    ScoringSettings,
    TilingSettings,
)
from napari_anoclip.review.regions import RegionSettings

MODEL = OptionGroup(ModelSpec, "", "Model", names={"name": "--model"})
SCORING = OptionGroup(ScoringSettings, "scoring", "Scoring")
V_V_PATH = OptionGroup(AnoCLIPSettings, "", "Scoring", only=("vv_blocks",))
ADAPTATION = OptionGroup(
    AdaptationSettings, "adaptation", "Adaptation to each image", names={"enabled": "--tta/--no-tta"}
)
TILING = OptionGroup(TilingSettings, "tiling", "Tiles and scale")
MUTUAL = OptionGroup(
    MutualSettings, "mutual", "The other images (mutual scoring)", names={"enabled": "--mutual/--no-mutual"}
)
REGIONS = OptionGroup(
    RegionSettings,
    "region",
    "Regions",
    only=tuple(name for name in RegionSettings.model_fields if name != "volume"),  # a batch takes plane after plane
)
THRESHOLD = OptionGroup(Recipe, "", "Regions", only=("threshold",))

PROTOCOL = OptionGroup(Protocol, "", "Prompts and settings", only=("squares", "neighbours"))

METHOD = (MODEL, SCORING, V_V_PATH, ADAPTATION, TILING, MUTUAL)
"""All that decides the map of an image, but for the prompts."""

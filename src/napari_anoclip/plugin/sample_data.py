"""Sample images for File > Open Sample: pictures with a defect, their masks, and what they show."""

from __future__ import annotations

from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from napari_anoclip.review.pictures import read_picture

SAMPLE_KEY = "napari_anoclip_sample"
"""Where a sample's object name, kind and preset stand in ``layer.metadata``; the dock takes them over."""

LayerData = tuple[Any, dict[str, Any], str]

_FOLDER = resources.files("napari_anoclip") / "samples"


def open_sample(key: str) -> list[LayerData]:
    """Read a sample and its mask.

    Parameters
    ----------
    key : str
        Name of its file without the ending.

    Returns
    -------
    list of LayerData
        The image, with what the dock fills in in its metadata, and its mask, hidden: the user looks first.
    """
    sample = _catalogue()[key]
    about = {name: sample[name] for name in ("object", "kind", "preset")}
    picture, mask = _read(sample["file"]), _read(sample["mask"]) > 0
    rgb = picture.ndim == mask.ndim + 1
    return [
        (picture, {"name": key, "rgb": rgb, "metadata": {SAMPLE_KEY: about}}, "image"),
        (mask.astype("uint8"), {"name": f"{key} · mask", "visible": False}, "labels"),
    ]


def _read(file: str) -> Any:
    with resources.as_file(_FOLDER / file) as path:
        return read_picture(path)


@cache
def _catalogue() -> dict[str, dict[str, Any]]:
    listed = yaml.safe_load((_FOLDER / "samples.yaml").read_text("utf-8"))
    return {Path(sample["file"]).stem: sample for sample in listed}


# What the manifest's commands call.
leather = partial(open_sample, "leather")
grid = partial(open_sample, "grid")
circuit_board = partial(open_sample, "circuit_board")
disc = partial(open_sample, "disc")
ring = partial(open_sample, "ring")
cable = partial(open_sample, "cable")
brushed_metal = partial(open_sample, "brushed_metal")
perforated_sheet = partial(open_sample, "perforated_sheet")
buttons = partial(open_sample, "buttons")

"""Opening a map that was saved with its settings: as a reader for TIFF, and after napari read it for zarr.

A reader of zarr folders would have to take part in opening any folder, and napari would ask everybody which one to use.
So napari opens the folder, and `adopt` gives the layer what it lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.map_file import KEY, MAX_BYTES, TIFF_ENDINGS, ZARR_ENDING, Description, damaged
from napari_anoclip.plugin.provenance import METADATA_KEY

if TYPE_CHECKING:
    from napari.layers import Image

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[LayerData]] | None:
    """Whether a path is for us; napari asks.

    Returns
    -------
    callable or None
        None for what has no description of ours: it is left to other readers.
    """
    paths = [path] if isinstance(path, str) else path
    if not all(one.lower().endswith(TIFF_ENDINGS) and Path(one).is_file() for one in paths):
        return None
    with suppress(tifffile.TiffFileError, OSError, ValueError):
        if any(_described_in_tiff(Path(one)) is None for one in paths):
            return None
    return read_maps


def read_maps(path: str | list[str]) -> list[LayerData]:
    """Read saved maps.

    Raises
    ------
    ImageError
        If one is damaged; nothing in a file is ever run.
    """
    return [_read_tiff(Path(one)) for one in ([path] if isinstance(path, str) else path)]


def adopt(layer: Image) -> bool:
    """Give a saved map that napari opened without us its record, its place and its colours back.

    Parameters
    ----------
    layer : Image
        Nothing happens if it is from no file of ours, or has its record.

    Returns
    -------
    bool
        Whether it was one.

    Raises
    ------
    ImageError
        If the description in its file is damaged.
    """
    path = Path(layer.source.path or "")
    if METADATA_KEY in layer.metadata or not path.name.lower().endswith((*TIFF_ENDINGS, ZARR_ENDING)):
        return False
    found = _described_in_zarr(path) if path.is_dir() else _described_in_tiff(path)
    if found is None:
        return False
    description = Description.read(found, path.name)
    if tuple(layer.data.shape) != description.shape:
        return False
    keywords = description.keywords(path.name)
    layer.metadata.update(keywords.pop("metadata", {}))
    low, high = keywords["contrast_limits"]
    layer.contrast_limits_range = (min(low, layer.contrast_limits_range[0]), max(high, layer.contrast_limits_range[1]))
    for name, value in keywords.items():
        setattr(layer, name, value)
    return True


def _read_tiff(path: Path) -> LayerData:
    try:
        found = _described_in_tiff(path)
        description = Description.read(found, path.name)
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            pages = int(np.prod(description.shape[:-2]))
            if (len(file.pages), *page.shape) != (pages, *description.shape[-2:]) or page.dtype != np.float32:
                raise damaged(path.name)
            data = np.stack([page.asarray() for page in file.pages]).reshape(description.shape)
    except ImageError:
        raise
    except Exception as error:  # tifffile, zlib, struct: as many kinds as there are ways to damage a file
        raise damaged(path.name) from error
    return data, description.keywords(path.name), "image"


def _described_in_tiff(path: Path) -> str | None:
    with tifffile.TiffFile(path) as file:
        text = file.pages.first.description
    title, _, description = text.partition("\n")
    return description if title == KEY and len(description) <= MAX_BYTES else None


def _described_in_zarr(path: Path) -> Any:
    """The attributes of a zarr array, of either version of the format, read as the text that they are."""
    for name, within in (("zarr.json", "attributes"), (".zattrs", None)):
        file = path / name
        if file.is_file() and file.stat().st_size <= MAX_BYTES:
            try:
                attributes = json.loads(file.read_text("utf-8"))
                return (attributes if within is None else attributes.get(within, {})).get(KEY)
            except (OSError, ValueError, RecursionError, AttributeError) as error:
                raise damaged(path.name) from error
    return None

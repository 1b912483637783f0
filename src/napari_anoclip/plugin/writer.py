"""Saving a map so that its settings and its place come back with it: TIFF and zarr."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from napari.settings import get_settings

from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.map_file import KEY, TIFF_ENDINGS, ZARR_ENDING, Description

PLUGIN = "napari-anoclip"
_BIG = 2**32 - 2**25
"""Bytes from which on a TIFF needs the large variant."""


def write_map(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write an Image layer; napari calls it.

    Parameters
    ----------
    path : str
        Ends as `TIFF_ENDINGS` or `ZARR_ENDING`. What is there already is replaced once all is written.
    data : array-like
        Maps; those of a stack are read one by one.
    meta : dict
        The layer's state.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    ImageError
        If it is no single-channel image, or cannot be written; what was there before is untouched.
    """
    target = Path(path)
    if meta.get("rgb") or meta.get("multiscale"):
        raise ImageError(f"{target.name} cannot be saved: only single-channel maps go into such a file.")
    description = Description.of(data, meta)
    try:
        if target.name.lower().endswith(ZARR_ENDING):
            _replace_zarr(target, data, description)
        else:
            with atomic.replacing(target) as temporary:
                _write_tiff(temporary, data, description)
            _open_with_us(target)
    except OSError as error:
        raise ImageError(f"{target.name} cannot be saved ({atomic.reason(error)}). Choose another folder.") from error
    return [str(target)]


def _write_tiff(path: Path, data: Any, description: Description) -> None:
    shape = description.shape
    count = int(np.prod(shape[:-2]))
    pages = (np.ascontiguousarray(data[at], np.float32) for at in np.ndindex(shape[:-2]))
    tifffile.imwrite(
        path,
        pages,
        shape=(count, *shape[-2:]),
        dtype=np.float32,
        bigtiff=4 * int(np.prod(shape)) > _BIG,
        photometric="minisblack",
        description=description.text(),
        metadata=None,
    )


def _write_zarr(path: Path, data: Any, description: Description) -> None:
    try:
        import zarr
    except ImportError as error:
        raise ImageError("Saving as zarr needs the package zarr. Install it, or save as .anomaly.tif.") from error
    shape = description.shape
    array = zarr.create_array(
        path, shape=shape, chunks=(*[1] * (len(shape) - 2), *shape[-2:]), dtype=np.float32, fill_value=np.nan
    )
    for at in np.ndindex(shape[:-2]):
        array[at] = np.asarray(data[at], np.float32)
    array.attrs[KEY] = description.model_dump(mode="json")


def _replace_zarr(target: Path, data: Any, description: Description) -> None:
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        new = folder / target.name
        _write_zarr(new, data, description)
        _replace_folder(new, target, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replace_folder(new: Path, target: Path, folder: Path) -> None:
    """Put a zarr folder in the place of an older one; a folder can only be replaced by moving the old one away."""
    if not target.exists():
        new.rename(target)
        return
    if not any((target / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")):
        raise ImageError(f"{target.name} is there already and is no zarr. Choose another name.")
    old = folder / "old"
    target.rename(old)
    try:
        new.rename(target)
    except OSError:
        old.rename(target)
        raise


def _open_with_us(path: Path) -> None:
    """Choose this plugin for our own endings in napari's preferences, unless the user chose one.

    They are TIFFs, which napari can open as well, so that it would ask each time; and by itself it would open the map
    without its record.
    """
    preferences = get_settings().plugins
    ending = next((e for e in TIFF_ENDINGS if path.name.lower().endswith(e)), None)
    if ending is not None and f"*{ending}" not in preferences.extension2reader:
        preferences.extension2reader = {**preferences.extension2reader, f"*{ending}": PLUGIN}

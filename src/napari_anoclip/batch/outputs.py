"""What a batch writes of each image's map: in which format, under which name, and what the numbers in it are.

float16 has 11 significant bits: probabilities from 0.25 to 0.5 are kept to within 0.00012, those from 0.5 to 1 to
within 0.00024. Regions and scores are found before that rounding.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.batch.errors import OutputError
from napari_anoclip.batch.records import MAPS, MapFile
from napari_anoclip.engine import atomic
from napari_anoclip.engine.foreign import within
from napari_anoclip.review.exports.place import fit_name

if TYPE_CHECKING:
    from napari_anoclip.batch.recipe import Recipe
    from napari_anoclip.engine import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback

MapFormat = Literal["tiff", "png", "zarr", "none"]

_ENDINGS = {"tiff": ".tif", "png": ".png", "zarr": ".zarr"}
_CHUNK = 1024
_BIG = 2**31


class OutputSettings(BaseModel):
    """What is written beside the records. Only the format of maps makes finished images count as unfinished."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    maps: MapFormat = Field(
        "tiff",
        description="Heatmaps: tiff or zarr (probabilities, float16), png (grey, 8 bits over the range), or none.",
    )
    report: bool = Field(True, description="Write report.html with the images of the highest scores.")
    worst: int = Field(100, ge=0, le=1000, description="Images shown in the report, those of the highest scores.")

    def check(self) -> None:
        """Make sure, before any work, that this can be written.

        Raises
        ------
        OutputError
            If a library is missing.
        """
        if self.maps == "zarr" and importlib.util.find_spec("zarr") is None:
            raise OutputError(
                "Maps as zarr need the library zarr, which is not installed: pip install 'napari-anoclip[zarr]', or "
                "write tiff."
            )

    def finished(self, map_file: MapFile | None, out: Path) -> bool:
        """Whether an image's map is there as it is wanted."""
        if self.maps == "none":
            return True
        if map_file is None or map_file.format != self.maps:
            return False
        try:
            path = within(out, map_file.path)
        except ValueError:
            return False
        return path.exists() and _size(path) == map_file.size


@dataclass(frozen=True)
class Scale:
    """How the probabilities of a recipe are shown, the same for all images.

    Attributes
    ----------
    low, high : float
        Probabilities that are black and white.
    threshold : float
        Above which a pixel belongs to a region.
    """

    low: float
    high: float
    threshold: float

    @classmethod
    def of(
        cls,
        model: AnoCLIP,
        recipe: Recipe,
        *,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> Scale:
        """Measure it on the packaged normal pictures, unless that was done before.

        Raises
        ------
        Cancelled
            If the flag is set.
        """
        shown = model.display_range(recipe.prompts, recipe.settings, on_progress=on_progress, cancel=cancel)
        return cls(shown.low, shown.high, shown.threshold if recipe.threshold is None else recipe.threshold)


def write_map(values: NDArray[np.float32], out: Path, key: str, maps: MapFormat, scale: Scale) -> MapFile | None:
    """Write a map in one step, over the one that was there.

    Parameters
    ----------
    values : ndarray
        (H, W) probabilities.
    out : Path
        Folder of the results.
    key : str
        Of the image.
    maps : str
        Format.
    scale : Scale
        For pictures, and to be noted in the file.

    Returns
    -------
    MapFile or None
        None where no maps are wanted.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if maps == "none":
        return None
    below = map_path(key, maps)
    file = out / below
    about = {"key": key, "low": scale.low, "high": scale.high, "threshold": scale.threshold}
    with said_in_words(file, out):
        file.parent.mkdir(parents=True, exist_ok=True)
        if maps == "zarr":
            _write_zarr(file, values, about)
        else:
            with atomic.replacing(file) as draft:
                if maps == "tiff":
                    _write_tiff(draft, values, about)
                else:
                    _write_png(draft, values, scale)
        return MapFile(format=maps, path=below, size=_size(file))


def read_map(map_file: MapFile, out: Path, scale: Scale) -> NDArray[np.float32]:
    """Read a map back.

    Parameters
    ----------
    map_file : MapFile
    out : Path
        Folder of the results.
    scale : Scale
        What black and white of a picture stand for.

    Returns
    -------
    ndarray
        (H, W) probabilities, as exact as the format has them.

    Raises
    ------
    OSError, ValueError
        If it is not there, or damaged.
    """
    file = within(out, map_file.path)
    try:
        values = _read(file, map_file.format, scale)
    except (OSError, ValueError):
        raise
    # A damaged file can make a decoder fail in any way at all.
    except Exception as error:
        raise ValueError(f"The map {file.name} is damaged ({type(error).__name__}).") from error
    if values.ndim != 2:
        raise ValueError(f"The map {file.name} is damaged (shape {values.shape}).")
    return values


def map_path(key: str, maps: MapFormat) -> str:
    """Where a map is, below the folder of the results: named as its image, as far as any disk takes that name."""
    parts = key.split("/")
    fit = (_fit(part, parts[: at + 1]) for at, part in enumerate(parts))
    return "/".join([MAPS, *fit]) + _ENDINGS[maps]


def remove_map(map_file: MapFile, out: Path) -> None:
    """Take a map away, if it is there; what lies outside of the results is none, whatever a record says."""
    try:
        path = within(out, map_file.path)
    except ValueError:
        return
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def said_in_words(file: Path, out: Path) -> Iterator[None]:
    """Turn what the system says while a result is written into a sentence."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{file.name} cannot be written into {out} ({atomic.reason(error)}): what was finished stays. Run the same "
            "command again once that is mended."
        ) from error


def _read(file: Path, maps: str, scale: Scale) -> NDArray[np.float32]:
    if maps == "tiff":
        return np.asarray(tifffile.imread(file), np.float32)
    if maps == "zarr":
        import zarr

        return np.asarray(zarr.open_array(file, mode="r")[:], np.float32)
    with Image.open(file) as picture:
        unit = np.asarray(picture, np.float32) / 255
    return (scale.low + unit * (scale.high - scale.low)).astype(np.float32)


def _write_tiff(file: Path, values: NDArray[np.float32], about: dict[str, Any]) -> None:
    tifffile.imwrite(
        file,
        values.astype(np.float16),
        bigtiff=values.size * 2 > _BIG,
        photometric="minisblack",
        compression="zlib",
        compressionargs={"level": 1},  # higher ones take half as long again for a tenth
        maxworkers=1,  # images are written side by side already
        metadata=about,
    )


def _write_png(file: Path, values: NDArray[np.float32], scale: Scale) -> None:
    unit = (values - scale.low) / (scale.high - scale.low)
    grey = (unit.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    Image.fromarray(grey).save(file, "PNG", compress_level=4)


def _write_zarr(folder: Path, values: NDArray[np.float32], about: dict[str, Any]) -> None:
    import zarr

    draft, former = (folder.with_name(f".{uuid.uuid4().hex}.new") for _ in range(2))
    try:
        array = zarr.create_array(
            draft,
            shape=values.shape,
            dtype="float16",
            chunks=tuple(min(_CHUNK, length) for length in values.shape),
            attributes=about,
        )
        array[:] = values.astype(np.float16)
        # A folder cannot take another one's place: killed in between, there is no map, and the image is done again.
        if folder.exists():
            folder.replace(former)
        draft.replace(folder)
    finally:
        for unfinished in (draft, former):
            shutil.rmtree(unfinished, ignore_errors=True)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _fit(part: str, place: Sequence[str]) -> str:
    """A part of a key as a name; one that had to be changed has what no other place has at its end."""
    fit = fit_name(part)
    if fit == part:
        return part
    # Of 100,000 names that are alike up to where they are cut, two would share 8 digits.
    return fit_name(part, f"-{hashlib.blake2b('/'.join(place).encode(), digest_size=8).hexdigest()}")

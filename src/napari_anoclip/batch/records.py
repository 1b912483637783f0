"""What is known of each image that was scored: one small file each, written last, so that it vouches for the map."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_anoclip.engine import atomic
from napari_anoclip.review.judgement import Measures
from napari_anoclip.review.region_mask import Mask
from napari_anoclip.review.regions import Found

MAPS = "maps"
"""Folder of the maps, in that of the results."""

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.new")
"""Names of what `engine.atomic` has not finished."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordedRegion(_Plain):
    """A region of an image's map.

    Attributes
    ----------
    mask : RegionMask
        Its pixels, of the map.
    measures : Measures
        Of the map.
    """

    mask: Mask
    measures: Measures

    @classmethod
    def of(cls, found: Found) -> RecordedRegion:
        """Keep what was found."""
        return cls(mask=found.mask, measures=found.measures)


class MapFile(_Plain):
    """The file (or folder) of a map.

    Attributes
    ----------
    format : str
        "tiff", "png" or "zarr".
    path : str
        Below the folder of the results, with slashes.
    size : int
        Bytes. A map of another size was not written to its end, or was replaced by something else.
    """

    format: str
    path: str
    size: int

    @field_validator("path")
    @classmethod
    def _is_in_its_place(cls, path: str) -> str:
        # A map that is replaced is removed: a record that someone else wrote must not name anything but a map.
        first, *rest = path.replace("\\", "/").split("/")
        if first != MAPS or not rest or any(part in ("", ".", "..") for part in rest):
            raise ValueError(f"a map is below the folder {MAPS}")
        return path


class Record(_Plain):
    """An image and what came of it.

    Attributes
    ----------
    key, path, plane
        As of `inputs.Input`.
    file_digest : str
        Of the file's bytes; empty where it could not be read.
    recipe_digest : str
        Of all that decided what came of it.
    score, maximum : float or None
        Probability for the image, and the highest of its map; None where it failed.
    threshold : float
        Probability above which regions were looked for.
    size : tuple of int or None
        (H, W) in pixels of the image.
    block : int
        Pixels along a side of what one value of the map stands for; 1 but for very large images.
    regions : tuple of RecordedRegion
        By their maximum, highest first.
    map : MapFile or None
        Where maps are wanted.
    class_token : str
        Base64 of (C,) float16, the image's class token, where images are scored by each other; else empty.
    seconds : float
        That scoring and writing took, without reading and encoding.
    error : str
        Why it failed, as a sentence; else empty.
    """

    key: str
    path: str
    plane: int | None = None
    file_digest: str = ""
    recipe_digest: str
    score: float | None = None
    maximum: float | None = None
    threshold: float
    size: tuple[int, int] | None = None
    block: int = Field(1, ge=1)
    regions: tuple[RecordedRegion, ...] = ()
    map: MapFile | None = None
    class_token: str = ""
    seconds: float = 0.0
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether nothing came of it."""
        return bool(self.error)


class Records:
    """All records of a folder of results; any process may read and write them.

    Parameters
    ----------
    folder : Path
        Of the results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "records"

    def file(self, key: str) -> Path:
        """Where an image's record is: under a name that any disk takes, a few hundred to a folder."""
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name}.json"

    def get(self, key: str) -> Record | None:
        """An image's record; None where there is none, or none that can be read."""
        try:
            record = Record.model_validate_json(self.file(key).read_bytes())
        except (OSError, ValidationError):
            return None
        return record if record.key == key else None

    def put(self, record: Record) -> None:
        """Write a record in one step, over the one that the image had.

        Raises
        ------
        OSError
            If it cannot be written; the earlier one is untouched.
        """
        file = self.file(record.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(file, record.model_dump_json())

    def remove(self, key: str) -> None:
        """Forget an image."""
        self.file(key).unlink(missing_ok=True)

    def others(self, keys: set[str]) -> Iterator[Path]:
        """Files of records of other images than those of some keys."""
        known = {self.file(key).name for key in keys}
        return (file for file in self.folder.glob("??/*.json") if file.name not in known)


def path_text(path: Path) -> str:
    """A path as text: not every name of a file is."""
    return as_text(str(path))


def as_text(words: str) -> str:
    """Words in which there may be the name of a file, so that they can be written anywhere."""
    return words.encode(errors="surrogateescape").decode(errors="backslashreplace")


def pack_token(token: NDArray[np.float32]) -> str:
    """Write a class token (C,) as text, in half precision."""
    return base64.b64encode(token.astype("<f2").tobytes()).decode("ascii")


def unpack_token(text: str) -> NDArray[np.float16]:
    """Read what `pack_token` wrote."""
    return np.frombuffer(base64.b64decode(text), "<f2")


def remove_unfinished(folder: Path) -> int:
    """Take away what a killed run did not finish writing.

    Parameters
    ----------
    folder : Path
        Of the results; nobody else may be writing into it.

    Returns
    -------
    int
        How many files and folders these were.
    """
    removed = 0
    for path in [found for found in folder.rglob(".*.new") if _TEMPORARY.fullmatch(found.name)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return removed

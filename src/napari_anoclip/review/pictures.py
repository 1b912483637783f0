"""Pictures as files: which there are in a folder, and their pixels when somebody asks for them."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.engine.words import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari_anoclip.engine.progress import CancelFlag

TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".lsm", ".stk"})

SUFFIXES = TIFF_SUFFIXES | {
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp"),
    *(".jp2", ".j2k", ".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Endings of files that `read_picture` reads."""

SESSION_SUFFIX = ".anoclip"
"""Of a session's folder, which holds masks and no pictures."""

_AS_THEY_ARE = frozenset({"1", "L", "RGB", "RGBA", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes whose values are intensities or RGB."""


def list_pictures(folder: Path, *, unreadable: Callable[[OSError], None] | None = None) -> list[Path]:
    """All pictures of a folder and of those in it, but for hidden ones and for sessions.

    Parameters
    ----------
    folder : Path
        Where to look.
    unreadable : callable, optional
        Called with the reason for each folder in it that cannot be gone through, whose name it has as `filename`; such
        folders are passed over otherwise.

    Returns
    -------
    list of Path
        In the order of a person, who puts 9 before 10.

    Raises
    ------
    ImageError
        If it is no folder that can be read.
    """
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise ImageError(f"The folder {folder} cannot be read ({error.strerror}): choose another one.") from error
    found = []
    for where, folders, files in os.walk(folder, onerror=unreadable):
        folders[:] = [name for name in folders if not (name.startswith(".") or name.endswith(SESSION_SUFFIX))]
        found += [
            Path(where, name) for name in files if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return sorted(found, key=lambda path: [_natural(part) for part in path.relative_to(folder).parts])


def read_picture(path: Path) -> NDArray[Any]:
    """Read a file's pixels as they are stored: no rotation by its tags, no scaling.

    Parameters
    ----------
    path : Path
        A file with one of `SUFFIXES`.

    Returns
    -------
    ndarray
        (H, W), (H, W, 3) or (H, W, 4); what a TIFF holds else, such as a stack. Of an animation, the first picture.

    Raises
    ------
    ImageError
        If the file is not there or holds no picture.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
            raise ImageError(f"The picture {path.name} is no file that can be read: move it away.")
        pixels = _read_by_tifffile(path) if path.suffix.lower() in TIFF_SUFFIXES else _read_by_pillow(path)
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(
            f"The picture {path.name} is not in {path.parent} any more: put it back, or take it off the list."
        ) from error
    except PermissionError as error:
        raise ImageError(f"The picture {path.name} may not be read: ask for the right to read {path}.") from error
    except UnidentifiedImageError as error:  # its own words are the path once more
        raise ImageError(
            f"The picture {path.name} cannot be read (it holds no picture): save it again as PNG or TIFF."
        ) from error
    except Image.DecompressionBombError as error:  # its own words are of an attack
        raise ImageError(
            f"The picture {path.name} has, or claims to have, more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, "
            "too many for its format: save it as TIFF, or as zarr."
        ) from error
    # A damaged file can make a decoder fail in any way at all.
    except Exception as error:
        raise ImageError(
            f"The picture {path.name} cannot be read ({first_line(error)}): save it again as PNG or TIFF."
        ) from error
    return np.asarray(pixels)


def file_version(path: Path) -> tuple[int, int] | None:
    """Time and size of a file, which change with its content; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Picture:
    """A picture in a file, as an array whose pixels are read when they are asked for.

    A thousand of them take no memory: the pixels of the one that was read last are kept, for all pictures together.

    Parameters
    ----------
    path : Path
        The file, with one of `SUFFIXES`.

    Raises
    ------
    ImageError
        By anything that needs the file, if `read_picture` does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._form: tuple[tuple[int, ...], np.dtype[Any]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """As `read_picture` gives it; reads the file once."""
        return self._shape_and_type()[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """As `read_picture` gives it; reads the file once."""
        return self._shape_and_type()[1]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        return self._pixels()[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        pixels = np.asarray(self._pixels(), dtype=dtype)
        return pixels.copy() if copy else pixels

    def __repr__(self) -> str:
        return f"Picture({str(self.path)!r})"

    def _pixels(self) -> NDArray[Any]:
        pixels = _newest.read(self.path)
        self._form = (pixels.shape, pixels.dtype)
        return pixels

    def _shape_and_type(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        if self._form is None:
            self._pixels()
        assert self._form is not None
        return self._form


def find_moved(fingerprint: str, name: str, folder: Path, cancel: CancelFlag | None = None) -> Path | None:
    """Look for a picture by its pixels.

    Reads file after file, those of the same name first: for a worker thread.

    Parameters
    ----------
    fingerprint : str
        `engine.imaging.fingerprint` of the picture, or of one plane of it.
    name : str
        Of the file, when it was last seen.
    folder : Path
        Where to look.
    cancel : CancelFlag, optional
        Polled before each file.

    Returns
    -------
    Path or None
        None if none of them is it. Files that cannot be read are not.

    Raises
    ------
    Cancelled
        If the flag is set.
    ImageError
        If the folder cannot be read.
    """
    from napari_anoclip.engine import imaging  # loads torch

    for path in sorted(list_pictures(folder), key=lambda path: path.name.casefold() != name.casefold()):
        if cancel is not None and cancel.is_set():
            raise Cancelled("The search was cancelled.")
        try:
            pixels = read_picture(path)
        except ImageError:
            continue
        if any(imaging.fingerprint(plane) == fingerprint for plane in _planes(pixels)):
            return path
    return None


class _Newest:
    """The pixels of the file that was read last, so that strips of one picture don't read it again and again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[tuple[Any, ...], NDArray[Any]] | None = None

    def read(self, path: Path) -> NDArray[Any]:
        version = (path, file_version(path))  # of no file: `read_picture` says what is wrong
        with self._lock:
            kept = self._kept
        if kept is None or kept[0] != version:
            pixels = read_picture(path)
            pixels.flags.writeable = False
            kept = (version, pixels)
            with self._lock:
                self._kept = kept
        return kept[1]


_newest = _Newest()


def _read_by_tifffile(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        # A header of a hundred bytes may claim any size, and where the system grants memory before it is used, that
        # would be noticed too late.
        size, free = math.prod(series.shape) * series.dtype.itemsize, psutil.virtual_memory().available
        if size > free:
            raise ImageError(
                f"The picture {path.name} has, or claims to have, {' × '.join(map(str, series.shape))} values: reading "
                f"it takes {_in_gigabytes(size)}, and {_in_gigabytes(free)} of memory are free. Save it as zarr, or "
                "in parts."
            )
        return np.asarray(file.asarray(series=0))


def _in_gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def _read_by_pillow(path: Path) -> NDArray[Any]:
    with Image.open(path) as picture:
        if picture.mode in _AS_THEY_ARE:
            pixels = np.array(picture)
            # Some versions widen the 16 bits of a PNG.
            return pixels.astype(np.uint16) if (picture.format, picture.mode) == ("PNG", "I") else pixels
        if picture.mode in ("LA", "La"):
            return np.array(picture.convert("L"))
        return np.array(picture.convert("RGBA" if "transparency" in picture.info else "RGB"))


def _planes(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """All parts of an array that can be an image: itself, or else the planes of a stack."""
    if pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4)):
        yield pixels
    elif pixels.ndim > 2:
        for part in pixels:
            yield from _planes(part)


def _natural(name: str) -> list[str | int]:
    """Text and numbers in turn, beginning with text, so that keys can be compared."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split("([0-9]+)", name.casefold()))]

"""Which images there are: files, and those of folders, each plane of a stack by itself, each with a name of its own."""

from __future__ import annotations

import hashlib
import math
import os
import threading
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_anoclip.batch.errors import InputError
from napari_anoclip.batch.records import as_text
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review.pictures import SUFFIXES, TIFF_SUFFIXES, Picture, list_pictures, read_picture

_READ_BYTES = 1 << 20
_reading_stack = threading.Lock()

RESULTS = ("recipe.json", "records")
"""What every folder of results has in it."""


@dataclass(frozen=True)
class Input:
    """One image to be scored.

    Attributes
    ----------
    path : Path
        Its file.
    key : str
        Names it among all inputs, with slashes: the path below the folder that was given; of a plane of a stack with
        its number at the end. Two that differ only in upper and lower case, or in the way accents are written, would be
        one file on some disks, so that they differ in more.
    plane : int or None
        Which plane of its file, from 0, where the file holds a stack.
    """

    path: Path
    key: str
    plane: int | None = None


def find_inputs(paths: Iterable[Path], *, without: Path | None = None) -> list[Input]:
    """Find all images of files and folders.

    Parameters
    ----------
    paths : iterable of Path
        Files, and folders that are gone through; hidden files and folders, those of review sessions and the results of
        any run are skipped. A folder in them that cannot be read is an input itself, so that it is named as failed.
    without : Path, optional
        A folder in which nothing is an input: that of the results.

    Returns
    -------
    list of Input
        In the order of a person: that of `paths`, and within a folder 9 before 10. No path is there twice.

    Raises
    ------
    InputError
        If a path is not there, or is a file of another kind, or all of them are in the folder of the results.
    """
    roots = [Path(path) for path in paths]
    out = None if without is None else without.resolve()
    if out is not None and roots and all(root.resolve().is_relative_to(out) for root in roots):
        raise InputError(
            f"{roots[0]} is in the folder of the results, {without}, where no pictures are looked for: choose another "
            "folder for the results, a new one in it will do."
        )
    names = _root_names(roots)
    found: dict[tuple[Path, str], tuple[Path, str]] = {}
    for root, name in zip(roots, names, strict=True):
        home = _home(root).absolute()
        results = _results_in(home)
        # Asking the system for each file's real path takes longer than all the rest: files of a folder are alike in it.
        folders: dict[Path, Path] = {}
        for path in _files(root.absolute()):
            folder = path.parent
            if folder not in folders:
                folders[folder] = folder.resolve()
            whole = folders[folder]
            if results(folder):
                continue
            if (whole, path.name) not in found and (out is None or not whole.is_relative_to(out)):
                below = path.relative_to(home).as_posix()
                found[whole, path.name] = path, f"{name}/{below}" if name else below
    distinct = _distinct()
    return [
        Input(path, distinct(as_text(key if plane is None else f"{key}[{plane:0{width}d}]")), plane)
        for path, key in found.values()
        for plane, width in _planes_of(path, _state(path))
    ]


def read_input(one: Input) -> NDArray[Any]:
    """Read the pixels of an input.

    Parameters
    ----------
    one : Input

    Returns
    -------
    ndarray
        (H, W), (H, W, 3) or (H, W, 4).

    Raises
    ------
    ImageError
        If the file cannot be read, or has not got that plane any more.
    """
    _check_kind(one.path)
    if one.plane is None:
        return read_picture(one.path)
    page = _page(one.path, one.plane)
    if page is not None:
        return page
    # A stack that is stored in one piece, or whose pages are no planes; read once for all of its planes, and not by
    # several threads at the same time.
    with _reading_stack:
        picture = Picture(one.path)
        leading = _leading(picture.shape)
        if not leading or one.plane >= math.prod(leading):
            raise ImageError(f"{one.path.name} has no plane {one.plane} any more: run again on what is there now.")
        plane: NDArray[Any] = picture[np.unravel_index(one.plane, leading)]
        return plane


def file_digest(path: Path) -> str:
    """Hash the bytes of a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        _check_kind(path)
        with path.open("rb") as file:
            while part := file.read(_READ_BYTES):
                digest.update(part)
    except OSError as error:
        raise ImageError(f"The picture {path.name} cannot be read ({error.strerror}): is it still there?") from error
    return digest.hexdigest()


def _check_kind(path: Path) -> None:
    try:
        if path.is_dir():
            raise ImageError(f"The folder {path.name} cannot be read: ask for the right to read it, or move it away.")
        if path.exists() and not path.is_file():  # a pipe would be waited for, for ever
            raise ImageError(f"{path.name} is no file that can be read: move it away.")
    except OSError:
        return  # who reads it says so


def _files(root: Path) -> Sequence[Path]:
    if root.is_dir():
        try:
            unreadable: list[Path] = []
            pictures = list_pictures(root, unreadable=lambda error: unreadable.append(Path(error.filename)))
        except ImageError as error:
            raise InputError(str(error)) from error
        return [*pictures, *unreadable]
    if not root.exists():
        raise InputError(f"There is no file or folder {root}: check how it is written.")
    if root.suffix.lower() not in SUFFIXES:
        kinds = ", ".join(sorted(SUFFIXES))
        raise InputError(f"{root.name} is not a picture by its ending: give a folder, or one of {kinds}.")
    return [root]


def _results_in(home: Path) -> Callable[[Path], bool]:
    """Whether a folder below another one belongs to the results of a run, whose maps are no pictures."""

    @cache
    def is_result(folder: Path) -> bool:
        if folder == home or home not in folder.parents:
            return False  # what is given by name is wanted
        # Unlike pathlib's, without an error where names can be listed and nothing more.
        whole = all(os.path.exists(folder / name) for name in RESULTS)  # noqa: PTH110
        return whole or is_result(folder.parent)

    return is_result


def _root_names(roots: list[Path]) -> list[str]:
    """What stands before the keys of each root: nothing for a single folder, else as much of its path as it takes."""
    homes = [_home(root).resolve() for root in roots]
    several = set(homes)
    if len(several) <= 1:
        return [""] * len(roots)
    longest = max(len(home.parts) for home in several)
    length = next(n for n in range(1, longest + 1) if len({home.parts[-n:] for home in several}) == len(several))
    # The sign of a disk's root is no part of a name.
    return ["/".join(part for part in home.parts[-length:] if part != home.anchor) for home in homes]


def _home(root: Path) -> Path:
    """The folder that keys are seen from."""
    return root if root.is_dir() else root.parent


def _distinct() -> Callable[[str], str]:
    """Tell names apart that would be the same file somewhere."""
    taken: set[str] = set()

    def distinct(name: str) -> str:
        choice, number = name, 1
        while (folded := unicodedata.normalize("NFC", choice).casefold()) in taken:
            number += 1
            choice = f"{name} ({number})"
        taken.add(folded)
        return choice

    return distinct


def _state(path: Path) -> tuple[int, int] | None:
    """Which version of a file this is, as far as its folder tells, for TIFFs."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return None
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size) if S_ISREG(stat.st_mode) else None


@lru_cache(maxsize=1 << 17)  # a folder that is watched is gone through every few seconds
def _planes_of(path: Path, state: tuple[int, int] | None) -> list[tuple[int | None, int]]:
    """Number of each plane and how many digits it has; a file that cannot be read is one image, and said to be so."""
    if state is None:
        return [(None, 0)]
    try:
        with tifffile.TiffFile(path) as file:
            count = math.prod(_leading(file.series[0].shape))
    # A damaged file can make the reader fail in any way at all.
    except Exception:
        return [(None, 0)]
    return [(None, 0)] if count <= 1 else [(plane, len(str(count - 1))) for plane in range(count)]


def _leading(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes before those of an image; none of what is no image at all, so that the engine says so once."""
    if len(shape) < 2 or (len(shape) == 3 and shape[2] == 2):
        return ()
    return shape[:-3] if len(shape) >= 3 and shape[-1] in (1, 3, 4) else shape[:-2]


def _page(path: Path, plane: int) -> NDArray[Any] | None:
    """One plane of a TIFF whose pages are its planes, without the others; else None."""
    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            leading = _leading(series.shape)
            if len(series.pages) != math.prod(leading) or plane >= len(series.pages):
                return None
            pixels = file.asarray(key=plane, series=0)
            return pixels if pixels.shape == series.shape[len(leading) :] else None
    except FileNotFoundError:
        return None
    # As above; `read_picture` has words for it.
    except Exception:
        return None

"""Where a picture is that a file of annotations names. Such a file comes from anywhere: its names are no orders."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath, PureWindowsPath

from napari_anoclip.review.imports.problems import UnsafeName
from napari_anoclip.review.pictures import SUFFIXES


def find_picture(name: str, folder: Path, outside: bool) -> Path | None:
    """Find a picture by the name that annotations give it.

    Parameters
    ----------
    name : str
        Its path from the folder, with slashes of either kind. If nothing is there, it is looked for in the folder by
        the end of its path, the longest first.
    folder : Path
        Where names begin.
    outside : bool
        Whether the path may lead out of the folder, by ``..``.

    Returns
    -------
    Path or None
        A file with the ending of a picture; None if there is none.

    Raises
    ------
    UnsafeName
        If the name can be none of a picture of this folder.
    """
    plain = name.replace("\\", "/")
    path = PurePosixPath(plain)
    rooted = path.is_absolute() or PureWindowsPath(plain).drive or "://" in plain
    if not path.name or path.name == ".." or any(ord(letter) < 32 for letter in name):
        raise UnsafeName(f"“{_shown(name)}” is no name of a picture. Mend it in the file, or leave it out there.")
    if path.suffix.lower() not in SUFFIXES:
        raise UnsafeName(f"“{_shown(name)}” has not the ending of a picture. Save it as PNG or TIFF, and name that.")
    leads_out = rooted or ".." in path.parts
    tail = [part for part in path.parts if part not in ("..", "/") and ":" not in part]
    places = [] if rooted or (leads_out and not outside) else [Path(os.path.normpath(folder.joinpath(*path.parts)))]
    places += [folder.joinpath(*tail[first:]) for first in range(len(tail))]
    found = next((place for place in places if _is_file(place)), None)
    if found is None and leads_out:
        raise UnsafeName(
            f"“{_shown(name)}” leads out of the folder {folder.name}. Choose the folder that holds the pictures."
        )
    return found


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long
        return False


def _shown(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "�" for letter in name)
    return printable if len(printable) <= 80 else f"…{printable[-79:]}"

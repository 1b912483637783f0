"""Folders as people unpack them: upper and lower case in names do not matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_anoclip.review.pictures import list_pictures

_NAMED = 5
"""Names that a sentence gives as examples."""


def same_name(name: str) -> str:
    """Give equal texts for names that differ in upper and lower case only."""
    return name.casefold()


def folders_in(folder: Path) -> list[Path]:
    """Folders of a folder by name, but for hidden ones; none if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def find(folder: Path, *names: str) -> Path | None:
    """Go down by names, whatever their case.

    Parameters
    ----------
    folder : Path
        Where to begin.
    *names : str
        One for each level; parts of one text may be separated by slashes.

    Returns
    -------
    Path or None
        None if there is no such file or folder.
    """
    path = folder
    for name in (part for text in names for part in text.split("/") if part):
        exact = path / name
        if exact.exists():
            path = exact
            continue
        if not path.is_dir():
            return None
        same = [other for other in path.iterdir() if same_name(other.name) == same_name(name)]
        if not same:
            return None
        path = same[0]
    return path


def pictures_of(folder: Path | None) -> list[Path]:
    """Pictures that are directly in a folder, as a person counts; none if there is no such folder.

    Raises
    ------
    ImageError
        If the folder cannot be read.
    """
    if folder is None or not folder.is_dir():
        return []
    return [path for path in list_pictures(folder) if path.parent == folder]


def by_stem(folder: Path | None, suffixes: Iterable[str]) -> dict[str, Path]:
    """Files directly in a folder with one of some endings, by folded name without it; none if there is no folder."""
    if folder is None or not folder.is_dir():
        return {}
    wanted = {suffix.casefold() for suffix in suffixes}
    return {
        same_name(path.stem): path
        for path in sorted(folder.iterdir())
        if path.suffix.casefold() in wanted and not path.name.startswith(".")
    }


def some(names: Sequence[str]) -> str:
    """Join a few of some names for a sentence."""
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")

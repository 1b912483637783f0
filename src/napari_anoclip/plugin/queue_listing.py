"""Which pictures a queue is made of: those of a folder, or files that were picked. Looked for in a worker."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, ImageError
from napari_anoclip.plugin.job import Job
from napari_anoclip.review.pictures import SESSION_SUFFIX, SUFFIXES, list_pictures
from napari_anoclip.review.session import Session

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag

KINDS = "PNG, JPEG, TIFF, BMP and the like"


@dataclass(frozen=True)
class Listed:
    """What was found.

    Attributes
    ----------
    title : str
        What to call it: the folder with the one around it, or how many files.
    folder : Path or None
        None of files that were picked.
    paths : tuple of Path
        Pictures, absolute and in order.
    sessions : tuple of Path
        Sessions right in the folder.
    left_out : int
        Files that were picked and are no pictures.
    """

    title: str
    folder: Path | None
    paths: tuple[Path, ...]
    sessions: tuple[Path, ...] = ()
    left_out: int = 0


class QueueListing(QObject):
    """Looks for pictures, the newest wish first."""

    found = Signal(object)
    """A `Listed` with at least one picture."""
    failed = Signal(str)
    """A sentence."""
    busy_changed = Signal(bool)
    """Whether something is looked for."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.job = Job()
        self.job.succeeded.connect(self.found)
        self.job.failed.connect(lambda error: self.failed.emit(str(error)))
        self.job.state_changed.connect(lambda _: self.busy_changed.emit(self.job.busy))

    def folder(self, folder: Path) -> None:
        """Look for the pictures of a folder and of those in it."""
        self.job.start(lambda _, cancel: _folder(_absolute(folder), cancel), newest=True)

    def files(self, files: Sequence[Path]) -> None:
        """Take files, and the pictures of folders that are among them."""
        self.job.start(lambda _, cancel: _files([_absolute(file) for file in files], cancel), newest=True)

    def close_down(self) -> None:
        """Stop looking."""
        self.job.close()


def is_session(path: Path) -> bool:
    """Whether a folder holds a session."""
    return path.suffix == SESSION_SUFFIX and Session.is_session(path)


def _folder(folder: Path, cancel: CancelFlag) -> Listed:
    paths = tuple(list_pictures(folder))
    if cancel.is_set():
        raise Cancelled("Another folder was chosen.")
    if not paths:
        raise ImageError(f"There is no picture in “{folder.name}”. Choose a folder with {KINDS}.")
    sessions = tuple(path for path in sorted(folder.glob(f"*{SESSION_SUFFIX}")) if is_session(path))
    return Listed(os.path.join(*folder.parts[-2:]), folder, paths, sessions)  # noqa: PTH118 (a name for people)


def _files(files: Iterable[Path], cancel: CancelFlag) -> Listed:
    paths: list[Path] = []
    left_out = 0
    for file in files:
        if cancel.is_set():
            raise Cancelled("Other files were chosen.")
        if file.is_dir():
            paths += list_pictures(file)
        elif file.suffix.lower() in SUFFIXES:
            paths.append(file)
        else:
            left_out += 1
    paths = list(dict.fromkeys(paths))
    if not paths:
        raise AnoCLIPError(f"There is no picture among these files. Choose {KINDS}.")
    title = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    return Listed(title, None, tuple(paths), left_out=left_out)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))  # links stay: they are the names that people gave

"""Where an export goes: complete or not at all, and never over what is there without being asked."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.foreign import json_of
from napari_anoclip.engine.words import counted

LISTING = ".napari-anoclip-export.json"
"""Names the files of an export in its folder, so that a later one takes away what it does not write anew."""


class ExportError(AnoCLIPError):
    """Nothing was exported: the sentence says why and what to do."""


class ExportExists(ExportError):
    """Something is there already; export again with ``overwrite=True`` once the user said so."""


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes
    ----------
    path : Path
        File, or folder.
    images, regions : int
        How many are in it; of a stack each plane is an image.
    left_out : tuple of str
        One sentence for each image that could not go into it, or not all of it.
    not_judged : int
        Images that nothing is known of, and which are not in it for that reason.
    remark : str
        What else is not in it, as a sentence.
    """

    path: Path
    images: int
    regions: int
    left_out: tuple[str, ...] = ()
    not_judged: int = 0
    remark: str = ""

    @property
    def sentence(self) -> str:
        """All of it in words."""
        said = [f"{counted(self.images, 'image')} with {counted(self.regions, 'region')} exported to {self.path.name}."]
        if self.left_out:
            said.append(f"{counted(len(self.left_out), 'image')} left out: {self.left_out[0]}")
        if self.not_judged:
            said.append(f"{counted(self.not_judged, 'image')} not judged yet.")
        return " ".join([*said, self.remark]).strip()


def write_file(file: Path, content: bytes | str, overwrite: bool) -> None:
    """Write a file, as `write_files` does."""
    write_files({file: content}, overwrite)


def write_files(contents: Mapping[Path, bytes | str], overwrite: bool) -> None:
    """Write files, all of them or none.

    Raises
    ------
    ExportExists
        If one is there and must not be replaced.
    ExportError
        If one cannot be written; what was there is untouched.
    """
    for file in contents:
        require_free_file(file, overwrite)
    with ExitStack() as all_of_them:
        for file, content in contents.items():
            # Each is complete under another name before the first one takes its place.
            all_of_them.enter_context(_said_in_words(file))
            draft = all_of_them.enter_context(atomic.replacing(file, durable=True))
            # A name of a file may hold what is no text.
            draft.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)


def require_free_file(file: Path, overwrite: bool) -> None:
    """Make sure, before any work, that a file may be written.

    Raises
    ------
    ExportExists
        If it is there and must not be replaced.
    ExportError
        If there is a folder of this name, or there cannot be a file of it.
    """
    there = True
    with _said_in_words(file):
        try:
            file.lstat()
        except FileNotFoundError:
            there = False
            if not file.parent.is_dir():
                raise
    if file.is_dir():
        raise ExportError(f"{file.name} is a folder. Choose the name of a file.")
    if there and not overwrite:
        raise ExportExists(f"There is a file {file.name} already. Replace it, or choose another name.")


@contextmanager
def output_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Give an empty folder to write into, whose files are moved to their place once the block has ended well.

    Files of an earlier export into the same folder that are not written anew are taken away; those that the user put
    there stay.

    Raises
    ------
    ExportExists
        If the folder has files and must not be written into.
    ExportError
        If it cannot be written; what was there is untouched unless moving the files failed half-way.
    """
    folder = folder.absolute()
    with _said_in_words(folder):
        if folder.exists() and not folder.is_dir():
            raise ExportError(f"{folder.name} is a file. Choose a folder.")
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise ExportExists(f"The folder {folder.name} has files already. Export into it, or choose another folder.")
        # On the same disk as the folder, which may be one of its own, so that moving takes no room.
        draft = (folder if folder.is_dir() else folder.parent) / f".{uuid.uuid4().hex}.new"
        try:
            draft.mkdir(parents=True)
            yield draft
            written = sorted(path.relative_to(draft).as_posix() for path in draft.rglob("*") if path.is_file())
            listing = json.dumps({"files": written}, ensure_ascii=False, indent=1)
            (draft / LISTING).write_text(listing, encoding="utf-8")
            _move(draft, folder, [*written, LISTING])
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _move(draft: Path, folder: Path, written: list[str]) -> None:
    if not folder.exists():
        draft.replace(folder)
        return
    outdated = _listed(folder) - set(written)
    for name in written:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).replace(folder / name)
    for name in outdated:
        with suppress(OSError):  # something else is there by now, or a folder still holds files
            (folder / name).unlink()
            for emptied in (folder / name).relative_to(folder).parents[:-1]:
                (folder / emptied).rmdir()
    for path in draft.rglob("*"):  # folders without a file belong to the layout, too
        (folder / path.relative_to(draft)).mkdir(parents=True, exist_ok=True)


def _listed(folder: Path) -> set[str]:
    """Files of an earlier export; names that lead out of the folder are none of ours."""
    try:
        names = json_of((folder / LISTING).read_text(encoding="utf-8"))["files"]
        return {name for name in names if (folder / name).resolve().is_relative_to(folder.resolve())}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


@contextmanager
def _said_in_words(path: Path) -> Iterator[None]:
    """Turn what the system says into a sentence."""
    try:
        yield
    except OSError as error:
        raise ExportError(f"{path.name} cannot be written ({atomic.reason(error)}). Choose another place.") from error

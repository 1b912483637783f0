"""A folder of your own: good pictures, defective ones, and masks by a pattern, or none."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path, PurePosixPath
from typing import ClassVar, NoReturn

from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.batch.datasets.folders import same_name
from napari_anoclip.batch.datasets.layouts import in_words, refuse_missing
from napari_anoclip.batch.datasets.masks import MaskFile, NoDefect
from napari_anoclip.batch.datasets.model import DataSetError, Sample
from napari_anoclip.engine.prompts import Kind
from napari_anoclip.review.pictures import list_pictures

USUAL_MASKS = (
    "ground_truth/{kind}/{stem}_mask.*",
    "ground_truth/{kind}/{stem}.*",
    "masks/{kind}/{stem}_mask.*",
    "masks/{kind}/{stem}.*",
    "masks/{stem}_mask.*",
    "masks/{stem}.*",
    "{folder}/{stem}_mask.*",
)
"""Where masks are looked for when no pattern is given."""

_NAME = "all"
"""Category of a folder without a name."""

_WILD = frozenset("*?[")


class FolderSettings(BaseModel):
    """What is what in a folder. Patterns are of paths below it, with * and ?; upper and lower case do not matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    good: tuple[str, ...] = Field(
        ("good", "ok", "normal"), description="Folders of good pictures, by their name or path."
    )
    defective: tuple[str, ...] = Field(
        ("*",), description="Folders of defective pictures; * is all that are neither good nor left out."
    )
    leave_out: tuple[str, ...] = Field(("train", "train/*"), description="Folders that are not looked at.")
    masks: str | None = Field(
        None,
        description="Where the mask of a picture is: {stem} is the picture's name without ending, {kind} the name of "
        "its folder, {folder} the path to it. Empty looks in the usual places.",
    )
    object: str | None = Field(None, description="Word for what is in the pictures; empty takes the folder's name.")
    kind: Kind = Field("object", description="A thing with a shape, or a surface that fills the picture.")


@dataclass(frozen=True)
class Folder:
    """Pictures of one category, labelled by the folders they are in.

    Pictures of no labelled folder are there too; nobody knows whether they are defective.
    """

    particular: ClassVar[bool] = False

    settings: FolderSettings

    @property
    def expected(self) -> str:
        """What has to be in the folder."""
        return "pictures in folders such as good and defect"

    @property
    def parts(self) -> tuple[str, ...]:
        """Nothing, as any folder will do."""
        return ()

    def categories(self, root: Path) -> list[str]:
        """One of the folder's name, if there is a picture."""
        return [root.resolve().name or _NAME] if list_pictures(root) else []

    def samples(self, root: Path, category: str) -> list[Sample]:  # noqa: ARG002 (there is only one)
        """Good ones, defective ones, unknown ones, each in the order of their paths.

        Masks that a pattern was given for have to be there. Where none was given, none or all have to be there: it is
        a set with labels of pictures only, or one with masks.
        """
        pictures = list_pictures(root, unreadable=_refuse)
        paths = {PurePosixPath(path.relative_to(root).as_posix()): path for path in pictures}
        patterns = USUAL_MASKS if self.settings.masks is None else (self.settings.masks,)
        files = _Files(paths)
        samples, missing = [], []
        for path, image in paths.items():
            if self._matches(path, self.settings.leave_out) or _is_mask(path, patterns):
                continue
            if self._matches(path, self.settings.good):
                samples.append(Sample(image, False, NoDefect(image)))
            elif path.parent == PurePosixPath(".") or not self._matches(path, self.settings.defective):
                samples.append(Sample(image, None, None))
            else:
                mask = files.first(patterns, path)
                if mask is None:
                    missing.append((image, root / _filled(patterns[0], path.stem, path.parent)))
                kind = in_words(path.parent.name)
                samples.append(Sample(image, True, None if mask is None else MaskFile(mask, image), kind))
        if any(sample.defective and sample.mask is not None for sample in samples) or self.settings.masks is not None:
            refuse_missing(missing)
        elif missing:
            # Nobody drew masks: pixels of good pictures alone would say nothing.
            samples = [Sample(sample.image, sample.defective, None, sample.defect) for sample in samples]
        return sorted(samples, key=lambda sample: (sample.defective is None, bool(sample.defective)))

    @staticmethod
    def _matches(path: PurePosixPath, patterns: tuple[str, ...]) -> bool:
        folder = same_name(str(path.parent))
        names = (folder, folder.rsplit("/", 1)[-1])
        return any(fnmatchcase(name, same_name(pattern.strip("/"))) for pattern in patterns for name in names)


class _Files:
    """Files of a folder by patterns, found without a look at all of them wherever only the ending is open."""

    def __init__(self, paths: dict[PurePosixPath, Path]) -> None:
        self._by_name = {same_name(str(path)): file for path, file in paths.items()}
        self._by_stem = {same_name(str(path.with_suffix(""))): file for path, file in paths.items()}

    def first(self, patterns: tuple[str, ...], picture: PurePosixPath) -> Path | None:
        """Find what one of the patterns means for a picture; itself it is not."""
        for pattern in patterns:
            file = self._first(pattern, picture)
            if file is not None and file != self._by_name[same_name(str(picture))]:
                return file
        return None

    def _first(self, pattern: str, picture: PurePosixPath) -> Path | None:
        open_ending = pattern.endswith(".*")
        if not _WILD & set(pattern.removesuffix(".*")):
            name = same_name(_filled(pattern.removesuffix(".*"), picture.stem, picture.parent))
            return (self._by_stem if open_ending else self._by_name).get(name)
        wanted = same_name(_filled(pattern, escape(picture.stem), PurePosixPath(escape(str(picture.parent)))))
        return next((file for name, file in self._by_name.items() if fnmatchcase(name, wanted)), None)


def _refuse(error: OSError) -> NoReturn:
    """Of a part of the folder, figures would be of something else."""
    raise DataSetError(
        f"The folder {error.filename} cannot be read ({error.strerror}): ask for the right to read it, or move it away."
    ) from error


def _filled(pattern: str, stem: str, folder: PurePosixPath) -> str:
    try:
        return pattern.format(stem=stem, kind=folder.name, folder=folder)
    except (KeyError, IndexError, ValueError) as error:
        raise DataSetError(
            f"The pattern {pattern!r} of masks cannot be used: it may hold {{stem}}, {{kind}} and {{folder}} in "
            "braces, such as masks/{kind}/{stem}.png."
        ) from error


def _is_mask(path: PurePosixPath, patterns: tuple[str, ...]) -> bool:
    name = same_name(str(path))
    return any(fnmatchcase(name, same_name(_filled(pattern, "*", PurePosixPath("*")))) for pattern in patterns)

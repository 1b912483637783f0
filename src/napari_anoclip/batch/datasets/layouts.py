"""Layouts that several data sets share: a tree of folders, pictures with truth beside them, one of several."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from napari_anoclip.batch.datasets.folders import by_stem, find, folders_in, pictures_of, same_name, some
from napari_anoclip.batch.datasets.masks import PICTURES, MaskFile, NoDefect, shows_defect
from napari_anoclip.batch.datasets.model import DataSetError, Layout, Sample
from napari_anoclip.engine.foreign import json_of


@dataclass(frozen=True)
class Tree:
    """A folder for each category, in it one for each kind of defect: the layout of MVTec AD and of many after it.

    Attributes
    ----------
    test : str
        Folder of a category whose folders hold the pictures.
    truth : str
        Folder of a category with the masks, in folders of the same names.
    good : str
        Folder of the pictures without defect.
    around : str
        Folder around the categories that may be there or not.
    """

    particular: ClassVar[bool] = True

    test: str = "test"
    truth: str = "ground_truth"
    good: str = "good"
    around: str = ""

    @property
    def expected(self) -> str:
        """What has to be in the folder."""
        return f"CATEGORY/{self.test}/{self.good} with CATEGORY/{self.truth}"

    @property
    def parts(self) -> tuple[str, ...]:
        """Nothing else."""
        return (self.around,) if self.around else ()

    def categories(self, root: Path) -> list[str]:
        """Folders with a test folder in which there are folders."""
        return [folder.name for folder in folders_in(self._home(root)) if self._kinds(folder)]

    def samples(self, root: Path, category: str) -> list[Sample]:
        """Good pictures first, then kind after kind."""
        folder = self._home(root) / category
        samples, missing = [], []
        for kind in sorted(self._kinds(folder), key=lambda kind: (not self._is_good(kind), kind.name)):
            masks = by_stem(find(folder, self.truth, kind.name), PICTURES)
            for image in pictures_of(kind):
                if self._is_good(kind):
                    samples.append(Sample(image, False, NoDefect(image)))
                    continue
                stem = same_name(image.stem)
                mask = masks.get(f"{stem}_mask") or masks.get(stem)
                if mask is None:
                    missing.append((image, folder / self.truth / kind.name / f"{image.stem}_mask.png"))
                else:
                    samples.append(Sample(image, True, MaskFile(mask, image), in_words(kind.name)))
        refuse_missing(missing)
        return samples

    def _home(self, root: Path) -> Path:
        return (find(root, self.around) if self.around else None) or root

    def _kinds(self, category: Path) -> list[Path]:
        test = find(category, self.test)
        truth = self.truth.rsplit("/", 1)[-1]  # in MVTec AD 2 it lies among the kinds
        return [] if test is None else [kind for kind in folders_in(test) if same_name(kind.name) != truth]

    def _is_good(self, kind: Path) -> bool:
        return same_name(kind.name) == self.good


@dataclass(frozen=True)
class Pairs:
    """One category: pictures in a folder, or in one for each kind, and a file of truth for each.

    Attributes
    ----------
    category : str
        Its name.
    pictures : str
        Folder of the pictures; an asterisk in it stands for the kind of defect.
    truth : str
        Folder of the truth; with the same asterisk.
    ending : str
        What the name of the truth has more than that of the picture.
    suffixes : tuple of str
        Of files of truth.
    picture_suffixes : tuple of str
        Of pictures.
    label : {"truth", "kind", "always"}
        What tells that a picture is defective: its truth shows something, its kind is not `good`, or nothing has to.
    good : str
        Kind without defect.
    without_truth : {"missing", "good"}
        What a picture is that has no truth.
    defect : str
        Kind of all defects, where folders do not tell.
    split : tuple of str
        JSON file in the data set's folder, the list in it, the fields with a picture's name and with its split. Only
        those of the split "test" count, or all if the file is not there.
    """

    particular: ClassVar[bool] = True

    category: str
    pictures: str
    truth: str
    ending: str = ""
    suffixes: tuple[str, ...] = (".png",)
    picture_suffixes: tuple[str, ...] = PICTURES
    label: Literal["truth", "kind", "always"] = "truth"
    good: str = ""
    without_truth: Literal["missing", "good"] = "missing"
    defect: str = "defect"
    split: tuple[str, str, str, str] | None = None

    @property
    def expected(self) -> str:
        """What has to be in the folder."""
        truth = f"{self.truth}/NAME{self.ending}{self.suffixes[0]}"
        return f"pictures in {self.pictures} with {truth}".replace("*", "KIND")

    @property
    def parts(self) -> tuple[str, ...]:
        """The first folders of pictures and truth, and the usual neighbour of a folder for testing."""
        return tuple({folder.split("/")[0] for folder in (self.pictures, self.truth)} | {"train"})

    def categories(self, root: Path) -> list[str]:
        """The only one, if its pictures are there."""
        return [self.category] if any(self._images(folder) for _, folder, _ in self._folders(root)) else []

    def samples(self, root: Path, category: str) -> list[Sample]:  # noqa: ARG002 (there is only one)
        """In the order of kinds and names."""
        samples, missing = [], []
        for_test = self._for_test(root)
        for kind, folder, truth in self._folders(root):
            files = by_stem(truth, self.suffixes)
            for image in self._images(folder):
                if for_test is not None and image.name not in for_test:
                    continue
                file = files.get(same_name(image.stem + self.ending))
                good = self.label == "kind" and same_name(kind) == same_name(self.good)
                if file is None and self.without_truth == "missing" and not good:
                    missing.append((image, (truth or folder) / f"{image.stem}{self.ending}{self.suffixes[0]}"))
                elif file is None or good or (self.label == "truth" and not shows_defect(file)):
                    samples.append(Sample(image, False, NoDefect(image)))
                else:
                    samples.append(Sample(image, True, MaskFile(file, image), in_words(kind) or self.defect))
        refuse_missing(missing)
        return samples

    def _for_test(self, root: Path) -> set[str] | None:
        """Names of the pictures that count; None for all."""
        if self.split is None or (file := find(root, self.split[0])) is None:
            return None
        _, entries, name, split = self.split
        try:
            listed = json_of(file.read_text(encoding="utf-8"))[entries]
            return {entry[name] for entry in listed if entry[split] == "test"}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataSetError(
                f"{file} does not say which pictures are for testing: unpack the data set again, or delete the file, "
                "and all pictures count."
            ) from error

    def _images(self, folder: Path) -> list[Path]:
        return [
            image
            for image in pictures_of(folder)
            if image.suffix.casefold() in self.picture_suffixes
            # In the same folder as the pictures, masks are told by their ending.
            and not (self.ending and same_name(image.stem).endswith(same_name(self.ending)))
        ]

    def _folders(self, root: Path) -> list[tuple[str, Path, Path | None]]:
        """Kind, folder of pictures and folder of truth; kind is empty where there is only one folder."""
        before, asterisk, after = self.pictures.partition("*")
        if not asterisk:
            folder = find(root, self.pictures)
            return [] if folder is None else [("", folder, find(root, self.truth))]
        found = []
        for top in folders_in(root):
            folder = find(top, after)
            if same_name(top.name).startswith(same_name(before)) and folder is not None:
                found.append(
                    (top.name[len(before) :], folder, find(root, self.truth.replace("*", top.name[len(before) :])))
                )
        return found


@dataclass(frozen=True)
class FirstOf:
    """A data set that people have in several layouts.

    Attributes
    ----------
    layouts : tuple of Layout
        The first that finds something counts.
    """

    particular: ClassVar[bool] = True

    layouts: tuple[Layout, ...]

    @property
    def expected(self) -> str:
        """What has to be in the folder."""
        return ", or ".join(layout.expected for layout in self.layouts)

    @property
    def parts(self) -> tuple[str, ...]:
        """Those of all."""
        return tuple(part for layout in self.layouts for part in layout.parts)

    def categories(self, root: Path) -> list[str]:
        """Those of the first layout that has any."""
        return next((found for layout in self.layouts if (found := layout.categories(root))), [])

    def samples(self, root: Path, category: str) -> list[Sample]:
        """Those of the layout that has the category."""
        layout = next(layout for layout in self.layouts if layout.categories(root))
        return layout.samples(root, category)


def in_words(name: str) -> str:
    """Name of a folder as words."""
    return " ".join(name.replace("_", " ").split())


def refuse_missing(missing: list[tuple[Path, Path]]) -> None:
    """Stop if there are defective pictures without a mask, given with the mask that was looked for.

    Without them, figures would be of another test set than everybody's.

    Raises
    ------
    DataSetError
        Naming the first of them.
    """
    if not missing:
        return
    (image, mask), *others = missing
    more = (
        f" So it is with {len(others)} more, such as {some([str(path) for path, _ in others[:2]])}." if others else ""
    )
    raise DataSetError(
        f"The picture {image} is defective, but its mask {mask} is not there: unpack the data set again, or move the "
        f"picture out of it.{more}"
    )

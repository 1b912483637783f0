"""What a data set is to the rest: categories of samples, each with its truth, whatever lies on the disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from napari_anoclip.batch.datasets.folders import folders_in, same_name, some
from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.foreign import NotYAML, yaml_of
from napari_anoclip.engine.prompts import Kind
from napari_anoclip.engine.words import first_line

NOUNS_FILE = "categories.yaml"
"""May lie beside the categories' folders and say what is in the pictures, by category."""

_LOOK_AT = 200
"""Folders of a wrong folder that are looked into before it is given up."""


class DataSetError(AnoCLIPError):
    """The data set is not where or not as it should be."""


class Noun(BaseModel):
    """What prompts call the things of a category."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: str = Field(min_length=1, description="Word for what is in the pictures, such as metal nut.")
    kind: Kind = Field("object", description="A thing with a shape, or a surface that fills the picture.")

    @field_validator("object")
    @classmethod
    def _words(cls, text: str) -> str:
        # A CLIP has never read "metal_nut".
        return " ".join(text.replace("_", " ").split())


@dataclass(frozen=True)
class Sample:
    """One picture and what is known of it.

    Attributes
    ----------
    image : Path
        The picture.
    defective : bool or None
        None where nobody has said.
    mask : callable or None
        Reads the truth, (H, W) bool, True where it is defective; can be pickled. None where nobody has drawn it: all
        that is known then is `defective`.
    defect : str
        Kind of the defect in words; empty where it is good or not named.

    Notes
    -----
    `mask` raises `DataSetError` if its file is damaged or not as large as the picture, and `ImageError` if it cannot
    be read.
    """

    image: Path
    defective: bool | None
    mask: Callable[[], NDArray[np.bool_]] | None
    defect: str = ""


@dataclass(frozen=True)
class Category:
    """Pictures of one thing or material.

    Attributes
    ----------
    name : str
        As the data set calls it.
    object : str
        Word for prompts.
    kind : {"object", "texture"}
        Decides between the prompts for things and for surfaces.
    samples : tuple of Sample
        In the order of their names, good ones first where the data set keeps them apart.
    """

    name: str
    object: str
    kind: Kind
    samples: tuple[Sample, ...]


class Layout(Protocol):
    """How pictures and truth lie on the disk.

    Attributes
    ----------
    particular : bool
        Whether one can tell it from other folders. Where any folder will do, none is looked for around a wrong one.
    """

    particular: ClassVar[bool]

    @property
    def expected(self) -> str:
        """What has to be in the folder, as part of a sentence."""
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """Folders that are inside one data set, besides those of categories."""
        ...

    def categories(self, root: Path) -> list[str]:
        """Names of the categories in a folder; none if it is laid out in another way."""
        ...

    def samples(self, root: Path, category: str) -> list[Sample]:
        """The samples of the test split, or of all where there is none."""
        ...


@dataclass(frozen=True)
class DataSet:
    """Description of a data set.

    Attributes
    ----------
    key : str
        Name on the command line.
    title : str
        Name in print.
    layout : Layout
        How it lies on the disk.
    tree : str
        The same for a person, one folder a line.
    licence : str
        As its makers give it.
    citation : str
        Whom to cite.
    page : str
        Address of the page from which to get it by hand; nothing is ever downloaded.
    checked : str
        Against what the layout was checked.
    nouns : mapping of str to Noun
        By category.
    word : str
        For categories that `nouns` has not; empty calls them by their folder's name.
    kind : {"object", "texture"}
        Of these categories.
    note : str
        What else one has to know.
    any_names : bool
        Whether a folder of which no category is known may be meant, too.
    """

    key: str
    title: str
    layout: Layout
    tree: str
    licence: str
    citation: str
    page: str
    checked: str
    nouns: Mapping[str, Noun] = field(default_factory=dict)
    word: str = ""
    kind: Kind = "object"
    note: str = ""
    any_names: bool = False

    def open(self, root: Path, categories: Collection[str] | None = None) -> list[Category]:
        """Find out what is there. Masks are not read yet, except where they alone say which pictures are defective.

        Parameters
        ----------
        root : Path
            The data set's folder.
        categories : collection of str, optional
            Only these.

        Returns
        -------
        list of Category
            In the order of `nouns`, then of their names.

        Raises
        ------
        DataSetError
            If the folder holds something else, such as another data set, a category is not there or empty, a
            defective picture has no mask although the data set draws them, or `NOUNS_FILE` is not as it should be.
        ImageError
            If a file or folder cannot be read.
        """
        root = Path(root)
        found = self.layout.categories(root) if root.is_dir() else []
        if not found:
            raise DataSetError(self._wrong(root))
        known = {same_name(name): rank for rank, name in enumerate(self.nouns)}
        found.sort(key=lambda name: (known.get(same_name(name), len(known)), name))
        nouns = self._nouns(root)
        if self.nouns and not self.any_names and not any(same_name(name) in nouns for name in found):
            # Several data sets have the same layout: figures would bear the wrong name, and prompts the wrong words.
            raise DataSetError(
                f"{root} holds none of the categories of {self.title} ({some(list(self.nouns))}), but {some(found)}: "
                f"name the data set that it is, or say in {NOUNS_FILE} what they are."
            )
        return [self._category(root, name, nouns) for name in _chosen(found, categories, self.title)]

    def _category(self, root: Path, name: str, nouns: Mapping[str, Noun]) -> Category:
        samples = self.layout.samples(root, name)
        if not samples:
            raise DataSetError(
                f"There is no picture of the category {name} in {root}, where {self.layout.expected} was expected: "
                "unpack the data set again."
            )
        noun = nouns.get(same_name(name)) or Noun(object=self.word or name.replace("-", " "), kind=self.kind)
        return Category(name, noun.object, noun.kind, tuple(samples))

    def _nouns(self, root: Path) -> dict[str, Noun]:
        """By folded name; what lies beside the data set is the user's word and comes first."""
        nouns = {same_name(name): noun for name, noun in self.nouns.items()}
        file = root / NOUNS_FILE
        if not file.is_file():
            return nouns
        try:
            own = _NOUNS.validate_python(yaml_of(file.read_text(encoding="utf-8")) or {})
        except (OSError, UnicodeDecodeError, NotYAML, ValidationError) as error:
            raise DataSetError(
                f"{file} cannot be used ({first_line(error)}): write a line such as 'cloth: {{object: woven cloth, "
                "kind: texture}' for each category, or delete the file."
            ) from error
        return nouns | {same_name(name): noun for name, noun in own.items()}

    def _wrong(self, root: Path) -> str:
        if not root.exists():
            return f"There is no folder {root}: give the one that holds {self.title} ({self.layout.expected})."
        if not root.is_dir():
            return f"{root} is a file: give the folder that holds {self.title} ({self.layout.expected})."
        if self.layout.particular and (near := self._near(root)):
            return near
        names = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
        return (
            f"{root} is not {self.title}: {self.layout.expected} was expected, {some(names) or 'nothing'} was found."
            + (f" Give the folder that was unpacked from {self.page}." if self.page else " Give another folder.")
        )

    def _near(self, root: Path) -> str:
        """Say which folder to give, if the right one is around a wrong one or in it."""
        for around in (root.parent, root.parent.parent):
            found = self.layout.categories(around) if around != root else []
            below = root.relative_to(around).parts[0] if around != root else ""
            if same_name(below) in {same_name(name) for name in (*found, *self.layout.parts)} and found:
                which = f", and choose the category {below} by its name" if below in found else ""
                return f"{root} is a part of {self.title}: give the folder around it, {around}{which}."
        inside = folders_in(root)[:_LOOK_AT]
        deeper = [folder for around in inside for folder in folders_in(around)[:_LOOK_AT]]
        for folder in (*inside, *deeper):
            if self.layout.categories(folder):
                return f"{root} is the folder around {self.title}: give {folder}."
        return ""


_NOUNS = TypeAdapter(dict[str, Noun])


def _chosen(found: list[str], wanted: Collection[str] | None, title: str) -> list[str]:
    if wanted is None:
        return found
    folded = {same_name(name) for name in wanted}
    missing = [name for name in wanted if same_name(name) not in {same_name(other) for other in found}]
    if missing:
        raise DataSetError(f"{title} has no category {some(missing)} here: choose among {', '.join(found)}.")
    return [name for name in found if same_name(name) in folded]

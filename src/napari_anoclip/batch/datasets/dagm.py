"""DAGM 2007: textures with label pictures, as it is handed out now, or with ellipses, as its development data were."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from napari_anoclip.batch.datasets.folders import by_stem, find, folders_in, pictures_of, same_name
from napari_anoclip.batch.datasets.layouts import refuse_missing
from napari_anoclip.batch.datasets.masks import PICTURES, Ellipse, MaskFile, NoDefect
from napari_anoclip.batch.datasets.model import DataSetError, Sample

_CLASS = re.compile(r"class\d+")
_DEFECTIVE = "_def"
_ELLIPSES = "labels.txt"


@dataclass(frozen=True)
class LabelPictures:
    """``Class1/Test/0001.PNG``, with ``Class1/Test/Label/0001_label.PNG`` if it is defective."""

    particular: ClassVar[bool] = True

    expected: str = "Class1/Test with Class1/Test/Label"
    parts: tuple[str, ...] = ()

    def categories(self, root: Path) -> list[str]:
        """Folders Class1, Class2, ... with a test folder."""
        return [folder.name for folder in _classes(root) if find(folder, "Test") is not None]

    def samples(self, root: Path, category: str) -> list[Sample]:
        """Good ones first. Where ``Labels.txt`` is there, it tells which pictures must have a label picture."""
        test = find(root, category, "Test") or root
        labels = by_stem(find(test, "Label"), PICTURES)
        listed = _listed(find(test, "Label", "Labels.txt"))
        samples, missing = [], []
        for image in pictures_of(test):
            name = f"{image.stem}_label"
            label = labels.get(same_name(name))
            if label is not None:
                samples.append(Sample(image, True, MaskFile(label, image), "defect"))
            elif same_name(name) in listed:
                missing.append((image, test / "Label" / f"{name}.PNG"))
            else:
                samples.append(Sample(image, False, NoDefect(image)))
        refuse_missing(missing)
        return sorted(samples, key=lambda sample: bool(sample.defective))


@dataclass(frozen=True)
class Ellipses:
    """``Class1/1.png`` good, ``Class1_def/1.png`` defective, an ellipse for each in ``Class1_def/labels.txt``."""

    particular: ClassVar[bool] = True

    expected: str = "Class1 and Class1_def with labels.txt"
    parts: tuple[str, ...] = ()

    def categories(self, root: Path) -> list[str]:
        """Folders Class1, ... beside which there is Class1_def."""
        return [folder.name for folder in _classes(root) if find(root, folder.name + _DEFECTIVE) is not None]

    def samples(self, root: Path, category: str) -> list[Sample]:
        """All pictures, as there is no split; good ones first."""
        folder = find(root, category + _DEFECTIVE) or root
        table = find(folder, _ELLIPSES)
        ellipses = _ellipses(table) if table is not None else {}
        samples = [Sample(image, False, NoDefect(image)) for image in pictures_of(find(root, category))]
        missing = []
        for image in pictures_of(folder):
            ellipse = ellipses.get(image.stem.lstrip("0"))
            if ellipse is None:
                missing.append((image, folder / f"{_ELLIPSES}, line {image.stem}"))
            else:
                samples.append(Sample(image, True, Ellipse(image, *ellipse), "defect"))
        refuse_missing(missing)
        return samples


def _classes(root: Path) -> list[Path]:
    return [folder for folder in folders_in(root) if _CLASS.fullmatch(same_name(folder.name))]


def _listed(table: Path | None) -> set[str]:
    """Names of label pictures in a list whose columns nobody has documented."""
    if table is None:
        return set()
    words = table.read_text(encoding="utf-8", errors="replace").split()
    return {same_name(Path(word).stem) for word in words if same_name(Path(word).stem).endswith("_label")}


def _ellipses(table: Path) -> dict[str, tuple[float, float, float, float, float]]:
    """Semi-axes, angle and centre by number of the picture."""
    found = {}
    for number, line in enumerate(table.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            major, minor, angle, x, y = (float(word) for word in words[1:6])
        except ValueError as error:
            raise DataSetError(
                f"{table}, line {number}: the number of a picture, two semi-axes, an angle, x and y were expected: "
                "unpack the data set again."
            ) from error
        found[words[0].removesuffix(".png").lstrip("0")] = (major, minor, angle, x, y)
    return found

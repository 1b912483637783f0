"""Masks of defects: a folder as of the MVTec AD data set, or one mask beside one picture."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label, regionprops

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports.masks import GOOD
from napari_anoclip.review.exports.place import DEFECT
from napari_anoclip.review.imports.imported import Gathering, Imported
from napari_anoclip.review.imports.judged import Source, imported, kind_named
from napari_anoclip.review.imports.problems import AnnotationError, WrongFolder, WrongSize
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.mask_picture import set_pixels
from napari_anoclip.review.pictures import SUFFIXES, list_pictures, read_picture
from napari_anoclip.review.region_mask import RegionMask

TEST, TRUTH = "test", "ground_truth"

_ENDING = "_mask"
_LAYOUT = f"{TEST}/{GOOD}, {TEST}/KIND and {TRUTH}/KIND"
_EACH_NEEDS_ONE = "Each defective picture needs one."
_NAMED = 5
"""Names that a sentence gives as examples."""


def import_data_set(
    folder: Path, *, on_progress: ProgressCallback | None = None, cancel: CancelFlag | None = None
) -> Imported:
    """Read ``test/good/*``, ``test/KIND/*`` and ``ground_truth/KIND/*_mask.*`` as images that were judged as a whole.

    Parameters
    ----------
    folder : Path
        That which holds ``test`` and ``ground_truth``.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Imported
        Images in the order of their names. Of each mask, what hangs together, also by a corner, is a defect of the kind
        of its folder; one without a kind if that is called "defect". A picture is left out where it or its mask cannot
        be read, the mask is not there, is empty or has another size.

    Raises
    ------
    AnnotationError
        `WrongFolder` if it is laid out in another way, or holds no mask. That of the first picture if all are left
        out.
    ImageError
        If none of the files holds a picture.
    Cancelled
        If the flag is set.
    """
    report = Reporter(on_progress, cancel)
    root = Path(folder)
    pairs = _pairs(root)
    gathering = Gathering()
    for done, (picture, mask) in enumerate(pairs):
        report("reading masks", done, len(pairs))
        gathering.take(picture.relative_to(root / TEST).as_posix(), partial(_of_data_set, root, picture, mask))
    report("reading masks", len(pairs), len(pairs))
    return gathering.imported()


def import_mask(picture: Path, mask: Path, *, kind: str = "") -> Imported:
    """Read one picture with one mask, as an image that was judged as a whole.

    Parameters
    ----------
    picture : Path
        A picture, or a stack.
    mask : Path
        As large; what is above 0 is defective, in a JPEG what is above 127. An empty one says that the image is good.
    kind : str
        Of all its defects.

    Returns
    -------
    Imported
        The image.

    Raises
    ------
    WrongSize
        If the mask is not as large as the picture.
    ImageError
        If a file holds no picture.
    """
    return Imported((_judged(Path(picture), Path(mask), kind_named(kind)),))


def _of_data_set(root: Path, picture: Path, mask: Path | None) -> ImageReview:
    kind = picture.parent.name
    if picture.parent.parent != root / TEST:
        where = picture.parent.relative_to(root).as_posix()
        raise WrongFolder(f"It is in {where}, but pictures have to be in {TEST}/{GOOD} or {TEST}/KIND.")
    if kind.casefold() == GOOD:
        return Source.of(picture).review([], complete=True)
    if mask is None:
        raise WrongFolder(f"There is no {TRUTH}/{kind}/{picture.stem}{_ENDING}.png. {_EACH_NEEDS_ONE}")
    image = _judged(picture, mask, _kind_of_folder(kind))
    if not image.judgements:
        raise AnnotationError(
            f"The mask {mask.relative_to(root).as_posix()} is empty, but {picture.name} is not in {TEST}/{GOOD}. "
            "Draw its defects, or move the picture there."
        )
    return image


def _judged(picture: Path, mask: Path, kind: str) -> ImageReview:
    source = Source.of(picture)
    return source.review(_defects(source, mask, kind), complete=True)


def _defects(source: Source, mask: Path, kind: str) -> Iterator[Judgement]:
    """What hangs together in each plane, numbered over all planes."""
    number = 1
    set_ = _set_pixels(mask, source)
    for plane in np.ndindex(source.map_shape[:-2]):
        for region in regionprops(label(set_[plane], connectivity=2)):
            start = tuple(part.start for part in region.slice)
            yield imported(number, RegionMask.of(region.image, start), Verdict.DEFECT, kind, plane=plane)
            number += 1


def _set_pixels(mask: Path, source: Source) -> NDArray[np.bool_]:
    """Where a mask is set, (..., H, W) as its picture."""
    values, wanted = read_picture(mask), source.map_shape
    coloured = values.shape[:-1] == wanted and values.shape[-1] in (1, 3, 4)
    if not coloured and values.shape != wanted:
        raise WrongSize(
            f"The mask {mask.name} has {_words(values.shape)} pixels, but {source.path.name} has {_words(wanted)}. "
            "A mask has to be as large as its picture."
        )
    return set_pixels(values, mask, coloured=coloured)


def _pairs(root: Path) -> list[tuple[Path, Path | None]]:
    """Pictures with their masks, None where there is none; nothing is read yet."""
    _check_layout(root)
    pictures = list_pictures(root / TEST)
    if not pictures:
        raise WrongFolder(f"There is no picture in {root.name}/{TEST}. Pictures have to be in {_LAYOUT}.")
    kinds = {picture.parent.name for picture in pictures if picture.parent.name.casefold() != GOOD}
    masks = {kind: _masks_in(root / TRUTH / kind) for kind in kinds}
    if kinds and not any(masks.values()):
        missing = [f"{TRUTH}/{kind}" for kind in sorted(kinds)]
        raise WrongFolder(f"There is no mask in {root.name}: {_some(missing)} were expected. {_EACH_NEEDS_ONE}")
    return [(picture, masks.get(picture.parent.name, {}).get(picture.stem)) for picture in pictures]


def _check_layout(root: Path) -> None:
    if (root / TEST).is_dir():
        return
    if root.name in (TEST, TRUTH) and (root.parent / TEST).is_dir():
        raise WrongFolder(f"{root.name} is a part of a data set. Choose the folder around it, {root.parent.name}.")
    try:
        found = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise WrongFolder(f"The folder {root.name} cannot be read ({error.strerror}). Choose another one.") from error
    sets = [name for name in found if (root / name / TEST).is_dir()]
    if sets:
        raise WrongFolder(f"{root.name} holds data sets, but is none itself. Choose one of them: {_some(sets)}.")
    raise WrongFolder(
        f"{root.name} is no data set with masks: {_LAYOUT} were expected, {_some(found) or 'nothing'} was found."
    )


def _masks_in(folder: Path) -> dict[str, Path]:
    """Masks by the name of their picture, with or without what the data set puts behind it."""
    if not folder.is_dir():
        return {}
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    masks = {path.stem: path for path in files}
    return masks | {stem.removesuffix(_ENDING): path for stem, path in masks.items() if stem.endswith(_ENDING)}


def _kind_of_folder(name: str) -> str:
    """As `exports.masks` names folders."""
    return GOOD if name.casefold() == f"{GOOD} {DEFECT}" else kind_named(name)


def _words(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")

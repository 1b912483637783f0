"""What was judged elsewhere: read in a worker, and taken into the review as already judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_anoclip.engine.words import counted
from napari_anoclip.plugin.models import start_engine
from napari_anoclip.review.imports.imported import left_out_sentence
from napari_anoclip.review.judgement import ImageReview
from napari_anoclip.review.session import ENDING

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.review.session import Session
    from napari_anoclip.review.verdicts import Review


@dataclass(frozen=True)
class Found:
    """What was read.

    Attributes
    ----------
    source : Path
        File or folder.
    images : tuple of ImageReview
        With their judgements; paths are absolute.
    left_out : tuple of str
        One sentence for each picture that is not in it.
    """

    source: Path
    images: tuple[ImageReview, ...]
    left_out: tuple[str, ...] = ()

    @property
    def session(self) -> Path:
        """Where a session for it is kept if none is open."""
        return self.source.with_name(f"{self.source.stem}{ENDING}")


def read_coco(file: Path, folder: Path | None, on_progress: ProgressCallback, cancel: CancelFlag) -> Found:
    """Read COCO annotations of pictures in a folder, that of the file by default; for a worker."""
    start_engine()
    from napari_anoclip.review.imports.coco import import_coco

    found = import_coco(file, folder, on_progress=on_progress, cancel=cancel)
    return Found(file, found.images, found.left_out)


def read_masks(folder: Path, on_progress: ProgressCallback, cancel: CancelFlag) -> Found:
    """Read a data set in MVTec's layout; for a worker."""
    start_engine()
    from napari_anoclip.review.imports.masks import import_data_set

    found = import_data_set(folder, on_progress=on_progress, cancel=cancel)
    return Found(folder, found.images, found.left_out)


def take_in(review: Review, session: Session | None, found: Found) -> str:
    """Put images into a review, each judged in one step that can be undone.

    What a person judged here already counts more than what comes from elsewhere: such images stay as they are.

    Parameters
    ----------
    review : Review
        The session's, or that in memory.
    session : Session or None
        Whose paths the images get.
    found : Found
        What was read.

    Returns
    -------
    str
        What came of it, as a sentence.
    """
    images = regions = stayed = 0
    for image in found.images:
        known = review.images.get(image.key)
        if known is not None and known.judged:
            stayed += 1
            continue
        path = image.path if session is None or image.path is None else session.relative(image.path)
        review.add(image.model_copy(update={"path": path, "judgements": {}, "complete": False}))
        # Numbers that a region has by a note or a shape alone are not given again.
        shift = 0 if known is None else known.next_id - 1
        judgements = {n + shift: one.model_copy(update={"id": n + shift}) for n, one in image.judgements.items()}
        review.judge(image.key, f"import {image.name}", judgements, image.complete)
        images += 1
        regions += len(judgements)
    review.kinds = (*review.kinds, *_kinds(found.images))
    said = [f"{counted(images, 'image')} with {counted(regions, 'region')} imported from {found.source.name}."]
    if stayed:
        said.append(f"{counted(stayed, 'image')} judged here before: left as {'it is' if stayed == 1 else 'they are'}.")
    said.append(left_out_sentence(found.left_out))
    return " ".join(said).strip()


def _kinds(images: Iterable[ImageReview]) -> list[str]:
    return sorted({one.kind for image in images for one in image.judgements.values() if one.kind})

"""A folder as of the MVTec AD data set: pictures by what is wrong with them, and a mask for each that is not good."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.place import PathOf, Read, Region
from napari_anoclip.review.exports.target import Exported, output_folder
from napari_anoclip.review.judgement import ImageReview, Verdict
from napari_anoclip.review.pictures import SUFFIXES

GOOD = "good"
COMBINED = "combined"
"""Folder of pictures with defects of several kinds, as in the data set."""


def export_masks(
    images: Iterable[ImageReview],
    folder: Path,
    read: Read,
    *,
    path_of: PathOf = place.recorded_path,
    pictures: bool = True,
    overwrite: bool = False,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Exported:
    """Write ``ground_truth/KIND/NAME_mask.png`` and ``test/KIND/NAME.*``.

    A mask says of each pixel that it is defective or that it is not. So only images that were looked at as a whole and
    have no unsure region go into it, and, where pictures are wanted, those whose picture is there.

    Parameters
    ----------
    images : iterable of ImageReview
    folder : Path
        To write into; made if it is not there.
    read : callable
        Gives an image's array, or None.
    path_of : callable
        Gives an image's file, which is copied.
    pictures : bool
        Whether pictures are copied, too. Planes of a stack are written as TIFF.
    overwrite : bool
        Whether to write into a folder that has files.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Exported

    Raises
    ------
    ExportExists, ExportError
        If the folder has files, or cannot be written.
    Cancelled
        If the cancel flag was set; nothing was written.
    """
    report = Reporter(on_progress, cancel)
    everything = list(images)
    judged = [image for image in everything if image.judged]
    stems = place.file_stems(judged, path_of)
    count = regions_in = 0
    left_out = []
    with output_folder(Path(folder), overwrite) as draft:
        (draft / "ground_truth").mkdir()
        for done, image in enumerate(judged):
            report("writing masks", done, len(judged))
            picture, missing = place.opened(image, read)
            size = place.image_size(image, picture)
            why = _unfit(image) or (missing if pictures or image.origin != (0.0, 0.0) else "")
            if why:
                left_out.append(f"{image.name}: {why}")
                continue
            for plane, regions in place.planes_of(image, place.regions_of(image, size, {Verdict.DEFECT})).items():
                report("writing masks", done, len(judged))
                kind, stem = _kind(regions), stems[image.key] + place.plane_ending(plane)
                if regions:
                    mask = _file(draft / "ground_truth" / kind / f"{stem}_mask.png")
                    mask.write_bytes(_png(place.drawn(size, regions)))
                if pictures:
                    _copy(path_of(image), picture, plane, draft / "test" / kind, stem)
                count += 1
            regions_in += len(image.with_verdict(Verdict.DEFECT))
        report("writing masks", len(judged), len(judged))
    return Exported(Path(folder), count, regions_in, tuple(left_out), not_judged=len(everything) - len(judged))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode a grey picture."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def _unfit(image: ImageReview) -> str:
    if not image.complete:
        return "It was not looked at as a whole."
    if image.with_verdict(Verdict.UNSURE):
        return "It has unsure regions."
    return ""


def _kind(regions: list[Region]) -> str:
    kinds = {place.fit_name(region.label) for region in regions}
    if len(kinds) > 1:
        return COMBINED
    if not kinds:
        return GOOD
    kind = kinds.pop()
    return f"{kind} defect" if kind.casefold() == GOOD else kind


def _copy(path: Path | None, picture: Any, plane: tuple[int, ...], folder: Path, stem: str) -> None:
    """The picture itself, byte for byte where it is a file of its own."""
    if path is not None and path.is_file() and path.suffix.lower() in SUFFIXES and not plane:
        shutil.copyfile(path, _file(folder / (stem + path.suffix)))
    else:
        tifffile.imwrite(_file(folder / f"{stem}.tif"), np.asarray(picture[plane]), metadata=None)


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

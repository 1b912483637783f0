"""Labelled TIFF: one file an image, in which each judged region has its number. Opened by napari, ImageJ and others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.place import PathOf, Read, Region
from napari_anoclip.review.exports.target import Exported, output_folder
from napari_anoclip.review.judgement import ImageReview, Verdict

ENDING = ".labels.tif"

_ON_TOP = (Verdict.FALSE, Verdict.UNSURE, Verdict.DEFECT)
"""Where regions overlap, the later one is seen."""


def export_labels(
    images: Iterable[ImageReview],
    folder: Path,
    read: Read,
    *,
    path_of: PathOf = place.recorded_path,
    overwrite: bool = False,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Exported:
    """Write ``NAME.labels.tif`` for each judged image: 0 where nothing was judged, else the number of the region.

    What was said about each region stands in the file's description, as JSON that ``tifffile`` reads as
    ``shaped_metadata``.

    Parameters
    ----------
    images : iterable of ImageReview
        Those that nothing is known of are left out.
    folder : Path
        To write into; made if it is not there.
    read : callable
        Gives an image's array, or None; only its shape is asked for.
    path_of : callable
        Gives an image's file, after which that of the labels is named.
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
    count = 0
    left_out: list[str] = []
    with output_folder(Path(folder), overwrite) as draft:
        for done, image in enumerate(judged):
            report("writing labels", done, len(judged))
            size, why = place.known_size(image, read)
            if size is None:
                left_out.append(why)
                continue
            regions = list(place.regions_of(image, size))
            count += len({region.judgement.id for region in regions})
            words = place.path_words(image, path_of, Path(folder))
            _write(draft / (stems[image.key] + ENDING), image, size, regions, words)
        report("writing labels", len(judged), len(judged))
    return Exported(
        Path(folder), len(judged) - len(left_out), count, tuple(left_out), not_judged=len(everything) - len(judged)
    )


def _write(file: Path, image: ImageReview, size: tuple[int, int], regions: list[Region], path: str) -> None:
    """One plane at a time: a stack of labels may not fit into memory."""
    stack = image.map_shape[:-2]
    highest = max((region.judgement.id for region in regions), default=0)
    dtype = np.dtype(np.uint16 if highest < 2**16 else np.uint32)
    planes: dict[tuple[int, ...], list[Region]] = {}
    for region in regions:
        planes.setdefault(region.plane, []).append(region)

    def pages() -> Any:
        for plane in np.ndindex(stack):
            canvas = np.zeros(size, dtype)
            for region in sorted(planes.get(plane, []), key=lambda one: _ON_TOP.index(_verdict(one))):
                region.mask.draw(canvas, region.judgement.id)
            yield canvas

    tifffile.imwrite(
        file,
        pages(),
        shape=(*stack, *size),
        dtype=dtype,
        bigtiff=int(np.prod(stack)) * size[0] * size[1] * dtype.itemsize > 2**31,
        photometric="minisblack",
        compression="zlib",
        metadata={"image": path, "complete": image.complete, "regions": _said(regions)},
    )


def _said(regions: list[Region]) -> list[dict[str, Any]]:
    judged = {region.judgement.id: region.judgement for region in regions}
    return [{"number": one.id, "verdict": one.verdict, "kind": one.kind, "note": one.note} for one in judged.values()]


def _verdict(region: Region) -> Verdict:
    return region.judgement.verdict or Verdict.UNSURE

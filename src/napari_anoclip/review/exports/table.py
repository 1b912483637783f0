"""CSV: one row for each region, for a spreadsheet, pandas or R."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.place import PathOf
from napari_anoclip.review.exports.target import Exported, require_free_file, write_file
from napari_anoclip.review.judgement import ImageReview, Judgement, Measures
from napari_anoclip.review.regions import measure

_TEXTS = ["image", "path", "kind", "note", "unit", "top_prompt"]
"""Columns with words of people, of files and of models."""

_FORMULA = re.compile(r"(^|[;\t\n])(\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""What a spreadsheet would reckon: at the beginning, or where one that expects other separators sees a cell begin."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

COLUMNS = (
    "image",
    "path",
    "complete",
    "region",
    "plane",
    "verdict",
    "kind",
    "note",
    "score_max",
    "score_mean",
    "threshold",
    "area_px",
    "area",
    "length_px",
    "length",
    "unit",
    "orientation_deg",
    "row",
    "column",
    "first_row",
    "first_column",
    "last_row",
    "last_column",
    "first_plane",
    "last_plane",
    "origin",
    "edited",
    "top_prompt",
    "judged_at",
)


def regions_table(
    images: Iterable[ImageReview], *, path_of: PathOf = place.recorded_path, folder: Path | None = None
) -> pd.DataFrame:
    """Gather the regions of all images.

    Parameters
    ----------
    images : iterable of ImageReview
    path_of : callable
        Gives an image's file.
    folder : Path, optional
        Paths are relative to it.

    Returns
    -------
    DataFrame
        A row for each judgement, one without a verdict too; columns as in `COLUMNS`.
    """
    home = folder or Path()
    rows = [
        {
            "image": image.name,
            "path": place.path_words(image, path_of, home),
            "complete": image.complete,
            **region_row(image, judgement),
        }
        for image in images
        for _, judgement in sorted(image.judgements.items())
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"first_plane": "Int64", "last_plane": "Int64"})


def export_table(
    images: Iterable[ImageReview],
    file: Path,
    *,
    path_of: PathOf = place.recorded_path,
    overwrite: bool = False,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Exported:
    """Write `regions_table` as CSV in UTF-8, with a mark by which spreadsheets know that.

    Texts that a spreadsheet would take for a formula get an apostrophe in front.

    Parameters
    ----------
    images : iterable of ImageReview
    file : Path
        CSV to write.
    path_of : callable
        Gives an image's file; paths in the table are relative to the folder of the CSV.
    overwrite : bool
        Whether a file that is there may be replaced.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Exported

    Raises
    ------
    ExportExists, ExportError
        If the file is there, or cannot be written.
    Cancelled
        If the cancel flag was set; nothing was written.
    """
    file = Path(file)
    require_free_file(file, overwrite)
    report = Reporter(on_progress, cancel)
    report("writing table", 0, 1)
    everything = list(images)
    table = regions_table(everything, path_of=path_of, folder=file.parent)
    table[_TEXTS] = table[_TEXTS].map(harmless)
    content = table.to_csv(index=False, lineterminator="\n")
    report("writing table", 1, 1)
    write_file(file, content.encode("utf-8-sig", errors="replace"), overwrite)
    in_it = sum(bool(image.judgements) for image in everything)
    without = len(everything) - in_it
    remark = f"Images without a region have no row ({without})." if without else ""
    return Exported(file, in_it, len(table), remark=remark)


def region_row(image: ImageReview, judgement: Judgement) -> dict[str, Any]:
    """What is known of a region.

    Parameters
    ----------
    image : ImageReview
    judgement : Judgement
        Of this image.

    Returns
    -------
    dict
        By column. Places are pixels of the image, the last row, column and plane included; ``area_px`` and
        ``length_px`` are in pixels of the map, ``area`` and ``length`` in ``unit``, empty for a region of a volume.
    """
    measures = judgement.measures or measure(None, judgement.mask)
    first, last = _box(image, judgement)
    area, length = _in_world(image, measures)
    hidden = len(judgement.mask.start) > 2
    return {
        "region": judgement.id,
        "plane": " ".join(map(str, judgement.plane)),
        "verdict": judgement.verdict or "",
        "kind": judgement.kind,
        "note": judgement.note,
        "score_max": measures.maximum,
        "score_mean": measures.mean,
        "threshold": judgement.threshold,
        "area_px": measures.area,
        "area": area,
        "length_px": measures.length,
        "length": length,
        "unit": image.unit,
        "orientation_deg": None if measures.orientation is None else math.degrees(measures.orientation),
        "row": image.origin[0] + (measures.centroid[-2] + 0.5) * image.step[0] - 0.5,
        "column": image.origin[1] + (measures.centroid[-1] + 0.5) * image.step[1] - 0.5,
        "first_row": first[0],
        "first_column": first[1],
        "last_row": last[0],
        "last_column": last[1],
        "first_plane": judgement.mask.start[0] if hidden else None,
        "last_plane": judgement.mask.stop[0] - 1 if hidden else None,
        "origin": judgement.origin,
        "edited": judgement.edited,
        "top_prompt": judgement.top_prompt,
        "judged_at": judgement.at.isoformat(timespec="seconds"),
    }


def harmless(text: str) -> str:
    """Text that no spreadsheet reckons with, and no reader takes for the end of a row."""
    plain = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _FORMULA.sub(r"\1'\2", plain)


def _box(image: ImageReview, judgement: Judgement) -> tuple[tuple[int, int], tuple[int, int]]:
    mask = place.image_mask(image, judgement, place.image_size(image, None))
    return (mask.start[-2], mask.start[-1]), (mask.stop[-2] - 1, mask.stop[-1] - 1)


def _in_world(image: ImageReview, measures: Measures) -> tuple[float | None, float | None]:
    """Area and length in the unit of the world, where the region lies in a plane of which the pixels are known."""
    if len(measures.centroid) > 2:
        return None, None
    down, across = image.pixel_size
    angle = measures.orientation or 0.0
    return measures.area * down * across, measures.length * math.hypot(math.cos(angle) * down, math.sin(angle) * across)

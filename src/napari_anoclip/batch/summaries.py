"""Tables of all images, made from their records: the order in which they were done does not matter.

Records are read one after the other, so that memory does not grow with their number; all files are complete under
another name before the first one takes its place.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_anoclip._version import __version__
from napari_anoclip.batch.outputs import said_in_words
from napari_anoclip.batch.records import Record, RecordedRegion, unpack_token
from napari_anoclip.engine import atomic
from napari_anoclip.review.exports.coco import run_lengths
from napari_anoclip.review.exports.table import harmless
from napari_anoclip.review.region_mask import RegionMask

SCORES = "scores.csv"
REGIONS = "regions.csv"
COCO = "regions.coco.json"
TABLES = (SCORES, REGIONS, COCO)

SCORE_COLUMNS = (
    *("key", "score", "score_mutual", "maximum", "threshold", "regions", "height", "width", "seconds", "error"),
    *("map_file", "path", "plane"),
)
REGION_COLUMNS = (
    *("key", "region", "score_max", "score_mean", "threshold", "area_px", "length_px", "orientation_deg"),
    *("row", "column", "first_row", "first_column", "last_row", "last_column", "path", "plane"),
)

CATEGORY = "anomaly"

KEY = "anoclip_run"
"""Under which an image of COCO carries what COCO has no field for; an export of judged regions has another one."""

RecordsOf = Callable[[], Iterable[Record]]
"""Goes through all records once more, sorted by key."""


def write_summaries(records: RecordsOf, out: Path, *, mutual: bool = False) -> None:
    """Write all tables, over those that were there.

    Parameters
    ----------
    records : callable
        Gives an iterator over the records, each time it is called.
    out : Path
        Folder of the results.
    mutual : bool
        Whether images have a score by their neighbours as well. It takes every pair of images.

    Raises
    ------
    OutputError
        If one cannot be written; all that were there are untouched.
    """
    rescored = rescored_by_neighbours(records()) if mutual else {}
    with ExitStack() as files:
        scores, regions, coco = (_opened(files, out / name, out) for name in TABLES)
        annotations = files.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", dir=out))
        score_rows, region_rows = (csv.writer(file, lineterminator="\n") for file in (scores, regions))
        score_rows.writerow(SCORE_COLUMNS)
        region_rows.writerow(REGION_COLUMNS)
        coco.write(f'{{"info": {_json(_info())}, "licenses": [], "categories": [{_json(_category())}], "images": [')
        images = count = 0
        for record in records():
            score_rows.writerow(_score_row(record, rescored.get(record.key)))
            if record.size is None:
                continue
            images += 1
            coco.write((",\n" if images > 1 else "\n") + _json(_coco_image(images, record, out)))
            for number, region in enumerate(record.regions, 1):
                count += 1
                mask = on_image(region.mask, record.block, record.size)
                region_rows.writerow(_region_row(record, number, region, mask))
                annotations.write(
                    (",\n" if count > 1 else "\n") + _json(_annotation(count, images, region, mask, record))
                )
        coco.write('],\n"annotations": [')
        annotations.seek(0)
        shutil.copyfileobj(annotations, coco)
        coco.write("]}\n")
        for file in (scores, regions, coco):  # what does not fit on the disk shows before any of them is in its place
            file.flush()


def rescored_by_neighbours(records: Iterable[Record]) -> dict[str, float]:
    """Scores of images, each smoothed over the images whose class tokens are most like its own.

    Parameters
    ----------
    records : iterable of Record

    Returns
    -------
    dict
        Score by key, of all images that have a class token.
    """
    from napari_anoclip.engine.mutual import rescore

    keys: list[str] = []
    scores: list[float] = []
    tokens: list[NDArray[np.float16]] = []
    for record in records:
        if record.score is not None and record.class_token:
            keys.append(record.key)
            scores.append(record.score)
            tokens.append(unpack_token(record.class_token))
    if not keys:
        return {}
    return dict(zip(keys, rescore(scores, np.stack(tokens).astype(np.float32)).tolist(), strict=True))


def on_image(mask: RegionMask, block: int, size: tuple[int, int]) -> RegionMask:
    """Put a region of a map on the pixels of its image.

    Parameters
    ----------
    mask : RegionMask
        Of the map.
    block : int
        Pixels along a side of what one value of the map stands for.
    size : tuple of int
        (H, W) of the image.

    Returns
    -------
    RegionMask
    """
    if block == 1:
        return mask
    top, left = (first * block for first in mask.start)
    bits = mask.bits.repeat(block, axis=0).repeat(block, axis=1)[: size[0] - top, : size[1] - left]
    return RegionMask.of(bits, (top, left))


def path_from(record: Record, folder: Path) -> str:
    """An image's file with slashes, seen from a folder if there is a way from there."""
    try:
        return Path(os.path.relpath(record.path, folder)).as_posix()
    except ValueError:  # on another drive
        return Path(record.path).as_posix()


def _opened(files: ExitStack, file: Path, out: Path) -> IO[str]:
    files.enter_context(said_in_words(file, out))
    draft = files.enter_context(atomic.replacing(file))
    # With a mark, by which spreadsheets know that a table is UTF-8.
    encoding = "utf-8-sig" if file.suffix == ".csv" else "utf-8"
    opened: TextIOWrapper = files.enter_context(draft.open("w", encoding=encoding, newline=""))
    return opened


def _score_row(record: Record, rescored: float | None) -> list[Any]:
    height, width = record.size or (None, None)
    return [
        harmless(record.key),
        record.score,
        rescored,
        record.maximum,
        record.threshold,
        None if record.failed else len(record.regions),
        height,
        width,
        round(record.seconds, 4),
        harmless(record.error),
        "" if record.map is None else harmless(record.map.path),
        harmless(record.path),
        record.plane,
    ]


def _region_row(record: Record, number: int, region: RecordedRegion, mask: RegionMask) -> list[Any]:
    block, measures = record.block, region.measures
    row, column = ((middle + 0.5) * block - 0.5 for middle in measures.centroid)
    return [
        harmless(record.key),
        number,
        measures.maximum,
        measures.mean,
        record.threshold,
        mask.area,
        round(measures.length * block, 3),
        None if measures.orientation is None else round(math.degrees(measures.orientation), 3),
        round(row, 3),
        round(column, 3),
        *mask.start,
        *(end - 1 for end in mask.stop),
        harmless(record.path),
        record.plane,
    ]


def _info() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "description": f"Found by napari-anoclip {__version__}, not judged by anyone",
        "year": now.year,
        "date_created": now.isoformat(timespec="seconds"),
    }


def _category() -> dict[str, Any]:
    return {"id": 1, "name": CATEGORY, "supercategory": CATEGORY}


def _coco_image(number: int, record: Record, out: Path) -> dict[str, Any]:
    assert record.size is not None
    return {
        "id": number,
        "file_name": path_from(record, out),
        "height": record.size[0],
        "width": record.size[1],
        KEY: {"key": record.key, "plane": record.plane, "score": record.score},
    }


def _annotation(number: int, image: int, region: RecordedRegion, mask: RegionMask, record: Record) -> dict[str, Any]:
    assert record.size is not None
    (top, left), (bottom, right) = mask.start, mask.stop
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        # Run lengths are exact, and quick for the ragged outlines of a map.
        "segmentation": run_lengths(mask, record.size),
        "area": mask.area,
        "bbox": [left, top, right - left, bottom - top],
        "score": region.measures.maximum,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)

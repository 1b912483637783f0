"""COCO JSON: one file for all images, read by most programs that train or evaluate detectors.

Format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from napari_anoclip._version import __version__
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.outline import rings
from napari_anoclip.review.exports.place import PathOf, Read, Region
from napari_anoclip.review.exports.target import Exported, require_free_file, write_file
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.region_mask import RegionMask

KEY = "anoclip"
"""Under which an image and an annotation carry what COCO has no field for."""


def export_coco(
    images: Iterable[ImageReview],
    file: Path,
    read: Read,
    *,
    path_of: PathOf = place.recorded_path,
    kinds: Iterable[str] = (),
    false_positives: bool = False,
    rle: bool = False,
    overwrite: bool = False,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Exported:
    """Write the judged images as COCO annotations.

    Parameters
    ----------
    images : iterable of ImageReview
        Those that nothing is known of are left out: without annotations they would count as good.
    file : Path
        JSON to write.
    read : callable
        Gives an image's array, or None; only its shape is asked for.
    path_of : callable
        Gives an image's file; names in the JSON are relative to its folder.
    kinds : iterable of str
        Categories that exist in any case, in their order.
    false_positives : bool
        Whether regions judged false get annotations, of a category of their own.
    rle : bool
        Masks as run lengths also where polygons give the same pixels.
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
    everything = list(images)
    judged = [image for image in everything if image.judged]
    verdicts = [Verdict.DEFECT, Verdict.UNSURE, *([Verdict.FALSE] if false_positives else [])]
    names = dict.fromkeys([*kinds, *_categories(judged, verdicts)] or [place.DEFECT])
    categories = {name: number for number, name in enumerate(names, 1)}
    written: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    left_out, regions_in = [], 0
    for done, image in enumerate(judged):
        report("writing COCO", done, len(judged))
        size, why = place.known_size(image, read)
        if size is None:
            left_out.append(why)
            continue
        planes = place.planes_of(image, place.regions_of(image, size))
        regions_in += sum(one.verdict in verdicts for one in image.judgements.values())
        for plane, regions in planes.items():
            number = len(written["images"]) + 1
            written["images"].append(_image(number, image, size, plane, place.path_words(image, path_of, file.parent)))
            for region in regions:
                if region.judgement.verdict in verdicts:
                    count = len(written["annotations"]) + 1
                    written["annotations"].append(_annotation(count, number, region, size, categories, rle))
    now = datetime.now(UTC)
    content = {
        "info": {
            "description": f"Judged with napari-anoclip {__version__}",
            "year": now.year,
            "date_created": now.isoformat(timespec="seconds"),
        },
        "licenses": [],
        "categories": [
            {
                "id": number,
                "name": name,
                "supercategory": place.FALSE_POSITIVE if name == place.FALSE_POSITIVE else place.DEFECT,
            }
            for name, number in categories.items()
        ],
        **written,
    }
    report("writing COCO", len(judged), len(judged))
    write_file(file, json.dumps(content, ensure_ascii=False, allow_nan=False), overwrite)
    false = 0 if false_positives else sum(len(image.with_verdict(Verdict.FALSE)) for image in judged)
    return Exported(
        file,
        len(written["images"]),
        regions_in,
        tuple(left_out),
        not_judged=len(everything) - len(judged),
        remark=f"Regions judged false are not in it ({false})." if false else "",
    )


def _categories(images: Iterable[ImageReview], verdicts: Iterable[Verdict]) -> list[str]:
    """Names in use, those of defects first."""
    judgements = (one for image in images for verdict in verdicts for one in image.with_verdict(verdict))
    return sorted(set(map(_category, judgements)), key=lambda name: (name == place.FALSE_POSITIVE, name))


def _category(judgement: Judgement) -> str:
    return place.category_of(judgement.verdict, judgement.kind)


def _image(
    number: int, image: ImageReview, size: tuple[int, int], plane: tuple[int, ...], file_name: str
) -> dict[str, Any]:
    return {
        "id": number,
        "file_name": file_name,
        "height": size[0],
        "width": size[1],
        KEY: {
            "name": image.name,
            "plane": list(plane),
            "fingerprint": image.fingerprint,
            "complete": image.complete,
        },
    }


def _annotation(
    number: int, image: int, region: Region, size: tuple[int, int], categories: dict[str, int], rle: bool
) -> dict[str, Any]:
    judgement = region.judgement
    unsure = judgement.verdict is Verdict.UNSURE
    (top, left), (bottom, right) = region.mask.start, region.mask.stop
    return {
        "id": number,
        "image_id": image,
        "category_id": categories[_category(judgement)],
        # COCO's evaluation ignores crowds: what is found there counts neither for nor against. So does "unsure".
        "iscrowd": int(unsure),
        "segmentation": run_lengths(region.mask, size) if rle or unsure else _segmentation(region.mask, size),
        "area": region.mask.area,
        "bbox": [left, top, right - left, bottom - top],
        KEY: {
            "region": judgement.id,
            "volume": judgement.mask.bits.ndim == 3,
            "verdict": judgement.verdict,
            "kind": judgement.kind,
            "note": judgement.note,
            "score": place.finite(judgement.measures.maximum) if judgement.measures else None,
        },
    }


def _segmentation(mask: RegionMask, size: tuple[int, int]) -> Any:
    """Polygons along the pixels' edges; run lengths for a region with a hole, which polygons of COCO cannot have."""
    outer, holes = rings(mask)
    if holes:
        return run_lengths(mask, size)
    return [ring[:, ::-1].ravel().tolist() for ring in outer]


def run_lengths(mask: RegionMask, size: tuple[int, int]) -> dict[str, Any]:
    """Compressed runs of clear and set pixels in turn, column by column."""
    columns, rows = np.nonzero(mask.bits.T)
    at = (columns + mask.start[1]) * size[0] + rows + mask.start[0]
    breaks = np.flatnonzero(np.diff(at) > 1)
    firsts = at[np.concatenate([[0], breaks + 1])]
    ends = at[np.concatenate([breaks, [-1]])] + 1
    edges = np.concatenate([[0], np.stack([firsts, ends], axis=1).ravel(), [size[0] * size[1]]])
    packed = coco_mask.frPyObjects({"size": list(size), "counts": np.diff(edges).tolist()}, *size)
    counts = packed["counts"]
    return {"size": list(size), "counts": counts if isinstance(counts, str) else counts.decode("ascii")}

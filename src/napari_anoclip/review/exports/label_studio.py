"""Label Studio: tasks with annotations, and the labelling interface that fits them.

Format: https://labelstud.io/guide/task_format and, for the run lengths of brushes, the package ``rle-pack`` of
https://github.com/thi-ng/umbrella, which Label Studio uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from skimage.measure import approximate_polygon

from napari_anoclip._version import __version__
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.outline import rings
from napari_anoclip.review.exports.place import PathOf, Read, Region
from napari_anoclip.review.exports.target import Exported, ExportError, require_free_file, write_files
from napari_anoclip.review.judgement import ImageReview

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files of its own disk."""

_CONTROLS = {"brush": ("BrushLabels", "brushlabels"), "polygon": ("PolygonLabels", "polygonlabels")}
_LONGEST_RUN = 1 << 16
_TOLERANCE = 0.75
"""Pixels by which a polygon may leave the pixels' edges: stairs become slants."""

_COLOURS = ("#d55e00", "#e69f00", "#009e73", "#cc79a7", "#a6761d", "#7570b3", "#b2182b", "#66a61e", "#e7298a")


def export_label_studio(
    images: Iterable[ImageReview],
    file: Path,
    read: Read,
    *,
    path_of: PathOf = place.recorded_path,
    kinds: Iterable[str] = (),
    shape: Literal["brush", "polygon"] = "brush",
    prefix: str = LOCAL_FILES,
    overwrite: bool = False,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Exported:
    """Write tasks to ``NAME.json``, and the labelling interface to ``NAME.xml`` beside it.

    Parameters
    ----------
    images : iterable of ImageReview
        Flat ones; those that nothing is known of, and stacks, are left out.
    file : Path
        JSON to write.
    read : callable
        Gives an image's array, or None; only its shape is asked for.
    path_of : callable
        Gives an image's file.
    kinds : iterable of str
        Labels that exist in any case.
    shape : {"brush", "polygon"}
        Brushes are exact. Polygons are easier to edit; they follow the outline to within a pixel and have no holes.
    prefix : str
        Put before the path of each image, which is relative to the folder of the JSON.
    overwrite : bool
        Whether files that are there may be replaced.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Exported

    Raises
    ------
    ExportExists, ExportError
        If a file is there, or cannot be written.
    Cancelled
        If the cancel flag was set; nothing was written.
    """
    file = Path(file)
    interface = file.with_suffix(".xml")
    if interface == file:
        raise ExportError(f"{file.name} is for the labelling interface. Choose a name that ends in .json.")
    for target in (file, interface):
        require_free_file(target, overwrite)
    report = Reporter(on_progress, cancel)
    everything = list(images)
    judged = [image for image in everything if image.judged]
    tasks, left_out, count = [], [], 0
    for done, image in enumerate(judged):
        report("writing Label Studio tasks", done, len(judged))
        if len(image.map_shape) > 2:
            left_out.append(f"{image.name} is a stack, which Label Studio does not show.")
            continue
        size, why = place.known_size(image, read)
        if size is None:
            left_out.append(why)
            continue
        regions = list(place.regions_of(image, size))
        count += len(regions)
        url = prefix + quote(place.path_words(image, path_of, file.parent))
        tasks.append(
            {
                "data": {"image": url, "name": image.name, "complete": image.complete},
                "annotations": [{"result": [one for region in regions for one in _results(region, size, shape)]}],
            }
        )
    report("writing Label Studio tasks", len(judged), len(judged))
    contents: dict[Path, bytes | str] = {
        interface: _interface(place.kinds_of(judged, kinds) or [place.DEFECT], shape),
        file: json.dumps(tasks, ensure_ascii=False, allow_nan=False),
    }
    write_files(contents, overwrite)
    return Exported(file, len(tasks), count, tuple(left_out), not_judged=len(everything) - len(judged))


def brush_runs(bits: Any) -> list[int]:
    """Pack a mask as Label Studio's brushes do.

    Parameters
    ----------
    bits : ndarray
        (H, W) bool.

    Returns
    -------
    list of int
        Bytes of a bit stream: 32 bits number of values, 5 bits their width less one, four times 4 bits the widths of
        run lengths less one; then for each run a 1, two bits for which of these widths, its length less one and its
        value. Values are those of an RGBA picture.
    """
    flat = np.repeat(np.asarray(bits, bool).ravel(), 4)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]])
    widths = (3, 4, 8, 16)
    stream = [f"{flat.size:032b}", f"{8 - 1:05b}", *(f"{width - 1:04b}" for width in widths)]
    for first, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        value = f"{255 if flat[first] else 0:08b}"
        for start in range(first, end, _LONGEST_RUN):
            length = min(end - start, _LONGEST_RUN) - 1
            which = next(index for index, width in enumerate(widths) if length < 1 << width)
            stream.append(f"1{which:02b}{length:0{widths[which]}b}{value}")
    text = "".join(stream)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _results(region: Region, size: tuple[int, int], shape: Literal["brush", "polygon"]) -> Iterator[dict[str, Any]]:
    judgement = region.judgement
    _, kind = _CONTROLS[shape]
    for number, value in enumerate(_values(region, size, shape)):
        yield {
            "id": f"r{judgement.id}" + (f"_{number + 1}" if number else ""),
            "from_name": shape,
            "to_name": "image",
            "type": kind,
            "origin": "manual",
            "original_height": size[0],
            "original_width": size[1],
            "image_rotation": 0,
            "value": {**value, kind: [region.label]},
            "meta": {"text": [judgement.note] if judgement.note else []},
        }


def _values(region: Region, size: tuple[int, int], shape: Literal["brush", "polygon"]) -> Iterator[dict[str, Any]]:
    if shape == "brush":
        yield {"format": "rle", "rle": brush_runs(place.drawn(size, [region]))}
        return
    outer, _ = rings(region.mask)
    for ring in outer:
        closed = np.concatenate([ring, ring[:1]]).astype(float)
        slanted = approximate_polygon(closed, _TOLERANCE)[:-1]
        corners = slanted if len(slanted) > 2 else ring
        percent = 100 * corners[:, ::-1] / np.array(size[::-1])
        yield {"points": percent.round(4).tolist(), "closed": True}


def _interface(kinds: list[str], shape: Literal["brush", "polygon"]) -> str:
    tag, _ = _CONTROLS[shape]
    colours = {kind: _COLOURS[index % len(_COLOURS)] for index, kind in enumerate(kinds)}
    labels = colours | {place.FALSE_POSITIVE: "#0072b2", place.UNSURE: "#8c8c8c"}
    return "\n".join(
        [
            f"<!-- Labelling interface for tasks of napari-anoclip {__version__} -->",
            "<View>",
            '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>',
            f'  <{tag} name="{shape}" toName="image">',
            *(f"    <Label value={quoteattr(label)} background={quoteattr(c)}/>" for label, c in labels.items()),
            f"  </{tag}>",
            "</View>",
            "",
        ]
    )

"""A page for people: how many images there were, which look worst, which could not be read. It needs nothing else.

Its size is bounded, however many images there are: the worst ones are shown, and the tables have all.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

from napari_anoclip._version import __version__
from napari_anoclip.batch.inputs import Input, read_input
from napari_anoclip.batch.outputs import OutputSettings, Scale, read_map, said_in_words
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Record
from napari_anoclip.batch.summaries import REGIONS, SCORES, RecordsOf, on_image, path_from
from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review.exports.place import Region
from napari_anoclip.review.exports.report_picture import Frame, Outline, outline, picture_of, uri_of
from napari_anoclip.review.judgement import Judgement

REPORT = "report.html"

_LONGEST = 360
"""Side of a picture, in pixels."""

_MAX_OUTLINES = 40
_MAX_BROKEN = 200
_BINS = 40
_COLOURS = "inferno"
_OPACITY = 0.65


@dataclass(frozen=True)
class _Card:
    """One of the worst images."""

    record: Record
    path: str
    frame: Frame | None
    picture: str
    heat: str
    outlines: list[Outline]
    without: str


@dataclass
class _Counts:
    images: int = 0
    failed: int = 0
    with_regions: int = 0
    regions: int = 0


def write_report(
    records: RecordsOf,
    out: Path,
    recipe: Recipe,
    output: OutputSettings,
    scale: Scale,
    remarks: Sequence[str] = (),
) -> None:
    """Write the report, over the one that was there.

    Parameters
    ----------
    records : callable
        Gives an iterator over the records, each time it is called.
    out : Path
        Folder of the results.
    recipe : Recipe
        What was done to all images.
    output : OutputSettings
        How many images are shown.
    scale : Scale
        In which maps are shown.
    remarks : sequence of str
        What else is to be said, a sentence each.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    counts, histogram = _Counts(), np.zeros(_BINS, np.int64)
    worst = heapq.nlargest(output.worst, _scored(records(), counts, histogram), key=lambda one: (one.score, one.key))
    broken = list(islice((one for one in records() if one.failed), _MAX_BROKEN))
    file = out / REPORT
    page = _template().render(
        name=out.name,
        at=datetime.now().astimezone(),
        version=__version__,
        counts=counts,
        histogram=_bars(histogram),
        threshold=scale.threshold,
        scale=scale,
        remarks=remarks,
        cards=[_card(one, out, scale) for one in worst],
        broken=broken,
        recipe=recipe,
        scores=SCORES,
        regions=REGIONS,
        colours=_gradient(),
    )
    with said_in_words(file, out):
        atomic.write(file, page.encode(errors="replace"))


def _scored(records: Iterable[Record], counts: _Counts, histogram: NDArray[np.int64]) -> Iterable[Record]:
    for record in records:
        if record.score is None:
            counts.failed += 1
            continue
        counts.images += 1
        counts.regions += len(record.regions)
        counts.with_regions += bool(record.regions)
        histogram[min(int(record.score * _BINS), _BINS - 1)] += 1
        yield record


def _card(record: Record, out: Path, scale: Scale) -> _Card:
    assert record.size is not None
    path = path_from(record, out)
    height, width = record.size
    frame = Frame(slice(0, height), slice(0, width), min(4.0, _LONGEST / max(height, width)))
    try:
        picture = picture_of(read_input(Input(Path(record.path), record.key, record.plane)), frame).convert("RGB")
    except (ImageError, OSError) as error:
        return _Card(record, path, None, "", "", [], str(error))
    regions = [
        Region(Judgement(id=number, mask=mask), (), mask)
        for number, mask in enumerate(
            (on_image(one.mask, record.block, record.size) for one in record.regions[:_MAX_OUTLINES]), 1
        )
    ]
    return _Card(
        record,
        path,
        frame,
        uri_of(picture),
        _heat(record, picture, out, scale),
        [outline(region, frame) for region in regions],
        "",
    )


def _heat(record: Record, picture: Image.Image, out: Path, scale: Scale) -> str:
    """The map over the picture, the clearer the hotter; nothing where no map was written."""
    if record.map is None:
        return ""
    try:
        values = read_map(record.map, out, scale)
    except (OSError, ValueError):
        return ""
    unit = ((values - scale.low) / (scale.high - scale.low)).clip(0, 1)
    size = (picture.width, picture.height)
    small = np.asarray(Image.fromarray(unit).resize(size, Image.Resampling.BILINEAR))[..., None]
    colours = colormaps[_COLOURS](small[..., 0])[..., :3] * 255
    opacity = _OPACITY * np.sqrt(small)
    mixed = np.asarray(picture, np.float32) * (1 - opacity) + colours * opacity
    return uri_of(Image.fromarray((mixed + 0.5).astype(np.uint8)))


def _bars(histogram: NDArray[np.int64]) -> list[tuple[float, float]]:
    """Left edge and height of each bar, of 1."""
    top = max(1, int(histogram.max()))
    return [(number / _BINS, count / top) for number, count in enumerate(histogram.tolist())]


def _gradient() -> str:
    """The colours of the map, for CSS."""
    steps = colormaps[_COLOURS](np.linspace(0, 1, 9))[:, :3] * 255
    return ", ".join(f"rgb({red:.0f} {green:.0f} {blue:.0f})" for red, green, blue in steps.tolist())


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("napari_anoclip.batch", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")

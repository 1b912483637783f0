"""The part of the report that an image, or a plane of a stack, has: its picture with outlines, and its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.place import Read, Region
from napari_anoclip.review.exports.report_picture import Frame, Outline, jpeg_uri, outline
from napari_anoclip.review.exports.table import region_row
from napari_anoclip.review.judgement import ImageReview, Verdict

MAX_TABLE_BYTES = 8_000_000
"""Of all tables together, roughly; images for which no room is left are counted only."""

_NO_ROOM = "No picture, to keep this file small."

_CARD_BYTES = 1500
_ROW_BYTES = 1000
"""Markup of a card and of a row, without words and pictures; the same holds for an outline, but for its path."""
_OUTLINE_BYTES = 250

_MAX_ROWS = 40
_MAX_OUTLINES = 400
_MAX_WORDS = 600
"""Characters of a note, a name or a prompt."""


@dataclass(frozen=True)
class Row:
    """A region as the table shows it."""

    number: int
    verdict: Verdict
    kind: str
    score: str
    area: str
    note: str
    prompt: str
    outline: Outline | None


@dataclass(frozen=True)
class Card:
    """A picture with its table.

    Attributes
    ----------
    anchor : str
        Its name within the report.
    title, path : str
    complete : bool
        Whether all of the image was looked at.
    counts : mapping
        How many regions it has of each verdict.
    rows : sequence of Row
        The first regions.
    more : int
        How many regions have no row.
    frame : Frame
        Of the picture.
    uri : str
        The picture; empty where there is none.
    without : str
        Why there is none, as a sentence.
    outlines : sequence of tuple
        (verdict, number, outline) of regions, in the order of drawing.
    """

    anchor: str
    title: str
    path: str
    complete: bool
    counts: Mapping[Verdict, int]
    rows: Sequence[Row]
    more: int
    frame: Frame
    uri: str = ""
    without: str = ""
    outlines: Sequence[tuple[Verdict, int, Outline]] = field(default=())

    @property
    def picture_bytes(self) -> int:
        """How much the picture and its outlines take, roughly."""
        # Each path is drawn twice: light on dark, so that it is seen on any ground.
        return len(self.uri) + sum(2 * len(one.path) + _OUTLINE_BYTES for _, _, one in self.outlines)

    @property
    def table_bytes(self) -> int:
        """How much all else takes, roughly."""
        words = sum(len(row.kind) + len(row.note) + len(row.prompt) for row in self.rows)
        return _CARD_BYTES + 3 * len(self.title) + len(self.path) + _ROW_BYTES * len(self.rows) + words


def cards_of(image: ImageReview, read: Read, path: str, longest: int, number: int, room: int) -> Iterator[Card]:
    """Make the cards of an image: one, or one for each plane of a stack that has a region.

    Parameters
    ----------
    image : ImageReview
    read : callable
        Gives its array, or None.
    path : str
        Its file as it is shown.
    longest : int
        Longest side of its picture in pixels.
    number : int
        Of the first card, counted over the report.
    room : int
        Bytes that are left for pictures.

    Yields
    ------
    Card
    """
    picture, without = place.opened(image, read)
    size = place.image_size(image, picture)
    frame = Frame.of(image, size, longest)
    planes = place.planes_of(image, place.regions_of(image, size))
    if image.complete and len(planes) > 1:  # of a stack, planes without a region say nothing
        planes = {plane: regions for plane, regions in planes.items() if regions} or dict([next(iter(planes.items()))])
    for plane, regions in planes.items():
        uri, why = ("", without) if picture is None else _picture(picture, plane, frame, room)
        card = _card(image, plane, regions, path, frame, f"image-{number}", uri, why)
        if uri and card.picture_bytes > room:
            card = _card(image, plane, regions, path, frame, f"image-{number}", "", _NO_ROOM)
        room -= card.picture_bytes
        yield card
        number += 1


def _picture(picture: Any, plane: tuple[int, ...], frame: Frame, room: int) -> tuple[str, str]:
    if room <= 0:
        return "", _NO_ROOM
    try:
        return jpeg_uri(picture[plane] if plane else picture, frame), ""
    except (ImageError, OSError) as error:
        return "", f"The picture cannot be read: {error}"


def _card(
    image: ImageReview,
    plane: tuple[int, ...],
    regions: list[Region],
    path: str,
    frame: Frame,
    anchor: str,
    uri: str,
    without: str,
) -> Card:
    order = list(Verdict)
    regions = sorted(regions, key=lambda one: (order.index(_verdict(one)), one.judgement.id))
    drawn = [(_verdict(one), one.judgement.id, outline(one, frame)) for one in regions[:_MAX_OUTLINES]] if uri else []
    rows = [
        _row(image, region, drawn[index][2] if index < len(drawn) else None)
        for index, region in enumerate(regions[:_MAX_ROWS])
    ]
    words, name = place.plane_words(plane), _cut(image.name)
    return Card(
        anchor=anchor,
        title=f"{name} · {words}" if words else name,
        path=_cut(path),
        complete=image.complete,
        counts={verdict: sum(_verdict(one) is verdict for one in regions) for verdict in Verdict},
        rows=rows,
        more=len(regions) - len(rows),
        frame=frame,
        uri=uri,
        without=without,
        # Defects are drawn last: they lie on top.
        outlines=drawn[::-1],
    )


def _row(image: ImageReview, region: Region, drawn: Outline | None) -> Row:
    judgement = region.judgement
    row = region_row(image, judgement)
    if judgement.mask.bits.ndim > 2:
        area = f"{_number(row['area_px'])} voxels"
    elif row["area"] is not None and image.unit not in ("", "pixel"):
        area = f"{_number(row['area'])} {_unit(image.unit)}²"
    else:
        area = f"{_number(region.mask.area)} px"
    return Row(
        number=judgement.id,
        verdict=_verdict(region),
        kind=_cut(judgement.kind),
        score="" if place.finite(row["score_max"]) is None else f"{row['score_max']:.2f}",
        area=area,
        note=_cut(judgement.note),
        prompt=_cut(judgement.top_prompt),
        outline=drawn,
    )


def _verdict(region: Region) -> Verdict:
    return region.judgement.verdict or Verdict.UNSURE


def _cut(words: str) -> str:
    return words if len(words) <= _MAX_WORDS else words[: _MAX_WORDS - 1] + "…"


def _number(value: float) -> str:
    """Three digits, and all of those before the point: 1234567 is no 1.23e+06."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _unit(unit: str) -> str:
    return {"micrometer": "µm", "millimeter": "mm", "centimeter": "cm", "nanometer": "nm", "meter": "m"}.get(unit, unit)

"""What can be read of a region in the table: each column's heading, its words, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_anoclip.plugin.colour_bar import digits
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.review.judgement import Measures
    from napari_anoclip.review.matching import Matched

NUMBER, VERDICT, SCORE, AREA, MEAN, LENGTH, KIND, PLANE, NOTE, PROMPT = range(10)

PIXELS = "px"
"""Unit of what is measured where nothing else is known."""

SIGNS: dict[Verdict | None, str] = {
    Verdict.DEFECT: "◆ defect",
    Verdict.FALSE: "○ false",
    Verdict.UNSURE: "? unsure",
    None: "—",
}
"""Each verdict as a sign and a word."""

SECOND_LOOK = "⟳ again"


@dataclass(frozen=True)
class Look:
    """How numbers are written.

    Attributes
    ----------
    area : callable
        Gives the area of measures, and its unit.
    decimals : int
        Of probabilities.
    """

    area: Callable[[Measures], tuple[float, str]]
    decimals: int


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    title, tooltip : str
        Its heading, and what that means.
    text : callable
        What is written in a row.
    key : callable
        What rows are sorted by; None comes last, whichever way they are sorted.
    widest : str
        Words that it has room for; where there are none, it takes what is left.
    number : bool
        Whether it holds measures: they stand at the right, and sorting begins with the highest.
    """

    title: str
    tooltip: str
    text: Callable[[Matched, Look], str]
    key: Callable[[Matched], Any]
    widest: str = ""
    number: bool = False


def verdict_text(region: Matched) -> str:
    """The verdict as a sign and a word, or that the region is to be looked at again."""
    return SECOND_LOOK if region.second_look and region.verdict is None else SIGNS[region.verdict]


def note_of(region: Matched) -> str:
    """What a person wrote about a region."""
    return _said(region, "note")


def kind_of(region: Matched) -> str:
    """Which kind of defect a person called a region."""
    return _said(region, "kind")


def decimals_of(regions: Sequence[Matched]) -> int:
    """Decimals that tell the scores of regions apart."""
    scores = [one.measures.maximum for one in regions if one.measures is not None and one.measures.maximum is not None]
    return digits(min(scores), max(scores)) if scores else digits(0, 1)


def about(region: Matched) -> str:
    """A region in words, as far as its row has no room for them."""
    words = [f"Region {region.id}"]
    if region.second_look:
        words.append(f"⟳ {region.second_look}")
    words += filter(None, (kind_of(region), note_of(region)))
    return "\n".join(words)


def _probability(which: Literal["maximum", "mean"]) -> dict[str, Any]:
    def value(region: Matched) -> float | None:
        return None if region.measures is None else getattr(region.measures, which)

    def text(region: Matched, look: Look) -> str:
        known = value(region)
        return "" if known is None else f"{known:.{look.decimals}f}"

    return {"text": text, "key": value, "widest": "0.0000", "number": True}


def _words(which: Literal["kind", "note", "top_prompt"]) -> dict[str, Any]:
    return {
        "text": lambda region, _: _said(region, which),
        "key": lambda region: _said(region, which).casefold() or None,
    }


def _said(region: Matched, which: Literal["kind", "note", "top_prompt"]) -> str:
    words: str = "" if region.judgement is None else getattr(region.judgement, which)
    return words


def _area(region: Matched, look: Look) -> str:
    if region.measures is None:
        return ""
    value, unit = look.area(region.measures)
    return f"{value:.0f}" if unit == PIXELS or value >= 100 else f"{value:.3g}"


def _planes(region: Matched) -> tuple[int, ...]:
    """Where in a stack it lies; of one that reaches through a volume, the first plane and the last."""
    if len(region.mask.start) > 2:
        return (region.mask.start[0], region.mask.stop[0] - 1)
    return region.plane


COLUMNS: dict[int, Column] = {
    NUMBER: Column("#", "Number of the region.", lambda one, _: str(one.id), lambda one: one.id, "▶000"),
    VERDICT: Column(
        "verdict",
        "What was said of it. ⟳: it was merged or split since, look again.",
        lambda one, _: verdict_text(one),
        lambda one: None if one.verdict is None else [*Verdict].index(one.verdict),
        max(SIGNS.values(), key=len),
    ),
    SCORE: Column("score", "Highest probability in it.", **_probability("maximum")),
    AREA: Column("area", "Its area.", _area, lambda one: one.measures and one.measures.area, "area mm²", number=True),
    MEAN: Column("mean", "Mean probability in it.", **_probability("mean")),
    LENGTH: Column(
        f"length {PIXELS}",
        "Length along its longest axis, in pixels of the map.",
        lambda one, _: "" if one.measures is None else f"{one.measures.length:.1f}",
        lambda one: one.measures and one.measures.length,
        f"length {PIXELS}",
        number=True,
    ),
    KIND: Column("kind", "Kind of defect.", **_words("kind")),
    PLANE: Column(
        "plane",
        "Plane of a stack that it lies in, counted as the slider does.",
        lambda one, _: (" to " if len(one.mask.start) > 2 else ", ").join(map(str, _planes(one))),
        lambda one: _planes(one) or None,
        "plane",
    ),
    NOTE: Column("note", "Words of yours: double click, or press F2, to write.", **_words("note")),
    PROMPT: Column("top prompt", "The prompt that spoke loudest in it.", **_words("top_prompt")),
}

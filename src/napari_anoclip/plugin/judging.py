"""What each action of a person does to the judgements of an image, as one step that can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.matching import Matched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_anoclip.review.region_mask import RegionMask

NAMES = {Verdict.DEFECT: "a defect", Verdict.FALSE: "a false positive", Verdict.UNSURE: "unsure"}
"""Verdicts as they are said of a region."""


@dataclass(frozen=True)
class Step:
    """A step before it is taken.

    Attributes
    ----------
    what : str
        In words.
    judgements : mapping
        By number; None takes one away.
    verdict : Verdict or None
        What was said, if it was a verdict.
    complete : bool or None
        Whether the image is known as a whole from now on; None leaves that as it is.
    """

    what: str
    judgements: Mapping[int, Judgement | None] = field(default_factory=dict)
    verdict: Verdict | None = None
    complete: bool | None = None

    def completing(self) -> Step:
        """The same, and with it all of the image was looked at."""
        return replace(self, complete=True)


def verdict(entry: ImageReview, region: Matched, verdict: Verdict, threshold: float) -> Step:
    """Say what a region is. What it was merged or split from is replaced."""
    judgement = _of(entry, region, threshold, verdict=verdict)
    if verdict is not Verdict.DEFECT:
        judgement = judgement.model_copy(update={"kind": ""})
    return Step(f"judge region {region.id} {NAMES[verdict]}", _replacing(entry, region, judgement), verdict)


def kind(entry: ImageReview, region: Matched, kind: str, threshold: float) -> Step:
    """Say which kind of defect a region is."""
    judgement = _of(entry, region, threshold, verdict=Verdict.DEFECT, kind=kind)
    return Step(f"call region {region.id} {kind}", _replacing(entry, region, judgement), Verdict.DEFECT)


def note(entry: ImageReview, region: Matched, text: str, threshold: float) -> Step:
    """Put words to a region; one without a verdict stays without."""
    return Step(f"note on region {region.id}", {region.id: _of(entry, region, threshold, note=text)})


def shape(
    entry: ImageReview, region: Matched, mask: RegionMask | None, values: NDArray[Any] | None, threshold: float
) -> Step:
    """Give a region other pixels, measured on their map; a region without any is none."""
    from napari_anoclip.review.regions import measure

    if mask is None:
        return Step(f"erase region {region.id}", {region.id: None})
    judgement = _of(entry, region, threshold, mask=mask, measures=measure(values, mask), edited=True)
    return Step(f"paint region {region.id}", _replacing(entry, region, judgement))


def drawn(
    entry: ImageReview,
    regions: Sequence[Matched],
    mask: RegionMask,
    plane: tuple[int, ...],
    values: NDArray[Any] | None,
    threshold: float,
) -> Step:
    """Take in a defect that no region showed."""
    from napari_anoclip.review.regions import measure

    number = max([entry.next_id - 1, *(region.id for region in regions)]) + 1
    judgement = Judgement(
        id=number,
        plane=plane,
        mask=mask,
        verdict=Verdict.DEFECT,
        origin="drawn",
        measures=measure(values, mask),
        threshold=threshold,
    )
    return Step(f"draw region {number}", {number: judgement}, Verdict.DEFECT)


def good(entry: ImageReview, regions: Sequence[Matched], threshold: float) -> Step:
    """Call all regions false, those too that are out of sight at this threshold, and the image known as a whole."""
    judgements: dict[int, Judgement | None] = {
        number: one.model_copy(update={"verdict": Verdict.FALSE, "kind": "", "at": _now()})
        for number, one in entry.judgements.items()
        if one.verdict is not Verdict.FALSE
    }
    for region in regions:
        if region.verdict is not Verdict.FALSE:
            judgement = _of(entry, region, threshold, verdict=Verdict.FALSE, kind="")
            judgements |= _replacing(entry, region, judgement)
    return Step("call the image good", judgements, Verdict.FALSE, complete=True)


def patched(regions: Sequence[Matched], after: Mapping[int, Judgement | None]) -> list[Matched]:
    """Regions as they are right after a step, in their order, until they are matched anew."""
    left = dict(after)
    result = []
    for region in regions:
        if region.id not in left:
            result.append(region)
            continue
        judgement = left.pop(region.id)
        if judgement is not None:
            measures = judgement.measures or region.measures
            result.append(replace(region, mask=judgement.mask, measures=measures, **_said(judgement)))
        elif region.judgement is None or region.judgement.origin == "found":
            result.append(replace(region, verdict=None, judgement=None, second_look="", covers=()))
    return result + [by_itself(judgement) for judgement in left.values() if judgement is not None]


def by_itself(judgement: Judgement) -> Matched:
    """A judgement as a region, where there is no map to find it in."""
    return Matched(
        id=judgement.id,
        mask=judgement.mask,
        plane=judgement.plane,
        measures=judgement.measures,
        **_said(judgement),
    )


def _said(judgement: Judgement) -> dict[str, Any]:
    return {
        "verdict": judgement.verdict,
        "judgement": judgement,
        "second_look": "",
        "covers": (judgement.id,),
    }


def _of(entry: ImageReview, region: Matched, threshold: float, **said: Any) -> Judgement:
    """The judgement of a region, with the pixels it has now."""
    known = region.judgement or entry.judgements.get(region.id)
    now = {"mask": region.mask, "measures": region.measures, "threshold": threshold, "at": _now()}
    if known is None:
        return Judgement(id=region.id, plane=region.plane, **now | said)
    return known.model_copy(update=now | said)


def _replacing(entry: ImageReview, region: Matched, judgement: Judgement) -> dict[int, Judgement | None]:
    covered = region.covers if region.second_look else ()
    return {number: None for number in covered if number in entry.judgements} | {judgement.id: judgement}


def _now() -> datetime:
    return datetime.now(UTC)

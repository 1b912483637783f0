"""Which found region is which judgement, and which number a region has.

A threshold or a prompt that changes moves regions; judgements stay. A found region and a judgement meet where they
share at least half of the smaller one's pixels: a touch at the rim carries no verdict over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from napari_anoclip.review.judgement import Judgement, Measures, Verdict
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import Found, measure

Plane = tuple[int, ...]


@dataclass(frozen=True)
class Matched:
    """A region with its number, and what was said about it.

    Attributes
    ----------
    id : int
        Number of the region in its image, from 1: its judgement's if it has one.
    mask : RegionMask
        Its pixels as found, or as a person drew them.
    plane : tuple of int
        Position along the hidden axes of a stack.
    measures : Measures or None
        Of these pixels; of a shape that a person drew, on the map it was drawn on.
    verdict : Verdict or None
        Of its judgement.
    judgement : Judgement or None
        The one it matches.
    second_look : str
        Why its verdict has to be given again, in words; empty if it has not.
    covers : tuple of int
        Numbers of the judgements that it lies on.
    """

    id: int
    mask: RegionMask
    plane: Plane
    measures: Measures | None
    verdict: Verdict | None = None
    judgement: Judgement | None = None
    second_look: str = ""
    covers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Matching:
    """All regions of an image or of a plane.

    Attributes
    ----------
    regions : list of Matched
        Found ones in their order, then those that only a person saw.
    vanished : list of Judgement
        Judgements of regions that are not found any more.
    """

    regions: list[Matched]
    vanished: list[Judgement]


def match(
    found: Sequence[Found],
    judgements: Iterable[Judgement],
    before: Sequence[Matched] = (),
    plane: Plane | None = None,
) -> Matching:
    """Give found regions their numbers and verdicts.

    One judgement met by one found region gives it its verdict. A found region that meets several (merged), and found
    regions that meet the same one (split), have none: they are to be looked at again. A shape that a person drew or
    edited, or that was imported, is shown as it is: found regions that lie mostly within it belong to it.

    Parameters
    ----------
    found : sequence of Found
        What map and threshold say now.
    judgements : iterable of Judgement
        All of the image, so that no number is given twice.
    before : sequence of Matched
        What the last match gave: a region that was not judged keeps its number through small moves.
    plane : tuple of int, optional
        Where `found` is of one plane of a stack only: judgements of others are left alone.

    Returns
    -------
    Matching
    """
    everything = list(judgements)
    known = [one for one in everything if plane is None or one.plane == plane]
    on, shared_by = _meetings(found, known)
    absorbed = {
        f
        for f, js in enumerate(on)
        if len(js) == 1 and _hand_made(known[js[0]]) and 2 * _overlap(found[f], known[js[0]]) >= found[f].mask.area
    }
    open_ = {j: [f for f in fs if f not in absorbed] for j, fs in shared_by.items()}

    regions: list[Matched | None] = []
    fresh: list[tuple[int, Found, str, tuple[int, ...]]] = []
    shown: set[int] = set()
    for f, region in enumerate(found):
        js = on[f]
        covers = tuple(known[j].id for j in js)
        if len(js) == 1 and (f in absorbed or len(open_[js[0]]) == 1):
            if js[0] not in shown:
                shown.add(js[0])
                regions.append(_judged(known[js[0]], region))
        else:
            fresh.append((len(regions), region, _second_look([known[j] for j in js]), covers))
            regions.append(None)
    numbers = _numbers([region for _, region, _, _ in fresh], before, {one.id for one in everything})
    for number, (at, region, words, covers) in zip(numbers, fresh, strict=True):
        regions[at] = Matched(number, region.mask, region.plane, region.measures, second_look=words, covers=covers)
    left = [j for j in range(len(known)) if j not in shown and not open_.get(j)]
    drawn = [_judged(known[j]) for j in left if _hand_made(known[j])]
    return Matching(
        regions=[one for one in regions if one is not None] + drawn,
        vanished=[known[j] for j in left if not _hand_made(known[j])],
    )


def _hand_made(judgement: Judgement) -> bool:
    """Whether a person chose its shape."""
    return judgement.edited or judgement.origin != "found"


def _judged(judgement: Judgement, found: Found | None = None) -> Matched:
    """A region with its judgement: as it was found, or in the shape that a person gave it."""
    if found is None or _hand_made(judgement):
        mask, measures = judgement.mask, judgement.measures or measure(None, judgement.mask)
    else:
        mask, measures = found.mask, found.measures
    return Matched(judgement.id, mask, judgement.plane, measures, judgement.verdict, judgement, covers=(judgement.id,))


def _second_look(judgements: Sequence[Judgement]) -> str:
    said = [one.verdict.value if one.verdict else "not judged" for one in judgements]
    if len(judgements) == 1:
        return f"split: was part of region {judgements[0].id}, {said[0]}"
    if not judgements:
        return ""
    counts = Counter(said)
    order = [*Verdict, "not judged"]
    return "merged: " + ", ".join(f"{counts[word]} {word}" for word in order if counts[word])


def _meetings(found: Sequence[Found], judgements: Sequence[Judgement]) -> tuple[list[list[int]], dict[int, list[int]]]:
    """Which judgements each found region meets, and the other way round."""
    on: list[list[int]] = [[] for _ in found]
    exact: dict[int, list[int]] = {}
    for f, j, shared in _shared(
        [(one.plane, one.mask) for one in found], [(one.plane, one.mask) for one in judgements]
    ):
        here, there = found[f].mask.area, judgements[j].mask.area
        if 2 * shared >= min(here, there):
            on[f].append(j)
        if here == there == shared:
            exact.setdefault(f, []).append(j)
    for f, js in exact.items():
        # What was judged in just this shape stays so, though a person drew another region over it.
        on[f] = [j for j in on[f] if j in js or not _hand_made(judgements[j])]
    shared_by: dict[int, list[int]] = {}
    for f, js in enumerate(on):
        for j in js:
            shared_by.setdefault(j, []).append(f)
    return on, shared_by


def _overlap(found: Found, judgement: Judgement) -> int:
    return found.mask.overlap(judgement.mask)


def _numbers(found: Sequence[Found], before: Sequence[Matched], taken: set[int]) -> list[int]:
    """A number for each: that of the earlier region it shares most pixels with, or one that is free."""
    free = [one for one in before if one.id not in taken]
    shared = _shared([(one.plane, one.mask) for one in found], [(one.plane, one.mask) for one in free])
    numbers: dict[int, int] = {}
    taken = set(taken)
    for f, b, _ in sorted(shared, key=lambda triple: -triple[2]):
        if f not in numbers and free[b].id not in taken:
            numbers[f] = free[b].id
            taken.add(free[b].id)
    unused = (number for number in count(1) if number not in taken)
    return [numbers[f] if f in numbers else next(unused) for f in range(len(found))]


def _shared(
    disjoint: Sequence[tuple[Plane, RegionMask]], others: Sequence[tuple[Plane, RegionMask]]
) -> Iterator[tuple[int, int, int]]:
    """Pairs that have pixels in common, with their number.

    The first kind is drawn on a canvas, on which all pixels of the second are looked up at once: comparing each with
    each would take minutes for 10,000 regions.
    """
    for key in {(plane, len(mask.start)) for plane, mask in disjoint}:
        here = [i for i, (plane, mask) in enumerate(disjoint) if (plane, len(mask.start)) == key]
        there = [i for i, (plane, mask) in enumerate(others) if (plane, len(mask.start)) == key]
        if not there:
            continue
        ends = [disjoint[i][1].stop for i in here] + [others[i][1].stop for i in there]
        canvas = np.zeros(tuple(max(along) for along in zip(*ends, strict=True)), np.intp)
        for number, i in enumerate(here, start=1):
            disjoint[i][1].draw(canvas, number)
        under = np.concatenate([others[i][1].of_map(canvas) for i in there])
        whose = np.repeat(np.arange(len(there)), [others[i][1].area for i in there])
        code = (whose * (len(here) + 1) + under)[under > 0]
        for pair, shared in zip(*np.unique(code, return_counts=True), strict=True):
            other, number = divmod(int(pair), len(here) + 1)
            yield here[number - 1], there[other], int(shared)

"""A better choice of prompts, searched on some judged images and tried on the others: ticks, and the object's name.

How it is searched, and how it is known whether the result can be believed, is in docs/tuning.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.engine.words import counted
from napari_anoclip.review.aims import Aim, FloatArray, Sheet
from napari_anoclip.review.metrics import FEWEST
from napari_anoclip.review.synonyms import synonyms
from napari_anoclip.review.tuning import NAMES, Makings, Place, ticked

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.review.choices import Choice
    from napari_anoclip.review.exam import Question

FOLDS = 5

MAX_PROMPTS = 4000
"""Where all entries together would make more, those that are off are not tried: they would take too long to encode."""

USUAL_RECALL = 0.9
"""Share of the defect regions that false regions are counted at, where the threshold in use gives none."""

RELIABLE = 2.0
"""A gain is believed if it is so many times its spread."""

NAMED = {Aim.FALSE_REGIONS: "false regions", Aim.AUPRO: "AUPRO", Aim.AP: "average precision"}

Change = tuple[Place, bool] | int
"""An entry with whether it is on from then on, or the number of a word."""

_DEFAULTS = AnoCLIPSettings()


@dataclass(frozen=True)
class Step:
    """One change on the way to a suggestion.

    Attributes
    ----------
    change : str
        In words: "frame 'a blurry {domain} of a {}' off".
    value : float
        The aim's figure after it, on all judged images: those that it was chosen by.
    folds : int
        In how many of the folds, searched each for itself, the same change was found.
    """

    change: str
    value: float
    folds: int


@dataclass(frozen=True)
class Suggestion:
    """What to change about a prompt set, and whether to believe that it helps.

    Attributes
    ----------
    prompts : PromptSet or None
        The suggested set; None if nothing better was found.
    gain : float or None
        How much better the aim's figure is on images that were not searched, mean over folds: in AUPRO or average
        precision, or in false regions fewer an image. None if it could not be tried.
    spread : float or None
        Standard error of the gain.
    reliable : bool
        Whether the gain is large enough beside its spread to be believed.
    sentence : str
        All this for a person.
    table : tuple of Step
        The changes, in the order in which they were found.
    """

    prompts: PromptSet | None
    gain: float | None
    spread: float | None
    reliable: bool
    sentence: str
    table: tuple[Step, ...] = ()


def suggest(
    model: AnoCLIP,
    prompts: PromptSet,
    questions: Sequence[Question],
    aim: Aim | str = Aim.FALSE_REGIONS,
    *,
    settings: AnoCLIPSettings = _DEFAULTS,
    threshold: float | None = None,
    object_words: Iterable[str] | None = None,
    seed: int = 0,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Suggestion:
    """Search ticks and object words that better an aim. Nothing is applied.

    Parameters
    ----------
    model : AnoCLIP
        The model; tokens and embeddings that it keeps are not made again.
    prompts : PromptSet
        Where to begin.
    questions : sequence of Question
        Judged images. Planes of a stack are searched and tried together.
    aim : Aim or str
        What to better.
    settings : AnoCLIPSettings
        Those of the maps; the search itself leaves adaptation out.
    threshold : float, optional
        The one in use. False regions are counted at the recall that it gives with the prompts as they are.
    object_words : iterable of str, optional
        Names to try in place of the object's; known synonyms otherwise.
    seed : int
        Of the folds. Equal seeds give equal suggestions.
    on_progress : callable, optional
        Called with a `Progress`.
    cancel : CancelFlag, optional
        Polled between steps.

    Returns
    -------
    Suggestion

    Raises
    ------
    PromptError
        If a side has no prompt, or a word is no name.
    ImageError
        If an image cannot be read or is not of the size that was judged, or all have too many tokens.
    Cancelled
        If the flag is set.
    """
    from napari_anoclip.review.choices import Bank, Choice, Grids
    from napari_anoclip.review.search import MAX_STEPS, search

    prompts.require_sides()
    aim = Aim(aim)
    report = Reporter(on_progress, cancel)
    judged = [question for question in questions if question.image.judged]
    if not judged:
        return _too_few("no image is judged")
    report("reading judged images", 0, len(judged))
    grids = Grids.of(model, judged, settings, lambda done: report("reading judged images", done, len(judged)))
    folds = _folds(grids.sheet, [question.image.key for question in judged], seed)
    if isinstance(folds, str):
        return _too_few(folds)

    whole = _all_on(prompts)
    words = list(dict.fromkeys([prompts.object, *(synonyms(prompts.object) if object_words is None else object_words)]))
    named = [whole.with_object(word) for word in words]
    order = settings.scoring.mean_order
    banks = [
        Bank(Makings.of(one), model.encode_prompts(one, order, on_progress=on_progress, cancel=cancel)) for one in named
    ]
    temperature = settings.scoring.temperature or model.temperature
    places = banks[0].makings.places
    start = Choice(0, tuple(place.entry(prompts).on for place in places))

    def scores_of(choices: Sequence[Choice]) -> FloatArray:
        return grids.scores(choices, banks, temperature)

    def neighbours(choice: Choice) -> list[Choice]:
        return [one for one in choice.neighbours(len(words)) if banks[one.word].possible(one)]

    every = range(len(judged))
    all_images = grids.sheet.part(every)
    (now,) = scores_of([start])
    recall = (all_images.recall(now, threshold) if threshold is not None else 0.0) or USUAL_RECALL
    ways = search(
        start,
        neighbours,
        scores_of,
        [all_images, *(grids.sheet.part(image for image in every if image not in fold) for fold in folds)],
        aim,
        recall,
        lambda done: report("searching prompts", done, MAX_STEPS),
    )
    best, tried = ways[0], ways[1:]
    if best == [start]:
        return Suggestion(None, None, None, False, f"No reliable gain: no tick and no other word betters {NAMED[aim]}.")

    held_out = [grids.sheet.part(fold) for fold in folds]
    ends = scores_of([way[-1] for way in tried])
    before = np.array([part.figure(aim, now, recall) for part in held_out])
    after = np.array([part.figure(aim, scores, recall) for part, scores in zip(held_out, ends, strict=True)])
    gains = before - after if aim is Aim.FALSE_REGIONS else after - before
    gain, spread = float(gains.mean()), _spread(gains)
    reliable = gain > RELIABLE * spread
    figures = [all_images.figure(aim, scores, recall) for scores in scores_of(best)]
    changes = [[_change(*pair, places) for pair in pairwise(way)] for way in ways]
    table = tuple(
        Step(_in_words(change, prompts, words), figure, sum(change in other for other in changes[1:]))
        for change, figure in zip(changes[0], figures[1:], strict=True)
    )
    found = ticked(named[best[-1].word], zip(places, best[-1].on, strict=True))
    sentence = _sentence(aim, recall, (before.mean(), after.mean()), gain, spread, reliable)
    return Suggestion(found, gain, spread, reliable, sentence, table)


def _folds(sheet: Sheet, images: Sequence[str], seed: int) -> list[list[int]] | str:
    """Deal images, planes of one together, so that each fold can be judged by; or say what there is too little of."""
    groups = [[place for place, image in enumerate(images) if image == key] for key in dict.fromkeys(images)]
    order = np.random.default_rng(seed).permutation(len(groups))
    bad = [place for place in order if any(sheet.region[sheet.rows(image)].any() for image in groups[place])]
    good = [place for place in order if any(sheet.normal[sheet.rows(image)].any() for image in groups[place])]
    for kind, those in (("with a defect", bad), ("with a good place", good)):
        if len(those) < FEWEST:
            return f"{counted(len(those), 'judged image')} {kind}, at least {FEWEST} are needed"
    dealt = [*bad, *(place for place in order if place not in bad)]
    for count in range(min(FOLDS, len(bad)), FEWEST - 1, -1):
        folds = [[image for place in dealt[first::count] for image in groups[place]] for first in range(count)]
        rest = [[image for other in folds if other is not fold for image in other] for fold in folds]
        if all(sheet.part(part).tells for part in (*folds, *rest)):
            return folds
    return "too few images have both a defect and a good place, judge some as a whole"


def _spread(gains: NDArray[np.float64]) -> float:
    """Standard error of the mean over k folds, by the corrected variance of Nadeau and Bengio (2003).

    The folds' searches share most of their images, so that their gains scatter less than those on new images would:
    the variance of the mean is (1 / k + tested / searched) times that of the gains, not 1 / k times.
    """
    count = len(gains)
    return math.sqrt((1 / count + 1 / (count - 1)) * float(gains.var(ddof=1)))


def _all_on(prompts: PromptSet) -> PromptSet:
    """The set with all its entries on; as it is, where that would be too many prompts."""
    try:
        every = ticked(
            prompts, [(Place(name, row), True) for name in NAMES for row in range(len(getattr(prompts, name)))]
        )
    except PromptError:
        return prompts
    return every if len(every.normal) + len(every.abnormal) <= MAX_PROMPTS else prompts


def _change(before: Choice, after: Choice, places: Sequence[Place]) -> Change:
    """What one step changed: an entry and whether it is on, or the word."""
    for place, was, is_on in zip(places, before.on, after.on, strict=True):
        if was != is_on:
            return place, is_on
    return after.word


def _in_words(change: Change, prompts: PromptSet, words: Sequence[str]) -> str:
    if isinstance(change, int):
        return f"object '{words[change]}'"
    place, is_on = change
    return f"{NAMES[place.field]} '{place.entry(prompts).text}' {'on' if is_on else 'off'}"


def _sentence(aim: Aim, recall: float, figures: tuple[float, float], gain: float, spread: float, reliable: bool) -> str:
    digits = 2 if aim is Aim.FALSE_REGIONS else 3
    before, after, by, about = (f"{value:.{digits}f}" for value in (*figures, abs(gain), spread))
    at = f" an image at recall {recall:.2f}" if aim is Aim.FALSE_REGIONS else ""
    way = "better" if gain >= 0 else "worse"
    said = f"{NAMED[aim]} {before} → {after}{at} on images that were not searched, {by} ± {about} {way}"
    return f"{said[0].upper()}{said[1:]}." if reliable else f"No reliable gain: {said}."


def _too_few(lack: str) -> Suggestion:
    return Suggestion(None, None, None, False, f"Too few: {lack}.")

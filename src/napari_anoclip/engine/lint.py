"""Remarks on a prompt set: what a person would want to know before using it. Nothing here is an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_anoclip.engine.prompts import ARTICLE, DOMAIN, OBJECT, PLACEHOLDERS, PromptSet, placeholder_fault
from napari_anoclip.engine.words import counted

if TYPE_CHECKING:
    from napari_anoclip.engine.text import Tokenizer

RemarkKind = Literal["placeholder", "duplicate", "both_sides", "empty_side", "too_long", "unknown_word"]


@dataclass(frozen=True)
class Remark:
    """One thing worth knowing about a prompt set.

    Attributes
    ----------
    where : str
        The entry it is about, such as ``"frames[2]"``, or ``"object"``; where it is about finished prompts, the side,
        ``"normal"`` or ``"abnormal"``.
    text : str
        The entry, or a finished prompt as an example.
    sentence : str
        What is the matter and what to do.
    kind : str
        Which check it comes from.
    """

    where: str
    text: str
    sentence: str
    kind: RemarkKind


def lint(
    ps: PromptSet, tokenizer: Tokenizer | None = None, known_token_ids: Collection[int] | None = None
) -> list[Remark]:
    """Check what is on in a prompt set.

    Parameters
    ----------
    ps : PromptSet
        The set to check.
    tokenizer : callable, optional
        open_clip tokenizer; with it, prompts too long for the model are found.
    known_token_ids : collection of int, optional
        Token ids that the model's training has seen; with it and the tokenizer, unknown words are found.

    Returns
    -------
    list of Remark
        About entries first, then about finished prompts.
    """
    finished = {"normal": ps.normal, "abnormal": ps.abnormal}
    remarks = [*_placeholders(ps), *_duplicate_entries(ps)]
    if tokenizer is not None and known_token_ids is not None:
        remarks += _unknown_words(ps, tokenizer, known_token_ids)
    remarks += _empty_sides(finished)
    remarks += _duplicate_prompts(ps)
    remarks += _both_sides(finished)
    if tokenizer is not None:
        remarks += _too_long(finished, tokenizer)
    return remarks


def _entries(ps: PromptSet) -> Iterator[tuple[str, str, str]]:
    """List, place and text of every entry that is on."""
    for field in PLACEHOLDERS:
        for index, entry in enumerate(getattr(ps, field)):
            if entry.on:
                yield field, f"{field}[{index}]", entry.text


def _placeholders(ps: PromptSet) -> Iterator[Remark]:
    for field, where, text in _entries(ps):
        fault = placeholder_fault(field, text)
        if fault is not None:
            yield Remark(where, text, f"{fault[0].upper()}{fault[1:]}.", "placeholder")


def _duplicate_entries(ps: PromptSet) -> Iterator[Remark]:
    seen = set()
    for field, where, text in _entries(ps):
        if (field, text) in seen:
            yield Remark(where, text, f"{text!r} is there twice and so counts twice; remove one of them.", "duplicate")
        seen.add((field, text))


def _unknown_words(ps: PromptSet, tokenizer: Tokenizer, known: Collection[int]) -> Iterator[Remark]:
    seen = frozenset(known)
    first: dict[str, tuple[str, str]] = {}
    for where, text in [("object", ps.object), *((where, text) for _, where, text in _entries(ps))]:
        words = text
        for placeholder in (OBJECT, DOMAIN, ARTICLE):
            words = words.replace(placeholder, " ")
        for word in words.split():
            first.setdefault(word, (where, text))
    for (word, (where, text)), ids in zip(first.items(), _content_ids(tokenizer, list(first)), strict=True):
        if not seen.issuperset(ids):
            sentence = f"The model's training never saw the word {word!r}, which is noise to it; try another word."
            yield Remark(where, text, sentence, "unknown_word")


def _empty_sides(finished: dict[str, list[str]]) -> Iterator[Remark]:
    for side, prompts in finished.items():
        if not prompts:
            yield Remark(side, "", f"The {side} side has no prompt, so nothing can be scored; add one.", "empty_side")


def _duplicate_prompts(ps: PromptSet) -> Iterator[Remark]:
    """Prompts that come out alike although their entries differ."""
    unique = ps.model_copy(update={field: tuple(dict.fromkeys(getattr(ps, field))) for field in PLACEHOLDERS})
    for side, prompts in (("normal", unique.normal), ("abnormal", unique.abnormal)):
        repeated = [prompt for prompt, times in Counter(prompts).items() if times > 1]
        if repeated:
            sentence = (
                f"The {side} side has {counted(len(repeated), 'prompt')} more than once, though the entries differ: "
                "each counts as often as it comes out."
            )
            yield Remark(side, repeated[0], sentence, "duplicate")


def _both_sides(finished: dict[str, list[str]]) -> Iterator[Remark]:
    abnormal = set(finished["abnormal"])
    shared = [prompt for prompt in dict.fromkeys(finished["normal"]) if prompt in abnormal]
    if shared:
        sentence = (
            f"Both sides have {counted(len(shared), 'prompt')} in common, which only pulls them together: "
            "keep each on one side."
        )
        yield Remark("normal", shared[0], sentence, "both_sides")


def _too_long(finished: dict[str, list[str]], tokenizer: Tokenizer) -> Iterator[Remark]:
    for side, prompts in finished.items():
        if not prompts:
            continue
        ids = tokenizer(prompts)
        limit = ids.shape[1]
        full = [prompt for prompt, last in zip(prompts, ids[:, -1].tolist(), strict=True) if last]
        long = [prompt for prompt in full if sum(map(len, _content_ids(tokenizer, prompt.split()))) + 2 > limit]
        if long:
            sentence = (
                f"The {side} side has {counted(len(long), 'prompt')} of more than the {limit} tokens that the model "
                "reads: the end is cut off."
            )
            yield Remark(side, max(long, key=len), sentence, "too_long")


def _content_ids(tokenizer: Tokenizer, words: list[str]) -> list[list[int]]:
    """Token ids of each word, without those that mark start, end and padding."""
    return [[token for token in row if token][1:-1] for row in tokenizer(words).tolist()] if words else []

"""Other words for an object: few, known ones, and never the word itself."""

from __future__ import annotations

import pytest

from napari_anoclip.engine.prompts import clean_object
from napari_anoclip.review.synonyms import _ALIKE, MOST, synonyms


@pytest.mark.parametrize("name", ["leather", "Leather", "brown leather", "fine_brown_leather"])
def test_a_known_object_has_other_words_whatever_stands_before_it(name: str) -> None:
    assert synonyms(name) == ("leather surface", "hide", "skin")


def test_the_longest_ending_that_is_known_counts() -> None:
    assert synonyms("metal nut")[0] == "nut"
    assert synonyms("hex nut") != synonyms("cashew nut")


def test_a_word_that_heads_a_line_is_better_known_than_one_that_is_a_synonym_there() -> None:
    assert synonyms("pill")[0] == "tablet"
    assert synonyms("capsule")[0] == "pill"


@pytest.mark.parametrize("name", ["", " ", "flux capacitor", "_"])
def test_of_what_is_not_known_there_are_none(name: str) -> None:
    assert synonyms(name) == ()


@pytest.mark.parametrize("word", sorted({word for line in _ALIKE for word in line}))
def test_every_word_has_few_others_that_can_be_put_into_prompts(word: str) -> None:
    found = synonyms(word)
    assert 1 <= len(found) <= MOST
    assert word.lower() not in {one.lower() for one in found}
    assert len(set(found)) == len(found)
    assert [clean_object(one) for one in found] == list(found)

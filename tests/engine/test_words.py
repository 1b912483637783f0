"""Numbers and names as a sentence has them."""

from __future__ import annotations

import pytest

from napari_anoclip.engine.words import counted, first_line, named


@pytest.mark.parametrize(("number", "words"), [(0, "0 images"), (1, "1 image"), (2000, "2,000 images")])
def test_things_are_counted_in_words(number, words):
    assert counted(number, "image") == words


def test_many_names_are_cut_short():
    assert named("ab") == "a, b"
    assert named("abcde", most=5) == "a, b, c, d, e"
    assert named(iter("abcde"), most=2) == "a, b and 3 more"
    assert named("") == ""


def test_of_a_long_reason_the_first_line_is_told_and_of_none_its_kind():
    assert first_line(ValueError("\nno number\n  at 7")) == "no number"
    assert first_line(KeyError()) == "KeyError"

"""How long the rest will take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from napari_anoclip.review.pace import remaining, sentence

START = datetime(2026, 1, 1, tzinfo=UTC)


def times(*seconds: float) -> list[datetime]:
    return [START + timedelta(seconds=s) for s in seconds]


def test_the_rest_takes_as_long_a_region_as_those_before():
    assert remaining(times(0, 4, 8, 12), 10) == timedelta(seconds=40)


def test_the_order_of_the_times_does_not_matter():
    assert remaining(times(12, 0, 8, 4), 10) == timedelta(seconds=40)


def test_pauses_are_left_out():
    assert remaining(times(0, 4, 8, 5000, 5004, 90_000, 90_004), 10) == timedelta(seconds=40)


def test_one_long_look_does_not_change_it():
    assert remaining(times(0, 4, 8, 100, 104, 108), 10) == timedelta(seconds=40)


def test_regions_that_were_judged_at_once_count_as_one_step():
    assert remaining(times(*[0] * 5, *[10] * 5, *[20] * 5, *[30] * 5), 10) == timedelta(seconds=20)


def test_who_becomes_faster_is_believed():
    slow, fast = range(0, 3000, 30), range(3000, 3400, 2)
    assert remaining(times(*slow, *fast), 10) == timedelta(seconds=20)


def test_too_few_verdicts_tell_nothing():
    assert remaining([], 5) is None
    assert remaining(times(0, 1, 2), 5) is None
    assert remaining(times(0, 1000, 2000, 3000, 4000), 5) is None


def test_nothing_left_takes_no_time():
    assert remaining([], 0) == timedelta(0)


@pytest.mark.parametrize(
    ("judged", "left", "words"),
    [
        (37, timedelta(minutes=6, seconds=10), "37 of 120 judged, about 6 min left"),
        (37, timedelta(seconds=20), "37 of 120 judged, less than a minute left"),
        (37, timedelta(minutes=59, seconds=40), "37 of 120 judged, about 1 h left"),
        (37, timedelta(minutes=93), "37 of 120 judged, about 1 h 30 min left"),
        (37, timedelta(hours=30), "37 of 120 judged, about 30 h left"),
        (37, None, "37 of 120 judged"),
        (120, timedelta(0), "120 of 120 judged"),
    ],
)
def test_progress_in_words(judged, left, words):
    assert sentence(judged, 120, left) == words

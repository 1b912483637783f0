"""The search goes uphill, one step after the other, and stops where the next one is not worth it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from napari_anoclip.review.aims import Aim
from napari_anoclip.review.choices import Choice
from napari_anoclip.review.search import LEAST_STEP, MAX_STEPS, TIE, search


class Scenery:
    """Figures of choices; a choice's grid is the choice itself, so that parts can tell them apart."""

    def __init__(self, ticks: int) -> None:
        self.start = Choice(0, (True,) * ticks)
        self.scored: list[Choice] = []
        self.asked: list[int] = []

    def scores_of(self, choices: Sequence[Choice]) -> np.ndarray:
        self.scored += choices
        return np.array([[*one.on, one.word] for one in choices], np.float32).reshape(-1, len(self.start.on) + 1)

    def search(self, parts: Sequence[object], aim: Aim = Aim.AP, words: int = 1) -> list[list[Choice]]:
        near = lambda choice: choice.neighbours(words)  # noqa: E731
        return search(self.start, near, self.scores_of, parts, aim, 0.9, self.asked.append)


class Hill:
    """Images whose figure depends on the choice in a known way."""

    def __init__(self, height: Callable[[tuple[bool, ...], int], float], precision: float = 0.0) -> None:
        self._height = height
        self._precision = precision

    def figure(self, aim: Aim, scores: np.ndarray, recall: float) -> float:
        assert recall == 0.9
        on, word = tuple(bool(one) for one in scores[:-1]), int(scores[-1])
        return self._precision * sum(on) if aim is Aim.AP and self._precision else self._height(on, word)


def off(choice: Choice) -> list[int]:
    return [place for place, on in enumerate(choice.on) if not on]


def test_the_best_tick_is_taken_first_and_the_way_ends_at_the_top() -> None:
    gains = {2: 0.3, 0: 0.1, 4: 0.2}
    (way,) = Scenery(6).search([Hill(lambda on, _: sum(gains.get(n, -0.1) for n in range(6) if not on[n]))])
    assert [off(choice) for choice in way] == [[], [2], [2, 4], [0, 2, 4]]


def test_another_word_is_a_step_like_a_tick() -> None:
    (way,) = Scenery(2).search([Hill(lambda on, word: (0.0, 0.1, 0.4)[word] + 0.05 * (not on[1]))], words=3)
    assert [(choice.word, off(choice)) for choice in way] == [(0, []), (2, []), (2, [1])]


@pytest.mark.parametrize(("gain", "steps"), [(LEAST_STEP * 0.9, 0), (LEAST_STEP * 1.1, 1)])
def test_a_step_that_gains_next_to_nothing_is_not_taken(gain: float, steps: int) -> None:
    (way,) = Scenery(3).search([Hill(lambda on, _: gain * (not on[1]))])
    assert len(way) - 1 == steps


def test_fewer_false_regions_are_better_and_average_precision_decides_between_equals() -> None:
    (way,) = Scenery(4).search([Hill(lambda on, _: 5.0 - 2 * (not on[3]))], Aim.FALSE_REGIONS)
    assert off(way[-1]) == [3]
    (way,) = Scenery(4).search([Hill(lambda *_: 3.0, precision=-1.1 * LEAST_STEP / TIE)], Aim.FALSE_REGIONS)
    assert off(way[-1]) == [0, 1, 2, 3]


def test_parts_go_their_own_ways_and_what_they_share_is_scored_once() -> None:
    scenery = Scenery(4)
    alike = [Hill(lambda on, _: 0.2 * (not on[1]) - 0.1 * (not on[2])) for _ in range(3)]
    other = Hill(lambda on, _: 0.2 * (not on[2]) - 0.1 * (not on[1]))
    ways = scenery.search([*alike, other])
    assert [off(way[-1]) for way in ways] == [[1], [1], [1], [2]]
    assert len(scenery.scored) == 1 + 4 + 2 * 4


def test_no_part_takes_more_steps_than_it_may() -> None:
    scenery = Scenery(20)
    (way,) = scenery.search([Hill(lambda on, _: sum(0.1 + 0.001 * n for n in range(20) if not on[n]))])
    assert len(way) == 1 + MAX_STEPS
    assert scenery.asked == list(range(MAX_STEPS + 1))


def test_a_part_that_comes_to_where_another_one_is_does_not_go_on_with_it_in_the_same_round() -> None:
    def rest(on: tuple[bool, ...]) -> float:
        return sum(0.05 + 0.001 * n for n in range(1, 20) if not on[n])

    # By word 1, then the first tick, then word 2; the other by word 2, then the first tick.
    late = Hill(lambda on, word: ((0.0, 0.3, 0.1) if on[0] else (0.2, 0.5, 0.8))[word] + rest(on))
    early = Hill(lambda on, word: 0.3 * (word == 2) + 0.2 * (not on[0]) + rest(on))
    ways = Scenery(20).search([late, early], words=3)
    assert ways[0][3] == ways[1][2]
    assert [len(way) for way in ways] == [1 + MAX_STEPS] * 2


def test_where_there_is_nowhere_to_go_it_stays() -> None:
    scenery = Scenery(2)
    ways = search(
        scenery.start, lambda _: [], scenery.scores_of, [Hill(lambda *_: 1.0)], Aim.AP, 0.9, lambda done: None
    )
    assert ways == [[scenery.start]]

"""The queue itself: order, filter, what was judged, and how far one is. No viewer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from review import reviewing

from napari_anoclip.plugin.picture_queue import PictureQueue, Show
from napari_anoclip.plugin.queue_words import end, passed_over
from napari_anoclip.review.judgement import Verdict

FOLDER = Path("/line 3").absolute()
SESSION = FOLDER / "line 3.anoclip"


def queue(count: int = 5, **more) -> PictureQueue:
    return PictureQueue([FOLDER / f"{number}.png" for number in range(count)], **more)


def judged(number: int, *verdicts: Verdict, complete: bool = True, **more):
    """Picture `number` as a session beside it has it, one verdict a second."""
    judgements = {
        place: reviewing.judgement(place, verdict=verdict).model_copy(
            update={"at": reviewing.NOON + timedelta(seconds=100 * number + 10 * place)}
        )
        for place, verdict in enumerate(verdicts, 1)
    }
    about = {"path": f"../{number}.png", "judgements": judgements, "complete": complete} | more
    return reviewing.image(f"key{number}", f"{number}.png", **about)


def test_nothing_is_known_of_a_new_queue():
    new = queue()
    assert (len(new), new.at, new.judged, new.left, new.broken) == (5, None, 0, 5, 0)
    assert new.progress == "0 of 5 judged"
    assert new[2].marked == "    2.png"


def test_pictures_that_were_judged_are_passed_over():
    half = queue(at=0)
    changed = half.learn([judged(1), judged(2, Verdict.DEFECT), judged(4, Verdict.FALSE)], SESSION)
    assert sorted(changed) == [1, 2, 4]
    assert half.next(1) == 3
    half.at = 3
    assert half.next(1) is None
    assert half.next(-1) == 0


def test_a_picture_that_is_judged_in_part_is_left():
    begun = queue(at=0)
    begun.learn([judged(1, Verdict.DEFECT, complete=False)], SESSION)
    assert begun.next(1) == 1
    assert (begun.judged, begun.left) == (0, 5)
    assert begun[1].marked == "… 1.png, 1 defect"


@pytest.mark.parametrize(
    ("show", "passed"),
    [
        (Show.ALL, [0, 1, 2, 3, 4]),
        (Show.LEFT, [0, 4]),
        (Show.JUDGED, [1, 2, 3]),
        (Show.DEFECT, [2, 4]),
        (Show.FALSE, [2]),
        (Show.UNSURE, [3]),
    ],
)
def test_each_filter_lets_through_what_it_says(show, passed):
    filtered = queue(show=show)
    filtered.learn(
        [
            judged(1),
            judged(2, Verdict.DEFECT, Verdict.FALSE),
            judged(3, Verdict.UNSURE),
            judged(4, Verdict.DEFECT, complete=False),
        ],
        SESSION,
    )
    found, at = [], filtered.next(1)
    while at is not None:
        found.append(at)
        at = filtered.next(1, at)
    assert found == passed


def test_marks_say_in_words_what_is_known():
    marked = queue()
    marked.learn(
        [
            judged(0),
            judged(1, Verdict.DEFECT, Verdict.DEFECT, Verdict.UNSURE),
            judged(2, Verdict.FALSE, complete=False),
            judged(3, Verdict.FALSE),
        ],
        SESSION,
    )
    marked.mark(4, "It is broken.")
    assert [marked[place].marked for place in range(5)] == [
        "✓ 0.png, good",
        "✓ 1.png, 2 defects, 1 unsure",
        "… 2.png, 1 false",
        "✓ 3.png, good",
        "✕ 4.png, cannot be read",
    ]


def test_a_picture_that_cannot_be_read_is_never_gone_to_and_not_waited_for():
    broken = queue(3, at=0, show=Show.ALL)
    broken.mark(1, "It is broken.")
    assert broken.next(1) == 2
    assert broken.progress == "0 of 2 judged · 1 cannot be read"
    broken.mark(1, "")
    assert broken.next(1) == 1
    assert broken.progress == "0 of 3 judged"


def test_paths_are_found_from_the_session_absolute_and_however_they_are_written():
    there = queue()
    there.learn(
        [judged(0), judged(1, path=str(FOLDER / "sub" / ".." / "1.png")), judged(2, path="/other/2.png")], SESSION
    )
    assert [there[place].done for place in range(5)] == [True, True, False, False, False]


def test_a_picture_that_was_renamed_counts_once_it_is_recognised_by_its_pixels():
    renamed = queue()
    image = judged(7, Verdict.DEFECT)
    assert renamed.learn([image], SESSION) == []
    renamed.tie(3, image.key)
    assert renamed.learn([image], SESSION) == [3]
    assert renamed[3].done


def test_two_windows_of_one_picture_are_done_when_both_are():
    windows = queue()
    left, right = (
        judged(1, Verdict.DEFECT),
        judged(1, Verdict.FALSE, complete=False).model_copy(update={"key": "right"}),
    )
    windows.learn([left, right], SESSION)
    assert not windows[1].done
    assert windows[1].counts == (1, 1, 0)
    windows.learn([left, right.model_copy(update={"complete": True})], SESSION)
    assert windows[1].done


def test_a_verdict_that_was_undone_is_forgotten():
    undone = queue()
    undone.learn([judged(1, Verdict.DEFECT)], SESSION)
    assert undone.learn([judged(1, complete=False)], SESSION) == [1]
    assert not undone[1].done


def test_only_what_changed_is_told():
    told = queue()
    told.learn([judged(1), judged(2)], SESSION)
    assert told.learn([judged(1), judged(2), judged(3)], SESSION) == [3]
    assert told.learn([judged(1), judged(2), judged(3)], SESSION) == []


def test_the_rest_takes_as_long_as_the_pictures_before_did():
    timed = queue(40)
    timed.learn([judged(number, Verdict.DEFECT, Verdict.FALSE) for number in range(10)], SESSION)
    assert timed.progress == "10 of 40 judged, about 50 min left"  # one each 100 s


def test_good_pictures_without_a_region_tell_the_pace_too(monkeypatch):
    times = iter(reviewing.NOON + timedelta(seconds=6 * step) for step in range(100))
    monkeypatch.setattr("napari_anoclip.plugin.picture_queue.datetime", Clock(times))
    good = queue(60)
    good.learn([], SESSION)
    for count in range(1, 11):
        good.learn([judged(number) for number in range(count)], SESSION)
    assert good.progress == "10 of 60 judged, about 5 min left"


def test_who_has_just_opened_a_judged_folder_is_told_no_time():
    good = queue(60)
    good.learn([judged(number) for number in range(10)], SESSION)
    assert good.progress == "10 of 60 judged"


def test_the_end_is_told_in_words():
    at_end = queue(2, at=1)
    others = "Choose to show “all” to see the others."
    assert end(at_end, 1) == f"There is no picture that is not judged after this one. {others}"
    assert end(at_end, -1) == f"There is no picture that is not judged before this one. {others}"
    at_end.show = Show.ALL
    assert end(at_end, 1) == "This is the last picture."
    at_end.show = Show.DEFECT
    assert end(at_end, 0) == "There is no picture with defects. Choose to show “all” to see the others."
    at_end.show = Show.LEFT
    at_end.learn([judged(0), judged(1)], SESSION)
    assert end(at_end, 1) == "All 2 are judged."
    at_end.mark(0, "It is broken.")
    assert end(at_end, 1) == "The picture is judged."
    at_end.mark(1, "It is broken.")
    assert end(at_end, 1) == "None of the pictures can be read."


def test_pictures_that_cannot_be_read_are_named_but_not_all_of_many():
    assert passed_over([]) == ""
    assert passed_over([("a.png", "It is broken.")]) == "It is broken."
    many = [(f"{number}.png", "It is broken.") for number in range(7)]
    assert passed_over(many) == "7 pictures cannot be read and were passed over: 0.png, 1.png, 2.png and 4 more."


def test_ten_thousand_pictures_are_learned_and_asked_quickly():
    many = queue(10_000)
    images = [judged(number) for number in range(9_999)]
    many.learn(images, SESSION)
    assert many.next(1) == 9_999
    assert many.left == 1


class Clock:
    """A clock that tells given times."""

    def __init__(self, times) -> None:
        self._times = times

    def now(self, _zone):
        return next(self._times)


def test_pictures_of_subfolders_are_told_apart_by_them():
    nested = PictureQueue([FOLDER / "test" / "crack" / "0.png", FOLDER / "test" / "good" / "0.png"])
    assert [nested[place].marked for place in range(2)] == ["    crack/0.png", "    good/0.png"]

"""What was tried is kept with its figures, and what an edit did is said in a few words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from napari_anoclip.engine.prompts import Entry, PromptSet
from napari_anoclip.review.metrics import Figure, Figures
from napari_anoclip.review.trials import Trial, added, compare, what_changed

SET = PromptSet.compose(
    object="nut",
    normal_states=["good {}", "clean {}"],
    abnormal_states=["bad {}", "broken {}"],
    frames=["the {}", "a {domain} of {a} {}"],
    domains=["photo"],
)


def figure(value: float | None = None, count: int = 0) -> Figure:
    return Figure(value=value, low=None, high=None, count=count, words="")


def figures(
    false: tuple[float, int] | None = None, recall: tuple[int, int] | None = None, aupro: float | None = None
) -> Figures:
    """False regions (an image, in so many), recall (met, of so many), and AUPRO."""
    nothing = dict.fromkeys(set(Figures.model_fields) - {"threshold", "images", "complete"}, figure())
    told = {
        "false_regions": figure(*false) if false else figure(),
        "recall": figure(recall[0] / recall[1], recall[1]) if recall else figure(),
        "aupro": figure(aupro, 9),
    }
    return Figures(**nothing | told, threshold=0.5, images=10, complete=8)


class TestCompare:
    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            (figures((1.4, 10), (31, 32)), figures((0.9, 10), (31, 32)), "FP regions 14 → 9, recall 31/32"),
            (figures((1.4, 10), (31, 32)), figures((1.4, 10), (29, 32)), "FP regions 14, recall 31/32 → 29/32"),
            (figures((1.4, 10)), figures((11 / 12, 12)), "FP regions / image 1.4 → 0.9"),
            (figures(recall=(3, 4)), figures(recall=(5, 8)), "recall 3/4 → 5/8"),
            (figures(aupro=0.712), figures(aupro=0.738), "AUPRO 0.71 → 0.74"),
            (figures((0.3, 10), aupro=0.712), figures((0.3, 10), aupro=0.713), "FP regions 3"),
            (figures(), figures((0.9, 10), (31, 32), 0.7), "too few judged images to compare"),
        ],
    )
    def test_says_what_an_edit_did(self, before: Figures, after: Figures, said: str) -> None:
        assert compare(before, after) == said

    def test_counts_are_whole_though_the_figures_are_means(self) -> None:
        for total in range(40):
            for images in (3, 7, 11, 29):
                assert figure(total / images, images).total == total


class TestWhatChanged:
    @pytest.mark.parametrize(
        ("after", "said"),
        [
            (SET.with_object("bolt"), "object: bolt"),
            (SET.with_entries("domains", ["photo", "image"]), "domain added: image"),
            (SET.with_entries("domains", ["photo", "image", "x-ray"]), "2 domains added"),
            (SET.with_entries("frames", ["the {}"]), "frame removed: a {domain} of {a} {}"),
            (
                SET.with_entries("abnormal_states", [Entry(text="bad {}", on=False), "broken {}"]),
                "abnormal state switched off: bad {}",
            ),
            (SET.with_prompt("the bad nut", False), "single prompt switched off: the bad nut"),
            (SET.with_prompts(["the bad nut", "the good nut"], False), "2 single prompts switched off"),
            (
                SET.with_object("bolt").with_entries("domains", ["image"]),
                "object: bolt; domain added: image; domain removed: photo",
            ),
            (SET.with_entries("frames", ["a {domain} of {a} {}", "the {}"]), ""),
            (SET.with_entries("domains", ["photo", Entry(text="image", on=False)]), ""),
        ],
    )  # fmt: skip
    def test_is_said_in_words(self, after: PromptSet, said: str) -> None:
        assert what_changed(SET, after) == said

    def test_the_way_back_is_said_as_well(self) -> None:
        off = SET.with_entries("abnormal_states", [Entry(text="bad {}", on=False), "broken {}"])
        assert what_changed(off, SET) == "abnormal state switched on: bad {}"
        assert what_changed(SET.with_prompt("the bad nut", False), SET) == "single prompt switched on: the bad nut"


class TestHistory:
    def test_grows_with_each_set_and_says_what_was_changed(self) -> None:
        trials = added([], SET, figures((1.4, 10)))
        trials = added(trials, SET.with_object("bolt"), figures((0.9, 10)))
        assert [one.words for one in trials] == ["", "object: bolt"]
        assert [one.figures.false_regions.total for one in trials] == [14, 9]
        assert trials[0].at <= trials[1].at <= datetime.now(UTC)
        assert trials[0].images == 10

    def test_the_same_set_with_more_judged_brings_the_last_one_up_to_date(self) -> None:
        trials = added(added([], SET, figures((1.4, 10))), SET.with_object("bolt"), figures((0.9, 10)))
        again = added(trials, SET.with_object("bolt"), figures((1.0, 10)))
        assert len(again) == 2
        assert again[1].words == "object: bolt"
        assert again[1].figures.false_regions.total == 10
        assert [one.figures.false_regions.total for one in trials] == [14, 9], "what was there is not written into"

    def test_any_set_is_restored_whole(self) -> None:
        told = SET.with_prompt("the bad nut", False).with_entries("domains", [Entry(text="photo", on=False), "image"])
        trials = added(added([], told, figures()), SET.with_object("bolt"), figures())
        stored = [Trial.model_validate_json(one.model_dump_json()) for one in trials]
        assert stored == trials
        assert stored[0].prompts == told
        assert (stored[0].prompts.normal, stored[0].prompts.abnormal) == (told.normal, told.abnormal)

    def test_going_back_is_a_trial_of_its_own(self) -> None:
        trials = added(added([], SET, figures()), SET.with_object("bolt"), figures())
        trials = added(trials, trials[0].prompts, figures())
        assert [one.words for one in trials] == ["", "object: bolt", "object: nut"]
        assert trials[2].prompts == SET

"""A suggestion finds what was planted, admits where there is nothing to find, and never changes anything itself."""

from __future__ import annotations

import numpy as np
import pytest
from review.planted import LATTICE, PROMPTS, Planted, question

from napari_anoclip.engine.errors import Cancelled, ImageError, PromptError
from napari_anoclip.engine.prompts import Entry, PromptSet
from napari_anoclip.review import suggest as suggesting
from napari_anoclip.review.aims import Aim, Sheet
from napari_anoclip.review.patches import truth
from napari_anoclip.review.suggest import _folds, _spread, suggest


def asked(count: int = 12, **options):
    return [question(number, **options) for number in range(count)]


def off(prompts: PromptSet) -> set[str]:
    lists = ("normal_states", "abnormal_states", "frames", "domains", "normal_prompts", "abnormal_prompts")
    return {entry.text for name in lists for entry in getattr(prompts, name) if not entry.on}


class TestPlanted:
    @pytest.mark.parametrize("aim", list(Aim))
    def test_the_state_that_sees_dust_is_switched_off(self, aim: Aim) -> None:
        found = suggest(Planted(), PROMPTS, asked(), aim, object_words=())
        assert found.reliable
        assert off(found.prompts) == {"dusty {}"}
        assert found.gain > 0
        assert [step.change for step in found.table] == ["abnormal state 'dusty {}' off"]
        assert found.table[0].folds == 5

    def test_a_state_that_is_off_is_switched_on_where_it_helps(self) -> None:
        prompts = PROMPTS.with_entries("abnormal_states", [Entry(text="odd {}"), Entry(text="broken {}", on=False)])
        found = suggest(Planted(), prompts, asked(), Aim.AP, object_words=())
        assert found.reliable
        assert found.table[0].change == "abnormal state 'broken {}' on"
        assert "broken {}" not in off(found.prompts)

    def test_another_word_for_the_object_is_suggested_where_it_is_better(self) -> None:
        prompts = PROMPTS.with_entries("abnormal_states", ["broken {}"])
        found = suggest(Planted(dusty="broken plate"), prompts, asked(), Aim.AP, object_words=["disc", "lid"])
        assert found.reliable
        assert found.prompts.object in ("disc", "lid")
        assert found.table[0].change == f"object '{found.prompts.object}'"

    def test_words_that_are_known_to_be_alike_are_tried_by_themselves(self) -> None:
        model = Planted()
        suggest(model, PROMPTS.with_object("leather"), asked(6))
        assert {one.object for one in model.encoded} == {"leather", "leather surface", "hide", "skin"}

    def test_the_sentence_says_what_changes_on_images_that_were_not_searched(self) -> None:
        found = suggest(Planted(), PROMPTS, asked(), object_words=())
        assert found.sentence.startswith("False regions ")
        assert "→ 0.00 an image at recall 0.90 on images that were not searched" in found.sentence
        assert found.sentence.endswith(f"{found.gain:.2f} ± {found.spread:.2f} better.")

    def test_false_regions_are_counted_at_the_recall_that_the_threshold_in_use_gives(self) -> None:
        assert "at recall 1.00" in suggest(Planted(), PROMPTS, asked(), threshold=0.1, object_words=()).sentence
        assert "at recall 0.90" in suggest(Planted(), PROMPTS, asked(), threshold=1.0, object_words=()).sentence

    def test_images_judged_in_part_are_enough(self) -> None:
        found = suggest(Planted(), PROMPTS, asked(complete=False), object_words=())
        assert found.reliable
        assert off(found.prompts) == {"dusty {}"}


class TestNothingToFind:
    @pytest.mark.parametrize("aim", list(Aim))
    @pytest.mark.parametrize("seed", range(3))
    def test_noise_gives_no_reliable_gain(self, aim: Aim, seed: int) -> None:
        found = suggest(Planted(), PROMPTS, asked(9, seen=False), aim, object_words=(), seed=seed)
        assert not found.reliable
        assert found.sentence.startswith("No reliable gain: ")

    def test_prompts_that_cannot_be_bettered_are_left_alone(self) -> None:
        best = PROMPTS.with_entries("abnormal_states", ["broken {}", "scratched {}"])
        found = suggest(Planted(), best, asked(), object_words=())
        assert found.prompts is None
        assert found.sentence == "No reliable gain: no tick and no other word betters false regions."

    def test_prompts_with_nothing_to_switch_off_are_left_alone(self) -> None:
        lone = PromptSet.compose(object="thing", normal_states=["good {}"], abnormal_states=["dusty {}"])
        assert suggest(Planted(), lone, asked()).prompts is None


class TestTooFew:
    def test_no_judged_image(self) -> None:
        untouched = question(0, complete=False)
        blank = type(untouched)(untouched.source, untouched.image.model_copy(update={"judgements": {}}))
        for some in ([], [blank]):
            assert suggest(Planted(), PROMPTS, some).sentence == "Too few: no image is judged."

    @pytest.mark.parametrize("count", [1, 2])
    def test_fewer_than_three_images_with_a_defect(self, count: int) -> None:
        some = [*asked(count), *(question(50 + n, defect=False) for n in range(5))]
        found = suggest(Planted(), PROMPTS, some)
        assert (found.prompts, found.gain, found.reliable) == (None, None, False)
        images = "1 judged image" if count == 1 else "2 judged images"
        assert found.sentence == f"Too few: {images} with a defect, at least 3 are needed."

    def test_no_good_place(self) -> None:
        some = asked(5, complete=False)
        for one in some:
            for number in (2, 3):
                del one.image.judgements[number]
        assert suggest(Planted(), PROMPTS, some).sentence == (
            "Too few: 0 judged images with a good place, at least 3 are needed."
        )

    def test_planes_of_a_stack_are_one_image(self) -> None:
        some = [question(number, key="stack") for number in range(9)]
        assert "1 judged image with a defect" in suggest(Planted(), PROMPTS, some).sentence

    def test_three_are_enough(self) -> None:
        assert suggest(Planted(), PROMPTS, asked(3), object_words=()).gain is not None


def test_what_was_asked_with_is_left_as_it_was() -> None:
    prompts, images = PROMPTS.with_prompt("the good plate", False), asked(6)
    before = (
        prompts.to_yaml(),
        [one.image.model_copy(deep=True) for one in images],
        [one.source.clone() for one in images],
    )
    found = suggest(Planted(), prompts, images, object_words=["disc"])
    assert found.prompts is not None
    assert found.prompts != prompts
    assert prompts.to_yaml() == before[0]
    assert [one.image for one in images] == before[1]
    assert all(bool((one.source == source).all()) for one, source in zip(images, before[2], strict=True))


def test_single_prompts_that_are_off_stay_off() -> None:
    prompts = PROMPTS.with_prompt("the good plate", False)
    assert suggest(Planted(), prompts, asked(), object_words=()).prompts.disabled == {"the good plate"}


def test_equal_seeds_give_equal_suggestions_and_others_other_folds() -> None:
    first, again, other = (suggest(Planted(), PROMPTS, asked(9), Aim.AP, object_words=(), seed=s) for s in (3, 3, 4))
    assert first == again
    assert first.gain != other.gain


def test_the_order_of_frames_or_images_that_are_not_judged_does_not_matter() -> None:
    blank = question(70, complete=False)
    blank = type(blank)(None, blank.image.model_copy(update={"judgements": {}}))
    assert suggest(Planted(), PROMPTS, [blank, *asked(6)]) == suggest(Planted(), PROMPTS, asked(6))


@pytest.mark.parametrize("polls", [0, 3, 9, 14])
def test_it_stops_when_it_is_told_to(polls: int) -> None:
    class Flag:
        left = polls

        def is_set(self) -> bool:
            self.left -= 1
            return self.left < 0

    with pytest.raises(Cancelled):
        suggest(Planted(), PROMPTS, asked(6), cancel=Flag())


def test_it_tells_how_far_it_is() -> None:
    told = []
    suggest(Planted(), PROMPTS, asked(6), on_progress=told.append, object_words=())
    assert [one.stage for one in told if one.done == 0] == ["reading judged images", "searching prompts"]
    assert all(0 <= one.done <= one.total for one in told)
    assert told[-1].done == told[-1].total


def test_entries_that_are_off_are_not_tried_where_they_would_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry(text="good {}"), Entry(text="clean {}"), Entry(text="dusty {}", on=False)]
    prompts = PROMPTS.with_entries("normal_states", entries)
    monkeypatch.setattr(suggesting, "MAX_PROMPTS", len(prompts.normal) + len(prompts.abnormal))
    model = Planted()
    found = suggest(model, prompts, asked(), object_words=())
    assert all(one.normal_states == prompts.normal_states for one in model.encoded)
    assert off(found.prompts) == {"dusty {}"}


def test_an_image_of_another_size_than_was_judged_is_refused() -> None:
    some = asked(4)
    moved = some[2].image.model_copy(update={"map_shape": (50, 50)})
    some[2] = type(some[2])(some[2].source, moved)
    with pytest.raises(ImageError, match=r"plate_02\.png has 96 × 96 pixels now"):
        suggest(Planted(), PROMPTS, some)


def test_a_side_without_prompts_or_an_empty_word_is_refused() -> None:
    with pytest.raises(PromptError):
        suggest(Planted(), PROMPTS.with_entries("abnormal_states", []), asked())
    with pytest.raises(PromptError):
        suggest(Planted(), PROMPTS, asked(4), object_words=[" "])


class TestFolds:
    @staticmethod
    def dealt(keys: list[str], seed: int, defective: list[bool]):
        some = [question(n, key=key, defect=bad) for n, (key, bad) in enumerate(zip(keys, defective, strict=True))]
        sheet = Sheet.of([truth(one.image, one.judgements, LATTICE) for one in some])
        return sheet, _folds(sheet, keys, seed)

    @pytest.mark.parametrize("seed", range(8))
    def test_every_image_is_in_one_fold_with_all_its_planes_and_each_fold_can_be_judged_by(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        keys = [f"stack {n}" for n in draw.integers(0, 11, 30)]
        defective = (draw.random(30) < 0.6).tolist()
        sheet, folds = self.dealt(keys, seed, defective)
        assert 3 <= len(folds) <= 5
        assert sorted(place for fold in folds for place in fold) == list(range(30))
        named = [{keys[place] for place in fold} for fold in folds]
        for one, others in ((one, named[:n] + named[n + 1 :]) for n, one in enumerate(named)):
            assert not one & set().union(*others)
        for fold in folds:
            assert sheet.part(fold).tells
            assert sheet.part(sorted(set(range(30)) - set(fold))).tells

    def test_defects_in_three_images_make_three_folds(self) -> None:
        _, folds = self.dealt([str(n) for n in range(10)], 0, [True] * 3 + [False] * 7)
        assert [sum(place < 3 for place in fold) for fold in folds] == [1, 1, 1]

    def test_defects_and_good_places_in_different_images_of_part_are_put_together(self) -> None:
        _, folds = self.dealt([str(n) for n in range(8)], 1, [True, False] * 4)
        assert all(any(place % 2 == 0 for place in fold) for fold in folds)


def test_the_spread_is_that_of_nadeau_and_bengio() -> None:
    gains = np.array([0.1, 0.3, 0.2, 0.6])
    assert _spread(gains) == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * gains.var(ddof=1)))

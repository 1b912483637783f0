"""What was said about regions and images, as values."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from napari_anoclip.review.judgement import ImageReview, Judgement, Measures, Verdict
from napari_anoclip.review.region_mask import RegionMask

MASK = RegionMask.of(np.array([[1, 0, 1], [1, 1, 1]]), (3, 4))


def image(*judgements: Judgement, complete: bool = False) -> ImageReview:
    return ImageReview(
        key="a",
        name="plate 1.png",
        fingerprint="f" * 64,
        map_shape=(20, 20),
        judgements={one.id: one for one in judgements},
        complete=complete,
    )


def test_all_that_was_said_comes_back_from_its_text():
    judgement = Judgement(
        id=3,
        plane=(2,),
        mask=MASK,
        verdict=Verdict.DEFECT,
        kind="Kratzer",
        note='long, "deep"\nand bright',
        origin="drawn",
        edited=True,
        measures=Measures(
            area=5, centroid=(3.6, 5.0), mean=0.123456789012345, maximum=1 / 3, length=2.5, orientation=-0.1
        ),
        threshold=0.47,
        top_prompt="a photo of a scratched plate.",
        at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    )
    review = image(judgement, complete=True)
    assert ImageReview.model_validate_json(review.model_dump_json()) == review


def test_an_image_is_judged_once_a_region_is_or_all_of_it_was_looked_at():
    assert not image().judged
    assert not image(Judgement(id=1, mask=MASK, note="look again")).judged
    assert image(Judgement(id=1, mask=MASK, verdict=Verdict.UNSURE)).judged
    assert image(complete=True).judged


def test_a_new_number_is_above_all_others():
    assert image().next_id == 1
    assert image(Judgement(id=2, mask=MASK), Judgement(id=9, mask=MASK)).next_id == 10


def test_judgements_of_a_verdict_come_by_number():
    review = image(
        Judgement(id=4, mask=MASK, verdict=Verdict.FALSE),
        Judgement(id=2, mask=MASK, verdict=Verdict.FALSE),
        Judgement(id=3, mask=MASK, verdict=Verdict.DEFECT),
    )
    assert [one.id for one in review.with_verdict(Verdict.FALSE)] == [2, 4]


def test_when_it_was_said_is_noted_with_its_time_zone():
    assert Judgement(id=1, mask=MASK).at.tzinfo is UTC


@pytest.mark.parametrize("wrong", [{"id": 0}, {"verdict": "maybe"}, {"origin": "guessed"}, {"colour": "red"}])
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        Judgement.model_validate({"id": 1, "mask": MASK} | wrong)


def test_a_judgement_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Judgement(id=1, mask=MASK).verdict = Verdict.FALSE

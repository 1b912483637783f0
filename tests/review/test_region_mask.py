"""Pixels of a region: box, overlap, and as text."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pydantic import BaseModel, ValidationError

from napari_anoclip.review.region_mask import Mask, RegionMask


@st.composite
def masks(draw, dims: int = 2) -> RegionMask:
    bits = draw(
        arrays(np.bool_, array_shapes(min_dims=dims, max_dims=dims, min_side=1, max_side=6)).filter(lambda b: b.any())
    )
    start = draw(st.tuples(*[st.integers(0, 6)] * dims))
    return RegionMask.of(bits, start)


def on_map(mask: RegionMask) -> np.ndarray:
    canvas = np.zeros((12,) * len(mask.start), bool)
    mask.draw(canvas, True)
    return canvas


any_mask = st.one_of(masks(2), masks(3))


@given(any_mask)
def test_a_mask_comes_back_from_its_text(mask):
    assert RegionMask.from_json(json.loads(json.dumps(mask.to_json()))) == mask


@given(any_mask)
def test_its_box_is_tight_and_its_pixels_are_those_that_were_set(mask):
    canvas = on_map(mask)
    where = np.nonzero(canvas)
    assert mask.start == tuple(int(along.min()) for along in where)
    assert mask.stop == tuple(int(along.max()) + 1 for along in where)
    assert mask.area == len(where[0])
    assert RegionMask.of(canvas) == mask


@given(masks(), masks())
def test_overlap_is_what_both_have_on_the_map(one, other):
    expected = int((on_map(one) & on_map(other)).sum())
    assert one.overlap(other) == other.overlap(one) == expected


@given(masks(3), masks(3))
def test_overlap_in_a_volume(one, other):
    assert one.overlap(other) == int((on_map(one) & on_map(other)).sum())


@given(masks(), masks())
def test_equal_masks_have_the_same_pixels_and_hash(one, other):
    same = bool((on_map(one) == on_map(other)).all())
    assert (one == other) == same
    assert not same or hash(one) == hash(other)


@given(masks())
def test_values_of_a_map_are_those_at_its_pixels(mask):
    values = np.arange(144).reshape(12, 12)
    assert np.array_equal(mask.of_map(values), values[on_map(mask)])


def test_an_empty_mask_is_no_region():
    with pytest.raises(ValueError, match="at least one pixel"):
        RegionMask.of(np.zeros((3, 3)))


def test_a_mask_cannot_be_written_into():
    with pytest.raises(ValueError, match="read-only"):
        RegionMask.of(np.ones((2, 2))).bits[0, 0] = False


def test_the_array_it_was_made_of_can_change_without_it():
    painted = np.ones((2, 2), bool)
    mask = RegionMask.of(painted)
    painted[0, 0] = False
    assert mask.area == 4
    painted[1, 1] = False  # and is still writeable


GOOD = {"start": [0, 0], "shape": [1, 3], "runs": [1, 2]}


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        7,
        "runs",
        [],
        {},
        GOOD | {"runs": [1, 1]},
        GOOD | {"runs": [3]},
        GOOD | {"runs": [4, -1]},
        GOOD | {"runs": [None]},
        GOOD | {"runs": "abc"},
        GOOD | {"shape": [3]},
        GOOD | {"shape": [0, 0], "runs": []},
        GOOD | {"start": [-1, 0]},
        GOOD | {"start": [0, 0, 0]},
    ],
)
def test_damaged_text_is_refused(damaged):
    with pytest.raises(ValueError):
        RegionMask.from_json(damaged)


class Holder(BaseModel):
    mask: Mask


@given(any_mask)
def test_a_field_of_a_model_is_written_and_read(mask):
    holder = Holder(mask=mask)
    assert holder.model_dump(mode="json")["mask"] == mask.to_json()
    assert Holder.model_validate_json(holder.model_dump_json()) == holder


def test_a_damaged_field_is_a_validation_error():
    with pytest.raises(ValidationError, match="runs do not fill the box"):
        Holder.model_validate({"mask": GOOD | {"runs": [1, 1]}})

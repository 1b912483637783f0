"""What lies above a threshold: which pixels make a region, and what is measured of it."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import label, regionprops

from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings, find_regions, measure

ALL = RegionSettings(min_area=1, fill_holes=False)
HOT = 0.9


def drawn(*rows: str) -> np.ndarray:
    """A map from a picture: `#` is hot, `.` cold, `?` was not computed."""
    return np.array([[{"#": HOT, ".": 0.1, "?": np.nan}[c] for c in row] for row in rows], np.float32)


def sizes(values: np.ndarray, **chosen: object) -> list[int]:
    found = find_regions(values, 0.5, ALL.model_copy(update=chosen))
    return sorted(one.mask.area for one in found)


def test_a_pixel_at_the_threshold_is_below_it_as_the_contour_draws_it():
    values = np.array([[0.5, 0.5], [0.25, 0.75]])
    assert [one.mask.area for one in find_regions(values, 0.5, ALL)] == [1]


def test_pixels_that_touch_by_a_corner_are_one_region():
    assert sizes(drawn("#..", ".#.", "...")) == [2]


def test_small_regions_are_left_out():
    values = drawn("##...", "##..#")
    assert sizes(values) == [1, 4]
    assert sizes(values, min_area=2) == [4]
    assert sizes(values, min_area=5) == []


def test_a_hole_belongs_to_its_region_if_wanted():
    ring = drawn("###.", "#.#.", "###.")
    assert sizes(ring) == [8]
    assert sizes(ring, fill_holes=True) == [9]


def test_what_is_open_to_the_rim_is_no_hole():
    assert sizes(drawn("###", "#.#", "#.#"), fill_holes=True) == [7]


def test_a_hole_where_nothing_was_computed_is_not_filled():
    assert sizes(drawn("####", "#?.#", "####"), fill_holes=True) == [10]


def test_an_island_in_a_ring_is_part_of_it_once_the_ring_is_filled():
    island = drawn("#####", "#...#", "#.#.#", "#...#", "#####")
    assert sizes(island) == [1, 16]
    assert sizes(island, fill_holes=True) == [25]


@pytest.mark.parametrize("distance", range(8))
def test_regions_are_one_with_at_most_so_many_pixels_between_them(distance):
    for gap in range(1, 9):
        values = np.full((2, 14), 0.1)
        values[0, [0, gap + 1]] = HOT
        for turned in (values, values.T, values[::-1, ::-1]):
            assert sizes(turned, merge_distance=distance) == ([2] if gap <= distance else [1, 1])


def test_merged_at_the_last_row_too():
    values = np.full((6, 12), 0.1)
    values[5, [0, 5, 11]] = HOT
    assert sizes(values, merge_distance=4) == [1, 2]
    assert sizes(values, merge_distance=5) == [3]


def test_merging_goes_by_distance_in_every_direction():
    values = np.full((12, 12), 0.1)
    values[0, 0] = values[6, 6] = HOT  # 8.5 apart, though six rows and six columns
    assert sizes(values, merge_distance=6) == [1, 1]
    assert sizes(values, merge_distance=9) == [2]


def test_merged_regions_keep_just_the_pixels_above_the_threshold():
    values = drawn("#..#", "....")
    (found,) = find_regions(values, 0.5, RegionSettings(min_area=2, merge_distance=2))
    assert np.array_equal(found.mask.bits, [[True, False, False, True]])


def test_planes_of_a_stack_have_regions_of_their_own_hottest_first():
    stack = np.full((3, 4, 4), 0.1)
    stack[0, :2, :2] = 0.7
    stack[2, 1:3, 1:3] = 0.9
    found = find_regions(stack, 0.5, ALL, plane=(5,))
    assert [one.plane for one in found] == [(5, 2), (5, 0)]
    assert [one.mask.start for one in found] == [(1, 1), (0, 0)]


def test_regions_of_a_volume_reach_through_its_planes():
    volume = np.full((3, 4, 4), 0.1)
    volume[0:2, 1, 1] = volume[2, 2, 2] = HOT
    (found,) = find_regions(volume, 0.5, ALL.model_copy(update={"volume": True}))
    assert (found.mask.area, found.plane, found.mask.start) == (3, (), (0, 1, 1))
    assert found.measures.orientation is None


def test_nothing_is_found_on_a_cold_map_or_on_one_that_was_not_computed():
    assert find_regions(np.zeros((5, 5)), 0.5, RegionSettings()) == []
    assert find_regions(np.full((5, 5), np.nan), 0.5, RegionSettings()) == []


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.float32,
        array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=24),
        elements=st.sampled_from([0.1, 0.25, 0.5, 0.625, 0.75, 1.0]),
    )
)
def test_measures_agree_with_scikit_image(values):
    expected = {
        (*one.bbox[:2], int(one.area), float(one.intensity_mean)): one
        for one in regionprops(label(values > 0.5), values)
    }
    found = find_regions(values, 0.5, ALL)
    assert len(found) == len(regionprops(label(values > 0.5)))
    for one in found:
        close = [
            k for k in expected if k[:3] == (*one.mask.start, one.mask.area) and abs(k[3] - one.measures.mean) < 1e-6
        ]
        assert any(_same(one, expected[key]) for key in close)
    heat = [one.measures.maximum for one in found]
    assert heat == sorted(heat, reverse=True)


def _same(found, props) -> bool:
    measures = found.measures
    # Of a region that is as wide as long, each direction is as good.
    round_ = props.axis_major_length - props.axis_minor_length < 1e-3
    turn = abs(measures.orientation - props.orientation)
    return (
        np.array_equal(found.mask.bits, props.image)
        and measures.area == props.area
        and np.allclose(measures.centroid, props.centroid)
        and np.isclose(measures.maximum, props.intensity_max)
        and np.isclose(measures.length, props.axis_major_length, atol=1e-5)
        and (round_ or min(turn, np.pi - turn) < 1e-4)
    )


def test_the_length_in_a_volume_is_that_of_scikit_image():
    rng = np.random.default_rng(3)
    bits = label(rng.random((9, 10, 11)) > 0.8) == 1
    assert measure(None, RegionMask.of(bits)).length == pytest.approx(
        regionprops(bits.astype(int))[0].axis_major_length
    )


def test_one_region_is_measured_as_all_of_them_are():
    values = np.random.default_rng(0).random((30, 40))
    for one in find_regions(values, 0.7, ALL):
        alone = measure(values, one.mask)
        assert (alone.area, alone.centroid, alone.maximum) == (
            one.mask.area,
            one.measures.centroid,
            one.measures.maximum,
        )
        assert (alone.mean, alone.length) == pytest.approx((one.measures.mean, one.measures.length))


def test_without_a_map_only_the_shape_is_measured():
    measures = measure(None, RegionMask.of(np.ones((1, 3)), (4, 5)))
    assert (measures.area, measures.centroid, measures.mean, measures.maximum) == (3, (4.0, 6.0), None, None)
    assert measures.orientation == pytest.approx(np.pi / 2)


def test_what_was_not_computed_is_left_out_of_mean_and_maximum():
    values = drawn("#?.")
    mask = RegionMask.of(np.ones((1, 3)))
    assert measure(values, mask).mean == pytest.approx(0.5)
    assert measure(values, mask).maximum == pytest.approx(HOT)
    assert measure(np.full((1, 3), np.nan), mask).mean is None


def test_masks_of_found_regions_cannot_be_written_into():
    (found,) = find_regions(drawn("##", "##"), 0.5, ALL)
    with pytest.raises(ValueError, match="read-only"):
        found.mask.bits[0, 0] = False


def test_ten_thousand_regions_are_found_while_one_looks():
    values = np.full((1024, 1024), 0.1, np.float32)
    for row in range(4):
        for column in range(4):
            values[2 + row : 1002 : 10, 2 + column : 1002 : 10] = HOT
    start = perf_counter()
    found = find_regions(values, 0.5, RegionSettings())
    assert len(found) == 10_000
    assert perf_counter() - start < 3  # 0.2 s on an idle machine

"""Where a map comes to lie, what its layer is called, and what stays of what the user set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gui.scored import scored, shown
from napari.components import ViewerModel
from napari.layers import Labels

from napari_anoclip.engine.calibration import DisplayRange
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings, ScoringSettings
from napari_anoclip.plugin.contour import find_contour
from napari_anoclip.plugin.map_stack import MapStack
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.results import find, is_result, mark_stale, name_shown, results_of, set_threshold, show

OTHER = AnoCLIPSettings(scoring=ScoringSettings(smooth=False))
LINE = DisplaySettings(contour=True)


def world_of_pixel(plane, row: float, column: float) -> np.ndarray:
    """Where a pixel of the plane lies, by the image's own transform."""
    at = [(i or 0) for i in plane.index]
    at[plane.axes[0]], at[plane.axes[1]] = row * plane.factors[plane.axes[0]], column * plane.factors[plane.axes[1]]
    return np.asarray(plane.layer.data_to_world(at))


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def plate(viewer, picture):
    return viewer.add_image(picture, rgb=True, name="plate")


@pytest.fixture
def stack(viewer):
    data = np.random.default_rng(0).integers(0, 255, (5, 40, 50), np.uint8)
    return viewer.add_image(data, name="stack", scale=(7, 0.5, 0.5), translate=(3, 2, 1))


def test_a_result_lies_right_above_its_image_and_the_selection_stays(viewer, plate, picture):
    other = viewer.add_image(picture, rgb=True, name="other")
    viewer.layers.selection = {plate, other}
    result = show(viewer.layers, shown(plate, viewer.dims, score=0.7436))
    assert list(viewer.layers) == [plate, result, other]
    assert set(viewer.layers.selection) == {plate, other}
    assert result.name == "plate · anomaly 0.744"
    assert tuple(result.contrast_limits) == (0.4, 0.8)
    assert result.blending == "translucent"
    assert result.colormap.map(0.0)[0][3] == 0, "a calm patch must leave the image as it is"
    viewer.layers.selection.active = other
    show(viewer.layers, shown(plate, viewer.dims))
    assert viewer.layers.selection.active is other


def test_a_flat_map_is_a_plain_array(viewer, plate):
    values = np.random.default_rng(0).random((96, 120), np.float32)
    result = show(viewer.layers, shown(plate, viewer.dims, values))
    assert isinstance(result.data, np.ndarray)
    np.testing.assert_array_equal(result.data, values)


@pytest.mark.parametrize("seed", range(8))
def test_the_map_lies_on_its_plane_whatever_the_transform(seed):
    rng = np.random.default_rng(seed)
    ndim = int(rng.integers(2, 5))
    shape = (*rng.integers(2, 5, ndim - 2), 21, 17)
    affine = np.eye(ndim + 1)
    affine[-3:-1, -3:-1] += rng.normal(0, 0.3, (2, 2))
    affine[:-1, -1] = rng.normal(0, 50, ndim)
    viewer = ViewerModel()
    layer = viewer.add_image(
        rng.random(shape),
        scale=rng.uniform(0.2, 5, ndim),
        translate=rng.normal(0, 30, ndim),
        rotate=float(rng.uniform(0, 360)) if ndim == 2 else None,
        shear=rng.normal(0, 0.2, 1) if ndim == 2 else None,
        affine=affine,
        units=("um",) * ndim,
        axis_labels=tuple("tzyx"[-ndim:]),
    )
    for axis in range(ndim - 2):
        viewer.dims.set_current_step(axis, int(rng.integers(0, shape[axis])))
    plane = shown_plane(layer, viewer.dims)
    result = show(viewer.layers, scored(plane))
    for row, column in ((0, 0), (20, 0), (0, 16), (11, 5)):
        there = result.data_to_world([*plane.hidden, row, column])
        np.testing.assert_allclose(there, world_of_pixel(plane, row, column), atol=1e-8)
    assert result.units == layer.units
    assert result.axis_labels == layer.axis_labels
    assert (result.rotate == layer.rotate).all()
    assert (result.shear == layer.shear).all()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_rolled_and_transposed_axes_are_shown_as_on_the_screen(order):
    viewer = ViewerModel()
    data = np.random.default_rng(0).random((5, 6, 7))
    layer = viewer.add_image(data, contrast_limits=(0, 1))
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 2)
    plane = shown_plane(layer, viewer.dims)
    values = np.random.default_rng(1).random(plane.shape, np.float32)
    result = show(viewer.layers, scored(plane, values))
    np.testing.assert_array_equal(result._data_view, values)  # what napari draws, as it stands on the screen
    viewer.dims.set_current_step(order[0], 3)
    assert np.isnan(result._data_view).all()


def test_planes_of_one_run_come_together_and_another_run_begins_anew(viewer, stack):
    for at in (1, 3):
        viewer.dims.set_current_step(0, at)
        name_shown(viewer.layers, viewer.dims)
        result = show(viewer.layers, shown(stack, viewer.dims, at / 10, score=at / 10))
    assert isinstance(result.data, MapStack)
    assert result.data.positions == [(1,), (3,)]
    assert set(result.metadata[METADATA_KEY]["planes"]) == {"1", "3"}
    assert len(viewer.layers) == 2
    again = show(viewer.layers, shown(stack, viewer.dims, 0.9, settings=OTHER))
    assert again is result
    assert result.data.positions == [(3,)]
    assert set(result.metadata[METADATA_KEY]["planes"]) == {"3"}
    assert (result._data_view == np.float32(0.9)).all()


def test_another_window_begins_anew_where_it_is(viewer, stack):
    whole = show(viewer.layers, shown(stack, viewer.dims, 0.5))
    corner = np.array([(10, 20), (10, 40), (30, 40), (30, 20)]) - 0.5
    plane = shown_plane(stack, viewer.dims, outline=corner)
    part = show(viewer.layers, scored(plane, 0.6))
    assert part is whole
    assert part.data.shape == (5, 20, 20)
    np.testing.assert_allclose(part.data_to_world((2, 0, 0)), stack.data_to_world((2, 10, 20)))
    back = show(viewer.layers, shown(stack, viewer.dims, 0.5))
    assert back.data.shape == (5, 40, 50)
    np.testing.assert_allclose(back.data_to_world((2, 0, 0)), stack.data_to_world((2, 0, 0)))


def test_the_name_tells_the_score_of_the_plane_that_is_shown(viewer, stack):
    for at in (0, 2):
        viewer.dims.set_current_step(0, at)
        name_shown(viewer.layers, viewer.dims)
        result = show(viewer.layers, shown(stack, viewer.dims, score=0.1 * (at + 1)))
    assert result.name == "stack · anomaly 0.300"
    viewer.dims.set_current_step(0, 0)
    name_shown(viewer.layers, viewer.dims)
    assert result.name == "stack · anomaly 0.100"
    viewer.dims.set_current_step(0, 1)
    name_shown(viewer.layers, viewer.dims)
    assert result.name == "stack · anomaly"


def test_a_plane_scored_behind_the_shown_one_neither_names_nor_draws_it_anew(viewer, stack):
    planes = []
    for at in (2, 3):
        viewer.dims.set_current_step(0, at)
        planes.append(shown_plane(stack, viewer.dims))
    viewer.dims.set_current_step(0, 2)
    result = show(viewer.layers, scored(planes[0], score=0.9))
    drawn = []
    result.events.set_data.connect(lambda event: drawn.append(event))
    show(viewer.layers, scored(planes[1], 0.5, score=0.1))
    assert result.name == "stack · anomaly 0.900"
    assert not drawn
    viewer.dims.set_current_step(0, 3)
    name_shown(viewer.layers, viewer.dims)
    assert result.name == "stack · anomaly 0.100"
    assert (result._data_view == 0.5).all()
    show(viewer.layers, scored(planes[1], 0.6, score=0.2))
    assert (result._data_view == np.float32(0.6)).all()


def test_running_again_keeps_what_the_user_set(viewer, plate):
    first = show(viewer.layers, shown(plate, viewer.dims, score=0.1))
    first.opacity, first.contrast_limits, first.colormap = 0.3, (0.5, 0.6), "viridis"
    first.visible, first.blending = False, "additive"
    plate.translate = (5, 6)
    again = show(viewer.layers, shown(plate, viewer.dims, score=0.2))
    assert again is first
    assert len(viewer.layers) == 2
    assert again.metadata[METADATA_KEY]["planes"][""]["score"] == 0.2
    assert (again.opacity, again.colormap.name, again.visible, again.blending) == (0.3, "viridis", False, "additive")
    assert tuple(again.contrast_limits) == (0.5, 0.6)
    np.testing.assert_array_equal(again.translate, (5, 6))
    show(viewer.layers, shown(plate, viewer.dims, shown=DisplayRange(0.1, 0.2, "others")))
    assert tuple(again.contrast_limits) == (0.1, 0.2), "a new calibration wins"


def test_keeping_makes_a_new_one_with_the_next_number(viewer, plate):
    first = show(viewer.layers, shown(plate, viewer.dims, 0.1, score=0.1))
    second = show(viewer.layers, shown(plate, viewer.dims, 0.2, score=0.2), keep=True)
    assert [layer.name for layer in viewer.layers] == ["plate", "plate · anomaly 0.100", "plate · anomaly 2 · 0.200"]
    assert (first.data == np.float32(0.1)).all()
    assert find(viewer.layers, plate) is second
    assert show(viewer.layers, shown(plate, viewer.dims, 0.3)) is second
    viewer.layers.remove(second)
    assert find(viewer.layers, plate) is first


def test_a_name_of_the_users_own_stays_and_renaming_the_image_is_followed(viewer, plate):
    result = show(viewer.layers, shown(plate, viewer.dims, score=0.1))
    plate.name = "renamed"
    show(viewer.layers, shown(plate, viewer.dims, score=0.2))
    assert result.name == "renamed · anomaly 0.200"
    result.name = "mine"
    show(viewer.layers, shown(plate, viewer.dims, score=0.3))
    mark_stale(result, "", True)
    name_shown(viewer.layers, viewer.dims)
    assert result.name == "mine"


def test_two_images_of_one_name_have_each_their_own_result(viewer, picture):
    images = [viewer.add_image(picture, rgb=True, name="twin") for _ in range(2)]
    for image in images * 2:
        show(viewer.layers, shown(image, viewer.dims, score=0.5))
    assert len(viewer.layers) == 4
    assert [len(results_of(viewer.layers, image)) for image in images] == [1, 1]


def test_moved_or_deleted_by_hand_it_is_found_or_made_again(viewer, plate):
    result = show(viewer.layers, shown(plate, viewer.dims))
    viewer.layers.move(0, 2)
    assert show(viewer.layers, shown(plate, viewer.dims)) is result
    viewer.layers.remove(result)
    new = show(viewer.layers, shown(plate, viewer.dims))
    assert new is not result
    assert len(viewer.layers) == 2


def test_an_image_that_became_flat_takes_a_flat_map(viewer, stack):
    result = show(viewer.layers, shown(stack, viewer.dims))
    stack.data = stack.data[0]
    flat = show(viewer.layers, shown(stack, viewer.dims, 0.5))
    assert flat is result
    assert flat.data.shape == (40, 50)
    np.testing.assert_allclose(flat.data_to_world((3, 4)), stack.data_to_world((3, 4)))


def test_the_record_is_json_and_tells_image_and_range(viewer, plate):
    result = show(viewer.layers, shown(plate, viewer.dims))
    record = json.loads(json.dumps(result.metadata[METADATA_KEY]))
    assert record["image"] == "plate"
    assert record["display_range"] == [0.4, 0.8]
    assert record["display_range_source"] == "normal pictures"
    assert is_result(result)
    assert not is_result(plate)


def test_the_line_runs_around_what_lies_above_the_threshold(viewer, plate):
    values = np.zeros((96, 120), np.float32)
    values[10:20, 30:50] = 0.9
    result = show(viewer.layers, shown(plate, viewer.dims, values, display=LINE))
    line = find_contour(viewer.layers, result)
    assert isinstance(line, Labels)
    assert line.name == "plate · above 0.7"
    assert list(viewer.layers) == [plate, result, line]
    np.testing.assert_array_equal(np.asarray(line.data) > 0, values > 0.7)
    inside = np.zeros_like(values, bool)
    inside[11:19, 31:49] = True
    np.testing.assert_array_equal(np.asarray(line.data) == 2, inside)
    assert viewer.layers.selection.active is plate
    line.opacity = 0.4
    set_threshold(viewer.layers, result, 0.95, contour=True)
    assert line.name == "plate · above 0.95"
    assert not np.asarray(line.data).any()
    assert not line._data_view.any()
    assert line.opacity == 0.4
    set_threshold(viewer.layers, result, 0.95, contour=False)
    assert list(viewer.layers) == [plate, result]


def test_the_line_follows_the_plane_that_is_shown_and_its_maps(viewer, stack):
    viewer.dims.set_current_step(0, 2)
    result = show(viewer.layers, shown(stack, viewer.dims, 0.9, display=LINE))
    line = find_contour(viewer.layers, result)
    assert (line._data_view > 0).all()
    viewer.dims.set_current_step(0, 1)
    name_shown(viewer.layers, viewer.dims)
    assert not line._data_view.any()
    again = show(viewer.layers, shown(stack, viewer.dims, 0.8, display=LINE))
    assert again is result
    assert find_contour(viewer.layers, result) is line
    assert (line._data_view > 0).all()
    assert len(viewer.layers) == 3
    np.testing.assert_array_equal(line.data_to_world((1, 2, 3)), result.data_to_world((1, 2, 3)))


def test_each_kept_result_has_its_own_line(viewer, plate):
    for keep in (False, True):
        show(viewer.layers, shown(plate, viewer.dims, 0.9, display=LINE), keep=keep)
    first, second = results_of(viewer.layers, plate)
    lines = [find_contour(viewer.layers, result) for result in (first, second)]
    assert list(viewer.layers) == [plate, first, lines[0], second, lines[1]]


@pytest.mark.parametrize("key", [2, (2, slice(3, 9)), (..., 4), (slice(1, 3), 5), (slice(None), slice(2, 7), 3), ...])
def test_a_part_of_the_line_is_the_same_as_in_the_whole(viewer, stack, key):
    rng = np.random.default_rng(3)
    for at in range(5):
        viewer.dims.set_current_step(0, at)
        result = show(viewer.layers, shown(stack, viewer.dims, rng.random((40, 50), np.float32), display=LINE))
    line = find_contour(viewer.layers, result).data
    np.testing.assert_array_equal(line[key], np.asarray(line)[key])


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_the_line_is_as_thick_as_the_picture_is_large(viewer, width):
    side = 512 * width
    values = np.zeros((40, side), np.float32)
    values[:, 40:100] = 1
    image = viewer.add_image(np.zeros((40, side), np.uint8))
    result = show(viewer.layers, shown(image, viewer.dims, values, display=LINE))
    row = np.asarray(find_contour(viewer.layers, result).data)[20]
    np.testing.assert_array_equal(np.flatnonzero(row == 1), [*range(40, 40 + width), *range(100 - width, 100)])

"""Which plane is scored, and where its map comes to lie: no engine, no window."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin import layers

LIMITS = (0.4, 0.8)


def pick(viewer: ViewerModel, layer: object) -> layers.Plane:
    return layers.shown_plane(layer, viewer.dims)


def show(viewer: ViewerModel, plane: layers.Plane, **record) -> Image:
    return layers.show_result(viewer.layers, plane, np.zeros(plane.shape, np.float32), LIMITS, record)


def world_of_pixel(plane: layers.Plane, row: float, column: float) -> np.ndarray:
    """Where a pixel of the plane lies, by the image's own transform."""
    at = [(i or 0) for i in plane.index]
    at[plane.axes[0]], at[plane.axes[1]] = row * plane.factors[plane.axes[0]], column * plane.factors[plane.axes[1]]
    return np.asarray(plane.layer.data_to_world(at))


def test_two_dimensions_are_taken_whole(picture):
    viewer = ViewerModel()
    plane = pick(viewer, viewer.add_image(picture, rgb=True))
    assert plane.index == (None, None)
    assert plane.shape == (96, 120)
    np.testing.assert_array_equal(plane.read(), picture)


def test_of_a_stack_the_shown_plane_is_taken():
    viewer = ViewerModel()
    stack = np.arange(5 * 4 * 6 * 7).reshape(5, 4, 6, 7)
    layer = viewer.add_image(stack, scale=(2, 0.5, 3, 3), translate=(10, -1, 0, 0))
    viewer.dims.set_point((0, 1), (10 + 2 * 3, -1 + 0.5 * 2))
    plane = pick(viewer, layer)
    assert plane.index == (3, 2, None, None)
    np.testing.assert_array_equal(plane.read(), stack[3, 2])
    assert "plane 3 / 4" in plane.describe()


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_rolled_and_transposed_axes_are_seen_as_on_the_screen(order):
    viewer = ViewerModel()
    stack = np.random.default_rng(0).random((5, 6, 7))
    layer = viewer.add_image(stack)
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 2)
    plane = pick(viewer, layer)
    np.testing.assert_array_equal(plane.read(), np.take(stack.transpose(order), 2, axis=0))
    values = plane.read().astype(np.float32)
    result = layers.show_result(viewer.layers, plane, values, LIMITS, {})
    np.testing.assert_allclose(np.take(result.data.transpose(order), 0, axis=0), values)
    np.testing.assert_allclose(result.data_to_world([0, 0, 0]), 2 * np.eye(3)[order[0]])


def test_a_flat_image_beside_a_stack_is_still_whole(picture):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 96, 120)))
    flat = viewer.add_image(picture[..., 0])
    viewer.dims.set_current_step(0, 4)
    assert pick(viewer, flat).index == (None, None)


def test_sliders_in_other_units_are_understood():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((9, 4, 5)), scale=(2, 1, 1), units=("mm", "um", "um"))
    viewer.add_image(np.zeros((9, 4, 5)), scale=(2000, 1, 1), units=("um", "um", "um"))
    viewer.dims.set_current_step(0, 6)
    expected = layer._slicing_state.data_slice.point[0]  # napari's own answer
    assert pick(viewer, layer).index[0] == round(expected)


def test_a_plane_outside_of_the_layer_is_refused():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 4, 5)))
    viewer.add_image(np.zeros((30, 4, 5)))
    viewer.dims.set_current_step(0, 20)
    with pytest.raises(ImageError, match="Move the slider"):
        pick(viewer, layer)


def test_labels_and_nothing_are_refused():
    viewer = ViewerModel()
    with pytest.raises(ImageError, match="no image yet"):
        pick(viewer, None)
    labels = viewer.add_labels(np.zeros((4, 5), int))
    with pytest.raises(ImageError, match=r"^This layer holds labels, not an image\. Choose an image layer\.$"):
        pick(viewer, labels)


def test_lazy_data_are_not_read_before_the_run():
    def explode(block):
        raise AssertionError("read too early")

    viewer = ViewerModel()
    lazy = da.zeros((1, 8, 8), chunks=-1).map_blocks(explode, dtype=float, meta=np.zeros((0, 0, 0)))
    layer = Image(lazy, contrast_limits=(0, 1), visible=False, cache=False)
    plane = pick(viewer, layer)
    assert plane.shape == (8, 8)
    with pytest.raises(AssertionError, match="too early"):
        plane.read()


def test_of_a_pyramid_the_finest_reasonable_level_is_taken(monkeypatch):
    monkeypatch.setattr(layers, "MAX_LEVEL_PIXELS", 50 * 60)
    viewer = ViewerModel()
    finest = np.zeros((200, 240), np.float32)
    finest[100:104, 60:64] = 1
    pyramid = [finest, finest.reshape(100, 2, 120, 2).mean((1, 3)), finest.reshape(50, 4, 60, 4).mean((1, 3))]
    layer = viewer.add_image(pyramid, multiscale=True, contrast_limits=(0, 1), scale=(3, 5), rotate=20)
    plane = pick(viewer, layer)
    assert plane.shape == (50, 60)
    result = layers.show_result(viewer.layers, plane, plane.read(), LIMITS, {})
    hot = np.argwhere(np.asarray(result.data) == 1)
    np.testing.assert_array_equal(hot, [[25, 15]])
    # The coarse pixel must sit on the middle of the block of fine ones that it covers.
    np.testing.assert_allclose(result.data_to_world(hot[0]), layer.data_to_world((101.5, 61.5)))


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
    plane = pick(viewer, layer)
    result = show(viewer, plane)
    for row, column in ((0, 0), (20, 0), (0, 16), (11, 5)):
        there = result.data_to_world([*[0] * (ndim - 2), row, column])
        np.testing.assert_allclose(there, world_of_pixel(plane, row, column), atol=1e-8)
    assert result.units == layer.units
    assert result.axis_labels == layer.axis_labels
    assert (result.rotate == layer.rotate).all()
    assert (result.shear == layer.shear).all()


def test_the_result_is_drawn_in_the_calibrated_range_and_kept_above_its_image(picture):
    viewer = ViewerModel()
    image = viewer.add_image(picture, rgb=True, name="plate")
    other = viewer.add_image(picture, rgb=True, name="other")
    viewer.layers.selection.active = image
    result = show(viewer, pick(viewer, image), score=0.7)
    assert result.name == "plate · anomaly"
    assert list(viewer.layers) == [image, result, other]
    assert viewer.layers.selection.active is image
    assert tuple(result.contrast_limits) == LIMITS
    assert result.blending == "translucent"
    assert result.metadata[layers.METADATA_KEY]["score"] == 0.7
    lowest = result.colormap.map(0.0)[0]
    assert lowest[3] == 0, "a calm patch must leave the image as it is"


def test_running_again_updates_in_place_and_keeps_what_the_user_set(picture):
    viewer = ViewerModel()
    image = viewer.add_image(picture, rgb=True)
    first = show(viewer, pick(viewer, image), score=0.1)
    first.opacity, first.contrast_limits = 0.3, (0.5, 0.6)
    image.translate = (5, 6)
    again = show(viewer, pick(viewer, image), score=0.2)
    assert again is first
    assert len(viewer.layers) == 2
    assert again.metadata[layers.METADATA_KEY]["score"] == 0.2
    assert again.opacity == 0.3
    assert tuple(again.contrast_limits) == (0.5, 0.6)
    np.testing.assert_array_equal(again.translate, (5, 6))
    other = layers.show_result(viewer.layers, pick(viewer, image), np.ones((96, 120), np.float32), (0.1, 0.2), {})
    assert tuple(other.contrast_limits) == (0.1, 0.2), "a new calibration wins"


def test_a_result_without_a_place_is_told(picture):
    viewer = ViewerModel()
    image = viewer.add_image(picture, rgb=True)
    plane = pick(viewer, image)
    assert plane.why_stale(viewer.layers) is None
    image.data = picture.copy()
    assert "changed" in plane.why_stale(viewer.layers)
    viewer.layers.remove(image)
    assert "removed" in plane.why_stale(viewer.layers)


@pytest.mark.parametrize(
    ("dtype", "expected"), [(np.uint8, None), (bool, None), (np.uint16, (100.0, 900.0)), (np.float32, (100.0, 900.0))]
)
def test_grey_values_without_a_fixed_meaning_are_read_as_shown(dtype, expected):
    viewer = ViewerModel()
    layer = viewer.add_image(np.ones((4, 5), dtype))
    if expected:
        layer.contrast_limits_range = (0, 1000)
        layer.contrast_limits = expected
    assert pick(viewer, layer).contrast_limits == expected

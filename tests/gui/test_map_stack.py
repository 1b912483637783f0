"""A stack of maps behaves as the full array of them would, without having it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_anoclip.plugin.map_stack import MapStack


def filled(shape: tuple[int, ...], hidden: tuple[int, ...], share: float = 0.5) -> tuple[MapStack, np.ndarray]:
    """A stack with some planes in it, and the full array that it stands for."""
    rng = np.random.default_rng(len(shape))
    stack, full = MapStack(shape, hidden), np.full(shape, np.nan, np.float32)
    for position in np.ndindex(*(shape[axis] for axis in hidden)):
        if rng.random() < share:
            values = rng.random([1 if axis in hidden else n for axis, n in enumerate(shape)], np.float32)
            where = [slice(None)] * len(shape)
            for axis, at in zip(hidden, position, strict=True):
                where[axis] = slice(at, at + 1)
            full[tuple(where)] = values
            stack.put(position, values)
    return stack, full


KEYS = (
    3,
    -1,
    np.int64(2),
    slice(None),
    slice(1, 4),
    slice(None, None, -1),
    slice(4, 1, -2),
    slice(2, 2),
    (2, slice(1, 3)),
    (slice(1, 3), 2),
    (slice(None), slice(None), 3),
    (2, 3, 1),
    (..., 2),
    (1, ...),
    (slice(None), 2, ..., slice(1, 3)),
    ...,
    np.array([0, 2]),
)


@pytest.mark.parametrize("key", KEYS, ids=repr)
@pytest.mark.parametrize("hidden", [(0,), (1,), (2,), ()])
def test_any_key_reads_what_the_full_array_has(key, hidden):
    stack, full = filled((5, 6, 7), hidden) if hidden else filled((5, 6, 7), (0,), share=1.0)
    np.testing.assert_array_equal(stack[key], full[key])


@pytest.mark.parametrize("hidden", [(0, 1), (1, 0), (0, 3), (1, 2)])
def test_two_hidden_axes_in_any_place(hidden):
    stack, full = filled((3, 4, 5, 6), hidden)
    for key in (1, (slice(None), 2), (2, 1), (..., 3), (0, slice(1, 3), 2, slice(None, None, 2))):
        np.testing.assert_array_equal(stack[key], full[key])
    np.testing.assert_array_equal(np.asarray(stack), full)
    assert np.asarray(stack, dtype=np.float64).dtype == np.float64


def test_a_place_outside_is_refused_as_by_an_array():
    stack, _ = filled((5, 6, 7), (0,))
    for key in (5, -6, (0, 6), (0, 0, 0, 0)):
        with pytest.raises(IndexError):
            stack[key]


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        MapStack((5, 6, 7), (0,)).put((1,), np.zeros((1, 6, 8), np.float32))


def test_a_plane_comes_without_a_copy_and_the_rest_is_not_read():
    stack = MapStack((10**6, 50, 60), (0,))
    values = np.ones((1, 50, 60), np.float32)
    stack.put((123_456,), values)
    assert np.shares_memory(stack[123_456], values)
    assert stack.positions == [(123_456,)]
    assert stack.size == 3 * 10**9


def test_napari_shows_the_plane_at_the_slider_and_never_the_whole(monkeypatch):
    def explode(self, dtype=None, copy=None):
        raise AssertionError("the whole stack was read")

    monkeypatch.setattr(MapStack, "__array__", explode)
    viewer = ViewerModel()
    stack, full = filled((50, 60, 70), (0,))
    layer = viewer.add_image(stack, contrast_limits=(0, 1))
    for at in stack.positions[:3]:
        viewer.dims.set_current_step(0, at[0])
        np.testing.assert_array_equal(layer._data_view, full[at])
    assert layer.data is stack


def test_a_plane_put_in_later_is_seen_after_a_refresh():
    viewer = ViewerModel()
    stack = MapStack((5, 60, 70), (0,))
    layer = viewer.add_image(stack, contrast_limits=(0, 1))
    viewer.dims.set_current_step(0, 2)
    assert np.isnan(layer._data_view).all()
    stack.put((2,), np.full((1, 60, 70), 0.5, np.float32))
    layer.refresh(extent=False)
    assert (layer._data_view == 0.5).all()


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_what_was_not_computed_is_drawn_as_nothing(make_napari_viewer, ndisplay):
    viewer = make_napari_viewer(show=True)
    stack = MapStack((4, 40, 40), (0,))
    half = np.full((1, 40, 40), np.nan, np.float32)
    half[:, :, :20] = 1
    stack.put((1,), half)
    viewer.add_image(np.full((4, 40, 40), 128, np.uint8), contrast_limits=(0, 255), visible=ndisplay == 2)
    viewer.add_image(stack, contrast_limits=(0, 1), colormap="red", blending="translucent", interpolation3d="nearest")
    viewer.dims.ndisplay = ndisplay
    viewer.dims.set_current_step(0, 1)
    seen = viewer.screenshot(flash=False)[..., :3].astype(int)
    middle = seen.shape[0] // 2
    left, right = seen[middle, seen.shape[1] // 2 - 40], seen[middle, seen.shape[1] // 2 + 40]
    assert tuple(left) == (255, 0, 0)
    ground = 128 if ndisplay == 2 else 0
    np.testing.assert_allclose(right, ground, atol=1)
    viewer.dims.ndisplay = 2
    viewer.dims.set_current_step(0, 3)
    seen = viewer.screenshot(flash=False)[..., :3].astype(int)
    np.testing.assert_allclose(seen[middle, seen.shape[1] // 2 - 40], 128 if ndisplay == 2 else 0, atol=1)

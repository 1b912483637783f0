"""A map that no longer belongs to its image says so; one whose image was only moved moves along."""

from __future__ import annotations

import gc
import weakref

import dask.array as da
import numpy as np
import pytest
from gui.scored import scored, shown
from napari.components import ViewerModel

from napari_anoclip.engine.settings import DisplaySettings
from napari_anoclip.plugin import stale as stale_module
from napari_anoclip.plugin.contour import find_contour
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.results import is_result, show
from napari_anoclip.plugin.stale import SENTENCE, StaleGuard


@pytest.fixture
def viewer(qapp) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def guard(viewer, monkeypatch):
    monkeypatch.setattr(stale_module, "_QUIET", 1)
    guard = StaleGuard(viewer)
    yield guard
    guard.close_down()


@pytest.fixture
def plate(viewer, picture):
    return viewer.add_image(picture.copy(), rgb=True, name="plate")


@pytest.fixture
def stack(viewer):
    data = np.random.default_rng(0).integers(0, 255, (5, 40, 50), np.uint8)
    return viewer.add_image(data, name="stack", scale=(7, 0.5, 0.5))


@pytest.fixture
def settle(qtbot, guard):
    """Wait until the guard has compared what it wanted to."""

    def wait() -> None:
        qtbot.waitUntil(lambda: not guard._timer.isActive() and not guard.job.busy, timeout=10_000)

    return wait


def test_replaced_data_are_told_and_a_new_run_takes_the_mark_away(viewer, plate, guard, qtbot, picture):
    result = show(viewer.layers, shown(plate, viewer.dims, score=0.5))
    with qtbot.waitSignal(guard.stale) as told:
        plate.data = 255 - picture
    assert told.args == [SENTENCE]
    assert result.name == "plate · anomaly 0.500 · stale"
    show(viewer.layers, shown(plate, viewer.dims, score=0.6))
    assert result.name == "plate · anomaly 0.600"


def test_writing_into_the_array_is_noticed_when_it_is_drawn_anew(viewer, plate, guard, qtbot):
    result = show(viewer.layers, shown(plate, viewer.dims))
    plate.data[10:20, 10:20] = 255
    with qtbot.waitSignal(guard.stale):
        plate.refresh()
    assert result.name.endswith("stale")


def test_writing_without_a_word_is_noticed_when_the_image_is_selected(viewer, plate, guard, qtbot):
    result = show(viewer.layers, shown(plate, viewer.dims))
    viewer.layers.selection.clear()
    plate.data[10:20, 10:20] = 255
    with qtbot.waitSignal(guard.stale):
        viewer.layers.selection.active = plate
    assert result.name.endswith("stale")


def test_writing_it_back_takes_the_mark_away(viewer, plate, guard, qtbot, settle, picture):
    result = show(viewer.layers, shown(plate, viewer.dims))
    plate.data[:] = 0
    with qtbot.waitSignal(guard.stale):
        guard.check()
    plate.data[:] = picture
    guard.check()
    settle()
    assert not result.name.endswith("stale")


def test_the_same_pixels_in_another_array_are_no_change(viewer, plate, guard, settle, picture):
    result = show(viewer.layers, shown(plate, viewer.dims))
    plate.data = picture.copy()
    settle()
    assert not result.name.endswith("stale")


def test_a_cropped_image_is_told_without_reading(viewer, plate, guard, qtbot, picture):
    result = show(viewer.layers, shown(plate, viewer.dims))
    with qtbot.waitSignal(guard.stale):
        plate.data = picture[:50]
    assert result.name.endswith("stale")


def test_colours_and_contrast_are_no_change(viewer, guard, settle):
    image = viewer.add_image(np.random.default_rng(0).random((40, 50)), contrast_limits=(0, 1))
    result = show(viewer.layers, shown(image, viewer.dims))
    image.contrast_limits, image.colormap = (0.2, 0.7), "viridis"
    image.refresh()
    settle()
    assert not result.name.endswith("stale")


def test_of_a_stack_only_the_shown_plane_is_compared(viewer, stack, guard, qtbot, settle):
    for at in (1, 3):
        viewer.dims.set_current_step(0, at)
        result = show(viewer.layers, shown(stack, viewer.dims, score=at / 10))
    stack.data[1] = 0
    guard.check()
    settle()
    assert result.name == "stack · anomaly 0.300"
    with qtbot.waitSignal(guard.stale):
        viewer.dims.set_current_step(0, 1)
    assert result.name == "stack · anomaly 0.100 · stale"
    viewer.dims.set_current_step(0, 3)
    show(viewer.layers, shown(stack, viewer.dims, score=0.5))
    assert result.data.positions == [(3,)], "maps of the old pixels do not stay beside new ones"
    assert result.name == "stack · anomaly 0.500"


def test_the_name_follows_the_slider(viewer, stack, guard):
    for at in (1, 3):
        viewer.dims.set_current_step(0, at)
        result = show(viewer.layers, shown(stack, viewer.dims, score=at / 10))
    assert result.name == "stack · anomaly 0.300"
    viewer.dims.set_current_step(0, 1)
    assert result.name == "stack · anomaly 0.100"


def test_lazy_data_are_read_again_only_where_they_were_replaced(viewer, guard, qtbot, settle):
    reads = []

    def read(block):
        reads.append(1)
        return block + 1

    lazy = da.zeros((3, 40, 50), chunks=(1, 40, 50), dtype=np.uint8).map_blocks(read, dtype=np.uint8)
    image = viewer.add_image(lazy, contrast_limits=(0, 255), cache=False)
    result = show(viewer.layers, shown(image, viewer.dims))
    reads.clear()
    viewer.layers.selection.active = None
    viewer.layers.selection.active = image
    guard.check()
    settle()
    assert not reads
    with qtbot.waitSignal(guard.stale):
        image.data = lazy + 1
    assert result.name.endswith("stale")


@pytest.mark.parametrize("kind", ["flat", "stack", "window"])
def test_a_moved_image_takes_its_results_along(viewer, stack, plate, guard, settle, kind):
    image = plate if kind == "flat" else stack
    corner = np.array([(10, 20), (10, 40), (30, 40), (30, 20)]) - 0.5
    plane = shown_plane(image, viewer.dims, outline=corner if kind == "window" else None)
    result = show(viewer.layers, scored(plane, display=DisplaySettings(contour=True)))
    offset = (*[0] * (image.ndim - 2), *((10, 20) if kind == "window" else (0, 0)))
    image.scale = [3] * image.ndim
    image.translate = range(image.ndim)
    affine = np.eye(image.ndim + 1)
    affine[-3:-1, -3:-1] = ((0, 1), (-1, 0))
    image.affine = affine
    for layer in (result, find_contour(viewer.layers, result)):
        for at in (np.zeros(image.ndim), np.arange(1, image.ndim + 1)):
            np.testing.assert_allclose(layer.data_to_world(at), image.data_to_world(at + offset), atol=1e-9)
    settle()
    assert not result.name.endswith("stale")


def test_results_and_their_lines_are_not_watched_as_images(viewer, plate, guard):
    show(viewer.layers, shown(plate, viewer.dims, display=DisplaySettings(contour=True)))
    assert list(guard._watched) == [plate]


def test_a_removed_image_is_let_go_and_so_is_a_closed_viewer(viewer, guard, settle, picture):
    image = viewer.add_image(picture, rgb=True)
    result = show(viewer.layers, shown(image, viewer.dims))
    image.refresh()
    settle()
    viewer.layers.selection.active = result  # napari itself remembers the layer that was selected last
    viewer.layers.remove(image)
    assert is_result(result)
    guard.close_down()
    guard.check()
    held = weakref.ref(image)
    del image, result
    gc.collect()
    assert held() is None


def test_closed_down_it_hears_nothing(viewer, plate, guard, qtbot):
    result = show(viewer.layers, shown(plate, viewer.dims))
    guard.close_down()
    plate.data = np.zeros_like(plate.data)
    viewer.dims.ndisplay = 3
    qtbot.wait(30)
    assert not result.name.endswith("stale")

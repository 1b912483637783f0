"""Painting a region's shape, and drawing what was missed."""

from __future__ import annotations

import numpy as np
import pytest
from gui.reviewed import SQUARE, blobs, show_map, show_stack, wait_for_regions
from napari.layers import Labels, Shapes

from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.plugin.shape_editor import ShapeEditor
from napari_anoclip.review.judgement import Verdict

SHAPE = (96, 120)


@pytest.fixture
def image(viewer, dock):
    return viewer.add_image(np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8), rgb=True, name="plate")


@pytest.fixture
def reviewer(viewer, dock, image, qtbot):
    reviewer = Reviewer(viewer)
    show_map(viewer, image, blobs(SHAPE, [(10, 10, 0.9), (40, 60, 0.8)]))
    wait_for_regions(qtbot, reviewer, 2)
    yield reviewer
    reviewer.close_down()


@pytest.fixture
def editor(reviewer):
    editor = ShapeEditor(reviewer)
    yield editor
    editor.close_down()


def paint(layer: Labels, row: int, column: int, label: int = 1) -> None:
    """A stroke of one dab, as the mouse makes it."""
    layer.selected_label = label
    layer.brush_size = 5
    with layer.block_history():
        layer.paint((*(0,) * (layer.ndim - 2), row, column), label)


def test_each_stroke_is_a_step_that_can_be_undone(reviewer, editor, qtbot):
    number = reviewer.current.id
    reviewer.edit_shape()
    layer = editor.layer
    assert isinstance(layer, Labels)
    assert layer.mode == "paint"
    assert int(np.asarray(layer.data).sum()) == SQUARE**2, "the shape as it was found"
    paint(layer, 22, 14)
    qtbot.waitUntil(lambda: reviewer.region(number).mask.area > SQUARE**2)
    assert reviewer.region(number).judgement.edited
    larger = reviewer.region(number).mask.area
    paint(layer, 12, 12, label=0)
    qtbot.waitUntil(lambda: reviewer.region(number).mask.area < larger)
    reviewer.undo()
    qtbot.waitUntil(lambda: reviewer.region(number).mask.area == larger)
    assert int(np.asarray(layer.data).sum()) == larger, "what is painted on follows the undo"
    reviewer.undo()
    qtbot.waitUntil(lambda: reviewer.region(number).mask.area == SQUARE**2)
    reviewer.edit_shape()
    assert editor.layer is None


def test_a_region_that_is_erased_altogether_is_gone_and_comes_back_by_undo(reviewer, editor, qtbot):
    number = reviewer.current.id
    reviewer.judge(Verdict.DEFECT)
    reviewer.select(number)
    reviewer.edit_shape()
    layer = editor.layer
    layer.brush_size = 60
    layer.paint((14, 14), 0)
    qtbot.waitUntil(lambda: number not in reviewer.entry.judgements)
    reviewer.undo()
    qtbot.waitUntil(lambda: reviewer.region(number) is not None and reviewer.region(number).verdict is Verdict.DEFECT)


@pytest.mark.parametrize(("way", "mode"), [("lasso", "add_polygon_lasso"), ("polygon", "add_polygon")])
def test_an_outline_becomes_a_defect(reviewer, editor, qtbot, way, mode):
    reviewer.add_missed(way)
    layer = editor.layer
    assert isinstance(layer, Shapes)
    assert layer.mode == mode
    layer.add_polygons(np.array([(70.0, 10.0), (70.0, 30.0), (85.0, 30.0), (85.0, 10.0)]))
    wait_for_regions(qtbot, reviewer, 3)
    drawn = reviewer.current
    assert drawn.verdict is Verdict.DEFECT
    assert drawn.judgement.origin == "drawn"
    assert drawn.mask.start == (70, 10)
    assert drawn.mask.bits.shape == (15, 20)
    assert layer.nshapes == 0, "ready for the next one"


def test_a_brush_stroke_becomes_a_defect(reviewer, editor, qtbot):
    reviewer.add_missed("brush")
    paint(editor.layer, 75, 20)
    wait_for_regions(qtbot, reviewer, 3)
    assert reviewer.current.judgement.origin == "drawn"
    assert reviewer.current.mask.start[0] == 73
    reviewer.undo()
    wait_for_regions(qtbot, reviewer, 2)


def test_m_again_goes_on_to_the_next_way_of_drawing(reviewer, editor, qtbot):
    hints = []
    editor.hinted.connect(hints.append)
    modes = []
    for _ in range(4):
        reviewer.add_missed()
        modes.append(str(editor.layer.mode))
    assert modes == ["add_polygon_lasso", "add_polygon", "paint", "add_polygon_lasso"]
    editor.stop()
    assert hints[-1] == ""
    assert editor.layer is None


def test_an_outline_too_small_for_the_map_is_said(reviewer, editor, qtbot):
    reviewer.add_missed("lasso")
    with qtbot.waitSignal(reviewer.said) as said:
        editor.layer.add_polygons(np.array([(70.1, 10.1), (70.1, 10.2), (70.2, 10.2)]))
    assert "holds no pixel" in said.args[0]
    assert len(reviewer.regions) == 2


def test_drawing_ends_with_another_image_and_the_layer_selected_before_is_selected_again(
    viewer, reviewer, editor, image, qtbot
):
    viewer.layers.selection.active = image
    reviewer.add_missed("brush")
    editor.stop()
    assert viewer.layers.selection.active is image
    reviewer.add_missed("brush")
    other = viewer.add_image(np.zeros((50, 50), np.uint8), name="other")
    viewer.layers.selection.active = other
    qtbot.waitUntil(lambda: editor.layer is None, timeout=5000)


def test_a_volume_is_painted_in_the_plane_that_is_shown(viewer, dock, qtbot):
    stack = viewer.add_image(np.random.default_rng(0).integers(0, 255, (4, *SHAPE), np.uint8), name="stack")
    reviewer = Reviewer(viewer)
    editor = ShapeEditor(reviewer)
    show_stack(viewer, stack, [blobs(SHAPE, [(10, 10, 0.9)])] * 4)
    wait_for_regions(qtbot, reviewer, 4)
    viewer.dims.set_current_step(0, reviewer.current.plane[0])
    reviewer.edit_shape()
    number, plane = reviewer.current.id, reviewer.current.plane
    layer = editor.layer
    assert layer.data.shape == (1, *SHAPE)
    layer.paint((0, 30, 14), 1)
    qtbot.waitUntil(lambda: reviewer.region(number).mask.area > SQUARE**2)
    assert reviewer.region(number).plane == plane
    viewer.dims.set_current_step(0, (plane[0] + 1) % 4)
    qtbot.waitUntil(lambda: editor.layer is None)  # the plane that was painted in is out of sight
    editor.close_down()
    reviewer.close_down()


def test_a_stack_can_be_removed_while_something_is_drawn_in_it(viewer, dock, qtbot):
    stack = viewer.add_image(np.random.default_rng(0).integers(0, 255, (4, *SHAPE), np.uint8), name="stack")
    viewer.dims.set_current_step(0, 1)
    reviewer = Reviewer(viewer)
    editor = ShapeEditor(reviewer)
    qtbot.waitUntil(lambda: reviewer.entry is not None)
    reviewer.add_missed("lasso")
    assert editor.drawing
    viewer.layers.remove(stack)  # napari tells of its axes in the middle of changing them
    qtbot.waitUntil(lambda: not editor.drawing)
    assert viewer.dims.ndim == 2
    editor.close_down()
    reviewer.close_down()


def test_nothing_to_draw_on_is_said(viewer, dock, qtbot):
    reviewer = Reviewer(viewer)
    editor = ShapeEditor(reviewer)
    for verb in (reviewer.add_missed, reviewer.edit_shape):
        with qtbot.waitSignal(reviewer.said) as said:
            verb()
        assert said.args[0]
    editor.close_down()
    reviewer.close_down()

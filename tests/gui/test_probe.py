"""The probe as a user meets it: point, read why, click to hold, ask where else."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from gui.conftest import PROMPTS
from gui.probing import Mouse, model_in_use, score
from napari.layers import Vectors
from qtpy.QtCore import Qt, QTimer

from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings
from napari_anoclip.plugin.models import ModelChoice, ModelHolder
from napari_anoclip.plugin.planes import ImageChoice, shown_plane
from napari_anoclip.plugin.probe import OUTLINES_NAME, SIMILARITY_NAME
from napari_anoclip.plugin.probe_panel import NOTHING_YET, POINT, UNLOADED, ProbePanel
from napari_anoclip.plugin.results import is_ours, is_result

SPOT = (38, 78)
"""In the picture's bright square."""

PLACES = {
    "as it is": {},
    "scaled and moved": {"scale": (0.5, 2.0), "translate": (7.0, -3.0)},
    "turned": {"rotate": 30, "shear": [0.2]},
    "affine": {"affine": np.array([[0.0, 2.0, 5.0], [-1.0, 0.3, 1.0], [0.0, 0.0, 1.0]])},
}


@pytest.fixture
def models(shelf, bright_is_bad) -> ModelHolder:
    shelf.put("builtin", "auto", bright_is_bad)
    return ModelHolder(shelf)


@pytest.fixture
def image(viewer, picture):
    return viewer.add_image(picture, rgb=True, name="plate")


@pytest.fixture
def panel(viewer, models, qtbot):
    panel = ProbePanel(viewer, models)
    qtbot.addWidget(panel)
    panel.switch(True)
    yield panel
    panel.close_down()


@pytest.fixture
def probe(panel, viewer, image, models):
    """The panel, switched on, with the picture scored."""
    panel.use(score(shown_plane(image, viewer.dims), models))
    return panel


@pytest.fixture
def mouse(viewer) -> Mouse:
    return Mouse(viewer)


@pytest.fixture
def wait(qtbot, probe):
    """Wait until the panel has read what it was asked for."""

    def wait(ready=lambda: True):
        qtbot.waitUntil(lambda: ready() and probe._reading is not None and not probe.job.busy, timeout=10_000)

    return wait


def outlines_of(viewer) -> Vectors:
    return viewer.layers[OUTLINES_NAME]


def corners_in_world(viewer) -> np.ndarray:
    layer = outlines_of(viewer)
    return np.array([layer.data_to_world(start) for start in layer.data[:4, 0]])


def test_without_a_result_it_says_what_to_do(panel, viewer, mouse):
    assert panel.text == NOTHING_YET
    mouse.move((3, 3))
    mouse.click((3, 3))
    assert panel.text == NOTHING_YET
    assert OUTLINES_NAME not in viewer.layers


def test_pointing_tells_the_probability_and_outlines_the_patch(probe, viewer, mouse, wait, bright_is_bad, picture):
    assert probe.text == POINT
    mouse.move(SPOT)
    wait()
    explanation = bright_is_bad.explain(picture, PROMPTS, SPOT)
    value = probe._result.detection.map[SPOT]
    assert probe.text == f"<b>{value:.3f}</b> at row {SPOT[0]}, column {SPOT[1]}"
    assert probe.detail.startswith(
        f"patch {explanation.patch}, logit {explanation.logit:+.2f}, by itself {explanation.probability:.3f}"
    )
    top, left, bottom, right = explanation.box
    expected = [(top, left), (top, right), (bottom, right), (bottom, left)]
    np.testing.assert_allclose(corners_in_world(viewer), np.array(expected) - 0.5, atol=1e-4)


def test_the_prompts_that_push_most_are_listed_with_their_shares(probe, mouse, wait, bright_is_bad, picture):
    mouse.move(SPOT)
    wait()
    explanation = bright_is_bad.explain(picture, PROMPTS, SPOT)
    order = np.argsort(explanation.shares)
    for bars, expected in ((probe.up, order[::-1][:5]), (probe.down, order[:5])):
        shown = [bars.item(row) for row in range(bars.count())]
        assert [item.text() for item in shown] == [explanation.prompts[i] for i in expected]
        for item, i in zip(shown, expected, strict=True):
            share = f"{explanation.shares[i]:+.2g}".replace("-", "\N{MINUS SIGN}")
            assert item.data(Qt.ItemDataRole.AccessibleTextRole) == f"{explanation.prompts[i]}, {share}"
            assert explanation.prompts[i] in item.toolTip()


def test_moving_on_reads_the_last_place(probe, mouse, wait):
    for column in range(3, 120, 2):
        mouse.move((10, column))
    mouse.move(SPOT)
    wait(lambda: probe._reading is not None and probe._reading.covers(SPOT))
    assert f"row {SPOT[0]}, column {SPOT[1]}" in probe.text


def test_a_click_holds_the_pixel_until_it_is_clicked_again(probe, viewer, mouse, wait, qtbot):
    mouse.click(SPOT)
    wait()
    assert probe.held == SPOT
    assert "held" in probe.detail
    assert len(outlines_of(viewer).data) == 8, "outlined twice: not told by colour alone"
    mouse.move((5, 5))
    qtbot.wait(120)
    assert f"row {SPOT[0]}" in probe.text
    mouse.click((5, 5))
    wait(lambda: probe._reading.covers((5, 5)))
    assert probe.held == (5, 5)
    mouse.click((6, 6))
    assert probe.held is None
    assert len(outlines_of(viewer).data) == 4


def test_esc_on_the_canvas_lets_go_and_is_free_again(probe, viewer, mouse, wait):
    before = dict(viewer.keymap)
    mouse.click(SPOT)
    wait()
    (escape,) = [action for key, action in viewer.keymap.items() if str(key) == "Escape"]
    escape(viewer)
    assert probe.held is None
    assert viewer.keymap == before


def test_the_hottest_pixel_is_a_button_away(probe, wait):
    probe.hottest.click()
    wait()
    assert probe.held == probe._result.hottest[1]
    probe.release.click()
    assert probe.held is None


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_pixel_and_outline_sit_where_the_image_is(panel, viewer, models, mouse, qtbot, picture, place):
    image = viewer.add_image(picture, rgb=True, **place)
    panel.use(score(shown_plane(image, viewer.dims), models))
    mouse.click(image.data_to_world(SPOT))
    assert panel.held == SPOT
    qtbot.waitUntil(lambda: panel._reading is not None, timeout=10_000)
    top, left, bottom, right = np.array(panel._reading.explanation.box) - 0.5
    corners = [(top, left), (top, right), (bottom, right), (bottom, left)]
    expected = [image.data_to_world(corner) for corner in corners]
    np.testing.assert_allclose(corners_in_world(viewer), expected, atol=1e-3)
    image.translate = np.asarray(image.translate) + 11
    moved = [image.data_to_world(corner) for corner in corners]
    np.testing.assert_allclose(corners_in_world(viewer), moved, atol=1e-3)


def test_windows_and_coarse_levels_are_known(panel, viewer, models, mouse):
    fine = np.zeros((200, 240), np.uint8)
    image = viewer.add_image([fine, fine[::2, ::2]], multiscale=True, scale=(3, 3))
    corners = np.array([(40, 60), (40, 200), (160, 200), (160, 60)]) - 0.5
    plane = shown_plane(image, viewer.dims, ImageChoice(level=1), corners)
    panel.use(score(plane, models))
    mouse.click(image.data_to_world((100, 110)))
    assert panel.held == (30, 25)
    mouse.click(image.data_to_world((10, 10)))
    assert panel.held == (30, 25), "outside of the window there is nothing to hold"


def test_a_plane_that_was_not_scored_says_so(panel, viewer, models, mouse, qtbot):
    stack = np.zeros((5, 64, 80), np.uint8)
    image = viewer.add_image(stack)
    viewer.dims.set_current_step(0, 3)
    panel.use(score(shown_plane(image, viewer.dims), models))
    mouse.click((3, 20, 30))
    assert panel.held == (20, 30)
    panel.let_go()
    viewer.dims.set_current_step(0, 1)
    mouse.move((1, 20, 30))
    qtbot.waitUntil(lambda: "plane 3 / 4" in panel.text)
    assert "was not scored" in panel.text


def test_it_works_whatever_layer_is_selected_but_a_stroke_is_no_click(probe, viewer, mouse):
    labels = viewer.add_labels(np.zeros((96, 120), int))
    mouse.click(SPOT)
    assert probe.held == SPOT
    labels.mode = "paint"
    mouse.click((5, 5))
    assert probe.held == SPOT
    labels.mode = "pan_zoom"
    mouse.click((5, 5), dragged=30)
    mouse.click((5, 5), modifiers=("Shift",))
    assert probe.held == SPOT


def test_the_3d_view_is_left_alone(probe, viewer, mouse):
    viewer.dims.ndisplay = 3
    mouse.click((0, *SPOT))
    assert probe.held is None


def test_its_layer_is_never_selected_and_goes_with_the_probe(probe, viewer, image, mouse, wait):
    mouse.click(SPOT)
    wait()
    assert set(viewer.layers.selection) == {image}
    assert is_ours(outlines_of(viewer))
    assert not is_result(outlines_of(viewer))
    moves, drags = list(viewer.mouse_move_callbacks), list(viewer.mouse_drag_callbacks)
    probe.switch(False)
    assert list(viewer.layers) == [image]
    assert len(viewer.mouse_move_callbacks) == len(moves) - 1
    assert len(viewer.mouse_drag_callbacks) == len(drags) - 1
    assert set(viewer.layers.selection) == {image}


def test_an_outline_that_was_deleted_comes_back(probe, viewer, mouse, wait):
    viewer.layers.remove(outlines_of(viewer))
    mouse.click(SPOT)
    wait()
    assert OUTLINES_NAME in viewer.layers


def test_where_else_lists_outlines_and_shows_the_nearest_patches(probe, viewer, mouse, wait, bright_is_bad, picture):
    probe.tabs.setCurrentIndex(1)
    mouse.click(SPOT)
    wait()
    similarity = bright_is_bad.similar(picture, SPOT)
    expected = [f"{cosine:.3f}" for cosine, _ in similarity.nearest(10)]
    shown = [probe.nearest.item(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(probe.nearest.count())]
    assert [text.rpartition(", ")[2] for text in shown] == expected
    assert len(outlines_of(viewer).data) == 4 * 10 + 8
    probe.as_layer.setChecked(True)
    layer = viewer.layers[SIMILARITY_NAME]
    np.testing.assert_allclose(layer.data, similarity.grid, atol=1e-5)
    image = viewer.layers["plate"]
    for corner, end in (((-0.5, -0.5), (-0.5, -0.5)), (np.array(layer.data.shape) - 0.5, (95.5, 119.5))):
        np.testing.assert_allclose(layer.data_to_world(corner), image.data_to_world(end), atol=1e-6)
    assert set(viewer.layers.selection) == {viewer.layers["plate"]}
    probe.tabs.setCurrentIndex(0)
    assert SIMILARITY_NAME not in viewer.layers


def test_choosing_a_nearest_patch_centres_the_camera_on_it(probe, viewer, mouse, wait, qtbot):
    probe.tabs.setCurrentIndex(1)
    mouse.click(SPOT)
    wait()
    item = probe.nearest.item(7)
    qtbot.mouseClick(
        probe.nearest.viewport(), Qt.MouseButton.LeftButton, pos=probe.nearest.visualItemRect(item).center()
    )
    _, (top, left, bottom, right) = probe._reading.nearest[7]
    np.testing.assert_allclose(
        viewer.scene.camera.center[-2:], ((top + bottom) / 2 - 0.5, (left + right) / 2 - 0.5), atol=1e-3
    )


def test_the_second_tab_reads_on_when_it_is_opened(probe, mouse, wait):
    mouse.click(SPOT)
    wait()
    assert probe.nearest.count() == 0
    probe.tabs.setCurrentIndex(1)
    wait(lambda: probe._reading.similarity is not None)
    assert probe.nearest.count() == 10


def test_a_prompt_leads_to_the_editor_by_click_and_by_key(probe, mouse, wait, qtbot):
    mouse.click(SPOT)
    wait()
    first = probe.up.item(0)
    with qtbot.waitSignal(probe.prompt_chosen) as chosen:
        qtbot.mouseClick(probe.up.viewport(), Qt.MouseButton.LeftButton, pos=probe.up.visualItemRect(first).center())
    assert chosen.args == [first.text()]
    with qtbot.waitSignal(probe.prompt_chosen):
        qtbot.keyClick(probe.up, Qt.Key.Key_Return)
    off = next(action for action in probe.up.actions() if action.text() == "Switch off")
    with qtbot.waitSignal(probe.prompt_off) as switched:
        off.trigger()
    assert switched.args == [first.text()]


def test_it_waits_for_a_run_without_stopping_the_window(probe, models, mouse, qtbot):
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    with model_in_use(models):
        mouse.click(SPOT)
        qtbot.waitUntil(lambda: "waiting" in probe.detail, timeout=5000)
        timer.start(5)
        qtbot.waitUntil(lambda: len(ticks) > 10, timeout=5000)
        assert probe._reading is None
    qtbot.waitUntil(lambda: probe._reading is not None, timeout=10_000)
    assert "logit" in probe.detail


def test_a_new_result_of_the_image_is_read_at_the_pixel_that_is_held(probe, viewer, image, models, mouse, wait):
    mouse.click(SPOT)
    wait()
    outlines, before = outlines_of(viewer), probe.detail
    adapted = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True))
    probe.use(score(shown_plane(image, viewer.dims), models, adapted))
    assert probe.held == SPOT
    wait()
    assert probe.detail != before
    assert outlines_of(viewer) is outlines, "edits follow each other fast: no layer is made anew for each"


def test_an_image_that_is_removed_is_forgotten(probe, viewer, image, mouse, wait):
    mouse.click(SPOT)
    wait()
    viewer.layers.remove(image)
    assert probe.text == NOTHING_YET
    assert probe._result is None
    assert len(viewer.layers) == 0


def test_a_model_that_was_unloaded_is_not_loaded_again_by_pointing(probe, models, mouse, qtbot):
    models.shelf.unload()
    mouse.click(SPOT)
    assert probe.detail == UNLOADED
    assert models.loaded(ModelChoice()) is None


def test_closing_while_it_reads_leaves_nothing_behind(probe, viewer, image, models, mouse):
    with model_in_use(models):
        mouse.click(SPOT)
        probe.close_down()
    assert list(viewer.layers) == [image]
    assert not any(thread.name == "anoclip-run" for thread in threading.enumerate())


def test_bars_grow_to_the_side_they_push_to_and_fit_320_pixels(probe, mouse, wait, qtbot):
    mouse.click(SPOT)
    wait()
    probe.resize(320, 500)
    probe.show()
    qtbot.waitExposed(probe)
    assert probe.minimumSizeHint().width() <= 320
    for bars, plain_at, filled in ((probe.up, 0.1, slice(0.55, 0.7)), (probe.down, 0.9, slice(0.3, 0.45))):
        row = bars.visualItemRect(bars.item(0)).bottom() - 3
        image = bars.viewport().grab().toImage()
        shades = np.array([image.pixelColor(x, row).lightness() for x in range(image.width())])
        part = shades[int(filled.start * len(shades)) : int(filled.stop * len(shades))]
        assert (part != shades[int(plain_at * len(shades))]).mean() > 0.1

"""Comparing as a user does: keep one state, keep another, compare, look at it three ways, close."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from gui.conftest import PROMPTS
from gui.probing import model_in_use
from qtpy.QtCore import Qt

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings, ScoringSettings
from napari_anoclip.plugin.colormaps import difference_colormap
from napari_anoclip.plugin.compare import Snapshot, differences
from napari_anoclip.plugin.compare_panel import CHANGED, REMOVED, TAKEN_APART, ComparePanel
from napari_anoclip.plugin.models import ModelChoice, ModelHolder
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.run_request import RunRequest

DEFAULT = AnoCLIPSettings()
ADAPTED = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True))
SHARP = AnoCLIPSettings(scoring=ScoringSettings(smooth=False))
TAU = AnoCLIPSettings(scoring=ScoringSettings(temperature=1.0))


class Controls:
    """Stands in for the dock's controls: what `current` gives."""

    def __init__(self, viewer) -> None:
        self._viewer = viewer
        self.image = None
        self.settings = DEFAULT
        self.prompts = PROMPTS

    def current(self) -> RunRequest:
        return RunRequest((shown_plane(self.image, self._viewer.dims),), self.prompts, self.settings)


@pytest.fixture
def models(shelf, bright_is_bad) -> ModelHolder:
    shelf.put("builtin", "auto", bright_is_bad)
    return ModelHolder(shelf)


@pytest.fixture
def controls(viewer, picture) -> Controls:
    controls = Controls(viewer)
    controls.image = viewer.add_image(picture, rgb=True, name="plate", scale=(2, 2))
    return controls


@pytest.fixture
def panel(viewer, models, controls, qtbot):
    panel = ComparePanel(viewer, models, controls.current)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def keep(panel, controls):
    """Set the controls and press "Keep as …"."""

    def keep(*settings):
        for one in settings:
            controls.settings = one
            panel.keep.click()

    return keep


@pytest.fixture
def compared(panel, keep, qtbot):
    """A comparison of the defaults with a map that is not smoothed."""
    keep(DEFAULT, SHARP)
    compare(panel, qtbot)
    return panel


def compare(panel, qtbot) -> None:
    panel.start.click()
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=30_000)
    assert panel.notice.text == ""


def helpers_of(viewer):
    return [layer for layer in viewer.layers if "role" in layer.metadata.get(METADATA_KEY, {})]


def visible(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def maps(panel) -> list[np.ndarray]:
    return [result.detection.map for result in panel._comparison._results]


def test_what_is_kept_is_called_by_what_differs(panel, keep, controls):
    keep(DEFAULT, ADAPTED, TAU, SHARP)
    assert [snapshot.title for snapshot in panel.snapshots] == [PROMPTS.title, "TTA", "τ 1", "no smooth"]
    assert not panel.keep.isEnabled(), "four is enough"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompts": PROMPTS.model_copy(update={"object": "nut"})}, "nut"),
        ({"prompts": PromptSet.preset("surface", "plate")}, PromptSet.preset("surface").title),
        ({"prompts": PROMPTS.model_copy(update={"disabled": frozenset(PROMPTS.normal[:1])})}, "prompts"),
        ({"model": ModelChoice("ViT-B-16:openai")}, "ViT-B-16:openai"),
        ({"settings": AnoCLIPSettings(adaptation=AdaptationSettings(steps=9))}, "the same"),
        ({"settings": AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True, steps=9))}, "TTA, steps 9"),
        ({}, "the same"),
    ],
)
def test_words_for_what_differs(change, words):
    base = RunRequest((), PROMPTS, DEFAULT)
    changed = RunRequest((), **{"prompts": PROMPTS, "settings": DEFAULT} | change)
    assert words in differences(changed, base)


def test_titles_can_be_edited_and_states_dropped(panel, keep, qtbot):
    keep(DEFAULT, ADAPTED, TAU)
    title = panel.rows[1].title
    title.selectAll()
    qtbot.keyClicks(title, "with TTA")
    panel.rows[0].drop.click()
    assert [snapshot.title for snapshot in panel.snapshots] == ["with TTA", "τ 1"]
    assert panel.rows[0].title.accessibleName() == "Title of A"
    assert panel.keep.text() == "Keep as C"
    panel.rows[0].drop.click()
    assert not panel.start.isEnabled(), "one alone is no comparison"


def test_what_is_kept_holds_no_image(controls):
    request = controls.current()
    plane = weakref.ref(request.planes[0])
    kept = Snapshot.of(request, [])
    del request
    assert plane() is None
    assert kept.request.planes == ()


def test_side_by_side_shows_each_map_on_its_image_in_one_range(compared, viewer, controls):
    grid = viewer.canvas.grid
    assert grid.enabled
    assert grid.stride == 2
    shown = [[viewer.layers[i] for i in cell] for _, cell in grid.iter_viewboxes(viewer.layers)]
    assert [[layer.name.split(" · ")[0] for layer in cell] for cell in shown] == [["image A", "A"], ["image B", "B"]]
    assert not controls.image.visible
    for (image, heat), values, title in zip(shown, maps(compared), (PROMPTS.title, "no smooth"), strict=True):
        assert image.data is controls.image.data, "the pixels are shared, not copied"
        np.testing.assert_array_equal(heat.data, values)
        np.testing.assert_allclose(heat.extent.world, controls.image.extent.world)
        assert title in heat.name
        assert heat.name_overlay.visible
    limits = [cell[1].contrast_limits for cell in shown]
    assert limits[0] == limits[1] == list(compared._comparison.limits)
    ranges = [result.limits for result in compared._comparison._results]
    assert limits[0] == [min(low for low, _ in ranges), max(high for _, high in ranges)]


def test_four_states_fill_four_cells_beside_other_layers(panel, viewer, keep, qtbot):
    viewer.add_labels(np.zeros((96, 120), int))
    viewer.add_points([(3, 3)])
    keep(DEFAULT, SHARP, ADAPTED, TAU)
    compare(panel, qtbot)
    cells = [cell for _, cell in viewer.canvas.grid.iter_viewboxes(viewer.layers)]
    assert [len(cell) for cell in cells] == [2, 2, 2, 2]
    assert len(helpers_of(viewer)) == 8


def test_closing_gives_the_viewer_back_as_it_was(panel, viewer, controls, keep, qtbot):
    labels = viewer.add_labels(np.zeros((96, 120), int))
    hidden = viewer.add_points([(3, 3)], visible=False)
    viewer.layers.selection.active = labels
    viewer.canvas.grid.stride = -1
    viewer.scene.camera.zoom = 1.75
    layers, centre = list(viewer.layers), viewer.scene.camera.center
    keep(DEFAULT, SHARP)
    for way in ("side", "swipe", "difference"):
        panel.view.ways[way].click()
        compare(panel, qtbot)
        panel.view.leave.click()
        assert list(viewer.layers) == layers
        assert [layer.visible for layer in layers] == [True, True, False]
        assert set(viewer.layers.selection) == {labels}
        assert (viewer.canvas.grid.enabled, viewer.canvas.grid.stride) == (False, -1)
        assert viewer.scene.camera.zoom == 1.75
        assert viewer.scene.camera.center == centre
    assert not panel.view.isVisible()
    assert hidden in layers


def test_a_layer_deleted_meanwhile_is_no_trouble(compared, viewer):
    labels = viewer.add_labels(np.zeros((96, 120), int), name="new")
    compared.view.ways["swipe"].click()
    viewer.layers.remove(labels)
    compared.view.leave.click()
    assert [layer.name for layer in viewer.layers] == ["plate"]


def test_swiping_shows_a_left_of_the_line_and_b_right_of_it(compared, viewer, controls):
    compared.view.ways["swipe"].click()
    assert not viewer.canvas.grid.enabled
    assert len(visible(viewer)) == 2
    assert controls.image.visible
    (layer,) = (layer for layer in helpers_of(viewer) if layer.visible)
    a, b = maps(compared)
    for value, column in ((500, 60), (250, 30)):
        compared.view.slider.setValue(value)
        np.testing.assert_array_equal(layer.data[:, : column - 1], a[:, : column - 1])
        np.testing.assert_array_equal(layer.data[:, column + 1 :], b[:, column + 1 :])
        assert np.isnan(layer.data[:, column]).all(), "the line"
    np.testing.assert_allclose(layer.extent.world, controls.image.extent.world)
    assert layer.name_overlay.visible


def test_holding_the_button_or_the_space_bar_flicks_to_b(compared, viewer, qtbot):
    compared.view.ways["swipe"].click()
    compared.view.slider.setValue(1000)
    (layer,) = (layer for layer in helpers_of(viewer) if layer.visible)
    a, b = maps(compared)
    np.testing.assert_array_equal(layer.data, a)
    qtbot.mousePress(compared.view.flick, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(layer.data, b)
    qtbot.mouseRelease(compared.view.flick, Qt.MouseButton.LeftButton)
    np.testing.assert_array_equal(layer.data, a)
    qtbot.keyPress(compared.view.flick, Qt.Key.Key_Space)
    np.testing.assert_array_equal(layer.data, b)
    qtbot.keyRelease(compared.view.flick, Qt.Key.Key_Space)
    np.testing.assert_array_equal(layer.data, a)


def test_the_difference_is_b_less_a_around_nothing(compared, viewer):
    compared.view.ways["difference"].click()
    (layer,) = (layer for layer in helpers_of(viewer) if layer.visible)
    a, b = maps(compared)
    np.testing.assert_array_equal(layer.data, b - a)
    low, high = layer.contrast_limits
    assert low == -high
    assert f"±{high:.3g}" in compared.view.note
    assert "Orange: B is higher" in compared.view.note
    compared.view.first.setCurrentIndex(1)
    compared.view.second.setCurrentIndex(0)
    np.testing.assert_array_equal(layer.data, a - b)
    assert "Orange: A is higher" in compared.view.note


def test_maps_that_are_all_but_the_same_look_it(panel, viewer, keep, qtbot):
    keep(DEFAULT, DEFAULT)
    compare(panel, qtbot)
    panel.view.ways["difference"].click()
    (layer,) = (layer for layer in helpers_of(viewer) if layer.visible)
    low, high = panel._comparison.limits
    assert layer.contrast_limits[1] == pytest.approx(0.05 * (high - low))


def test_colours_of_a_difference_are_clear_in_the_middle_and_told_apart_by_blue_and_red():
    blue, middle, orange = difference_colormap().map(np.array([0.0, 0.5, 1.0]))
    assert middle[3] == 0
    assert blue[3] == orange[3] > 0.8
    assert blue[2] > 0.8 > 0.2 > blue[0]
    assert orange[0] > 0.8 > 0.2 > orange[2]


def test_one_plane_of_a_stack_is_compared_where_it_is(panel, viewer, controls, keep, qtbot):
    stack = np.zeros((4, 64, 80), np.uint8)
    stack[2, 10:30, 40:60] = 255
    controls.image = viewer.add_image(stack, scale=(5, 2, 2), name="stack")
    viewer.dims.set_current_step(0, 2)
    keep(DEFAULT, SHARP)
    panel.view.ways["swipe"].click()
    compare(panel, qtbot)
    layer = next(layer for layer in helpers_of(viewer) if layer.visible)
    assert layer.data.shape == (1, 64, 80)
    np.testing.assert_allclose(layer.data_to_world((0, 7, 9)), controls.image.data_to_world((2, 7, 9)))


def test_an_image_that_is_removed_closes_it_with_a_sentence(compared, viewer, controls):
    viewer.layers.remove(controls.image)
    assert compared.notice.text == REMOVED
    assert len(viewer.layers) == 0
    assert not viewer.canvas.grid.enabled


def test_an_image_that_changes_closes_it_with_a_sentence(compared, viewer, controls, picture):
    controls.image.data = 255 - picture
    assert compared.notice.text == CHANGED
    assert list(viewer.layers) == [controls.image]
    assert controls.image.visible


def test_an_image_that_is_removed_while_it_is_scored_is_told(panel, viewer, models, controls, keep, qtbot):
    keep(DEFAULT, SHARP)
    with model_in_use(models):
        panel.start.click()
        viewer.layers.remove(controls.image)
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=30_000)
    assert "removed" in panel.notice.text
    assert len(viewer.layers) == 0


def test_deleting_one_of_its_layers_closes_it(compared, viewer, controls):
    viewer.layers.remove(helpers_of(viewer)[0])
    assert compared.notice.text == TAKEN_APART
    assert list(viewer.layers) == [controls.image]
    assert controls.image.visible


def test_comparing_again_replaces_the_comparison(compared, viewer, qtbot):
    first = helpers_of(viewer)
    compare(compared, qtbot)
    assert len(helpers_of(viewer)) == len(first)
    assert not set(first) & set(helpers_of(viewer))


def test_it_can_be_cancelled_while_it_waits(panel, viewer, models, keep, qtbot):
    keep(DEFAULT, SHARP)
    with model_in_use(models):
        panel.start.click()
        qtbot.waitUntil(lambda: panel._stage.text().startswith("A: waiting"), timeout=5000)
        assert not panel.start.isEnabled()
        with qtbot.waitSignal(panel.job.cancelled, timeout=10_000):
            panel.cancel.click()
    assert panel.start.isEnabled()
    assert helpers_of(viewer) == []


def test_without_an_image_it_says_so(panel, viewer, controls, keep):
    keep(DEFAULT, SHARP)

    def nothing() -> RunRequest:
        raise ImageError("There is no image yet.")

    panel._current = nothing
    panel.start.click()
    assert panel.notice.text == "There is no image yet."
    panel.keep.click()
    assert len(panel.rows) == 2


def test_closing_the_dock_closes_the_comparison(compared, viewer, controls):
    compared.close_down()
    assert list(viewer.layers) == [controls.image]
    assert controls.image.visible
    assert not viewer.canvas.grid.enabled


def test_it_fits_320_pixels(compared):
    for way in compared.view.ways.values():
        way.click()
        assert compared.minimumSizeHint().width() <= 320

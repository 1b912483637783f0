"""The lines "Image" and "Look at", as a user sets them."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from qtpy.QtWidgets import QComboBox, QFormLayout, QRadioButton, QSpinBox, QWidget

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.settings import TilingSettings
from napari_anoclip.plugin.image_panel import ImagePanel
from napari_anoclip.plugin.planes import ImageChoice

SQUARE = np.array([[10, 20], [10, 60], [50, 60], [50, 20]]) - 0.5


@pytest.fixture
def panel(viewer, qtbot):
    page = QWidget()
    rows = QFormLayout(page)
    panel = ImagePanel(viewer)
    rows.addRow("Image", panel.image_row)
    rows.addRow("Look at", panel.look_row)
    qtbot.addWidget(page)
    page.resize(340, 200)
    page.show()
    yield panel
    panel.disconnect_viewer()


def radio(panel: ImagePanel, name: str) -> QRadioButton:
    return control(panel, QRadioButton, name)


def control(panel: ImagePanel, kind: type, name: str):
    return next(one for one in panel.look_row.findChildren(kind) if one.accessibleName() == name)


def seen(panel: ImagePanel) -> list[str]:
    """Names of the controls of "Look at" that can be seen."""
    kinds = (QRadioButton, QComboBox, QSpinBox)
    return [one.accessibleName() for kind in kinds for one in panel.look_row.findChildren(kind) if one.isVisible()]


def regions() -> list[str]:
    return [f"Region to look at: {word}" for word in ("whole", "view", "shape")]


def test_a_flat_picture_leaves_only_the_region_open(panel, viewer, picture):
    viewer.add_image(picture, rgb=True)
    assert seen(panel) == regions()
    assert panel.note == "120 × 96 RGB"
    assert panel.shown().shape == (96, 120)
    assert [plane.hidden for plane in panel.planes()] == [()]


def test_a_stack_shows_its_planes_and_the_range_when_wanted(panel, viewer):
    viewer.add_image(np.zeros((50, 30, 40), np.uint8))
    viewer.dims.set_current_step(0, 12)
    assert seen(panel) == [*regions(), "Planes: this", "Planes: all", "Planes: range"]
    assert "plane 12 / 49" in panel.note
    radio(panel, "Planes: all").click()
    assert panel.note.endswith("50 planes")
    assert panel.planes()[0].hidden == (12,)
    radio(panel, "Planes: range").click()
    first, last = control(panel, QSpinBox, "First plane"), control(panel, QSpinBox, "Last plane")
    assert (first.isVisible(), first.value(), last.value()) == (True, 0, 49)
    first.setValue(10)
    last.setValue(13)
    assert [plane.hidden[0] for plane in panel.planes()] == [12, 11, 13, 10]
    assert panel.choice == ImageChoice(planes="range", first=10, last=13).model_dump()


def test_grey_values_without_a_meaning_leave_black_and_white_open(panel, viewer):
    viewer.add_image(np.arange(1200, dtype=np.uint16).reshape(30, 40), contrast_limits=(100, 900))
    assert "Black and white: data" in seen(panel)
    assert panel.note == "40 × 30 uint16 · black 100, white 900"
    radio(panel, "Black and white: data").click()
    assert panel.note == "40 × 30 uint16 · black and white from the pixels"


def test_of_a_pyramid_the_level_can_be_chosen(panel, viewer):
    viewer.add_image([da.zeros((4096 >> n, 8192 >> n), dtype=np.uint8) for n in range(5)], contrast_limits=(0, 255))
    level = control(panel, QComboBox, "Pyramid level")
    assert level.isVisible()
    assert [level.itemText(i) for i in range(3)] == ["automatic", "8192 × 4096", "4096 × 2048"]
    assert panel.note.startswith("1024 × 512 uint8 · pyramid level 1/8")
    level.setCurrentIndex(2)
    assert panel.note.startswith("4096 × 2048")
    assert "pyramid level 1/2" in panel.note


def test_a_shapes_layer_is_offered_when_it_is_needed(panel, viewer, picture):
    image = viewer.add_image(picture, rgb=True)
    radio(panel, "Region to look at: shape").click()
    assert "no shapes layer" in panel.note
    with pytest.raises(ImageError, match="Add one"):
        panel.planes()
    shapes = viewer.add_shapes(name="ROI")
    assert "“ROI” holds no shape yet" in panel.note
    shapes.add_rectangles(SQUARE)
    assert panel.note.startswith("40 × 40")
    assert panel.layer == image, "drawing does not change the image"
    viewer.add_shapes(SQUARE / 2, shape_type="rectangle", name="other")
    combo = control(panel, QComboBox, "Shapes layer")
    assert (combo.isVisible(), combo.currentText()) == (True, "other"), "follows the selected shapes layer"
    assert panel.note.startswith("20 × 20")
    combo.setCurrentText("ROI")
    assert panel.note.startswith("40 × 40")


def test_the_region_follows_camera_and_shape(panel, viewer, qtbot, picture):
    viewer.add_image(np.zeros((1000, 1000), np.uint8))
    shapes = viewer.add_shapes(SQUARE, shape_type="rectangle", name="ROI")
    radio(panel, "Region to look at: view").click()
    before = panel.note
    with qtbot.waitSignal(panel.changed):
        viewer.scene.camera.zoom *= 10
    assert panel.note != before
    with qtbot.waitSignal(panel.changed):
        radio(panel, "Region to look at: shape").click()
    with qtbot.waitSignal(panel.changed):
        shapes.data = [SQUARE * 3]
    assert panel.note.startswith("120 × 120")
    with qtbot.waitSignal(panel.changed):
        shapes.translate = (100, 100)
    with qtbot.assertNotEmitted(panel.changed):
        viewer.scene.camera.zoom *= 2


def test_the_slider_changes_what_is_asked_only_when_this_plane_is(panel, viewer, qtbot):
    viewer.add_image(np.zeros((50, 30, 40), np.uint8))
    with qtbot.waitSignal(panel.changed):
        viewer.dims.set_current_step(0, 3)
    radio(panel, "Planes: all").click()
    with qtbot.assertNotEmitted(panel.changed):
        viewer.dims.set_current_step(0, 4)
    assert "plane 4 / 49" in panel.note


def test_changes_of_the_image_change_what_is_asked(panel, viewer, qtbot):
    layer = viewer.add_image(np.zeros((30, 40), np.uint16), contrast_limits=(0, 100))
    with qtbot.waitSignal(panel.changed):
        layer.contrast_limits = (0, 50)
    with qtbot.waitSignal(panel.changed):
        layer.data = layer.data + 1
    assert panel.note == "40 × 30 uint16 · black 0, white 50"
    with qtbot.assertNotEmitted(panel.changed):
        layer.name, layer.opacity, layer.scale = "renamed", 0.5, (2, 2)
    layer.data = np.zeros((5, 30, 40), np.uint16)
    assert "Planes: all" in seen(panel)


def test_the_image_follows_the_selection_and_the_list(panel, viewer, qtbot, picture):
    one = viewer.add_image(picture, rgb=True, name="one")
    two = viewer.add_image(picture, rgb=True, name="two")
    assert panel.layer == two
    with qtbot.waitSignal(panel.chosen) as chosen:
        viewer.layers.selection.active = one
    assert chosen.args == [one]
    viewer.add_labels(np.zeros((96, 120), int))
    assert panel.layer == one
    panel.choose(two)
    assert panel.layer == two
    viewer.layers.remove(two)
    assert panel.layer == one
    viewer.layers.clear()
    assert panel.layer is None
    assert "no image yet" in panel.note


def test_labels_are_no_image(panel, viewer):
    viewer.add_labels(np.zeros((4, 5), int), name="mask")
    assert panel.note == "This layer holds labels, not an image. Choose an image layer."


def test_the_note_counts_tiles_where_there_are_any(panel, viewer):
    viewer.add_image(np.zeros((1000, 1000), np.uint8))
    assert "tile" not in panel.note
    panel.use_tiling(TilingSettings(mode="tiles"))
    assert panel.note.endswith("36 tiles")
    panel.use_tiling(TilingSettings(mode="tiles", scale=0.1))
    assert panel.note.endswith("1 tile")


def test_what_was_chosen_can_be_put_back(panel, viewer, qtbot):
    viewer.add_image(np.zeros((50, 30, 40), np.uint16))
    viewer.add_shapes(SQUARE / 2, shape_type="rectangle", name="ROI")
    wanted = ImageChoice(planes="range", first=2, last=7, region="shape", shape_layer="ROI", contrast="data")
    with qtbot.waitSignal(panel.changed):
        panel.choice = wanted.model_dump(mode="json")
    assert panel.choice == wanted.model_dump(mode="json")
    with pytest.raises(ImageError, match="cannot be restored"):
        panel.choice = {"planes": "every second"}
    assert panel.choice == wanted.model_dump(mode="json"), "what cannot be read changes nothing"


def test_a_flat_image_after_a_stack_is_scored_alone(panel, viewer, picture):
    viewer.add_image(np.zeros((50, 96, 120), np.uint8))
    radio(panel, "Planes: all").click()
    viewer.add_image(picture, rgb=True)
    assert len(panel.planes()) == 1
    assert panel.choice["planes"] == "this"


def test_the_wheel_and_screen_readers(panel, viewer):
    viewer.add_image([np.zeros((50, 64, 64), np.uint16), np.zeros((50, 32, 32), np.uint16)])
    for kind in (QRadioButton, QComboBox, QSpinBox):
        for one in panel.look_row.findChildren(kind):
            assert one.accessibleName()
            assert one.toolTip()
    radio(panel, "Planes: range").click()
    radio(panel, "Region to look at: shape").click()
    assert panel.look_row.minimumSizeHint().width() <= 260, "fits a dock of 320 pixels"


def test_nothing_is_listened_to_when_it_is_closed(viewer, picture):
    layer = viewer.add_image(picture, rgb=True)
    shapes = viewer.add_shapes(SQUARE, shape_type="rectangle")
    sources = [viewer.layers.events, viewer.dims.events, viewer.scene.camera.events, layer.events, shapes.events]
    before = [len(emitter.callbacks) for source in sources for emitter in source.emitters.values()]
    panel = ImagePanel(viewer)
    assert panel.layer == layer
    panel.disconnect_viewer()
    assert [len(emitter.callbacks) for source in sources for emitter in source.emitters.values()] == before
    assert panel.layer is None

"""The dock as a user goes through it: open an image, press Run, look at the map."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import numpy as np
import pytest
from gui.conftest import PROMPTS
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QWidget

from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.results import find as find_result
from napari_anoclip.plugin.sample_data import SAMPLE_KEY

DOCK_ALONE = """
import sys
from napari_anoclip.plugin.dock import AnoCLIPDock
slow = {"torch", "pandas", "scipy.ndimage", "skimage.io"} & {*sys.modules}
assert not slow, f"importing the dock loads {slow}"
"""


@pytest.fixture
def ready(dock, viewer, use_model, bright_is_bad, picture):
    """The dock with a picture chosen and the hand-set model loaded."""
    use_model(bright_is_bad)
    viewer.add_image(picture, rgb=True, name="plate_07")
    return dock


def result_of(viewer):
    return find_result(viewer.layers, viewer.layers["plate_07"])


def test_importing_the_dock_loads_nothing_slow():
    subprocess.run([sys.executable, "-c", DOCK_ALONE], check=True, timeout=120)


def test_run_shows_a_map_on_the_image(ready, viewer, run, bright_is_bad):
    run(ready)
    result = result_of(viewer)
    assert result.name.startswith("plate_07 · anomaly 0.")
    assert result.data.shape == (96, 120)
    row, column = np.unravel_index(result.data.argmax(), result.data.shape)
    assert 30 <= row < 46
    assert 70 <= column < 86
    expected = bright_is_bad.display_range(PROMPTS, ready.settings)
    np.testing.assert_allclose(result.contrast_limits, (expected.low, expected.high))
    assert "score" in ready.run_bar.score
    assert f"({row}, {column})" in ready.run_bar.score
    assert ready.controls.model.note.startswith("CPU")
    assert ready.controls.model.note.endswith("ready")


def test_the_result_tells_how_it_was_made(ready, viewer, run):
    run(ready)
    record = result_of(viewer).metadata[METADATA_KEY]
    assert AnoCLIPSettings(**record["provenance"]["settings"]) == ready.settings
    assert record["image"] == "plate_07"
    assert record["display_range_source"]
    json.dumps(record)


def test_run_again_updates_the_same_layer(ready, viewer, run, picture):
    run(ready)
    first = result_of(viewer)
    before = first.data.copy()
    viewer.layers["plate_07"].data = 255 - picture
    run(ready)
    assert result_of(viewer) is first
    assert len(viewer.layers) == 2
    assert not np.allclose(first.data, before)


def test_every_setting_of_the_dock_reaches_the_engine(ready, viewer, run):
    wanted = AnoCLIPSettings.model_validate(
        {
            "scoring": {"temperature": 0.5, "smooth": False, "upsampling": "align_corners", "image_score": "both"},
            "adaptation": {"enabled": True, "steps": 3, "start": "zero", "noise": 0.1, "temperature": None},
            "tiling": {"mode": "both", "overlap": 0.5, "scale": 0.9},
            "vv_blocks": 1,
        }
    )
    ready.settings = wanted
    assert ready.controls.adapt.isChecked()
    run(ready)
    record = result_of(viewer).metadata[METADATA_KEY]
    assert AnoCLIPSettings(**record["provenance"]["settings"]) == wanted
    assert len(record["planes"][""]["losses"]) == 3


def test_the_keyboard_runs_and_cancels(ready, viewer, use_model, bright_is_bad, qtbot):
    window = viewer.window._qt_window
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    ready.controls.prompts._object.setFocus()
    qtbot.waitUntil(ready.controls.prompts._object.hasFocus)
    with qtbot.waitSignal(ready.job.succeeded, timeout=20_000):
        qtbot.keyClick(ready.controls.prompts._object, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    use_model(Blocking(bright_is_bad))
    ready.run()
    with qtbot.waitSignal(ready.job.cancelled, timeout=10_000):
        qtbot.keyClick(ready.controls.prompts._object, Qt.Key.Key_Escape)


def test_the_window_stays_alive_while_it_works(ready, use_model, bright_is_bad, qtbot):
    blocking = Blocking(bright_is_bad)
    use_model(blocking)
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(ready.job.state))
    timer.start(10)
    ready.run()
    qtbot.waitUntil(lambda: len(ticks) > 5, timeout=5000)
    timer.stop()
    assert ready.job.state is JobState.RUNNING
    assert not ready.run_bar.run_button.isEnabled()
    assert ready.run_bar.cancel_button.isEnabled()
    with qtbot.waitSignal(ready.job.succeeded, timeout=30_000):
        blocking.go.set()
    assert ready.run_bar.run_button.isEnabled()
    assert not ready.run_bar.cancel_button.isEnabled()


def test_cancel_brings_the_buttons_back_and_shows_nothing(ready, viewer, use_model, bright_is_bad, run, qtbot):
    use_model(Blocking(bright_is_bad))
    ready.run()
    with qtbot.waitSignal(ready.job.cancelled, timeout=10_000):
        ready.run_bar.cancel_button.click()
        assert ready.job.state is JobState.CANCELLING
        assert not ready.run_bar.cancel_button.isEnabled()
    assert ready.run_bar.run_button.isEnabled()
    assert result_of(viewer) is None
    use_model(bright_is_bad)
    run(ready)
    assert result_of(viewer) is not None


def test_stages_are_named_while_it_works(ready, viewer, picture, qtbot):
    stages = []
    viewer.layers["plate_07"].data = picture[::-1]  # an image that the model has no tokens of yet
    ready.job.progressed.connect(lambda progress: stages.append(ready.run_bar.stage))
    ready.controls.adapt.setChecked(True)
    with qtbot.waitSignal(ready.job.succeeded, timeout=60_000):
        ready.run()
    assert any(stage.startswith("encoding image") for stage in stages)
    assert any("adapting" in stage for stage in stages)


def test_the_image_follows_the_selected_layer_but_not_masks_and_results(ready, viewer, run, picture):
    image = viewer.layers["plate_07"]
    other = viewer.add_image(picture, rgb=True, name="other")
    assert ready.controls.image.layer == other
    viewer.layers.selection.active = image
    assert ready.controls.image.layer == image
    viewer.add_labels(np.zeros((96, 120), int))
    assert ready.controls.image.layer == image
    run(ready)
    viewer.layers.selection.active = result_of(viewer)
    assert ready.controls.image.layer == image
    image.name = "renamed"
    assert ready.controls.image._combo.currentText() == "renamed"


def test_what_a_sample_shows_is_filled_in_once(ready, viewer, picture):
    sample = {"object": "leather", "kind": "texture", "preset": "textiles"}
    viewer.add_image(picture, rgb=True, metadata={SAMPLE_KEY: sample})
    assert ready.controls.prompts.prompts.object == "leather"
    assert ready.controls.prompts.prompts.name == "textiles"
    ready.controls.prompts._object.setText("suede")
    viewer.add_labels(np.zeros((96, 120), int))
    assert ready.controls.prompts.prompts.object == "suede", "what the user typed must stay"


def test_the_note_says_what_will_be_scored(ready, viewer):
    assert ready.controls.image.note == "120 × 96 RGB"
    viewer.add_image(np.zeros((7, 30, 40), np.uint16), contrast_limits=(10, 900))
    viewer.dims.set_current_step(0, 5)
    assert ready.controls.image.note == "40 × 30 uint16 · plane 5 / 6 · black 10, white 900"


def test_surface_and_object_choose_the_papers_lists(ready):
    ready.controls.prompts._kinds["texture"].click()
    assert ready.controls.prompts.prompts.name == "paper-texture"
    assert ready.controls.prompts.note.startswith("462 + 462")
    ready.controls.prompts._kinds["object"].click()
    assert ready.controls.prompts.prompts.name == "paper-object"
    assert ready.controls.prompts.prompts.object == "plate"


class Paints(QObject):
    """Counts how often a widget is drawn."""

    count = 0

    def eventFilter(self, watched, event):
        self.count += event.type() == QEvent.Type.Paint
        return False


def test_an_idle_dock_does_not_draw_itself_again_and_again(ready, viewer, run, qtbot):
    window = viewer.window._qt_window
    window.show()
    for section in ready.sections.values():
        section.open()
    run(ready)
    qtbot.wait(500)
    paints = Paints()
    for widget in ready.findChildren(QWidget):
        widget.installEventFilter(paints)
    qtbot.wait(500)
    assert paints.count < 50, "a dock that draws itself all the time takes the processor from the run"


def test_two_docks_share_one_model(ready, run, make_napari_viewer, bright_is_bad, picture):
    second_viewer = make_napari_viewer(show=False)
    _, second = second_viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    second.controls.prompts.prefill({"object": "plate", "preset": "short"})
    second_viewer.add_image(picture, rgb=True)
    run(ready)
    run(second)
    builtin = ModelChoice()
    assert ready.models.loaded(builtin) is second.models.loaded(builtin) is bright_is_bad


class Blocking:
    """The real model, but `detect` waits until it is let go or cancelled: the only fake, to hold the moment still."""

    device = "cpu"
    memory_bytes = 0

    def __init__(self, model) -> None:
        self._model = model
        self.go = threading.Event()

    def __getattr__(self, name):
        return getattr(self._model, name)

    def detect(self, *arguments, on_progress, cancel, **options):
        while not self.go.wait(0.01):
            if cancel.is_set():
                break
        return self._model.detect(*arguments, on_progress=on_progress, cancel=cancel, **options)

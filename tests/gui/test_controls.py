"""What is chosen in the dock: restored from a result, kept between starts, and asked for as one request."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings
from napari_anoclip.plugin import controls as controls_module
from napari_anoclip.plugin import results
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.preferences import Preferences

WANTED = AnoCLIPSettings.model_validate(
    {
        "scoring": {"temperature": 0.5, "smooth": False, "mean_order": "unit", "image_score": "map_max"},
        "adaptation": {"enabled": True, "steps": 3, "start": "zero", "seed": 7},
        "tiling": {"mode": "both", "overlap": 0.5},
        "vv_blocks": 1,
    }
)
SHOWN = DisplaySettings(range="manual", low=0.4, high=0.6, threshold=0.55, contour=True)


@pytest.fixture
def ready(dock, viewer, use_model, bright_is_bad, picture):
    use_model(bright_is_bad)
    viewer.add_image(picture, rgb=True, name="plate_07")
    dock.controls.live.setChecked(False)
    return dock


def asked(dock):
    """The request without the planes, whose arrays do not compare."""
    request = dock.controls.request()
    return request.prompts, request.settings, request.display, request.model, request.image_choice


def open_dock(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    return dock


def close(viewer, dock):
    viewer.window.remove_dock_widget(dock)


def test_restoring_from_a_result_puts_everything_back(ready, viewer, run, qtbot):
    edited = PromptSet.compose(
        object="plate", normal_states=["fine {}"], abnormal_states=["burnt {}", "{} with a hole"], frames=["a {}"]
    )
    ready.controls.settings, ready.controls.scoring.display = WANTED, SHOWN
    ready.controls.document.value = edited
    run(ready)
    before = asked(ready)
    result = results.find(viewer.layers, viewer.layers["plate_07"])
    data, limits = result.data.copy(), result.contrast_limits

    ready.controls.settings, ready.controls.scoring.display = AnoCLIPSettings(), DisplaySettings()
    ready.controls.document.value = PromptSet.preset("paper-object", "bottle")
    assert asked(ready) != before
    viewer.layers.selection.active = result
    assert ready.restore_button.isVisibleTo(ready)
    assert result.name in ready.restore_button.text()
    ready.restore_button.click()
    assert asked(ready) == before
    run(ready)
    np.testing.assert_array_equal(result.data, data)
    assert result.contrast_limits == limits


def test_restoring_replaces_a_name_that_could_not_be_used(ready, viewer, run):
    run(ready)
    ready.controls.prompts._object.setText("plate {")
    viewer.layers.selection.active = results.find(viewer.layers, viewer.layers["plate_07"])
    ready.restore_button.click()
    run(ready)


def test_restoring_is_offered_for_results_only(ready, viewer, run):
    run(ready)
    viewer.layers.selection.active = viewer.layers["plate_07"]
    assert not ready.restore_button.isVisibleTo(ready)


def test_the_next_dock_begins_where_the_last_was_left(ready, viewer):
    ready.controls.settings, ready.controls.scoring.display = WANTED, SHOWN
    ready.controls.document.value = PromptSet.preset("short", "plate").with_prompt("a photo of a damaged plate", False)
    ready.controls.model.choice = ModelChoice("builtin", device="cpu")
    ready.sections["Scoring and colours"].open()
    before = asked(ready)
    close(viewer, ready)
    reopened = open_dock(viewer)
    assert asked(reopened) == before
    assert not reopened.controls.live.isChecked()
    assert [title for title, section in reopened.sections.items() if section.is_open] == ["Scoring and colours"]


def test_a_dock_state_that_is_damaged_stops_nothing(ready, viewer, tmp_path, run):
    close(viewer, ready)
    (tmp_path / "dock.json").write_text("{ not json")
    reopened = open_dock(viewer)
    assert asked(reopened)[1] == AnoCLIPSettings()


def test_a_preference_changed_since_counts_and_one_that_was_not_leaves_what_was_set(ready, viewer, monkeypatch):
    ready.controls.live.setChecked(False)
    close(viewer, ready)
    reopened = open_dock(viewer)
    assert not reopened.controls.live.isChecked(), "the preference is as it was"
    close(viewer, reopened)
    monkeypatch.setattr(controls_module, "preferences", lambda: Preferences(live=False, device="cpu"))
    reopened = open_dock(viewer)
    assert reopened.controls.model.choice.device == "cpu"


def test_a_threshold_and_a_range_by_hand_change_the_view_and_no_probability(ready, viewer, run, qtbot):
    run(ready)
    result = results.find(viewer.layers, viewer.layers["plate_07"])
    data = result.data.copy()
    started = []
    ready.job.state_changed.connect(started.append)
    ready.controls.scoring.display = SHOWN
    qtbot.waitUntil(lambda: tuple(result.contrast_limits) == (0.4, 0.6), timeout=5000)
    assert any(layer.name == "plate_07 · above 0.55" for layer in viewer.layers)
    assert started == []
    np.testing.assert_array_equal(result.data, data)


def test_one_range_by_hand_holds_for_all_results_of_the_model(ready, viewer, run, picture, qtbot):
    run(ready)
    other = viewer.add_image(255 - picture, rgb=True, name="plate_08")
    run(ready)
    ready.controls.scoring.display = DisplaySettings(range="manual", low=0.3, high=0.9)
    maps = [results.find(viewer.layers, image) for image in (viewer.layers["plate_07"], other)]
    qtbot.waitUntil(lambda: all(tuple(one.contrast_limits) == (0.3, 0.9) for one in maps), timeout=5000)


def test_good_images_of_ones_own_give_the_colours(ready, viewer, run, picture, qtbot):
    run(ready)
    ready.controls.live.setChecked(True)
    good = np.full_like(picture, 60)
    ready.controls.scoring.display = DisplaySettings(range="own")
    ready.controls.scoring.references_wanted.emit([good])
    qtbot.waitUntil(lambda: ready.bench.result.display.source.endswith("own good images"), timeout=20_000)


def test_holding_the_button_shows_the_map_before_adaptation(ready, viewer, run):
    ready.controls.adapt.setChecked(True)
    run(ready)
    detection = ready.bench.result.detection
    result = results.find(viewer.layers, viewer.layers["plate_07"])
    ready.controls.adaptation.before.pressed.emit()
    np.testing.assert_array_equal(result.data, detection.before)
    ready.controls.adaptation.before.released.emit()
    np.testing.assert_array_equal(result.data, detection.map)
    assert not np.allclose(detection.map, detection.before)


def test_keep_makes_a_second_result(ready, viewer, run, qtbot):
    run(ready)
    first = results.find(viewer.layers, viewer.layers["plate_07"])
    data = first.data.copy()
    ready.controls.adapt.setChecked(True)
    with qtbot.waitSignal(ready.job.succeeded, timeout=20_000):
        ready.run_bar.keep_button.click()
    second = results.find(viewer.layers, viewer.layers["plate_07"])
    assert second is not first
    assert "anomaly 2" in second.name
    np.testing.assert_array_equal(first.data, data)
    assert (first.visible, second.visible) == (False, True), "two maps over each other could not be told apart"


def test_why_opens_the_probe_at_the_hottest_place(ready, viewer, run, qtbot):
    run(ready)
    ready.run_bar.why_button.click()
    assert ready.sections["Probe"].is_open
    assert ready.probe.held == ready.bench.result.hottest[1]


def test_a_prompt_that_is_blamed_can_be_switched_off_from_the_probe(ready, viewer, run):
    run(ready)
    prompt = ready.controls.document.value.abnormal[0]
    ready.probe.prompt_off.emit(prompt)
    assert prompt not in ready.controls.document.value.abnormal
    ready.probe.prompt_chosen.emit(prompt)
    assert ready.sections["Prompts"].is_open
    assert ready.controls.editor.filter.text() == prompt

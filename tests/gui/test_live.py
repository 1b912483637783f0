"""The dock scores again by itself: after a quiet moment, from kept tokens, and the newest edit wins."""

from __future__ import annotations

import time

import numpy as np
import pytest
from gui.test_dock import Blocking

from napari_anoclip.engine import vision
from napari_anoclip.engine.prompts import Entry, PromptSet
from napari_anoclip.plugin import results
from napari_anoclip.plugin.live import QUIET


@pytest.fixture
def live(dock, viewer, use_model, bright_is_bad, picture, run):
    """A dock with a result, which scores again by itself."""
    use_model(bright_is_bad)
    viewer.add_image(picture, rgb=True, name="plate_07")
    run(dock)
    dock.controls.live.setChecked(True)
    return dock


def with_states(prompts, *texts):
    return PromptSet.model_validate({**dict(prompts), "abnormal_states": [Entry(text=text) for text in texts]})


def result_of(viewer):
    return results.find(viewer.layers, viewer.layers["plate_07"])


def until_quiet(qtbot, dock):
    qtbot.waitUntil(lambda: not dock.bench.live.waiting and not dock.job.busy, timeout=30_000)


def test_an_edit_of_the_prompts_changes_the_map_without_the_image_tower(live, viewer, qtbot, monkeypatch):
    def encode(*arguments, **options):
        raise AssertionError("the image was encoded again")

    monkeypatch.setattr(vision, "encode", encode)
    before = result_of(viewer).data.copy()
    live.controls.document.value = with_states(live.controls.document.value, "burnt {}", "{} with a hole")
    until_quiet(qtbot, live)
    assert live.notice.text == ""
    assert not np.allclose(result_of(viewer).data, before)
    prompts = result_of(viewer).metadata["napari_anoclip"]["provenance"]["prompts"]
    assert [state["text"] for state in prompts["abnormal_states"]] == ["burnt {}", "{} with a hole"]


def test_it_waits_until_typing_stops(live, qtbot):
    shown = []
    live.bench.shown.connect(lambda result: shown.append(time.perf_counter()))
    for word in ("b", "bur", "burn", "burnt"):
        live.controls.document.value = with_states(live.controls.document.value, f"{word} {{}}")
        qtbot.wait(QUIET // 4)
    typed = time.perf_counter()
    assert shown == []
    until_quiet(qtbot, live)
    assert min(shown) - typed > QUIET / 2000


@pytest.mark.parametrize("change", ["temperature", "smoothing", "adaptation"])
def test_other_settings_rescore_as_well(live, viewer, qtbot, change):
    before = result_of(viewer).data.copy()
    settings = live.settings
    if change == "temperature":
        live.settings = settings.model_copy(
            update={"scoring": settings.scoring.model_copy(update={"temperature": 0.5})}
        )
    elif change == "smoothing":
        live.settings = settings.model_copy(update={"scoring": settings.scoring.model_copy(update={"smooth": False})})
    else:
        live.controls.adapt.click()
    until_quiet(qtbot, live)
    assert not np.allclose(result_of(viewer).data, before)


def test_nothing_happens_by_itself_where_live_is_off(live, viewer, qtbot):
    live.controls.live.setChecked(False)
    before = result_of(viewer).data.copy()
    live.controls.document.value = with_states(live.controls.document.value, "burnt {}")
    qtbot.wait(2 * QUIET)
    np.testing.assert_array_equal(result_of(viewer).data, before)


def test_nothing_happens_by_itself_before_the_first_run(dock, viewer, picture, qtbot):
    viewer.add_image(picture, rgb=True)
    dock.controls.live.setChecked(True)
    dock.controls.adapt.click()
    qtbot.wait(2 * QUIET)
    assert not dock.job.busy
    assert len(viewer.layers) == 1


def test_of_ten_quick_edits_the_last_is_what_is_shown(live, viewer, use_model, bright_is_bad, qtbot):
    """Edits come faster than runs end; a late result of an older one never replaces the newest."""
    use_model(Blocking(bright_is_bad))
    live.controls.adapt.click()
    qtbot.waitUntil(lambda: live.job.busy)
    use_model(bright_is_bad)
    for index in range(10):
        live.controls.document.value = with_states(live.controls.document.value, f"worn {{}} number {index}")
        if index % 3 == 0:
            qtbot.wait(QUIET + 20)
    until_quiet(qtbot, live)
    record = result_of(viewer).metadata["napari_anoclip"]["provenance"]
    assert record["prompts"]["abnormal_states"][0]["text"] == "worn {} number 9"
    assert len([layer for layer in viewer.layers if results.is_result(layer)]) == 1


def test_the_run_button_takes_over_from_what_runs_by_itself(live, use_model, bright_is_bad, qtbot):
    blocking = Blocking(bright_is_bad)
    use_model(blocking)
    live.controls.adapt.click()
    qtbot.waitUntil(lambda: live.job.busy)
    with qtbot.waitSignal(live.job.succeeded, timeout=30_000):
        live.run()
        assert live.notice.text == ""
        blocking.go.set()


def test_an_edit_that_cannot_be_scored_is_said_and_the_map_stays(live, viewer, qtbot):
    before = result_of(viewer).data.copy()
    live.controls.document.value = with_states(live.controls.document.value)
    qtbot.waitUntil(lambda: "abnormal" in live.notice.text, timeout=5000)
    np.testing.assert_array_equal(result_of(viewer).data, before)


def test_other_contrast_limits_are_scored_by_themselves(dock, viewer, use_model, bright_is_bad, picture, run, qtbot):
    use_model(bright_is_bad)
    image = viewer.add_image(picture[:, :, 0].astype(np.float32), name="plate_07", contrast_limits=(0, 255))
    run(dock)
    dock.controls.live.setChecked(True)
    before = result_of(viewer).data.copy()
    image.contrast_limits = (0, 100)
    until_quiet(qtbot, dock)
    assert not np.allclose(result_of(viewer).data, before)


def test_replaced_pixels_are_scored_by_themselves(live, viewer, picture, qtbot):
    before = result_of(viewer).data.copy()
    viewer.layers["plate_07"].data = picture[:, ::-1].copy()
    until_quiet(qtbot, live)
    np.testing.assert_allclose(result_of(viewer).data, before[:, ::-1], atol=1e-4)
    assert live.notice.text == ""

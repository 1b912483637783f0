"""A batch judges itself in the dock: a stack, a folder or the viewer's images, looked at once, and when it is said."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from gui.conftest import PROMPTS
from PIL import Image
from qtpy.QtCore import Qt

from napari_anoclip.engine import mutual
from napari_anoclip.engine.settings import MutualSettings
from napari_anoclip.plugin import results
from napari_anoclip.plugin.exam_request import ExamRequest
from napari_anoclip.plugin.live import QUIET
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.queue_panel import QueuePanel
from napari_anoclip.plugin.reviewer import Reviewer

COUNT = 6
ODD = 2
"""The picture that has a patch which no other one has."""
PATCH = np.s_[16:32, 16:32]


def plate(number: int) -> np.ndarray:
    """(96, 96) uint8: a bright square that all have, and in the odd one a dim one besides."""
    pixels = np.random.default_rng(number).integers(38, 43, (96, 96)).astype(np.uint8)
    pixels[56:72, 56:72] = 230
    if number == ODD:
        pixels[PATCH] = 120
    return pixels


@pytest.fixture
def gathered(monkeypatch) -> list[int]:
    """How many images were looked at, each time that it was begun; 0 where it was not ended."""
    counts = []
    gather = mutual.Others.gather

    def counted(*args, **more):
        counts.append(0)
        found = gather(*args, **more)
        counts[-1] = len(found.images)
        return found

    monkeypatch.setattr(mutual.Others, "gather", counted)
    return counts


@pytest.fixture
def ready(dock, use_model, bright_is_bad, gathered):
    use_model(bright_is_bad)
    dock.controls.live.setChecked(False)
    dock.sections["Other images"].open()
    return dock


@pytest.fixture
def stack(viewer, ready):
    """A stack in the viewer, at its odd plane."""
    layer = viewer.add_image(np.stack([plate(number) for number in range(COUNT)]), name="stack")
    viewer.dims.set_current_step(0, ODD)
    return layer


def panel_of(dock):
    return dock.controls.mutual


def shown_map(viewer, layer) -> np.ndarray:
    maps = np.asarray(results.find(viewer.layers, layer).data)
    return maps[viewer.dims.current_step[0]] if maps.ndim == 3 else maps


def record(viewer, layer) -> dict:
    return results.find(viewer.layers, layer).metadata[METADATA_KEY]


def test_what_no_other_plane_shows_gets_hotter_and_the_probe_says_why(ready, viewer, stack, run, gathered, qtbot):
    assert panel_of(ready).note == "5 other planes"
    run(ready)
    before = shown_map(viewer, stack).copy()
    assert gathered == [], "not before it is said"
    panel_of(ready).on.click()
    run(ready)
    after = shown_map(viewer, stack)
    assert gathered == [COUNT]
    assert after[PATCH].max() > before[PATCH].max() + 0.1
    ready.sections["Probe"].open()
    ready.probe.probe((24, 24))
    qtbot.waitUntil(lambda: " by other images, by itself " in ready.probe.detail, timeout=20_000)
    ready.sections["Probe"].open(False)
    viewer.dims.set_current_step(0, 4)
    run(ready)
    assert shown_map(viewer, stack)[PATCH].max() < after[PATCH].max() - 0.1, "a plane like all others"
    assert record(viewer, stack)["provenance"]["others"]["count"] == COUNT
    assert ready.sections["Other images"]._button.text() == "Other images · on"


def test_they_are_looked_at_once_for_all_planes_prompts_and_weights(ready, viewer, stack, run, gathered):
    panel_of(ready).on.click()
    run(ready)
    viewer.dims.set_current_step(0, 4)
    run(ready)
    ready.controls.document.edit(lambda prompts: prompts.with_prompt(prompts.abnormal[0], False))
    panel_of(ready).form.control("weight").value = 2.0
    run(ready)
    panel_of(ready).on.click()
    run(ready)
    panel_of(ready).on.click()
    run(ready)
    assert gathered == [COUNT]
    asked = ready.bench.result.request
    assert asked.settings.mutual.weight == 2.0
    assert len(asked.prompts.abnormal) < len(PROMPTS.abnormal)


def test_a_tick_scores_again_by_itself_and_so_does_a_weight(ready, viewer, stack, run, qtbot):
    run(ready)
    ready.controls.live.setChecked(True)
    flat = shown_map(viewer, stack)[PATCH].max()
    panel_of(ready).on.click()
    qtbot.waitUntil(lambda: shown_map(viewer, stack)[PATCH].max() > flat, timeout=20_000)
    qtbot.waitUntil(lambda: not ready.job.busy)
    panel_of(ready).form.control("weight").value = 0.0
    qtbot.waitUntil(lambda: shown_map(viewer, stack)[PATCH].max() == pytest.approx(flat, abs=1e-6), timeout=20_000)
    qtbot.waitUntil(lambda: not ready.job.busy)


def test_a_range_is_what_counts_and_pixels_that_changed_are_looked_at_again(ready, viewer, stack, run, gathered):
    panel_of(ready).on.click()
    ready.controls.image.choice = {**ready.controls.image.choice, "planes": "range", "first": 1, "last": 5}
    assert panel_of(ready).note == "4 other planes in the range"
    run(ready)
    first = record(viewer, stack)["provenance"]["others"]["digest"]
    stack.data[ODD, :8] = 255  # in place: nobody is told
    run(ready)
    assert gathered == [5, 5]
    assert record(viewer, stack)["provenance"]["others"]["digest"] != first


def test_too_few_images_are_said_and_the_switch_waits_for_more(ready, viewer):
    panel = panel_of(ready)
    assert not panel.on.isEnabled()
    assert "There is no image yet" in panel.note
    layers = [viewer.add_image(plate(number), name=f"plate {number}") for number in range(2)]
    viewer.add_image(np.zeros((64, 64, 3), np.uint8), rgb=True, name="another kind")
    viewer.layers.selection.active = layers[0]
    assert not panel.on.isEnabled()
    assert panel.note.startswith("There is only 1 other image of this kind in the viewer. Choose a stack, ")
    layers += [viewer.add_image(plate(number), name=f"plate {number}") for number in range(2, 4)]
    assert panel.note == "3 other images of this kind in the viewer"
    panel.on.click()
    assert panel.on.isChecked()
    viewer.layers.remove(layers[3])
    assert panel.note.startswith("Not used: There are only 2")
    assert panel.on.isEnabled(), "so that it can be taken back"
    viewer.layers.selection.active = layers[0]
    assert not ready.controls.request().settings.mutual.enabled


@pytest.fixture
def held_up(bright_is_bad, monkeypatch) -> tuple[threading.Event, threading.Event]:
    """The first of the other images is being looked at once the first event is set, until somebody sets the second."""
    arrived, go_on = threading.Event(), threading.Event()
    tokens = bright_is_bad.lattice_tokens

    def slow(*args, **more):
        arrived.set()
        assert go_on.wait(20)
        return tokens(*args, **more)

    monkeypatch.setattr(bright_is_bad, "lattice_tokens", slow)
    return arrived, go_on


def test_where_all_look_the_same_that_is_said_once_for_all_planes(ready, viewer, gathered, qtbot):
    viewer.add_image(np.stack([plate(0)] * COUNT), name="stack")
    ready.controls.image.choice = {**ready.controls.image.choice, "planes": "all"}
    panel_of(ready).on.click()
    with qtbot.waitSignal(ready.job.failed, timeout=20_000):
        ready.run_bar.run_button.click()
    assert "different" in ready.notice.text
    assert gathered == [0]


def test_cancelled_while_they_are_looked_at_everything_can_be_used(ready, viewer, stack, run, gathered, held_up, qtbot):
    arrived, go_on = held_up
    stages = []
    ready.job.progressed.connect(lambda progress: stages.append(ready.run_bar.stage))
    panel_of(ready).on.click()
    ready.run_bar.run_button.click()
    qtbot.waitUntil(arrived.is_set, timeout=20_000)
    qtbot.waitUntil(lambda: f"gathering other images · 0 of {COUNT}" in stages, timeout=5_000)
    ready.job.cancel()
    go_on.set()
    qtbot.waitUntil(lambda: not ready.job.busy, timeout=20_000)
    assert gathered == [0]
    assert results.find(viewer.layers, stack) is None
    assert panel_of(ready).on.isEnabled()
    assert ready.run_bar.run_button.isEnabled()
    run(ready)
    assert gathered == [0, COUNT]


def test_an_edit_waits_for_them_and_is_dropped_with_a_run_that_is_cancelled(
    ready, viewer, stack, run, gathered, held_up, qtbot
):
    run(ready)
    arrived, go_on = held_up
    ready.controls.live.setChecked(True)
    panel_of(ready).on.click()
    qtbot.waitUntil(arrived.is_set, timeout=20_000)
    ready.controls.scoring.value = ready.controls.scoring.value.model_copy(update={"smooth": False})
    qtbot.wait(2 * QUIET)
    go_on.set()
    qtbot.waitUntil(lambda: not ready.bench.result.request.settings.scoring.smooth, timeout=20_000)
    qtbot.waitUntil(lambda: not ready.job.busy)
    assert gathered == [COUNT]

    for event in (arrived, go_on):
        event.clear()
    panel_of(ready).form.control("share").value = 0.5
    qtbot.waitUntil(arrived.is_set, timeout=20_000)
    ready.controls.scoring.value = ready.controls.scoring.value.model_copy(update={"smooth": True})
    qtbot.wait(2 * QUIET)
    ready.job.cancel()
    go_on.set()
    qtbot.waitUntil(lambda: not ready.job.busy, timeout=20_000)
    qtbot.wait(2 * QUIET)
    assert not ready.job.busy
    assert gathered == [COUNT, 0]


def test_it_is_set_by_keys_and_restored_from_a_result_with_all_that_has_no_control(ready, viewer, stack, run, qtbot):
    on = panel_of(ready).on
    assert on.focusPolicy() & Qt.FocusPolicy.TabFocus
    qtbot.keyClick(on, Qt.Key.Key_Space)
    assert ready.settings.mutual.enabled
    assert on.text() == "Use the other images"
    for words in (MutualSettings.model_fields["enabled"].description, "5 other planes"):
        assert words in on.toolTip()
        assert words in on.accessibleDescription()
    assert panel_of(ready).form.control("weight").native.accessibleName() == "Weight"
    settings = MutualSettings(enabled=True, weight=0.5, share=0.4, degrees=(1, 3), held="fp32")
    ready.settings = ready.settings.model_copy(update={"mutual": settings})
    run(ready)
    ready.settings = ready.settings.model_copy(update={"mutual": MutualSettings()})
    assert not panel_of(ready).on.isChecked()
    viewer.layers.selection.active = results.find(viewer.layers, stack)
    ready.restore_button.click()
    assert panel_of(ready).on.isChecked()
    assert ready.settings.mutual == settings
    assert ready.sections["Other images"]._button.text() == "Other images · on"


def test_of_more_than_are_allowed_the_same_sample_is_drawn(ready, stack):
    panel = panel_of(ready)
    panel.form.control("references").value = 4
    assert panel.note == "4 of the 5 other planes"
    drawn = [one.key for one in panel.others().some(panel.value)]
    assert len(set(drawn)) == 4
    assert drawn == [one.key for one in panel.others().some(panel.value)]


class TestFolder:
    """The folder of a review's queue."""

    @pytest.fixture
    def folder(self, tmp_path) -> Path:
        for number in range(COUNT):
            Image.fromarray(plate(number)).save(tmp_path / f"plate_{number}.png")
        return tmp_path

    @pytest.fixture
    def queue(self, viewer, ready, qtbot):
        reviewer = Reviewer(viewer)
        queue = QueuePanel(reviewer)
        qtbot.addWidget(queue)
        yield queue
        queue.close_down()
        reviewer.close_down()

    @staticmethod
    def wait_for(queue, dock, qtbot, name: str) -> None:
        def there() -> bool:
            layer = queue.walk.canvas.layer
            return layer is not None and layer.name == name and dock.bench.result is not None

        qtbot.waitUntil(there, timeout=20_000)
        qtbot.waitUntil(lambda: not dock.job.busy and not queue.walk._scoring._wanted, timeout=20_000)

    def test_a_folder_is_looked_at_once_and_again_when_a_file_changed(
        self, queue, ready, viewer, folder, qtbot, gathered, held_up
    ):
        queue.open_folder(folder)
        self.wait_for(queue, ready, qtbot, "plate_0")
        assert panel_of(ready).note == "5 other pictures of the folder"
        arrived, go_on = held_up
        panel_of(ready).on.click()
        queue.next()
        qtbot.waitUntil(arrived.is_set, timeout=20_000)
        queue.next()
        go_on.set()
        self.wait_for(queue, ready, qtbot, "plate_2")
        assert gathered == [COUNT]
        assert ExamRequest.of(queue._reviewer).others == panel_of(ready).others(), "its figures are of these maps"
        layer = queue.walk.canvas.layer
        hot = shown_map(viewer, layer)[PATCH].max()
        assert hot > np.median(shown_map(viewer, layer)) + 0.01
        (folder / "plate_4.png").write_bytes(b"no picture")
        ready.run_bar.run_button.click()
        qtbot.waitUntil(lambda: "1 other image was left out: plate_4.png." in ready.notice.text, timeout=20_000)
        assert gathered == [COUNT, COUNT - 1]

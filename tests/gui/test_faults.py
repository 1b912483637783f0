"""Bad moments: things change, go or break while the dock works. It says so, loses nothing, and the next run works."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import dask.array as da
import numpy as np
import pytest
import zarr
from gui.conftest import PROMPTS
from gui.test_dock import Blocking
from gui.test_trouble import works_again
from napari.layers import Labels

from napari_anoclip.engine.detector import AnoCLIP
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings
from napari_anoclip.plugin import plane, results
from napari_anoclip.plugin.dock import AnoCLIPDock
from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.live import QUIET
from napari_anoclip.plugin.models import ModelChoice

LONG = 30_000


@pytest.fixture
def ready(dock, viewer, use_model, bright_is_bad, picture):
    """The dock with a picture chosen and the hand-set model loaded; nothing runs by itself."""
    use_model(bright_is_bad)
    dock.controls.live.setChecked(False)
    viewer.add_image(picture, rgb=True, name="plate_07")
    return dock


@pytest.fixture
def hold(use_model, bright_is_bad, qtbot):
    """Press Run and keep the run at its beginning; what comes back lets it go, with the model back for the next."""

    def begin(dock):
        blocking = Blocking(bright_is_bad)
        use_model(blocking)
        dock.run_bar.run_button.click()
        qtbot.waitUntil(lambda: dock.models.loaded(dock.controls.model.choice) is blocking)
        use_model(bright_is_bad)

        def let_go():
            blocking.go.set()
            qtbot.waitUntil(lambda: not dock.job.busy, timeout=LONG)

        return let_go

    return begin


def show(viewer):
    """Open the window, its canvas hidden: Mesa's software drawing crashes now and then, with napari alone too."""
    viewer.window._qt_viewer.canvas.native.hide()
    viewer.window.show()


def result_of(viewer, name="plate_07"):
    return results.find(viewer.layers, viewer.layers[name])


def says_one_sentence(dock, word):
    sentence = dock.notice.text
    assert word in sentence
    assert sentence.endswith(".")
    assert "Traceback" not in sentence
    assert dock.run_bar.run_button.isEnabled()
    assert not dock.run_bar.cancel_button.isEnabled()
    return sentence


def no_run_is_left():
    return not any(thread.name == "anoclip-run" for thread in threading.enumerate())


def stack_of(planes=5):
    """(planes, 40, 48) uint8 with a bright square in each plane."""
    stack = np.full((planes, 40, 48), 40, np.uint8)
    stack[:, 8:16, 8:16] = 230
    return stack


# What happens to the image while it is scored


@pytest.mark.fault(
    "layers changing under a run", "the image is renamed", "the map, under the new name", sees="the heatmap"
)
def test_the_image_is_renamed_during_the_run(ready, viewer, hold):
    let_go = hold(ready)
    viewer.layers["plate_07"].name = "plate_08"
    let_go()
    assert ready.notice.text == ""
    assert result_of(viewer, "plate_08").name.startswith("plate_08 · anomaly 0.")


@pytest.mark.fault(
    "layers changing under a run",
    "the image is moved, rescaled or rotated",
    "the map, where the image is now",
    sees="the heatmap, on the image",
)
@pytest.mark.parametrize("change", [{"scale": (3, 3)}, {"translate": (5, -7)}, {"scale": (0.5, 2), "rotate": 30}])
def test_the_image_is_moved_or_rescaled_during_the_run(ready, viewer, hold, change):
    let_go = hold(ready)
    image = viewer.layers["plate_07"]
    for name, value in change.items():
        setattr(image, name, value)
    let_go()
    assert ready.notice.text == ""
    for pixel in [(0, 0), (95, 119)]:
        np.testing.assert_allclose(result_of(viewer).data_to_world(pixel), image.data_to_world(pixel))


@pytest.mark.fault(
    "layers changing under a run",
    "the image is cropped while other settings are tried",
    "the cropped image; the next run works",
)
def test_the_image_is_cropped_while_other_settings_are_tried(ready, viewer, run, hold, picture, sees):
    run(ready)
    ready.controls.adapt.click()
    let_go = hold(ready)
    viewer.layers["plate_07"].data = picture[:50, :60]
    let_go()
    sees(says_one_sentence(ready, "changed"))
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("layers changing under a run", "a stack is cropped", "the cropped stack; the next run works")
def test_a_stack_is_cropped_while_its_planes_are_scored(ready, viewer, hold, run, picture, sees):
    image = viewer.add_image(stack_of(), name="stack")
    ready.controls.image.choice = {**ready.controls.image.choice, "planes": "all"}
    let_go = hold(ready)
    image.data = image.data[:3, :30, :30]
    let_go()
    sees(says_one_sentence(ready, "changed"))
    assert result_of(viewer, "stack") is None
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("layers changing under a run", "a stack is removed", "the next run works")
def test_a_stack_is_removed_while_its_planes_are_scored(ready, viewer, hold, run, picture, sees):
    image = viewer.add_image(stack_of(), name="stack")
    ready.controls.image.choice = {**ready.controls.image.choice, "planes": "all"}
    let_go = hold(ready)
    del viewer.layers["stack"]
    let_go()
    sees(says_one_sentence(ready, "removed"))
    assert results.find(viewer.layers, image) is None
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "layers changing under a run",
    "another image is chosen",
    "the map of the first image",
    sees="the heatmap of the first image, and no score beside the second",
)
def test_another_image_is_chosen_during_the_run(ready, viewer, hold, run, picture):
    first = viewer.layers["plate_07"]
    let_go = hold(ready)
    second = viewer.add_image(255 - picture, rgb=True, name="other")
    let_go()
    assert results.find(viewer.layers, first) is not None, "what was asked for is not lost"
    assert ready.run_bar.score == "", "but it is not said of the image that is chosen now"
    assert ready.bench.result is None
    run(ready)
    assert results.find(viewer.layers, second) is not None


@pytest.mark.fault(
    "layers changing under a run", "a map is left whose image was removed", "the map; it is not scored itself"
)
def test_the_results_of_an_image_that_was_removed(ready, viewer, run, picture, sees):
    run(ready)
    result = result_of(viewer)
    del viewer.layers["plate_07"]
    viewer.layers.selection.active = result
    ready.run_bar.run_button.click()
    assert ready.job.state is JobState.IDLE
    sees(says_one_sentence(ready, "image"))
    ready.controls.scoring.threshold.setValue(0.4)
    ready.restore_button.click()
    assert len(viewer.layers) == 1, "a map is not scored like an image"
    works_again(ready, viewer, run, picture)


# What the user deletes of ours


@pytest.mark.fault(
    "layers changing under a run", "the map is deleted while it is made anew", "a new map", sees="the new heatmap"
)
def test_the_result_is_deleted_while_it_is_made_anew(ready, viewer, run, hold):
    run(ready)
    let_go = hold(ready)
    del viewer.layers[result_of(viewer).name]
    let_go()
    assert ready.notice.text == ""
    assert result_of(viewer) is not None


def test_the_contour_is_deleted_while_a_run_goes_on(ready, viewer, run, hold):
    ready.controls.scoring.contour.click()
    run(ready)
    line = next(layer for layer in viewer.layers if isinstance(layer, Labels))
    let_go = hold(ready)
    del viewer.layers[line.name]
    ready.controls.scoring.threshold.setValue(0.5)
    let_go()
    assert ready.notice.text == ""
    assert any(isinstance(layer, Labels) for layer in viewer.layers), "it is still ticked"


def test_the_result_is_deleted_and_colours_are_changed(ready, viewer, run, picture, qtbot):
    run(ready)
    del viewer.layers[result_of(viewer).name]
    scoring = ready.controls.scoring
    scoring.range.buttons["manual"].click()
    scoring.range.high.setValue(0.9)
    scoring.threshold.setValue(0.3)
    scoring.contour.click()
    qtbot.wait(100)
    assert [layer.name for layer in viewer.layers] == ["plate_07"]
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "layers changing under a run",
    "the shape that is looked into is deleted",
    "the map of the shape as it was asked for",
)
def test_the_shape_looked_into_is_deleted_during_the_run(ready, viewer, hold, run, picture, sees):
    viewer.add_shapes([[[20, 60], [20, 100], [60, 100], [60, 60]]], shape_type="rectangle", name="region")
    viewer.layers.selection.active = viewer.layers["plate_07"]
    ready.controls.image.choice = {**ready.controls.image.choice, "region": "shape", "shape_layer": "region"}
    let_go = hold(ready)
    del viewer.layers["region"]
    let_go()
    assert ready.notice.text == ""
    assert max(result_of(viewer).data.shape) < 50, "the region that was asked for"
    ready.run_bar.run_button.click()
    sees(says_one_sentence(ready, "no shapes layer"))
    ready.controls.image.choice = {**ready.controls.image.choice, "region": "whole"}
    run(ready)
    assert result_of(viewer).data.shape == picture.shape[:2]


def test_the_result_is_deleted_while_the_look_back_is_held(ready, viewer, run, picture, qtbot):
    ready.controls.adapt.click()
    run(ready)
    button = ready.controls.adaptation.before
    button.pressed.emit()
    del viewer.layers[result_of(viewer).name]
    button.released.emit()
    assert len(viewer.layers) == 1
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "layers changing under a run",
    "a layer is deleted while the probe reads: {case}",
    "the next run and the next probe work",
    sees="the probe is empty until the next place",
)
@pytest.mark.parametrize("gone", ["image", "result", "outlines"])
def test_a_layer_is_deleted_while_the_probe_reads(ready, viewer, run, picture, gone, qtbot):
    run(ready)
    ready.sections["Probe"].open()
    ready.probe.hottest.click()
    name = {"image": "plate_07", "result": result_of(viewer).name, "outlines": "AnoCLIP probe"}[gone]
    del viewer.layers[name]
    qtbot.waitUntil(lambda: not ready.probe.job.busy, timeout=LONG)
    works_again(ready, viewer, run, picture)
    ready.probe.hottest.click()
    qtbot.waitUntil(lambda: not ready.probe.job.busy, timeout=LONG)
    assert "score" in ready.probe.text.lower() or "0." in ready.probe.text


@pytest.mark.fault(
    "layers changing under a run",
    "a layer is deleted while a comparison is made or shown: {case}",
    "what was kept to compare; the viewer as it was before",
)
@pytest.mark.parametrize("gone", ["image", "cell"])
def test_a_layer_is_deleted_while_a_comparison_is_made_or_shown(ready, viewer, run, picture, gone, qtbot, sees):
    compare = ready.compare
    ready.sections["Compare"].open()
    compare.keep.click()
    ready.controls.adapt.click()
    compare.keep.click()
    compare.start.click()
    if gone == "image":
        del viewer.layers["plate_07"]
    qtbot.waitUntil(lambda: not compare.job.busy, timeout=LONG)
    if gone == "cell":
        del viewer.layers[0]
    assert sees(compare.notice.text).endswith(".")
    assert not [layer.name for layer in viewer.layers if layer.name != "plate_07"]
    works_again(ready, viewer, run, picture)


# What happens to the model and to the prompts


@pytest.mark.fault(
    "models and downloads", "the model is unloaded during a run", "the run ends with it; the next one loads it again"
)
def test_the_model_is_unloaded_during_a_run(ready, viewer, hold, run, bright_is_bad, monkeypatch, sees):
    loaded = []
    monkeypatch.setattr(AnoCLIP, "load", lambda name, **how: loaded.append(name) or bright_is_bad)
    let_go = hold(ready)
    ready.model_panel.unload_button.setEnabled(True)  # as it is after a first run
    ready.model_panel.unload_button.click()
    assert "when the run under way ends" in sees(ready.model_panel.said)
    let_go()
    assert ready.notice.text == ""
    assert result_of(viewer) is not None
    assert ready.controls.model.note.endswith("not loaded yet")
    assert loaded == []
    run(ready)
    assert loaded == ["builtin"]
    assert ready.controls.model.note.endswith("ready")


@pytest.mark.fault(
    "caches and disks", "a prompt file is edited on disk during a run", "the run has the prompts that it began with"
)
def test_the_prompt_file_is_edited_on_disk_during_a_run(ready, viewer, hold, run, tmp_path, qtbot, sees):
    path = tmp_path / "mine.yaml"
    PROMPTS.save(path)
    document = ready.controls.document
    document.load(path)
    qtbot.waitUntil(lambda: document.source.path == path)
    let_go = hold(ready)
    PROMPTS.with_object("washer").save(path)
    row = ready.controls.prompts
    qtbot.waitUntil(lambda: "mine.yaml was changed" in row._notice.text, timeout=5000)
    sees(row._notice.text)
    let_go()
    assert result_of(viewer).metadata["napari_anoclip"]["provenance"]["prompts"]["object"] == "plate"
    row._notice.act()
    qtbot.waitUntil(lambda: document.value.object == "washer")
    run(ready)
    assert result_of(viewer).metadata["napari_anoclip"]["provenance"]["prompts"]["object"] == "washer"


def test_the_prompt_file_is_deleted_during_a_run(ready, viewer, hold, run, tmp_path, qtbot):
    path = tmp_path / "mine.yaml"
    PROMPTS.save(path)
    document = ready.controls.document
    document.load(path)
    qtbot.waitUntil(lambda: document.source.path == path)
    let_go = hold(ready)
    path.unlink()
    let_go()
    run(ready)
    assert document.value.object == "plate"
    document.save()
    qtbot.waitUntil(path.exists)


# Docks and viewers come and go


@pytest.mark.fault(
    "GUI lifetimes", "napari is closed while “Live” waits", "no thread is left", sees="the window closes"
)
def test_the_viewer_is_closed_while_live_waits(ready, viewer, run, qtbot):
    run(ready)
    ready.controls.live.setChecked(True)
    show(viewer)
    ready.controls.adapt.click()
    assert ready.bench.live.waiting
    viewer.close()
    assert not ready.bench.live.waiting
    qtbot.wait(2 * QUIET)
    assert no_run_is_left()


@pytest.mark.fault("GUI lifetimes", "napari is closed meanwhile: {case}", "no thread is left", sees="the window closes")
@pytest.mark.parametrize("work", ["probe", "compare", "check", "look around", "stale"])
def test_the_viewer_is_closed_while_something_is_worked_out(ready, viewer, run, work, use_model, bright_is_bad, qtbot):
    run(ready)
    show(viewer)
    if work == "probe":
        ready.sections["Probe"].open()
        ready.probe.hottest.click()
    elif work == "compare":
        ready.sections["Compare"].open()
        ready.compare.keep.click()
        ready.compare.keep.click()
        use_model(blocking := Blocking(bright_is_bad))
        ready.compare.start.click()
        qtbot.waitUntil(lambda: ready.models.loaded(ModelChoice()) is blocking)
    elif work == "check":
        ready.controls.document.check._start()
    elif work == "look around":
        ready.model_panel.look()
    else:
        with qtbot.waitSignal(ready._stale.job.state_changed):  # it has begun; it may end sooner than one can look
            viewer.layers["plate_07"].data = viewer.layers["plate_07"].data.copy()
    viewer.close()
    assert no_run_is_left()
    qtbot.wait(50)


@pytest.mark.fault("threads", "two docks run at once", "both results, one after the other")
def test_two_docks_in_one_viewer(ready, viewer, hold, picture, run, qtbot, sees):
    second = AnoCLIPDock(viewer)
    viewer.window.add_dock_widget(second, name="AnoCLIP 2")
    second.controls.prompts.prefill({"object": "plate", "preset": "short"})
    let_go = hold(ready)
    second.run_bar.run_button.click()
    qtbot.waitUntil(lambda: "waiting for another run" in second.run_bar.stage, timeout=5000)
    sees(second.run_bar.stage)
    let_go()
    qtbot.waitUntil(lambda: not second.job.busy, timeout=LONG)
    assert (ready.notice.text, second.notice.text) == ("", "")
    assert len([layer for layer in viewer.layers if results.is_result(layer)]) == 1
    viewer.window.remove_dock_widget(second)
    works_again(ready, viewer, run, picture)


def test_a_run_that_waits_for_another_dock_can_be_cancelled(ready, viewer, hold, qtbot):
    second = AnoCLIPDock(viewer)
    viewer.window.add_dock_widget(second, name="AnoCLIP 2")
    let_go = hold(ready)
    second.run()
    qtbot.waitUntil(lambda: "waiting for another run" in second.run_bar.stage, timeout=5000)
    with qtbot.waitSignal(second.job.cancelled, timeout=5000):
        second.run_bar.cancel_button.click()
    let_go()
    assert result_of(viewer) is not None


def test_docks_in_two_viewers_run_at_once(ready, viewer, hold, make_napari_viewer, picture, run, qtbot):
    other = make_napari_viewer(show=False)
    _, second = other.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    second.controls.prompts.prefill({"object": "plate", "preset": "short"})
    other.add_image(255 - picture, rgb=True, name="another")
    let_go = hold(ready)
    second.run()
    let_go()
    qtbot.waitUntil(lambda: not second.job.busy, timeout=LONG)
    assert [layer.name[:8] for layer in viewer.layers] == ["plate_07"] * 2
    assert [layer.name[:7] for layer in other.layers] == ["another"] * 2
    other.close()
    run(ready)


@pytest.mark.fault("GUI lifetimes", "the theme is switched during a run", "the run", sees="the heatmap")
def test_the_theme_is_switched_during_a_run(ready, viewer, hold, run):
    let_go = hold(ready)
    for theme in ("light", "dark", "light"):
        viewer.theme = theme
    let_go()
    assert result_of(viewer) is not None
    run(ready)


def test_the_dock_is_closed_and_opened_again_during_a_run(ready, viewer, hold, run):
    wanted = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True, steps=3), vv_blocks=1)
    ready.settings = wanted
    ready.controls.prompts._object.setText("washer")
    ready.sections["Adaptation"].open()
    hold(ready)
    viewer.window.remove_dock_widget(ready)
    assert no_run_is_left()
    _, again = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    assert again is not ready
    assert again.settings == wanted
    assert again.controls.prompts.prompts.object == "washer"
    assert again.sections["Adaptation"].is_open
    assert again.job.state is JobState.IDLE
    assert again.run_bar.run_button.isEnabled()
    run(again)
    assert result_of(viewer) is not None


@pytest.mark.fault(
    "GUI lifetimes", "the dock is closed after all its sections were used", "memory: no layer is held", sees="nothing"
)
def test_a_closed_dock_lets_go_of_the_layers(ready, viewer, run, qtbot):
    for section in ready.sections.values():
        section.open()
    run(ready)
    ready.probe.hottest.click()
    qtbot.waitUntil(lambda: not ready.probe.job.busy, timeout=LONG)
    viewer.window.remove_dock_widget(ready)
    image = weakref.ref(viewer.layers["plate_07"])
    viewer.layers.clear()
    qtbot.wait(50)
    gc.collect()
    assert image() is None


# Images that are hardly any


@pytest.mark.fault(
    "inputs",
    "an unusual image: {case}",
    "the image; its map is finite everywhere",
    sees="a heatmap of the size of the image",
)
@pytest.mark.parametrize(
    ("pixels", "layer"),
    [
        (np.where(np.eye(60), np.nan, 0.5).astype(np.float32), {}),
        (np.where(np.eye(60), np.inf, 0.5).astype(np.float32), {"contrast_limits": (0, 1)}),
        (np.where(np.eye(60), -np.inf, np.linspace(-3, 2, 60)), {"contrast_limits": (-3, 2)}),
        (np.full((1, 1), 0.3), {"contrast_limits": (0, 1)}),
        (np.arange(80, dtype=np.uint16)[None], {}),
        (np.full((30, 40, 4), 90, np.uint8), {"rgb": True}),
        (np.random.default_rng(0).random((30, 40, 4)), {"rgb": True}),
        (np.eye(50, dtype=bool), {}),
        (np.arange(1200, dtype=np.int64).reshape(30, 40) - 10**15, {}),
        (np.linspace(-5, -1, 1200).reshape(30, 40), {}),
        (np.zeros((20, 30), np.float16), {}),
    ],
    ids=["NaN", "inf", "-inf", "pixel", "row", "RGBA", "float-RGBA", "bool", "int64", "negative", "flat-half"],
)
def test_an_unusual_image_is_scored(ready, viewer, run, pixels, layer):
    image = viewer.add_image(pixels, name="odd", **layer)
    run(ready)
    maps = results.find(viewer.layers, image).data
    assert maps.shape == pixels.shape[:2]
    assert np.isfinite(maps).all()


@pytest.mark.fault("inputs", "the slider stands outside of the chosen stack", "both stacks; the next run works")
def test_the_slider_is_outside_of_the_image(ready, viewer, run, picture, sees):
    viewer.add_image(stack_of(12), name="longer")
    viewer.add_image(stack_of(5), name="shorter")
    viewer.dims.set_current_step(0, 9)
    ready.run_bar.run_button.click()
    sees(says_one_sentence(ready, "Move the slider"))
    viewer.dims.set_current_step(0, 3)
    run(ready)
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "layers changing under a run", "the viewer is turned to 3D", "the maps of both views", sees="the heatmap"
)
def test_the_viewer_is_turned_to_3d(ready, viewer, run, hold):
    viewer.add_image(stack_of(), name="stack")
    let_go = hold(ready)
    viewer.dims.ndisplay = 3
    let_go()
    run(ready)
    viewer.dims.ndisplay = 2
    run(ready)
    assert result_of(viewer, "stack") is not None


def test_what_the_probe_outlines_can_be_drawn_in_3d(ready, viewer, run):
    """An empty Vectors layer cannot, in napari 0.9: each frame ends in an exception."""
    ready.sections["Probe"].open()
    run(ready)
    viewer.dims.ndisplay = 3
    drawn = viewer.window._qt_viewer.canvas.layer_to_visual[viewer.layers["AnoCLIP probe"]].node
    assert drawn.mesh_data.get_vertices().shape[1] == 3


@pytest.mark.parametrize("way", [{"rotate": 30}, {"shear": [0.3]}, {"units": ("um", "um"), "scale": (0.2, 0.4)}])
def test_an_image_that_lies_askew(ready, viewer, run, picture, way):
    image = viewer.add_image(picture, rgb=True, name="askew", **way)
    run(ready)
    result = results.find(viewer.layers, image)
    for pixel in [(0, 0), (95, 119)]:
        np.testing.assert_allclose(result.data_to_world(pixel), image.data_to_world(pixel))


class Counted:
    """A zarr array that notes how much a run reads of it at a time."""

    def __init__(self, stored) -> None:
        self._stored = stored
        self.shape, self.dtype, self.ndim, self.chunks = stored.shape, stored.dtype, stored.ndim, stored.chunks
        self.reads: list[int] = []

    def __getitem__(self, key):
        pixels = self._stored[key]
        if threading.current_thread().name == "anoclip-run":
            self.reads.append(pixels.nbytes)
        return pixels

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


@pytest.mark.fault("memory", "an image larger than memory", "memory: it is read in strips", sees="the heatmap")
def test_a_stored_image_is_never_read_whole(ready, viewer, run, tmp_path, monkeypatch):
    """In small: of an image above the bounds, strips. The memory of a huge one is measured in the engine's tests."""
    side, bound = 3000, 1 << 20
    monkeypatch.setattr(plane, "WHOLE_READ_BYTES", bound)
    monkeypatch.setattr("napari_anoclip.engine.imaging._STRIP_PIXELS", bound)
    stored = zarr.create_array(str(tmp_path / "huge.zarr"), shape=(side, side), chunks=(250, 250), dtype="u1")
    stored[:] = 40
    stored[600:1100, 2000:2500] = 230
    lazy = Counted(stored)
    image = viewer.add_image(lazy, name="huge", contrast_limits=(0, 255), multiscale=False)
    run(ready)
    assert max(lazy.reads) <= 2 * bound
    assert sum(lazy.reads) >= side * side
    result = results.find(viewer.layers, image)
    row, column = np.unravel_index(np.nanargmax(result.data), result.data.shape)
    at = result.data_to_world((row, column))
    assert 600 <= at[0] < 1100
    assert 2000 <= at[1] < 2500


# What the pixels lie in goes, or is of another kind than before


@pytest.mark.fault(
    "inputs",
    "an image of type {case} takes the place of the one that was scored",
    "the new pixels; its map is scored",
    sees="the heatmap of the new pixels",
)
@pytest.mark.parametrize("kind", [bool, np.int64, np.float32, np.uint16], ids=lambda kind: np.dtype(kind).name)
def test_pixels_of_another_type_take_the_place_of_those_that_were_scored(ready, viewer, run, kind):
    image = viewer.add_image(np.full((40, 50), 90, np.uint8), name="changing")
    run(ready)
    image.data = np.eye(40, 50).astype(kind)
    run(ready)
    result = result_of(viewer, "changing")
    assert result.data.shape == (40, 50)
    assert np.isfinite(result.data).all()


@pytest.mark.fault("layers changing under a run", "the pixels get another type", "the new pixels; the next run works")
def test_the_pixels_get_another_type_during_the_run(ready, viewer, hold, run, picture, sees):
    let_go = hold(ready)
    viewer.layers["plate_07"].data = picture.astype(np.float32) / 255
    let_go()
    sees(says_one_sentence(ready, "changed"))
    run(ready)


@pytest.mark.fault("inputs", "a zarr array of which a chunk is damaged", "the layer; the next run works")
def test_a_damaged_zarr_array_is_told(ready, viewer, run, picture, tmp_path, qtbot, sees):
    folder = tmp_path / "plates.zarr"
    stored = zarr.create_array(str(folder), shape=(64, 64), chunks=(64, 64), dtype="u1")
    stored[:] = picture[:64, :64, 0]
    viewer.add_image(stored, name="stored", contrast_limits=(0, 255))
    for chunk in (folder / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    with qtbot.waitSignal(ready.job.failed, timeout=LONG):
        ready.run_bar.run_button.click()
    sees(says_one_sentence(ready, "could not be read"))
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("inputs", "a dask image that raises when it is read", "the layer; the next run works")
def test_a_dask_image_that_raises_is_told(ready, viewer, run, picture, qtbot, sees):
    broken = threading.Event()

    def read(block):
        if broken.is_set():
            raise OSError("the disk has a scratch")
        return block

    lazy = da.from_array(picture, chunks=picture.shape).map_blocks(read, dtype=np.uint8)
    viewer.add_image(lazy, name="lazy", rgb=True)
    broken.set()
    with qtbot.waitSignal(ready.job.failed, timeout=LONG):
        ready.run_bar.run_button.click()
    sees(says_one_sentence(ready, "the disk has a scratch"))
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "inputs",
    "an image of five dimensions",
    "the layer; the plane that is shown is scored",
    sees="the heatmap of that plane",
)
def test_an_image_of_five_dimensions_is_scored_where_it_is_looked_at(ready, viewer, run):
    image = viewer.add_image(np.random.default_rng(0).integers(0, 255, (2, 3, 4, 40, 50), np.uint8), name="five")
    viewer.dims.set_current_step(0, 1)
    run(ready)
    found = np.asarray(results.find(viewer.layers, image).data[1, 1, 1])
    assert found.shape == (40, 50)


@pytest.mark.fault(
    "GUI lifetimes",
    "the clock goes back an hour during a run",
    "the map; seconds are never below nothing",
    sees="the heatmap",
)
def test_the_clock_goes_back_during_a_run(ready, viewer, hold, monkeypatch):
    let_go = hold(ready)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    let_go()
    assert result_of(viewer) is not None
    assert ready.notice.text == ""
    assert "-" not in ready.run_bar.score

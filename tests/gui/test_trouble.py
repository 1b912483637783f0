"""Bad input and bad moments: each becomes one sentence in the dock, nothing is lost, and the next run works."""

from __future__ import annotations

import json
import pickle
import threading

import numpy as np
import pytest
import torch
from gui.test_dock import Blocking

from napari_anoclip.engine import vision
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin.dock import AnoCLIPDock
from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.models import PAPER
from napari_anoclip.plugin.results import find as find_result


@pytest.fixture
def ready(dock, viewer, use_model, bright_is_bad, picture):
    use_model(bright_is_bad)
    viewer.add_image(picture, rgb=True, name="plate_07")
    return dock


@pytest.fixture
def fails(qtbot):
    """Press Run, wait for the failure and give the sentence that is shown."""

    def press(dock: AnoCLIPDock) -> str:
        with qtbot.waitSignal(dock.job.failed, timeout=60_000):
            dock.run_bar.run_button.click()
        sentence = dock.notice.text
        assert dock.notice.isVisibleTo(dock)
        assert sentence.endswith(".")
        assert "Traceback" not in sentence
        assert dock.run_bar.run_button.isEnabled()
        assert not dock.run_bar.cancel_button.isEnabled()
        return sentence

    return press


def works_again(dock, viewer, run, picture):
    """A good image and the loaded model after the trouble."""
    dock.controls.model.choose("builtin")
    dock.controls.model.device.setCurrentText("auto")
    image = viewer.add_image(picture, rgb=True, name="good")
    run(dock)
    assert dock.notice.text == ""
    assert find_result(viewer.layers, image) is not None


@pytest.mark.fault("inputs", "Run without any image", "the dock; the next run works")
def test_no_image(dock, viewer, use_model, bright_is_bad, run, picture, sees):
    use_model(bright_is_bad)
    dock.run_bar.run_button.click()
    assert dock.job.state is JobState.IDLE
    assert "no image yet" in sees(dock.notice.text)
    works_again(dock, viewer, run, picture)


@pytest.mark.fault("inputs", "labels are chosen in place of an image", "the dock; the next run works")
def test_labels_in_place_of_an_image(dock, viewer, use_model, bright_is_bad, run, picture, sees):
    use_model(bright_is_bad)
    viewer.add_labels(np.zeros((8, 8), int))
    dock.run_bar.run_button.click()
    assert dock.notice.text == "This layer holds labels, not an image. Choose an image layer."
    sees(dock.notice.text)
    works_again(dock, viewer, run, picture)


@pytest.mark.fault("inputs", "an image of NaN alone", "the image; the next run works")
def test_an_image_without_a_finite_pixel(dock, viewer, use_model, bright_is_bad, fails, run, picture, sees):
    # Complex images and those without pixels napari refuses itself; the engine's tests have them.
    use_model(bright_is_bad)
    viewer.add_image(np.full((40, 50), np.nan, np.float32), contrast_limits=(0, 1))
    assert "finite" in sees(fails(dock))
    assert len(viewer.layers) == 1
    works_again(dock, viewer, run, picture)


@pytest.mark.fault(
    "inputs",
    "an image of 1 × 1, 3 × 5000 or 5000 × 3 pixels",
    "the image; its map is finite everywhere",
    sees="a heatmap of the size of the image",
)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5000), (5000, 3)])
def test_images_of_odd_shape_are_scored(dock, viewer, use_model, bright_is_bad, run, shape):
    use_model(bright_is_bad)
    image = viewer.add_image(np.full(shape, 90, np.uint8), name="odd")
    run(dock)
    result = find_result(viewer.layers, image)
    assert result.data.shape == shape
    assert np.isfinite(result.data).all()


@pytest.mark.fault("layers changing under a run", "the image is removed", "the other layers; the next run works")
def test_the_layer_is_removed_during_the_run(ready, viewer, use_model, bright_is_bad, run, picture, qtbot, sees):
    blocking = Blocking(bright_is_bad)
    use_model(blocking)
    ready.run()
    viewer.layers.remove("plate_07")
    with qtbot.waitSignal(ready.job.succeeded, timeout=30_000):
        blocking.go.set()
    assert "removed" in sees(ready.notice.text)
    assert len(viewer.layers) == 0
    use_model(bright_is_bad)
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "layers changing under a run", "the pixels are replaced", "the new pixels; no map of the old ones on them"
)
def test_the_data_are_replaced_during_the_run(ready, viewer, use_model, bright_is_bad, run, picture, qtbot, sees):
    blocking = Blocking(bright_is_bad)
    use_model(blocking)
    ready.run()
    viewer.layers["plate_07"].data = picture[:50, :60]
    with qtbot.waitSignal(ready.job.succeeded, timeout=30_000):
        blocking.go.set()
    assert "changed" in sees(ready.notice.text)
    assert len(viewer.layers) == 1
    use_model(bright_is_bad)
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("threads", "Run is pressed again while one runs", "the run under way")
def test_run_pressed_again_while_one_runs(ready, viewer, use_model, bright_is_bad, qtbot, sees):
    blocking = Blocking(bright_is_bad)
    use_model(blocking)
    ready.run()
    ready.run()
    assert "under way" in sees(ready.notice.text)
    assert ready.job.state is JobState.RUNNING
    with qtbot.waitSignal(ready.job.succeeded, timeout=30_000):
        blocking.go.set()
    assert ready.notice.text == ""
    assert len(viewer.layers) == 2


@pytest.mark.fault("GUI lifetimes", "napari is closed during a run", "no thread is left", sees="the window closes")
def test_the_viewer_is_closed_during_a_run(ready, viewer, use_model, bright_is_bad, qtbot):
    use_model(Blocking(bright_is_bad))
    heard = []
    ready.job.succeeded.connect(heard.append)
    viewer.window.show()
    ready.run()
    viewer.close()
    assert not any(thread.name == "anoclip-run" for thread in threading.enumerate())
    qtbot.wait(100)
    assert heard == []


@pytest.mark.fault(
    "GUI lifetimes",
    "the dock is closed during a run",
    "the layers; a new dock works; no thread is left",
    sees="the dock closes",
)
def test_the_dock_is_closed_during_a_run(ready, viewer, use_model, bright_is_bad, picture, run, qtbot):
    use_model(Blocking(bright_is_bad))
    ready.run()
    viewer.window.remove_dock_widget(ready)
    assert not any(thread.name == "anoclip-run" for thread in threading.enumerate())
    viewer.add_image(picture, rgb=True)  # nothing of the closed dock may answer to this
    qtbot.wait(50)
    use_model(bright_is_bad)
    _, reopened = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    reopened.controls.prompts.prefill({"object": "plate", "preset": "short"})
    run(reopened)


@pytest.mark.fault("inputs", "a brace in the name of the object", "what was typed; the next run works")
def test_an_object_without_a_usable_name(ready, viewer, run, picture, sees):
    ready.controls.prompts.prefill({"object": "plate {", "preset": "short"})
    ready.run_bar.run_button.click()
    assert "braces" in sees(ready.notice.text)
    ready.controls.prompts.prefill({"object": "plate", "preset": "short"})
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("inputs", "a side without prompts", "the prompts; the next run works")
def test_a_side_without_prompts(ready, viewer, fails, run, picture, monkeypatch, sees):
    one_sided = PromptSet.compose(object="plate", normal_states=["normal {}"])
    with monkeypatch.context() as patch:
        patch.setattr(type(ready.controls.prompts), "prompts", property(lambda self: one_sided))
        assert "abnormal" in sees(fails(ready))
    works_again(ready, viewer, run, picture)


def test_a_name_of_two_hundred_words(ready, viewer, run, qtbot):
    ready.controls.prompts.prefill({"object": "very " * 199 + "plate", "preset": "short"})
    run(ready)
    assert find_result(viewer.layers, viewer.layers["plate_07"]) is not None
    # What does not fit into the model is said.
    qtbot.waitUntil(lambda: "remark" in ready.controls.prompts.note, timeout=20_000)


@pytest.mark.fault(
    "models and downloads", "a model that is unknown or does not suit: {name}", "the loaded model; the next run works"
)
@pytest.mark.parametrize(
    ("name", "says"),
    [("no-such-model", "no-such-model"), ("RN50:openai", "ResNet"), ("ViT-B-16:no-such-weights", "no-such-weights")],
)
def test_models_that_are_unknown_or_unsuitable(ready, viewer, fails, run, picture, name, says, sees):
    ready.controls.model.choose(name)
    assert says in sees(fails(ready))
    works_again(ready, viewer, run, picture)


class Payload:
    """Pickles as a call."""

    def __reduce__(self):
        return (Payload.detonate, ())

    exploded = False

    @staticmethod
    def detonate():
        Payload.exploded = True


@pytest.mark.fault(
    "models and downloads", "a model file that cannot be used: {case}", "the loaded model; no code of the file ran"
)
@pytest.mark.parametrize("kind", ["truncated", "another architecture", "code in a pickle", "no such file"])
def test_checkpoints_that_cannot_be_used(ready, viewer, fails, run, picture, tmp_path, kind, sees):
    path = tmp_path / "model.pt"
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 96, "layers": 1, "width": 8, "head_width": 4, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    path.with_suffix(".json").write_text(json.dumps(config), encoding="utf-8")
    if kind == "truncated":
        torch.save({"visual.proj": torch.zeros(100, 100)}, path)
        path.write_bytes(path.read_bytes()[:500])
    elif kind == "another architecture":
        torch.save({"visual.proj": torch.zeros(3, 3)}, path)
    elif kind == "code in a pickle":
        path.write_bytes(pickle.dumps(Payload()))
    ready.controls.model.choose(str(path))
    assert "model" in sees(fails(ready))
    assert not Payload.exploded
    works_again(ready, viewer, run, picture)


@pytest.mark.fault(
    "models and downloads", "a model that is not on this machine", "the loaded model; nothing is fetched unasked"
)
def test_a_model_that_is_not_here_is_offered_and_fails_without_network(ready, viewer, fails, run, picture, qtbot, sees):
    ready.controls.model.choose(PAPER)
    assert "not on this machine" in sees(fails(ready))
    assert ready.notice.action == "Download"
    with qtbot.waitSignal(ready.job.failed, timeout=120_000):
        ready.notice.act()
    assert "could not be downloaded" in ready.notice.text
    assert ready.notice.action == ""
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("models and downloads", "a device that is not there", "the loaded model; the next run works")
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there(ready, viewer, fails, run, picture, sees):
    ready.controls.model.device.setCurrentText("cuda")
    assert "cuda" in sees(fails(ready))
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("memory", "memory runs out in the window", "the loaded model; the next run works")
def test_memory_runs_out(ready, viewer, fails, run, picture, monkeypatch, sees):
    def encode(*arguments, **options):
        raise torch.OutOfMemoryError("simulated")

    viewer.layers["plate_07"].data = picture.transpose(1, 0, 2).copy()  # an image that is not in the token cache
    with monkeypatch.context() as patch:
        patch.setattr(vision, "encode", encode)
        assert "memory" in sees(fails(ready)).lower()
    works_again(ready, viewer, run, picture)


@pytest.mark.fault("threads", "a slip in our own code", "the dock; the next run works; the log has the traceback")
def test_an_error_that_nobody_foresaw(ready, viewer, fails, run, picture, monkeypatch, caplog, sees):
    def encode(*arguments, **options):
        raise KeyError("a slip in the code")

    viewer.layers["plate_07"].data = picture[::-1, ::-1].copy()
    with monkeypatch.context() as patch:
        patch.setattr(vision, "encode", encode)
        sentence = fails(ready)
    assert "did not foresee" in sees(sentence)
    assert "a slip in the code" not in sentence
    assert "a slip in the code" in caplog.text
    works_again(ready, viewer, run, picture)

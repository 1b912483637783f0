"""The Model line and the section "Model and memory", used as a user does: choose, press, wait, read."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from functools import partial

import huggingface_hub
import numpy as np
import pytest
import torch
from engine.test_download import ENTRY, FILENAME, REPOSITORY, WEIGHTS, Hub
from napari.settings import get_plugin_settings
from open_clip.model import CLIP
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QComboBox, QFileDialog, QPushButton, QVBoxLayout, QWidget
from safetensors.torch import save_file

from napari_anoclip.engine import checkpoint, download
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin import model_row
from napari_anoclip.plugin.model_panel import ModelPanel
from napari_anoclip.plugin.model_row import BUILTIN_TITLE, DOWNLOAD_TITLE, FILE_TITLE, ModelRow
from napari_anoclip.plugin.models import BUILTIN, PAPER, ModelChoice, ModelHolder
from napari_anoclip.plugin.preferences import PAGE, PLUGIN

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 96, "layers": 1, "width": 8, "head_width": 4, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


class Corner(QWidget):
    """The part of a dock that is about models."""

    def __init__(self, shelf):
        super().__init__()
        self.row = ModelRow()
        self.models = ModelHolder(shelf)
        self.panel = ModelPanel(self.row, self.models)
        layout = QVBoxLayout(self)
        layout.addWidget(self.row.row)
        layout.addWidget(self.panel)
        self.resize(340, 500)

    def run(self, prompts=None):
        """Use the chosen model as a run does, and let the panel know."""
        with self.models.borrow(self.row.choice, lambda progress: None, threading.Event()) as model:
            if prompts is not None:
                model.detect(np.full((96, 96), 90, np.uint8), prompts)
        self.panel.refresh()
        return model


@pytest.fixture
def folder(viewer, tmp_path):
    """The models folder, as preferred; preferences are the defaults again after the test."""
    page = getattr(get_plugin_settings(PLUGIN), PAGE)
    page.models_folder = str(tmp_path / "models")
    yield tmp_path / "models"
    page.reset()


@pytest.fixture
def open_corner(folder, shelf, qtbot):
    """Open the section and wait until it has looked around."""
    corners = []

    def open_one():
        corner = Corner(shelf)
        qtbot.addWidget(corner)
        corners.append(corner)
        with qtbot.waitSignal(corner.panel.look_job.succeeded, timeout=60_000):
            corner.show()
        return corner

    yield open_one
    for corner in corners:
        corner.panel.close_down()


@pytest.fixture
def corner(open_corner):
    return open_corner()


@pytest.fixture
def hub(monkeypatch):
    """A local hub that has the paper's model: the bytes of a test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    local = Hub()
    thread = threading.Thread(target=local.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = partial(huggingface_hub.HfFileSystem, endpoint=local.url, skip_instance_cache=True)
    monkeypatch.setattr(download.huggingface_hub, "HfFileSystem", client)
    monkeypatch.setattr(
        download.open_clip, "get_pretrained_cfg", lambda *names: ENTRY if ":".join(names) == PAPER else {}
    )
    yield local
    local.server.shutdown()
    local.server.server_close()
    thread.join()


@pytest.fixture
def checkpoint_file(tmp_path):
    """A CLIP of random weights in open_clip's own format."""
    torch.manual_seed(0)
    file = tmp_path / "own" / "random.safetensors"
    file.parent.mkdir()
    save_file(CLIP(**CONFIG).state_dict(), file)
    content = json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {}})
    (file.parent / checkpoint.CONFIG_NAME).write_text(content, encoding="utf-8")
    return file


def pick(corner, title):
    """Choose a line of the list of models, as with the mouse."""
    box = corner.row.row.findChild(QComboBox)
    index = box.findText(title)
    box.setCurrentIndex(index)
    box.activated.emit(index)


def test_the_list_offers_the_built_in_model_the_papers_and_a_file(corner):
    assert corner.row.titles == [BUILTIN_TITLE, DOWNLOAD_TITLE, FILE_TITLE]
    assert corner.row.choice == ModelChoice()
    assert "only the built-in model" in corner.panel.machine
    assert str(get_plugin_settings(PLUGIN).dock.models_folder) in corner.panel.machine


def test_what_the_model_will_run_on_is_said_before_and_after_it_is_loaded(corner):
    corner.row.device.setCurrentText("cpu")
    assert corner.row.note == "not loaded yet"
    corner.run()
    words = corner.row.note.split(" · ")
    assert words[:2] == ["CPU", "fp32"]
    assert words[2].endswith("MB")
    assert words[3] == "ready"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_or_precision_that_is_not_to_be_had_is_said_at_once(corner, qtbot):
    with qtbot.waitSignal(corner.panel.look_job.succeeded, timeout=30_000):
        corner.row.device.setCurrentText("cuda")
    assert corner.row.note == "This machine has no usable device 'cuda': use auto or cpu."
    corner.row.device.setCurrentText("cpu")
    with qtbot.waitSignal(corner.panel.look_job.succeeded, timeout=30_000):
        corner.row.precision.setCurrentText("fp16")
    assert "does not compute in fp16" in corner.row.note
    with qtbot.waitSignal(corner.panel.look_job.succeeded, timeout=30_000):
        corner.row.precision.setCurrentText("bf16")
    assert corner.row.note == "CPU · bf16 · not loaded yet"


def test_a_change_is_told_once_and_typing_only_when_it_is_finished(corner, qtbot):
    heard = []
    corner.row.changed.connect(lambda: heard.append(corner.row.choice))
    box = corner.row.row.findChild(QComboBox)
    box.lineEdit().selectAll()
    qtbot.keyClicks(box.lineEdit(), "RN50:openai")
    assert heard == []
    assert corner.row.choice.name == "RN50:openai", "Run takes what is typed"
    box.lineEdit().editingFinished.emit()
    corner.row.precision.setCurrentText("bf16")
    corner.row.choose("RN50:openai")
    assert heard == [ModelChoice("RN50:openai"), ModelChoice("RN50:openai", precision="bf16")]


def test_a_choice_goes_in_and_comes_out(corner):
    for choice in (
        ModelChoice(PAPER, device="cpu", precision="bf16"),
        ModelChoice("/somewhere/else/clip.pt", architecture="ViT-B-16-plus-240"),
        ModelChoice("ViT-B-32:openai", device="cuda:1"),
        ModelChoice(),
    ):
        corner.row.choice = ModelChoice(**json.loads(json.dumps(asdict(choice))))
        assert corner.row.choice == choice


def test_a_local_checkpoint_goes_through_the_same_door(corner, checkpoint_file, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(checkpoint_file), ""))
    pick(corner, FILE_TITLE)
    assert corner.row.choice.name == str(checkpoint_file)
    assert corner.row.row.findChild(QComboBox).currentText() == "random.safetensors"
    assert corner.row.architecture.isVisible()
    model = corner.run(PromptSet.preset("short", "plate"))
    assert model.patch_size == 8
    assert corner.row.note.endswith("ready")


def test_a_file_dialog_that_is_cancelled_changes_nothing(corner, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: ("", ""))
    pick(corner, FILE_TITLE)
    assert corner.row.choice == ModelChoice()
    assert corner.row.row.findChild(QComboBox).currentText() == BUILTIN_TITLE


def test_an_architecture_is_asked_for_files_alone(corner, checkpoint_file):
    assert not corner.row.architecture.isVisible()
    corner.row.choose(str(checkpoint_file))
    corner.row.architecture.setCurrentText("ViT-B-16-plus-240")
    assert corner.row.choice.architecture == "ViT-B-16-plus-240"
    corner.row.choose(BUILTIN)
    assert corner.row.choice == ModelChoice()


def test_the_row_knows_a_checkpoint_as_the_engine_does():
    assert model_row.CHECKPOINT_SUFFIXES == checkpoint.SUFFIXES


def test_models_on_this_machine_are_offered(open_corner, folder, checkpoint_file):
    folder.mkdir()
    checkpoint_file.parent.rename(folder / "own")
    corner = open_corner()
    assert corner.row.titles == [BUILTIN_TITLE, "random.safetensors", DOWNLOAD_TITLE, FILE_TITLE]
    assert "1 model" in corner.panel.machine
    pick(corner, "random.safetensors")
    assert corner.run().patch_size == 8


def test_a_download_tells_its_size_and_place_asks_and_arrives(corner, hub, folder, qtbot):
    with qtbot.waitSignals([corner.panel.attention, corner.panel.download.job.succeeded], timeout=30_000):
        pick(corner, DOWNLOAD_TITLE)
    question = corner.panel.download.notice
    text = question.text.replace("\u200b", "")  # where a long name may be broken
    assert f"{len(WEIGHTS) / 1e6:.0f} MB" in text
    assert str(folder) in text
    assert f"Without a network, get {FILENAME} of {REPOSITORY} another way" in text
    assert not any("resolve" in request for request in hub.requests), "nothing is fetched before the answer"
    seen = []
    corner.panel.download.job.progressed.connect(lambda progress: seen.append(corner.panel.download.stage))
    with qtbot.waitSignals([corner.panel.download.downloaded, corner.panel.look_job.succeeded], timeout=30_000):
        question.act()
    assert (folder / REPOSITORY.replace("/", "--") / FILENAME).read_bytes() == WEIGHTS
    assert any("MB" in stage for stage in seen)
    assert corner.row.choice.name == PAPER
    assert PAPER in corner.row.titles
    assert DOWNLOAD_TITLE not in corner.row.titles
    assert not corner.panel.download.button.isVisible()


def test_a_download_can_be_declined(corner, hub, folder, qtbot):
    with qtbot.waitSignal(corner.panel.download.job.succeeded, timeout=30_000):
        corner.panel.download.button.click()
    next(b for b in corner.panel.download.notice.findChildren(QPushButton) if b.text() == "Not now").click()
    assert corner.panel.download.notice.text == ""
    assert not folder.exists()


def test_a_download_can_be_cancelled_and_leaves_nothing(corner, hub, folder, qtbot, monkeypatch):
    monkeypatch.setattr(download, "_CHUNK_BYTES", 1000)
    with qtbot.waitSignal(corner.panel.download.job.succeeded, timeout=30_000):
        corner.panel.download.button.click()
    corner.panel.download.job.progressed.connect(lambda progress: corner.panel.download.cancel_button.click())
    with qtbot.waitSignal(corner.panel.download.job.cancelled, timeout=30_000):
        corner.panel.download.notice.act()
    assert [file for file in folder.rglob("*") if file.is_file()] == []
    assert corner.panel.download.button.isEnabled()


@pytest.mark.fault("models and downloads", "no network for a download", "nothing half fetched stays")
def test_without_a_network_a_sentence_names_the_way_by_hand(corner, folder, qtbot, monkeypatch, sees):
    client = partial(huggingface_hub.HfFileSystem, endpoint="http://127.0.0.1:9", skip_instance_cache=True)
    monkeypatch.setattr(download.huggingface_hub, "HfFileSystem", client)
    with qtbot.waitSignal(corner.panel.download.job.failed, timeout=60_000):
        corner.panel.download.button.click()
    assert "does not answer" in corner.panel.download.notice.text
    assert "another way" in sees(corner.panel.download.notice.text)
    assert not folder.exists()


def test_the_models_folder_is_opened_or_where_it_will_be(corner, folder, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    corner.panel.folder_button.click()
    folder.mkdir()
    corner.panel.folder_button.click()
    assert opened == [str(folder.parent), str(folder)]


def test_memory_is_told_and_tokens_can_be_cleared(corner, shelf):
    assert corner.panel.memory == "No model is in memory."
    assert not corner.panel.unload_button.isEnabled()
    model = corner.run(PromptSet.preset("short", "plate"))
    assert model.token_bytes > 0
    assert "of weights" in corner.panel.memory
    assert "up to 1000 MB" in corner.panel.memory
    corner.panel.forget_button.click()
    assert model.token_bytes == 0
    assert "were dropped" in corner.panel.said
    assert "0.0 MB of kept tokens" in corner.panel.memory
    assert not corner.panel.forget_button.isEnabled()


def test_unloading_frees_the_model_of_every_dock_and_says_so(corner, open_corner, shelf):
    other = open_corner()
    assert corner.run() is other.run()
    corner.panel.unload_button.click()
    assert shelf.models == []
    assert corner.panel.said == "The model has left memory, in all docks. The next run loads it again."
    for each in (corner, other):
        assert each.panel.memory == "No model is in memory."
        assert "not loaded yet" in each.row.note
    corner.run()
    assert corner.row.note.endswith("ready")


def test_unloading_during_a_run_waits_for_its_end(corner, shelf):
    with corner.models.borrow(corner.row.choice, lambda progress: None, threading.Event()) as model:
        corner.panel.refresh()
        corner.panel.unload_button.click()
        assert "when the run under way ends" in corner.panel.said
        assert model.token_bytes == 0, "the run still has it"
    assert corner.models.loaded(corner.row.choice) is None


def test_the_preferences_dialog_is_followed(corner, qtbot):
    model = corner.run(PromptSet.preset("short", "plate"))
    page = getattr(get_plugin_settings(PLUGIN), PAGE)
    page.token_cache_mb = 0
    assert model.token_bytes == 0
    assert "up to 0 MB" in corner.panel.memory
    with qtbot.waitSignal(corner.panel.look_job.succeeded, timeout=30_000):
        page.device = "cpu"
    assert corner.row.choice.device == "cpu"


def test_a_closed_section_hears_nothing_any_more(corner, shelf):
    corner.run()
    corner.panel.close_down()
    heard = []
    corner.panel.unloaded.connect(lambda: heard.append(1))
    getattr(get_plugin_settings(PLUGIN), PAGE).device = "cpu"
    shelf.unload()
    assert corner.row.choice.device == "auto"
    assert heard == []


def test_every_control_has_a_name_and_says_what_it_does(corner):
    for control in corner.findChildren(QPushButton) + corner.findChildren(QComboBox):
        if control.parent() is not corner.panel.download.notice:
            assert control.accessibleName() or control.text()
            assert control.toolTip()


def test_it_fits_a_narrow_dock(corner, checkpoint_file):
    corner.row.choose(str(checkpoint_file))
    assert corner.minimumSizeHint().width() <= 320

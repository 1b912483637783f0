"""The dock's memory: what goes in comes out, and no file, however broken, stops the dock."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import ValidationError

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings
from napari_anoclip.plugin import dock_state
from napari_anoclip.plugin.dock_state import DockState
from napari_anoclip.plugin.models import ModelChoice

PROMPTS = PromptSet.preset("short", "plate")
LEFT = DockState(
    settings=AnoCLIPSettings.paper(),
    display=DisplaySettings(range="manual", low=0.2, high=0.7, threshold=0.5),
    prompts=PROMPTS.model_dump(mode="json"),
    model=asdict(ModelChoice("here/model.pt", device="cpu", precision="bf16", architecture="ViT-B-16")),
    live=False,
    open_sections=["Prompts", "Model and memory"],
    preferred={"live": True},
    image_choice={"region": "view", "first": 2},
)


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch) -> Path:
    file = tmp_path / "config" / "dock.json"
    monkeypatch.setattr(dock_state, "state_file", lambda: file)
    return file


def test_what_was_saved_comes_back():
    dock_state.save(LEFT)
    back = dock_state.load()
    assert back == LEFT
    assert PromptSet.model_validate(back.prompts) == PROMPTS
    assert ModelChoice(**back.model).architecture == "ViT-B-16"


def test_the_first_start_has_nothing_to_remember():
    assert dock_state.load() is None


def test_the_file_is_in_the_users_configuration_and_nothing_else_stays_beside_it(file):
    dock_state.save(LEFT)
    dock_state.save(DockState())
    assert [path.name for path in file.parent.iterdir()] == ["dock.json"]
    assert dock_state.load() == DockState()


def test_the_platforms_folder_is_the_default(monkeypatch):
    monkeypatch.undo()
    assert dock_state.state_file().parts[-2:] == ("napari-anoclip", "dock.json")


@pytest.mark.fault(
    "caches and disks",
    "what the dock remembers is damaged",
    "the damaged file, aside; the dock begins afresh",
    sees="the dock with its defaults",
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe\x00",
        b'{"version": "x"}',
        b'{"version": 1, "settings": {"vv_blocks": 0}}',
        b'{"version": 1, "surprise": 2}',
    ],
)
def test_a_damaged_file_is_ignored_kept_and_replaced(file, content, caplog):
    file.parent.mkdir()
    file.write_bytes(content)
    assert dock_state.load() is None
    assert "dock-unused.json" in caplog.text
    assert file.with_name("dock-unused.json").read_bytes() == content
    dock_state.save(LEFT)
    assert dock_state.load() == LEFT


def test_the_file_of_a_newer_plugin_is_ignored_and_kept(file, caplog):
    file.parent.mkdir()
    newer = json.dumps({"version": 99, "holograms": True})
    file.write_text(newer)
    assert dock_state.load() is None
    assert "version 99" in caplog.text
    assert file.with_name("dock-unused.json").read_text() == newer


def test_many_docks_that_save_at_once_leave_one_whole_state():
    states = [DockState(open_sections=[str(number)] * 200) for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(dock_state.save, states))
    assert dock_state.load() in states
    assert len(list(dock_state.state_file().parent.iterdir())) == 1


def test_a_process_that_dies_while_it_writes_leaves_the_old_state(file, monkeypatch):
    dock_state.save(LEFT)

    def die(self, content):
        os.write(os.open(self, os.O_CREAT | os.O_WRONLY), b"{")
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(dock_state.Path, "write_bytes", die)
        dock_state.save(DockState())
    assert dock_state.load() == LEFT
    assert [path.name for path in file.parent.iterdir()] == ["dock.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in the way is another error there")
def test_a_folder_that_takes_nothing_is_logged(file, caplog):
    file.parent.write_text("a file where the folder should be")
    dock_state.save(LEFT)
    assert "could not be saved" in caplog.text
    assert dock_state.load() is None


def test_nothing_but_jsons_own_types_is_remembered():
    with pytest.raises(ValidationError):
        DockState(image_choice={"layer": object()})

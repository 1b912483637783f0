"""`anoclip doctor`: each thing that can be wrong with a machine is seen, and said with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace

import psutil
import torch
from cli.calling import ask, call, refused

from napari_anoclip.cli import checkup, trial
from napari_anoclip.cli.checkup import Check
from napari_anoclip.engine import AnoCLIP
from napari_anoclip.engine.errors import DeviceError


def only(check: Callable[[], Iterator[Check]]) -> Check:
    (found,) = check()
    return found


def test_this_machine_is_well(loaded, monkeypatch) -> None:
    monkeypatch.setattr(AnoCLIP, "load", lambda **_: loaded)
    monkeypatch.setattr(shutil, "which", lambda name: None)  # a driver without a fitting PyTorch is no fault of ours
    answer = ask("doctor")
    assert answer["ok"]
    names = [check["name"] for check in answer["checks"]]
    assert names[:3] == ["system", "libraries", "memory"]
    assert {"cache folder", "data folder", "window", "device", "built-in model"} <= set(names)
    assert "Nothing is wrong" in call("doctor").stdout


def test_something_wrong_makes_the_exit_code_1_and_is_pointed_at(monkeypatch) -> None:
    checks = [Check("memory", "ok", "much"), Check("device", "wrong", "none [found]", "Buy one.")]
    monkeypatch.setattr(checkup, "check_up", lambda device: iter(checks))
    result = call("doctor")
    assert result.exit_code == 1
    assert "none [found]" in result.stdout
    assert "→ Buy one." in result.stdout
    assert "1 of 2 checks found something wrong" in result.stdout
    assert ask("doctor", code=1)["ok"] is False


def test_a_check_that_breaks_is_wrong_itself_and_the_others_go_on(monkeypatch) -> None:
    def broken() -> Iterator[Check]:
        raise ImportError("libc10.so")

    for name in ("devices", "builtin"):
        monkeypatch.setattr(checkup, name, lambda *_: iter(()))
    monkeypatch.setattr(checkup, "memory", broken)
    found = list(checkup.check_up())
    assert [(check.name, check.state) for check in found if check.state == "wrong"] == [("broken", "wrong")]
    assert "libc10.so" in next(check.words for check in found if check.state == "wrong")
    assert found[-1].name.startswith("extra")


def test_a_model_that_computes_otherwise_is_wrong(loaded, monkeypatch) -> None:
    monkeypatch.setattr(AnoCLIP, "load", lambda **_: loaded)
    right = only(checkup.builtin)
    assert right.state == "ok"
    well = trial.try_out(loaded)
    for score in (well.score + 0.01, float("nan")):
        monkeypatch.setattr(trial, "try_out", lambda model, score=score: replace(well, score=score))
        check = only(checkup.builtin)
        assert check.state == "wrong"
        assert "--device cpu" in check.advice


def test_a_model_that_does_not_load_is_wrong_with_its_sentence(monkeypatch) -> None:
    def refuse(**_: object) -> AnoCLIP:
        raise DeviceError("This machine has no usable device 'mps'.")

    monkeypatch.setattr(AnoCLIP, "load", refuse)
    found = only(checkup.builtin)
    assert found.words == "This machine has no usable device 'mps'."
    assert "--device" in found.advice  # and not to install the package again


def test_a_refusing_folder_is_wrong_and_a_full_disk_a_note(tmp_path, monkeypatch) -> None:
    assert checkup.folder_check("cache folder", tmp_path / "not" / "there").state == "ok"
    assert not (tmp_path / "not").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 5, 5))
    assert checkup.folder_check("cache folder", tmp_path).state == "note"

    def refuse(**_: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr(checkup.tempfile, "TemporaryFile", refuse)
    check = checkup.folder_check("cache folder", tmp_path)
    assert (check.state, str(tmp_path) in check.advice) == ("wrong", True)


def test_a_library_that_is_missing_is_wrong_with_the_command_that_brings_it(monkeypatch) -> None:
    monkeypatch.setitem(checkup.NEEDED, "nothing", "no-such-package-at-all")
    check = only(checkup.packages)
    assert (check.state, check.advice) == ("wrong", "pip install no-such-package-at-all")


def test_missing_extras_are_notes(monkeypatch) -> None:
    monkeypatch.setattr(checkup, "find_spec", lambda name: None)
    assert {check.state for check in checkup.extras()} == {"note"}
    assert "napari-anoclip[all]" in only(checkup.screen).advice


def test_a_driver_without_a_fitting_pytorch_is_wrong(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert only(checkup.devices).state == "wrong"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert only(checkup.devices).words.startswith("CPU")


def test_a_gpu_is_named_with_its_memory(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda at: (6 * 10**9, 8 * 10**9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda at: "A GPU")
    assert only(checkup.devices).words.startswith("A GPU, 8.0 GB, 6.0 GB free")


def test_little_memory_is_a_note(monkeypatch) -> None:
    memory = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory._replace(available=10**9))
    assert only(checkup.memory).state == "note"


def test_a_choice_that_there_is_not_is_refused_without_a_librarys_words() -> None:
    said = refused("doctor --device gpu")
    assert "Invalid value for '--device': 'gpu' is not one of 'auto'" in said


def test_a_qt_in_a_package_of_another_name_is_a_qt(monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(checkup, "QT_BINDINGS", ("email",))  # a module that no package of its name brings
    assert only(checkup.screen).words == "email, and a display"

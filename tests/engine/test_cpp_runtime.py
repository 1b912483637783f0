"""torch beside an older Qt on Windows: seen in Qt's files before it fails, and said with what helps when it does."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import pytest

from napari_anoclip.cli import checkup
from napari_anoclip.engine import cpp_runtime
from napari_anoclip.engine.cpp_runtime import LIBRARIES, file_version, old_runtime, why_torch_cannot_start


def library(major: int, minor: int) -> bytes:
    """The bytes of a Windows library that matter here: its version among others."""
    info = struct.pack("<IIHHI", 0xFEEF04BD, 0x10000, minor, major, 35211 << 16)
    return b"MZ" + bytes(1000) + info + bytes(100)


class Windows:
    """A made-up Windows machine: what is installed and loaded there."""

    def __init__(self, folder):
        self.folder = folder
        self.platform = "win32"
        self.modules = {}

    def install(self, binding, *version, loaded=True):
        """Install a binding of Qt that brings a C++ runtime of some version."""
        file = self.folder / binding / LIBRARIES[binding]
        file.parent.mkdir(parents=True)
        file.write_bytes(library(*version))
        if loaded:
            self.modules[binding] = object()

    def find_spec(self, name):
        folder = self.folder / name
        return SimpleNamespace(submodule_search_locations=[str(folder)]) if folder.exists() else None


@pytest.fixture
def windows(tmp_path, monkeypatch):
    machine = Windows(tmp_path)
    monkeypatch.setattr(cpp_runtime, "sys", machine)
    monkeypatch.setattr(cpp_runtime, "find_spec", machine.find_spec)
    return machine


def test_the_version_is_read_from_a_library(tmp_path):
    file = tmp_path / "msvcp140.dll"
    file.write_bytes(library(14, 44))
    assert file_version(file) == (14, 44)


@pytest.mark.parametrize("content", [b"", b"MZ" + bytes(500), library(14, 44)[:1006]])
def test_a_library_without_a_version_has_none(tmp_path, content):
    file = tmp_path / "msvcp140.dll"
    file.write_bytes(content)
    assert file_version(file) is None


def test_an_older_runtime_is_named_with_the_command_that_renews_it(windows):
    windows.install("PyQt6", 14, 26)
    said = why_torch_cannot_start()
    assert "PyQt6 brings a C++ runtime of version 14.26, and PyTorch needs 14.40." in said
    assert "“pip install --upgrade PyQt6 PyQt6-Qt6”. Then start napari again." in said


def test_bindings_that_get_no_newer_one_are_to_be_replaced(windows):
    windows.install("PyQt5", 14, 26)
    assert "Take PyQt6 in its place." in why_torch_cannot_start()


def test_a_newer_runtime_is_not_blamed(windows):
    windows.install("PySide6", 14, 44)
    assert old_runtime() is None
    assert "Visual C++ redistributable" in why_torch_cannot_start()


def test_a_binding_that_is_installed_and_not_in_use_is_not_blamed(windows):
    windows.install("PyQt6", 14, 26, loaded=False)
    assert "Visual C++ redistributable" in why_torch_cannot_start()
    assert old_runtime() is not None


def test_the_doctor_sees_it_before_it_fails(windows):
    windows.install("PyQt6", 14, 26, loaded=False)
    (check,) = checkup.cpp_runtime()
    assert check.state == "wrong"
    assert "14.26" in check.words
    assert "--upgrade PyQt6 PyQt6-Qt6" in check.advice


def test_other_systems_have_no_such_runtime(windows):
    windows.install("PyQt6", 14, 26)
    windows.platform = "linux"
    assert old_runtime() is None
    assert list(checkup.cpp_runtime()) == []
    assert "Install it again" in why_torch_cannot_start()

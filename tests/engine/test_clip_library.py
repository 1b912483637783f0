"""triton, and the LLVM in it, stay out of a process into which a graphics driver brought an LLVM of its own."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import napari_anoclip
from napari_anoclip.engine import clip_library

SOURCES = Path(napari_anoclip.__file__).parent


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """Say which files are mapped into the process; triton is not loaded yet."""
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    monkeypatch.setattr(clip_library, "MAPS", tmp_path / "maps")

    def say(*files):
        (tmp_path / "maps").write_text("".join(f"7f0000 r-xp 00000000 fd:00 1 {file}\n" for file in files))

    return say


def test_beside_an_llvm_triton_cannot_be_imported(mapped):
    mapped("/usr/lib/x86_64-linux-gnu/libLLVM-15.so.1")
    clip_library.keep_triton_out()
    with pytest.raises(ImportError):
        import triton  # noqa: F401


def test_elsewhere_triton_is_left_alone(mapped):
    mapped("/usr/lib/x86_64-linux-gnu/libc.so.6")
    clip_library.keep_triton_out()
    assert "triton" not in sys.modules


def test_where_nothing_says_what_is_mapped_triton_is_left_alone(mapped):
    clip_library.keep_triton_out()
    assert "triton" not in sys.modules


def test_a_triton_that_is_there_stays(mapped, monkeypatch):
    mapped("/usr/lib/libLLVM.so.20")
    there = object()
    monkeypatch.setitem(sys.modules, "triton", there)
    clip_library.keep_triton_out()
    assert sys.modules["triton"] is there


def test_nothing_else_imports_open_clip():
    doors = {
        path.name
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(one.name.split(".")[0] == "open_clip" for one in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "open_clip")
    }
    assert doors == {"clip_library.py"}

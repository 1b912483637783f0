"""`anoclip demo` and `anoclip review`: what is asked before a window is opened, with the opening itself replaced."""

from __future__ import annotations

import pytest
from cli.calling import ask, call, refused

from napari_anoclip import desktop
from napari_anoclip.cli import checkup
from napari_anoclip.review.session import Session


@pytest.fixture
def opened(monkeypatch) -> list[tuple[object, ...]]:
    """What would be opened, on a machine that can."""
    seen: list[tuple[object, ...]] = []
    monkeypatch.setattr(checkup, "window_lack", lambda: None)
    monkeypatch.setattr(desktop, "review", lambda *arguments: seen.append(arguments))
    monkeypatch.setattr(desktop, "show_demo", lambda *arguments: seen.append(arguments) or "")
    return seen


def test_a_folder_is_opened(opened, tmp_path) -> None:
    assert ask("review --object cup --kind texture", tmp_path) == {"folder": str(tmp_path)}
    assert opened == [(tmp_path, "cup", "texture")]


def test_a_session_is_opened(opened, tmp_path) -> None:
    folder = tmp_path / "november.anoclip"
    Session.open(folder).close()
    assert call("review", folder).exit_code == 0
    assert opened == [(folder, None, None)]


def test_what_is_no_folder_is_refused_before_a_window_opens(opened, tmp_path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "empty.anoclip").mkdir()
    assert "There is no folder" in refused("review", tmp_path / "nowhere")
    assert "is a file" in refused("review", tmp_path / "a.png")
    assert "holds no session" in refused("review", tmp_path / "empty.anoclip")
    assert opened == []


def test_a_machine_without_a_display_gets_a_sentence(monkeypatch, tmp_path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(checkup.sys, "platform", "linux")
    for line in (f"review {tmp_path}", "demo"):
        assert "There is no display, so napari cannot open its window." in refused(line)
    monkeypatch.setenv("DISPLAY", ":0")
    assert checkup.window_lack() is None


def test_the_demo_is_shown_and_its_picture_named(opened, tmp_path) -> None:
    result = call("demo --sample ring --screenshot", tmp_path / "demo.png")
    assert (result.exit_code, result.stdout) == (0, f"Saved {tmp_path / 'demo.png'}\n")
    assert opened == [("ring", tmp_path / "demo.png")]


def test_a_demo_that_fails_says_why(opened, monkeypatch) -> None:
    monkeypatch.setattr(desktop, "show_demo", lambda sample, screenshot: f"There is no sample “{sample}”.")
    assert "There is no sample “nix”." in refused("demo --sample nix")

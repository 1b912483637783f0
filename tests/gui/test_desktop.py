"""napari as the command line opens it: on a folder of pictures, and on a session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from review import reviewing

from napari_anoclip import demo, desktop
from napari_anoclip.review.session import Session


@pytest.fixture
def parts(tmp_path) -> Path:
    """A folder with two pictures, one of them deeper."""
    (tmp_path / "parts" / "more").mkdir(parents=True)
    for name in ("a.png", "more/b.png"):
        Image.fromarray(np.full((40, 50, 3), 90, np.uint8)).save(tmp_path / "parts" / name)
    return tmp_path / "parts"


def test_a_folder_is_opened_in_the_review_dock(viewer, shelf, parts, qtbot) -> None:
    dock = desktop.open_review(viewer, parts)
    qtbot.waitUntil(lambda: len(dock.queue.walk.queue) == 2, timeout=10_000)
    qtbot.waitUntil(lambda: len(viewer.layers) > 0, timeout=10_000)
    assert dock.queue.position == "image 1 of 2"


def test_the_word_reaches_the_prompts_and_leaves_the_preset(viewer, shelf, parts) -> None:
    dock = desktop.open_review(viewer, parts)
    before = dock.reviewer.desk.controls.prompts.prompts
    dock = desktop.open_review(viewer, parts, "tea cup")
    prompts = dock.reviewer.desk.controls.prompts.prompts
    assert (prompts.object, prompts.name) == ("tea cup", before.name)


@pytest.mark.parametrize("kind", ["object", "texture"])
def test_the_kind_chooses_between_the_papers_prompts(viewer, shelf, parts, kind) -> None:
    dock = desktop.open_review(viewer, parts, "felt", kind)
    prompts = dock.reviewer.desk.controls.prompts.prompts
    assert (prompts.object, prompts.name) == ("felt", f"paper-{kind}")


def test_a_session_is_opened(viewer, shelf, tmp_path, qtbot) -> None:
    folder = tmp_path / "november.anoclip"
    session = Session.open(folder)
    session.review.add(reviewing.image())
    session.close()
    dock = desktop.open_review(viewer, folder)
    qtbot.waitUntil(lambda: dock.reviewer.session is not None, timeout=10_000)
    assert dock.reviewer.session.folder == folder


def test_the_window_is_opened_for_the_folder_and_waited_for(viewer, shelf, parts, monkeypatch) -> None:
    import napari

    titles, waited = [], []
    monkeypatch.setattr(demo, "open_viewer", lambda title: titles.append(title) or viewer)
    monkeypatch.setattr(napari, "run", lambda: waited.append(len(viewer.window.dock_widgets)))
    desktop.review(parts)
    assert titles == ["parts · AnoCLIP review"]
    assert waited == [2]

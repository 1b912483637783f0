"""A review is opened by what lies in the file system: its folder dropped, or a file of it."""

from __future__ import annotations

from pathlib import Path

import npe2
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.plugins import _npe2
from PIL import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QLabel, QMainWindow, QWidget
from review import reviewing

from napari_anoclip.plugin import session_reader
from napari_anoclip.plugin.session_reader import DOCK, NO_LAYERS, PLUGIN, SessionDrop, get_reader, read_session
from napari_anoclip.review.lock import SessionError
from napari_anoclip.review.session import Session


@pytest.fixture
def folder(tmp_path) -> Path:
    """A session in which one region was judged."""
    folder = tmp_path / "november.anoclip"
    session = Session.open(folder)
    session.review.add(reviewing.image())
    session.review.judge("a1b2", "judge region 1 a defect", {1: reviewing.judgement(1)})
    session.close()
    return folder


@pytest.fixture
def shown(monkeypatch) -> list[tuple[object, Path]]:
    """What would be opened, and in which viewer."""
    opened: list[tuple[object, Path]] = []
    monkeypatch.setattr(session_reader, "open_review", lambda viewer, path: opened.append((viewer, path)))
    return opened


@pytest.mark.parametrize("name", ["", "session.json", "journal.jsonl"])
def test_a_session_is_read_by_its_folder_and_by_what_is_in_it(folder, name) -> None:
    assert get_reader(str(folder / name)) is read_session


def test_a_damaged_session_is_read_too(folder) -> None:
    (folder / "session.json").write_bytes(b"\x00")
    assert get_reader(str(folder / "session.json")) is read_session
    (folder / "session.json").unlink()
    assert get_reader(str(folder)) is read_session


def test_what_only_looks_like_one_is_left_alone(tmp_path) -> None:
    (tmp_path / "session.json").write_text("{}")  # of another program
    (tmp_path / "empty.anoclip").mkdir()
    for path in (tmp_path, tmp_path / "session.json", tmp_path / "empty.anoclip", tmp_path / "not there.anoclip"):
        assert get_reader(str(path)) is None
    assert get_reader([str(tmp_path)]) is None


@pytest.mark.parametrize("name", ["session.json", "journal.jsonl"])
def test_napari_opens_the_review_and_adds_no_layer(viewer, folder, name, shown, qtbot) -> None:
    """As by File > Open File, by dropping the file, and by `napari FILE`."""
    assert viewer.open(folder / name, plugin=None) == []
    assert shown == []
    qtbot.waitUntil(lambda: shown == [(viewer, folder)])
    assert len(viewer.layers) == 0


def test_nothing_happens_in_a_window_that_was_closed_meanwhile(viewer, folder, shown, monkeypatch, qtbot) -> None:
    assert read_session(str(folder)) == NO_LAYERS
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    qtbot.wait(50)
    assert shown == []


def test_without_a_window_it_says_where_it_can_be_opened(folder) -> None:
    npe2.PluginManager.instance()
    with pytest.raises(SessionError, match=r"Start napari, and open november\.anoclip there"):
        read_session(str(folder))
    with pytest.raises(SessionError, match="no session"):
        read_session(str(folder.parent))


def test_a_viewer_without_a_window_passes_the_sentence_on(folder) -> None:
    _npe2.get_readers()
    with pytest.raises(SessionError, match="Start napari"):
        ViewerModel().open(folder / "session.json", plugin="napari-anoclip")


def test_other_folders_open_as_before_without_asking(viewer, tmp_path) -> None:
    """With two readers of folders napari asks which one; this is about those that we bring."""
    images = tmp_path / "line 3"
    images.mkdir()
    for number in range(3):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(images / f"{number}.png")
    assert "napari-anoclip" not in _npe2.get_readers(images)
    (layer,) = viewer.open(images, plugin=None)
    assert layer.data.shape == (3, 8, 8)


def drop(target: QWidget, *paths: Path) -> None:
    """Drag files over a widget and drop them, as the file manager does."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, buttons, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(target, QDragEnterEvent(QPoint(5, 5), copy, mime, buttons, none))
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), copy, mime, buttons, none))


def canvases(viewer) -> list[QWidget]:
    """Whatever of the window takes files: the canvas, and what lies over it while it is empty."""
    center = viewer.window._qt_window.centralWidget()
    return [part for part in center.findChildren(QWidget) if part.acceptDrops() and "Qt" in type(part).__name__]


class Canvas(QLabel):
    """Takes all that is dropped."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.got: list[str] = []
        window.setCentralWidget(self)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        self.got += [url.toLocalFile() for url in event.mimeData().urls()]


@pytest.fixture
def window(qtbot) -> QMainWindow:
    window = QMainWindow()
    qtbot.addWidget(window)
    return window


def test_a_dropped_session_is_taken_and_all_else_goes_to_napari(window, folder, tmp_path, qtbot) -> None:
    canvas, catcher = Canvas(window), SessionDrop()
    catcher.watch(window)
    taken: list[Path] = []
    catcher.dropped.connect(taken.append)
    drop(canvas, folder)
    assert (taken, canvas.got) == ([folder], [])
    drop(canvas, tmp_path)
    drop(canvas, folder, tmp_path)
    assert taken == [folder]
    assert canvas.got == [str(tmp_path), str(folder), str(tmp_path)]


def test_once_it_let_go_everything_goes_to_napari(window, folder) -> None:
    canvas, catcher = Canvas(window), SessionDrop()
    catcher.watch(window)
    catcher.close_down()
    drop(canvas, folder)
    assert canvas.got == [str(folder)]


def test_a_session_dropped_on_the_real_canvas_is_taken(viewer, folder) -> None:
    catcher = SessionDrop()
    catcher.watch(viewer.window._qt_window)
    taken: list[Path] = []
    catcher.dropped.connect(taken.append)
    targets = canvases(viewer)
    assert targets
    for target in targets:
        drop(target, folder)
    assert taken == [folder] * len(targets)
    assert len(viewer.layers) == 0
    catcher.close_down()


def test_a_session_opened_by_napari_is_in_the_review_dock(viewer, shelf, folder, qtbot) -> None:
    viewer.open(folder / "session.json", plugin=None)
    qtbot.waitUntil(lambda: any(DOCK in name for name in viewer.window.dock_widgets))
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    qtbot.waitUntil(lambda: dock.reviewer.session is not None)
    assert dock.reviewer.session.folder == folder
    assert list(dock.reviewer.review.images["a1b2"].judgements) == [1]
    assert dock.session.name.text() == "november.anoclip"


def test_a_folder_dropped_while_the_workbench_is_open_is_reviewed(viewer, dock, folder, qtbot) -> None:
    qtbot.waitUntil(lambda: dock._window is not None)
    drop(canvases(viewer)[0], folder)
    qtbot.waitUntil(lambda: any(DOCK in name for name in viewer.window.dock_widgets))
    _, review = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    qtbot.waitUntil(lambda: review.reviewer.session is not None)
    assert review.reviewer.session.folder == folder

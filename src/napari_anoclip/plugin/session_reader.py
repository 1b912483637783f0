"""Opening a session from outside the review dock: its folder dropped on the window, or a file of it read by napari.

napari asks everybody which reader to use as soon as two take folders, whatever their names are, and its own is one of
them (https://github.com/napari/npe2/issues/155). So the reader takes `session.json` and `journal.jsonl`, which lie in
the folder. `SessionDrop` takes the folder itself, wherever a dock of ours is open.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import napari.viewer
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QTimer, Signal
from qtpy.QtGui import QDragLeaveEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QMainWindow, QWidget

from napari_anoclip.review import journal, session_file
from napari_anoclip.review.lock import SessionError
from napari_anoclip.review.session import ENDING, Session

PLUGIN, DOCK = "napari-anoclip", "AnoCLIP Review"

NO_WINDOW = "A session opens in a window of napari, and there is none. Start napari, and open {name} there."

NO_LAYERS: list[tuple[None]] = [(None,)]
"""What a reader gives that did its work and has no layer."""


def get_reader(path: str | list[str]) -> Callable[[str | list[str]], list[tuple[None]]] | None:
    """Whether a path is a session, or a file of one; napari asks.

    Returns
    -------
    callable or None
        None for everything else: it is left to other readers.
    """
    return None if isinstance(path, list) or session_of(Path(path)) is None else read_session


def read_session(path: str | list[str]) -> list[tuple[None]]:
    """Open a session in the review dock of the window that is in front, as soon as that has time.

    Raises
    ------
    SessionError
        If there is no window, or no session.
    """
    folder = session_of(Path(path if isinstance(path, str) else path[0]))
    if folder is None:
        raise SessionError(f"{path} is no session.")
    if napari.current_viewer() is None:
        raise SessionError(NO_WINDOW.format(name=folder.name))
    # Not now: napari reads in any thread, and is about to add what other paths give.
    QTimer.singleShot(0, partial(_open_in_front, folder))
    return NO_LAYERS


def open_review(viewer: napari.viewer.Viewer, folder: Path) -> None:
    """Open a session in a viewer's review dock, which is opened if it is not."""
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    dock.reviewer.open_session(folder)


def ask_for_review(viewer: napari.viewer.Viewer) -> None:
    """Let a person choose the folder of a review, or where one shall begin; the menu *File > IO Utilities* calls it."""
    chosen = QFileDialog.getExistingDirectory(None, "Open a review")
    if chosen:
        open_review(viewer, session_in(Path(chosen)))


def session_of(path: Path) -> Path | None:
    """The folder of a session: what a path is, or where the file lies that it names; None if that is none."""
    folder = path.parent if path.name in (session_file.FILE, journal.FILE) else path
    # Other programs have a session.json, too.
    return folder if folder.name.endswith(ENDING) and Session.is_session(folder) else None


def session_in(folder: Path) -> Path:
    """Where the session of a chosen folder is: the folder itself, or in one with images, one of the same name."""
    own = folder.name.endswith(ENDING) or Session.is_session(folder)
    return folder if own else folder / f"{folder.name}{ENDING}"


class SessionDrop(QObject):
    """Takes a session's folder that is dropped on the canvas of a window; everything else goes its way to napari.

    Attributes
    ----------
    dropped : Signal
        (folder) The session to open.
    """

    dropped = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._watched: list[QWidget] = []

    def watch(self, window: QWidget) -> None:
        """Take what is dropped within a main window, beside its docks; a dock that floats is a window of its own."""
        if not isinstance(window, QMainWindow):
            return
        self.close_down()
        center = window.centralWidget()
        self._watched = [part for part in (center, *center.findChildren(QWidget)) if part.acceptDrops()]
        for part in self._watched:
            part.installEventFilter(self)

    def close_down(self) -> None:
        """Let go of the window."""
        for part in self._watched:
            if isalive(part):
                part.removeEventFilter(self)
        self._watched = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt names it)
        """Take the drop of a session."""
        if event.type() != QEvent.Type.Drop or not isinstance(event, QDropEvent):
            return super().eventFilter(watched, event)
        folder = _dropped(event)
        if folder is None:
            return super().eventFilter(watched, event)
        event.acceptProposedAction()
        QApplication.sendEvent(watched, QDragLeaveEvent())  # or it would stay highlighted
        self.dropped.emit(folder)
        return True


def _open_in_front(folder: Path) -> None:
    viewer = napari.current_viewer()
    if viewer is not None:  # or it was closed meanwhile
        open_review(viewer, folder)


def _dropped(event: QDropEvent) -> Path | None:
    """The session among what is dropped, if that is all there is."""
    mime = event.mimeData()
    paths = [url.toLocalFile() for url in mime.urls()] if mime is not None else []
    return session_of(Path(paths[0])) if len(paths) == 1 and paths[0] else None

"""The first rows of the review dock: which folder, which picture of it, and how far one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.plugin.picture_queue import Show
from napari_anoclip.plugin.queue_drop import FileDrop
from napari_anoclip.plugin.queue_listing import Listed, QueueListing, is_session
from napari_anoclip.plugin.queue_walk import QueueWalk
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted, push_button
from napari_anoclip.review.pictures import SUFFIXES

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer

OPEN = "Open a folder…"

_FILTER = f"Pictures ({' '.join(f'*{suffix}' for suffix in sorted(SUFFIXES))});;All files (*)"

_PADDING = 24
"""Pixels of a button beside its words."""


class QueuePanel(QWidget):
    """Opens a folder and goes through its pictures.

    Parameters
    ----------
    reviewer : Reviewer
        What judges them.

    Attributes
    ----------
    walk : QueueWalk
        What goes through them.
    folder_button, files_button, previous_button, next_button : QAbstractButton
    pictures, show_box : QComboBox
        All pictures with what is known of them; which of them are gone through.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._title = ""
        self._folder = ""
        self.walk = QueueWalk(reviewer, self)
        self.listing = QueueListing(self)
        self._drop = FileDrop(self)
        self._make()
        self._lay_out()
        self.walk.said.connect(reviewer.said)
        self.walk.opened.connect(self._refill)
        self.walk.moved.connect(self._refresh)
        self.walk.learned.connect(self._on_learned)
        self.listing.found.connect(self._on_found)
        self.listing.failed.connect(self._say)
        self.listing.busy_changed.connect(lambda _: self._refresh())
        self._drop.dropped.connect(self._on_dropped)
        self.take_drops_on(self)
        self._refill()

    @property
    def position(self) -> str:
        """Which picture of how many, in words."""
        return self._position.text()

    @property
    def progress(self) -> str:
        """How far one is, in words."""
        return self._progress.text()

    def open_folder(self, folder: Path) -> None:
        """Go through the pictures of a folder and of those in it."""
        self.listing.folder(folder)

    def open_files(self, files: Sequence[Path]) -> None:
        """Go through pictures that were picked; of folders among them, all pictures."""
        self.listing.files(files)

    def next(self) -> None:
        """Go to the next picture that is gone through."""
        self.walk.go(1)

    def previous(self) -> None:
        """Go to the one before."""
        self.walk.go(-1)

    def take_drops_on(self, widget: QWidget) -> None:
        """Open folders and files that are dropped onto a widget around this one, too."""
        self._drop.watch(widget)

    def close_down(self) -> None:
        """Stop what is under way and let go of the reviewer, before the dock or the viewer goes."""
        self.listing.close_down()
        self.walk.close_down()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt names it)
        """Show as much of the folder's name as there is room for."""
        super().resizeEvent(event)
        self._name_folder()

    def _make(self) -> None:
        self.folder_button = push_button("", "", self._ask_for_folder, "Open a folder of pictures")
        # A long name is cut, it does not widen the dock.
        self.folder_button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.files_button = push_button(
            "Files…",
            "Choose single pictures. Files and folders can also be dropped here.",
            self._ask_for_files,
            "Open picture files",
        )
        self.previous_button = _arrow(Qt.ArrowType.LeftArrow, "Previous picture", "PgUp", self.previous)
        self.next_button = _arrow(Qt.ArrowType.RightArrow, "Next picture", "PgDown", self.next)
        self.pictures = _box("Picture", "All pictures: ✓ judged, … begun, ✕ cannot be read.")
        self.pictures.activated.connect(self.walk.choose)
        self.show_box = _box("Show pictures that are", "Which pictures are gone through; others are passed over.")
        for show in Show:
            self.show_box.addItem(str(show), show)
        self.show_box.setCurrentIndex(self.show_box.findText(str(self.walk.queue.show)))
        self.show_box.currentIndexChanged.connect(lambda at: self.walk.set_show(self.show_box.itemData(at)))
        self._position = QLabel()
        self._progress = muted(QLabel())

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        first = _row(QLabel("Folder"), self.folder_button, self.files_button)
        first.setStretchFactor(self.folder_button, 1)
        layout.addLayout(first)
        self._rows = QWidget()
        rows = QVBoxLayout(self._rows)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(4)
        rows.addLayout(_row(self.previous_button, self.pictures, self.next_button))
        rows.addLayout(_row(self._position, QLabel("show"), self.show_box))
        layout.addWidget(self._rows)
        layout.addWidget(self._progress)

    def _on_found(self, listed: Listed) -> None:
        self._title = listed.title
        self._folder = "" if listed.folder is None else str(listed.folder)
        self.walk.open(listed)
        if listed.left_out:
            are = "file is no picture and was" if listed.left_out == 1 else "files are no pictures and were"
            self._say(f"{listed.left_out} {are} left out.")

    def _refill(self) -> None:
        """Show other pictures."""
        queue = self.walk.queue
        with QSignalBlocker(self.pictures):
            self.pictures.clear()
            self.pictures.addItems([queue[place].marked for place in range(len(queue))])
        self._rows.setVisible(bool(len(queue)))
        self._name_folder()
        self._refresh()

    def _on_learned(self, places: list[int]) -> None:
        """Show what is known of some pictures now."""
        queue = self.walk.queue
        if len(queue) == self.pictures.count():
            with QSignalBlocker(self.pictures):
                for place in places:
                    self.pictures.setItemText(place, queue[place].marked)
        self._refresh()

    def _refresh(self) -> None:
        """Show where one is, and how far."""
        queue = self.walk.queue
        at = queue.at
        with QSignalBlocker(self.pictures):
            self.pictures.setCurrentIndex(-1 if at is None else at)
        self.pictures.setToolTip(
            "All pictures: ✓ judged, … begun, ✕ cannot be read." + ("" if at is None else f"\n{queue.paths[at]}")
        )
        self._position.setText(f"{len(queue)} images" if at is None else f"image {at + 1} of {len(queue)}")
        looking = self.listing.job.busy
        self._progress.setText("Looking for pictures…" if looking else queue.progress if len(queue) else "")
        self._progress.setVisible(bool(self._progress.text()))

    def _name_folder(self) -> None:
        room = self.folder_button.width() - _PADDING
        name = self._title or OPEN
        cut = self.folder_button.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, room)
        self.folder_button.setText(cut.replace("&", "&&"))
        what = "Go through all pictures of a folder and of those in it. One can also be dropped here."
        self.folder_button.setToolTip(f"{self._folder or self._title}\n{what}".strip())
        self.folder_button.setAccessibleDescription(self._title)

    def _ask_for_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose a folder of pictures", self._folder)
        if folder:
            self.open_folder(Path(folder))

    def _ask_for_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Choose pictures", self._folder, _FILTER)
        if names:
            self.open_files([Path(name) for name in names])

    def _on_dropped(self, paths: list[Path]) -> None:
        if len(paths) > 1 or not paths[0].is_dir():
            self.open_files(paths)
        elif is_session(paths[0]):
            session = self._reviewer.session
            if session is None or session.folder != paths[0]:
                self._reviewer.open_session(paths[0])
        else:
            self.open_folder(paths[0])

    def _say(self, sentence: str) -> None:
        self._reviewer.said.emit(sentence, "", None)


def _arrow(arrow: Qt.ArrowType, name: str, key: str, do: Callable[[], None]) -> QToolButton:
    button = QToolButton()
    button.setArrowType(arrow)
    button.setAccessibleName(name)
    button.setToolTip(f"{name} that is gone through ({key}).")
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.clicked.connect(lambda: do())
    return button


def _box(name: str, tooltip: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tooltip)
    box.setMinimumContentsLength(6)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    ignore_wheel_unless_focused(box)
    return box


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row

"""A list of entries for the mouse and the keyboard: tick, edit in place, add, remove, move, paste."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from qtpy.QtCore import QEvent, QItemSelectionModel, QSize, Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QKeyEvent, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QApplication, QLabel, QLineEdit, QListView, QVBoxLayout, QWidget

from napari_anoclip.plugin.prompt_document import PromptDocument
from napari_anoclip.plugin.prompt_entries import EntryModel
from napari_anoclip.plugin.prompt_marks import EntryDelegate

ROWS_SHOWN = (3, 9)
"""Fewest and most rows that are in view without scrolling."""


class PromptList(QListView):
    """The list itself, for the mouse and the keyboard."""

    pointed = Signal()
    """The current row is another one."""

    def __init__(self, document: PromptDocument, field: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries = EntryModel(document, field, self)
        self._filter = ""
        self.setModel(self.entries)
        self.setAccessibleName(name)
        self.setToolTip("Tick to use. F2 or double click edits, Del removes, Alt+↑ and Alt+↓ move, Ctrl+V adds lines.")
        self.setUniformItemSizes(True)
        self.setItemDelegate(EntryDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.selectionModel().currentChanged.connect(lambda *_: self.pointed.emit())
        self.entries.arrived.connect(self.go_to)
        for signal in (self.entries.rowsInserted, self.entries.rowsRemoved):
            signal.connect(lambda *_: self._on_rows())

    def about(self, row: int) -> str:
        """What is to be said about an entry, a sentence a line."""
        return self.entries.about(row)

    @property
    def selected_rows(self) -> list[int]:
        """Rows that are selected, from top to bottom."""
        return sorted(index.row() for index in self.selectedIndexes())

    def filter_by(self, text: str) -> None:
        """Show only the entries that have a text in them."""
        self._filter = text.casefold()
        for row, entry in enumerate(self.entries.entries):
            self.setRowHidden(row, self._filter not in entry.text.casefold())

    def add(self, texts: Iterable[str], row: int | None = None) -> int:
        """Add entries, at the end or before a row, and go to the last of them; give how many."""
        start = len(self.entries.entries) if row is None else row
        count = self.entries.insert(start, texts)
        if count:
            self.go_to(start + count - 1)
        return count

    def go_to(self, row: int) -> None:
        """Make a row the current one."""
        index = self.entries.index(min(row, len(self.entries.entries) - 1))
        self.setCurrentIndex(index)
        self.scrollTo(index)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt names it)
        """Edit the list itself; the keys of one entry are Qt's own."""
        if event is None or self.state() == QAbstractItemView.State.EditingState:
            return  # the entry's own keys, which it passes on when it has used them
        key, rows = event.key(), self.selected_rows
        alt = bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if event.matches(QKeySequence.StandardKey.Paste):
            self._paste()
        elif event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        elif rows and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.entries.remove(rows)
            self.go_to(rows[0])
        elif rows and alt and key == Qt.Key.Key_Up:
            self._move(rows, max(rows[0] - 1, 0))
        elif rows and alt and key == Qt.Key.Key_Down:
            self._move(rows, min(rows[-1] + 2, len(self.entries.entries)))
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers() and self.currentIndex().isValid():
            self.edit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802 (Qt names it)
        """Files are not for the list: whoever holds it takes them."""
        if event is not None and event.mimeData().hasUrls():
            event.ignore()
        else:
            super().dragEnterEvent(event)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """High enough for its rows, within bounds."""
        row = max(self.sizeHintForRow(0), self.fontMetrics().height() + 4)
        fewest, most = ROWS_SHOWN
        rows = min(max(len(self.entries.entries), fewest), most)
        return QSize(120, rows * row + 2 * self.frameWidth() + 2)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """As high as it wants to be: the dock scrolls, not the list in it."""
        return QSize(80, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 (Qt names it)
        """Keep the current row in view."""
        super().resizeEvent(event)
        if self.currentIndex().isValid():
            self.scrollTo(self.currentIndex())

    def _move(self, rows: list[int], before: int) -> None:
        start = self.entries.move(rows, before)
        self.clearSelection()
        self.go_to(start)
        for row in range(start, start + len(rows)):
            self.selectionModel().select(self.entries.index(row), QItemSelectionModel.SelectionFlag.Select)

    def _copy(self) -> None:
        QApplication.clipboard().setMimeData(self.entries.mimeData(self.selectedIndexes()))

    def _paste(self) -> None:
        rows = self.selected_rows
        self.add([QApplication.clipboard().text()], rows[-1] + 1 if rows else None)

    def _on_rows(self) -> None:
        self.filter_by(self._filter)
        self.updateGeometry()


class AddLine(QLineEdit):
    """The line under a list: Enter adds what is written and stays for the next; many lines pasted are all added."""

    def __init__(self, add: Callable[[list[str]], int], example: str, name: str) -> None:
        super().__init__()
        self._add = add
        self.setPlaceholderText("+ add…")
        self.setAccessibleName(name)
        self.setToolTip(f"Write an entry, such as “{example}”, and press Enter. Many lines can be pasted at once.")
        self.returnPressed.connect(self._on_enter)
        self.textChanged.connect(self._on_text)

    def event(self, event: QEvent | None) -> bool:
        """With nothing written, Undo is the editor's."""
        keys = QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and not self.text()
            and any(event.matches(key) for key in keys)
        ):
            event.ignore()
            return False
        return super().event(event)

    def _on_enter(self) -> None:
        if self._add([self.text()]):
            self.clear()

    def _on_text(self, text: str) -> None:
        if len(text.splitlines()) > 1 and self._add([text]):
            self.clear()


class PromptColumn(QWidget):
    """A list with its heading and the line that adds to it."""

    def __init__(self, document: PromptDocument, field: str, heading: str, example: str) -> None:
        super().__init__()
        self.field = field
        self.list = PromptList(document, field, heading)
        self.add_line = AddLine(self.list.add, example, f"Add to {heading}")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(QLabel(heading))
        layout.addWidget(self.list)
        layout.addWidget(self.add_line)

"""The entries of one list of the prompt set as rows: states of a side, frames, domains or whole prompts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from qtpy.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, Qt, Signal

from napari_anoclip.engine.prompts import Entry
from napari_anoclip.plugin.prompt_document import PromptDocument

ROWS_MIME = "application/x-anoclip-prompt-rows"
Role = Qt.ItemDataRole
MARK_ROLE = Role.UserRole
"""Which mark stands at an entry: "remark", "new" or None."""


class EntryModel(QAbstractListModel):
    """The entries of one list as rows with a tick.

    Parameters
    ----------
    document : PromptDocument
        What is edited.
    field : str
        Which list of it.

    Attributes
    ----------
    arrived : Signal
        (row) Something was dropped there.
    """

    arrived = Signal(int)

    def __init__(self, document: PromptDocument, field: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.field = field
        self._entries: tuple[Entry, ...] = getattr(document.value, field)
        document.changed.connect(self._follow)
        document.check.checked.connect(self._repaint)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The list as it is now."""
        return self._entries

    def write(self, entries: Iterable[Entry | str]) -> bool:
        """Put other entries into the list, as one undo step; False, with a notice, if that cannot be."""
        return self.document.edit(lambda prompts: prompts.with_entries(self.field, entries))

    def insert(self, row: int, texts: Iterable[str]) -> int:
        """Insert lines of text before a row; give how many there were."""
        added = lines(texts)
        done = added and self.write([*self._entries[:row], *added, *self._entries[row:]])
        return len(added) if done else 0

    def remove(self, rows: Iterable[int]) -> None:
        """Take rows out."""
        gone = set(rows)
        self.write([entry for row, entry in enumerate(self._entries) if row not in gone])

    def move(self, rows: Iterable[int], before: int) -> int:
        """Put rows, in their order, before a row; give the row where the first of them is now."""
        moved = sorted(set(rows))
        start = before - sum(row < before for row in moved)
        rest = [entry for row, entry in enumerate(self._entries) if row not in moved]
        self.write([*rest[:start], *(self._entries[row] for row in moved), *rest[start:]])
        return start

    def take_from(self, field: str, rows: Iterable[int], before: int) -> None:
        """Move rows of another list here, as one undo step."""
        taken = set(rows)
        theirs: tuple[Entry, ...] = getattr(self.document.value, field)
        mine = [*self._entries[:before], *(theirs[row] for row in sorted(taken)), *self._entries[before:]]
        left = [entry for row, entry in enumerate(theirs) if row not in taken]
        self.document.edit(lambda prompts: prompts.with_entries(field, left).with_entries(self.field, mine))

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt names it)
        """One row an entry."""
        return 0 if parent is not None and parent.isValid() else len(self._entries)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Rows can be edited, ticked and dragged."""
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        return (
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsEditable
            | Qt.ItemFlag.ItemIsUserCheckable
            | Qt.ItemFlag.ItemIsDragEnabled
        )

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        """What is shown of an entry."""
        entry = self._entries[index.row()]
        if role in (Role.DisplayRole, Role.EditRole):
            return entry.text
        if role == Role.CheckStateRole:
            return Qt.CheckState.Checked if entry.on else Qt.CheckState.Unchecked
        if role == MARK_ROLE:
            return "remark" if self._remark(entry) else "new" if self._new(entry) else None
        if role == Role.ToolTipRole:
            return self._told(entry) or entry.text
        if role == Role.AccessibleTextRole:
            return " ".join([entry.text, "" if entry.on else "(off)", self._told(entry)]).strip()
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:  # noqa: N802 (Qt names it)
        """Tick an entry or rewrite it; many lines become many entries."""
        row = index.row()
        entry = self._entries[row]
        if role == Role.CheckStateRole:
            on = Qt.CheckState(value) == Qt.CheckState.Checked
            new: list[Entry | str] = [Entry(text=entry.text, on=on)]
        else:
            texts = lines([value])
            if not texts:
                return False
            new = [Entry(text=texts[0], on=entry.on), *texts[1:]]
        return self.write([*self._entries[:row], *new, *self._entries[row + 1 :]])

    def supportedDropActions(self) -> Qt.DropAction:  # noqa: N802 (Qt names it)
        """Rows move; text from elsewhere may be copied."""
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:  # noqa: N802 (Qt names it)
        """What can be dropped: rows of our lists and lines of text."""
        return [ROWS_MIME, "text/plain"]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:  # noqa: N802 (Qt names it)
        """What is dragged or copied: the rows for our own lists, their text for everybody."""
        mime = QMimeData()
        rows = sorted(index.row() for index in indexes)
        told = {"document": id(self.document), "field": self.field, "rows": rows}
        mime.setData(ROWS_MIME, json.dumps(told).encode())
        mime.setText("\n".join(self._entries[row].text for row in rows))
        return mime

    def dropMimeData(self, mime: QMimeData | None, action: Qt.DropAction, row: int, *_: Any) -> bool:  # noqa: N802
        """Take what was dropped before a row; rows of a list of this document are moved."""
        if mime is None or action == Qt.DropAction.IgnoreAction:
            return False
        before = row if row >= 0 else len(self._entries)
        told = json.loads(bytes(mime.data(ROWS_MIME).data()) or b"{}")
        if told.get("document") != id(self.document):
            if not self.insert(before, [mime.text()]):
                return False
        elif told["field"] == self.field:
            before = self.move(told["rows"], before)
        else:
            self.take_from(told["field"], told["rows"], before)
        self.arrived.emit(before)
        return True

    def about(self, row: int) -> str:
        """What is to be said about an entry, in sentences."""
        return self._told(self._entries[row])

    def _told(self, entry: Entry) -> str:
        """Remarks on an entry, and how many prompts it adds that the model has not met."""
        told = [f"⚠ {sentence}" for sentence in self._remark(entry).splitlines()]
        new = self._new(entry)
        if new:
            told.append(f"● New: {new} prompt{'s' * (new > 1)} to encode.")
        return "\n".join(told)

    def _remark(self, entry: Entry) -> str:
        report = self.document.check.report
        return report.about(self.field, entry.text) if report is not None and entry.on else ""

    def _new(self, entry: Entry) -> int:
        report = self.document.check.report
        return report.new.get((self.field, entry.text), 0) if report is not None and entry.on else 0

    def _follow(self) -> None:
        """Take over what changed, so that the selection and the place in the list stay."""
        old, new = self._entries, getattr(self.document.value, self.field)
        if new == old:
            return
        extra = len(new) - len(old)
        alike = next((row for row, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        if extra > 0:
            self.beginInsertRows(QModelIndex(), alike, alike + extra - 1)
            self._entries = new
            self.endInsertRows()
        elif extra < 0:
            self.beginRemoveRows(QModelIndex(), alike, alike - extra - 1)
            self._entries = new
            self.endRemoveRows()
        self._entries = new
        self._repaint()

    def _repaint(self) -> None:
        if self._entries:
            self.dataChanged.emit(self.index(0), self.index(len(self._entries) - 1))


def lines(texts: Iterable[str]) -> list[str]:
    """Lines with something in them; bullets and quotes of a list that was pasted go."""
    written = (line.strip() for text in texts for line in text.splitlines())
    bare = (line.removeprefix("- ").removeprefix("• ").strip("\"' ") for line in written)
    return [line for line in bare if line]

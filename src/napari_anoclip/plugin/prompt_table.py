"""All finished prompts of both sides, to be looked through and switched off one by one."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_anoclip.engine.prompts import Side
from napari_anoclip.plugin.prompt_document import PromptDocument

PROMPT, SIDE, TOKENS = range(3)
HEADINGS = {
    PROMPT: ("prompt", "Every combination of domain, frame and state, and the whole prompts. Tick to use."),
    SIDE: ("side", "Which side the prompt speaks for."),
    TOKENS: ("tokens", "Length as the model counts it, once a model is loaded. What is over its limit is cut off."),
}
SIDES: tuple[Side, ...] = ("normal", "abnormal")
SHORT: dict[Side, str] = {"normal": "norm.", "abnormal": "abn."}
ROWS_SHOWN = 12

Role = Qt.ItemDataRole


class FinishedPrompts(QAbstractTableModel):
    """The finished prompts as rows, those that do not pass the filter left out."""

    def __init__(self, document: PromptDocument, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._all: list[tuple[str, Side]] = []
        self._rows: list[tuple[str, Side]] = []
        self._filter = ""
        self._awake = False
        document.changed.connect(self._follow)
        document.check.checked.connect(self._repaint)

    def wake(self, awake: bool) -> None:
        """Follow the document only while somebody looks."""
        self._awake = awake
        self._follow()

    def filter_by(self, text: str) -> None:
        """Show only the prompts that have a text in them."""
        self._filter = text.casefold()
        self._fill()

    def prompt_at(self, row: int) -> str:
        """The prompt in a row."""
        return self._rows[row][0]

    def switch(self, rows: list[int], on: bool) -> None:
        """Switch prompts on or off, as one undo step."""
        prompts = {self._rows[row][0] for row in rows}
        self._document.edit(lambda value: value.with_prompts(prompts, on))

    def is_on(self, row: int) -> bool:
        """Whether the prompt in a row is used."""
        return self._rows[row][0] not in self._document.value.disabled

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt names it)
        """One row a prompt."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt names it)
        """Prompt, side, tokens."""
        return 0 if parent is not None and parent.isValid() else len(HEADINGS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:  # noqa: N802
        """What the columns are."""
        if orientation == Qt.Orientation.Horizontal and role in (Role.DisplayRole, Role.ToolTipRole):
            return HEADINGS[section][role == Role.ToolTipRole]
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Prompts can be ticked; their words are edited where they come from."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsUserCheckable if index.column() == PROMPT else flags

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        """What is shown of a prompt."""
        column = index.column()
        prompt, side = self._rows[index.row()]
        if role == Role.DisplayRole:
            return (prompt, SHORT[side], self._tokens(prompt))[column]
        if role == Role.CheckStateRole and column == PROMPT:
            return Qt.CheckState.Checked if self.is_on(index.row()) else Qt.CheckState.Unchecked
        if role == Role.TextAlignmentRole and column == TOKENS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Role.ToolTipRole:
            return f"{side} side: {prompt}\n{self.about(index.row())}".strip()
        if role == Role.AccessibleTextRole and column == PROMPT:
            return f"{side}: {prompt}" + ("" if self.is_on(index.row()) else " (off)")
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:  # noqa: N802 (Qt names it)
        """Tick a prompt."""
        if role != Role.CheckStateRole:
            return False
        self.switch([index.row()], Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def about(self, row: int) -> str:
        """What is to be said about a prompt, in a sentence."""
        report = self._document.check.report
        prompt = self._rows[row][0]
        if report is not None and report.limit is not None and report.tokens.get(prompt, 0) > report.limit:
            return f"⚠ This prompt is longer than the {report.limit} tokens that the model reads; the end is cut off."
        return ""

    def _tokens(self, prompt: str) -> str:
        report = self._document.check.report
        count = report.tokens.get(prompt) if report is not None else None
        return "" if count is None else str(count)

    def _follow(self) -> None:
        if self._awake:
            value = self._document.value
            everything = [(prompt, side) for side in SIDES for prompt in value.composed(side)]
            if everything == self._all:
                self._repaint()
            else:
                self._all = everything
                self._fill()

    def _fill(self) -> None:
        self.beginResetModel()
        wanted = self._filter
        self._rows = [row for row in self._all if wanted in row[0].casefold()] if wanted else self._all
        self.endResetModel()

    def _repaint(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, len(HEADINGS) - 1))


class PromptTable(QTableView):
    """The table itself: rows of one height, so that thousands of them cost nothing until they are seen."""

    pointed = Signal()
    """The current row is another one."""

    def __init__(self, document: PromptDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.prompts = FinishedPrompts(document, self)
        self.setModel(self.prompts)
        self.setAccessibleName("All prompts")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(1)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(20)
        columns.setSectionResizeMode(PROMPT, QHeaderView.ResizeMode.Stretch)
        for column, widest in ((SIDE, SHORT["normal"]), (TOKENS, HEADINGS[TOKENS][0])):
            columns.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(widest) + 12)
        self.selectionModel().currentChanged.connect(lambda *_: self.pointed.emit())
        self.prompts.modelReset.connect(self.pointed)

    def about(self, row: int) -> str:
        """What is to be said about a prompt."""
        return self.prompts.about(row)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 (Qt names it)
        """Space switches all selected prompts, the way the current one goes."""
        if event is not None and event.key() == Qt.Key.Key_Space and self.currentIndex().isValid():
            rows = sorted({index.row() for index in self.selectedIndexes()} | {self.currentIndex().row()})
            self.prompts.switch(rows, not self.prompts.is_on(self.currentIndex().row()))
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt names it)
        """Take over what happened unseen."""
        self.prompts.wake(True)
        super().showEvent(event)

    def hideEvent(self, event: Any) -> None:  # noqa: N802 (Qt names it)
        """Compose nothing for nobody."""
        self.prompts.wake(False)
        super().hideEvent(event)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """A dozen rows."""
        return QSize(200, self.horizontalHeader().sizeHint().height() + ROWS_SHOWN * self.rowHeight(0) + 4)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """As high as it wants to be."""
        row = self.verticalHeader().defaultSectionSize()
        return QSize(120, self.horizontalHeader().sizeHint().height() + ROWS_SHOWN * row)

"""The table of an image's regions: a row is chosen as its region is in the canvas, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qtpy.QtCore import QModelIndex, QSize, Qt
from qtpy.QtGui import QAction, QFocusEvent, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.plugin.region_columns import COLUMNS, LENGTH, MEAN, NOTE, NUMBER, PLANE, PROMPT
from napari_anoclip.plugin.region_model import RegionModel
from napari_anoclip.plugin.style import muted

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer

HIDDEN_AT_FIRST = (MEAN, LENGTH, NOTE, PROMPT)
ROWS_SHOWN = 8

_PADDING = 8
"""Pixels beside the words of a column, and for the arrow of the one that is sorted by."""


class RegionTable(QTableView):
    """Rows of one height and columns of known width, so that thousands of rows cost nothing until they are seen.

    Parameters
    ----------
    reviewer : Reviewer
        Whose regions are listed.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._following = self._late = False
        self.regions = RegionModel(reviewer, self)
        self.setModel(self.regions)
        self.setAccessibleName("Regions")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self._set_up_headings()
        self.selectionModel().currentRowChanged.connect(self._on_row)
        reviewer.changed.connect(self.follow)
        reviewer.current_changed.connect(self._follow_current)
        self._follow_current()

    def follow(self) -> None:
        """Take over what the reviewer knows now: once a note that is being written is finished."""
        self._late = self.state() == QAbstractItemView.State.EditingState
        if not self._late:
            with self._quietly():
                self.regions.refresh()
                self._show_columns()
            self._follow_current()

    def filter_by(self, text: str) -> None:
        """List only regions that have a text in their note or kind, or at the beginning of their number."""
        with self._quietly():
            self.regions.filter_by(text)
        self._follow_current()

    def edit_note(self) -> None:
        """Write the note of the current row, in its column."""
        row = self.currentIndex().row()
        if row >= 0:
            self._actions[NOTE].setChecked(True)
            index = self.regions.index(row, NOTE)
            with self._quietly():
                self.setCurrentIndex(index)
            self.edit(index)

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:  # noqa: N802 (Qt names it)
        """Take over what happened while a note was written."""
        super().closeEditor(editor, hint)
        if self._late:
            self.follow()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt names it)
        """Arrows go from row to row; letters, digits and page keys are for whoever holds the table."""
        if self.state() == QAbstractItemView.State.EditingState:
            return  # the note's own keys, which it passes on when it has used them
        if event.key() == Qt.Key.Key_F2:
            self.edit_note()
        elif event.key() in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown) or (event.text().isprintable() and event.text()):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str | None) -> None:  # noqa: N802 (Qt names it)
        """Find nothing by letters: they judge."""

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 (Qt names it)
        """Leave the current region as it is: Qt would make the first row current where there is none."""
        with self._quietly():
            super().focusInEvent(event)
        self._follow_current()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """A few rows."""
        rows = ROWS_SHOWN * self.verticalHeader().defaultSectionSize()
        return QSize(300, self.horizontalHeader().sizeHint().height() + rows + 2 * self.frameWidth())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """As high as it wants to be: the dock scrolls."""
        return QSize(200, self.sizeHint().height())

    def _set_up_headings(self) -> None:
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(1)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        columns.setHighlightSections(False)
        columns.setMinimumSectionSize(20)
        columns.setSectionsClickable(True)
        columns.setSortIndicatorShown(True)
        columns.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        columns.sectionClicked.connect(self._on_heading)
        self._actions: dict[int, QAction] = {}
        for number, column in COLUMNS.items():
            if column.widest:
                columns.setSectionResizeMode(number, QHeaderView.ResizeMode.Interactive)
                words = (column.title, column.widest)
                room = max(self.fontMetrics().horizontalAdvance(text) for text in words)
                self.setColumnWidth(number, room + _PADDING)
            else:
                columns.setSectionResizeMode(number, QHeaderView.ResizeMode.Stretch)
            if number != NUMBER:
                self._actions[number] = self._action(number, column.title)
        for part in (self, columns):
            part.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            part.addActions([*self._actions.values()])
        self._show_columns()

    def _action(self, column: int, title: str) -> QAction:
        """Show a column, or hide it."""
        action = QAction(f"Show {title}", self)
        action.setCheckable(True)
        action.setChecked(column not in HIDDEN_AT_FIRST)
        action.toggled.connect(self._show_columns)
        return action

    def _show_columns(self) -> None:
        """Show what is chosen; planes where there are any: a narrow dock has better use for the room."""
        regions = self._reviewer.regions
        self._actions[PLANE].setEnabled(bool(regions) and COLUMNS[PLANE].key(regions[0]) is not None)
        for column, action in self._actions.items():
            self.setColumnHidden(column, not (action.isChecked() and action.isEnabled()))

    def _on_heading(self, column: int) -> None:
        """Sort, the other way round at the second click, and not at all at the third."""
        highest_first = COLUMNS[column].number
        by: tuple[int, bool] | None = (column, highest_first)
        if self.regions.sorted_by == (column, highest_first):
            by = (column, not highest_first)
        elif self.regions.sorted_by == (column, not highest_first):
            by = None
        with self._quietly():
            self.regions.sort_by(*(by or (None,)))
        order = Qt.SortOrder.DescendingOrder if by and by[1] else Qt.SortOrder.AscendingOrder
        self.horizontalHeader().setSortIndicator(by[0] if by else -1, order)
        self._follow_current()

    def _on_row(self, index: QModelIndex) -> None:
        if not self._following and index.isValid():
            self._reviewer.select(self.regions.region_at(index.row()).id)

    def _follow_current(self) -> None:
        region = self._reviewer.current
        self.regions.point()
        row = self.regions.row_of(None if region is None else region.id)
        with self._quietly():
            if row is None:
                self.setCurrentIndex(QModelIndex())
            elif row != self.currentIndex().row():
                index = self.regions.index(row, max(self.currentIndex().column(), NUMBER))
                self.setCurrentIndex(index)

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Rows that move by themselves choose nothing."""
        before, self._following = self._following, True
        try:
            yield
        finally:
            self._following = before


class RegionList(QWidget):
    """The table with a line above it that filters it, and one below it that tells what is not in it.

    Parameters
    ----------
    reviewer : Reviewer
        Whose regions are listed.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self.table = RegionTable(reviewer)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter…")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter the regions")
        self.filter.setToolTip("List only regions that have this in their note or kind, or begin with this number.")
        self.filter.textChanged.connect(self._on_filter)
        self._left_out = muted(QLabel())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.filter, self.table, self._left_out):
            layout.addWidget(widget)
        reviewer.changed.connect(self._follow)
        self._follow()

    @property
    def left_out(self) -> str:
        """What is said about regions that are not in the table."""
        return self._left_out.text()

    def _on_filter(self, text: str) -> None:
        self.table.filter_by(text)
        self._follow()

    def _follow(self) -> None:
        sentences = []
        regions, vanished = len(self._reviewer.regions), len(self._reviewer.vanished)
        if regions and not self.table.regions.rowCount():
            sentences.append(f"None of {regions} regions is listed. Choose others to show, or clear the filter.")
        if vanished == 1:
            sentences.append("1 judged region lies below this threshold. It is kept, and comes back with it.")
        elif vanished:
            sentences.append(
                f"{vanished} judged regions lie below this threshold. They are kept, and come back with it."
            )
        self._left_out.setText(" ".join(sentences))
        self._left_out.setVisible(bool(sentences))

"""The regions of an image as rows: which are listed, in which order, and what became of them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from napari_anoclip.plugin.region_columns import (
    AREA,
    COLUMNS,
    NOTE,
    NUMBER,
    PIXELS,
    SCORE,
    Look,
    about,
    decimals_of,
    kind_of,
    note_of,
    verdict_text,
)
from napari_anoclip.plugin.shown_regions import Show

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.review.judgement import Measures
    from napari_anoclip.review.matching import Matched

CURRENT = "▶"

Role = Qt.ItemDataRole


class RegionModel(QAbstractTableModel):
    """The reviewer's regions as rows, those left out that do not pass the filters.

    Words are made for the rows that are painted only. Views are told of rows that are others now, came or went; they
    begin anew only where much moved.

    Parameters
    ----------
    reviewer : Reviewer
        Whose regions are listed. `refresh` takes them over.
    """

    def __init__(self, reviewer: Reviewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._rows: list[Matched] = []
        self._places: dict[int, int] = {}
        self._filter = ""
        self._sorted_by: tuple[int, bool] | None = None
        self._current: int | None = None
        self._unit = PIXELS
        self._look = Look(self._area, decimals_of([]))
        self.refresh()

    @property
    def sorted_by(self) -> tuple[int, bool] | None:
        """Column that rows are sorted by, and whether the highest is first; None in the order of the queue."""
        return self._sorted_by

    def refresh(self) -> None:
        """Take over what the reviewer knows now."""
        wanted = self._listed()
        self._replace(wanted)
        self.point()
        unit = next((self._area(one.measures)[1] for one in wanted if one.measures is not None), self._unit)
        look = Look(self._area, decimals_of(wanted))
        if (unit, look.decimals) != (self._unit, self._look.decimals):
            self._unit, self._look = unit, look
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, AREA, AREA)
            self._tell(0, len(self._rows) - 1)

    def filter_by(self, text: str) -> None:
        """List only regions that have a text in their note or kind, or at the beginning of their number."""
        self._filter = text.strip().casefold()
        self.refresh()

    def sort_by(self, column: int | None, highest_first: bool = False) -> None:
        """Sort by a column; None is the order of the queue."""
        self._sorted_by = None if column is None else (column, highest_first)
        self.refresh()

    def point(self) -> None:
        """Mark the current region."""
        region = self._reviewer.current
        before, self._current = self._current, None if region is None else region.id
        if before != self._current:
            for row in (self.row_of(before), self.row_of(self._current)):
                if row is not None:
                    self._tell(row, row)

    def region_at(self, row: int) -> Matched:
        """The region in a row."""
        return self._rows[row]

    def row_of(self, number: int | None) -> int | None:
        """The row of a region; None if it is not listed."""
        return None if number is None else self._places.get(number)

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt names it)
        """One row a region."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt names it)
        """All columns, also those that a table hides."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Role.DisplayRole) -> Any:  # noqa: N802
        """What the columns are; the area's names its unit."""
        if orientation == Qt.Orientation.Horizontal and role == Role.DisplayRole:
            return COLUMNS[section].title + (f" {self._unit}" if section == AREA else "")
        if orientation == Qt.Orientation.Horizontal and role == Role.ToolTipRole:
            return f"{COLUMNS[section].tooltip}\nClick to sort; a third click restores the order of the queue."
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Only notes are written in the table."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == NOTE else flags

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        """What is shown of a region."""
        region, column = self._rows[index.row()], index.column()
        text = COLUMNS[column].text
        if role == Role.DisplayRole:
            mark = CURRENT if column == NUMBER and region.id == self._current else ""
            return mark + text(region, self._look)
        if role == Role.EditRole:
            return text(region, self._look)
        if role == Role.TextAlignmentRole and COLUMNS[column].number:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Role.ToolTipRole:
            return about(region)
        if role == Role.AccessibleTextRole and column == NUMBER:
            said = "not judged" if region.verdict is None and not region.second_look else verdict_text(region)
            return f"region {region.id}, {said}, score {COLUMNS[SCORE].text(region, self._look)}"
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:  # noqa: N802 (Qt names it)
        """Write a note of the region in the row, which becomes the current one."""
        region, words = self._rows[index.row()], str(value).strip()
        if role != Role.EditRole or index.column() != NOTE or words == note_of(region):
            return False
        self._reviewer.select(region.id)
        self._reviewer.set_note(words)
        return True

    def _listed(self) -> list[Matched]:
        regions, show = self._reviewer.regions, self._reviewer.show
        if show is not Show.ALL:
            regions = [one for one in regions if show.shows(one)]
        if self._filter:
            regions = [one for one in regions if self._passes(one)]
        if self._sorted_by is None:
            return list(regions)
        column, highest_first = self._sorted_by
        keyed = [(COLUMNS[column].key(one), one) for one in regions]
        known = sorted((pair for pair in keyed if pair[0] is not None), key=lambda pair: pair[0], reverse=highest_first)
        return [one for _, one in known] + [one for value, one in keyed if value is None]

    def _passes(self, region: Matched) -> bool:
        wanted = self._filter
        words = note_of(region).casefold(), kind_of(region).casefold()
        return str(region.id).startswith(wanted.removeprefix("#")) or any(wanted in text for text in words)

    def _replace(self, wanted: list[Matched]) -> None:
        """Put other rows in the place of those there are, and tell no more than that.

        Judging takes a row away, undoing brings it back: rows came or went between what is equal at both ends.
        """
        before = self._rows
        first = _common(before, wanted)
        last = min(_common(before[::-1], wanted[::-1]), len(before) - first, len(wanted) - first)
        gone, come = len(before) - last, len(wanted) - last
        if first < gone and first < come:
            self.beginResetModel()
            self._set(wanted)
            self.endResetModel()
            return
        if first < gone:
            self.beginRemoveRows(QModelIndex(), first, gone - 1)
            before = before[:first] + before[gone:]
            self._set(wanted)
            self.endRemoveRows()
        elif first < come:
            self.beginInsertRows(QModelIndex(), first, come - 1)
            before = before[:first] + wanted[first:come] + before[first:]
            self._set(wanted)
            self.endInsertRows()
        else:
            self._set(wanted)
        changed = [row for row, (one, other) in enumerate(zip(before, wanted, strict=True)) if not _same(one, other)]
        # Rows that follow each other are as far from their place in this list.
        for _, run in groupby(enumerate(changed), lambda pair: pair[1] - pair[0]):
            rows = [row for _, row in run]
            self._tell(rows[0], rows[-1])

    def _set(self, rows: list[Matched]) -> None:
        self._rows = rows
        self._places = {region.id: row for row, region in enumerate(rows)}

    def _tell(self, first: int, last: int) -> None:
        if first <= last:
            self.dataChanged.emit(self.index(first, 0), self.index(last, len(COLUMNS) - 1))

    def _area(self, measures: Measures) -> tuple[float, str]:
        subject = self._reviewer.subject
        return (measures.area, PIXELS) if subject is None else subject.area(measures)


def _common(rows: list[Matched], others: list[Matched]) -> int:
    """How many rows are of the same regions from the first on."""
    at = 0
    for one, other in zip(rows, others, strict=False):
        if one.id != other.id:
            break
        at += 1
    return at


def _same(one: Matched, other: Matched) -> bool:
    """Whether two rows read the same for certain; parts are compared by identity, which costs next to nothing."""
    return one is other or (
        one.verdict is other.verdict
        and one.judgement is other.judgement
        and one.measures is other.measures
        and one.second_look == other.second_look
        and one.mask is other.mask
    )

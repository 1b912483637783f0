"""A list whose rows carry a bar: what pushes up grows to the right, what pushes down to the left."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QKeyEvent, QPainter, QPalette
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

_VALUE = Qt.ItemDataRole.UserRole
_LENGTH = Qt.ItemDataRole.UserRole + 1
_KEY = Qt.ItemDataRole.UserRole + 2
_MARGIN = 4


@dataclass(frozen=True)
class Bar:
    """One row.

    Attributes
    ----------
    text : str
        What it is; elided in the middle where there is no room.
    value : str
        The number as it is written at the end of the row.
    length : float
        -1..1 of the room there is; negative grows to the left.
    key : object
        What `chosen` is emitted with.
    tooltip : str
        All of it, in words.
    """

    text: str
    value: str
    length: float
    key: Any
    tooltip: str


class BarList(QListWidget):
    """Rows with bars, chosen by a click or by Enter.

    Parameters
    ----------
    name : str
        What a screen reader calls the list.
    tooltip : str
        Of the list, where it has no rows.
    signed : bool
        Bars grow from the middle to both sides, or all from the left.
    """

    chosen = Signal(object)

    def __init__(self, name: str, tooltip: str, *, signed: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setToolTip(tooltip)
        self.setItemDelegate(_BarDelegate(signed, self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.itemClicked.connect(lambda item: self.chosen.emit(item.data(_KEY)))

    @property
    def current(self) -> Any:
        """The key of the row that has the keyboard, or None."""
        item = self.currentItem()
        return None if item is None else item.data(_KEY)

    def show_bars(self, bars: Iterable[Bar]) -> None:
        """Put other rows in place of those shown; the list is as tall as its rows."""
        self.clear()
        for bar in bars:
            item = QListWidgetItem(bar.text)
            item.setData(_VALUE, bar.value)
            item.setData(_LENGTH, bar.length)
            item.setData(_KEY, bar.key)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{bar.text}, {bar.value}")
            item.setToolTip(bar.tooltip)
            self.addItem(item)
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """As tall as the rows, so that the dock scrolls and the list does not."""
        rows = max(1, self.count())
        height = rows * max(self.sizeHintForRow(0), self.fontMetrics().height() + 2 * _MARGIN)
        return QSize(200, height + 2 * self.frameWidth())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """No row is ever cut off."""
        return QSize(100, self.sizeHint().height())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt names it)
        """Enter chooses the row, as a click does."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentItem() is not None:
            self.chosen.emit(self.current)
            return
        super().keyPressEvent(event)


class _BarDelegate(QStyledItemDelegate):
    """Draws the bar behind the text, the number at the end."""

    def __init__(self, signed: bool, parent: QWidget) -> None:
        super().__init__(parent)
        self._signed = signed

    def sizeHint(self, option: QStyleOptionViewItem, _: QModelIndex) -> QSize:  # noqa: N802 (Qt names it)
        return QSize(100, option.fontMetrics.height() + 2 * _MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        self.initStyleOption(option, index)
        widget = option.widget
        text, option.text = option.text, ""
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, widget)
        painter.save()
        ink = widget.palette().color(QPalette.ColorRole.Text)
        self._paint_bar(painter, option.rect, float(index.data(_LENGTH)), ink)
        painter.setPen(ink)
        inner = option.rect.adjusted(_MARGIN, 0, -_MARGIN, 0)
        value = str(index.data(_VALUE))
        room = inner.width() - option.fontMetrics.horizontalAdvance(value) - 2 * _MARGIN
        elided = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, elided)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, value)
        painter.restore()

    def _paint_bar(self, painter: QPainter, row: QRect, length: float, ink: QColor) -> None:
        """From where zero is; hatched where it grows to the left, so that it differs in more than its side."""
        zero = row.left() + (row.width() // 2 if self._signed else 0)
        reach = round(min(1.0, abs(length)) * (row.right() - zero))
        bar = QRect(zero if length > 0 else zero - reach, row.top() + 2, reach, row.height() - 4)
        pale = QColor(ink)
        pale.setAlpha(60)
        painter.fillRect(bar, QBrush(pale, Qt.BrushStyle.SolidPattern if length > 0 else Qt.BrushStyle.BDiagPattern))
        painter.setPen(pale)
        painter.drawLine(zero, row.top(), zero, row.bottom())

"""How an entry's row is drawn: with a small sign at its end where there is something to say about it."""

from __future__ import annotations

from functools import lru_cache

from qtpy.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from napari_anoclip.plugin.prompt_entries import MARK_ROLE

SIZE = 16
SHARPER = 4
"""Times that a sign is drawn larger than shown, for dense screens."""


class EntryDelegate(QStyledItemDelegate):
    """Rows of one height; the sign has the colour of the text and so fits every theme."""

    def initStyleOption(self, option: QStyleOptionViewItem | None, index: QModelIndex) -> None:  # noqa: N802
        """Put the sign at the end of the row."""
        super().initStyleOption(option, index)
        mark = index.data(MARK_ROLE)
        if mark and option is not None:
            option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
            option.decorationPosition = QStyleOptionViewItem.Position.Right
            option.decorationSize = QSize(SIZE - 2, SIZE - 2)
            option.icon = sign(mark, option.palette.color(QPalette.ColorRole.Text).name())

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: ARG002, N802
        """As high with a sign as without."""
        return QSize(60, option.fontMetrics.height() + 6)

    def createEditor(self, parent: QWidget | None, option: QStyleOptionViewItem, index: QModelIndex) -> QWidget:  # noqa: ARG002, N802
        """A plain line, in which everything of the entry can be seen."""
        editor = QLineEdit(parent)
        editor.setFrame(False)
        editor.setStyleSheet("padding: 0px; margin: 0px;")
        editor.setAccessibleName(f"Entry {index.row() + 1}")
        return editor


@lru_cache(maxsize=16)
def sign(kind: str, colour: str) -> QIcon:
    """A triangle with a stroke in it for a remark, a dot for what is new."""
    pixmap = QPixmap(SHARPER * SIZE, SHARPER * SIZE)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(SHARPER, SHARPER)
    painter.setPen(QPen(QColor(colour), 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    if kind == "new":
        painter.setBrush(QColor(colour))
        painter.drawEllipse(QRectF(5.5, 5.5, 5, 5))
    else:
        painter.drawPolygon(QPolygonF([QPointF(8, 2), QPointF(14.5, 13.5), QPointF(1.5, 13.5)]))
        painter.drawLine(QPointF(8, 6.5), QPointF(8, 9.5))
        painter.drawPoint(QPointF(8, 11.6))
    painter.end()
    return QIcon(pixmap)

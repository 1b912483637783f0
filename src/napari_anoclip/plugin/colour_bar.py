"""The heatmap's colours from the first to the last, with what they stand for and where the threshold lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QLinearGradient, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from napari.utils.colormaps import Colormap

_STOPS = 32
_MARK = 5


def digits(low: float, high: float) -> int:
    """Decimals that tell apart what lies between two probabilities."""
    return 4 if high - low < 0.05 else 3


def colour_stops(colormap: Colormap) -> list[tuple[float, QColor]]:
    """A colour map as positions between 0 and 1 and their colours, for `colour_brush`."""
    positions = np.linspace(0, 1, _STOPS)
    colours = [QColor.fromRgbF(*(float(channel) for channel in colour)) for colour in colormap.map(positions)]
    return list(zip(positions.tolist(), colours, strict=True))


def colour_brush(stops: list[tuple[float, QColor]], left: float, right: float) -> QBrush:
    """Colours from one x to another, those of the ends beyond."""
    gradient = QLinearGradient(left, 0, right, 0)
    gradient.setStops(stops)
    return QBrush(gradient)


class ColourBar(QWidget):
    """A strip of the heatmap's colours between two numbers, with a mark at the threshold.

    Parameters
    ----------
    colormap : Colormap
        The heatmap's.
    """

    def __init__(self, colormap: Colormap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stops = colour_stops(colormap)
        self._limits: tuple[float, float] | None = None
        self._threshold: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Colours of the heatmap")
        self.setToolTip("Probabilities that the first and the last colour stand for. The mark is the threshold.")

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """One line of text high."""
        return QSize(200, self.fontMetrics().height() + 2 * _MARK)

    def show_range(self, limits: tuple[float, float], threshold: float | None) -> None:
        """Show a range of probabilities and the threshold in it."""
        self._limits, self._threshold = limits, threshold
        self.setAccessibleDescription(self.description)
        self.update()

    @property
    def description(self) -> str:
        """What is shown, in words."""
        if self._limits is None:
            return ""
        low, high = self._numbers(self._limits)
        words = f"Colours run from {low} to {high}"
        if self._threshold is None:
            return words
        return f"{words}, threshold {self._threshold:.{digits(*self._limits)}f}"

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 (Qt names it)
        """Numbers at the ends, the strip between them, the mark above and below it."""
        if self._limits is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        numbers = self._numbers(self._limits)
        ends = [self.fontMetrics().horizontalAdvance(number) + 2 * _MARK for number in numbers]
        whole = QRectF(self.rect())
        strip = whole.adjusted(ends[0], _MARK, -ends[1], -_MARK)
        across = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(whole, across | Qt.AlignmentFlag.AlignLeft, numbers[0])
        painter.drawText(whole, across | Qt.AlignmentFlag.AlignRight, numbers[1])
        painter.fillRect(strip, colour_brush(self._stops, strip.left(), strip.right()))
        painter.drawRect(strip)
        low, high = self._limits
        if self._threshold is not None and low <= self._threshold <= high:
            x = strip.left() + strip.width() * (self._threshold - low) / (high - low)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink)
            for tip, base in ((strip.top(), 0.0), (strip.bottom(), whole.bottom())):
                painter.drawPolygon(QPolygonF([QPointF(x, tip), QPointF(x - _MARK, base), QPointF(x + _MARK, base)]))

    @staticmethod
    def _numbers(limits: tuple[float, float]) -> tuple[str, str]:
        low, high = (f"{limit:.{digits(*limits)}f}" for limit in limits)
        return low, high

"""How the scores are spread, with the threshold as a line that can be dragged."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_anoclip.engine.histogram import ScoreHistogram
from napari_anoclip.plugin.colour_bar import colour_brush, colour_stops, digits

if TYPE_CHECKING:
    from napari.utils.colormaps import Colormap

_SIDE = 6
_BAR = 2
"""Width of a drawn bar in pixels."""
_STRIP = 5
_GRIP = 5
_PALE = 110
"""Opacity, of 255, of the bars below the threshold."""
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: -10, Qt.Key.Key_PageUp: 10}
_STEP_SHARE = 1 / 200


class HistogramView(QWidget):
    """Counts (on a logarithmic scale) of the scores, the colours' range under them, and the threshold.

    The threshold follows the mouse, or the arrow keys while the histogram has the focus: in small steps, ten at once
    with Shift or by Page Up and Down. `threshold_changed` is emitted on the way, `threshold_set` where it comes to
    rest.

    Parameters
    ----------
    colormap : Colormap
        The heatmap's.
    """

    threshold_changed = Signal(float)
    threshold_set = Signal(float)

    def __init__(self, colormap: Colormap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._stops = colour_stops(colormap)
        self._histogram = ScoreHistogram()
        self._limits = (0.0, 1.0)
        self._axis = (0.0, 1.0)
        self._threshold: float | None = None
        self._held = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Histogram of scores")
        self.setToolTip(
            "How often each score occurs, tall bars for many. Drag the line, or use the arrow keys, to set the "
            "threshold. The strip below shows the heatmap's colours."
        )
        self._describe()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """As wide as there is room."""
        return QSize(200, 96)

    @property
    def threshold(self) -> float | None:
        """Where the line is; None until something is shown."""
        return self._threshold

    @property
    def axis(self) -> tuple[float, float]:
        """Scores at the left and the right end."""
        return self._axis

    def show_scores(self, histogram: ScoreHistogram, limits: tuple[float, float], threshold: float) -> None:
        """Show how scores are spread.

        Parameters
        ----------
        histogram : ScoreHistogram
            Of an image or a stack.
        limits : tuple of float
            Scores of the first and the last colour.
        threshold : float
            Where the line goes. Emits nothing. While the line is held, the axis stays as it is.
        """
        self._histogram, self._limits, self._threshold = histogram, limits, threshold
        ends = [*limits, threshold]
        if histogram.count:
            ends += [histogram.quantile(0), histogram.quantile(1)]
        if not self._held:
            margin = 0.02 * (max(ends) - min(ends))
            self._axis = max(0.0, min(ends) - margin), min(1.0, max(ends) + margin)
        self._describe()

    def x_of(self, score: float) -> float:
        """Where a score is drawn, in pixels from the left."""
        low, high = self._axis
        return _SIDE + (self.width() - 2 * _SIDE) * (score - low) / max(high - low, 1e-9)

    def score_at(self, x: float) -> float:
        """The score drawn at a place, the nearest end of the axis outside it."""
        low, high = self._axis
        share = (x - _SIDE) / max(self.width() - 2 * _SIDE, 1)
        return low + (high - low) * min(max(share, 0.0), 1.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt names it)
        """Take hold of the line, which comes to where the mouse is."""
        if event.button() == Qt.MouseButton.LeftButton and self._threshold is not None:
            self._held = True
            self._move_to(self.score_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt names it)
        """Drag the line."""
        if self._held:
            self._move_to(self.score_at(event.position().x()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt names it)
        """Let go of the line."""
        if event.button() == Qt.MouseButton.LeftButton and self._held:
            self._held = False
            self.threshold_set.emit(self._threshold)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt names it)
        """Move the line by a small step, or by ten of them."""
        steps = _STEPS.get(Qt.Key(event.key()))
        if steps in (-1, 1) and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            steps *= 10
        if steps is None or self._threshold is None:
            super().keyPressEvent(event)
            return
        low, high = self._axis
        moved = self._threshold + steps * _STEP_SHARE * (high - low)
        self._move_to(min(max(moved, low), high))
        self.threshold_set.emit(self._threshold)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 (Qt names it)
        """Bars, colour strip, line with its number; a frame when focused."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        if self._threshold is None:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "Run once to see how the scores are spread.")
            return
        text = self.fontMetrics().height()
        inner = QRectF(self.rect()).adjusted(_SIDE, text + _GRIP, -_SIDE, -(text + _STRIP + 2))
        self._paint_bars(painter, inner, ink)
        self._paint_strip(painter, QRectF(inner.left(), inner.bottom() + 1, inner.width(), _STRIP))
        ends = QRectF(inner.left(), self.height() - text, inner.width(), text)
        places = digits(*self._axis)
        painter.drawText(ends, Qt.AlignmentFlag.AlignLeft, f"{self._axis[0]:.{places}f}")
        painter.drawText(ends, Qt.AlignmentFlag.AlignRight, f"{self._axis[1]:.{places}f}")
        self._paint_line(painter, inner, ink, f"{self._threshold:.{places}f}")
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(ink, 1, Qt.PenStyle.DotLine))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_bars(self, painter: QPainter, inner: QRectF, ink: QColor) -> None:
        bars = max(1, int(inner.width() // _BAR))
        heights = np.log1p(self._histogram.binned(*self._axis, bins=bars))
        heights *= inner.height() / max(heights.max(), 1e-9)
        pale = QColor(ink)
        pale.setAlpha(_PALE)
        width = inner.width() / bars
        line = self.x_of(self._threshold or 0.0)
        for index in np.flatnonzero(heights):
            bar = QRectF(inner.left() + index * width, inner.bottom() - heights[index], width, heights[index])
            painter.fillRect(bar, ink if bar.center().x() >= line else pale)

    def _paint_strip(self, painter: QPainter, strip: QRectF) -> None:
        left, right = (self.x_of(limit) for limit in self._limits)
        painter.fillRect(strip, colour_brush(self._stops, left, max(right, left + 1)))
        painter.drawLine(strip.topLeft(), strip.topRight())

    def _paint_line(self, painter: QPainter, inner: QRectF, ink: QColor, number: str) -> None:
        x = self.x_of(self._threshold or 0.0)
        painter.setPen(QPen(ink, 1.5))
        painter.drawLine(QLineF(x, inner.top(), x, inner.bottom() + _STRIP))
        painter.setBrush(ink)
        top = inner.top()
        painter.drawPolygon(
            QPolygonF(
                [QPointF(x, top + _GRIP), QPointF(x - _GRIP, top - _GRIP / 2), QPointF(x + _GRIP, top - _GRIP / 2)]
            )
        )
        width = self.fontMetrics().horizontalAdvance(number) + 2
        left = min(max(x - width / 2, 0.0), self.width() - width)
        painter.drawText(QRectF(left, 0, width, self.fontMetrics().height()), Qt.AlignmentFlag.AlignCenter, number)

    def _move_to(self, threshold: float) -> None:
        self._threshold = threshold
        self._describe()
        self.threshold_changed.emit(threshold)

    def _describe(self) -> None:
        """Say the same to a screen reader."""
        words = "No scores yet."
        if self._threshold is not None:
            low, high = self._histogram.quantile(0), self._histogram.quantile(1)
            words = (
                f"{100 * self._histogram.share_above(self._threshold):.2f} % reach the threshold {self._threshold:.4f}."
            )
            if not math.isnan(low):
                words = f"Scores from {low:.4f} to {high:.4f}. {words}"
        self.setAccessibleDescription(words)
        self.update()

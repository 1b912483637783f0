"""The loss of an adaptation, step by step."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_SIDE = 4
_DOT = 2.0
_PLACES = (3, 4, 5, 6)
"""Decimals, the fewest that tell the first loss from the last."""


class LossCurve(QWidget):
    """A line through the losses, and the first and the last in words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._losses: dict[int, float] = {}
        self._steps = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Loss of the adaptation")
        self.setToolTip("The loss before each step. It need not fall far: a flat curve means little was adapted.")
        self._describe()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """A line of text and a low curve."""
        return QSize(200, self.fontMetrics().height() + 40)

    @property
    def text(self) -> str:
        """The first and the last loss in words; empty where there is none."""
        values = [self._losses[step] for step in sorted(self._losses)]
        if len(values) < 2:
            return "".join(f"loss {value:.3f}" for value in values)
        first, last = values[0], values[-1]
        places = next((n for n in _PLACES if f"{first:.{n}f}" != f"{last:.{n}f}"), _PLACES[0])
        return f"loss {first:.{places}f} → {last:.{places}f}"

    def begin(self, steps: int) -> None:
        """Forget the curve; so many steps are to come."""
        self._losses, self._steps = {}, steps
        self._describe()

    def add(self, step: int, loss: float) -> None:
        """Add the loss before a step, counted from 1."""
        self._losses[step] = loss
        self._steps = max(self._steps, step)
        self._describe()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 (Qt names it)
        """The words, and the curve under them over the width of all steps."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        painter.setPen(ink)
        height = self.fontMetrics().height()
        painter.drawText(
            self.rect(), Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft, self.text or "no loss yet"
        )
        if not self._losses:
            return
        area = QRectF(self.rect()).adjusted(_SIDE, height + _SIDE, -_SIDE, -_SIDE)
        low, high = min(self._losses.values()), max(self._losses.values())
        points = [
            QPointF(
                area.left() + area.width() * (step - 1) / max(self._steps - 1, 1),
                area.bottom() - area.height() * ((loss - low) / (high - low) if high > low else 0.5),
            )
            for step, loss in sorted(self._losses.items())
        ]
        painter.setPen(QPen(ink, 1.5))
        painter.drawPolyline(QPolygonF(points))
        painter.setBrush(ink)
        for point in (points[0], points[-1]):
            painter.drawEllipse(point, _DOT, _DOT)

    def _describe(self) -> None:
        """Say the same to a screen reader."""
        self.setAccessibleDescription(self.text or "no loss yet")
        self.update()

"""How figures went from prompt set to prompt set, drawn small."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_anoclip.review.trials import Trial

_SIDE = 4
_DOT = 2.0
_LEGEND = 24
"""Width of the piece of line before a name."""

_LINES = (
    ("false_regions", "FP regions / image", 1, Qt.PenStyle.SolidLine),
    ("aupro", "AUPRO", 2, Qt.PenStyle.DashLine),
)
"""Figure, its name, digits, and how its line is drawn: they differ in more than a colour."""


class TrialPlot(QWidget):
    """A line for false-positive regions and one for AUPRO, each from its lowest to its highest value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._trials: tuple[Trial, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Figures of the prompt sets over time")
        self.setToolTip("From the first prompt set to the last one. Each line fills the height.")

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """Low, with a line of text for each curve."""
        return QSize(200, len(_LINES) * self.fontMetrics().height() + 44)

    def show_trials(self, trials: Sequence[Trial]) -> None:
        """Draw other trials, the oldest first."""
        self._trials = tuple(trials)
        self.setAccessibleDescription(", ".join(self._words(*line[:3]) for line in _LINES))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802, ARG002 (Qt names it)
        """The names with how far each figure went, and the curves under them."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = self.palette().windowText().color()
        height = self.fontMetrics().height()
        area = QRectF(self.rect()).adjusted(_SIDE, len(_LINES) * height + _SIDE, -_SIDE, -_SIDE)
        for place, (field, name, digits, style) in enumerate(_LINES):
            painter.setPen(QPen(ink, 1.5, style))
            middle = (place + 0.5) * height
            painter.drawLine(QLineF(_SIDE, middle, _SIDE + _LEGEND, middle))
            painter.drawText(
                QRectF(2 * _SIDE + _LEGEND, place * height, self.width(), height),
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft,
                self._words(field, name, digits),
            )
            self._draw(painter, area, self._values(field))

    def _draw(self, painter: QPainter, area: QRectF, values: list[tuple[int, float]]) -> None:
        if not values:
            return
        low, high = min(value for _, value in values), max(value for _, value in values)
        points = [
            QPointF(
                area.left() + area.width() * place / max(len(self._trials) - 1, 1),
                area.bottom() - area.height() * ((value - low) / (high - low) if high > low else 0.5),
            )
            for place, value in values
        ]
        painter.drawPolyline(QPolygonF(points))
        for point in points:
            painter.drawEllipse(point, _DOT, _DOT)

    def _values(self, field: str) -> list[tuple[int, float]]:
        told = ((place, getattr(trial.figures, field).value) for place, trial in enumerate(self._trials))
        return [(place, value) for place, value in told if value is not None]

    def _words(self, field: str, name: str, digits: int) -> str:
        values = [value for _, value in self._values(field)]
        if not values:
            return f"{name}: too few judged"
        first, last = f"{values[0]:.{digits}f}", f"{values[-1]:.{digits}f}"
        return f"{name} {first}" if len(values) == 1 else f"{name} {first} → {last}"

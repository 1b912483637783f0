"""Figures of merit as rows: what it is, the number with its interval, and which way it went with the last edit."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_anoclip.plugin.style import muted
from napari_anoclip.review.metrics import Figure, Figures


@dataclass(frozen=True)
class Row:
    """How a figure is shown.

    Attributes
    ----------
    field : str
        Of `Figures`.
    title, meaning : str
        What it is called, and one sentence on what it says.
    digits : int
        Behind the point.
    falls : bool
        Whether less of it is better.
    counted : bool
        Whether it is said as so many of so many.
    """

    field: str
    title: str
    meaning: str
    digits: int = 2
    falls: bool = False
    counted: bool = False

    def number(self, figure: Figure) -> str:
        """Write the value; nothing where there is too little to tell it from."""
        if figure.value is None:
            return ""
        return f"{figure.total}/{figure.count}" if self.counted else f"{figure.value:.{self.digits}f}"

    def interval(self, figure: Figure) -> str:
        """Write the 95 % interval; nothing where there is none."""
        if figure.low is None or figure.high is None:
            return ""
        return f"{figure.low:.{self.digits}f} to {figure.high:.{self.digits}f}"

    def change(self, before: Figure, now: Figure) -> str:
        """Say which way it went, in a sign and in words; nothing where it did not, or where that cannot be told."""
        old = self.number(before)
        if before.value is None or now.value is None or old == self.number(now):
            return ""
        rose = now.value > before.value
        return f"{'▲' if rose else '▼'} from {old}, {'better' if rose != self.falls else 'worse'}"


FIRST = (
    Row(
        "false_regions",
        "FP regions / image",
        "Regions above the threshold that are no defect, an image.",
        digits=1,
        falls=True,
    ),
    Row("recall", "Recall", "Defect regions that a region above the threshold meets.", counted=True),
    Row(
        "aupro",
        "AUPRO",
        "How much of each defect region is found, over thresholds up to a false-positive rate of 0.3: 1 is perfect.",
    ),
)
MORE = (
    Row("pixel_auroc", "Pixel AUROC", "How well the map ranks defect pixels above normal ones: 1 is perfect."),
    Row("pixel_ap", "Pixel AP", "Average precision of pixels: 1 is perfect."),
    Row("f1_max", "F1 at best", "F1 of pixels at the threshold that suits them best: 1 is perfect."),
    Row("f1", "F1 at threshold", "F1 of pixels at the threshold that is set: 1 is perfect."),
    Row("image_auroc", "Image AUROC", "How well image scores tell images with a defect from good ones: 1 is perfect."),
)


class FigureGrid(QWidget):
    """Some of the figures, a row each.

    Parameters
    ----------
    rows : tuple of Row
        Which.
    """

    def __init__(self, rows: tuple[Row, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = rows
        self._values: dict[str, QLabel] = {}
        self._changes: dict[str, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(1)
        grid.setColumnStretch(1, 1)
        for place, row in enumerate(rows):
            title, value, change = QLabel(row.title), QLabel(), muted(QLabel())
            value.setWordWrap(True)
            value.setTextFormat(Qt.TextFormat.RichText)
            value.setAccessibleName(row.title)
            change.setAccessibleName(f"{row.title}, change with the last edit")
            title.setToolTip(row.meaning)
            for label, at in ((title, 2 * place), (value, 2 * place), (change, 2 * place + 1)):
                column = 0 if label is title else 1
                grid.addWidget(label, at, column, Qt.AlignmentFlag.AlignTop if column == 0 else Qt.AlignmentFlag(0))
            self._values[row.field], self._changes[row.field] = value, change
            change.hide()

    def value_of(self, field: str) -> str:
        """A number, with its interval, or words in its place, as they are shown; without marks."""
        return self._values[field].accessibleDescription()

    def change_of(self, field: str) -> str:
        """Which way it went, as it is shown."""
        label = self._changes[field]
        return label.text() if not label.isHidden() else ""

    def show_figures(self, now: Figures, before: Figures | None = None) -> None:
        """Show figures, and what became of those before the last edit."""
        for row in self._rows:
            figure: Figure = getattr(now, row.field)
            number, interval = row.number(figure), row.interval(figure)
            value, change = self._values[row.field], self._changes[row.field]
            value.setText(f"<b>{number}</b> &nbsp;{interval}" if number else figure.words)
            value.setAccessibleDescription(f"{number} {interval}".strip() or figure.words)
            rests = f"It rests on {figure.words}." if number else f"{figure.words[:1].upper()}{figure.words[1:]}."
            spread = f" With 95 % certainty {interval}, by resampling the images." if interval else ""
            value.setToolTip(f"{row.meaning} {rests}{spread}")
            words = "" if before is None else row.change(getattr(before, row.field), figure)
            change.setText(words)
            change.setVisible(bool(words))


def in_brief(figures: Figures) -> str:
    """Say the two that matter most in as few words as there are: "FP 9, recall 31/32"; empty where both are unknown."""
    false, recall = figures.false_regions, figures.recall
    told = ["" if false.value is None else f"FP {false.total}"]
    told += ["" if recall.value is None else f"recall {recall.total}/{recall.count}"]
    return ", ".join(one for one in told if one)

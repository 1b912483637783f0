"""Controls of a comparison that is shown: side by side, swiped, or one less the other."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.plugin.compare import LETTERS
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted

_STEPS = 1000

WAYS = {
    "side": ("Side by side", "Each map on its image in a cell of the grid; the cells move together."),
    "swipe": ("Swipe", "One map left of a line, the other right of it."),
    "difference": ("Difference", "The second map less the first."),
}


class CompareView(QWidget):
    """Says how to show a comparison: `changed` for the way and the pair, `split_moved` for the line of the swipe."""

    changed = Signal()
    split_moved = Signal(float)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scores = QLabel()
        self._scores.setWordWrap(True)
        self._scores.setAccessibleName("Image scores")
        self.ways = {way: QRadioButton(label) for way, (label, _) in WAYS.items()}
        group = QButtonGroup(self)
        ways = QHBoxLayout()
        for way, button in self.ways.items():
            button.setToolTip(WAYS[way][1])
            button.setAccessibleName(WAYS[way][0])
            group.addButton(button)
            ways.addWidget(button)
        ways.addStretch()
        self.ways["side"].setChecked(True)
        group.buttonToggled.connect(lambda _, on: self._on_choice() if on else None)
        self.first = _pair_box("First of the pair", "Left in the swipe; what is subtracted in the difference.")
        self.second = _pair_box("Second of the pair", "Right in the swipe; what is subtracted from in the difference.")
        for box in (self.first, self.second):
            box.currentIndexChanged.connect(self._on_choice)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setAccessibleName("Line between the two maps")
        self.slider.setToolTip("The first map left of the line, the second right of it.")
        self.slider.valueChanged.connect(lambda: self.split_moved.emit(self.split))
        ignore_wheel_unless_focused(self.slider)
        self.flick = QPushButton()
        self.flick.setToolTip("Hold the button, or the space bar on it, to see all of the second map.")
        self.flick.pressed.connect(lambda: self.split_moved.emit(0.0))
        self.flick.released.connect(lambda: self.split_moved.emit(self.split))
        self._note = muted(QLabel())
        self.leave = QPushButton("Close comparison")
        self.leave.setAccessibleName("Close the comparison")
        self.leave.setToolTip("Take its layers out; the viewer is then as it was before.")
        self.leave.clicked.connect(self.left)
        self._pair = QWidget()
        pair = QHBoxLayout(self._pair)
        pair.setContentsMargins(0, 0, 0, 0)
        pair.addWidget(self.first, 1)
        pair.addWidget(self.second, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._scores)
        layout.addLayout(ways)
        for widget in (self._pair, self.slider, self.flick, self._note, self.leave):
            layout.addWidget(widget)
        self._follow()

    @property
    def way(self) -> str:
        """One of `WAYS`."""
        return next(way for way, button in self.ways.items() if button.isChecked())

    @property
    def pair(self) -> tuple[int, int]:
        """Which two are swiped or subtracted."""
        return self.first.currentIndex(), self.second.currentIndex()

    @property
    def split(self) -> float:
        """Where the line of the swipe is, as a share of the width."""
        return float(self.slider.value()) / _STEPS

    @property
    def note(self) -> str:
        """What the colours mean, as it is shown."""
        return self._note.text()

    def offer(self, titles: Sequence[str], scores: Sequence[float]) -> None:
        """Take over another comparison; the way that was chosen stays."""
        words = [f"<b>{letter}</b> {score:.3f}" for letter, score in zip(LETTERS, scores, strict=False)]
        self._scores.setText("image score &nbsp; " + " &nbsp; ".join(words))
        for box, index in ((self.first, 0), (self.second, 1)):
            with QSignalBlocker(box):
                box.clear()
                box.addItems([f"{letter} · {title}" for letter, title in zip(LETTERS, titles, strict=False)])
                box.setCurrentIndex(index)
        with QSignalBlocker(self.slider):
            self.slider.setValue(_STEPS // 2)
        self._follow()

    def explain_colours(self, low: float, high: float) -> None:
        """Say what the colours mean that are shown between two values."""
        first, second = (LETTERS[max(index, 0)] for index in self.pair)
        if self.way == "difference":
            self._note.setText(
                f"Orange: {second} is higher. Blue: {second} is lower than {first}. Full colour at ±{high:.3g}; clear "
                "where they agree."
            )
        else:
            self._note.setText(f"All in one range, {low:.3f} to {high:.3f}.")

    def _on_choice(self) -> None:
        self._follow()
        self.changed.emit()

    def _follow(self) -> None:
        """Show the controls of the chosen way."""
        way = self.way
        self._pair.setVisible(way != "side")
        self.slider.setVisible(way == "swipe")
        self.flick.setVisible(way == "swipe")
        second = LETTERS[max(self.second.currentIndex(), 0)]
        self.flick.setText(f"Hold to see {second}")
        self.flick.setAccessibleName(f"Hold to see all of {second}")


def _pair_box(name: str, tooltip: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tooltip)
    box.setMinimumContentsLength(6)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    ignore_wheel_unless_focused(box)
    return box

"""Which regions there are: above which probability, in which order, which are listed, how many are left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_anoclip.plugin.settings_form import SettingsForm
from napari_anoclip.plugin.shown_regions import Show
from napari_anoclip.plugin.style import Section, ignore_wheel_unless_focused, muted
from napari_anoclip.review.order import Order
from napari_anoclip.review.pace import remaining, sentence
from napari_anoclip.review.regions import RegionSettings

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer

_DECIMALS = 4
_FINE, _COARSE = 0.001, 0.01
"""Steps of the threshold: scores at the paper's temperature lie within a hundredth of each other."""

_NARROWEST = 70
"""Pixels of a combo box: both fit into the narrowest dock, and grow with it."""

_ORDERS = {
    Order.HIGHEST: (Order.HIGHEST.value, "The highest score first."),
    Order.DOUBTFUL: (Order.DOUBTFUL.value, "Those nearest to the threshold first: there a verdict decides most."),
    Order.LARGEST: (Order.LARGEST.value, "The largest area first."),
    Order.TELLING: (
        Order.TELLING.value,
        "First where two prompt sets disagree most: it tells which of them is better.",
    ),
}

_SHOWN = {
    Show.ALL: (Show.ALL.value, "Every region."),
    Show.OPEN: (Show.OPEN.value, "Regions that have no verdict yet."),
    Show.DEFECT: (Show.DEFECT.value, "Regions that were judged a defect."),
    Show.FALSE: (Show.FALSE.value, "Regions that were judged a false positive."),
    Show.UNSURE: (Show.UNSURE.value, "Regions that were judged unsure."),
    Show.SECOND: (Show.SECOND.value, "Regions that were merged or split since they were judged."),
}


class RegionRows(QWidget):
    """The threshold, the order of the queue, what is listed, and what counts as a region.

    Parameters
    ----------
    reviewer : Reviewer
        Whose regions these are.

    Attributes
    ----------
    threshold : QDoubleSpinBox
        The threshold of the map.
    order, show_which : QComboBox
        What comes first, and what is listed.
    form : SettingsForm
        Makes a `RegionSettings`.
    section : Section
        In which the form is folded away.
    head : QHBoxLayout
        The first line, at whose end there is room.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self.threshold = QDoubleSpinBox()
        self.threshold.setDecimals(_DECIMALS)
        self.threshold.setKeyboardTracking(False)  # half a number is no threshold
        self.threshold.setRange(0.0, 1.0)
        self.threshold.setAccessibleName("Threshold")
        self.threshold.setToolTip("Probability above which a pixel belongs to a region, as in the AnoCLIP dock.")
        ignore_wheel_unless_focused(self.threshold)
        self._count, self._progress, self._problem = QLabel(), muted(QLabel()), QLabel()
        self._problem.setWordWrap(True)
        self.order = _combo("Order", "Which region is judged first.", _ORDERS)
        self.show_which = _combo("Show", "Which regions are listed, and visited by N and P.", _SHOWN)
        self.form = SettingsForm(RegionSettings)
        self.section = Section("What is a region", self.form.native)
        self.head = QHBoxLayout()
        self._lay_out()
        self.threshold.valueChanged.connect(reviewer.set_threshold)
        self.order.activated.connect(lambda _: reviewer.set_order(Order(self.order.currentData())))
        self.show_which.activated.connect(lambda _: reviewer.set_show(Show(self.show_which.currentData())))
        self.form.changed.connect(self._on_form)
        for signal in (reviewer.changed, reviewer.image_changed, reviewer.session_changed):
            signal.connect(self.follow)
        self.follow()

    @property
    def count(self) -> str:
        """How many regions there are, as it is shown."""
        return self._count.text()

    @property
    def progress(self) -> str:
        """How many of them are judged, as it is shown."""
        return self._progress.text()

    @property
    def problem(self) -> str:
        """Why there is nothing to judge, as it is shown."""
        return self._problem.text()

    def follow(self) -> None:
        """Show what the reviewer knows now."""
        reviewer = self._reviewer
        # What is written with fewer digits than it has stays as it is, also while somebody writes.
        if round(reviewer.threshold, _DECIMALS) != round(self.threshold.value(), _DECIMALS):
            with QSignalBlocker(self.threshold):
                self.threshold.setValue(reviewer.threshold)
        regions = reviewer.regions
        tops = [one.measures.maximum for one in regions if one.measures and one.measures.maximum is not None]
        close = bool(tops) and max(tops) - reviewer.threshold < 10 * _COARSE
        self.threshold.setSingleStep(_FINE if close else _COARSE)
        listed = sum(map(reviewer.show.shows, regions))
        self._count.setText(f"{len(regions)}" if listed == len(regions) else f"{len(regions)}, {listed} listed")
        for combo, value in ((self.order, reviewer.order), (self.show_which, reviewer.show)):
            combo.setCurrentIndex(combo.findData(value.value))
        self.form.value = reviewer.settings
        self._say_how_far()
        self._problem.setText(reviewer.problem)
        self._problem.setVisible(bool(reviewer.problem))

    def _say_how_far(self) -> None:
        reviewer = self._reviewer
        judged = sum(one.verdict is not None for one in reviewer.regions)
        total = len(reviewer.regions)
        said = [] if reviewer.entry is None else reviewer.entry.judgements.values()
        times = [one.at for one in said if one.verdict is not None]
        self._progress.setText(sentence(judged, total, remaining(times, total - judged)))
        self._progress.setVisible(bool(total))

    def _on_form(self) -> None:
        self._reviewer.set_settings(self.form.value)

    def _lay_out(self) -> None:
        second = QHBoxLayout()
        self.head.addWidget(QLabel("Regions above"))
        self.head.addWidget(self.threshold, 1)
        self.head.addWidget(self._count)
        for label, combo in (("order", self.order), ("show", self.show_which)):
            second.addWidget(QLabel(label))
            second.addWidget(combo, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.head)
        layout.addLayout(second)
        for widget in (self._progress, self._problem, self.section):
            layout.addWidget(widget)


def _combo(name: str, tooltip: str, choices: Mapping[Any, tuple[str, str]]) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    combo.setToolTip(tooltip)
    for place, (choice, (title, about)) in enumerate(choices.items()):
        combo.addItem(title, choice.value)
        combo.setItemData(place, about, Qt.ItemDataRole.ToolTipRole)
    combo.setMinimumWidth(_NARROWEST)
    ignore_wheel_unless_focused(combo)
    return combo

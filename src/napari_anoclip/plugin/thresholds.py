"""Thresholds that suggest themselves, by name, each with a sentence on what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

if TYPE_CHECKING:
    from napari_anoclip.engine.calibration import DisplayRange
    from napari_anoclip.engine.histogram import ScoreHistogram

TOP_SHARE = 0.01
"""Share of the scores that the quantile of the image itself leaves above."""

F1_TITLE = "Best F1 against {name}"
F1_MEANING = (
    "Agrees best with what is painted in the layer {name}: the highest F1, which weighs missed and wrongly called "
    "pixels alike."
)


@dataclass(frozen=True)
class Suggestion:
    """A threshold with a name.

    Attributes
    ----------
    title, meaning : str
        Its name, and one sentence on what it means.
    value : float
        Probability.
    follows : bool
        Whether it is the one that comes with the colours' range and moves with it.
    """

    title: str
    meaning: str
    value: float
    follows: bool = False


def calibrated(display: DisplayRange, own: bool) -> Suggestion:
    """The threshold that comes with the range measured on normal pictures; `own`: on the user's own."""
    if own:
        return Suggestion(
            "Your good images, 99.9 %",
            "Of a thousand patches of your good images, one scores higher.",
            min(display.threshold, 1.0),
            follows=True,
        )
    return Suggestion(
        "Normal pictures, 99.9 %",
        "Of a thousand patches of the packaged normal pictures, one scores higher.",
        min(display.threshold, 1.0),
        follows=True,
    )


def suggestions(display: DisplayRange, own: bool, histogram: ScoreHistogram, what: str) -> list[Suggestion]:
    """Thresholds that need no more than the scores.

    Parameters
    ----------
    display : DisplayRange
        Measured on normal pictures.
    own : bool
        Whether those are the user's own good images.
    histogram : ScoreHistogram
        Of the image or stack; not empty.
    what : str
        Which of the two, in words: "image" or "stack".

    Returns
    -------
    list of Suggestion
    """
    return [
        calibrated(display, own),
        Suggestion(
            "Otsu",
            f"Splits the scores of this {what} into a low and a high group; useful only where there is a defect.",
            histogram.otsu(),
        ),
        Suggestion(
            f"Top {100 * TOP_SHARE:.0f} % of this {what}",
            f"One pixel in a hundred of this {what} scores higher, whether there is a defect or not.",
            histogram.quantile(1 - TOP_SHARE),
        ),
    ]


class SuggestButton(QPushButton):
    """A menu of suggestions; `chosen` is emitted with the one that was picked, `mask_chosen` with a mask's name."""

    chosen = Signal(object)
    mask_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText("suggest")
        self.setAccessibleName("Suggested thresholds")
        self.setToolTip("Thresholds that suggest themselves, and what each means.")
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self.setMenu(self._menu)

    def offer(self, found: list[Suggestion], masks: list[str]) -> None:
        """Fill the menu: suggestions with their numbers, then masks to compare with."""
        self._menu.clear()
        for suggestion in found:
            action = self._menu.addAction(f"{suggestion.title}\t{suggestion.value:.4f}")
            action.setToolTip(suggestion.meaning)
            action.triggered.connect(lambda _=False, one=suggestion: self.chosen.emit(one))
        for name in masks:
            action = self._menu.addAction(F1_TITLE.format(name=name))
            action.setToolTip(F1_MEANING.format(name=name))
            action.triggered.connect(lambda _=False, one=name: self.mask_chosen.emit(one))

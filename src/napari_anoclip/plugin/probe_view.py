"""What was found out about a pixel, in words and bars: why it is hot, and where else the image looks like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from napari_anoclip.plugin.share_bars import Bar, BarList
from napari_anoclip.plugin.style import muted, push_button

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.engine.scoring import Explanation
    from napari_anoclip.engine.similarity import Similarity
    from napari_anoclip.engine.tiling import Box
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.models import ModelHolder
    from napari_anoclip.plugin.run_request import PlaneResult

STRONGEST = 5
"""Prompts named on either side."""

NEAREST = 10
"""Patches named as alike."""

Pixel = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """What was found out about a pixel."""

    at: Pixel
    explanation: Explanation
    similarity: Similarity | None

    @classmethod
    def of(
        cls, result: PlaneResult, at: Pixel, alike: bool, models: ModelHolder, channel: Channel, cancel: CancelFlag
    ) -> Reading:
        """Explain a pixel with the model and the settings of its result; in the worker thread."""
        request, source = result.request, result.source
        with models.borrow(request.model, channel, cancel) as model:
            others = None if request.judges is None else request.judges.bank.again(result.detection.provenance)
            explanation = model.explain(
                source, request.prompts, at, request.settings, memory=request.memory, others=others
            )
            return cls(at, explanation, model.similar(source, at, request.settings) if alike else None)

    @property
    def nearest(self) -> list[tuple[float, Box]]:
        """Cosine and place of the patches most alike, where they were looked for."""
        return [] if self.similarity is None else self.similarity.nearest(NEAREST)

    def covers(self, pixel: Pixel) -> bool:
        """Whether a pixel belongs to the same patch."""
        top, left, bottom, right = self.explanation.box
        return top <= pixel[0] + 0.5 < bottom and left <= pixel[1] + 0.5 < right


class ProbeView(QWidget):
    """Shows a `Reading`; what the user asks for comes out as signals.

    `patch_chosen` gives (top, left, bottom, right), `prompt_chosen` and `prompt_off` the prompt.
    """

    prompt_chosen = Signal(str)
    prompt_off = Signal(str)
    patch_chosen = Signal(tuple)
    hottest_wanted = Signal()
    release_wanted = Signal()
    tab_changed = Signal()
    layer_toggled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = QLabel()
        self._value.setWordWrap(True)
        self._value.setAccessibleName("Probability at the pixel")
        self._value.setToolTip("The map's probability of being abnormal at this pixel, smoothed and interpolated.")
        self._detail = muted(QLabel())
        self._detail.setAccessibleName("Patch at the pixel")
        self._detail.setToolTip("The patch before it is smoothed with its neighbours; the shares add up to its logit.")
        self._reference = QLabel()
        self._reference.setWordWrap(True)
        self._reference.setAccessibleName("Normal reference most like the patch")
        self._reference.setToolTip(
            "The patch looks like one that was judged normal, and its probability, before it is smoothed, was lowered."
        )
        self._reference.hide()
        self.hottest = push_button("Hottest pixel", "Hold the hottest pixel of the map.", self.hottest_wanted.emit)
        self.release = push_button(
            "Let go",
            "Follow the pointer again (Esc on the canvas, or click the outlined patch once more).",
            self.release_wanted.emit,
        )
        self.up = self._prompt_bars("Prompts that push up")
        self.down = self._prompt_bars("Prompts that push down")
        self.nearest = BarList(
            "Patches most alike", f"The {NEAREST} patches whose token is nearest; click one to see it.", signed=False
        )
        self.nearest.chosen.connect(self.patch_chosen.emit)
        self.as_layer = QCheckBox("Show likeness as a layer")
        self.as_layer.setToolTip("Colour every patch by its cosine with this one: violet the median, yellow the same.")
        self.as_layer.setAccessibleName("Show likeness as a layer")
        self.as_layer.toggled.connect(self.layer_toggled)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName("What to tell about the pixel")
        up, down = QLabel("Push up, towards abnormal"), QLabel("Push down, towards normal")
        self.tabs.addTab(_column(up, self.up, down, self.down), "Why?")
        self.tabs.addTab(_column(self.nearest, self.as_layer), "Where else?")
        self.tabs.currentChanged.connect(self.tab_changed)
        buttons = QHBoxLayout()
        buttons.addWidget(self.hottest)
        buttons.addWidget(self.release)
        buttons.addStretch()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._value)
        layout.addWidget(self._detail)
        layout.addWidget(self._reference)
        layout.addLayout(buttons)
        layout.addWidget(self.tabs)

    @property
    def text(self) -> str:
        """What is said about the pixel."""
        return self._value.text()

    @property
    def detail(self) -> str:
        """What is said about its patch."""
        return self._detail.text()

    @property
    def reference(self) -> str:
        """Which normal reference lowered the patch, and by how much; empty where none did."""
        return self._reference.text() if self._reference.isVisibleTo(self) else ""

    @property
    def asks_where_else(self) -> bool:
        """Whether the second tab is open."""
        return self.tabs.currentIndex() == 1

    def say(self, sentence: str) -> None:
        """Show a sentence in place of the value."""
        self._value.setText(sentence)
        self._detail.clear()

    def say_detail(self, sentence: str) -> None:
        """Show a sentence in place of what is known of the patch."""
        self._detail.setText(sentence)

    def show_value(self, value: float, at: Pixel) -> None:
        """Show the map's value at a pixel."""
        self._value.setText(f"<b>{value:.3f}</b> at row {at[0]}, column {at[1]}")

    def show_reading(self, reading: Reading | None, held: bool = False) -> None:
        """Show what was found out, or nothing."""
        self.tabs.setVisible(reading is not None)
        if reading is None:
            self._reference.hide()
            self._detail.clear()
            for bars in (self.up, self.down, self.nearest):
                bars.show_bars([])
            return
        explanation = reading.explanation
        raised = f" and {explanation.raised:+.2f} by other images" * (explanation.raised > 0)
        self._detail.setText(
            f"patch ({explanation.patch[0]}, {explanation.patch[1]}), logit {explanation.logit:+.2f}{raised}, by "
            f"itself {explanation.probability:.3f}{' · held' * held}"
        )
        self._reference.setText(_reference_line(explanation))
        self._reference.setVisible(bool(explanation.reference))
        rising = np.argsort(explanation.shares)
        self.up.show_bars(_share_bars(explanation, rising[::-1][:STRONGEST]))
        self.down.show_bars(_share_bars(explanation, rising[:STRONGEST]))
        self.nearest.show_bars(
            Bar(
                f"{rank}   row {(box[0] + box[2]) / 2:.0f}, column {(box[1] + box[3]) / 2:.0f}",
                f"{cosine:.3f}",
                max(cosine, 0.0),
                box,
                f"Number {rank} by likeness: cosine {cosine:.4f} between its V-V token and this patch's.",
            )
            for rank, (cosine, box) in enumerate(reading.nearest, 1)
        )

    def _prompt_bars(self, name: str) -> BarList:
        bars = BarList(name, "Click a prompt to find it in the editor; its menu switches it off.")
        bars.chosen.connect(self.prompt_chosen.emit)
        find, off = QAction("Find in the editor", bars), QAction("Switch off", bars)
        find.triggered.connect(lambda: bars.current and self.prompt_chosen.emit(bars.current))
        off.triggered.connect(lambda: bars.current and self.prompt_off.emit(bars.current))
        off.setShortcut(Qt.Key.Key_Delete)
        off.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        bars.addActions([find, off])
        bars.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        return bars


def _reference_line(explanation: Explanation) -> str:
    amount = explanation.before - explanation.probability
    return f"like {explanation.reference}: lowered by {f'{amount:.2f}' if amount >= 0.005 else 'less than 0.01'}"


def _share_bars(explanation: Explanation, order: np.ndarray) -> list[Bar]:
    longest = float(np.abs(explanation.shares).max()) or 1.0
    return [
        Bar(
            explanation.prompts[i],
            f"{explanation.shares[i]:+.2g}".replace("-", "\N{MINUS SIGN}"),
            float(explanation.shares[i]) / longest,
            explanation.prompts[i],
            f"{explanation.prompts[i]}\nshare of the logit {explanation.shares[i]:+.4g}, "
            f"cosine with the patch {explanation.similarities[i]:.4f}",
        )
        for i in order
    ]


def _column(*widgets: QWidget) -> QWidget:
    page = QWidget()
    layout = QVBoxLayout(page)
    layout.setContentsMargins(0, 4, 0, 0)
    layout.setSpacing(2)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch()
    return page

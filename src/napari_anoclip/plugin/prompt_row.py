"""What is looked at and which prompts ask about it: object name, surface or object, preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import QButtonGroup, QComboBox, QHBoxLayout, QLabel, QLineEdit, QRadioButton, QWidget

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.lint import lint
from napari_anoclip.engine.prompts import PromptSet, preset_names
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, with_note

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP

COUNT_DELAY = 300
"""Milliseconds without a key press before the prompts are counted and checked."""


class PromptRow:
    """Controls that make a prompt set; the dock lays them out.

    Attributes
    ----------
    object_row, preset_row : QWidget
        The object's name and kind; the preset, with how many prompts it gives and remarks about them.
    """

    def __init__(self) -> None:
        self._presets = {name: PromptSet.preset(name) for name in preset_names()}
        self._object = QLineEdit()
        self._object.setToolTip("What the picture shows, in a word or two: leather, metal nut, circuit board.")
        self._kinds = {"texture": QRadioButton("surface"), "object": QRadioButton("object")}
        self._kinds["texture"].setToolTip(
            "A material that fills the picture, like wood. Takes the paper's prompts for it."
        )
        self._kinds["object"].setToolTip("A thing with a shape, like a bottle. Takes the paper's prompts for it.")
        self._group = QButtonGroup()
        self.object_row = QWidget()
        row = QHBoxLayout(self.object_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._object, 1)
        for kind, button in self._kinds.items():
            self._group.addButton(button)
            row.addWidget(button)
            button.toggled.connect(lambda on, kind=kind: self._on_kind(kind) if on else None)
        self._preset = QComboBox()
        ignore_wheel_unless_focused(self._preset)
        for name, preset in self._presets.items():
            self._preset.addItem(preset.title, name)
            self._preset.setItemData(self._preset.count() - 1, preset.description, 3)
        self._note = QLabel()
        self.preset_row = with_note(self._preset, self._note)
        self._model: AnoCLIP | None = None
        self._delay = QTimer(self.object_row)
        self._delay.setSingleShot(True)
        self._delay.setInterval(COUNT_DELAY)
        self._delay.timeout.connect(self._count)
        self._object.textChanged.connect(lambda: self._delay.start())
        self._preset.currentIndexChanged.connect(self._on_preset)
        self._preset.setCurrentIndex(self._preset.findData("paper-texture"))
        self._on_preset()

    @property
    def note(self) -> str:
        """How many prompts, and remarks, as it is shown."""
        return self._note.text()

    @property
    def prompts(self) -> PromptSet:
        """The prompts as they are set now.

        Raises
        ------
        PromptError
            If the object's name cannot be used.
        """
        return PromptSet.preset(self._preset.currentData(), self._object.text().strip() or None)

    def prefill(self, sample: Mapping[str, Any]) -> None:
        """Take over the object name, kind and preset that a sample image comes with."""
        preset = sample.get("preset") or f"paper-{sample.get('kind', 'object')}"
        self._preset.setCurrentIndex(max(0, self._preset.findData(preset)))
        self._object.setText(sample.get("object", ""))

    def check_with(self, model: AnoCLIP) -> None:
        """Let remarks tell also what this model does not understand."""
        self._model = model
        self._count()

    def _on_kind(self, kind: str) -> None:
        if self._presets[self._preset.currentData()].kind != kind:
            self._preset.setCurrentIndex(self._preset.findData(f"paper-{kind}"))

    def _on_preset(self) -> None:
        preset = self._presets[self._preset.currentData()]
        with QSignalBlocker(self._kinds[preset.kind]):
            self._kinds[preset.kind].setChecked(True)
        self._object.setPlaceholderText(preset.object)
        self._preset.setToolTip(preset.description)
        self._count()

    def _count(self) -> None:
        try:
            prompts = self.prompts
        except PromptError as error:
            self._note.setText(str(error))
            return
        model = self._model
        remarks = lint(prompts) if model is None else lint(prompts, model.tokenizer, model.known_token_ids)
        words = f"{len(prompts.normal)} + {len(prompts.abnormal)} prompts"
        if remarks:
            words += f" · {len(remarks)} remark{'s' * (len(remarks) > 1)}"
        self._note.setText(words)
        self._note.setToolTip("\n".join(remark.sentence for remark in remarks[:10]))

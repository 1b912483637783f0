"""What is looked at and which prompts ask about it: object name, surface or object, preset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.prompts import PromptSet, clean_object, preset_names
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.prompt_document import PromptDocument
from napari_anoclip.plugin.prompt_history import Source, packaged
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, muted

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.prompts import Kind

OWN = "own"
"""Stands in the list of presets for a set that is neither preset nor file."""


class PromptRow(QObject):
    """The two lines of the dock that choose a prompt set; the dock lays them out.

    Parameters
    ----------
    document : PromptDocument, optional
        What is edited; one of its own otherwise.

    Attributes
    ----------
    object_row, preset_row : QWidget
        The object's name and kind; the preset or file, with how many prompts it gives and remarks about them.
    remarks_clicked : Signal
        The user wants to see the remarks where they belong.
    """

    remarks_clicked = Signal()

    def __init__(self, document: PromptDocument | None = None) -> None:
        super().__init__()
        self.document = document if document is not None else PromptDocument()
        self._shown_object = ""
        self._lay_out_object()
        self._lay_out_preset()
        self._object.textChanged.connect(self._on_object)
        self._preset.activated.connect(self._on_preset)
        self.document.state_changed.connect(self._show)
        self.document.recent_changed.connect(self._show)
        self.document.check.checked.connect(self._show_remarks)
        self.document.noticed.connect(self._on_noticed)
        # Should the window go before the dock could say so: a check that comes in later would find no widgets.
        self.object_row.destroyed.connect(self.document.close_down)
        self._show()

    @property
    def note(self) -> str:
        """How many prompts, and remarks, as it is shown."""
        remarks = self._remarks.text() if self._remarks.isVisibleTo(self.preset_row) else ""
        return " · ".join(part for part in (self._count.text(), remarks) if part)

    @property
    def prompts(self) -> PromptSet:
        """The prompts as they are set now.

        Raises
        ------
        PromptError
            If the object's name cannot be used.
        """
        if self._object.text().strip():
            clean_object(self._object.text())
        return self.document.value

    def prefill(self, sample: Mapping[str, Any]) -> None:
        """Take over the object name, kind and preset that a sample image comes with; the user's own prompts stay."""
        preset = sample.get("preset") or f"paper-{sample.get('kind', 'object')}"
        if preset in preset_names() and self.document.source.path is None and not self.document.edited:
            self.document.choose(preset)
        self._object.setText(sample.get("object", ""))

    def take_name(self) -> None:
        """Show the document's object, whatever was typed, also a name that could not be used."""
        self._shown_object = ""
        self._show()

    def check_with(self, model: AnoCLIP) -> None:
        """Let remarks tell also what this model does not understand."""
        self.document.check.use(model)

    def _lay_out_object(self) -> None:
        self._object = QLineEdit()
        self._object.setAccessibleName("Object")
        self._object.setToolTip("What the picture shows, in a word or two: leather, metal nut, circuit board.")
        self._kinds: dict[Kind, QRadioButton] = {
            "texture": QRadioButton("surface"),
            "object": QRadioButton("object"),
        }
        self._kinds["texture"].setToolTip(
            "A material that fills the picture, like wood. Takes the paper's prompts for it."
        )
        self._kinds["object"].setToolTip("A thing with a shape, like a bottle. Takes the paper's prompts for it.")
        self._group = QButtonGroup(self)
        self.object_row = QWidget()
        row = QHBoxLayout(self.object_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._object, 1)
        for kind, button in self._kinds.items():
            button.setAccessibleName(f"It is {'a surface' if kind == 'texture' else 'an object'}")
            self._group.addButton(button)
            row.addWidget(button)
            button.clicked.connect(partial(self._on_kind, kind))

    def _lay_out_preset(self) -> None:
        self._preset = QComboBox()
        self._preset.setAccessibleName("Prompts")
        self._preset.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._preset.setMinimumContentsLength(12)
        ignore_wheel_unless_focused(self._preset)
        self._count = QLabel()
        self._remarks = QToolButton()
        self._remarks.setAutoRaise(True)
        self._remarks.setAccessibleName("Remarks about the prompts")
        self._remarks.clicked.connect(self.remarks_clicked)
        self._notice = Notice()
        counts = QHBoxLayout()
        counts.setContentsMargins(0, 0, 0, 0)
        counts.addWidget(muted(self._count), 1)
        counts.addWidget(self._remarks)
        self.preset_row = QWidget()
        layout = QVBoxLayout(self.preset_row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._preset)
        layout.addLayout(counts)
        layout.addWidget(self._notice)

    def _on_object(self, text: str) -> None:
        """Rename the object at every key; the keys of one go are one undo step."""
        try:
            renamed = self.document.value.with_object(text if text.strip() else self._own_word)
        except PromptError as error:
            self._count.setText(str(error))
            return
        self._shown_object = renamed.object
        self.document.put(renamed, typing="object")
        self._show_count()

    def _on_kind(self, kind: Kind, *_: Any) -> None:
        """Choose the paper's prompts for it; prompts that were edited stay, and only change their domains."""
        document = self.document
        if document.value.kind == kind:
            return
        if document.source.path is None and not document.edited:
            document.choose(f"paper-{kind}", self._named)
            return
        changes: dict[str, Any] = {"kind": kind}
        if document.value.domains == packaged(f"paper-{document.value.kind}").domains:
            changes["domains"] = packaged(f"paper-{kind}").domains
        document.edit(lambda prompts: PromptSet.model_validate({**dict(prompts), **changes}))

    def _on_preset(self, index: int) -> None:
        chosen = self._preset.itemData(index)
        if chosen in preset_names():
            self.document.choose(chosen, self._named)
        elif chosen not in (OWN, str(self.document.source.path)):
            self.document.load(Path(chosen))
        self._show()

    @property
    def _named(self) -> str | None:
        """The object that is named, also where the preset has the same word of its own; None if none can be used."""
        text = self._object.text()
        try:
            return clean_object(text) if text.strip() else None
        except PromptError:
            return None

    @property
    def _own_word(self) -> str:
        """What the prompts are about when no object is named."""
        return self.document.source.saved.object

    def _on_noticed(self, sentence: str, action: str, do: Callable[[], None] | None) -> None:
        if not sentence:
            self._notice.clear()
        elif not self.document.attended:
            self._notice.say(sentence, action, do)

    def _show(self) -> None:
        """Follow the document."""
        document = self.document
        with QSignalBlocker(self._kinds[document.value.kind]):
            self._kinds[document.value.kind].setChecked(True)
        self._object.setPlaceholderText(self._own_word)
        if document.value.object != self._shown_object:
            self._shown_object = document.value.object
            unnamed = self._shown_object == self._own_word and _is_preset(document.source)
            with QSignalBlocker(self._object):
                self._object.setText("" if unnamed else self._shown_object)
        self._show_choices()
        self._show_count()
        self._show_remarks()

    def _show_choices(self) -> None:
        """Presets, then the file or set in use, then other recent files."""
        document = self.document
        source, star = document.source, " *" if document.edited else ""
        current = str(source.path) if source.path is not None else source.saved.name if _is_preset(source) else OWN
        choices = {name: (packaged(name).title, packaged(name).description) for name in preset_names()}
        files = {path: (Path(path).name, path) for path in document.recent}
        if current not in choices:
            choices[current] = (document.title, str(source.path or document.value.description))
        choices = {**choices, **{path: words for path, words in files.items() if path not in choices}}
        with QSignalBlocker(self._preset):
            self._preset.clear()
            for data, (title, tip) in choices.items():
                self._preset.addItem(title + star * (data == current), data)
                self._preset.setItemData(self._preset.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            self._preset.setCurrentIndex(self._preset.findData(current))
        self._preset.setToolTip(choices[current][1] + ("\nEdited, and not saved to a file." if star else ""))

    def _show_count(self) -> None:
        prompts = self.document.value
        self._count.setText(f"{len(prompts.normal)} + {len(prompts.abnormal)}")

    def _show_remarks(self) -> None:
        report = self.document.check.report
        current = report is not None and report.prompts == self.document.value
        remarks = report.remarks if report is not None and current else ()
        self._remarks.setVisible(bool(remarks))
        self._remarks.setText(f"⚠ {len(remarks)} remark{'s' * (len(remarks) > 1)}")
        sentences = [remark.sentence for remark in remarks[:10]]
        self._remarks.setToolTip("\n".join([*sentences, "Click to see them where they belong."]))


def _is_preset(source: Source) -> bool:
    return source.path is None and source.saved.name in preset_names()

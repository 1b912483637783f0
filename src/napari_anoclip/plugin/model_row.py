"""Which model: the built-in one, one on this machine, one to download, or a file; and where and how it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QLabel

from napari_anoclip.plugin.models import BUILTIN, DEVICES, PAPER, PRECISIONS, ModelChoice
from napari_anoclip.plugin.preferences import preferences
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, with_note

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.download import LocalModel

BUILTIN_TITLE = "Built-in, small"
DOWNLOAD_TITLE = f"{PAPER} · download…"
FILE_TITLE = "Local file…"
OWN_CONFIGURATION = "from its configuration"
CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
"""Files that are taken for checkpoints; the engine has the same list, but to ask it would load torch."""

_FILE = "\n"
"""Stands for "Local file…" among the names; no model is called so."""


class ModelRow(QObject):
    """Controls that choose a model; the dock and `ModelPanel` lay them out.

    Attributes
    ----------
    row : QWidget
        The model's name and what is known about it.
    device, precision, architecture : QComboBox
        Where and how it runs; the last is for checkpoints without a configuration only.
    changed : Signal
        The choice is another one.
    opened : Signal
        The list of names is about to be looked at.
    download_wanted : Signal
        The user chose a model that is not on this machine, by its name.
    """

    changed = Signal()
    opened = Signal()
    download_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._name = _NameBox()
        self._name.setToolTip(
            "The built-in model, a model on this machine, an open_clip name (ARCHITECTURE:WEIGHTS), or the path of a "
            "checkpoint. Nothing is downloaded without asking."
        )
        self._note = QLabel()
        self._ready = False
        self.row = with_note(self._name, self._note)
        self.device = _box("Device", "Where the model runs; auto takes a GPU if there is one.", DEVICES)
        self.precision = _box(
            "Precision", "Of the model's towers: fp32 everywhere, bf16 and fp16 save memory on GPUs.", PRECISIONS
        )
        self.architecture = _box(
            "Architecture",
            "For a checkpoint without open_clip's configuration beside it: what it was built as.",
            (OWN_CONFIGURATION,),
        )
        self.device.setCurrentText(preferences().device)
        self._told = ModelChoice(device=self.device.currentText())
        self.show_models(())
        self.forget()
        self._name.about_to_open.connect(self.opened)
        self._name.activated.connect(self._on_activated)
        self._name.currentIndexChanged.connect(self._tell)
        self._name.lineEdit().editingFinished.connect(self._tell)
        for box in (self.device, self.precision, self.architecture):
            box.currentIndexChanged.connect(self._tell)

    @property
    def note(self) -> str:
        """What is known about the model, as it is shown."""
        return self._note.text()

    @property
    def titles(self) -> list[str]:
        """The models that are offered, as they are shown."""
        return [self._name.itemText(index) for index in range(self._name.count())]

    @property
    def choice(self) -> ModelChoice:
        """The model as it is set now; no download without asking."""
        text = self._name.currentText().strip()
        index = self._name.findText(text, Qt.MatchFlag.MatchExactly)
        name = text if index < 0 else self._name.itemData(index)
        if name == _FILE:
            name = self._told.name
        architecture = self.architecture.currentText()
        return ModelChoice(
            name or BUILTIN,
            device=self.device.currentText(),
            precision=self.precision.currentText(),
            architecture=architecture if is_file(name) and architecture != OWN_CONFIGURATION else None,
        )

    @choice.setter
    def choice(self, choice: ModelChoice) -> None:
        with QSignalBlocker(self):
            self.choose(choice.name)
            for box, text in (
                (self.device, choice.device),
                (self.precision, choice.precision),
                (self.architecture, choice.architecture or OWN_CONFIGURATION),
            ):
                if box.findText(text) < 0:
                    box.addItem(text)
                box.setCurrentText(text)
            self._tell()
        self.changed.emit()

    def choose(self, name: str) -> None:
        """Choose a model by name or path."""
        with QSignalBlocker(self._name):
            if self._name.findData(name) < 0 and is_file(name):
                self._add(name)
            index = self._name.findData(name)
            if index < 0:
                self._name.setEditText(name)
            else:
                self._name.setCurrentIndex(index)
            self._name.lineEdit().setCursorPosition(0)
        self._tell()

    def show_models(self, models: Sequence[LocalModel]) -> None:
        """Offer the models that are on this machine; what is chosen stays chosen."""
        chosen = self.choice.name
        with QSignalBlocker(self._name):
            self._name.clear()
            self._name.addItem(BUILTIN_TITLE, BUILTIN)
            for model in models:
                self._add(model.name, f"{model.path} · {model.bytes / 1e6:.0f} MB")
            if self._name.findData(PAPER) < 0:
                self._name.addItem(DOWNLOAD_TITLE, PAPER)
            self._name.addItem(FILE_TITLE, _FILE)
        self.choose(chosen)

    def show_architectures(self, names: Sequence[str]) -> None:
        """Offer the architectures that work."""
        for name in names:
            if self.architecture.findText(name) < 0:
                self.architecture.addItem(name)

    @property
    def ready(self) -> bool:
        """Whether the model is said to be loaded."""
        return self._ready

    def show_ready(self, model: AnoCLIP) -> None:
        """Say that a model is loaded, and where and how it runs."""
        self._ready = True
        size = f"{model.memory_bytes / 1e6:.0f} MB"
        self._note.setText(" · ".join((model.device.upper(), model.precision, size, "ready")))

    def say(self, sentence: str) -> None:
        """Say why the model as it is chosen cannot run."""
        self._ready = False
        self._note.setText(sentence)

    def forget(self, place: str = "") -> None:
        """Say that the chosen model is not in memory, and, where known, what it would run on."""
        self._ready = False
        self._note.setText(f"{place} · not loaded yet" if place else "not loaded yet")

    def _add(self, name: str, hint: str = "") -> None:
        """One more name, before "Local file…"; of a file, its own name unless another file has it too."""
        title = Path(name).name if is_file(name) else name
        if self._name.findText(title, Qt.MatchFlag.MatchExactly) >= 0:
            title = name
        end = self._name.findData(_FILE)
        index = self._name.count() if end < 0 else end
        self._name.insertItem(index, title, name)
        self._name.setItemData(index, hint or name, Qt.ItemDataRole.ToolTipRole)

    def _on_activated(self, index: int) -> None:
        name = self._name.itemData(index)
        if name == _FILE:
            self._browse()
        elif self._name.itemText(index) == DOWNLOAD_TITLE:
            self.download_wanted.emit(name)

    def _browse(self) -> None:
        pattern = " ".join(f"*{suffix}" for suffix in CHECKPOINT_SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self.row, "Choose a model", "", f"Checkpoints ({pattern});;All files (*)")
        self.choose(path or self._told.name)

    def _tell(self) -> None:
        """Forget what was known about the last choice and tell of a new one."""
        choice = self.choice
        if choice == self._told:
            return
        self._told = choice
        self.forget()
        self.changed.emit()


class _NameBox(QComboBox):
    """An editable list that says when it opens."""

    about_to_open = Signal()

    def __init__(self) -> None:
        super().__init__()
        ignore_wheel_unless_focused(self)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setMinimumContentsLength(12)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setAccessibleName("Model")

    def showPopup(self) -> None:  # noqa: N802 (Qt names it)
        """Open the list."""
        self.about_to_open.emit()
        super().showPopup()


def is_file(name: str) -> bool:
    """Whether a model's name is a path and not one that open_clip knows."""
    return "/" in name or "\\" in name or name.endswith(CHECKPOINT_SUFFIXES)


def _box(label: str, tooltip: str, texts: Sequence[str]) -> QComboBox:
    box = QComboBox()
    ignore_wheel_unless_focused(box)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.addItems(texts)
    box.setAccessibleName(label)
    box.setToolTip(tooltip)
    return box

"""Which model: the built-in one, a name that open_clip knows, or a file; and where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QWidget

from napari_anoclip.plugin.models import BUILTIN, DEVICES, PAPER, ModelChoice
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, with_note

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP

TITLES = {BUILTIN: "Built-in, small", PAPER: "ViT-B-16-plus-240:laion400m_e32"}


class ModelRow:
    """Controls that choose a model; the dock lays them out.

    Attributes
    ----------
    row, device : QWidget
        The model's name with its file button and what is known about it; the device.
    """

    def __init__(self) -> None:
        self._name = QComboBox()
        ignore_wheel_unless_focused(self._name)
        self._name.setEditable(True)
        self._name.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self._name.setMinimumContentsLength(12)
        self._name.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._name.setToolTip(
            "The built-in model, an open_clip name (ARCHITECTURE:WEIGHTS), or the path of a checkpoint. "
            "Nothing is downloaded without asking."
        )
        for name, title in TITLES.items():
            self._name.addItem(title, name)
        browse = QPushButton()
        browse.setText("File…")
        browse.setToolTip("Choose a checkpoint on this machine.")
        browse.clicked.connect(self._browse)
        name_row = QWidget()
        layout = QHBoxLayout(name_row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._name, 1)
        layout.addWidget(browse)
        self._note = QLabel()
        self.row = with_note(name_row, self._note)
        self.device = QComboBox()
        ignore_wheel_unless_focused(self.device)
        self.device.addItems(DEVICES)
        self.device.setToolTip("Where the model runs; auto takes a GPU if there is one.")
        self._name.currentTextChanged.connect(self._forget)
        self.device.currentIndexChanged.connect(self._forget)
        self._forget()

    @property
    def note(self) -> str:
        """What is known about the model, as it is shown."""
        return self._note.text()

    @property
    def choice(self) -> ModelChoice:
        """The model as it is set now; no download without asking."""
        text = self._name.currentText().strip()
        name = next((name for name, title in TITLES.items() if title == text), text)
        return ModelChoice(name, device=self.device.currentText())

    def choose(self, name: str) -> None:
        """Choose a model by name or path."""
        self._name.setCurrentText(TITLES.get(name, name))
        self._name.lineEdit().setCursorPosition(0)

    def show_ready(self, model: AnoCLIP) -> None:
        """Say that a model is loaded, and where."""
        self._note.setText(f"{model.device.upper()} · {model.memory_bytes / 1e6:.0f} MB · ready")

    def _forget(self) -> None:
        self._note.setText("not loaded yet")

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.row, "Choose a model", "", "Checkpoints (*.safetensors *.pt *.pth *.bin);;All files (*)"
        )
        if path:
            self.choose(path)

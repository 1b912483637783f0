"""The section "Model and memory": where and how the model runs, what is on this machine, downloads, and memory."""

from __future__ import annotations

from qtpy.QtCore import QUrl, Signal
from qtpy.QtGui import QDesktopServices, QShowEvent
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.model_download import ModelDownload
from napari_anoclip.plugin.model_files import Outlook, look_around
from napari_anoclip.plugin.model_row import ModelRow, is_file
from napari_anoclip.plugin.models import BUILTIN, PAPER, ModelHolder
from napari_anoclip.plugin.preferences import preferences, unwatch, watch
from napari_anoclip.plugin.style import muted, push_button


class ModelPanel(QWidget):
    """What there is to know and do about models beside choosing one.

    Parameters
    ----------
    row : ModelRow
        The choice; its device, precision and architecture are laid out here.
    models : ModelHolder
        The dock's.

    Attributes
    ----------
    unloaded : Signal
        The models were unloaded, here or by another dock: whoever keeps one should let go.
    attention : Signal
        Something here waits for an answer: the section should be opened.
    """

    unloaded = Signal()
    attention = Signal()

    def __init__(self, row: ModelRow, models: ModelHolder, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._row = row
        self._models = models
        self._outlook: Outlook | None = None
        self._preferred = preferences()
        self.look_job = Job()
        self.download = ModelDownload()
        self._machine = muted(QLabel())
        self._memory = QLabel()
        self._memory.setWordWrap(True)
        self._said = muted(QLabel())
        self.folder_button = push_button("Open folder", "Show the folder where models are kept.", self._open_folder)
        self.forget_button = push_button(
            "Clear kept tokens", "Drop what the models saw in recent images; they look again when needed.", self.forget
        )
        self.unload_button = push_button(
            "Unload", "Free the memory of all models, in every dock; the next run loads again.", self.unload
        )
        self._lay_out()

        row.changed.connect(self._on_choice)
        row.opened.connect(self.look)
        row.download_wanted.connect(self._on_download_wanted)
        self.look_job.succeeded.connect(self._on_outlook)
        self.look_job.failed.connect(self._on_error)
        self.download.downloaded.connect(self._on_downloaded)
        models.on_unloaded = self._on_unloaded
        watch(self._on_preferences)
        self._on_choice()

    @property
    def memory(self) -> str:
        """What is in memory, as it is shown."""
        return self._memory.text()

    @property
    def machine(self) -> str:
        """What is on this machine, as it is shown."""
        return self._machine.text()

    @property
    def said(self) -> str:
        """What came of the last button, as it is shown."""
        return self._said.text()

    def refresh(self) -> None:
        """Show memory and the model's state as they are now: after each run, and when this is shown."""
        models = [model for _, model in self._models.shelf.models]
        tokens = sum(model.token_bytes for model in models)
        weights = sum(model.memory_bytes for model in models) - tokens
        if models:
            bound = self._preferred.token_cache_mb * len(models)
            self._memory.setText(
                f"In memory: {weights / 1e6:.0f} MB of weights, {tokens / 1e6:.1f} MB of kept tokens (up to {bound} MB)"
            )
        else:
            self._memory.setText("No model is in memory.")
        self.forget_button.setEnabled(tokens > 0)
        self.unload_button.setEnabled(bool(models))
        loaded = self._models.loaded(self._row.choice)
        if loaded is not None:
            self._row.show_ready(loaded)

    def look(self) -> None:
        """Find, in a worker, the models on this machine and what the chosen one would run on."""
        choice, preferred = self._row.choice, self._preferred
        self.look_job.start(lambda *_: look_around(choice, preferred), newest=True)

    def forget(self) -> None:
        """Drop the tokens kept of images."""
        before = sum(model.token_bytes for _, model in self._models.shelf.models)
        self._models.shelf.forget_tokens()
        self.refresh()
        self._say(f"{before / 1e6:.1f} MB of kept tokens were dropped. The next run looks at the image again.")

    def unload(self) -> None:
        """Free the memory of all models of this process."""
        busy = self._models.shelf.busy
        self._models.shelf.unload()
        self._say(
            "The model leaves memory when the run under way ends. The next run loads it again."
            if busy
            else "The model has left memory, in all docks. The next run loads it again."
        )

    def close_down(self) -> None:
        """Stop what is under way and let go of what outlives the dock."""
        self.look_job.close()
        self.download.close_down()
        self._models.on_unloaded = None
        unwatch(self._on_preferences)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 (Qt names it)
        """Bring everything up to date when the section is opened."""
        super().showEvent(event)
        self.refresh()
        if not event.spontaneous():
            self.look()

    def _say(self, sentence: str) -> None:
        self._said.setText(sentence)
        self._said.setVisible(bool(sentence))

    def _on_choice(self) -> None:
        name = self._row.choice.name
        self._form.setRowVisible(self._row.architecture, is_file(name))
        self._say("")
        self._offer_download()
        self.refresh()
        if self.isVisible():
            self.look()

    def _offer_download(self) -> None:
        """Offer the chosen model where it can be fetched, else the paper's; neither if it is here."""
        name = self._row.choice.name
        wanted = PAPER if name == BUILTIN or is_file(name) else name
        here = self._outlook is not None and any(model.name == wanted for model in self._outlook.models)
        self.download.offer(wanted)
        self.download.button.setVisible(not here)

    def _on_download_wanted(self, name: str) -> None:
        self.attention.emit()
        self.download.ask(name)

    def _on_downloaded(self, name: str) -> None:
        self._row.choose(name)
        self.look()

    def _on_outlook(self, outlook: Outlook) -> None:
        self._outlook = outlook
        self._row.show_models(outlook.models)
        self._row.show_architectures(outlook.architectures)
        self._offer_download()
        count, size = len(outlook.models), sum(model.bytes for model in outlook.models)
        found = f"{count} model{'s' * (count != 1)}, {size / 1e6:.0f} MB" if count else "only the built-in model"
        self._machine.setText(f"On this machine: {found}. Models are kept in {outlook.folder}")
        if self._models.loaded(self._row.choice) is None:
            if outlook.problem:
                self._row.say(outlook.problem)
            else:
                self._row.forget(outlook.place)
        self.refresh()

    def _on_error(self, error: AnoCLIPError) -> None:
        self._row.say(str(error))

    def _on_unloaded(self) -> None:
        self._row.forget()
        self.refresh()
        self.unloaded.emit()

    def _on_preferences(self) -> None:
        """Follow the preferences dialog: what changed there counts here at once."""
        before, self._preferred = self._preferred, preferences()
        if self._preferred.device != before.device:
            self._row.device.setCurrentText(self._preferred.device)
        self._models.shelf.limit_tokens(self._preferred.token_cache_bytes)
        self.refresh()
        if self.isVisible():
            self.look()

    def _open_folder(self) -> None:
        if self._outlook is not None:
            folder = self._outlook.folder
            while not folder.is_dir() and folder != folder.parent:
                folder = folder.parent
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.setVerticalSpacing(4)
        self._form.addRow("Device", self._row.device)
        self._form.addRow("Precision", self._row.precision)
        self._form.addRow("Architecture", self._row.architecture)
        buttons = QHBoxLayout()
        buttons.addWidget(self.forget_button)
        buttons.addWidget(self.unload_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 4)
        layout.setSpacing(6)
        layout.addLayout(self._form)
        for widget in (self._machine, self.folder_button, self.download, self._memory):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self._said)

"""A batch that judges itself: "Other images" in the dock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.settings import MutualSettings
from napari_anoclip.plugin.find_others import find_others
from napari_anoclip.plugin.others_bank import Bank
from napari_anoclip.plugin.queue_canvas import FILE_KEY
from napari_anoclip.plugin.settings_form import SettingsForm
from napari_anoclip.plugin.style import muted

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.plugin.image_panel import ImagePanel
    from napari_anoclip.plugin.others_bank import OtherImages

HOW = (
    "Raises what the other images do not show, whatever the prompts say. Each is compared with each, once: twice as "
    "many take four times as long."
)

_SHOWN = ("weight", "share", "references", "tokens")
"""Settings with a control; the others are as a result or a file has them."""


class MutualPanel(QWidget):
    """The switch, which images it would use or why there are none, and how much they count.

    Parameters
    ----------
    viewer : ViewerModel
        Where other images are looked for.
    image : ImagePanel
        What is chosen.
    """

    changed = Signal()
    """Scores must be computed again."""
    switched = Signal(bool)
    """It is used from now on, or no longer."""

    def __init__(self, viewer: ViewerModel, image: ImagePanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer, self._image = viewer, image
        self._bank = Bank()
        self._pictures: tuple[Path, ...] = ()
        self._files: frozenset[str] = frozenset()
        self._settings = MutualSettings()
        self.on = QCheckBox("Use the other images")
        self.on.toggled.connect(self._on_toggled)
        self._note = muted(QLabel())
        self._note.setAccessibleName("Which other images")
        left_out = tuple(name for name in MutualSettings.model_fields if name not in _SHOWN)
        self.form = SettingsForm(MutualSettings, without=left_out)
        self.form.changed.connect(self._on_form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 0, 0, 4)
        layout.setSpacing(4)
        for widget in (self.on, self._note, self.form.native, muted(QLabel(HOW))):
            layout.addWidget(widget)
        self.form.native.layout().setContentsMargins(0, 0, 0, 0)
        layers = viewer.layers.events
        self._heard: tuple[Any, ...] = (layers.inserted, layers.removed)
        for event in self._heard:
            event.connect(self._refresh)
        for signal in (image.chosen, image.changed, image.look_row.changed):
            signal.connect(self._refresh)
        self._refresh()

    @property
    def value(self) -> MutualSettings:
        """The settings, `enabled` as the switch is, whether there are other images or not."""
        form = self.form.value
        shown = {name: getattr(form, name) for name in _SHOWN}
        return self._settings.model_copy(update=shown | {"enabled": self.on.isChecked()})

    @value.setter
    def value(self, settings: MutualSettings) -> None:
        before, self._settings = self.value, settings
        with QSignalBlocker(self):
            self.form.value = settings
        with QSignalBlocker(self.on):
            self.on.setChecked(settings.enabled)
        self._refresh()
        if settings.enabled != before.enabled:
            self.switched.emit(settings.enabled)
        if settings != before and (settings.enabled or before.enabled):
            self.changed.emit()

    @property
    def note(self) -> str:
        """Which other images would be used, or why there are none, as it is shown."""
        return self._note.text()

    @property
    def pictures(self) -> tuple[Path, ...]:
        """Files of the queue that is gone through; they count while one of them is the chosen image."""
        return self._pictures

    @pictures.setter
    def pictures(self, paths: Sequence[Path]) -> None:
        if paths != self._pictures:
            self._pictures, self._files = tuple(paths), frozenset(map(str, paths))
        self._refresh()

    def others(self) -> OtherImages | None:
        """The other images as they are now, not read; None where there are too few."""
        try:
            return self._found()
        except ImageError:
            return None

    def close_down(self) -> None:
        """Let go of the viewer, before the dock or the viewer goes."""
        for event in self._heard:
            event.disconnect(self._refresh)
        self._heard = ()

    def _found(self) -> OtherImages:
        layer = self._image.layer
        queued = layer is not None and layer.metadata.get(FILE_KEY) in self._files
        return find_others(self._viewer, self._image, self._pictures if queued else (), self._bank)

    def _on_toggled(self, on: bool) -> None:
        self._refresh()
        self.switched.emit(on)
        self.changed.emit()

    def _on_form(self) -> None:
        self._refresh()
        if self.on.isChecked():
            self.changed.emit()

    def _refresh(self) -> None:
        """Say which images would be used; the switch is there where there are any, and where it can be taken back."""
        try:
            words = _counted(self._found(), self.value)
            there = True
        except ImageError as error:
            words, there = f"Not used: {error}" if self.on.isChecked() else str(error), False
        self._note.setText(words)
        self.on.setEnabled(there or self.on.isChecked())
        self.on.setToolTip(f"{MutualSettings.model_fields['enabled'].description}\n{words}")
        self.on.setAccessibleDescription(self.on.toolTip())


def _counted(found: OtherImages, settings: MutualSettings) -> str:
    some = f"{settings.references:,} of the " if found.count > settings.references else ""
    return f"{some}{found.counted}"

"""The AnoCLIP dock: choose an image, say what it shows, press Run, see where it is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import napari.viewer
from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QCheckBox, QFormLayout, QMainWindow, QScrollArea, QVBoxLayout, QWidget

from napari_anoclip.engine.errors import AnoCLIPError, DownloadError
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings, ScoringSettings, TilingSettings
from napari_anoclip.plugin.image_row import ImageRow
from napari_anoclip.plugin.job import Job, JobState
from napari_anoclip.plugin.layers import show_result
from napari_anoclip.plugin.model_row import ModelRow
from napari_anoclip.plugin.models import SHELF, ModelHolder
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.prompt_row import PromptRow
from napari_anoclip.plugin.run_bar import RunBar
from napari_anoclip.plugin.run_request import RunRequest, RunResult
from napari_anoclip.plugin.sample_data import SAMPLE_KEY
from napari_anoclip.plugin.settings_form import SettingsForm
from napari_anoclip.plugin.style import Section

if TYPE_CHECKING:
    from napari.layers import Layer


class AnoCLIPDock(QWidget):
    """The workbench.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose images are scored and which the maps are shown in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._models = ModelHolder(SHELF)
        self._request: RunRequest | None = None
        self.job = Job()
        self.image = ImageRow(napari_viewer)
        self.prompts = PromptRow()
        self.model = ModelRow()
        self.adapt = QCheckBox("Adapt to this image (TTA)")
        self.adapt.setToolTip(AdaptationSettings.model_fields["enabled"].description)
        self.run_bar = RunBar()
        self.notice = Notice()
        self._adaptation = SettingsForm(AdaptationSettings, without=("enabled",))
        self._scoring = SettingsForm(ScoringSettings)
        self._tiling = SettingsForm(TilingSettings)
        self._tower = SettingsForm(AnoCLIPSettings)
        self._lay_out()

        self.image.chosen.connect(self._on_image)
        self.run_bar.run_wanted.connect(self.run)
        self.run_bar.cancel_wanted.connect(self.job.cancel)
        self.job.state_changed.connect(self._on_state)
        self.job.progressed.connect(self.run_bar.show_progress)
        self.job.succeeded.connect(self._on_result)
        self.job.failed.connect(self._on_error)
        for keys, slot in (("Ctrl+Return", self.run), ("Ctrl+Enter", self.run), ("Esc", self.job.cancel)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        job = self.job  # all that may still be touched when this widget is gone
        self.destroyed.connect(lambda: job.close())
        self._on_image(self.image.layer)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """Wide enough for every line of the closed dock."""
        return QSize(370, super().sizeHint().height())

    @property
    def settings(self) -> AnoCLIPSettings:
        """All settings as they are set now."""
        return self._tower.value.model_copy(
            update={
                "scoring": self._scoring.value,
                "adaptation": self._adaptation.value.model_copy(update={"enabled": self.adapt.isChecked()}),
                "tiling": self._tiling.value,
            }
        )

    @settings.setter
    def settings(self, settings: AnoCLIPSettings) -> None:
        self._tower.value = settings
        self._scoring.value = settings.scoring
        self._adaptation.value = settings.adaptation
        self._tiling.value = settings.tiling
        self.adapt.setChecked(settings.adaptation.enabled)

    def run(self) -> None:
        """Score the plane that is shown; a second call while one is scored says so and does nothing."""
        try:
            request = RunRequest(self.image.plane(), self.prompts.prompts, self.settings, self.model.choice)
        except AnoCLIPError as error:
            self.notice.say(str(error))
            return
        self._start(request)

    def leave(self) -> None:
        """Stop the run and let go of the viewer, before this dock or the viewer goes."""
        self.job.close()
        self.run_bar.follow(JobState.IDLE)
        self.image.disconnect_viewer()

    def event(self, event: QEvent) -> bool:
        """Notice that the dock was taken out of the window (its ✕ was clicked)."""
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.leave()
        return super().event(event)

    def showEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt names it)
        """Keep an eye on the main window, to stop the run when it is closed."""
        super().showEvent(event)
        window = self.parentWidget()
        while window is not None and not isinstance(window, QMainWindow):
            window = window.parentWidget()
        if window is not None:
            window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt names it)
        """Leave when the main window goes; minimising it is a spontaneous hide and changes nothing."""
        if event.type() == QEvent.Type.Hide and not event.spontaneous():
            self.leave()
        return super().eventFilter(watched, event)

    def _start(self, request: RunRequest) -> None:
        if not self.job.start(lambda on_progress, cancel: request.run(self._models, on_progress, cancel)):
            self.notice.say("A run is under way. Wait for it, or cancel it first.")
            return
        self._request = request
        self.notice.clear()

    def _on_state(self, state: JobState) -> None:
        self.run_bar.follow(state)
        model = self._models.loaded(self.model.choice)
        if not self.job.busy and model is not None:
            self.model.show_ready(model)
            self.prompts.check_with(model)

    def _on_result(self, result: RunResult) -> None:
        self.notice.clear()
        stale = result.plane.why_stale(self._viewer.layers)
        if stale is not None:
            self.notice.say(stale)
            return
        show_result(self._viewer.layers, result.plane, result.detection.map, result.limits, result.record())
        self.run_bar.show_result(result)

    def _on_error(self, error: AnoCLIPError) -> None:
        request = self._request
        if isinstance(error, DownloadError) and request is not None and not request.model.download:
            again = replace(request, model=replace(request.model, download=True))
            self.notice.say(str(error), "Download", lambda: self._start(again))
        else:
            self.notice.say(str(error))

    def _on_image(self, layer: Layer | None) -> None:
        if layer is not None and SAMPLE_KEY in layer.metadata:
            self.prompts.prefill(layer.metadata[SAMPLE_KEY])

    def _lay_out(self) -> None:
        """Rows from top to bottom as a user goes through them; details folded away below."""
        rows = QFormLayout()
        rows.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows.setVerticalSpacing(6)
        rows.addRow("Image", self.image)
        rows.addRow("Object", self.prompts.object_row)
        rows.addRow("Prompts", self.prompts.preset_row)
        rows.addRow("Model", self.model.row)
        where = QWidget()
        where_rows = QFormLayout(where)
        where_rows.setContentsMargins(0, 0, 0, 0)
        where_rows.addRow("Device", self.model.device)
        where_rows.addRow(self._tower.native)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(8)
        layout.addLayout(rows)
        for widget in (self.adapt, self.run_bar, self.notice):
            layout.addWidget(widget)
        for title, content in (
            ("Adaptation", self._adaptation.native),
            ("Scoring", self._scoring.native),
            ("Tiling", self._tiling.native),
            ("Model and memory", where),
        ):
            layout.addWidget(Section(title, content))
        layout.addStretch()
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.setMinimumWidth(320)

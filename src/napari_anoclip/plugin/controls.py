"""All that can be chosen before a run, as one thing: asked for as a request, set from a record, kept between starts."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QPushButton

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings, ReferenceSettings, TilingSettings
from napari_anoclip.plugin.adaptation_panel import AdaptationPanel
from napari_anoclip.plugin.dock_state import DockState
from napari_anoclip.plugin.image_panel import ImagePanel
from napari_anoclip.plugin.model_row import ModelRow
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.mutual_panel import MutualPanel
from napari_anoclip.plugin.planes import TILE_PIXELS
from napari_anoclip.plugin.preferences import preferences
from napari_anoclip.plugin.prompt_document import PromptDocument
from napari_anoclip.plugin.prompt_editor import PromptEditor
from napari_anoclip.plugin.prompt_row import PromptRow
from napari_anoclip.plugin.run_request import RunRequest
from napari_anoclip.plugin.scoring_panel import ScoringPanel
from napari_anoclip.plugin.settings_form import SettingsForm

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.reference_memory import ReferenceMemory
    from napari_anoclip.plugin.provenance import Restored


_log = logging.getLogger(__name__)


class Controls(QObject):
    """The panels that a user sets.

    Parameters
    ----------
    viewer : ViewerModel
        Whose images are offered.

    Attributes
    ----------
    image, prompts, editor, model, adaptation, mutual, scoring, tiling, tower
        The panels.
    adapt, live : QCheckBox
        Whether to adapt, and whether to score again by itself.
    """

    rescore = Signal()
    """Something changed for which kept tokens suffice."""
    redisplay = Signal()
    """Only colours, threshold or outline changed."""
    references_changed = Signal()
    """`references` were set to something else, by whomever."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.image = ImagePanel(viewer)
        self.document = PromptDocument()
        self.prompts = PromptRow(self.document)
        self.editor = PromptEditor(self.document)
        self.model = ModelRow()
        self.adaptation = AdaptationPanel()
        self.mutual = MutualPanel(viewer, self.image)
        self.scoring = ScoringPanel(viewer)
        self.tiling = SettingsForm(TilingSettings)
        self.tower = SettingsForm(AnoCLIPSettings)
        self.adapt = QCheckBox("Adapt to this image (TTA)")
        self.adapt.setToolTip(AdaptationSettings.model_fields["enabled"].description)
        self.live = QCheckBox("Live")
        self.live.setToolTip("Score again by itself when prompts or settings change, from what is known of the image.")
        self.help_button = QPushButton("?")
        self.help_button.setFixedWidth(28)
        self.help_button.setToolTip("Keys (F1).")
        self.help_button.setAccessibleName("List of keys")
        self._good_images: tuple[Any, ...] = ()
        self._references = ReferenceSettings()
        self._memory: ReferenceMemory | None = None
        self._tile_side = TILE_PIXELS

        self.document.changed.connect(self.rescore)
        self.adapt.toggled.connect(self.rescore)
        self.scoring.changed.connect(self.rescore)
        self.scoring.display_changed.connect(self.redisplay)
        self.scoring.references_wanted.connect(self._on_references)
        self.adaptation.changed.connect(self._on_adaptation)
        self.mutual.changed.connect(self.rescore)
        self.tiling.changed.connect(self._on_tiling)

    @property
    def settings(self) -> AnoCLIPSettings:
        """All settings of a run as they are set now."""
        return self.tower.value.model_copy(
            update={
                "scoring": self.scoring.value,
                "adaptation": self.adaptation.value.model_copy(update={"enabled": self.adapt.isChecked()}),
                "tiling": self.tiling.value,
                "references": self._references,
                "mutual": self.mutual.value,
            }
        )

    @settings.setter
    def settings(self, settings: AnoCLIPSettings) -> None:
        self.tower.value = settings
        self.scoring.value = settings.scoring
        self.adaptation.value = settings.adaptation
        self.tiling.value = settings.tiling
        self.references = settings.references
        self.mutual.value = settings.mutual
        self.adapt.setChecked(settings.adaptation.enabled)

    @property
    def references(self) -> ReferenceSettings:
        """Whether and how far patches that a person called normal lower the score of patches like them."""
        return self._references

    @references.setter
    def references(self, references: ReferenceSettings) -> None:
        if references == self._references:
            return
        self._references = references
        self.references_changed.emit()
        if self._memory is not None:
            self.rescore.emit()

    @property
    def memory(self) -> ReferenceMemory | None:
        """The patches that were judged, where somebody has gathered them. Kept by the session, not by the dock."""
        return self._memory

    @memory.setter
    def memory(self, memory: ReferenceMemory | None) -> None:
        if memory is self._memory:
            return
        self._memory = memory
        if self._references.enabled:
            self.rescore.emit()

    def request(self) -> RunRequest:
        """What a run would be of now.

        Raises
        ------
        AnoCLIPError
            With a sentence, if there is nothing that can be run.
        """
        planes, settings, others = tuple(self.image.planes()), self.settings, self.mutual.others()
        if settings.mutual.enabled and others is None:  # a result says what was done, not what was wished for
            settings = settings.model_copy(update={"mutual": settings.mutual.model_copy(update={"enabled": False})})
        return RunRequest(
            planes,
            self.prompts.prompts,
            settings,
            self.scoring.display,
            self.model.choice,
            self._good_images if self.scoring.display.range == "own" else (),
            self.image.choice,
            self._memory if self._references.enabled else None,
            others,
        )

    def know(self, model: AnoCLIP) -> None:
        """Take into account what a loaded model can tell: words it knows, the size of its square."""
        self.prompts.check_with(model)
        self._tile_side = model.image_size
        self._on_tiling()

    def restore(self, restored: Restored) -> None:
        """Set everything to what a result was made with."""
        self.settings = restored.settings
        self.document.value = restored.prompts
        self.prompts.take_name()
        self.model.choice = restored.model
        self.scoring.display = restored.display
        self.image.choice = restored.image_choice

    def state(self, open_sections: list[str]) -> DockState:
        """What to keep until the next start; of the image only how it is looked at, never a layer."""
        return DockState(
            settings=self.settings,
            display=self.scoring.display,
            prompts=self.document.memory,
            model=asdict(self.model.choice),
            live=self.live.isChecked(),
            open_sections=open_sections,
            preferred=preferences().model_dump(mode="json"),
            image_choice={"contrast": self.image.choice["contrast"]},
        )

    def begin(self, state: DockState | None) -> None:
        """Set everything as it was left, or at the first start as the preferences say."""
        preferred = preferences()
        if state is not None:
            self._put_back(state)
        before = state.preferred if state is not None else {}
        # Of what is both preferred and remembered, the preference counts where it was changed since.
        if before.get("live") != preferred.live:
            self.live.setChecked(preferred.live)
        if before.get("default_preset") != preferred.default_preset and not self.document.edited:
            self.document.choose(preferred.default_preset)
        if before.get("device") != preferred.device:
            self.model.choice = replace(self.model.choice, device=preferred.device)

    def _put_back(self, state: DockState) -> None:
        self.settings = state.settings
        # Good images of one's own were data of that session.
        own = state.display.range == "own"
        self.scoring.display = state.display.model_copy(update={"range": "calibrated"}) if own else state.display
        self.live.setChecked(state.live)
        if state.prompts:
            self.document.memory = state.prompts
        try:
            self.model.choice = TypeAdapter(ModelChoice).validate_python(state.model)
            self.image.choice = state.image_choice
        except (AnoCLIPError, ValidationError) as error:
            _log.warning("a part of the dock's last state cannot be used: %s", error)

    def close_down(self) -> None:
        """Let go of the viewer and of threads, before the dock goes."""
        self.mutual.close_down()
        self.image.disconnect_viewer()
        self.document.close_down()
        self.scoring.close_down()

    def _on_references(self, references: list[Any]) -> None:
        self._good_images = tuple(references)
        self.rescore.emit()

    def _on_tiling(self) -> None:
        self.image.use_tiling(self.tiling.value, self._tile_side)

    def _on_adaptation(self) -> None:
        if self.adapt.isChecked():
            self.rescore.emit()

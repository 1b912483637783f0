"""The AnoCLIP dock: choose an image, say what it shows, press Run, see where it is wrong."""

from __future__ import annotations

from pathlib import Path

import napari.viewer
from napari.layers import Layer
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QPushButton, QWidget

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.progress import Progress
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.plugin import dock_state, keys, results
from napari_anoclip.plugin.compare_panel import ComparePanel
from napari_anoclip.plugin.controls import Controls
from napari_anoclip.plugin.dock_layout import lay_out, stacked
from napari_anoclip.plugin.job import Job, JobState
from napari_anoclip.plugin.key_help import KeyHelp
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.leaving import LeavingWidget
from napari_anoclip.plugin.model_panel import ModelPanel
from napari_anoclip.plugin.models import SHELF, ModelHolder
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.probe_panel import ProbePanel
from napari_anoclip.plugin.provenance import restore_values
from napari_anoclip.plugin.run_bar import RunBar
from napari_anoclip.plugin.run_request import PlaneResult
from napari_anoclip.plugin.sample_data import SAMPLE_KEY
from napari_anoclip.plugin.session_reader import SessionDrop, open_review
from napari_anoclip.plugin.stale import StaleGuard
from napari_anoclip.plugin.style import Section
from napari_anoclip.plugin.workbench import Workbench


class AnoCLIPDock(LeavingWidget):
    """The workbench: controls above, what comes of them in the viewer.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose images are scored and which the maps are shown in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self.models = ModelHolder(SHELF)
        self.controls = Controls(napari_viewer)
        self.bench = Workbench(napari_viewer, self.models, self.controls.request)
        self.run_bar = RunBar()
        self.notice = Notice()
        self.restore_button = QPushButton()
        self.restore_button.clicked.connect(self._restore)
        self.controls.help_button.clicked.connect(self._show_keys)
        self.probe = ProbePanel(napari_viewer, self.models)
        self.compare = ComparePanel(napari_viewer, self.models, self.controls.request)
        self.model_panel = ModelPanel(self.controls.model, self.models)
        self._stale = StaleGuard(napari_viewer)
        self._drop = SessionDrop(self)
        self.sections = {
            title: Section(title, content)
            for title, content in (
                ("Prompts", self.controls.editor),
                ("Adaptation", self.controls.adaptation),
                ("Other images", self.controls.mutual),
                ("Scoring and colours", self.controls.scoring),
                ("Probe", self.probe),
                ("Compare", self.compare),
                ("Tiling", self.controls.tiling.native),
                ("Model and memory", stacked(self.model_panel, self.controls.tower.native)),
            )
        }
        self._turned_to: Section | None = None
        self._to_section = later(self, self._scroll_to_section)
        self._scroll = lay_out(
            self, self.controls, (self.run_bar, self.notice, self.restore_button), self.sections.values()
        )
        self._connect()
        state = dock_state.load()
        self.controls.begin(state)
        for title in state.open_sections if state is not None else ():
            if title in self.sections:
                self.sections[title].open()
        self._on_image(self.controls.image.layer)
        self._on_selection()

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """Wide enough for every line of the closed dock."""
        return QSize(380, super().sizeHint().height())

    @property
    def job(self) -> Job:
        """The runs of this dock."""
        return self.bench.job

    @property
    def settings(self) -> AnoCLIPSettings:
        """All settings as they are set now."""
        return self.controls.settings

    @settings.setter
    def settings(self, settings: AnoCLIPSettings) -> None:
        self.controls.settings = settings

    def run(self) -> None:
        """Score what is chosen; a second call while one is scored says so and does nothing."""
        self.bench.run()

    def let_go(self) -> None:
        """Stop the run, keep what was set, and let go of the viewer, before this dock or the viewer goes."""
        dock_state.save(self.controls.state([title for title, section in self.sections.items() if section.is_open]))
        self._viewer.layers.selection.events.active.disconnect(self._on_selection)
        self._viewer.dims.events.current_step.disconnect(self._on_slider)
        self.bench.close()
        self.run_bar.follow(JobState.IDLE)
        for part in (self.probe, self.compare, self.model_panel, self.controls, self._stale, self._drop):
            part.close_down()

    def placed(self) -> None:
        """Take a review that is dropped on the window."""
        self._drop.watch(self.window())

    def _connect(self) -> None:
        controls, bench = self.controls, self.bench
        controls.image.chosen.connect(self._on_image)
        controls.image.changed.connect(self._on_image_changed)
        controls.rescore.connect(self._on_rescore)
        controls.redisplay.connect(lambda: bench.show_display(controls.scoring.display))
        controls.prompts.remarks_clicked.connect(self._show_remark)
        controls.adaptation.flick.connect(bench.flick)
        controls.mutual.switched.connect(lambda on: self.sections["Other images"].say("on" if on else ""))
        self.run_bar.run_wanted.connect(self.run)
        self.run_bar.keep_wanted.connect(lambda: bench.run(keep=True))
        self.run_bar.cancel_wanted.connect(self.job.cancel)
        self.run_bar.why_wanted.connect(self._explain_hottest)
        bench.shown.connect(self._on_result)
        bench.adapted.connect(lambda step: controls.adaptation.show_step(step.step, step.loss))
        bench.said.connect(self.notice.say)
        bench.unsaid.connect(self.notice.clear)
        self._stale.stale.connect(self.notice.say)
        self._drop.dropped.connect(self._review)
        self.job.state_changed.connect(self._on_state)
        self.job.progressed.connect(self._on_progress)
        self.job.published.connect(lambda _: self._on_slider())  # perhaps the plane that is waited for
        self.model_panel.attention.connect(lambda: self._turn_to("Model and memory"))
        self.probe.prompt_off.connect(lambda prompt: controls.document.edit(lambda ps: ps.with_prompt(prompt, False)))
        self.probe.prompt_chosen.connect(self._show_prompt)
        self.sections["Probe"].toggled.connect(self.probe.switch)
        self._viewer.layers.selection.events.active.connect(self._on_selection)
        self._viewer.dims.events.current_step.connect(self._on_slider)
        for key, do in (
            (keys.RUN, self.run),
            (keys.KEEP, lambda: bench.run(keep=True)),
            (keys.CANCEL, self.job.cancel),
            (keys.HELP, self._show_keys),
        ):
            keys.bind(key, self, do)
        self.destroyed.connect(bench.close)

    def _on_state(self, state: JobState) -> None:
        self.run_bar.follow(state, self.bench.by_itself)
        model = self.models.loaded(self.controls.model.choice)
        if not self.job.busy and model is not None:
            self.model_panel.refresh()
            self.controls.know(model)

    def _on_progress(self, progress: Progress) -> None:
        self.run_bar.show_progress(progress)
        if not self.controls.model.ready and self.models.loaded(self.controls.model.choice) is not None:
            self.model_panel.refresh()

    def _on_result(self, result: PlaneResult) -> None:
        self.run_bar.show_result(result)
        self.controls.scoring.show_result(result, self.bench.histogram)
        self.controls.adaptation.show_result(result)
        self.probe.use(result)

    def _on_image(self, layer: Layer | None) -> None:
        self.bench.forget()
        self.run_bar.clear()
        self.probe.use(None)
        if layer is not None and SAMPLE_KEY in layer.metadata:
            self.controls.prompts.prefill(layer.metadata[SAMPLE_KEY])

    def _on_image_changed(self) -> None:
        """Another plane, region or scaling: what is known of it is shown, and what is not is scored if that is live."""
        if self._on_slider() is False:
            self._on_rescore()

    def _on_slider(self) -> bool | None:
        """Show what is known of the plane that is shown now; whether there is anything, None if there is no plane."""
        try:
            return self.bench.look_at(self.controls.image.shown())
        except AnoCLIPError:
            return None

    def _on_rescore(self) -> None:
        if self.controls.live.isChecked():
            self.bench.touch()

    def _on_selection(self) -> None:
        """Offer to restore the settings of the result that is selected."""
        layer = self._viewer.layers.selection.active
        chosen = layer is not None and results.is_result(layer)
        self.restore_button.setVisible(chosen)
        if chosen:
            self.restore_button.setText(f"Restore settings from “{layer.name}”")
            self.restore_button.setToolTip("Set the dock to exactly what this map was made with.")

    def _restore(self) -> None:
        layer = self._viewer.layers.selection.active
        if layer is None:
            return
        try:
            self.controls.restore(restore_values(layer))
        except AnoCLIPError as error:
            self.notice.say(str(error))

    def _turn_to(self, title: str) -> None:
        """Open a section and bring it into sight, once it has its place."""
        self._turned_to = self.sections[title]
        self._turned_to.open()
        self._to_section.start()

    def _scroll_to_section(self) -> None:
        if self._turned_to is not None:
            self._scroll.ensureWidgetVisible(self._turned_to)

    def _show_remark(self) -> None:
        self._turn_to("Prompts")
        self.controls.editor.show_remark()

    def _show_prompt(self, prompt: str) -> None:
        self._turn_to("Prompts")
        self.controls.editor.open_page("All")
        self.controls.editor.filter.setText(prompt)

    def _explain_hottest(self) -> None:
        self._turn_to("Probe")
        result = self.bench.result
        if result is not None:
            self.probe.probe(result.hottest[1])

    def _review(self, folder: Path) -> None:
        open_review(self._viewer, folder)

    def _show_keys(self) -> None:
        KeyHelp(self).show_over(self)

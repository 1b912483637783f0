"""What happens between the controls and the layers: runs, by hand and by themselves, and their results.

The dock shows the controls and says what is chosen in them; this knows no control.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.errors import AnoCLIPError, DownloadError
from napari_anoclip.plugin import contour, results
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.live import Live
from napari_anoclip.plugin.run_request import (
    LossStep,
    PlaneResult,
    RunRequest,
    RunSummary,
    limits,
    same_stack,
    threshold,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.engine.histogram import ScoreHistogram
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.engine.settings import DisplaySettings
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.models import ModelChoice, ModelHolder
    from napari_anoclip.plugin.plane import Plane

BUSY = "A run is under way. Wait for it, or cancel it first."


class Workbench(QObject):
    """Runs requests and shows what comes of them in the viewer.

    Parameters
    ----------
    viewer : ViewerModel
        Where images and results are.
    models : ModelHolder
        Where the model comes from.
    ask : callable
        Gives the `RunRequest` that the controls stand for now; raises an `AnoCLIPError` where they stand for none.

    Attributes
    ----------
    by_itself : bool
        Whether the last run was started by a change, not by the user.
    """

    shown = Signal(object)
    """The `PlaneResult` of the plane that is looked at, whenever another one is."""
    adapted = Signal(object)
    """A `LossStep`, while the plane that is looked at is adapted."""
    said = Signal(str, str, object)
    """A sentence, with the label of a button and what it does where one helps."""
    unsaid = Signal()
    """What was said last holds no more."""

    def __init__(self, viewer: ViewerModel, models: ModelHolder, ask: Callable[[], RunRequest]) -> None:
        super().__init__()
        self._viewer = viewer
        self._models = models
        self._ask = ask
        self._request: RunRequest | None = None
        self._keep = False
        self._patient = False
        self.by_itself = False
        self._results: dict[tuple[int, ...], PlaneResult] = {}
        self._shown: PlaneResult | None = None
        self.job = Job()
        self.live = Live(self)
        self.live.due.connect(self._run_again)
        self.job.published.connect(self._on_published)
        self.job.succeeded.connect(self._on_summary)
        self.job.failed.connect(self._on_error)
        self.job.cancelled.connect(self._on_cancelled)

    @property
    def result(self) -> PlaneResult | None:
        """What was shown last."""
        return self._shown

    @property
    def histogram(self) -> ScoreHistogram:
        """Scores of all planes of the last run that are there; asked for once something is shown."""
        return reduce(operator.add, (result.histogram for result in self._results.values()))

    def run(self, keep: bool = False, model: ModelChoice | None = None) -> None:
        """Score what is chosen; a second call while one is scored says so and does nothing.

        Parameters
        ----------
        keep : bool
            Leave the result that is there as it is and make a new one beside it.
        model : ModelChoice, optional
            Use this one and not the one that is chosen.
        """
        try:
            request = self._ask()
        except AnoCLIPError as error:
            self.said.emit(str(error), "", None)
            return
        if model is not None:
            request = replace(request, model=model)
        # What runs by itself gives way; what was asked for does not, so that a second click loses nothing.
        self._start(request, newest=self.by_itself, keep=keep)

    def touch(self) -> None:
        """Note a change that kept tokens suffice for: score again once it is quiet, if there is a result to renew."""
        if self._request is not None:
            self.live.touch()

    def show_display(self, display: DisplaySettings) -> None:
        """Show results in another range, or above another threshold: nothing is scored for it."""
        result = self._shown
        if result is None:
            return
        self._shown = replace(result, request=replace(result.request, display=display))
        layers = self._viewer.layers
        if display.range == "manual":  # one range for all that this model made, so that images can be compared by eye
            for other in filter(results.is_result, layers):
                if results.model_of(other) == result.detection.provenance["model_id"]:
                    results.set_limits(other, limits(display, result.display))
        layer = results.find(layers, result.plane.layer)
        if layer is not None:
            results.set_limits(layer, limits(display, result.display))
            results.note_display(layer, display)
            results.set_threshold(layers, layer, threshold(display, result.display), display.contour)

    def flick(self, before: bool) -> None:
        """Show the map as it was before adaptation, or again as it is."""
        result = self._shown
        if result is not None and result.detection.before is not None:
            values = result.detection.before if before else result.detection.map
            results.peek(self._viewer.layers, result.plane, values)

    def look_at(self, plane: Plane) -> bool:
        """Turn to another plane of the stack that was scored; whether there is a result of it."""
        result = self._results.get(plane.hidden)
        if result is None or not same_stack(result.plane, plane):
            return False
        if result is not self._shown:
            self._turn_to(result)
        return True

    def forget(self) -> None:
        """Turn away from the last result, because another image was chosen."""
        self._request = self._shown = None
        self._results.clear()
        self.live.forget()

    def close(self) -> None:
        """Stop what is under way, say nothing any more and hold no layer."""
        self.job.close()
        self.forget()

    def _run_again(self) -> None:
        """Score again by itself; what cannot be scored is said as for any run."""
        try:
            request = self._ask()
        except AnoCLIPError as error:
            self.said.emit(str(error), "", None)
            return
        if request.is_prepared and self.job.busy:  # an edit does not throw away what has taken so long
            self._patient = True
            self.live.touch()
        elif self._models.loaded(request.model) is not None:
            self._start(request, newest=True, by_itself=self.by_itself or not self.job.busy)

    def _start(self, request: RunRequest, newest: bool = False, keep: bool = False, by_itself: bool = False) -> None:
        if self.job.busy and not newest:
            self.said.emit(BUSY, "", None)
            return
        self.by_itself = by_itself
        self._patient = False
        self.live.forget()
        if self._request is not None and not request.continues(self._request):
            self._results.clear()
        self._request, self._keep = request, keep
        self.unsaid.emit()

        def work(channel: Channel, cancel: CancelFlag) -> RunSummary:
            if request.display.contour:
                contour.prepare()
            return request.run(self._models, channel, cancel)

        self.job.start(work, newest)

    def _on_published(self, part: Any) -> None:
        if isinstance(part, LossStep):
            self.adapted.emit(part)
            return
        result: PlaneResult = part
        stale = result.plane.why_stale(self._viewer.layers)
        if stale is not None:
            self.said.emit(stale, "", None)
            if len(result.request.planes) > 1:
                self.job.cancel()
            return
        if self._keep:  # two maps over each other could not be told apart
            older = results.find(self._viewer.layers, result.plane.layer)
            if older is not None:
                older.visible = False
        results.show(self._viewer.layers, result, keep=self._keep)
        self._keep = False
        self.unsaid.emit()  # that a run is under way, or that the last map is stale
        if result.request is not self._request:
            return  # another image was chosen meanwhile: the map is not of what is looked at now
        self._results[result.plane.hidden] = result
        if result.plane is result.request.planes[0]:
            self._turn_to(result)

    def _turn_to(self, result: PlaneResult) -> None:
        self._shown = result
        self.shown.emit(result)

    def _on_summary(self, summary: RunSummary) -> None:
        if summary.sentence:
            self.said.emit(summary.sentence, "", None)
        shown = self._shown
        if shown is not None and any(result.plane is shown.plane for result in self._results.values()):
            self.shown.emit(shown)  # the histogram is that of the whole stack by now

    def _on_cancelled(self) -> None:
        if self._patient:  # what waited for the run that was cancelled is not wanted any more
            self._patient = False
            self.live.forget()

    def _on_error(self, error: AnoCLIPError) -> None:
        request = self._request
        if isinstance(error, DownloadError) and request is not None and not request.model.download:
            model = replace(request.model, download=True)
            self.said.emit(str(error), "Download", lambda: self.run(model=model))
        else:
            self.said.emit(str(error), "", None)

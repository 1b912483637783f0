"""AnoCLIP for scripts and the command palette: one call, one heatmap."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

import napari.layers
import napari.viewer
from magicgui import magicgui
from napari.utils.notifications import show_warning

from napari_anoclip.engine.errors import AnoCLIPError, ImageError
from napari_anoclip.engine.prompts import PromptSet, preset_names
from napari_anoclip.engine.settings import AdaptationSettings, AnoCLIPSettings, DisplaySettings
from napari_anoclip.plugin import results
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.models import BUILTIN, SHELF, ModelChoice, ModelHolder
from napari_anoclip.plugin.planes import ImageChoice, all_planes
from napari_anoclip.plugin.run_request import PlaneResult, RunRequest

if TYPE_CHECKING:
    from magicgui.widgets import FunctionGui
    from napari.components import LayerList

    from napari_anoclip.engine.progress import Progress


class _Kept:
    """A channel that shows each plane at once: the call is in the GUI thread already."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        self._layers = viewer.layers
        self.layer: napari.layers.Image | None = None

    def __call__(self, progress: Progress) -> None:
        pass

    def publish(self, part: Any) -> None:
        if isinstance(part, PlaneResult):
            self.layer = results.show(self._layers, part)


class _Never:
    """A call that blocks cannot be cancelled."""

    def is_set(self) -> bool:
        return False


def run(
    viewer: napari.viewer.Viewer,
    image: napari.layers.Image | None = None,
    object: str = "",  # noqa: A002 - the word of the method
    preset: str = "paper-object",
    adapt: bool = False,
    planes: Literal["this", "all"] = "this",
    tiling: Literal["fit", "tiles", "both"] = "fit",
    model: str = BUILTIN,
) -> napari.layers.Image:
    """Score an image and add its heatmap to the viewer; returns when that is done.

    Parameters
    ----------
    viewer : Viewer
        Where the heatmap goes.
    image : Image, optional
        Layer to score; the selected one otherwise.
    object : str
        What it shows; the preset's general word if empty.
    preset : str
        Name of a packaged prompt set.
    adapt : bool
        Adapt to the image before scoring (TTA).
    planes : {"this", "all"}
        Of a stack, the plane that is shown or all.
    tiling : {"fit", "tiles", "both"}
        Fit the image whole, cut it into tiles, or average both.
    model : str
        "builtin", a name of open_clip with its tag ("ARCHITECTURE:TAG"), or the path of a checkpoint.

    Returns
    -------
    Image
        The heatmap's layer, with provenance in its metadata.

    Raises
    ------
    AnoCLIPError
        With a sentence that says what cannot be used and what to do.
    """
    request = _request(viewer, image, object, preset, adapt, planes, tiling, model)
    channel = _Kept(viewer)
    summary = request.run(ModelHolder(SHELF), channel, _Never())
    if channel.layer is None:
        raise ImageError(summary.sentence)
    return channel.layer


def run_widget() -> FunctionGui:
    """The same as a small form that computes in a worker, for the command palette and the menus."""
    job, models = Job(), ModelHolder(SHELF)
    target: list[LayerList] = []

    @wraps(run)
    def start(viewer: napari.viewer.Viewer, *chosen: Any) -> None:
        try:
            request = _request(viewer, *chosen)
        except AnoCLIPError as error:
            show_warning(str(error))
            return
        if job.start(lambda channel, cancel: request.run(models, channel, cancel)):
            target[:] = [viewer.layers]
        else:
            show_warning("A run is under way. Wait for it.")

    def show(part: Any) -> None:
        if isinstance(part, PlaneResult):
            results.show(target[0], part)

    form = magicgui(start, preset={"choices": preset_names()}, call_button="Run")
    job.published.connect(show)
    job.failed.connect(lambda error: show_warning(str(error)))
    form.native.destroyed.connect(lambda: job.close())
    return form


def _request(
    viewer: napari.viewer.Viewer,
    image: napari.layers.Image | None,
    object: str,  # noqa: A002
    preset: str,
    adapt: bool,
    planes: Literal["this", "all"],
    tiling: Literal["fit", "tiles", "both"],
    model: str,
) -> RunRequest:
    layer = image if image is not None else viewer.layers.selection.active
    settings = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=adapt))
    settings = settings.model_copy(update={"tiling": settings.tiling.model_copy(update={"mode": tiling})})
    choice = ImageChoice(planes=planes)
    return RunRequest(
        planes=tuple(all_planes(layer, viewer.dims, choice)),
        prompts=PromptSet.preset(preset, object.strip() or None),
        settings=settings,
        display=DisplaySettings(),
        model=ModelChoice(model),
        image_choice=choice.model_dump(),
    )

"""The probe: what the pointer is over is explained in a thread of its own, as fast as it can and no faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QWidget

from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.probe import PlaneMarks, Pointer
from napari_anoclip.plugin.probe_view import Pixel, ProbeView, Reading

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.engine.progress import Progress
    from napari_anoclip.plugin.models import ModelHolder
    from napari_anoclip.plugin.run_request import PlaneResult

NOTHING_YET = "Run first; then point at a pixel."
POINT = "Point at a pixel of the image. A click holds it; Esc, or a click on it, lets go."
UNLOADED = "The model of this result is not in memory any more. Run again, then point."


class ProbePanel(ProbeView):
    """Listens to the pointer while it is switched on, and says what is under it.

    Parameters
    ----------
    viewer : ViewerModel
        Whose canvas is pointed at.
    models : ModelHolder
        Whose turn at the model is waited for.
    """

    def __init__(self, viewer: ViewerModel, models: ModelHolder, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._models = models
        self._result: PlaneResult | None = None
        self._marks: PlaneMarks | None = None
        self._pointer: Pointer | None = None
        self._reading: Reading | None = None
        self._next: Pixel | None = None
        self._held: Pixel | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_reading)
        self.job.failed.connect(self._on_error)
        self.job.cancelled.connect(self._read_next)
        self.job.progressed.connect(self._on_progress)
        self.hottest_wanted.connect(self._on_hottest)
        self.release_wanted.connect(self.let_go)
        self.patch_chosen.connect(self._on_patch)
        self.tab_changed.connect(self._on_tab)
        self.layer_toggled.connect(self._mark)
        self._removed = viewer.layers.events.removed
        self._removed.connect(self._on_removed)
        self._begin()

    @property
    def held(self) -> Pixel | None:
        """(row, column) of the pixel that is held, if one is."""
        return self._held

    def use(self, result: PlaneResult | None) -> None:
        """Probe another result, or none; a pixel that is held stays held where the image is the same."""
        if result is self._result:
            return
        held, before = self._held, self._result
        self._result = result
        self.job.cancel()
        self._begin()
        if held is not None and result is not None and before is not None:
            height, width = result.plane.shape
            if result.plane.layer == before.plane.layer and held[0] < height and held[1] < width:
                self.probe(held)

    def switch(self, on: bool) -> None:
        """Start or stop listening to the pointer; nothing of the probe stays in the viewer when it is off."""
        if on == (self._pointer is not None):
            return
        if on:
            self._pointer = Pointer(self._viewer)
            self._pointer.moved.connect(self._on_moved)
            self._pointer.clicked.connect(self._on_clicked)
            self._pointer.escaped.connect(self.let_go)
        elif self._pointer is not None:
            self._pointer.leave()
            self._pointer = None
            self.job.cancel()
        self._begin()

    def probe(self, pixel: Pixel) -> None:
        """Hold a pixel, (row, column) of the plane that was scored, and say what it is made of."""
        self._hold(pixel)
        self._show_pixel(pixel)
        self._read(pixel)

    def let_go(self) -> None:
        """Follow the pointer again."""
        self._hold(None)
        self._mark()

    def close_down(self) -> None:
        """Stop, and let go of the viewer, before this panel or the viewer goes."""
        self.switch(False)
        self.use(None)
        self.job.close()
        self._removed.disconnect(self._on_removed)

    def _begin(self) -> None:
        """Know nothing yet; be ready to outline in the place of the present result while the probe is on."""
        plane = None if self._result is None or self._pointer is None else self._result.plane
        if plane is not None and plane.layer not in self._viewer.layers:
            plane = None
        if self._marks is not None and (plane is None or not self._marks.take(plane)):
            self._marks.remove()
            self._marks = None
        if plane is not None and self._marks is None:
            self._marks = PlaneMarks(self._viewer, plane)
        self._reading = self._next = None
        self._hold(None)
        self.hottest.setEnabled(self._marks is not None)
        self.show_reading(None)
        self.say(NOTHING_YET if self._result is None else POINT)

    def _hold(self, pixel: Pixel | None) -> None:
        self._held = pixel
        self.release.setEnabled(pixel is not None)
        if self._pointer is not None:
            self._pointer.listen_to_escape(pixel is not None)

    def _on_moved(self, position: tuple[float, ...]) -> None:
        pixel = None if self._held is not None else self._pixel_at(position)
        if pixel is None:
            return
        self._show_pixel(pixel)
        if self._reading is None or not self._reading.covers(pixel):
            self._read(pixel)

    def _on_clicked(self, position: tuple[float, ...]) -> None:
        pixel = self._pixel_at(position)
        if pixel is None:
            return
        patch = self._reading
        if self._held is not None and patch is not None and patch.covers(self._held) and patch.covers(pixel):
            self.let_go()
        else:
            self.probe(pixel)

    def _on_hottest(self) -> None:
        if self._result is not None:
            self.probe(self._result.hottest[1])

    def _on_patch(self, box: tuple[float, float, float, float]) -> None:
        if self._marks is not None:
            self._marks.look_at(box)

    def _pixel_at(self, position: tuple[float, ...]) -> Pixel | None:
        """The pixel of the result, if there is one; a sentence is shown where another plane is."""
        at = None if self._marks is None else self._marks.pixel_at(position)
        if isinstance(at, str):
            self.say(at)
            return None
        return at

    def _show_pixel(self, pixel: Pixel) -> None:
        if self._result is not None:
            block = self._result.plane.block
            self.show_value(float(self._result.detection.map[pixel[0] // block, pixel[1] // block]), pixel)

    def _read(self, pixel: Pixel) -> None:
        """Explain a pixel, or after the one under way: the last that was asked for, none in between.

        Were the one under way cancelled instead, a pointer that never rests would never hear anything.
        """
        result, models, alike = self._result, self._models, self.asks_where_else
        if result is None:
            return
        if models.loaded(result.request.model) is None:
            self.say_detail(UNLOADED)
        elif self.job.busy:
            self._next = pixel
        else:
            self.job.start(lambda channel, cancel: Reading.of(result, pixel, alike, models, channel, cancel))

    def _read_next(self) -> None:
        if self._next is not None:
            pixel, self._next = self._next, None
            self._read(pixel)

    def _on_reading(self, reading: Reading) -> None:
        if self._marks is not None:
            self._reading = reading
            self._mark()
        self._read_next()

    def _on_error(self, error: AnoCLIPError) -> None:
        self.say_detail(str(error))
        self._read_next()

    def _on_progress(self, progress: Progress) -> None:
        self.say_detail(f"{progress.stage} …")

    def _on_tab(self) -> None:
        reading = self._reading
        if reading is not None and reading.similarity is None and self.asks_where_else:
            self._read(reading.at)
        self._mark()

    def _mark(self) -> None:
        """Say and outline what is known."""
        reading, marks = self._reading, self._marks
        if reading is None or marks is None:
            return
        self.show_reading(reading, self._held is not None)
        where_else = self.asks_where_else
        marks.outline(
            reading.explanation.box,
            [box for _, box in reading.nearest] if where_else else [],
            held=self._held is not None,
        )
        marks.show_similarity(reading.similarity if where_else and self.as_layer.isChecked() else None)

    def _on_removed(self) -> None:
        """Keep nothing of an image that is gone."""
        if self._result is not None and self._result.plane.layer not in self._viewer.layers:
            self.use(None)

"""Which image is scored, and what of it: follows the viewer, and says what will be done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image, Shapes
from pydantic import ValidationError
from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QWidget

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.settings import TilingSettings
from napari_anoclip.plugin.look_at import LookAt
from napari_anoclip.plugin.plane import Plane, contrast_matters, levels
from napari_anoclip.plugin.planes import (
    TILE_PIXELS,
    ImageChoice,
    all_planes,
    asked_of,
    checked,
    count_planes,
    first_slider,
    order_on_screen,
    shown_plane,
    tile_count,
)
from napari_anoclip.plugin.regions_of_interest import outline_of
from napari_anoclip.plugin.results import is_ours
from napari_anoclip.plugin.style import ignore_wheel_unless_focused, with_note

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

MOVES = ("scale", "translate", "rotate", "shear", "affine", "units")
"""Properties of a layer that move it under the camera and under drawn shapes."""


class ImagePanel(QObject):
    """The lines "Image" and "Look at" of the dock; the dock lays them out.

    Parameters
    ----------
    viewer : ViewerModel
        Whose layers, sliders and camera are followed.

    Attributes
    ----------
    image_row, look_row : QWidget
        The image layer with what is said about it; what of it is looked at.
    chosen : Signal
        Emitted with the image layer (or None) whenever another one is chosen.
    changed : Signal
        What would be scored is something else now: another plane, region, level or scaling, or other pixels.
    """

    chosen = Signal(object)
    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._layer: Image | None = None
        self._drawing: Shapes | None = None
        self._tiling = TilingSettings()
        self._side = TILE_PIXELS
        self._asked: tuple[Any, ...] | None = None
        self._combo = QComboBox()
        self._combo.setAccessibleName("Image")
        self._combo.setToolTip("The image to look at. Follows the layer that is selected in the viewer.")
        self._combo.setMinimumContentsLength(12)
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        ignore_wheel_unless_focused(self._combo)
        self._note = QLabel()
        self.image_row: QWidget = with_note(self._combo, self._note)
        self.look_row = LookAt()
        self._combo.currentIndexChanged.connect(self._on_picked)
        self.look_row.changed.connect(self._on_look)
        camera, dims = viewer.scene.camera.events, viewer.dims.events
        self._connections = [
            (viewer.layers.events.inserted, self._refill),
            (viewer.layers.events.removed, self._refill),
            (viewer.layers.events.reordered, self._refill),
            (viewer.layers.events.renamed, self._refill),
            (viewer.layers.selection.events.active, self._follow),
            (dims.current_step, self._refresh),
            (dims.order, self._on_axes),
            (dims.ndisplay, self._refresh),
            (camera.center, self._on_camera),
            (camera.zoom, self._on_camera),
        ]
        for event, slot in self._connections:
            event.connect(slot)
        self._refill()
        self._follow()

    @property
    def layer(self) -> Image | None:
        """The chosen image layer."""
        return self._layer

    @property
    def note(self) -> str:
        """What is said about the chosen layer: what will be done with it, or why nothing can be."""
        return self._note.text()

    @property
    def choice(self) -> dict[str, Any]:
        """What of the image is looked at: an `ImageChoice` as JSON's types."""
        return self.look_row.choice.model_dump(mode="json")

    @choice.setter
    def choice(self, values: dict[str, Any]) -> None:
        try:
            self.look_row.choice = ImageChoice.model_validate(values)
        except ValidationError as error:
            raise ImageError("What was looked at cannot be restored: its record is damaged. Choose it anew.") from error

    def shown(self, layer: Image | None = None) -> Plane:
        """The plane that the viewer shows, through the chosen region; of another layer, looked at in the same way.

        Raises
        ------
        ImageError
            If there is none.
        """
        return shown_plane(*self._arguments(layer))

    def planes(self) -> list[Plane]:
        """All planes that would be scored now, the shown one first.

        Raises
        ------
        ImageError
            If there is none.
        """
        return all_planes(*self._arguments())

    def choose(self, layer: Image) -> None:
        """Choose an image layer of the viewer."""
        self._combo.setCurrentIndex(self._images().index(layer))

    def use_tiling(self, tiling: TilingSettings, side: int = TILE_PIXELS) -> None:
        """Count tiles, and choose the level of a pyramid, by these settings.

        Parameters
        ----------
        tiling : TilingSettings
            As set in the dock.
        side : int
            Of the model's square in pixels, where the settings leave it to the model.
        """
        self._tiling, self._side = tiling, side
        self._refresh()

    def disconnect_viewer(self) -> None:
        """Stop listening to the viewer, before this panel or the viewer goes."""
        for event, slot in self._connections:
            event.disconnect(slot)
        self._connections.clear()
        self._listen(None)
        self._watch(None)

    def _arguments(self, layer: Image | None = None) -> tuple[Any, ...]:
        """What `shown_plane` and `all_planes` take."""
        active = self._viewer.layers.selection.active
        own = isinstance(active, Image)  # a map or helper of ours: all other images are offered
        image = checked(layer or self._layer or (None if own else active))
        choice = self.look_row.choice
        return image, self._viewer.dims, choice, outline_of(self._viewer, image, choice), self._tile_pixels

    @property
    def _tile_pixels(self) -> float:
        return (self._tiling.side or self._side) / self._tiling.scale

    def _images(self) -> list[Image]:
        """What is offered, topmost first as in the layer list."""
        return [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image) and not is_ours(layer)]

    def _drawings(self) -> list[Shapes]:
        return [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Shapes)]

    def _refill(self) -> None:
        images = self._images()
        with QSignalBlocker(self._combo):
            self._combo.clear()
            self._combo.addItems([layer.name for layer in images])
            self._combo.setCurrentIndex(images.index(self._layer) if self._layer in images else 0)
        self._combo.setEnabled(bool(images))
        self.look_row.offer_shapes(layer.name for layer in self._drawings())
        self._on_picked(self._combo.currentIndex())

    def _follow(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self._images():
            self.choose(active)
        elif isinstance(active, Shapes):
            self.look_row.choose_shapes(active.name)
        self._on_look()

    def _on_picked(self, index: int) -> None:
        images = self._images()
        layer = images[index] if 0 <= index < len(images) else None
        if layer != self._layer:  # napari hands out a new proxy each time: equal, never identical
            self._listen(layer)
            self._offer()
            self.chosen.emit(layer)
        self._on_look()

    def _on_look(self) -> None:
        name = self.look_row.choice.shape_layer
        self._watch(next((layer for layer in self._drawings() if layer.name == name), None))
        self._refresh()

    def _on_axes(self) -> None:
        self._offer()
        self._refresh()

    def _on_camera(self) -> None:
        if self.look_row.choice.region == "view":
            self._refresh()

    def _on_drawn(self) -> None:
        if self.look_row.choice.region == "shape":
            self._refresh()

    def _on_data(self) -> None:
        self._offer()
        self._asked = None
        self._refresh()

    def _offer(self) -> None:
        """Show the controls that the layer needs."""
        if self._layer is None:
            self.look_row.offer(0, [], False)
            return
        every = levels(self._layer)
        slider = first_slider(self._layer, self._viewer.dims)
        *_, down, across = order_on_screen(self._layer, self._viewer.dims)
        names = [f"{level.shape[across]} × {level.shape[down]}" for level in every]
        count = 0 if slider is None else every[0].shape[slider]
        self.look_row.offer(count, names, contrast_matters(self._layer))

    def _listen(self, layer: Image | None) -> None:
        for followed, slot in self._image_events(self._layer):
            followed.disconnect(slot)
        self._layer = layer
        for followed, slot in self._image_events(layer):
            followed.connect(slot)

    def _watch(self, drawing: Shapes | None) -> None:
        if drawing == self._drawing:
            return
        for followed in _drawing_events(self._drawing):
            followed.disconnect(self._on_drawn)
        self._drawing = drawing
        for followed in _drawing_events(drawing):
            followed.connect(self._on_drawn)

    def _image_events(self, layer: Layer | None) -> list[tuple[Any, Any]]:
        if layer is None:
            return []
        moves = [(getattr(layer.events, name), self._refresh) for name in MOVES]
        return [(layer.events.data, self._on_data), (layer.events.contrast_limits, self._refresh), *moves]

    def _refresh(self) -> None:
        """Say what would be scored now, and tell if it is something else than before."""
        try:
            plane = self.shown()
        except ImageError as error:
            self._note.setText(str(error))
            self._asked = None
            return
        choice = self.look_row.choice
        self._note.setText(" · ".join([plane.describe(), *self._more(plane, choice)]))
        asked = asked_of(plane, self._viewer.dims, choice)
        if asked != self._asked:
            self._asked = asked
            self.changed.emit()

    def _more(self, plane: Plane, choice: ImageChoice) -> list[str]:
        """What the plane itself does not know: how it is cut, and what comes after it."""
        words = []
        if self._tiling.mode != "fit":
            count = tile_count(plane.shape, self._tile_pixels, self._tiling.overlap)
            words.append(f"{count} tile{'s' * (count > 1)}")
        count = count_planes(plane, self._viewer.dims, choice)
        if count > 1:
            words.append(f"{count} planes")
        return words


def _drawing_events(drawing: Shapes | None) -> list[Any]:
    """What moves, adds or selects a shape."""
    if drawing is None:
        return []
    return [drawing.events.data, drawing.events.highlight, *(getattr(drawing.events, name) for name in MOVES)]

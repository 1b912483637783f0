"""Regions by hand: the shape of one painted and erased, and what was missed drawn with lasso, polygon or brush.

Each stroke is a step of the review as soon as the button is let go of, so that it can be undone and is never lost. The
layer that is drawn on is of one plane and goes when the drawing ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels, Shapes
from napari.utils.colormaps import CyclicLabelColormap
from qtpy.QtCore import QObject, QTimer, Signal

from napari_anoclip.plugin import helper_layers
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.plane_pixels import inside
from napari_anoclip.review.region_mask import RegionMask

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_anoclip.plugin.review_subject import Position
    from napari_anoclip.plugin.reviewer import Drawing, Reviewer

ROLE = "drawing"

_WAYS: tuple[Drawing, ...] = ("lasso", "polygon", "brush")
_MODES = {"lasso": "add_polygon_lasso", "polygon": "add_polygon"}
_HINTS = {
    "lasso": "Missed: draw around the defect. M for a polygon, Esc to stop.",
    "polygon": "Missed: click the corners, double-click the last. M for the brush, Esc to stop.",
    "brush": "Missed: paint the defect, each stroke a region. [ and ] change the brush. M for the lasso, Esc to stop.",
}
_PAINTING = "Painting region {}: drag to add; X changes between adding and erasing, [ and ] the brush. E or Esc to end."

_PAINT = (1.0, 0.85, 0.1, 0.6)
_BRUSH = 1 / 64
"""Width of a new brush, as a share of the map's longer side."""


class ShapeEditor(QObject):
    """Takes what a person draws in the viewer to the reviewer.

    Parameters
    ----------
    reviewer : Reviewer
        Whose regions.
    """

    hinted = Signal(str)
    """What can be done now, as a sentence; nothing when the drawing ended."""

    def __init__(self, reviewer: Reviewer) -> None:
        super().__init__(reviewer)
        self._reviewer = reviewer
        self._viewer = reviewer.viewer
        self._layer: Labels | Shapes | None = None
        self._position: Position = ()
        self._region: int | None = None
        self._way: Drawing = ""
        self._before: Layer | None = None
        reviewer.edit_wanted.connect(self._on_edit)
        reviewer.drawing_wanted.connect(self._on_draw)
        reviewer.changed.connect(self._follow)
        reviewer.image_changed.connect(self._on_image)
        reviewer.current_changed.connect(self._on_current)
        self._moved = later(
            self, self._on_moved
        )  # napari is in the middle of a change of its axes when it tells of one
        self._viewer.dims.events.current_step.connect(self._on_slider)

    @property
    def layer(self) -> Labels | Shapes | None:
        """What is drawn on; None while nothing is."""
        return self._layer if self._layer is not None and self._layer in self._viewer.layers else None

    @property
    def drawing(self) -> bool:
        """Whether something is being drawn."""
        return self.layer is not None

    def stop(self) -> None:
        """End the drawing; what was drawn is in the review."""
        layer, self._layer = self._layer, None
        self._region, self._way = None, ""
        if layer is not None:
            helper_layers.remove(self._viewer.layers, layer)
            if self._before is not None and self._before in self._viewer.layers:
                self._viewer.layers.selection.active = self._before
            self.hinted.emit("")
        self._before = None

    def close_down(self) -> None:
        """End the drawing and let go of the viewer."""
        self._moved.stop()
        self.stop()
        self._viewer.dims.events.current_step.disconnect(self._on_slider)

    def _on_edit(self) -> None:
        if self.drawing and not self._way:
            self.stop()
            return
        self.stop()
        current, position = self._reviewer.current, self._plane_in_view()
        if current is None:
            self._reviewer.said.emit("No region is chosen. Press N to go to the next one.", "", None)
        elif position is None or not _lies_in(current.mask, current.plane, position):
            self._reviewer.said.emit("The region lies in another plane. Press N or P to come back to it.", "", None)
        else:
            self._region = current.id
            self._begin_painting(position, f"region {current.id} · shape")
            self._follow()
            self.hinted.emit(_PAINTING.format(current.id))

    def _on_draw(self, way: Drawing) -> None:
        following = _WAYS[(_WAYS.index(self._way) + 1) % len(_WAYS)] if self._way else _WAYS[0]
        self.stop()
        position = self._plane_in_view()
        if position is None or self._reviewer.entry is None:
            self._reviewer.said.emit(
                self._reviewer.problem or "Look at a plane of the image in 2D to draw in it.", "", None
            )
            return
        self._way = way or following
        if self._way == "brush":
            self._begin_painting(position, "missed defect")
        else:
            self._begin_outlining(position, _MODES[self._way])
        self.hinted.emit(_HINTS[self._way])

    def _begin_painting(self, position: Position, name: str) -> None:
        shape, place = self._canvas(position)
        layer = Labels(
            np.zeros(shape, np.uint8),
            name=name,
            colormap=CyclicLabelColormap(colors=[(0, 0, 0, 0), _PAINT, _PAINT]),
            opacity=0.7,
            metadata=helper_layers.role(ROLE),
            **place,
        )
        layer.selected_label = 1
        self._show(layer, position)
        layer.brush_size = max(1, round(max(shape) * _BRUSH))
        layer.mode = "paint"
        layer.events.paint.connect(self._on_stroke)

    def _begin_outlining(self, position: Position, mode: str) -> None:
        _, place = self._canvas(position)
        layer = Shapes(
            ndim=len(place["scale"]),
            name="missed defect",
            face_color=[0, 0, 0, 0],
            edge_color=[*_PAINT[:3], 1],
            metadata=helper_layers.role(ROLE),
            **place,
        )
        self._show(layer, position)
        layer.mode = mode
        layer.events.data.connect(self._on_outline)

    def _show(self, layer: Labels | Shapes, position: Position) -> None:
        self._before = self._viewer.layers.selection.active
        self._layer, self._position = layer, position
        self._viewer.layers.append(layer)
        self._viewer.layers.selection.active = layer

    def _canvas(self, position: Position) -> tuple[tuple[int, ...], dict[str, Any]]:
        """Shape and place of a layer of one plane, with length 1 along the hidden axes."""
        subject = self._reviewer.subject
        assert subject is not None
        plane = subject.plane_at(position)
        shape = tuple(1 if at is not None else n for at, n in zip(plane.index, plane.stack_shape, strict=True))
        return shape, helper_layers.place_of(plane)

    def _on_stroke(self, _: Any) -> None:
        # After napari has put the stroke into its own history, and once for all of it.
        QTimer.singleShot(0, self._take_stroke)

    def _take_stroke(self) -> None:
        layer = self.layer
        if not isinstance(layer, Labels):
            return
        bits = np.asarray(layer.data).reshape(self._shape()) > 0
        if self._way:
            if bits.any():
                layer.data = np.zeros_like(layer.data)
                self._reviewer.add_region(RegionMask.of(bits), self._position)
        elif self._region is not None:
            self._reviewer.set_shape(self._region, self._mask(bits))

    def _mask(self, bits: np.ndarray) -> RegionMask | None:
        """Painted pixels as the region's mask; of a volume's region only this plane is replaced."""
        assert self._region is not None
        matched = self._reviewer.region(self._region)
        if matched is not None and matched.mask.bits.ndim == 3:
            subject = self._reviewer.subject
            assert subject is not None
            volume = np.zeros(subject.map_shape[-3:], np.bool_)
            matched.mask.draw(volume, True)
            volume[self._position[-1]] = bits
            bits = volume
        return RegionMask.of(bits) if bits.any() else None

    def _on_outline(self, event: Any) -> None:
        layer = self.layer
        if str(getattr(event, "action", "")).rpartition(".")[2].lower() != "added" or not isinstance(layer, Shapes):
            return
        QTimer.singleShot(0, self._take_outline)  # once napari has ended the shape

    def _take_outline(self) -> None:
        layer, subject = self.layer, self._reviewer.subject
        if not isinstance(layer, Shapes) or subject is None or not layer.nshapes:
            return
        corners = np.asarray(layer.data[-1], float)[:, list(subject.plane.axes)]
        mode = layer.mode
        with layer.events.data.blocker():
            layer.data = []
        layer.mode = mode
        bits = inside(corners, self._shape())
        if bits.any():
            self._reviewer.add_region(RegionMask.of(bits), self._position)
        else:
            self._reviewer.said.emit("The outline holds no pixel of the map: draw it larger, or zoom in.", "", None)

    def _shape(self) -> tuple[int, int]:
        subject = self._reviewer.subject
        assert subject is not None
        return subject.plane.map_shape

    def _follow(self) -> None:
        """The region that is painted may be another shape now, by undo for one."""
        layer = self.layer
        if not isinstance(layer, Labels) or self._region is None:
            return
        matched = self._reviewer.region(self._region)
        bits = np.zeros(self._shape(), np.uint8)
        if matched is not None and _lies_in(matched.mask, matched.plane, self._position):
            _in_plane(matched.mask, self._position).draw(bits, 1)
        bits = bits.reshape(layer.data.shape)
        if not np.array_equal(bits, layer.data):
            layer.data = bits

    def _on_image(self) -> None:
        if self.drawing and (self._reviewer.subject is None or self._reviewer.entry is None):
            self.stop()

    def _on_current(self) -> None:
        current = self._reviewer.current
        if self.drawing and not self._way and (current is None or current.id != self._region):
            self.stop()

    def _on_slider(self) -> None:
        self._moved.start()

    def _on_moved(self) -> None:
        if self.drawing and self._plane_in_view() != self._position:
            self.stop()

    def _plane_in_view(self) -> Position | None:
        subject = self._reviewer.subject
        return None if subject is None else subject.shown(self._viewer.dims)


def _lies_in(mask: RegionMask, plane: Position, position: Position) -> bool:
    """Whether a region has pixels in a plane."""
    if mask.bits.ndim == 2:
        return plane == position
    return plane == position[:-1] and mask.start[0] <= position[-1] < mask.stop[0]


def _in_plane(mask: RegionMask, position: Position) -> RegionMask:
    """What a region has in a plane that it lies in."""
    if mask.bits.ndim == 2:
        return mask
    return RegionMask.of(mask.bits[position[-1] - mask.start[0]], mask.start[1:])

"""The pointer over the canvas -> a pixel of the plane that was scored; patches outlined in the viewer.

The outlines are a layer with the transform of the plane's map: what napari draws and what it finds under the pointer
go through one and the same transform, whatever the slice, window or pyramid level. It is a Vectors layer, because that
follows a pointer: shapes take a second to load and three times as long to move.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Vectors
from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.helper_layers import add, in_order_of, place_of, remove, role
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.placement import put_in_place

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_anoclip.engine.similarity import Similarity
    from napari_anoclip.engine.tiling import Box
    from napari_anoclip.plugin.plane import Plane

OUTLINES_NAME = "AnoCLIP probe"
SIMILARITY_NAME = "AnoCLIP similarity"

HOVER_DELAY = 40
"""Milliseconds in which any number of moves of the pointer count as one."""

CLICK_TOLERANCE = 4
"""Screen pixels that the pointer may move between press and release of a click."""

_OUTLINE = "#00e5ff"  # no colour of inferno comes near it, for any eye
_LINE = 0.08  # width, in sides of a patch
_HARMLESS_MODES = ("pan_zoom", "transform", "select")


class PlaneMarks:
    """Outlines of patches, and on demand a similarity map, in the place of one plane.

    Parameters
    ----------
    viewer : ViewerModel
        Where to draw.
    plane : Plane
        What was scored.
    """

    def __init__(self, viewer: ViewerModel, plane: Plane) -> None:
        self._viewer = viewer
        self._plane = plane
        self._similarity: Image | None = None
        self._outlines = Vectors(
            _nothing(len(plane.index)),
            name=OUTLINES_NAME,
            edge_color=_OUTLINE,
            vector_style="line",
            metadata=role("probe"),
            **plane.place(),
        )
        add(viewer.layers, self._outlines)
        for event in self._moves():
            event.connect(self._follow)

    def take(self, plane: Plane) -> bool:
        """Move to another result of the same image, with nothing outlined; False if it is of another one."""
        if plane.layer != self._plane.layer:
            return False
        self._plane = plane
        self._follow()
        self.show_similarity(None)
        self._outlines.data = _nothing(self._outlines.ndim)
        return True

    def pixel_at(self, position: Sequence[float]) -> tuple[int, int] | str | None:
        """Find the pixel of the plane's window at a place in the viewer's world.

        Returns
        -------
        tuple of int, str or None
            (row, column); a sentence if the viewer shows another plane of the stack; None outside of the window.
        """
        own = np.asarray(position, dtype=float)[-self._outlines.ndim :] / self._units()
        at = np.asarray(self._outlines.world_to_data(own))
        for axis, index in enumerate(self._plane.index):
            if index is not None and round(at[axis]) != index:
                return f"This plane was not scored. The last result is of {self._plane.name}: go there, or run here."
        row, column = (int(np.floor((at[axis] + 0.5) * self._plane.block)) for axis in self._plane.axes)
        height, width = self._plane.shape
        return (row, column) if 0 <= row < height and 0 <= column < width else None

    def outline(self, box: Box, others: Sequence[Box] = (), *, held: bool = False) -> None:
        """Outline a patch, twice if it is held, and others once."""
        add(self._viewer.layers, self._outlines)  # should the user have deleted it
        side = min(box[2] - box[0], box[3] - box[1])
        margin = side * _LINE * 2.5
        around = [(box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)] if held else []
        self._outlines.edge_width = side * _LINE / self._plane.block
        self._outlines.data = np.concatenate([self._edges(one) for one in (*others, box, *around)])

    def show_similarity(self, similarity: Similarity | None) -> None:
        """Show how much each patch looks like the probed one, or stop showing it."""
        if similarity is None:
            if self._similarity is not None:
                remove(self._viewer.layers, self._similarity)
                self._similarity = None
            return
        grid, lattice, plane = similarity.grid, similarity.lattice, self._plane
        data = in_order_of(plane, grid)
        # From the middle of what this image holds to "the same": patch tokens of one image are never far apart.
        limits = (min(float(np.median(grid)), 1 - 1e-3), 1.0)
        layers = self._viewer.layers
        if self._similarity is not None and self._similarity in layers:
            self._similarity.data = data
            self._similarity.contrast_limits = limits
            return
        self._similarity = Image(
            data,
            name=SIMILARITY_NAME,
            colormap="viridis",
            opacity=0.6,
            interpolation2d="nearest",
            contrast_limits=limits,
            metadata=role("probe"),
            **place_of(plane, (lattice.rows.pitch / plane.block, lattice.columns.pitch / plane.block)),
        )
        add(layers, self._similarity, at=layers.index(self._outlines) if self._outlines in layers else None)

    def look_at(self, box: Box) -> None:
        """Put a patch into the middle of the canvas, at the zoom that is set."""
        centre = self._corners(box).mean(axis=0)
        world = np.asarray(self._outlines.data_to_world(centre)) * self._units()
        camera = getattr(self._viewer, "scene", self._viewer).camera
        shown = [axis - self._viewer.dims.ndim for axis in self._viewer.dims.displayed]
        camera.center = (0.0, *(float(world[axis]) for axis in shown[-2:]))

    def remove(self) -> None:
        """Take everything out of the viewer again."""
        for event in self._moves():
            event.disconnect(self._follow)
        self.show_similarity(None)
        remove(self._viewer.layers, self._outlines)

    def _edges(self, box: Box) -> np.ndarray:
        """(4, 2, ndim) starts and directions of the edges of a box."""
        corners = self._corners(box)
        return np.stack([corners, np.roll(corners, -1, axis=0) - corners], axis=1)

    def _corners(self, box: Box) -> np.ndarray:
        """(4, ndim) corners of a box of the window's pixels, in the map's own coordinates."""
        top, left, bottom, right = (edge / self._plane.block - 0.5 for edge in box)
        corners = np.array([[0.0 if i is None else i for i in self._plane.index]] * 4)
        corners[:, self._plane.axes[0]] = top, top, bottom, bottom
        corners[:, self._plane.axes[1]] = left, right, right, left
        return corners

    def _units(self) -> np.ndarray:
        """The viewer's units in one unit of the layer, one entry an axis of the layer."""
        world = self._viewer.dims.units
        if world is None:
            return np.ones(self._outlines.ndim)
        pairs = zip(world[-self._outlines.ndim :], self._outlines.units, strict=True)
        return np.array([(1 * own).to(shown).magnitude for shown, own in pairs])

    def _moves(self) -> list[Any]:
        events = self._plane.layer.events
        return [events.scale, events.translate, events.rotate, events.shear, events.affine]

    def _follow(self) -> None:
        """Go where the image went."""
        put_in_place(self._outlines, self._plane.place())


def _nothing(ndim: int) -> np.ndarray:
    """One vector of no length: vectors of none at all fail to draw in 3D (napari 0.9)."""
    return np.zeros((1, 2, ndim))


class Pointer(QObject):
    """Listens to the mouse on the viewer's canvas, whatever layer is selected.

    Emits `moved` with a position in the world, at most once in `HOVER_DELAY`, and `clicked` at once. Silent in the 3D
    view; a click that draws or paints on the selected layer is no click for it.
    """

    moved = Signal(tuple)
    clicked = Signal(tuple)
    escaped = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = viewer
        self._at: tuple[float, ...] = ()
        self._quiet = later(self, lambda: self.moved.emit(self._at), HOVER_DELAY)
        viewer.mouse_move_callbacks.append(self._on_move)
        viewer.mouse_drag_callbacks.append(self._on_press)
        self._listens_to_escape = False

    def listen_to_escape(self, wanted: bool) -> None:
        """Emit `escaped` when Esc is pressed on the canvas; only while that means something here."""
        if wanted == self._listens_to_escape:
            return
        with suppress(ValueError):  # someone else's Esc stays theirs
            self._viewer.bind_key("Escape", self._on_escape if wanted else None)
            self._listens_to_escape = wanted

    def leave(self) -> None:
        """Stop listening."""
        self._quiet.stop()
        self.listen_to_escape(False)
        self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_escape(self, _: ViewerModel) -> None:
        self.escaped.emit()

    def _on_move(self, _: ViewerModel, event: Any) -> None:
        if self._viewer.dims.ndisplay != 2:
            return
        self._at = tuple(float(x) for x in event.position)
        if not self._quiet.isActive():
            self._quiet.start()

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        layer: Layer | None = viewer.layers.selection.active
        if event.button != 1 or event.modifiers or viewer.dims.ndisplay != 2:
            return
        if layer is not None and str(layer.mode) not in _HARMLESS_MODES:
            return
        pressed, position = np.asarray(event.pos, dtype=float), tuple(float(x) for x in event.position)
        yield
        while event.type == "mouse_move":
            if np.abs(np.asarray(event.pos) - pressed).max() > CLICK_TOLERANCE:
                return
            yield
        self._quiet.stop()
        self.clicked.emit(position)

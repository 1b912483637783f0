"""Maps beside, over and against each other in the viewer, and the viewer as it was once they are gone."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap

from napari_anoclip.plugin.colormaps import anomaly_colormap, difference_colormap
from napari_anoclip.plugin.compare import LETTERS, common_limits
from napari_anoclip.plugin.helper_layers import add, place_of, remove, role

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_anoclip.plugin.run_request import PlaneResult

LEAST_DIFFERENCE = 0.05
"""Share of the maps' range that is a difference worth full colour, at least."""


class ViewerState:
    """What a comparison changes of a viewer and gives back: grid, camera, selection and visibilities.

    Layers are remembered weakly: those that are deleted meanwhile are gone.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        grid, camera = _grid(viewer), _camera(viewer)
        self._grid = {name: getattr(grid, name) for name in ("stride", "shape", "enabled")}
        self._camera = {name: getattr(camera, name) for name in ("center", "zoom")}
        self._visible = [(_weak(layer), layer.visible) for layer in viewer.layers]
        self._selected = [_weak(layer) for layer in viewer.layers.selection]

    @property
    def layers(self) -> list[Layer]:
        """The layers that were there and still live; not those that the user added since."""
        return [layer for layer in (found() for found, _ in self._visible) if layer is not None]

    def give_back(self, viewer: ViewerModel) -> None:
        """Set the viewer as it was."""
        self.give_back_view(viewer)
        for layer, visible in ((found(), visible) for found, visible in self._visible):
            if layer is not None and layer in viewer.layers:
                layer.visible = visible
        viewer.layers.selection.clear()
        for layer in (found() for found in self._selected):
            if layer is not None and layer in viewer.layers:
                viewer.layers.selection.add(layer)

    def give_back_view(self, viewer: ViewerModel) -> None:
        """Set only the grid and the camera as they were."""
        for name, value in self._grid.items():
            setattr(_grid(viewer), name, value)
        for name, value in self._camera.items():
            setattr(_camera(viewer), name, value)


class Comparison:
    """The layers of a comparison; one of `side_by_side`, `swipe` and `difference` is shown at a time.

    A layer that was made stays, hidden, until all is over: showing one again is quick, making one is not.

    Parameters
    ----------
    viewer : ViewerModel
        Where to show it.
    titles : sequence of str
        Of the results.
    results : sequence of PlaneResult
        Of one plane.
    """

    def __init__(self, viewer: ViewerModel, titles: Sequence[str], results: Sequence[PlaneResult]) -> None:
        self._viewer = viewer
        self._results = tuple(results)
        self._names = [f"{letter} · {title}" for letter, title in zip(LETTERS, titles, strict=False)]
        self._plane = results[0].plane
        self._limits = common_limits(results)
        self._cells: list[Layer] = []
        self._swiped: Image | None = None
        self._differing: Image | None = None
        self._before = ViewerState(viewer)

    @property
    def image(self) -> Image:
        """The image that was scored."""
        return self._plane.layer

    @property
    def limits(self) -> tuple[float, float]:
        """The one range that all maps are shown in."""
        return self._limits

    def is_whole(self) -> bool:
        """Whether the user has deleted none of its layers."""
        return all(layer in self._viewer.layers for layer in self._layers)

    def side_by_side(self) -> None:
        """Show each map on a copy of the image (of its layer: the pixels are shared) in a cell of the linked grid."""
        if not self._cells:
            for name, result in zip(self._names, self._results, strict=True):
                self._cells.append(_twin(self.image, f"image {name[0]}"))
                self._cells.append(self._map_layer(f"{name} · {result.detection.score:.3f}", result.detection.map))
            # At the bottom of the list, so that cells of two begin with ours however many layers there are.
            add(self._viewer.layers, *self._cells, at=0)
        self._show(*self._cells)
        grid = _grid(self._viewer)
        grid.shape = (-1, -1)
        grid.stride = 2
        grid.enabled = True
        self._viewer.reset_view()

    def swipe(self, left: int, right: int, split: float) -> None:
        """Show one map left of a split and another right of it; the split is a share of the width."""
        a, b = (self._results[index].detection.map for index in (left, right))
        column, line = round(split * a.shape[1]), max(1, a.shape[1] // 500)
        values = np.concatenate([a[:, :column], b[:, column:]], axis=1)
        if 0 < column < a.shape[1]:
            values[:, max(0, column - line) : column + line] = np.nan  # the bare image shows where the line is
        name = f"{self._names[left]}  |  {self._names[right]}"
        if self._swiped is None:
            self._swiped = self._map_layer(name, values)
            add(self._viewer.layers, self._swiped)
        else:
            self._swiped.data = self._plane.put(values)
            self._swiped.name = name
        self._show(self.image, self._swiped)

    def difference(self, left: int, right: int) -> float:
        """Show the second map less the first: orange where it is the higher one, blue where it is the lower one.

        Returns
        -------
        float
            Difference of full colour: the largest there is, but no less than a share of the maps' range, so that
            maps which are all but the same look it.
        """
        values = self._results[right].detection.map - self._results[left].detection.map
        limit = max(float(np.abs(values).max()), LEAST_DIFFERENCE * (self._limits[1] - self._limits[0]))
        name = f"{LETTERS[right]} \N{MINUS SIGN} {LETTERS[left]}"
        if self._differing is None:
            self._differing = self._map_layer(name, values, difference_colormap(), "difference")
            add(self._viewer.layers, self._differing)
        else:
            self._differing.data = self._plane.put(values)
            self._differing.name = name
        self._differing.contrast_limits_range = self._differing.contrast_limits = (-limit, limit)
        self._show(self.image, self._differing)
        return limit

    def leave(self) -> None:
        """Take everything out and set the viewer as it was."""
        layers = self._layers
        self._cells, self._swiped, self._differing = [], None, None
        self._before.give_back_view(self._viewer)  # first: a grid is laid out anew for every layer that goes
        remove(self._viewer.layers, *layers)
        self._before.give_back(self._viewer)

    @property
    def _layers(self) -> list[Layer]:
        return self._cells + [layer for layer in (self._swiped, self._differing) if layer is not None]

    def _show(self, *shown: Layer) -> None:
        """Show some of ours and of those that were there, and hide all others, outside of the grid."""
        if _grid(self._viewer).enabled:
            self._before.give_back_view(self._viewer)
        for layer in (*self._before.layers, *self._layers):
            if layer in self._viewer.layers and layer.visible != (layer in shown):
                layer.visible = layer in shown

    def _map_layer(
        self,
        name: str,
        values: np.ndarray,
        colormap: Colormap | None = None,
        kind: str = "compare",
    ) -> Image:
        layer = Image(
            self._plane.put(values),
            name=name,
            colormap=colormap or anomaly_colormap(),
            contrast_limits=self._limits,
            blending="translucent",
            projection_mode="none",
            metadata=role(kind),
            **place_of(self._plane),
        )
        layer.name_overlay.visible = True
        return layer


def _twin(image: Image, name: str) -> Image:
    """A layer that looks like an image, on the same array."""
    data, state, _ = image.as_layer_data_tuple()
    return Image(data, **state | {"name": name, "visible": True, "metadata": role("compare")})


def _weak(layer: Layer) -> Callable[[], Layer | None]:
    """A weak reference to a layer itself, not to the proxy that a plugin is handed."""
    return weakref.ref(getattr(layer, "__wrapped__", layer))


def _grid(viewer: ViewerModel) -> Any:
    return getattr(viewer, "canvas", viewer).grid


def _camera(viewer: ViewerModel) -> Any:
    return getattr(viewer, "scene", viewer).camera

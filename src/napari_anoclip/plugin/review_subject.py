"""The image under review: its map, the grid that regions lie on, and where that grid is in the image and the world.

Regions lie on the map's own grid, whose axes are the image's in their order: hidden ones first, then down and across.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin import results
from napari_anoclip.plugin.map_stack import MapStack
from napari_anoclip.plugin.plane import Plane, levels
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY, Window
from napari_anoclip.plugin.queue_canvas import FILE_KEY
from napari_anoclip.review.judgement import ImageReview, Measures

if TYPE_CHECKING:
    from napari.components import Dims, LayerList
    from napari.layers import Image, Layer
    from numpy.typing import NDArray

Position = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Subject:
    """An image with its newest map.

    Attributes
    ----------
    image : Image
        The layer.
    result : Image or None
        Its newest heatmap that still belongs to its pixels.
    plane : Plane
        What the map covers, in the first plane of a stack; all of the image where there is no map.
    """

    image: Image
    result: Image | None
    plane: Plane

    @classmethod
    def of(cls, layers: LayerList, dims: Dims, image: Image) -> Subject | None:
        """Take an image of a viewer; None where the viewer shows no plane of it."""
        result = results.find(layers, image)
        if result is not None and not result.metadata[METADATA_KEY]["stale"]:
            plane = Window.model_validate(result.metadata[METADATA_KEY]["window"]).plane(image)
            if plane is not None and tuple(result.data.shape) == plane.stack_shape:
                return cls(image, result, _first(plane))
        try:
            plane = shown_plane(image, dims)
        except ImageError:
            return None
        finest = levels(image)[0]
        rows, columns = (slice(0, finest.shape[axis]) for axis in plane.axes)
        whole = replace(plane, data=finest, factors=(1.0,) * image.ndim, window=(rows, columns), outline=None)
        return cls(image, None, _first(whole))

    @property
    def hidden(self) -> tuple[int, ...]:
        """Axes that are not shown."""
        return tuple(axis for axis, at in enumerate(self.plane.index) if at is not None)

    @property
    def map_shape(self) -> tuple[int, ...]:
        """Shape of all maps: hidden axes, then (H, W) of one."""
        shape = self.plane.stack_shape
        return (*(shape[axis] for axis in self.hidden), *self.plane.map_shape)

    @property
    def origin(self) -> tuple[float, float]:
        """(row, column) of the map's first pixel in pixels of the image."""
        down, across = (
            part.start * self.plane.factors[axis] for part, axis in zip(self.plane.window, self.plane.axes, strict=True)
        )
        return float(down), float(across)

    @property
    def step(self) -> tuple[float, float]:
        """Pixels of the image, down and across, of one pixel of the map."""
        down, across = (self.plane.block * self.plane.factors[axis] for axis in self.plane.axes)
        return float(down), float(across)

    @property
    def unit(self) -> str:
        """Unit of lengths in the world."""
        return str(self.image.units[self.plane.axes[0]])

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Length in the world of a pixel of the map, down and across."""
        scale = np.abs(np.asarray(self.image.scale, float))
        down, across = (step * scale[axis] for step, axis in zip(self.step, self.plane.axes, strict=True))
        return float(down), float(across)

    @property
    def positions(self) -> list[Position]:
        """Planes that have a map."""
        if self.result is None:
            return []
        if isinstance(self.result.data, MapStack):
            return self.result.data.positions
        return list(np.ndindex(self.map_shape[:-2]))

    def maps(self) -> Iterator[tuple[Position, NDArray[Any]]]:
        """All maps with their positions. An array of a plane stays the same one until the plane is scored anew."""
        for position in self.positions:
            values = self.values_of(position)
            if values is not None:
                yield position, values

    def values_of(self, position: Position) -> NDArray[Any] | None:
        """Map (H, W) of a plane; None where there is none."""
        if self.result is None or len(position) != len(self.hidden):
            return None
        return np.asarray(self.result.data[self.index(position)])

    def index(self, position: Position) -> tuple[int | slice, ...]:
        """What picks a plane out of an array with the image's axes."""
        at = iter(position)
        return tuple(next(at) if axis in self.hidden else slice(None) for axis in range(len(self.plane.index)))

    def plane_at(self, position: Position) -> Plane:
        """A plane of the stack, as it is scored."""
        at = iter(position)
        return replace(self.plane, index=tuple(None if i is None else next(at) for i in self.plane.index))

    def shown(self, dims: Dims) -> Position | None:
        """The plane that a viewer shows; None in 3D, beside the image, or where it is seen from another side."""
        if dims.ndisplay != 2:
            return None
        try:
            plane = shown_plane(self.image, dims)
        except ImageError:
            return None
        if sorted(plane.axes) != sorted(self.plane.axes):
            return None
        at = (round((plane.index[axis] or 0) * plane.factors[axis] / self.plane.factors[axis]) for axis in self.hidden)
        return tuple(min(i, n - 1) for i, n in zip(at, self.map_shape, strict=False))

    def threshold(self, otherwise: float) -> float:
        """Probability above which a pixel belongs to a region."""
        return otherwise if self.result is None else float(self.result.metadata[METADATA_KEY]["threshold"])

    def area(self, measures: Measures) -> tuple[float, str]:
        """An area in the layer's units, or in pixels of the image where it has none; of a volume's region, a volume."""
        size, unit = self.pixel_area(len(measures.centroid))
        return measures.area * size, unit

    def pixel_area(self, ndim: int) -> tuple[float, str]:
        """Area of a pixel of the map, or volume where regions have three axes, and its unit."""
        known = self.unit != "pixel"
        down, across = self.pixel_size if known else self.step
        if ndim == 2:
            return down * across, f"{_short(self.unit)}²" if known else "px"
        depth = float(np.abs(self.image.scale[self.hidden[-1]])) if known else 1.0
        return down * across * depth, f"{_short(self.unit)}³" if known else "voxels"

    def same_place(self, other: Subject) -> bool:
        """Whether regions of both lie on the same grid over the same pixels."""
        return (
            self.image == other.image
            and levels(self.image)[0] is levels(other.image)[0]
            and self.plane.data is other.plane.data
            and (self.map_shape, self.origin, self.step, self.hidden)
            == (other.map_shape, other.origin, other.step, other.hidden)
        )

    def describe(self, fingerprint: str) -> ImageReview:
        """What a review holds of it before anything was judged.

        Parameters
        ----------
        fingerprint : str
            Of its pixels, see `review_identity`.
        """
        file = file_of(self.image)
        return ImageReview(
            key=fingerprint[:16] + self._window_key(),
            name=self.image.name if file is None else file.name,
            path=None if file is None else str(file),
            fingerprint=fingerprint,
            map_shape=self.map_shape,
            origin=self.origin,
            step=self.step,
            pixel_size=self.pixel_size,
            unit=self.unit,
            contrast_limits=self.plane.contrast_limits,
        )

    def _window_key(self) -> str:
        """Tells windows, levels and sides of one image apart; nothing for all of it."""
        size = [math.ceil(levels(self.image)[0].shape[axis]) for axis in self.plane.axes]
        whole = self.origin == (0, 0) and self.step == (1, 1) and list(self.map_shape[-2:]) == size
        leading = self.hidden == tuple(range(len(self.hidden)))
        if whole and leading:
            return ""
        numbers = [*self.origin, *self.step, *self.map_shape[-2:], *(() if leading else self.hidden)]
        return "_" + "_".join(f"{number:g}" for number in numbers)


def file_of(layer: Layer) -> Path | None:
    """The file that an image layer comes from, if it is there."""
    found = layer.metadata.get(FILE_KEY) or layer.source.path
    path = Path(found) if isinstance(found, str | Path) else None
    return path.absolute() if path is not None and path.exists() else None


def _first(plane: Plane) -> Plane:
    """The same part of the first plane of a stack, with its axes in the image's order."""
    index = tuple(None if at is None else 0 for at in plane.index)
    if plane.axes[0] < plane.axes[1]:
        return replace(plane, index=index)
    outline = None if plane.outline is None else np.asarray(plane.outline)[:, ::-1]
    return replace(plane, index=index, axes=plane.axes[::-1], window=plane.window[::-1], outline=outline)


def _short(unit: str) -> str:
    return {"pixel": "px", "micrometer": "µm", "millimeter": "mm", "centimeter": "cm", "nanometer": "nm"}.get(
        unit, unit
    )

"""One image layer -> the plane that the viewer shows; one map -> a layer in the same place of the world.

Pixels and world coordinates meet here and nowhere else in the plugin. A plane keeps the layer's own transform; what it
adds (which slice, which pyramid level) is expressed in the layer's data coordinates and sent through that transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap, ensure_colormap
from napari.utils.transforms import Affine

from napari_anoclip.engine.errors import ImageError

if TYPE_CHECKING:
    from napari.components import Dims, LayerList
    from napari.layers import Layer

METADATA_KEY = "napari_anoclip"
"""Where a result keeps its settings and provenance in ``layer.metadata``."""

MAX_LEVEL_PIXELS = 4096 * 4096
"""Of a pyramid, the finest level with a plane no larger than this is scored."""


@dataclass(frozen=True)
class Plane:
    """A 2D plane of an image layer, not read yet. `read` may be called in any thread; it does not touch the layer.

    Attributes
    ----------
    layer : Image
        Where it comes from.
    data : array-like
        The layer's array (of the chosen pyramid level) when the plane was picked.
    index : tuple of int or None
        One entry an axis of the layer: the position along an axis that is not shown, None for the two that are.
    axes : tuple of int
        The layer's axes that run down and across the screen.
    factors : tuple of float
        Size of one pixel of `data` in pixels of the finest level, one entry an axis.
    contrast_limits : tuple of float or None
        Black and white of the layer where its grey values have no fixed meaning (not 8 bit, not RGB).
    """

    layer: Image
    data: Any
    index: tuple[int | None, ...]
    axes: tuple[int, int]
    factors: tuple[float, ...]
    contrast_limits: tuple[float, float] | None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels, as seen on the screen."""
        return self.data.shape[self.axes[0]], self.data.shape[self.axes[1]]

    def read(self) -> np.ndarray:
        """Fetch the pixels, a copy: (H, W), or (H, W, 3|4) of an RGB layer. May take long for lazy arrays."""
        picked = self.data[tuple(slice(None) if i is None else i for i in self.index)]
        pixels = np.array(picked)
        return pixels.swapaxes(0, 1) if self.axes[0] > self.axes[1] else pixels

    def describe(self) -> str:
        """What will be scored, in a few words: size, type, which plane, how it is scaled."""
        height, width = self.shape
        kind = ("RGBA" if self.data.shape[-1] == 4 else "RGB") if self.layer.rgb else str(self.data.dtype)
        words = [f"{width} × {height} {kind}"]
        words += [f"plane {i} / {n - 1}" for i, n in zip(self.index, self.data.shape, strict=False) if i is not None]
        if self.factors[self.axes[0]] > 1:
            words.append(f"pyramid level 1/{self.factors[self.axes[0]]:g}")
        if self.contrast_limits is not None:
            words.append("black {:g}, white {:g}".format(*self.contrast_limits))
        return " · ".join(words)

    def why_stale(self, layers: LayerList) -> str | None:
        """A sentence if a result of this plane has no place any more: its layer or its data went. Else None."""
        if self.layer not in layers:
            return "The image was removed while it was being scored, so its map was dropped."
        if not any(level is self.data for level in _levels(self.layer)):
            return "The image changed while it was being scored, so its map was dropped. Run again."
        return None


def shown_plane(layer: Layer | None, dims: Dims) -> Plane:
    """Pick the plane of a layer that the viewer shows now.

    Parameters
    ----------
    layer : Layer or None
        The chosen layer.
    dims : Dims
        Sliders and order of the axes of the viewer.

    Raises
    ------
    ImageError
        If there is no layer, it is no image, or the sliders are outside of it.
    """
    if layer is None:
        raise ImageError("There is no image yet. Open one, or a sample from File > Open Sample > AnoCLIP.")
    if not isinstance(layer, Image):
        kind = layer.__class__.__name__.lower()  # of the layer itself, should it be a proxy
        raise ImageError(f"This layer holds {kind}, not an image. Choose an image layer.")
    order = [axis - (dims.ndim - layer.ndim) for axis in dims.order if axis >= dims.ndim - layer.ndim]
    axes = (order[-2], order[-1])
    finest = _levels(layer)[0].shape[: layer.ndim]
    position = _slider_position(layer, dims, hidden=order[:-2])
    for axis, at in position.items():
        if not 0 <= at < finest[axis]:
            raise ImageError(f"The viewer shows no plane of “{layer.name}” now. Move the slider until it is seen.")
    data = _finest_reasonable(layer, axes)
    factors = tuple(full / max(n, 1) for full, n in zip(finest, data.shape, strict=False))
    index = tuple(
        min(int(position[axis] / factors[axis]), data.shape[axis] - 1) if axis in position else None
        for axis in range(layer.ndim)
    )
    return Plane(layer, data, index, axes, factors, _contrast_limits(layer, data))


def show_result(
    layers: LayerList, plane: Plane, values: np.ndarray, limits: tuple[float, float], record: dict
) -> Image:
    """Show a map on its image: a new layer above it, or the one of an earlier run brought up to date.

    Parameters
    ----------
    layers : LayerList
        The viewer's layers.
    plane : Plane
        What was scored.
    values : ndarray
        (H, W) probabilities.
    limits : tuple of float
        Display range, calibrated; never taken from this map.
    record : dict
        Settings and provenance for ``layer.metadata``, JSON-like.
    """
    record = record | {"image": plane.layer.name, "image_id": str(plane.layer.unique_id), "display_range": list(limits)}
    place = _place(plane)
    data = _unpicked(values, plane)
    existing = find_result(layers, plane.layer)
    if existing is None:
        chosen = layers.selection.active
        result = Image(
            data,
            name=f"{plane.layer.name} · anomaly",
            colormap=anomaly_colormap(),
            blending="translucent",
            contrast_limits=limits,
            metadata={METADATA_KEY: record},
            **place,
        )
        layers.insert(layers.index(plane.layer) + 1, result)
        _show_range(result, limits)
        layers.selection.active = chosen if chosen in layers else plane.layer
        return result
    existing.data = data
    for name, value in place.items():
        setattr(existing, name, value)
    if existing.metadata[METADATA_KEY]["display_range"] != record["display_range"]:
        _show_range(existing, limits)
    existing.metadata = {**existing.metadata, METADATA_KEY: record}
    return existing


def find_result(layers: LayerList, image: Layer) -> Image | None:
    """The result layer of an image, if it has one."""
    for layer in layers:
        if is_result(layer) and layer.metadata[METADATA_KEY].get("image_id") == str(image.unique_id):
            return layer
    return None


def is_result(layer: Layer) -> bool:
    """Whether a layer is a map that we made."""
    return isinstance(layer, Image) and METADATA_KEY in layer.metadata


def anomaly_colormap() -> Colormap:
    """Inferno, readable without colour vision, fading in: the median of normal pictures leaves the image as it is."""
    positions = np.linspace(0, 1, 64)
    colors = ensure_colormap("inferno").map(0.15 + 0.8 * positions)
    colors[:, 3] = 0.85 * positions**1.25
    return Colormap(colors, name="anomaly")


def _levels(layer: Image) -> list[Any]:
    return list(layer.data) if layer.multiscale else [layer.data]


def _finest_reasonable(layer: Image, axes: tuple[int, int]) -> Any:
    levels = _levels(layer)
    for level in levels if len(levels) > 1 else []:
        if level.shape[axes[0]] * level.shape[axes[1]] <= MAX_LEVEL_PIXELS:
            return level
    return levels[-1]


def _slider_position(layer: Image, dims: Dims, hidden: list[int]) -> dict[int, int]:
    """Data index along each hidden axis, by napari's own rule: the transform restricted to the hidden axes."""
    if not hidden:
        return {}
    point = np.asarray(dims.point, dtype=float)[-layer.ndim :]
    if dims.units is not None:
        pairs = zip(dims.units[-layer.ndim :], layer.units, strict=True)
        point = point * [(1 * world).to(own).magnitude for world, own in pairs]
    origin = np.asarray(layer.world_to_data(np.zeros(layer.ndim)))
    columns = np.stack([np.asarray(layer.world_to_data(unit)) - origin for unit in np.eye(layer.ndim)], axis=1)
    at = origin[hidden] + columns[np.ix_(hidden, hidden)] @ point[hidden]
    return dict(zip(hidden, np.round(at).astype(int).tolist(), strict=True))


def _contrast_limits(layer: Image, data: Any) -> tuple[float, float] | None:
    if layer.rgb or np.dtype(data.dtype) in (np.dtype(np.uint8), np.dtype(bool)):
        return None
    low, high = (float(limit) for limit in layer.contrast_limits)
    return (low, high) if np.isfinite([low, high]).all() and low < high else None


def _unpicked(values: np.ndarray, plane: Plane) -> np.ndarray:
    """Give a (H, W) map the layer's number of dimensions back, length 1 along the axes that were not shown."""
    if plane.axes[0] > plane.axes[1]:
        values = values.T
    return values[tuple(slice(None) if i is None else np.newaxis for i in plane.index)]


def _place(plane: Plane) -> dict[str, Any]:
    """Keyword arguments that put the map where its plane is.

    A pixel of a coarser level covers a block of the finest; its centre is the middle of the block.
    """
    layer = plane.layer
    offset = [((i or 0) + 0.5) * f - 0.5 for i, f in zip(plane.index, plane.factors, strict=True)]
    own = Affine(scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear)
    return {
        "scale": np.asarray(layer.scale) * plane.factors,
        "translate": own(offset),
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": np.array(layer.affine.affine_matrix),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def _show_range(result: Image, limits: tuple[float, float]) -> None:
    """Set the contrast limits, and a slider range around them in which they can be moved with a steady hand."""
    low, high = limits
    span = high - low
    result.contrast_limits_range = (max(0.0, low - 2 * span), max(high, min(1.0, high + 2 * span)))
    result.contrast_limits = limits

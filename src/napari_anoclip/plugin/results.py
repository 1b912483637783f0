"""Maps in the viewer: for each image a result, which is a heatmap and, where wanted, the line around what is above.

All of it is called in the GUI thread. What the user changed on a layer (colours, opacity, blending, visibility, name,
place in the list) stays when its maps are brought up to date.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.colormaps import anomaly_colormap
from napari_anoclip.plugin.contour import find_contour, show_contour
from napari_anoclip.plugin.map_stack import MapStack
from napari_anoclip.plugin.placement import put_in_place
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY, position_key, record, same_run, why_unreadable

if TYPE_CHECKING:
    from napari.components import Dims, LayerList
    from napari.layers import Layer

    from napari_anoclip.engine.settings import DisplaySettings
    from napari_anoclip.plugin.plane import Plane
    from napari_anoclip.plugin.run_request import PlaneResult, RunRequest

STALE_MARK = " · stale"
"""Ends the name of a result whose image changed since."""


_OWN = ("number", "shown", "title", "name")
"""What of a record is the layer's, not the run's."""

_DISPLAY = ("display", "display_range", "display_range_source", "threshold")
"""What of a record the user may change while a run goes on."""

_made_by: weakref.WeakKeyDictionary[Image, weakref.ref[RunRequest]] = weakref.WeakKeyDictionary()


def show(layers: LayerList, result: PlaneResult, *, keep: bool = False) -> Image:
    """Show a map on its image.

    Of a stack, planes of one run come together in one layer; a run with other settings, prompts, model or window
    empties it first.

    Parameters
    ----------
    layers : LayerList
        The viewer's layers.
    result : PlaneResult
        A scored plane.
    keep : bool
        Leave the results that are there as they are, and begin a new one with the next number: to be said with the
        first plane of a run, not with the others.

    Returns
    -------
    Image
        The heatmap's layer: a new one right above the image, or the newest that was there, brought up to date.
    """
    plane, new = result.plane, record(result)
    newest = find(layers, plane.layer)
    if newest is None or keep:
        new["shown"] = position_key(plane.hidden)
        new["number"] = 1 if newest is None else newest.metadata[METADATA_KEY]["number"] + 1
        layer = _added(layers, result, new, above=newest or plane.layer)
    else:
        layer = newest
        if not _bring_up_to_date(layer, result, new):
            return layer
    _made_by[layer] = weakref.ref(result.request)
    _entitle(layer)
    found = layer.metadata[METADATA_KEY]
    set_threshold(layers, layer, found["threshold"], found["display"]["contour"])
    return layer


def peek(layers: LayerList, plane: Plane, values: np.ndarray) -> None:
    """Show other values in the place of a plane's map for a while; its record stays as it is.

    Parameters
    ----------
    layers : LayerList
        The viewer's layers.
    plane : Plane
        A scored one: nothing happens if its result is gone.
    values : ndarray
        (H, W) probabilities.
    """
    layer = find(layers, plane.layer)
    if layer is None or tuple(layer.data.shape) != plane.stack_shape:
        return
    values = plane.put(np.asarray(values, np.float32))
    if isinstance(layer.data, MapStack):
        layer.data.put(plane.hidden, values)
        layer.refresh(extent=False, highlight=False)
    else:
        layer.data = values


def find(layers: LayerList, image: Layer) -> Image | None:
    """The newest result of an image, if it has one."""
    return max(results_of(layers, image), key=lambda layer: layer.metadata[METADATA_KEY]["number"], default=None)


def results_of(layers: LayerList, image: Layer) -> list[Image]:
    """All results of an image, from the bottom of the list to its top."""
    return [r for r in layers if is_result(r) and r.metadata[METADATA_KEY]["image_id"] == str(image.unique_id)]


def is_ours(layer: Layer) -> bool:
    """Whether we made a layer, whatever for: a result, its line, or a helper such as a comparison."""
    return METADATA_KEY in layer.metadata


def is_result(layer: Layer) -> bool:
    """Whether a layer is a map that we made, also one that was read from a file."""
    return isinstance(layer, Image) and why_unreadable(layer.metadata.get(METADATA_KEY)) is None


def set_threshold(layers: LayerList, layer: Image, threshold: float, contour: bool) -> None:
    """Outline what lies above a threshold, or take the outline away.

    Parameters
    ----------
    layers : LayerList
        The viewer's layers.
    layer : Image
        A result.
    threshold : float
        Probability.
    contour : bool
        Whether there is to be a line.
    """
    found = layer.metadata[METADATA_KEY]
    found["threshold"] = threshold
    found["display"] = found["display"] | {"contour": contour}
    if contour:
        show_contour(layers, layer, threshold, tuple(sorted(found["window"]["axes"])))
    else:
        line = find_contour(layers, layer)
        if line is not None:
            layers.remove(line)


def model_of(layer: Image) -> str:
    """Checksum of the model that made a result."""
    checksum: str = layer.metadata[METADATA_KEY]["provenance"]["model_id"]
    return checksum


def note_display(layer: Image, display: DisplaySettings) -> None:
    """Note in a result's record how it is shown now, so that this is what is restored from it."""
    layer.metadata[METADATA_KEY]["display"] = display.model_dump(mode="json")


def set_limits(layer: Image, limits: tuple[float, float]) -> None:
    """Show a result in a range, with a slider around it in which it can be moved with a steady hand.

    Parameters
    ----------
    layer : Image
        A result.
    limits : tuple of float
        Probabilities of the first and the last colour.
    """
    low, high = limits
    span = high - low
    layer.contrast_limits_range = (max(0.0, low - 2 * span), max(high, min(1.0, high + 2 * span)))
    layer.contrast_limits = limits
    layer.metadata[METADATA_KEY]["display_range"] = list(limits)


def name_shown(layers: LayerList, dims: Dims) -> None:
    """Put the score of the plane that is shown now into the names of the results.

    To be called whenever a slider moved or a result came: `show` redraws a stack only where it is looked at.
    """
    for layer in layers:
        if is_result(layer):
            at = shown_position(layer, dims)
            layer.metadata[METADATA_KEY]["shown"] = None if at is None else position_key(at)
            _entitle(layer)


def shown_position(layer: Image, dims: Dims) -> tuple[int, ...] | None:
    """Where in a result's stack the viewer is now; None beside it, in 3D, or looked at from another side."""
    if dims.ndisplay != 2:
        return None
    try:
        plane = shown_plane(layer, dims)
    except ImageError:
        return None
    same_side = sorted(plane.axes) == sorted(layer.metadata[METADATA_KEY]["window"]["axes"])
    return plane.hidden if same_side else None


def mark_stale(layer: Image, key: str, stale: bool) -> bool:
    """Note whether the map of a plane still belongs to the image's pixels.

    Parameters
    ----------
    layer : Image
        A result.
    key : str
        The plane, by `provenance.position_key`.
    stale : bool
        Whether its pixels are others now.

    Returns
    -------
    bool
        Whether the result's mark changed.
    """
    found = layer.metadata[METADATA_KEY]
    before = bool(found["stale"])
    found["stale"] = sorted({*found["stale"], key} if stale else {*found["stale"]} - {key})
    _entitle(layer)
    return bool(found["stale"]) != before


def _added(layers: LayerList, result: PlaneResult, new: dict[str, Any], above: Layer) -> Image:
    chosen = set(layers.selection) or {result.plane.layer}
    layer = Image(
        _data(result, None),
        name=f"{new['image']} · anomaly",
        colormap=anomaly_colormap(),
        blending="translucent",
        contrast_limits=result.limits,
        # Planes of a stack stand alone: neighbours without a map must neither thin nor blot out one that has it.
        projection_mode="none",
        interpolation3d="nearest",
        metadata={METADATA_KEY: new},
        **result.plane.place(),
    )
    set_limits(layer, result.limits)
    line = find_contour(layers, above) if is_result(above) else None
    layers.insert(layers.index(line or above) + 1, layer)
    layers.selection = chosen
    return layer


def _bring_up_to_date(layer: Image, result: PlaneResult, new: dict[str, Any]) -> bool:
    """Put a map into a layer; False if it is one of a stack that nobody looks at now, so that nothing else is to do."""
    found = layer.metadata[METADATA_KEY]
    goes_on = isinstance(layer.data, MapStack) and not found["stale"] and same_run(found, new)
    if goes_on:
        new["planes"] = found["planes"] | new["planes"]
    made_by = _made_by.get(layer)
    same_request = goes_on and made_by is not None and made_by() is result.request
    own = {key: found[key] for key in (*_OWN, *_DISPLAY) if key in found and (key in _OWN or same_request)}
    range_before = found["display_range"]
    layer.metadata[METADATA_KEY] = new = new | own
    data = _data(result, layer.data if goes_on else None)
    if data is layer.data:
        if own["shown"] not in (None, position_key(result.plane.hidden)):
            return False
        layer.refresh(extent=False, highlight=False)
    else:
        layer.data = data
    put_in_place(layer, result.plane.place())
    if new["display_range"] != range_before:
        set_limits(layer, result.limits)
    return True


def _data(result: PlaneResult, stack: MapStack | None) -> np.ndarray | MapStack:
    """What the layer holds: the map itself, or for a plane of a stack all maps with this one among them."""
    plane = result.plane
    values = plane.put(np.asarray(result.detection.map, np.float32))
    if not plane.hidden:
        return values
    if stack is None:
        hidden = tuple(axis for axis, position in enumerate(plane.index) if position is not None)
        stack = MapStack(plane.stack_shape, hidden)
    stack.put(plane.hidden, values)
    return stack


def _entitle(layer: Image) -> None:
    """Name a result after its image and the score of the plane that is shown, unless the user named it."""
    found = layer.metadata[METADATA_KEY]
    if layer.name != found.get("name", layer.name):
        return
    words = [found["image"], "·", "anomaly"]
    if found["number"] > 1:
        words += [str(found["number"]), "·"]
    if found["shown"] in found["planes"]:
        words.append(f"{found['planes'][found['shown']]['score']:.3f}")
    title = " ".join(words).removesuffix(" ·") + (STALE_MARK if found["stale"] else "")
    if title != found.get("title"):
        layer.name = title
        # napari adds a number of its own to a name that another layer has.
        found["title"], found["name"] = title, layer.name

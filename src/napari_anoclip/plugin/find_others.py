"""Which other images there are to judge the one that is looked at: planes of its stack, its folder, or other layers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Image

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.settings import FEWEST_OTHERS
from napari_anoclip.plugin.others import OtherPicture, OtherPlane, Same
from napari_anoclip.plugin.others_bank import OtherImages
from napari_anoclip.plugin.planes import asked_of
from napari_anoclip.plugin.results import is_ours

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

    from napari_anoclip.plugin.image_panel import ImagePanel
    from napari_anoclip.plugin.others_bank import Bank
    from napari_anoclip.plugin.planes import Plane

WHERE = (
    "Choose a stack, open a folder in the AnoCLIP Review dock, or add images to the viewer: "
    f"{FEWEST_OTHERS} others at least."
)


def find_others(viewer: ViewerModel, image: ImagePanel, pictures: Sequence[Path], bank: Bank) -> OtherImages:
    """Find the images of the batch that the chosen one is of; in the GUI thread.

    The planes of a stack: the range that is chosen, or all. Of a picture of a queue, the queue. Otherwise all image
    layers of the same kind.

    Parameters
    ----------
    viewer : ViewerModel
        Its layers.
    image : ImagePanel
        What is chosen, and how it is looked at.
    pictures : sequence of Path
        Files of the queue that the chosen image is one of; none if it is of none.
    bank : Bank
        What is to keep what is seen of them.

    Returns
    -------
    OtherImages

    Raises
    ------
    ImageError
        If no image is looked at, or there are too few others: a sentence.
    """
    shown = image.shown()
    if math.prod(_stack(shown)) > 1:
        found = _planes(viewer, image, shown, bank)
    elif pictures:
        found = _pictures(image, shown, pictures, bank)
    else:
        found = _layers(viewer, image, shown, bank)
    if found.others < FEWEST_OTHERS:
        are = "is" if found.others == 1 else "are"
        raise ImageError(f"There {are} {'only ' * (found.others > 0)}{found.counted}. {WHERE}")
    return found


def _planes(viewer: ViewerModel, image: ImagePanel, shown: Plane, bank: Bank) -> OtherImages:
    choice = image.look_row.choice
    ranged = choice.planes == "range"
    _, spans, *how = asked_of(shown, viewer.dims, choice if ranged else choice.model_copy(update={"planes": "all"}))
    lengths = [len(span) for span in spans]

    def get(number: int) -> OtherPlane:
        places = iter(span[at] for span, at in zip(spans, np.unravel_index(number, lengths), strict=True))
        return OtherPlane(replace(shown, index=tuple(None if i is None else next(places) for i in shown.index)))

    count = math.prod(lengths)
    among = all(at in span for at, span in zip(shown.hidden, spans, strict=True))
    which = ("planes", str(shown.layer.unique_id), Same(shown.data), spans, *how)
    where = " in the range" if ranged else ""
    return OtherImages("planes", "plane", where, count, count - among, which, get, bank)


def _pictures(image: ImagePanel, shown: Plane, pictures: Sequence[Path], bank: Bank) -> OtherImages:
    choice, paths = image.look_row.choice, tuple(pictures)
    window: tuple[Hashable, ...] = ()
    if choice.region != "whole":
        window = (shown.data.shape, *((part.start, part.stop) for part in shown.window))
    return OtherImages(
        "pictures",
        "picture",
        " of the folder",
        len(paths),
        len(paths) - 1,
        ("pictures", paths, window, choice.contrast),
        lambda number: OtherPicture(paths[number], shown, choice),
        bank,
    )


def _layers(viewer: ViewerModel, image: ImagePanel, shown: Plane, bank: Bank) -> OtherImages:
    planes = []
    for layer in viewer.layers:
        if isinstance(layer, Image) and not is_ours(layer) and (layer.rgb, layer.ndim) == _kind(shown):
            try:
                planes.append(image.shown(layer))
            except ImageError:  # the region is not on it
                continue
    choice = image.look_row.choice
    asked = [(str(one.layer.unique_id), Same(one.data), *asked_of(one, viewer.dims, choice)[1:]) for one in planes]
    return OtherImages(
        "layers",
        "image",
        " of this kind in the viewer",
        len(planes),
        len(planes) - 1,
        ("layers", *asked),
        lambda number: OtherPlane(planes[number]),
        bank,
    )


def _stack(plane: Plane) -> tuple[int, ...]:
    """Planes along each hidden axis."""
    return tuple(n for i, n in zip(plane.index, plane.data.shape, strict=False) if i is not None)


def _kind(plane: Plane) -> tuple[bool, int]:
    return plane.layer.rgb, plane.layer.ndim

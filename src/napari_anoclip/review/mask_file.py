"""The pixels of an image's judgements as label images, in one tiff that any program opens.

Each page is as large as the map and holds the numbers of judgements. Where judgements overlap, there is more than one
page of a place: the first pages hold what came first. The page's description, JSON, says which place it is of::

    {"plane": [4], "layer": 0}            a plane of a stack; [] for a flat image
    {"plane": [], "z": 17, "layer": 0}    a plane of a volume that was judged in 3D

Planes in which nothing was judged have no page.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_anoclip.engine import atomic
from napari_anoclip.review.judgement import Judgement
from napari_anoclip.review.region_mask import MAX_PIXELS, RegionMask

Labels = NDArray[np.uint16] | NDArray[np.uint32]


class _Place(NamedTuple):
    """Where a page lies: a plane of a stack, or plane z of a volume."""

    plane: tuple[int, ...]
    z: int | None


class _Part(NamedTuple):
    """What a judgement has in one place."""

    number: int
    slices: tuple[slice, ...]
    bits: NDArray[np.bool_]


def write(path: Path, shape: tuple[int, ...], judgements: Iterable[Judgement]) -> None:
    """Write the masks of judgements, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        Of the map; its last two are a page's.
    judgements : iterable of Judgement
        Of one image.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is untouched.
    """
    judgements = sorted(judgements, key=lambda one: one.id)
    dtype = np.uint16 if max((one.id for one in judgements), default=0) < 1 << 16 else np.uint32
    with atomic.replacing(path, durable=True) as temporary, tifffile.TiffWriter(temporary) as file:
        for place, parts in sorted(_by_place(judgements).items(), key=lambda item: (item[0].plane, item[0].z or 0)):
            for layer, page in enumerate(_layers(parts, shape[-2:], dtype)):
                described = {"plane": place.plane} | ({} if place.z is None else {"z": place.z}) | {"layer": layer}
                file.write(
                    page,
                    description=json.dumps(described),
                    metadata=None,
                    compression="zlib",
                    photometric="minisblack",
                    contiguous=False,
                )


def read(path: Path) -> dict[int, tuple[tuple[int, ...], RegionMask]]:
    """Read masks.

    Returns
    -------
    dict
        Plane and mask by the number of the judgement.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is damaged.
    """
    found: dict[int, list[NDArray[np.int64]]] = defaultdict(list)
    planes: dict[int, tuple[int, ...]] = {}
    try:
        with tifffile.TiffFile(path) as file:
            if not len(file.pages):
                raise ValueError("it has no page")
            for page in file.pages:
                if math.prod(page.shape) > MAX_PIXELS:  # however few bytes they are in the file
                    raise ValueError("it has a page larger than any map")
                place = json.loads(page.description)  # type: ignore[union-attr]  # a TiffFrame has one as well
                labels = page.asarray()
                at = np.argwhere(labels)
                numbers = labels[tuple(at.T)]
                if "z" in place:
                    at = np.insert(at, 0, int(place["z"]), axis=1)
                order = np.argsort(numbers, kind="stable")
                ids, firsts = np.unique(numbers[order], return_index=True)
                for number, pixels in zip(ids.tolist(), np.split(at[order], firsts[1:]), strict=True):
                    found[number].append(pixels)
                    planes[number] = tuple(int(i) for i in place["plane"])
    except OSError:
        raise
    except Exception as error:  # tifffile, zlib, json and numpy each have words of their own for nonsense
        raise ValueError(f"{path.name} is damaged: {error}") from error
    return {number: (planes[number], _mask(np.concatenate(pixels))) for number, pixels in found.items()}


def _by_place(judgements: Iterable[Judgement]) -> dict[_Place, list[_Part]]:
    places: dict[_Place, list[_Part]] = defaultdict(list)
    for one in judgements:
        mask = one.mask
        if mask.bits.ndim == 2:
            places[_Place(one.plane, None)].append(_Part(one.id, mask.slices, mask.bits))
        else:
            for z, bits in enumerate(mask.bits, mask.start[0]):
                if bits.any():
                    places[_Place(one.plane, z)].append(_Part(one.id, mask.slices[1:], bits))
    return places


def _layers(parts: Iterable[_Part], shape: tuple[int, ...], dtype: Any) -> Iterator[Labels]:
    """Label images: each part on the first one where its pixels are free."""
    layers: list[Labels] = []
    for part in parts:
        for layer in layers:
            if not layer[part.slices][part.bits].any():
                break
        else:
            layer = np.zeros(shape, dtype)
            layers.append(layer)
        layer[part.slices][part.bits] = part.number
    return iter(layers)


def _mask(pixels: NDArray[np.int64]) -> RegionMask:
    """The mask of pixels (n, 2) or (n, 3)."""
    start = pixels.min(axis=0)
    bits = np.zeros(pixels.max(axis=0) - start + 1, dtype=bool)
    bits[tuple((pixels - start).T)] = True
    return RegionMask.of(bits, tuple(start.tolist()))

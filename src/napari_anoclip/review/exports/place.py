"""From what was judged on a map to pixels of the image, and to names for files."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.pictures import SUFFIXES
from napari_anoclip.review.region_mask import RegionMask

Read = Callable[[ImageReview], Any]
"""Gives an image's array, anything with ``shape`` and slices, or None where its file was not found."""

PathOf = Callable[[ImageReview], Path | None]
"""Gives an image's file, or None where it was not found."""

FALSE_POSITIVE = "false positive"
UNSURE = "unsure"
DEFECT = "defect"
"""Names of classes; a defect has that of its kind, if it has one."""

_UNFIT = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]+')
"""What one of the usual systems takes in no file name."""

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[\d¹²³]|lpt[\d¹²³])(\.|$)")

_LONGEST_NAME = 120
"""Bytes of UTF-8: with a plane, a number and an ending a name stays below the 255 that most systems take."""


@dataclass(frozen=True)
class Region:
    """A judged region in one plane of its image.

    Attributes
    ----------
    judgement : Judgement
        Of a region of a volume the same in each plane.
    plane : tuple of int
        Position along the hidden axes; empty for a flat image.
    mask : RegionMask
        (H, W), on the pixels of the image.
    """

    judgement: Judgement
    plane: tuple[int, ...]
    mask: RegionMask

    @property
    def label(self) -> str:
        """Its class."""
        return label_of(self.judgement)


def label_of(judgement: Judgement) -> str:
    """The class of a judged region: the kind of a defect, or that it is none."""
    return UNSURE if judgement.verdict is Verdict.UNSURE else category_of(judgement.verdict, judgement.kind)


def category_of(verdict: Verdict | None, kind: str) -> str:
    """What a region is, or would be if it were a defect after all; no kind is mistaken for a verdict."""
    if verdict is Verdict.FALSE:
        return FALSE_POSITIVE
    return f"{kind} {DEFECT}" if kind in (FALSE_POSITIVE, UNSURE) else kind or DEFECT


def opened(image: ImageReview, read: Read) -> tuple[Any, str]:
    """Ask for an image's array, which may be one that reads its file only now.

    Parameters
    ----------
    image : ImageReview
    read : callable
        Gives it.

    Returns
    -------
    picture : array-like or None
        None if it cannot be had, or is not what was judged.
    why : str
        A sentence then.
    """
    try:
        picture = read(image)
        if picture is None:
            return None, "The picture was not found."
        shape = tuple(picture.shape)
    except (ImageError, OSError) as error:
        return None, f"The picture cannot be read: {error}"
    hidden = image.map_shape[:-2]
    if len(shape) < len(hidden) + 2 or shape[: len(hidden)] != hidden:
        return None, "The picture is another one than the one that was judged."
    size, covered = shape[len(hidden) : len(hidden) + 2], image_size(image, None)
    # The last pixel of a map that is coarser than its image may reach beyond it.
    if any(length <= end - max(1, step) for length, end, step in zip(size, covered, image.step, strict=True)):
        return None, "The picture is smaller than the one that was judged."
    return picture, ""


def known_size(image: ImageReview, read: Read) -> tuple[tuple[int, int] | None, str]:
    """Pixels (H, W) of an image; None, and why, where its picture cannot be had and the map covers a part of it."""
    picture, why = opened(image, read)
    if picture is None and image.origin != (0.0, 0.0):
        return None, f"{image.name}: {why}"
    return image_size(image, picture), ""


def image_size(image: ImageReview, picture: Any) -> tuple[int, int]:
    """Pixels (H, W) of an image; without its picture, of the part that the map covers.

    Parameters
    ----------
    image : ImageReview
    picture : array-like or None
        Hidden axes first, colours last.
    """
    hidden = len(image.map_shape) - 2
    if picture is not None:
        height, width = picture.shape[hidden : hidden + 2]
        return int(height), int(width)
    height, width = (
        math.ceil(first + step * length - 1e-6)
        for first, step, length in zip(image.origin, image.step, image.map_shape[-2:], strict=True)
    )
    return height, width


def image_mask(image: ImageReview, judgement: Judgement, size: tuple[int, int]) -> RegionMask:
    """Put a region on the pixels of its image.

    A pixel of the image belongs to the region if its centre lies in a pixel of the map that does. A region too small
    for that gets the pixel at its middle.

    Parameters
    ----------
    image : ImageReview
    judgement : Judgement
        Of this image.
    size : tuple of int
        (H, W) of the image.

    Returns
    -------
    RegionMask
        (H, W), or (D, H, W) of a volume.
    """
    mask = judgement.mask
    if image.step == (1.0, 1.0) and image.origin == (0.0, 0.0) and _within(mask.stop[-2:], size):
        return mask
    at, picked, middle = [], [], []
    for first, step, start, stop, length in zip(
        image.origin, image.step, mask.start[-2:], mask.stop[-2:], size, strict=True
    ):
        low, high = (min(max(math.ceil(first + edge * step - 0.5), 0), length) for edge in (start, stop))
        index = np.floor((np.arange(low, high) + 0.5 - first) / step).astype(int) - start
        at.append(low)
        picked.append(np.clip(index, 0, stop - start - 1))
        middle.append(min(max(int(first + (start + stop) / 2 * step), 0), length - 1))
    bits = mask.bits[..., picked[0][:, None], picked[1]]
    hidden = mask.start[:-2]
    if not bits.any():
        return RegionMask.of(np.ones((*mask.bits.shape[:-2], 1, 1), bool), (*hidden, *middle))
    return RegionMask.of(bits, (*hidden, *at))


def regions_of(
    image: ImageReview, size: tuple[int, int], verdicts: Collection[Verdict] = tuple(Verdict)
) -> Iterator[Region]:
    """Judged regions of an image, by number; one of a volume once in each plane that it meets."""
    for _, judgement in sorted(image.judgements.items()):
        if judgement.verdict not in verdicts:
            continue
        mask = image_mask(image, judgement, size)
        if mask.bits.ndim == 2:
            yield Region(judgement, judgement.plane, mask)
            continue
        for index, bits in enumerate(mask.bits):
            if bits.any():
                yield Region(judgement, (*judgement.plane, mask.start[0] + index), RegionMask.of(bits, mask.start[1:]))


def planes_of(image: ImageReview, regions: Iterable[Region]) -> dict[tuple[int, ...], list[Region]]:
    """Planes of an image of which something is known, in their order, each with its regions."""
    known: dict[tuple[int, ...], list[Region]] = {}
    if image.complete:
        known = {plane: [] for plane in np.ndindex(image.map_shape[:-2])}
    for region in regions:
        known.setdefault(region.plane, []).append(region)
    return dict(sorted(known.items()))


def kinds_of(images: Iterable[ImageReview], kinds: Iterable[str] = ()) -> list[str]:
    """Classes of defects: those that are wanted in any case, then those that occur."""
    found = {label_of(one) for image in images for one in image.judgements.values() if one.verdict is Verdict.DEFECT}
    return list(dict.fromkeys([*kinds, *sorted(found, key=lambda kind: (kind != DEFECT, kind))]))


def file_stems(images: Iterable[ImageReview], path_of: PathOf) -> dict[str, str]:
    """A name for the files of each image, by its key: that of its own file, told apart where two are alike.

    Names differ in more than upper and lower case and in the way accents are written, because not all file systems
    tell these apart; so do they with the endings of planes.
    """
    taken: set[str] = set()
    stems = {}
    for image in images:
        path = path_of(image) or recorded_path(image)
        name = path or Path(image.name)
        stem = fit_name(name.stem if name.suffix.lower() in SUFFIXES else path.name if path else image.name)
        with_folder = [fit_name(f"{path.parent.name}_{stem}")] if path and path.parent.name else []
        endings = ["", *map(plane_ending, np.ndindex(image.map_shape[:-2]))]
        for choice in chain([stem], with_folder, (fit_name(stem, f"_{number}") for number in count(2))):
            names = {_folded(choice + ending) for ending in endings}
            if not names & taken:
                stems[image.key] = choice
                taken |= names
                break
    return stems


def fit_name(name: str, ending: str = "") -> str:
    """A name that a file or folder can have on any of the usual systems, cut where it is too long."""
    fit = _UNFIT.sub("_", name).strip(" .") or "image"
    fit = f"_{fit}" if _RESERVED.match(fit) else fit
    whole = fit.encode()[: _LONGEST_NAME - len(ending)].decode(errors="ignore")  # no half a character
    return whole.strip(" .") + ending


def plane_ending(plane: tuple[int, ...]) -> str:
    """What tells the planes of a stack apart in names of files; empty for a flat image."""
    return "".join(f"_p{position:03d}" for position in plane)


def plane_words(plane: tuple[int, ...]) -> str:
    """The same for people."""
    return f"plane {', '.join(map(str, plane))}" if plane else ""


def path_words(image: ImageReview, path_of: PathOf, folder: Path) -> str:
    """An image's file with slashes, seen from a folder if there is a way from there."""
    path = path_of(image)
    if path is None or not path.is_absolute():
        words = path.as_posix() if path else image.path or image.name
    else:
        try:
            words = Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # on another drive
            words = path.as_posix()
    return words.encode(errors="replace").decode()  # not every name of a file is text


def recorded_path(image: ImageReview) -> Path | None:
    """The path that an image came with: what stands in for `PathOf` where there is no session to ask."""
    return None if image.path is None else Path(image.path)


def drawn(shape: tuple[int, int], regions: Iterable[Region]) -> NDArray[np.uint8]:
    """Draw regions: 255 where one is, 0 elsewhere."""
    canvas = np.zeros(shape, np.uint8)
    for region in regions:
        region.mask.draw(canvas, 255)
    return canvas


def finite(value: float | None) -> float | None:
    """A number that JSON knows, or None."""
    return value if value is not None and math.isfinite(value) else None


def _within(stop: tuple[int, ...], size: tuple[int, int]) -> bool:
    return all(end <= length for end, length in zip(stop, size, strict=True))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

"""COCO JSON: one file with the annotations of many pictures, of this plugin or of another program."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.exports.place import FALSE_POSITIVE, UNSURE, category_of
from napari_anoclip.review.imports.coco_file import Annotation, CocoFile, Identity, Image, pixels_of, read_coco
from napari_anoclip.review.imports.imported import Gathering, Imported
from napari_anoclip.review.imports.judged import Source, imported, kind_named
from napari_anoclip.review.imports.picture_names import find_picture
from napari_anoclip.review.imports.problems import DamagedFile, UnknownImage, UnsafeName, WrongFolder, WrongSize
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.region_mask import RegionMask

_NAMED = 5
"""Names that a sentence gives as examples."""


@dataclass
class _Entry:
    """A file with all that is said of it: of a stack, of each of its planes."""

    name: str
    path: Path
    planes: list[Image] = field(default_factory=list)


@dataclass(frozen=True)
class _Region:
    """An annotation with its pixels."""

    annotation: Annotation
    plane: tuple[int, ...]
    mask: RegionMask


def import_coco(
    file: Path,
    pictures: Path | None = None,
    *,
    complete: bool = True,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Imported:
    """Read annotations, and the pictures that they are of.

    The category "false positive" is that verdict, and "unsure" that one, as is everything that is marked as a crowd:
    COCO's evaluation leaves crowds out. Every other category is a defect of that kind; "defect", one without a kind.

    Parameters
    ----------
    file : Path
        JSON. Polygons become the pixels that pycocotools gives them.
    pictures : Path, optional
        Where the names of pictures begin; the folder of the JSON by default.
    complete : bool
        Whether images were looked at as a whole, where the file does not say so itself.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Imported
        An image for each picture, in the order of the file, also for those without a region. A picture that cannot be
        read, or that its annotations do not fit, is left out.

    Raises
    ------
    AnnotationError
        `DamagedFile` or `WrongFolder`; `UnknownImage` or `UnsafeName` if a picture cannot be found by its name. That of
        the first picture if all are left out, which may be `WrongSize`.
    ImageError
        If none of the files holds a picture.
    Cancelled
        If the flag is set.
    """
    file = Path(file)
    report = Reporter(on_progress, cancel)
    content = read_coco(file)
    home = Path(os.path.normpath(Path(pictures or file.parent).absolute()))
    if not home.is_dir():
        raise WrongFolder(f"The folder {home.name} is not there. Choose the folder that holds the pictures.")
    annotations = _by_image(content, file.name)
    names = {category.id: category.name for category in content.categories}
    entries = _entries(content.images, home)
    gathering = Gathering()
    for done, entry in enumerate(entries):
        report("reading COCO", done, len(entries))
        gathering.take(entry.name, partial(_review, entry, annotations, names, home, complete))
    report("reading COCO", len(entries), len(entries))
    return gathering.imported()


def _by_image(content: CocoFile, name: str) -> dict[Identity, list[Annotation]]:
    """Annotations by their image, once it is known that all that they speak of is in the file."""
    for what, ids in (("image", content.images), ("category", content.categories)):
        twice = [number for number, times in Counter(one.id for one in ids).items() if times > 1]
        if twice:
            raise DamagedFile(f"{name} is damaged: {what} {twice[0]} is in it more than once. Export it again.")
    images = {image.id for image in content.images}
    categories = {category.id for category in content.categories}
    found: dict[Identity, list[Annotation]] = defaultdict(list)
    for one in content.annotations:
        if one.image_id not in images:
            raise UnknownImage(f"Annotation {one.id} is of image {one.image_id}, which {name} does not list.")
        if one.category_id not in categories:
            raise DamagedFile(f"Annotation {one.id} is of category {one.category_id}, which {name} does not list.")
        found[one.image_id].append(one)
    return found


def _entries(images: Sequence[Image], home: Path) -> list[_Entry]:
    entries: dict[str, _Entry] = {}
    missing: dict[str, None] = {}
    owners: dict[Path, str] = {}
    for image in images:
        name = image.file_name
        if name not in entries and name not in missing:
            path = find_picture(name, home, outside=image.own is not None and bool(image.own.fingerprint))
            if path is None:
                missing[name] = None
                continue
            owner = owners.setdefault(path, name)
            if owner != name:
                raise UnknownImage(f"{path.name} in {home.name} could be “{owner}” or “{name}”. Keep them in folders.")
            entries[name] = _Entry(name, path)
        if name in entries:
            entries[name].planes.append(image)
    if missing:
        some = ", ".join(list(missing)[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        raise UnknownImage(
            f"{len(missing)} of {len(missing) + len(entries)} pictures are not in {home.name}: {some}. "
            "Choose the folder that holds them."
        )
    return list(entries.values())


def _review(
    entry: _Entry,
    annotations: dict[Identity, list[Annotation]],
    names: dict[Identity, str],
    home: Path,
    complete: bool,
) -> ImageReview:
    source = Source.of(entry.path)
    if not entry.path.is_relative_to(home):  # by its name: links are those that people made
        _check_same(entry, source)
    regions: list[_Region] = []
    seen = set()
    for image in entry.planes:
        plane = _plane(image, source)
        if plane in seen:
            raise DamagedFile(f"“{entry.name}” is in the file more than once. Export it again.")
        seen.add(plane)
        for one in annotations.get(image.id, ()):
            try:
                regions.append(_Region(one, plane, pixels_of(one.segmentation, source.size)))
            except WrongSize as error:
                raise WrongSize(f"Annotation {one.id} of “{entry.name}” {error}. Export it again.") from error
    whole = all(complete if image.own is None else image.own.complete for image in entry.planes)
    return source.review(_judgements(regions, names), whole)


def _check_same(entry: _Entry, source: Source) -> None:
    """Only the picture itself may be taken from elsewhere, not whatever has its name."""
    from napari_anoclip.engine.imaging import fingerprint  # loads torch

    wanted = {image.own.fingerprint for image in entry.planes if image.own is not None}
    planes = (source.pixels[plane] for plane in np.ndindex(source.map_shape[:-2]))
    if not any(fingerprint(plane) in wanted for plane in planes):
        raise UnsafeName(
            f"“{entry.name}” is another picture by now. Choose the folder that holds the one that was judged."
        )


def _plane(image: Image, source: Source) -> tuple[int, ...]:
    """Which plane an image is, once it is known that it is as large."""
    for said, length in ((image.height, source.size[0]), (image.width, source.size[1])):
        if said is not None and said != length:
            raise WrongSize(
                f"{source.path.name} has {source.size[1]} × {source.size[0]} pixels, "
                f"but is annotated as {image.width} × {image.height}. Choose the folder that holds the right one."
            )
    plane = () if image.own is None else image.own.plane
    stack = source.map_shape[:-2]
    if len(plane) != len(stack) or any(not 0 <= at < length for at, length in zip(plane, stack, strict=True)):
        what = "a stack" if stack else "no stack"
        where = f"plane {', '.join(map(str, plane))}" if plane else "a flat image"
        raise WrongSize(f"{source.path.name} is {what} of shape {source.map_shape}, but is annotated as {where}.")
    return plane


def _judgements(regions: Iterable[_Region], names: dict[Identity, str]) -> list[Judgement]:
    """With the numbers that they had, where each has one; parts of a region of a volume put together."""
    volumes: dict[tuple[int, tuple[int, ...]], list[_Region]] = defaultdict(list)
    parts: list[list[_Region]] = []
    for region in regions:
        own = region.annotation.own
        if own is not None and own.volume and own.region and region.plane:
            part = volumes[own.region, region.plane[:-1]]
            if not part:
                parts.append(part)
            part.append(region)
        else:
            parts.append([region])
    numbers = [0 if part[0].annotation.own is None else part[0].annotation.own.region for part in parts]
    if 0 in numbers or len(set(numbers)) < len(numbers):
        numbers = list(range(1, len(parts) + 1))
    return [_judgement(number, part, names) for number, part in zip(numbers, parts, strict=True)]


def _judgement(number: int, parts: list[_Region], names: dict[Identity, str]) -> Judgement:
    annotation, plane, mask = parts[0].annotation, parts[0].plane, parts[0].mask
    own = annotation.own
    if own is not None and own.volume and plane:
        plane, mask = plane[:-1], _volume(parts)
    verdict, kind = _meaning(annotation, names[annotation.category_id])
    return imported(number, mask, verdict, kind, "" if own is None else own.note, plane)


def _meaning(annotation: Annotation, name: str) -> tuple[Verdict, str]:
    own = annotation.own
    # Another program may have changed the category and kept what it does not know.
    if own is not None and own.verdict is not None and category_of(own.verdict, own.kind) == name:
        return own.verdict, own.kind
    if name == FALSE_POSITIVE:
        return Verdict.FALSE, ""
    if name == UNSURE:
        return Verdict.UNSURE, ""
    return Verdict.UNSURE if annotation.iscrowd else Verdict.DEFECT, kind_named(name)


def _volume(parts: list[_Region]) -> RegionMask:
    """(D, H, W) of the parts that a region has in planes."""
    starts, stops = ([getattr(part.mask, end) for part in parts] for end in ("start", "stop"))
    at = [part.plane[-1] for part in parts]
    first = (min(at), *np.min(starts, axis=0).tolist())
    bits = np.zeros((max(at) + 1 - first[0], *(np.max(stops, axis=0) - first[1:])), bool)
    for z, part in zip(at, parts, strict=True):
        (top, left), (bottom, right) = part.mask.start, part.mask.stop
        bits[z - first[0], top - first[1] : bottom - first[1], left - first[2] : right - first[2]] |= part.mask.bits
    return RegionMask.of(bits, first)

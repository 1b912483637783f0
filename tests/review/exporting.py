"""Reviews with every sort of region, and the pictures they are of: what the tests of exports and imports share."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from review.reviewing import image, judgement

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.imaging import fingerprint
from napari_anoclip.engine.progress import Progress
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.pictures import Picture
from napari_anoclip.review.region_mask import RegionMask

NO_ROOM = OSError(errno.ENOSPC, "No space left on device")

HOSTILE = [
    "../../x",
    "..",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:\\x",
    "CON",
    "com¹.png",
    "x" * 300,
    "ü" * 300,
    "名" * 300,
    "nul\x00.png",
    "two\nlines",
    " . ",
    "trailing. ",
    "\udcff",
    'a<b>:"c"|?*',
    "e\u0301",
]
"""Names of images and of kinds that a file system would follow, refuse or mistake."""


def pixels(shape: tuple[int, ...] = (24, 30, 3), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def box(rows: slice, columns: slice, shape: tuple[int, int] = (24, 30)) -> RegionMask:
    canvas = np.zeros(shape, bool)
    canvas[rows, columns] = True
    return RegionMask.of(canvas)


def ring(row: int = 8, column: int = 9, size: int = 7) -> RegionMask:
    """A region with a hole."""
    bits = np.ones((size, size), bool)
    bits[2:-2, 3:-2] = False
    return RegionMask.of(bits, (row, column))


@dataclass
class Studio:
    """A folder with pictures, and the review of them.

    Attributes
    ----------
    folder : Path
    images : list of ImageReview
    pictures : dict
        Pixels by the key of the image.
    """

    folder: Path
    images: list[ImageReview] = field(default_factory=list)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)

    def add(
        self,
        name: str,
        judgements: list[Judgement] = (),
        shape: tuple[int, ...] = (24, 30, 3),
        complete: bool = True,
        **more: Any,
    ) -> ImageReview:
        """Save a picture and judge it."""
        picture = pixels(shape, len(self.images))
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".tif":
            tifffile.imwrite(path, picture)
        else:
            Image.fromarray(picture).save(path)
        flat = shape[:-1] if shape[-1] == 3 else shape
        known = fingerprint(picture[(0,) * (len(flat) - 2)])
        more = {"shape": flat, "path": str(path), "name": path.name} | more
        entry = image(known[:16], judgements={one.id: one for one in judgements}, complete=complete, **more)
        self.images.append(entry.model_copy(update={"fingerprint": known}))
        self.pictures[self.images[-1].key] = picture
        return self.images[-1]

    def read(self, of: ImageReview) -> Any:
        path = self.path_of(of)
        return None if path is None else Picture(path)

    def path_of(self, of: ImageReview) -> Path | None:
        path = None if of.path is None else Path(of.path)
        return path if path is not None and path.exists() else None


def everything(folder: Path) -> Studio:
    """Flat images, one judged in part, a good one, one that is not judged, a coarse map, a stack and a volume."""
    studio = Studio(folder)
    studio.add(
        "part 1.png",
        [
            judgement(1, ring(), kind="scratch", note="a hole"),
            judgement(2, box(slice(0, 1), slice(0, 1)), kind="crack"),
            judgement(4, box(slice(18, 24), slice(25, 30)), Verdict.FALSE),
            judgement(7, box(slice(0, 3), slice(28, 30)), Verdict.UNSURE),
        ],
    )
    studio.add("more/part 1.png", [judgement(1, box(slice(20, 24), slice(3, 9)), kind="Riß")])
    studio.add("good.png", [judgement(1, box(slice(2, 5), slice(2, 5)), Verdict.FALSE)])
    studio.add("partly.png", [judgement(3, box(slice(2, 5), slice(2, 5)))], complete=False)
    studio.add("nothing yet.png", complete=False)
    coarse = RegionMask.of(np.array([[1, 0], [1, 1]]), (10, 13))
    studio.add("coarse.png", [judgement(1, coarse, kind="scratch")], shape=(24, 30, 3))
    studio.images[-1] = studio.images[-1].model_copy(update={"map_shape": (12, 15), "step": (2.0, 2.0)})
    solid = np.zeros((4, 24, 30), bool)
    solid[1:3, 4:9, 5:11] = True
    solid[2, 5:7, 6:8] = False
    studio.add(
        "stack.tif",
        [
            judgement(1, box(slice(3, 6), slice(4, 9)), plane=(0,), kind="crack"),
            judgement(2, RegionMask.of(solid), kind="hole"),
            judgement(3, box(slice(15, 18), slice(4, 9)), Verdict.FALSE, plane=(3,)),
        ],
        shape=(4, 24, 30),
    )
    return studio


def on_the_picture(of: ImageReview, one: Judgement, size: tuple[int, int]) -> np.ndarray:
    """Pixels of a judgement, found without the code under test: each pixel of the map is a block of the picture."""
    shape = (*of.map_shape[:-3], *of.map_shape[-3:]) if one.mask.bits.ndim == 3 else of.map_shape[-2:]
    canvas = np.zeros(shape, bool)
    one.mask.draw(canvas, True)
    down, across = (int(step) for step in of.step)
    return canvas.repeat(down, -2).repeat(across, -1)[..., : size[0], : size[1]]


def facts(of: ImageReview) -> list[tuple[Any, ...]]:
    """What was said, in any order: verdict, kind, plane and pixels."""
    said = [
        (str(one.verdict), one.kind, one.plane, one.mask.start, one.mask.bits.tolist())
        for one in of.judgements.values()
    ]
    return sorted(said, key=repr)


class Flag:
    """Is set after it was asked some times."""

    def __init__(self, after: int = 0) -> None:
        self.left = after

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def counted(run: Any) -> int:
    """How often work polls its cancel flag."""
    flag = Flag(10**9)
    run(flag)
    return 10**9 - flag.left


class Steps(list[Progress]):
    """Progress as it was told."""

    def __call__(self, progress: Progress) -> None:
        self.append(progress)


def broken(_of: ImageReview) -> Any:
    raise ImageError("The picture is damaged: save it again.")


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, hidden things too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }

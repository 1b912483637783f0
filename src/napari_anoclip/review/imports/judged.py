"""From a picture in a file and masks of its defects to an image of a review, known as the plugin knows it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review.exports.place import DEFECT
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.pictures import read_picture
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import measure

_KEY_DIGITS = 16
_LONGEST_KIND = 100


@dataclass(frozen=True, eq=False)
class Source:
    """A picture that was read.

    Attributes
    ----------
    path : Path
        Its file.
    pixels : ndarray
        (..., H, W) or (..., H, W, 1|3|4).
    """

    path: Path
    pixels: NDArray[Any]

    @classmethod
    def of(cls, path: Path) -> Source:
        """Read a file.

        Raises
        ------
        ImageError
            If it holds no picture.
        """
        from napari_anoclip.engine.imaging import check_image  # loads torch

        source = cls(path, read_picture(path))
        try:
            check_image(source.first_plane)
        except (ImageError, IndexError) as error:
            raise ImageError(f"{path.name} is no picture that can be judged. {error}") from error
        return source

    @property
    def map_shape(self) -> tuple[int, ...]:
        """(..., H, W), without colours."""
        shape = self.pixels.shape
        return shape[:-1] if len(shape) > 2 and shape[-1] in (1, 3, 4) else shape

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        height, width = self.map_shape[-2:]
        return height, width

    @property
    def first_plane(self) -> NDArray[Any]:
        """All of it, or the first plane of a stack."""
        plane: NDArray[Any] = self.pixels[(0,) * (len(self.map_shape) - 2)]
        return plane

    def review(self, judgements: Iterable[Judgement], complete: bool) -> ImageReview:
        """What a review holds of it: on the pixels of the picture, and under the key by which the plugin finds it."""
        from napari_anoclip.engine.imaging import fingerprint  # loads torch

        path = self.path.absolute()
        known = fingerprint(self.first_plane)
        return ImageReview(
            key=known[:_KEY_DIGITS],
            name=_text(path.name),
            path=_text(str(path)),
            fingerprint=known,
            map_shape=self.map_shape,
            judgements={one.id: one for one in judgements},
            complete=complete,
        )


def imported(
    number: int, mask: RegionMask, verdict: Verdict, kind: str = "", note: str = "", plane: tuple[int, ...] = ()
) -> Judgement:
    """A judgement of somebody else, measured without a map."""
    return Judgement(
        id=number,
        plane=plane,
        mask=mask,
        verdict=verdict,
        kind=kind,
        note=note,
        origin="imported",
        measures=measure(None, mask),
    )


def kind_named(name: str) -> str:
    """The kind of defect that a category or a folder stands for; none for those that are called just that."""
    kind = " ".join(_text(name).split())[:_LONGEST_KIND]
    return "" if kind == DEFECT else kind


def _text(words: str) -> str:
    """Not every name of a file is text."""
    return words.encode(errors="replace").decode()

"""What an import found: the images that are in it, and why others are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.words import counted
from napari_anoclip.review.imports.problems import AnnotationError
from napari_anoclip.review.judgement import ImageReview


@dataclass(frozen=True)
class Imported:
    """What was read.

    Attributes
    ----------
    images : tuple of ImageReview
        At least one, each with all of its judgements and an absolute path.
    left_out : tuple of str
        One sentence for each picture that could not be read, or that its annotations do not fit.
    """

    images: tuple[ImageReview, ...]
    left_out: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """All of it in words."""
        regions = sum(len(image.judgements) for image in self.images)
        said = f"{counted(len(self.images), 'image')} with {counted(regions, 'region')} imported."
        return " ".join([said, left_out_sentence(self.left_out)]).strip()


class Gathering:
    """Takes images one by one. One that cannot be read is left out as a whole: half of it would be a lie."""

    def __init__(self) -> None:
        self._images: dict[str, ImageReview] = {}
        self._contradicted: set[str] = set()
        self._left_out: list[str] = []
        self._first_error: AnnotationError | ImageError | None = None

    def take(self, name: str, read: Callable[[], ImageReview]) -> None:
        """Take an image, or note under a name why there is none."""
        try:
            image = read()
            # To a review, copies of a picture are one image.
            first = self._images.setdefault(image.key, image)
            if _said(first) != _said(image):
                self._contradicted.add(image.key)
                raise AnnotationError(
                    f"{first.path} and {image.path} are the same picture, but judged in different ways. Take one away."
                )
        except (AnnotationError, ImageError) as error:
            self._first_error = self._first_error or error
            self._left_out.append(f"{name}: {error}")

    def imported(self) -> Imported:
        """All of it.

        Raises
        ------
        AnnotationError, ImageError
            That of the first image, if none is left.
        """
        images = tuple(image for key, image in self._images.items() if key not in self._contradicted)
        if images:
            return Imported(images, tuple(self._left_out))
        raise self._first_error or AnnotationError("There is no image in it. Choose another one.")


def left_out_sentence(left_out: tuple[str, ...]) -> str:
    """Say what is not in it, and why the first one is not; empty if nothing is left out."""
    return f"{counted(len(left_out), 'image')} left out: {left_out[0]}" if left_out else ""


def _said(image: ImageReview) -> tuple[Any, ...]:
    return image.complete, [(one.verdict, one.kind, one.plane, one.mask) for one in image.judgements.values()]

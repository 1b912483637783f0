"""The judged images of a review as the arithmetic asks for them: what was said, with the pixels that it was said of."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.words import named
from napari_anoclip.review.exam import Exam, Question, questions
from napari_anoclip.review.judgement import ImageReview
from napari_anoclip.review.pictures import Picture

if TYPE_CHECKING:
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.plugin.reviewer import Reviewer

_log = logging.getLogger(__name__)

Limits = tuple[float, float] | None

NAMED = 3
"""Images that cannot be had which are named one by one."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Judged images at one moment, to be handed to a worker.

    Attributes
    ----------
    pairs : tuple of tuple
        (what was said, pixels of the file or layer) of each image whose pixels are to be had; not read yet.
    missing : tuple of str
        Names of the others.
    """

    pairs: tuple[tuple[ImageReview, Any], ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[ImageReview, ...]:
        """What was said, image by image."""
        return tuple(image for image, _ in self.pairs)

    def same(self, other: Judged) -> bool:
        """Whether nothing was said since, and the same images are to be had. Quick: judgements are never altered."""
        return len(self.pairs) == len(other.pairs) and all(
            one is another for one, another in zip(self.images, other.images, strict=True)
        )


class JudgedImages(QObject):
    """Gives the judged images of a review to all that put them to a model, none of them read or hashed twice.

    `now` and `only` are for the GUI thread. `questions` and `exam` are for workers that have borrowed a model: there is
    one borrower at a time, so that nothing here needs a lock.

    Parameters
    ----------
    reviewer : Reviewer
        Whose review.

    Attributes
    ----------
    exam : Exam
        Keeps what does not change from one prompt set to the next.
    """

    def __init__(self, reviewer: Reviewer) -> None:
        super().__init__(reviewer)
        self._reviewer = reviewer
        self.exam = Exam()
        self._sources: dict[tuple[str, tuple[int, ...]], tuple[Any, Limits, ImageSource]] = {}
        self._questions: dict[str, tuple[ImageReview, Any, list[Question]]] = {}

    @classmethod
    def of(cls, reviewer: Reviewer) -> JudgedImages:
        """The one that all panels of a reviewer share."""
        return reviewer.findChild(cls) or cls(reviewer)

    def now(self) -> Judged:
        """All images that are judged now."""
        reviewer = self._reviewer
        entry = reviewer.entry
        judged = [image for image in reviewer.review.images.values() if image.judged]
        self._forget_all_but({image.key for image in judged} | ({entry.key} if entry is not None else set()))
        pictures = [(image, reviewer.picture_of(image)) for image in judged]
        return Judged(
            tuple((image, picture) for image, picture in pictures if picture is not None),
            tuple(image.name for image, picture in pictures if picture is None),
        )

    def only(self, image: ImageReview) -> Judged:
        """One image, with whatever is to be said about it."""
        picture = self._reviewer.picture_of(image)
        return Judged((), (image.name,)) if picture is None else Judged(((image, picture),))

    def questions(self, judged: Judged) -> tuple[list[Question], tuple[str, ...]]:
        """Read what was not read yet.

        Parameters
        ----------
        judged : Judged
            What `now` or `only` gave.

        Returns
        -------
        questions : list of Question
            Plane by plane, the same objects while image and picture are the same.
        broken : tuple of str
            Names of images that cannot be read, or are of another size than was judged; they are left out.
        """
        asked: list[Question] = []
        broken = []
        for image, picture in judged.pairs:
            try:
                asked += self._of(image, picture)
            except AnoCLIPError as error:
                _log.warning("%s", error)
                broken.append(image.name)
            except Exception:  # lazy arrays run other people's code, which raises what it likes
                _log.exception("%s could not be read", image.name)
                broken.append(image.name)
        return asked, tuple(broken)

    def _of(self, image: ImageReview, picture: Any) -> list[Question]:
        kept = self._questions.get(image.key)
        if kept is None or kept[0] is not image or not _same_picture(kept[1], picture):
            found = [self._with_source(question, picture) for question in questions(image, picture)]
            kept = self._questions[image.key] = image, picture, found
        return kept[2]

    def _with_source(self, question: Question, picture: Any) -> Question:
        """The same, its pixels hashed: that is how a model finds the tokens that it has of them."""
        from napari_anoclip.engine.image_source import ImageSource

        place = question.image.key, question.plane
        kept = self._sources.get(place)
        limits = question.image.contrast_limits
        if kept is None or not _same_picture(kept[0], picture) or kept[1] != limits:
            kept = self._sources[place] = picture, limits, ImageSource.of(question.source, limits)
        question.check(kept[2].size)
        return Question(kept[2], question.image, question.plane)

    def _forget_all_but(self, keys: set[str]) -> None:
        for key in [key for key in list(self._questions) if key not in keys]:
            self._questions.pop(key, None)
        for place in [place for place in list(self._sources) if place[0] not in keys]:
            self._sources.pop(place, None)


def left_out(names: Iterable[str]) -> str:
    """Say which judged images do not count, in a sentence; nothing if none is left out."""
    names = list(names)
    if not names:
        return ""
    what, them = ("1 judged image does", "it") if len(names) == 1 else (f"{len(names)} judged images do", "them")
    return (
        f"{what} not count, because the pixels cannot be read: {named(names, NAMED)}. Put {them} back, or open {them}."
    )


def _same_picture(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, Picture) and isinstance(other, Picture) and one.path == other.path)

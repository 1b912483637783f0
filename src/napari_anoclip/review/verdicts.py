"""The reviewed truth of all images: every change of it is a value that can be written down, undone and done again.

A change holds what it touches before and after. A journal of changes, replayed from the first, gives the same review
with the same things to undo: `session` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from psygnal import Signal
from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict

DEFAULT_KINDS = ("scratch", "crack", "stain")

MAX_KINDS = 9
"""Each has a key of its own."""


class Change(BaseModel):
    """One step of a review, for one image.

    Attributes
    ----------
    number : int
        Counted from 1 over the whole review, undone ones included.
    does : {"judge", "undo", "redo"}
        Whether it is a step of its own, or takes back or repeats an earlier one.
    of : int
        Number of the step that is undone or repeated; its own otherwise.
    what : str
        In words, for the undo button: "judge region 3 a defect".
    image : str
        Key of the image.
    before, after : dict
        Judgements by number; None where there is none.
    complete : tuple of bool
        Whether the image was, and is, looked at as a whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    does: Literal["judge", "undo", "redo"] = "judge"
    of: int = Field(ge=1)
    what: str
    image: str
    before: dict[int, Judgement | None]
    after: dict[int, Judgement | None]
    complete: tuple[bool, bool]


class Review:
    """Images in their order, their judgements, and the changes that led to them.

    Not thread-safe: it belongs to one thread, the GUI's. Images and judgements are frozen, so that `images` can be
    copied for a worker.

    Parameters
    ----------
    images : iterable of ImageReview
        To begin with.
    kinds : tuple of str
        Kinds of defect, chosen by their place in it.
    """

    changed = Signal(Change)
    """After a change; whatever else is read of the review is up to date."""
    added = Signal(ImageReview)
    """After an image came, or one got another place or path."""
    kinds_changed = Signal(tuple)

    def __init__(self, images: Iterable[ImageReview] = (), kinds: tuple[str, ...] = DEFAULT_KINDS) -> None:
        self._images = {image.key: image for image in images}
        self._kinds = kinds
        self._count = 0
        self._done: list[Change] = []
        self._undone: list[Change] = []

    @property
    def images(self) -> Mapping[str, ImageReview]:
        """Images by key, in their order."""
        return self._images

    @property
    def count(self) -> int:
        """Number of the last change."""
        return self._count

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of defect."""
        return self._kinds

    @kinds.setter
    def kinds(self, kinds: Iterable[str]) -> None:
        wanted = tuple(dict.fromkeys(kind.strip() for kind in kinds if kind.strip()))[:MAX_KINDS]
        if wanted != self._kinds:
            self._kinds = wanted
            self.kinds_changed.emit(wanted)

    @property
    def to_undo(self) -> Change | None:
        """The step that `undo` would take back."""
        return self._done[-1] if self._done else None

    @property
    def to_redo(self) -> Change | None:
        """The step that `redo` would repeat."""
        return self._undone[-1] if self._undone else None

    def add(self, image: ImageReview) -> None:
        """Take an image in, or put a new description (name, path, place) in the place of one with the same key.

        Judgements of one that is there stay as they are.
        """
        known = self._images.get(image.key)
        if known is not None:
            image = image.model_copy(update={"judgements": known.judgements, "complete": known.complete})
        if image != known:
            self._images[image.key] = image
            self.added.emit(image)

    def judge(
        self,
        key: str,
        what: str,
        judgements: Mapping[int, Judgement | None],
        complete: bool | None = None,
    ) -> Change | None:
        """Set judgements of an image in one step.

        Parameters
        ----------
        key : str
            Of the image.
        what : str
            The step in words.
        judgements : mapping
            By number; None takes one away.
        complete : bool, optional
            Whether the image was looked at as a whole from now on; stays as it is otherwise.

        Returns
        -------
        Change or None
            None if nothing changed.

        Raises
        ------
        KeyError
            If there is no such image.
        """
        image = self._images[key]
        before = {number: image.judgements.get(number) for number in judgements}
        whole = image.complete if complete is None else complete
        if before == dict(judgements) and whole == image.complete:
            return None
        number = self._count + 1
        change = Change(
            number=number,
            of=number,
            what=what,
            image=key,
            before=before,
            after=dict(judgements),
            complete=(image.complete, whole),
        )
        self.apply(change)
        return change

    def undo(self) -> Change | None:
        """Take the last step back; None if there is none."""
        if self.to_undo is None:
            return None
        return self._again(self.to_undo, "undo")

    def redo(self) -> Change | None:
        """Repeat the step that was undone last; None if there is none."""
        if self.to_redo is None:
            return None
        return self._again(self.to_redo, "redo")

    def apply(self, change: Change) -> None:
        """Replay a change, in the order of their numbers.

        Raises
        ------
        KeyError
            If its image is not there.
        ValueError
            If a change is missing before it, or it undoes what is not the last step.
        """
        if change.number != self._count + 1:
            raise ValueError(f"change {change.number} cannot follow change {self._count}")
        image = self._images[change.image]
        if change.does == "judge":
            self._done.append(change)
            self._undone.clear()
        else:
            taken, given = (self._done, self._undone) if change.does == "undo" else (self._undone, self._done)
            if not taken or taken[-1].number != change.of:
                raise ValueError(f"change {change.of} is not the one to {change.does}")
            given.append(taken.pop())
        kept = {n: one for n, one in (image.judgements | change.after).items() if one is not None}
        self._images[change.image] = image.model_copy(
            update={"judgements": dict(sorted(kept.items())), "complete": change.complete[1]}
        )
        self._count = change.number
        self.changed.emit(change)

    def counts(self) -> dict[Verdict, int]:
        """How many judgements there are of each verdict."""
        verdicts = [one.verdict for image in self._images.values() for one in image.judgements.values()]
        return {verdict: verdicts.count(verdict) for verdict in Verdict}

    def _again(self, step: Change, does: Literal["undo", "redo"]) -> Change:
        back = does == "undo"
        change = step.model_copy(
            update={
                "number": self._count + 1,
                "does": does,
                "before": step.after if back else step.before,
                "after": step.before if back else step.after,
                "complete": step.complete[::-1] if back else step.complete,
            }
        )
        self.apply(change)
        return change

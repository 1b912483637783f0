"""The pictures of a folder in their order: what is known of each, and which one comes next. Knows no GUI."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from napari_anoclip.review import pace
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.review.judgement import ImageReview


class Show(StrEnum):
    """Which pictures are gone through; the others are passed over."""

    ALL = "all"
    LEFT = "not judged"
    JUDGED = "judged"
    DEFECT = "with defects"
    FALSE = "with false positives"
    UNSURE = "with unsure regions"

    @property
    def picture(self) -> str:
        """What it lets through: "picture that is not judged"."""
        if self is Show.ALL:
            return "picture"
        return f"picture that is {self}" if self in (Show.LEFT, Show.JUDGED) else f"picture {self}"


_WITH = {Show.DEFECT: Verdict.DEFECT, Show.FALSE: Verdict.FALSE, Show.UNSURE: Verdict.UNSURE}


@dataclass(frozen=True)
class Entry:
    """A picture of the queue.

    Attributes
    ----------
    path : Path
        Its file.
    name : str
        Its path below the folder that holds all of them: names in subfolders are often the same.
    problem : str
        Why it cannot be shown, as a sentence; empty where it can, or was not tried.
    done : bool
        Whether all of it was judged.
    counts : tuple of int
        Regions judged a defect, false and unsure.
    """

    path: Path
    name: str
    problem: str = ""
    done: bool = False
    counts: tuple[int, int, int] = (0, 0, 0)

    @property
    def marked(self) -> str:
        """The name with what is known, in words and a sign: "✓ leather_07.png, 2 defects"."""
        if self.problem:
            return f"✕ {self.name}, cannot be read"
        defects, false, unsure = self.counts
        words = [f"{defects} defect{'s' * (defects > 1)}"] * bool(defects)
        words += [f"{unsure} unsure"] * bool(unsure)
        sign = "✓ " if self.done else "… " if any(self.counts) else "    "
        if self.done and not any((defects, unsure)):
            words.append("good")
        elif false and not self.done:
            words.append(f"{false} false")
        return sign + ", ".join([self.name, *words])

    def passes(self, show: Show) -> bool:
        """Whether it is among those that are gone through; one that cannot be read never is."""
        if self.problem:
            return False
        if show in (Show.LEFT, Show.JUDGED):
            return self.done is (show is Show.JUDGED)
        return show is Show.ALL or self.counts[list(Verdict).index(_WITH[show])] > 0


@dataclass
class _Known:
    """What was said about a picture, in all images of a review that are of its file."""

    done: bool = True
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])
    times: set[datetime] = field(default_factory=set)

    def add(self, image: ImageReview) -> None:
        self.done &= image.complete
        for one in image.judgements.values():
            if one.verdict is not None:
                self.counts[list(Verdict).index(one.verdict)] += 1
                self.times.add(one.at)


_NOTHING = _Known(done=False)


@dataclass
class PictureQueue:
    """Pictures in order, what is known of them, and where one is.

    Attributes
    ----------
    paths : sequence of Path
        Absolute.
    at : int or None
        Place of the picture that is shown.
    show : Show
        Which are gone through.
    """

    paths: Sequence[Path] = ()
    at: int | None = None
    show: Show = Show.LEFT
    _problems: dict[int, str] = field(default_factory=dict)
    _known: dict[int, _Known] = field(default_factory=dict)
    _tied: dict[str, set[int]] = field(default_factory=dict)
    _noticed: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._places = {_plain(path): place for place, path in enumerate(self.paths)}
        try:
            self._around = os.path.commonpath({path.parent for path in self.paths})
        except ValueError:  # no picture at all, or pictures of several drives
            self._around = ""
        self._learned = False

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> Entry:
        known = self._known.get(place, _NOTHING)
        defects, false, unsure = known.counts
        path = self.paths[place]
        name = path.relative_to(self._around).as_posix() if self._around else path.name
        return Entry(path, name, self._problems.get(place, ""), known.done, (defects, false, unsure))

    @property
    def judged(self) -> int:
        """How many pictures were judged as a whole, without those that cannot be read now."""
        return len(self._done())

    @property
    def broken(self) -> int:
        """How many pictures cannot be read."""
        return len(self._problems)

    @property
    def left(self) -> int:
        """How many pictures that can be read were not judged as a whole."""
        return len(self) - self.broken - self.judged

    @property
    def progress(self) -> str:
        """How far one is, and how long the rest will take: "37 of 120 judged, about 6 min left"."""
        times = [self._finished(place) for place in self._done()]
        left = pace.remaining([time for time in times if time is not None], self.left)
        said = pace.sentence(self.judged, len(self) - self.broken, left)
        return f"{said} · {self.broken} cannot be read" if self.broken else said

    def learn(self, images: Iterable[ImageReview], base: Path) -> list[int]:
        """Take in what was judged.

        Parameters
        ----------
        images : iterable of ImageReview
            All of a review.
        base : Path
            Folder that their relative paths start from.

        Returns
        -------
        list of int
            Places of which something else is known now.
        """
        before, self._known = self._known, {}
        for image in images:
            if image.judged:
                for place in self._places_of(image, base):
                    self._known.setdefault(place, _Known()).add(image)
        places = before.keys() | self._known.keys()
        changed = [place for place in places if before.get(place) != self._known.get(place)]
        if self._learned:  # what was judged before anybody looked was judged at a time that nobody knows
            now = datetime.now(UTC)
            self._noticed |= {place: now for place in changed if place not in self._noticed}
        self._learned = True
        return changed

    def tie(self, place: int, key: str) -> None:
        """Note which image of a review a picture is, by its pixels, whatever path the review has of it."""
        self._tied.setdefault(key, set()).add(place)

    def mark(self, place: int, problem: str) -> None:
        """Note that a picture cannot be read, or with an empty sentence that it can."""
        if problem:
            self._problems[place] = problem
        else:
            self._problems.pop(place, None)

    def place_of(self, path: Path) -> int | None:
        """Where a file is in the queue."""
        return self._places.get(_plain(path))

    def next(self, step: int, start: int | None = None) -> int | None:
        """The nearest picture that is gone through.

        Parameters
        ----------
        step : int
            1 for those that follow, -1 for those before.
        start : int, optional
            Counted from here, this one left out; from the one that is shown otherwise.

        Returns
        -------
        int or None
            Its place; None if there is none on that side.
        """
        start = self.at if start is None else start
        if start is None:
            start = -1 if step > 0 else len(self)
        places = range(start + step, len(self) if step > 0 else -1, step)
        return next((place for place in places if self[place].passes(self.show)), None)

    def _done(self) -> list[int]:
        return [place for place, known in self._known.items() if known.done and place not in self._problems]

    def _finished(self, place: int) -> datetime | None:
        """When the last verdict on a picture was given; of one without a region, when that was noticed."""
        return max(self._known[place].times, default=self._noticed.get(place))

    def _places_of(self, image: ImageReview, base: Path) -> set[int]:
        """Where the files of an image are in the queue."""
        named = None if image.path is None else self._places.get(_plain(base / image.path))
        tied = self._tied.get(image.key, set())
        return tied if named is None else tied | {named}


def _plain(path: Path) -> str:
    """A path in one way of writing, without asking the disk."""
    return os.path.normcase(os.path.normpath(path))

"""Where verdicts go: into a session that is opened by itself at the first one, and saved by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.later import later
from napari_anoclip.review.regions import RegionSettings
from napari_anoclip.review.session import ENDING, Session, SessionError, SessionLocked
from napari_anoclip.review.verdicts import Review

if TYPE_CHECKING:
    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.review.judgement import ImageReview
    from napari_anoclip.review.verdicts import Change

AUTOSAVE = 5_000
"""Milliseconds after a change until `session.json` and masks are written; the journal has it at once."""

_FIRST = "judged before this session was open"


class ReviewStore(QObject):
    """The review, in memory until there is something to keep, then in a session."""

    changed = Signal(object)
    """A `Change` of the review."""
    touched = Signal()
    """Anything else that the session holds, or when it was saved."""
    opened = Signal()
    """Another session is open."""
    said = Signal(str, str, object)
    """A sentence, with the label of a button and what it does where one helps."""

    _troubled = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.session: Session | None = None
        self.folder: Path | None = None
        """Of the pictures that are gone through: right in it their session is found when it is opened again."""
        self._memory = Review()
        self._settings = RegionSettings()
        self._listen(self._memory)
        self._wanted: Path | None = None
        self._unclaimed: Session | None = None
        self._opening, self._saving = Job(), Job()
        self._opening.succeeded.connect(self._adopt)
        self._opening.failed.connect(self._on_not_opened)
        self._saving.succeeded.connect(lambda _: self.touched.emit())
        self._saving.failed.connect(lambda _: self.touched.emit())  # `trouble` says it
        self._timer = later(self, self._save, AUTOSAVE)
        self._troubled.connect(self._on_trouble)

    @property
    def review(self) -> Review:
        """All images with their judgements."""
        return self._memory if self.session is None else self.session.review

    @property
    def settings(self) -> RegionSettings:
        """What counts as a region."""
        return self._settings if self.session is None else self.session.settings.regions

    @settings.setter
    def settings(self, settings: RegionSettings) -> None:
        if self.session is None:
            self._settings = settings
        else:
            self.session.settings = self.session.settings.model_copy(update={"regions": settings})
            self._timer.start()

    def open(self, folder: Path, take_over: bool = False) -> None:
        """Open a session in a worker, made if it is not there; what was judged before goes into it."""
        if self.session is not None and self.session.folder == folder and not self.session.taken_over:
            return  # it is open here
        self._wanted = folder
        self._opening.start(lambda *_: self._open(folder, take_over), newest=True)

    def open_beside(self, file: Path | None) -> None:
        """Open the session that is kept beside an image, if there is one."""
        if file is not None and not self._opening.busy and Session.is_session(beside(file)):
            self.open(beside(file))

    def begin(self, file: Path | None) -> None:
        """Open a session for an image, unless one is open.

        It is kept in the folder that is gone through, or beside the image, or where neither can be in the user's own
        folder.
        """
        if self.session is not None or self._opening.busy:
            return
        places = [own_folder()] if file is None else [self._home(file), own_folder()]
        for place in places:
            try:
                session = Session.open(place)
            except SessionLocked as error:
                self._wanted = place
                self._on_not_opened(error)
                return
            except SessionError as error:
                why = str(error)
                continue
            if session.trouble:  # a folder that can only be read
                why = session.trouble
                session.close()
                continue
            self._adopt(session)
            if place is places[0]:
                self.said.emit(f"Verdicts are kept in {place.name}, in {place.parent}.", "", None)
            else:
                self.said.emit(f"{why} Verdicts are kept in {place} instead.", "", None)
            return
        self.said.emit(f"{why} Verdicts are in memory only: open a session in another folder.", "", None)

    def keep_threshold(self, threshold: float | None) -> None:
        """Note in the session at what threshold its regions are judged, so that it is opened with that again."""
        if self.session is not None:
            self.session.settings = self.session.settings.model_copy(update={"threshold": threshold})

    def _home(self, file: Path) -> Path:
        folder = self.folder
        return beside(file) if folder is None or folder not in file.parents else kept_in(folder)

    def close_down(self) -> None:
        """Save, and let go of it."""
        self._timer.stop()
        self._opening.close()
        self._saving.close()
        self._close_unclaimed()
        self._listen(self.review, False)
        if self.session is not None:
            self.session.troubled.disconnect(self._relay)
            self.session.close()
            self.session = None

    def _adopt(self, session: Session) -> None:
        """Go on with a session; what was judged without one is added to it, and kept where the session knows more."""
        self._unclaimed = None
        before, old = self.review, self.session
        self._listen(before, False)
        self._timer.stop()
        if old is not None:
            self._saving.close()
            old.troubled.disconnect(self._relay)
            old.close()
        else:
            for image in before.images.values():
                _take_in(session, image)
        self.session = session
        self._memory = Review()
        session.troubled.connect(self._relay)
        self._listen(session.review)
        self.opened.emit()
        for sentence in (session.recovered, session.trouble):
            if sentence:
                self.said.emit(sentence, "", None)
        if session.unsaved:
            self._timer.start()

    def _open(self, folder: Path, take_over: bool) -> Session:
        """Open a session, in the worker."""
        self._close_unclaimed()
        self._unclaimed = Session.open(folder, take_over=take_over)
        return self._unclaimed

    def _close_unclaimed(self) -> None:
        """Close a session that was opened when another one was wanted already: its lock would keep us out."""
        session, self._unclaimed = self._unclaimed, None
        if session is not None:
            session.close()

    def _listen(self, review: Review, on: bool = True) -> None:
        pairs: tuple[tuple[object, Callable[..., None]], ...] = (
            (review.changed, self._on_change),
            (review.added, self._on_touched),
            (review.kinds_changed, self._on_touched),
        )
        for signal, slot in pairs:
            getattr(signal, "connect" if on else "disconnect")(slot)

    def _on_change(self, change: Change) -> None:
        self.changed.emit(change)
        self._autosave()

    def _on_touched(self, _: object) -> None:
        self.touched.emit()
        self._autosave()

    def _autosave(self) -> None:
        if self.session is not None and not self._timer.isActive():
            self._timer.start()

    def _save(self) -> None:
        session = self.session
        if session is None or not session.unsaved:
            return
        if self._saving.busy:
            self._timer.start()
            return
        snapshot = session.snapshot()
        self._saving.start(lambda *_: session.write(snapshot))

    def _relay(self, sentence: str) -> None:
        """From whichever thread found it to the GUI thread."""
        self._troubled.emit(sentence)

    def _on_trouble(self, sentence: str) -> None:
        if sentence:
            self.said.emit(sentence, "", None)
        self.touched.emit()

    def _on_not_opened(self, error: AnoCLIPError) -> None:
        folder = self._wanted
        if isinstance(error, SessionLocked) and folder is not None:
            self.said.emit(str(error), "Take over", partial(self.open, folder, True))
        else:
            self.said.emit(str(error), "", None)


def beside(file: Path) -> Path:
    """Where a session of an image is kept if nobody says otherwise."""
    return kept_in(file.parent)


def kept_in(folder: Path) -> Path:
    """What a session in a folder is called."""
    return folder / f"{folder.name or 'review'}{ENDING}"


def own_folder() -> Path:
    """Where a session of an image without a file is kept: a new one each day, in the user's own data."""
    reviews = Path(platformdirs.user_data_dir("napari-anoclip", appauthor=False)) / "reviews"
    return reviews / f"{datetime.now():%Y-%m-%d}{ENDING}"


def _take_in(session: Session, image: ImageReview) -> None:
    """Add an image with its judgements to a session; what the session has on it stays."""
    review = session.review
    path = None if image.path is None else session.relative(image.path)
    image = image.model_copy(update={"path": path})
    known = review.images.get(image.key)
    review.add(image)
    if known is None:
        return
    free = max(known.next_id, image.next_id)
    judgements = {}
    for number, judgement in image.judgements.items():
        if number in known.judgements:
            number, free = free, free + 1
        judgements[number] = judgement.model_copy(update={"id": number})
    review.judge(image.key, _FIRST, judgements, known.complete or image.complete)

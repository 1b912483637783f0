"""A review that is kept in a folder. What was judged is written down at once; nothing is ever lost.

Each change of the `Review` is a line of the journal before anything else happens (`journal`). `Session.save` writes
what a person reads and other programs open: `session.json`, masks, prompt sets (`session_file`). A folder that was left
in disorder is put in order when it is opened (`restore`). One window at a time writes to it (`lock`).
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import platformdirs
from psygnal import Signal

from napari_anoclip.engine import atomic
from napari_anoclip.engine.progress import CancelFlag
from napari_anoclip.review import journal, lock, session_file
from napari_anoclip.review.journal import Journal, Journaled
from napari_anoclip.review.judgement import ImageReview
from napari_anoclip.review.lock import Lock, SessionError, SessionLocked
from napari_anoclip.review.pictures import find_moved
from napari_anoclip.review.restore import Kinds, Record, Restored, State, TrialAt, as_line, restore
from napari_anoclip.review.session_file import SessionFiles, SessionSettings, Snapshot
from napari_anoclip.review.trials import Trial
from napari_anoclip.review.verdicts import Change

__all__ = ["ENDING", "Session", "SessionError", "SessionLocked", "SessionSettings", "Snapshot"]

ENDING = ".anoclip"
"""Of a session's folder."""

_log = logging.getLogger(__name__)


class Session:
    """An open session; `open` gives one.

    It belongs to the thread of its `review`, which may have got it from another one that opened it. Any thread may call
    `write` and `copy_to` with a `snapshot`, and `find`.

    Attributes
    ----------
    folder : Path
        Where it is kept.
    review : Review
        Images, judgements, kinds. Whatever changes there is written down.
    recovered : str
        What was found damaged, unsaved or old at opening, and what became of it; "" if all was well.
    saved_at : datetime or None
        When it was saved last, UTC.
    troubled : Signal
        (sentence) `trouble` is another now; "" when it is over. Emitted in the thread that found it, which need not be
        that of the review.
    """

    troubled = Signal(str)

    def __init__(self, folder: Path, restored: Restored, held: Lock | None) -> None:
        self.folder = folder
        self.review = restored.review
        self.recovered = restored.sentence
        self.saved_at = None if restored.saved is None else restored.saved.at
        self._settings = restored.settings
        self._trials = tuple(restored.trials)
        self._lock = held
        self._files = SessionFiles(folder)
        self._writing = threading.Lock()
        self._closed = False
        self._trouble = {"journal": "", "save": ""}
        self._saved_lines = restored.saved.lines if restored.saved and restored.journaled else -1
        if restored.saved is not None:
            images = (image for image in self.review.images.values() if image.key not in restored.later)
            damaged = self._files.trust(images, restored.saved.masks)
            if damaged:
                self._saved_lines = -1
                names = ", ".join(self.review.images[key].name for key in damaged)
                self.recovered += f" Masks were damaged and are made anew from the journal: {names}."
        self.recovered = self.recovered.strip()
        self._journal = Journal(folder / journal.FILE, restored.journaled or self._new_journal(), self._check)
        self._journal.troubled.connect(self._on_journal_trouble)
        self._known = set(self.review.images)
        self.review.changed.connect(self._on_changed)
        self.review.added.connect(self._on_added)
        self.review.kinds_changed.connect(self._on_kinds)

    @classmethod
    def open(cls, folder: Path | str, *, take_over: bool = False, owner: str | None = None) -> Session:
        """Open a session, or begin a new one where there is none.

        A lock that was left by a process of this computer that has ended is in nobody's way. A folder that can only be
        read is opened, and `trouble` says that nothing can be saved in it.

        Parameters
        ----------
        folder : Path or str
            Its folder, there or not.
        take_over : bool
            Take it from another window that has it open; that one writes no more.
        owner : str, optional
            Name to show to others; the user's by default.

        Returns
        -------
        Session

        Raises
        ------
        SessionLocked
            If it is open elsewhere.
        SessionError
            If the folder holds other things, nothing can be read of it, or it cannot be made.
        """
        folder = _absolute(folder)
        new = not cls.is_session(folder)
        try:
            if new:
                _make(folder)
            held = Lock.take(folder, owner, take_over=take_over)
        except OSError as error:
            why = atomic.reason(error)
            if new:
                raise SessionError(
                    f"The session {folder.name} cannot be made in {folder.parent} ({why}). Choose another folder."
                ) from error
            session = cls(folder, restore(folder), None)
            session._tell("save", f"Nothing can be saved in {folder.name} ({why}). Save a copy elsewhere.")
            return session
        try:
            restored = Restored.nothing() if new else restore(folder)
            _keep_aside(folder, restored.aside)
            _sweep(folder)
            session = cls(folder, restored, held)
            if session._saved_lines < 0:
                session._put_in_order(must=new)
        except OSError as error:
            held.release()
            raise SessionError(f"The session {folder.name} cannot be put in order ({atomic.reason(error)}).") from error
        except BaseException:
            held.release()
            raise
        return session

    @staticmethod
    def is_session(path: Path | str) -> bool:
        """Whether a session is kept there, be it damaged."""
        return any((Path(path) / name).is_file() for name in (session_file.FILE, journal.FILE))

    @property
    def settings(self) -> SessionSettings:
        """What is set; another one is written down at once."""
        return self._settings

    @settings.setter
    def settings(self, settings: SessionSettings) -> None:
        if settings != self._settings:
            self._settings = settings
            self._note(settings)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The history of prompt sets, the oldest first; another one is written down at once."""
        return self._trials

    @trials.setter
    def trials(self, trials: Iterable[Trial]) -> None:
        before, self._trials = self._trials, tuple(trials)
        if len(self._trials) < len(before):
            self._note(TrialAt(index=len(self._trials), trial=None))
        for index, trial in enumerate(self._trials):
            if index >= len(before) or trial != before[index]:
                self._note(TrialAt(index=index, trial=trial))

    @property
    def trouble(self) -> str:
        """Why something cannot be written at present, in a sentence; "" if all is well."""
        return next((words for words in self._trouble.values() if words), "")

    @property
    def taken_over(self) -> bool:
        """Whether somebody else took it over, so that nothing is written to it from here."""
        try:
            self._check()
        except SessionLocked:
            return True
        except OSError:
            return False
        return False

    @property
    def unsaved(self) -> bool:
        """Whether something changed since it was saved. It is in the journal all the same."""
        return self._journal.lines != self._saved_lines

    @property
    def unsaved_lines(self) -> int:
        """Lines of the journal that came after what was saved last, each a change."""
        return self._journal.lines - max(0, self._saved_lines)

    def snapshot(self) -> Snapshot:
        """All of it as it is now, to be given to `write`; cheap."""
        return Snapshot(
            images=dict(self.review.images),
            kinds=self.review.kinds,
            settings=self._settings,
            trials=self._trials,
            changes=self.review.count,
            journal=self._journal.identity,
            lines=self._journal.lines,
        )

    def write(self, snapshot: Snapshot) -> None:
        """Write what changed since it was saved last; from any thread.

        Raises
        ------
        SessionError
            If it cannot be written, in a sentence that `trouble` has as well. The journal has all of it as far as that
            could be written; the rest is kept in memory.
        """
        with self._writing:
            if snapshot.lines < self._saved_lines:
                return  # a later one was faster
            try:
                self._check()
                self._journal.sync()
                self.saved_at = self._files.write(snapshot)
            except SessionLocked as error:
                self._tell("save", str(error))
                raise
            except OSError as error:
                sentence = (
                    f"{self.folder.name} cannot be saved ({atomic.reason(error)}). Make room or save a copy elsewhere."
                )
                self._tell("save", sentence)
                raise SessionError(sentence) from error
            self._saved_lines = snapshot.lines
            self._tell("save", "")

    def save(self) -> None:
        """Write what changed since it was saved last.

        Raises
        ------
        SessionError
            As `write`.
        """
        self.write(self.snapshot())

    def copy_to(self, folder: Path | str, snapshot: Snapshot | None = None) -> None:
        """Write all of it, with what can be undone, to another folder; this one stays open.

        Parameters
        ----------
        folder : Path or str
            New, or empty.
        snapshot : Snapshot, optional
            What to write, where another thread than the review's does it; as it is now by default.

        Raises
        ------
        SessionError
            If that folder holds something, or cannot be written.
        """
        target = _absolute(folder)
        try:
            _make(target)
            with self._writing:
                self._copy(target, snapshot or self.snapshot())
        except OSError as error:
            raise SessionError(f"No copy could be saved in {target} ({atomic.reason(error)}).") from error

    def close(self) -> None:
        """Save and let go of it; raises nothing.

        What cannot be written where it is goes to the user's own folder of this program, and `trouble` says so.
        """
        if self._closed:
            return
        self._closed = True
        self.review.changed.disconnect(self._on_changed)
        self.review.added.disconnect(self._on_added)
        self.review.kinds_changed.disconnect(self._on_kinds)
        try:
            if self.unsaved and self._lock is not None:
                self.save()
        except SessionError as error:
            _log.warning("%s", error)
        self._journal.close()
        if self._journal.waiting:
            self._rescue()
        if self._lock is not None:
            self._lock.release()

    def path_of(self, image: ImageReview) -> Path | None:
        """The file of an image, if it is where it was."""
        if image.path is None:
            return None
        path = Path(os.path.normpath(self.folder / image.path))
        return path if path.exists() else None

    def find(self, image: ImageReview, folder: Path | None = None, cancel: CancelFlag | None = None) -> Path | None:
        """The file of an image where it was, or wherever a file with its pixels is now; for a worker thread.

        Parameters
        ----------
        image : ImageReview
            Of this session.
        folder : Path, optional
            Where to look, folders in it included; where the session is by default.
        cancel : CancelFlag, optional
            Polled before each file.

        Raises
        ------
        Cancelled
            If the flag is set.
        ImageError
            If the folder cannot be read.
        """
        return self.path_of(image) or find_moved(image.fingerprint, image.name, folder or self.folder.parent, cancel)

    def relative(self, path: Path | str) -> str:
        """A path as an `ImageReview` has it: from the session's folder if it is below that folder's parent."""
        return relative_path(self.folder, path)

    def moved_to(self, key: str, path: Path) -> None:
        """Note that the file of an image is elsewhere now."""
        self.review.add(self.review.images[key].model_copy(update={"path": self.relative(path)}))

    def _on_changed(self, change: Change) -> None:
        self._note(change)

    def _on_added(self, image: ImageReview) -> None:
        # Of an image that is known already, judgements have their own lines.
        known = image.key in self._known
        self._known.add(image.key)
        self._note(_without_judgements(image) if known else image)

    def _on_kinds(self, kinds: tuple[str, ...]) -> None:
        self._note(Kinds(kinds=kinds))

    def _note(self, record: Record) -> None:
        self._journal.append(*as_line(record))

    def _state(self) -> State:
        return State(dict(self.review.images), self.review.kinds, self._settings, list(self._trials))

    def _new_journal(self) -> Journaled:
        """Begin a journal with what is there; only in memory where nothing can be written."""
        lines = [as_line(record) for record in self._state().records()]
        return journal.begun(lines) if self._lock is None else journal.create(self.folder / journal.FILE, lines)

    def _put_in_order(self, must: bool) -> None:
        """Save what was found damaged, old or new."""
        try:
            self.save()
        except SessionError:
            if must:
                self._journal.close()
                raise

    def _copy(self, target: Path, snapshot: Snapshot) -> None:
        """Write a session to an empty folder, with paths as they are from there."""
        there = dict(snapshot.images)
        for image in snapshot.images.values():
            if image.path is not None:
                path = relative_path(target, self.folder / image.path)
                there[image.key] = image.model_copy(update={"path": path})
        state = State(there, snapshot.kinds, snapshot.settings, list(snapshot.trials))
        lines = self._journal.contents()
        if lines is None:
            lines = [as_line(record) for record in state.records()]
        else:
            lines = lines[: snapshot.lines] + [as_line(_without_judgements(image)) for image in there.values()]
        begun = journal.create(target / journal.FILE, lines)
        SessionFiles(target).write(replace(snapshot, images=there, journal=begun.identity, lines=begun.last))

    def _rescue(self) -> None:
        """Write a copy to the user's own folder, because a part cannot be written where it should be."""
        at = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
        target = rescued_folder() / f"{self.folder.stem}-{at}{ENDING}"
        try:
            self.copy_to(target)
        except SessionError as error:
            self._trouble["journal"] = ""
            self._tell("save", f"Changes of {self.folder.name} are lost. {error}")
            _log.error("%s", self.trouble)
        else:
            self._trouble["journal"] = ""
            self._tell("save", f"{self.folder.name} could not be saved: all of it was kept as {target}.")
            _log.warning("%s", self.trouble)

    def _check(self) -> None:
        """Raise what forbids to write."""
        if self._lock is None:
            raise PermissionError(errno.EROFS, "it can only be read")
        self._lock.check()

    def _on_journal_trouble(self, sentence: str) -> None:
        self._tell("journal", sentence)

    def _tell(self, about: str, sentence: str) -> None:
        before, self._trouble[about] = self.trouble, sentence
        if self.trouble != before:
            self.troubled.emit(self.trouble)


def relative_path(folder: Path, path: Path | str) -> str:
    """A path as an image of the session in a folder has it."""
    absolute = _absolute(path)
    below = absolute.is_relative_to(folder.parent)
    kept = Path(os.path.relpath(absolute, folder)) if below else absolute
    return kept.as_posix().encode(errors="replace").decode()  # not every name of a file is text


def rescued_folder() -> Path:
    """Where sessions go that could not be saved in their own place."""
    return Path(platformdirs.user_data_dir("napari-anoclip", appauthor=False)) / "rescued"


def _without_judgements(image: ImageReview) -> ImageReview:
    return image.model_copy(update={"judgements": {}, "complete": False})


def _absolute(path: Path | str) -> Path:
    return Path(os.path.normpath(Path(path).absolute()))  # links stay: they are the names that people gave


def _make(folder: Path) -> None:
    """Make a folder for a session, or take one in which there is nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(path.name != lock.FILE and not path.name.startswith(".") for path in folder.iterdir()):
        raise SessionError(f"{folder} holds other things and is no session. Choose a new name.")


def _keep_aside(folder: Path, names: Iterable[str]) -> None:
    """Copy files that are about to be replaced."""
    at = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    for name in names:
        file = folder / name
        copyfile(file, file.with_name(f"{file.stem}-{at}{file.suffix}"))


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed had not finished."""
    for path in [*folder.glob(".*.new"), *folder.glob("*/.*.new")]:
        with suppress(OSError):
            path.unlink()

"""Who has a session open. One window writes to it; another one is told who that is and may take it over."""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import AnoCLIPError

FILE = "lock.json"

_SAME_START = 60.0
"""Seconds by which two readings of a process's start may differ: they move when the clock is set."""


class SessionError(AnoCLIPError):
    """A session cannot be opened or written; what is in its folder is untouched."""


class SessionLocked(SessionError):
    """Someone has the session open.

    Attributes
    ----------
    holder : Holder or None
        Who; None if the lock file cannot be read.
    """

    def __init__(self, message: str, holder: Holder | None) -> None:
        super().__init__(message)
        self.holder = holder


class Holder(BaseModel):
    """What stands in a lock file.

    Attributes
    ----------
    owner, host : str
        Names of the person and of the computer.
    pid : int
        Of the process.
    started : float
        When that process began, in seconds since 1970: numbers of processes are given anew.
    at : datetime
        When the session was opened, UTC.
    token : str
        Tells this opening from any other.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    owner: str
    host: str
    pid: int
    started: float
    at: datetime
    token: str

    @classmethod
    def this_process(cls, owner: str | None = None) -> Holder:
        """Describe this process."""
        return cls(
            owner=owner or _user(),
            host=socket.gethostname(),
            pid=os.getpid(),
            started=psutil.Process().create_time(),
            at=datetime.now(UTC),
            token=uuid.uuid4().hex,
        )

    @property
    def gone(self) -> bool:
        """Whether it was a process of this computer that has ended; nothing is known of other computers."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            other = abs(process.create_time() - self.started) > _SAME_START
            return bool(other or process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False

    def __str__(self) -> str:
        return f"{self.owner} on {self.host} since {self.at.astimezone():%d %B, %H:%M}"


class Lock:
    """A lock that this process has; `take` it, `check` it before each write, `release` it."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        self.holder = holder
        self._file = folder / FILE
        # Of the file that was found to be ours; of two that take over at the same time, one finds the other one's.
        self._mark: tuple[int, int] | None = None

    @classmethod
    def take(cls, folder: Path, owner: str | None = None, *, take_over: bool = False) -> Lock:
        """Take a session's lock; one that was left by a process that has ended is in nobody's way.

        Parameters
        ----------
        folder : Path
            Of the session.
        owner : str, optional
            Name to show to others; the user's by default.
        take_over : bool
            Take it from whoever has it: that one sees it before the next write, and writes no more.

        Raises
        ------
        SessionLocked
            If someone else has it.
        OSError
            If it cannot be written.
        """
        file = folder / FILE
        holder = Holder.this_process(owner)
        content = holder.model_dump_json(indent=1)
        try:
            _write_if_new(file, content)
        except FileExistsError:
            other = _read(file)
            if not take_over and (other is None or not other.gone):
                raise _locked(folder, other) from None
            atomic.write(file, content)
        return cls(folder, holder)

    def check(self) -> None:
        """Make sure of the lock; cheap.

        Raises
        ------
        SessionLocked
            If it was taken over.
        OSError
            If the folder is gone.
        """
        mark = None
        try:
            mark = _mark(self._file)
            if mark == self._mark:
                return
        except FileNotFoundError:
            _write_if_new(self._file, self.holder.model_dump_json(indent=1))
        found = _read(self._file)
        if found is None or found.token != self.holder.token:
            who = "someone else" if found is None else str(found)
            raise SessionLocked(
                f"{self._file.parent.name} was taken over by {who}: nothing more is written to it from here. "
                "Save a copy, or take it over again.",
                found,
            )
        self._mark = mark

    def release(self) -> None:
        """Give it back, if it was not taken over."""
        try:
            found = _read(self._file)
            if found is not None and found.token == self.holder.token:
                self._file.unlink(missing_ok=True)
        except OSError:
            pass  # this process ends, or says so otherwise: its lock will be in nobody's way


def _locked(folder: Path, holder: Holder | None) -> SessionLocked:
    who = f"by {holder}" if holder else f"by someone (its {FILE} cannot be read)"
    return SessionLocked(f"The session {folder.name} is open {who}: close it there, or take it over.", holder)


def _write_if_new(file: Path, content: str) -> None:
    """Write a lock whole or not at all, unless there is one (FileExistsError)."""
    temporary = file.with_name(f".{uuid.uuid4().hex}.new")
    try:
        temporary.write_text(content, encoding="utf-8")
        try:
            os.link(temporary, file)
        except FileExistsError:
            raise
        except OSError:  # a disk without links: killed right here, it leaves an empty lock, which asks
            with file.open("x", encoding="utf-8") as new:
                new.write(content)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _read(file: Path) -> Holder | None:
    try:
        return Holder.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _mark(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # differs by version and system
        return "someone"

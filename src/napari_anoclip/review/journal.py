"""A session's journal: one line for each thing that happens, written before anything else is done about it.

Lines are only ever added. Each has its number and a checksum, so that what a power failure or a full disk leaves of a
line is known for what it is; the line is written again, and the remains do no harm. When `Journal.append` returns, the
system has the line, and killing the process cannot take it back; a thread sees to it that it is on the disk soon after,
for the case that the power fails.
"""

from __future__ import annotations

import json
import os
import re
import threading
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from psygnal import Signal

from napari_anoclip.engine import atomic
from napari_anoclip.engine.foreign import json_of
from napari_anoclip.review.lock import SessionLocked

FILE = "journal.jsonl"

FORMAT = 1

RETRY = 2.0
"""Seconds between attempts to write what could not be written."""

_LINE = re.compile(rb'\{"line":(\d+),"(\w+)":(.*),"sum":"([0-9a-f]{8})"\}')


class Entry(NamedTuple):
    """A line: its number from 1, what it is, and that as JSON."""

    line: int
    kind: str
    text: str

    def __bytes__(self) -> bytes:
        body = f'{{"line":{self.line},"{self.kind}":{self.text}'.encode()
        return body + b',"sum":"%08x"}\n' % zlib.crc32(body)


@dataclass(frozen=True)
class Journaled:
    """What was read of a journal.

    Attributes
    ----------
    identity : str
        Of the journal, so that `session.json` can say which one it counts lines of; "" where that was not readable.
    format : int
        Of its lines.
    entries : list of Entry
        Readable lines in the order of their numbers.
    whole_to : int
        Up to this line none is missing.
    torn : bool
        Whether it ends in the middle of a line.
    """

    identity: str
    format: int
    entries: list[Entry]
    whole_to: int
    torn: bool

    @property
    def whole(self) -> bool:
        """Whether no line is missing between the first and the last."""
        return bool(self.identity) and self.whole_to == self.last

    @property
    def last(self) -> int:
        """Number of the last line; 0 where there is none."""
        return self.entries[-1].line if self.entries else 0


def read(path: Path) -> Journaled:
    """Read whatever can be read.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    data = path.read_bytes()
    identity, form = "", FORMAT
    entries: dict[int, Entry] = {}
    for raw in data.split(b"\n"):
        if (header := _header(raw)) is not None:
            identity, form = identity or header[0], header[1]
        elif (entry := _entry(raw)) is not None:
            entries.setdefault(entry.line, entry)
    ordered = sorted(entries.values())
    whole_to = next((n for n, entry in enumerate(ordered) if entry.line != n + 1), len(ordered))
    return Journaled(identity, form, ordered, whole_to, torn=bool(data) and not data.endswith(b"\n"))


def begun(contents: Iterable[tuple[str, str]]) -> Journaled:
    """A new journal that is nowhere yet, of what it shall begin with as (kind, JSON)."""
    entries = [Entry(number, kind, content) for number, (kind, content) in enumerate(contents, 1)]
    return Journaled(uuid.uuid4().hex, FORMAT, entries, len(entries), torn=False)


def create(path: Path, contents: Iterable[tuple[str, str]]) -> Journaled:
    """Begin a new journal in the place of any other.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    found = begun(contents)
    atomic.write(path, b"".join([_header_line(found.identity), *map(bytes, found.entries)]), durable=True)
    return found


class Journal:
    """A journal that is written to.

    Parameters
    ----------
    path : Path
        Its file.
    found : Journaled
        What was read of it, or begun.
    check : callable
        Called before each write; raises `SessionLocked` or OSError if nothing may be written.

    Attributes
    ----------
    troubled : Signal
        (sentence) Lines cannot be written; "" when they could be again. In whichever thread that was found.
    """

    troubled = Signal(str)

    def __init__(self, path: Path, found: Journaled, check: Callable[[], None]) -> None:
        self._path = path
        self._check = check
        self.identity = found.identity
        self._lines = found.last
        self._waiting: deque[Entry] = deque()
        self._torn = found.torn
        self._file: int | None = None
        self._unsynced = False
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.trouble = ""

    @property
    def lines(self) -> int:
        """Number of the last line, written or waiting."""
        return self._lines

    @property
    def waiting(self) -> int:
        """Lines that could not be written so far."""
        return len(self._waiting)

    def append(self, kind: str, content: str) -> None:
        """Add a line; raises nothing: what cannot be written waits.

        Parameters
        ----------
        kind : str
            What it is.
        content : str
            JSON.
        """
        with self._lock:
            self._lines += 1
            self._waiting.append(Entry(self._lines, kind, content))
            self._attempt(self._drain)
        self._start_thread()
        self._wake.set()

    def sync(self) -> None:
        """Write what waits and come back when all is on the disk.

        Raises
        ------
        SessionLocked
            If the session was taken over.
        OSError
            If that cannot be.
        """
        error = self._attempt(self._sync)
        if error is not None:
            raise error

    def close(self) -> None:
        """Write and sync what can be, and end the thread. Lines may still be waiting afterwards."""
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._attempt(self._sync)
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def contents(self) -> list[tuple[str, str]] | None:
        """All lines from the first, those that wait too, as (kind, JSON); None if the file does not have them any more.

        What another window wrote that has taken the session over is left out.
        """
        with self._lock:
            waiting = list(self._waiting)
            written = self._lines - len(waiting)
            try:
                found = read(self._path)
            except OSError:
                return None
            if found.identity != self.identity or found.whole_to < written:
                return None
            return [(entry.kind, entry.text) for entry in [*found.entries[:written], *waiting]]

    def _attempt(self, work: Callable[[], None]) -> SessionLocked | OSError | None:
        """Write or sync, and keep in words what is in the way."""
        try:
            work()
        except SessionLocked as error:
            self._say(str(error))
            return error
        except OSError as error:
            self._say(
                f"Changes cannot be written to {self._path.parent.name} ({atomic.reason(error)}): they are kept in "
                "memory and tried again. Make room, or save a copy elsewhere."
            )
            return error
        if not self._waiting:  # what another thread could not write meanwhile is still in the way
            self._say("")
        return None

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self.troubled.emit(trouble)

    def _sync(self) -> None:
        with self._lock:
            self._drain()
            file = os.dup(self._file) if self._unsynced and self._file is not None else None
            self._unsynced = False
        if file is None:
            return
        try:  # without the lock: the one who judges does not wait for the disk
            os.fsync(file)
        except OSError:
            self._unsynced = True
            raise
        finally:
            os.close(file)

    def _drain(self) -> None:
        while self._waiting:
            self._check()
            file = self._opened()
            self._write(file, bytes(self._waiting[0]))
            self._waiting.popleft()

    def _opened(self) -> int:
        if self._file is not None and os.fstat(self._file).st_nlink == 0:  # someone removed it
            os.close(self._file)
            self._file = None
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._file = os.open(self._path, flags, 0o666)
        if os.fstat(self._file).st_size == 0:
            self._torn = False
            self._write(self._file, _header_line(self.identity))
        return self._file

    def _write(self, file: int, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        while data:
            written = os.write(file, data)
            self._torn, self._unsynced = True, True
            data = data[written:]
        self._torn = False

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._sync_and_retry, name="anoclip-journal", daemon=True)
            self._thread.start()

    def _sync_and_retry(self) -> None:
        """Body of the thread."""
        while not self._closed:
            self._wake.wait(RETRY if self._waiting else None)
            self._wake.clear()
            self._attempt(self._sync)


def _header_line(identity: str) -> bytes:
    header = {"journal": "napari-anoclip session", "format": FORMAT, "id": identity}
    return json.dumps(header, separators=(",", ":")).encode() + b"\n"


def _header(raw: bytes) -> tuple[str, int] | None:
    if not raw.startswith(b'{"journal"'):
        return None
    try:
        found = json_of(raw)
        return str(found["id"]), int(found["format"])
    except (ValueError, KeyError, TypeError):
        return None


def _entry(raw: bytes) -> Entry | None:
    """Read a line; None if it is damaged. One that a person has edited has no checksum."""
    match = _LINE.fullmatch(raw)
    if match is not None:
        number, kind, content, checksum = match.groups()
        right = zlib.crc32(raw[: match.end(3)]) == int(checksum, 16)
        return Entry(int(number), kind.decode(), content.decode()) if right else None
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        found = json_of(raw)
        number = int(found.pop("line"))
        if len(found) == 1:
            kind, content = found.popitem()
            return Entry(number, kind, json.dumps(content))
    return None

"""Prompt files read, written and watched in threads: a slow disk stops nobody's typing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QFileSystemWatcher, QObject, Signal

from napari_anoclip.engine import prompt_file
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.later import later

SETTLING = 200
"""Milliseconds that another program is given to finish writing a file."""


class PromptFiles(QObject):
    """Reads and writes one file at a time, and watches the one that is edited.

    Attributes
    ----------
    changed_on_disk : Signal
        (path) Another program changed the watched file.
    failed : Signal
        (sentence) A file could not be read or written.
    """

    changed_on_disk = Signal(object)
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._fingerprint = ""
        self._job, self._glance = Job(), Job()
        self._job.failed.connect(lambda error: self.failed.emit(str(error)))
        for job in (self._job, self._glance):
            job.succeeded.connect(_call)
        self._watcher = QFileSystemWatcher(self)
        self._settling = later(self, self.look, SETTLING)
        self._watcher.fileChanged.connect(lambda *_: self._settling.start())

    def read(self, path: Path, done: Callable[[PromptSet, str], None]) -> None:
        """Read a file; `done` gets what is in it, and its fingerprint."""

        def work(*_: Any) -> Callable[[], None]:
            fingerprint = fingerprint_of(path)
            return partial(done, PromptSet.load(path), fingerprint)

        self._start(work)

    def write(
        self,
        path: Path,
        prompts: PromptSet,
        known: str | None,
        done: Callable[[str], None],
        refused: Callable[[], None],
    ) -> None:
        """Write a file, complete or not at all.

        Parameters
        ----------
        path : Path
            Where to.
        prompts : PromptSet
            What.
        known : str or None
            Fingerprint of what may be written over; None for anything.
        done : callable
            Gets the new fingerprint.
        refused : callable
            Called if there is something else.
        """

        def work(*_: Any) -> Callable[[], None]:
            if known is not None and path.exists() and fingerprint_of(path) != known:
                return refused
            prompts.save(path)
            return partial(done, fingerprint_of(path))

        self._start(work)

    def watch(self, path: Path | None, fingerprint: str) -> None:
        """Watch a file for other content than what is known of it."""
        self._path, self._fingerprint = path, fingerprint
        # A file that another one was put in place of is no longer watched and must be added again.
        watched, wanted = self._watcher.files(), [str(path)] if path is not None and path.exists() else []
        if watched != wanted:
            if watched:
                self._watcher.removePaths(watched)
            if wanted:
                self._watcher.addPaths(wanted)

    def look(self) -> None:
        """Look whether the watched file has other content."""
        path, fingerprint = self._path, self._fingerprint
        if path is not None:
            self._glance.start(
                lambda *_: partial(self._on_looked, path, path.exists() and fingerprint_of(path) != fingerprint),
                newest=True,
            )

    def close_down(self) -> None:
        """Stop whatever is under way."""
        self._settling.stop()
        self._job.close()
        self._glance.close()

    def _start(self, work: Callable[..., Callable[[], None]]) -> None:
        if not self._job.start(work):
            self.failed.emit("A prompt file is being read or written. Try again in a moment.")

    def _on_looked(self, path: Path, changed: bool) -> None:
        if path == self._path:
            self.watch(path, self._fingerprint)
            if changed:
                self.changed_on_disk.emit(path)


def fingerprint_of(path: Path) -> str:
    """Hash of a prompt file's text.

    Raises
    ------
    PromptFileError
        If it cannot be read.
    """
    return hashlib.sha256(prompt_file.text_of(path).encode()).hexdigest()


def _call(what: Callable[[], None]) -> None:
    what()

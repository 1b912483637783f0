"""Prompt embeddings that were computed once: in memory, and on disk for the next start."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
T = TypeVar("T")

FILE_NAME = "prompt-embeddings-1.sqlite3"
DEFAULT_MAX_BYTES = 256 * 2**20

_log = logging.getLogger(__name__)

_BUSY_SECONDS = 5.0
_PROMPTS_A_QUERY = 500
"""SQLite takes 999 variables a query in its older builds."""


class EmbeddingCache:
    """Un-normalised embeddings by model and prompt, bounded in memory and on disk.

    The disk part is a help, never a need: a damaged file is put aside and begun anew; where the folder is read-only
    or full the memory part goes on alone, which is logged once. Several threads and processes may share a folder.

    Parameters
    ----------
    folder : Path, optional
        Where the file goes; None keeps to memory.
    max_bytes : int
        Bound of each part, in bytes; the longest unused (memory) and the oldest (disk) go first.
    """

    def __init__(self, folder: Path | None, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._path = None if folder is None else Path(folder) / FILE_NAME
        self._max_bytes = max_bytes
        self._memory: OrderedDict[tuple[str, str], Vector] = OrderedDict()
        self._memory_bytes = 0
        self._lock = threading.Lock()

    def get(self, model_id: str, prompts: Iterable[str]) -> dict[str, Vector]:
        """Find what is known.

        Parameters
        ----------
        model_id : str
            Name of the model's weights.
        prompts : iterable of str
            Finished prompts.

        Returns
        -------
        dict
            Prompt to (C,) float32, read-only, of those that are known.
        """
        wanted = list(dict.fromkeys(prompts))
        found = self._recall(model_id, wanted)
        missing = [prompt for prompt in wanted if prompt not in found]
        if missing:
            stored = self._read(model_id, missing)
            self._remember(model_id, stored)
            found.update(stored)
        return found

    def put(self, model_id: str, embeddings: Mapping[str, Vector]) -> None:
        """Keep embeddings.

        Parameters
        ----------
        model_id : str
            Name of the model's weights.
        embeddings : mapping
            Prompt to (C,) float32.
        """
        self._remember(model_id, embeddings)
        self._write(model_id, embeddings)

    def _recall(self, model_id: str, prompts: list[str]) -> dict[str, Vector]:
        found = {}
        with self._lock:
            for prompt in prompts:
                key = (model_id, prompt)
                if key in self._memory:
                    self._memory.move_to_end(key)
                    found[prompt] = self._memory[key]
        return found

    def _remember(self, model_id: str, embeddings: Mapping[str, Vector]) -> None:
        with self._lock:
            for prompt, vector in embeddings.items():
                kept = np.array(vector, dtype=np.float32)
                kept.flags.writeable = False
                old = self._memory.pop((model_id, prompt), None)
                self._memory[model_id, prompt] = kept
                self._memory_bytes += kept.nbytes - (0 if old is None else old.nbytes)
            while self._memory_bytes > self._max_bytes:
                _, dropped = self._memory.popitem(last=False)
                self._memory_bytes -= dropped.nbytes

    def _read(self, model_id: str, prompts: list[str]) -> dict[str, Vector]:
        def select(database: sqlite3.Connection) -> dict[str, Vector]:
            found: dict[str, Vector] = {}
            for start in range(0, len(prompts), _PROMPTS_A_QUERY):
                chunk = prompts[start : start + _PROMPTS_A_QUERY]
                marks = ", ".join("?" * len(chunk))
                query = f"SELECT prompt, vector, checksum FROM embeddings WHERE model = ? AND prompt IN ({marks})"  # noqa: S608
                for prompt, data, checksum in database.execute(query, (model_id, *chunk)):
                    if zlib.crc32(data) == checksum:
                        found[prompt] = np.frombuffer(data, dtype="<f4")
            return found

        return self._on_disk(select, {})

    def _write(self, model_id: str, embeddings: Mapping[str, Vector]) -> None:
        rows = []
        for prompt, vector in embeddings.items():
            data = np.asarray(vector, dtype="<f4").tobytes()
            rows.append((model_id, prompt, data, zlib.crc32(data)))

        def insert(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", rows)
                self._prune(database)

        self._on_disk(insert, None)

    def _prune(self, database: sqlite3.Connection) -> None:
        """Delete the older half until the rest fits; freed pages are used again, so that the file stops growing."""
        while _bytes_used(database) > self._max_bytes:
            (rows,) = database.execute("SELECT count(*) FROM embeddings").fetchone()
            if rows == 0:
                return
            database.execute(
                "DELETE FROM embeddings WHERE rowid IN (SELECT rowid FROM embeddings ORDER BY rowid LIMIT ?)",
                (rows // 2 + 1,),
            )

    def _on_disk(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do one piece of work with the file; where that cannot be, give up the disk part and answer otherwise."""
        path = self._path
        if path is None:
            return otherwise
        try:
            try:
                return _connected(path, work)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                _log.warning("The prompt cache %s was damaged; it is put aside and begun anew.", path)
                _put_aside(path)
                return _connected(path, work)
        except (OSError, sqlite3.Error) as error:
            self._path = None
            _log.warning("The prompt cache %s cannot be used (%s); prompts are kept in memory only.", path, error)
            return otherwise


def _connected(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do one piece of work with a connection of its own, which keeps threads apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(
            "CREATE TABLE IF NOT EXISTS embeddings "
            "(model TEXT, prompt TEXT, vector BLOB, checksum INTEGER, PRIMARY KEY (model, prompt))"
        )
        return work(database)


def _put_aside(path: Path) -> None:
    path.replace(path.with_suffix(".damaged"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _bytes_used(database: sqlite3.Connection) -> int:
    (page_bytes,), (pages,), (free,) = (
        database.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "page_count", "freelist_count")
    )
    used: int = (pages - free) * page_bytes
    return used

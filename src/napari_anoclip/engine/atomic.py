"""Files that are there whole or not at all: written under another name beside their place, then renamed."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EFBIG: "the file would become too large",
    errno.EROFS: "it can only be read there",
    errno.EACCES: "it can only be read there",
    errno.EPERM: "it can only be read there",
    errno.ENOENT: "the folder is gone",
    errno.ENOTDIR: "the folder is gone",
}


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Write a file in one step.

    Parameters
    ----------
    path : Path
        The file; what was there before stays until the new one is complete.
    durable : bool
        Come back only when it is on the disk, so that it outlives a power failure.

    Yields
    ------
    Path
        To be written to: in the same folder, hidden, unlike any other process's. It is gone afterwards.

    Raises
    ------
    OSError
        If it cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.new")
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):  # whatever went wrong before is the news
            temporary.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def write(path: Path, content: bytes | str, *, durable: bool = False) -> None:
    """Write bytes, or text as UTF-8 with plain line feeds, as `replacing` does."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system has that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks have it not
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reason(error: OSError) -> str:
    """Why a file could not be written, as half a sentence for a person."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)

"""Consoles and files that cannot take every letter: they get plain ones, and no command fails for want of an arrow."""

from __future__ import annotations

import codecs
import io
from typing import IO, Any

PLAIN = {"→": "->", "×": "x", "…": "...", "“": '"', "”": '"', "·": "-", "≤": "<=", "≥": ">="}
"""What stands for letters of ours; of names, others are spelled out."""

_HANDLER = "anoclip-plain-letters"


def make_safe(*streams: IO[Any] | None) -> None:
    """Have streams write plain letters where their encoding lacks the right ones.

    Parameters
    ----------
    *streams : file or None
        Standard output and standard error; None where a program has none.
    """
    codecs.register_error(_HANDLER, _plain)
    for stream in streams:
        # Where Python itself chose surrogateescape, bytes of names come out as they are.
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "surrogateescape":
            stream.reconfigure(errors=_HANDLER)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    if error.object[error.start] in PLAIN:
        return PLAIN[error.object[error.start]], error.start + 1
    only_this = UnicodeEncodeError(error.encoding, error.object, error.start, error.start + 1, error.reason)
    return codecs.backslashreplace_errors(only_this)

"""Numbers, names and reasons in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, thing: str) -> str:
    """Say how many there are of what this word names one of: "1 image", "2,000 images"."""
    return f"1 {thing}" if number == 1 else f"{number:,} {thing}s"


def named(names: Iterable[str], most: int = 5) -> str:
    """The first of some names, and how many more there are: "a, b and 3 more"."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def first_line(error: Exception) -> str:
    """What an error of another library says, as far as it fits into a sentence; else what kind of error it is."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

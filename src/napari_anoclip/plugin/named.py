"""Many names in a sentence."""

from __future__ import annotations

from collections.abc import Iterable


def named(names: Iterable[str], most: int = 5) -> str:
    """The first of some names, and how many more there are: "a, b and 3 more"."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

"""The table of `reference/errors.md`: all typed errors, and when. Written by ``python -m docs.generate``."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import napari_anoclip
from napari_anoclip.engine.errors import AnoCLIPError


def parts() -> dict[str, str]:
    """The table by its name."""
    for module in pkgutil.walk_packages(napari_anoclip.__path__, "napari_anoclip."):
        import_module(module.name)
    rows = [
        f"| {'&nbsp;' * 4 * depth}`{error.__name__}` | `{error.__module__}` | {_when(error)} |"
        for error, depth in tree()
    ]
    return {"errors": "\n".join(["| error | module | when |", "|---|---|---|", *rows])}


def tree(base: type[AnoCLIPError] = AnoCLIPError, depth: int = 0) -> Iterator[tuple[type[AnoCLIPError], int]]:
    """A type of error, and below it those that are more special, each with its depth."""
    yield base, depth
    for inner in sorted(base.__subclasses__(), key=lambda error: (error.__module__, error.__name__)):
        if inner.__module__.startswith("napari_anoclip."):
            yield from tree(inner, depth + 1)


def _when(error: type[AnoCLIPError]) -> str:
    return (inspect.getdoc(error) or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")

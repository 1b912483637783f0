"""What anybody may have written: JSON and YAML as plain values, and names of files; what is wrong is a ValueError.

The parsers themselves fail in many ways on what was made to break them: lists nested ten thousand deep, dates with a
month 13, tags that no builder knows. References in YAML, by which a few lines stand for more than any memory holds, are
not followed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import yaml


class NotYAML(ValueError):
    """The text is not YAML, or YAML that is not read here; ``line`` (counted from 1) says where, if that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Loader(yaml.SafeLoader):
    """Reads plain values only, each written where it stands."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse references (``*name``); all else as usual."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "references with * are not followed; write it out", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def json_of(text: str | bytes) -> Any:
    """Parse JSON.

    Raises
    ------
    ValueError
        If it is none; `json.JSONDecodeError` where the parser knows the place.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def yaml_of(text: str) -> Any:
    """Parse YAML.

    Raises
    ------
    NotYAML
        If it is none.
    """
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise NotYAML(error.problem or "it cannot be parsed", mark.line + 1 if mark else None) from error
    except RecursionError as error:
        raise NotYAML("it is nested too deeply") from error
    # The builders of numbers, dates and switches each fail in their own way on a text that is none.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise NotYAML("it holds something that cannot be read") from error


def within(folder: Path, name: str) -> Path:
    """Follow a name that was read from a file, which may lead anywhere.

    Parameters
    ----------
    folder : Path
        Where it has to stay.
    name : str
        Relative to that.

    Returns
    -------
    Path
        Below the folder, by itself and by all links.

    Raises
    ------
    ValueError
        If it leads out of the folder, or to that itself.
    """
    path = folder / name
    # Not pathlib's own, which raises where links go round in a circle.
    real, home = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if home not in real.parents:
        raise ValueError(f"{name!r} leads out of {folder.name}")
    return path

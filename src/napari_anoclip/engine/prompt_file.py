"""Prompt files: YAML that a person can edit, read with the line of every mistake.

The YAML is only parsed into nodes, never into objects: each node's line is at hand, ``on: false`` stays a key called
"on", and no tag can build anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import PromptFileError
from napari_anoclip.engine.foreign import Loader

FORMAT = 1
MAX_BYTES = 1_000_000
LONGEST_REASON = 400
"""Letters."""

Fault = Callable[[str, str], str | None]
"""What is wrong with an entry, given its list and its text."""

_PLAIN_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "bool", "int", "float", "timestamp", "value", "merge")}
_SWITCH = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


class _Dumper(yaml.SafeDumper):
    """Writes the key "on" without quotes: only true and false are switches here."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {  # noqa: RUF012 - as declared by the base class
        first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }


class Fields:
    """Keys of a prompt file by what stands under them: one text, entries that can be off, or plain texts."""

    def __init__(self, texts: tuple[str, ...], entries: tuple[str, ...], lists: tuple[str, ...]) -> None:
        self.texts = texts
        self.entries = entries
        self.lists = lists
        self.all = ("format", *texts, *entries, *lists)


class PromptFile:
    """A prompt file, parsed.

    Parameters
    ----------
    text : str
        The whole file.
    source : str
        What to call it in an error.
    fields : Fields
        Keys that may stand in it.
    fault : callable
        Judges each entry that is on.

    Attributes
    ----------
    values : dict
        Texts, lists of texts, and entries as mappings of text and on, by key.

    Raises
    ------
    PromptFileError
        With line and reason, if anything in the file is not as it should be.
    """

    def __init__(self, text: str, source: str, fields: Fields, fault: Fault) -> None:
        self._source = source
        self._fault = fault
        self._lines: dict[str, int] = {}
        self.values: dict[str, Any] = {}
        if len(text) > MAX_BYTES:
            raise self.error(f"it is larger than {MAX_BYTES // 1000} kB, too much for a prompt file")
        for key_node, node in self._pairs(self._root(text)):
            key = self._text(key_node)
            if key not in fields.all:
                raise self.error(f"the key {key!r} is not known; known are {', '.join(fields.all)}", key_node)
            if key in self._lines:
                raise self.error(f"the key {key!r} comes a second time", key_node)
            self._lines[key] = _line(key_node)
            if key == "format":
                self._check_format(node)
            elif key in fields.texts:
                self.values[key] = self._text(node)
            elif key in fields.entries:
                self.values[key] = [self._entry(key, item) for item in self._items(key, node)]
            else:
                self.values[key] = [self._text(item) for item in self._items(key, node)]
        if "format" not in self._lines:
            raise self.error(f"it has no 'format: {FORMAT}' and so may not be a prompt file")

    def error(self, reason: str, where: yaml.Node | str | None = None) -> PromptFileError:
        """Make an error that names file, line and reason; `where` is a node or a key of the file."""
        line = self._lines.get(where) if isinstance(where, str) else _line(where) if where is not None else None
        return _error(self._source, reason, line)

    def _root(self, text: str) -> yaml.Node:
        try:
            root: yaml.Node | None = yaml.compose(text, Loader=Loader)
        except yaml.MarkedYAMLError as error:
            # What never ends is reported where it began; anything else where the parser stumbled.
            endless = "end of stream" in (error.problem or "")
            mark = error.context_mark if endless and error.context_mark else error.problem_mark
            raise _error(
                self._source, f"this is not YAML ({error.problem})", mark.line + 1 if mark else None
            ) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise _error(self._source, "there is a character that YAML does not allow", line) from error
        except RecursionError as error:
            raise _error(self._source, "lists are nested too deeply", None) from error
        if root is None:
            raise self.error("it is empty")
        return root

    def _pairs(self, node: yaml.Node) -> list[tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error("keys with values, such as 'object: bottle', were expected", node)
        self._refuse_tag(node, "tag:yaml.org,2002:map")
        pairs: list[tuple[yaml.Node, yaml.Node]] = node.value
        return pairs

    def _items(self, key: str, node: yaml.Node) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"{key!r} must be a list, each line starting with '- '", node)
        self._refuse_tag(node, "tag:yaml.org,2002:seq")
        items: list[yaml.Node] = node.value
        return items

    def _text(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self.error("a text was expected here; put it in quotes if it starts with { or [", node)
        if node.tag == "tag:yaml.org,2002:null":
            raise self.error("there is nothing where a text was expected", node)
        self._refuse_tag(node, *_PLAIN_TAGS)
        text: str = node.value
        return text

    def _entry(self, key: str, node: yaml.Node) -> dict[str, Any]:
        entry: dict[str, Any] = {"on": True}
        if isinstance(node, yaml.MappingNode):
            for part_node, value in self._pairs(node):
                part = self._text(part_node)
                if part == "text":
                    entry["text"] = self._text(value)
                elif part == "on":
                    entry["on"] = self._switch(value)
                else:
                    raise self.error(
                        f"an entry has 'text' and 'on', not {part!r}; put texts with {{}} in quotes", part_node
                    )
        else:
            entry["text"] = self._text(node)
        if not entry.get("text", "").strip():
            raise self.error("the entry has no text", node)
        fault = self._fault(key, entry["text"]) if entry["on"] else None
        if fault is not None:
            raise self.error(fault, node)
        return entry

    def _switch(self, node: yaml.Node) -> bool:
        text = self._text(node).lower()
        if text not in _SWITCH:
            raise self.error(f"'on' is true or false, not {text!r}", node)
        return _SWITCH[text]

    def _check_format(self, node: yaml.Node) -> None:
        text = self._text(node)
        if text != str(FORMAT):
            raise self.error(f"format {text!r} is not known to this version, which reads format {FORMAT}", node)

    def _refuse_tag(self, node: yaml.Node, *allowed: str) -> None:
        if node.tag not in allowed:
            raise self.error(f"the YAML tag {node.tag!r} is not allowed; remove it", node)


def dump(values: Mapping[str, Any]) -> str:
    """Write a prompt set's plain values as text; entries that are on become plain texts, empty values are left out."""
    plain = {
        key: [_plain(item) for item in value] if isinstance(value, tuple) else value for key, value in values.items()
    }
    plain = {key: sorted(value) if isinstance(value, frozenset) else value for key, value in plain.items() if value}
    return yaml.dump({"format": FORMAT, **plain}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def text_of(path: Path) -> str:
    """Read a prompt file's text.

    Raises
    ------
    PromptFileError
        If the file cannot be read, is too large or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _error(path.name, f"it cannot be read ({error.strerror})", None) from error
    if len(data) > MAX_BYTES:
        raise _error(path.name, f"it is larger than {MAX_BYTES // 1000} kB, too much for a prompt file", None)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(path.name, "this is not UTF-8 text; save the file as UTF-8", line) from error


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    PromptFileError
        If it cannot be written; what was there before is untouched.
    """
    try:
        atomic.write(path, text)
    except OSError as error:
        raise _error(path.name, f"it cannot be written ({atomic.reason(error)})", None) from error


def _plain(item: Any) -> Any:
    """Give an entry as a person would write it."""
    return item["text"] if item["on"] else item


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line


def _error(source: str, reason: str, line: int | None) -> PromptFileError:
    where = source if line is None else f"{source}, line {line}"
    if len(reason) > LONGEST_REASON:  # it quotes what somebody wrote, and its end says what to do
        reason = f"{reason[: LONGEST_REASON // 2]} … {reason[-LONGEST_REASON // 2 :]}"
    return PromptFileError(f"{where}: {reason}.", line)

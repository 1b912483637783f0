"""What can go wrong, as a table: what is broken, what the user sees, what is kept. Each row is a test that ran.

A row is a test with the marker ``fault``. What the user saw comes from that very run: the test hands the sentence over
by the fixture ``sees``, so that the table cannot say what the plugin does not. Where nothing is said, the marker itself
names what is seen instead, and the table shows that without quotes.

``pytest -m fault --faults`` prints the table, ``--faults=FILE`` writes it as a page of the documentation, too, and
``--thorough`` makes fuzz and random users as long as they should be once in a while. `make faults` does all of it.
"""

from __future__ import annotations

import getpass
import re
import socket
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

GROUPS = (
    "inputs",
    "layers changing under a run",
    "models and downloads",
    "caches and disks",
    "sessions",
    "memory",
    "threads",
    "GUI lifetimes",
    "CLI signals",
    "cluster workers",
    "hostile files",
)
LEAST = 60
"""Rows; fewer are a failure: something was lost."""

LONGEST = 400
"""Letters of a sentence that the table shows."""

INTRODUCTION = """\
# What can go wrong

Written by `make faults`; do not edit. Each row is a test that broke this very thing and passed. Words in “quotes” are
what the window or the command said in that run; `…/` stands for the folder of the test. Words without quotes say what
is seen where nothing has to be said.
"""


@dataclass
class Row:
    """A thing that is broken, as one or several tests found it."""

    group: str
    broken: str
    kept: str
    seen: list[str] = field(default_factory=list)
    outcomes: set[str] = field(default_factory=set)

    @property
    def outcome(self) -> str:
        """``failed`` if any test of it did, ``skipped`` if all were."""
        return next(one for one in ("failed", "passed", "skipped") if one in self.outcomes)


class Table:
    """All rows of a run, in the order of `GROUPS`; with xdist, the one process that hears all reports has it."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}

    def take(self, report: pytest.TestReport) -> None:
        """Add what a test reported."""
        told = [value for name, value in report.user_properties if name == "fault"]
        if not told or (report.when != "call" and report.passed):
            return
        group, broken, kept, instead = told[0]
        row = self._rows.setdefault((group, broken), Row(group, broken, kept))
        said = [f"“{value}”" for name, value in report.user_properties if name == "sees"]
        row.seen += [one for one in said or [instead] if one and one not in row.seen]
        row.outcomes.add(report.outcome)

    def rows(self) -> list[Row]:
        """Group by group."""
        return sorted(self._rows.values(), key=lambda row: (GROUPS.index(row.group), row.broken))

    def markdown(self) -> str:
        """As a page."""
        lines, number = [INTRODUCTION], 0
        for group in GROUPS:
            rows = [row for row in self.rows() if row.group == group and row.outcome == "passed"]
            lines += [
                f"## {group[0].upper()}{group[1:]}\n",
                "| | broken | what is seen | what is kept |",
                "|---|---|---|---|",
            ]
            for row in rows:
                number += 1
                cells = row.broken, row.seen[0] if row.seen else "", row.kept
                lines.append(f"| {number} | " + " | ".join(map(_cell, cells)) + " |")
            lines.append("")
        return "\n".join(lines)


def pytest_addoption(parser: pytest.Parser) -> None:
    options = parser.getgroup("faults")
    options.addoption("--faults", nargs="?", const="", metavar="FILE", help="print the table of faults; write it, too")
    options.addoption("--thorough", action="store_true", help="fuzz and random users as long as `make faults` has them")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = Table()
    config.stash[_FIGURES] = []
    config.pluginmanager.register(_Listener(config), "faults-listener")


_TABLE: pytest.StashKey[Table] = pytest.StashKey()
_FIGURES: pytest.StashKey[list[str]] = pytest.StashKey()


class _Listener:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._config.stash[_TABLE].take(report)
        if report.when == "call":
            self._config.stash[_FIGURES] += [value for name, value in report.user_properties if name == "figure"]


def pytest_itemcollected(item: pytest.Item) -> None:
    marker = item.get_closest_marker("fault")
    if marker is not None:
        item.user_properties.append(("fault", _told(item, *marker.args, **marker.kwargs)))


def _told(item: pytest.Item, group: str, broken: str, kept: str, sees: str = "") -> tuple[str, str, str, str]:
    assert group in GROUPS, f"{item.nodeid}: there is no group {group!r}"
    call = getattr(item, "callspec", None)
    known = {} if call is None else {"case": call.id, **call.params}
    return group, re.sub(r"\{(\w+)\}", lambda name: str(known[name[1]]), broken), kept, sees


@pytest.fixture
def sees(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[object], str]:
    """Hand over what the user is told: a sentence for a person, which goes into the table of faults.

    Returns
    -------
    callable
        Takes the sentence, or the error that is shown as one; gives it back as it was.
    """

    def hand_over(said: object) -> str:
        text = str(said)
        assert text.strip(), "the user sees nothing"
        for slip in ("Traceback", "Error(", "<class", " object at 0x", "[Errno"):
            assert slip not in text, f"this is for a log and not for a person: {text}"
        shown = _anywhere(text.replace(f"{tmp_path}/", "…/").replace(str(tmp_path), "…"))
        request.node.user_properties.append(("sees", textwrap.shorten(shown, LONGEST, placeholder=" …")))
        return text

    return hand_over


def _anywhere(text: str) -> str:
    """A sentence without what is of this machine and moment, so that the page changes only where the plugin does."""
    for pattern, instead in (
        (rf"{re.escape(tempfile.gettempdir())}/[^/\s]+/", "…/"),
        (rf"\b{re.escape(socket.gethostname())}\b", "lab-7"),
        (rf"\bby {re.escape(getpass.getuser())}\b", "by ada"),
        (r"\d+ [A-Z][a-z]+, \d\d:\d\d(:\d\d)?", "24 November, 12:00"),
        (r"\d{8}-\d{6}-\d{6}", "20261124-120000-000000"),
    ):
        text = re.sub(pattern, instead, text)
    return " ".join(text.split())


@pytest.fixture
def tells(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Hand over a figure, such as a time, that is shown after the tests."""
    return lambda figure: request.node.user_properties.append(("figure", figure))


@pytest.fixture
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether tests should be as long as `make faults` has them."""
    return bool(request.config.getoption("--thorough"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    for figure in config.stash[_FIGURES] if config.getoption("--thorough") else ():
        terminalreporter.write_line(figure)
    file = config.getoption("--faults")
    if file is None:
        return
    rows = config.stash[_TABLE].rows()
    terminalreporter.section("faults")
    for line in _lines(rows):
        terminalreporter.write_line(line)
    for row in rows:
        if not row.seen and row.outcome == "passed":
            terminalreporter.write_line(f"Nothing was handed over of what is seen: {row.broken}")
    if file and _is_right(rows):
        Path(file).write_text(config.stash[_TABLE].markdown(), encoding="utf-8", newline="\n")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A table that lacks rows, or rows that lack what is seen, fail the run."""
    config = session.config
    if hasattr(config, "workerinput") or config.getoption("--faults") is None or session.exitstatus:
        return
    if not _is_right(config.stash[_TABLE].rows()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _is_right(rows: list[Row]) -> bool:
    passed = [row for row in rows if row.outcome == "passed"]
    return len(passed) >= LEAST and all(row.seen for row in passed) and not any(row.outcome == "failed" for row in rows)


def _lines(rows: list[Row]) -> Iterator[str]:
    group = ""
    for number, row in enumerate(rows, 1):
        if row.group != group:
            group = row.group
            yield f"\n{group.upper()}"
        yield f"{number:4}  {row.outcome}  {row.broken}"
        yield from _part("seen", row.seen[0] if row.seen else "-")
        yield from _part("kept", row.kept)
    counts = {one: sum(row.outcome == one for row in rows) for one in ("passed", "failed", "skipped")}
    yield f"\n{len(rows)} rows, {LEAST} at least: " + ", ".join(f"{count} {one}" for one, count in counts.items())


def _part(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, 112, initial_indent=f"      {name}: ", subsequent_indent=" " * 12)


def _cell(text: str) -> str:
    """Text as it is, whatever is in it, in a cell of a table in Markdown."""
    return re.sub(r"([\\|`*_<>\[\]{}$])", r"\\\1", text)

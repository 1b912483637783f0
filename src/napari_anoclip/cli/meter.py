"""How far the work is: a bar on a terminal; elsewhere, in a log, a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from napari_anoclip.engine.progress import Progress

QUIET = 30.0
"""Seconds between two lines in a log."""


class Meter:
    """Shows `Progress`; to be entered, and given to the engine as its callback.

    Parameters
    ----------
    console : Console
        Where to; standard error, so that what a command answers stays alone on standard output.
    quiet : float
        Seconds between two lines where there is no terminal.
    """

    def __init__(self, console: Console, quiet: float = QUIET) -> None:
        self._console = console
        self._quiet = quiet
        self._bar: Bar | None = None
        self._shown = ""
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                _Amount(),
                TimeRemainingColumn(),
            )
            self._bar = Bar(*columns, console=self._console, transient=True)
            self._bar.add_task("starting", total=None)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show one step."""
        if self._bar is None:
            self._say(progress)
            return
        task = self._bar.task_ids[0]
        if progress.stage != self._shown:  # a new stage has a rate of its own
            self._shown = progress.stage
            self._bar.reset(task, description=progress.stage, total=progress.total or None)
        self._bar.update(task, completed=progress.done, total=progress.total or None)

    def _say(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._said >= self._quiet:
            self._said = now
            said = f"{progress.stage}: {amount(progress.stage, progress.done, progress.total)}"
            self._console.print(said, markup=False, soft_wrap=True)


class _Amount(ProgressColumn):
    """Done and total, in the unit of the stage."""

    def render(self, task: Task) -> Text:
        """Give the column of one task."""
        return Text("" if task.total is None else amount(task.description, task.completed, task.total))


def amount(stage: str, done: float, total: float) -> str:
    """How much of how much, in words; a download's steps are bytes.

    Parameters
    ----------
    stage : str
        As in `Progress`.
    done, total : float
        Steps.

    Returns
    -------
    str
    """
    if stage.startswith("downloading"):
        return f"{done / 1e6:.0f} of {total / 1e6:.0f} MB"
    return f"{done:.0f} of {total:.0f}" if total else f"{done:.0f}"

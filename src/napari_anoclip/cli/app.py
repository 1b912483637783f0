"""All commands under one name. Only the one that is called is imported."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from napari_anoclip._version import __version__

PROGRAM = "anoclip"

SUMMARIES = {
    "demo": "Open napari on a sample image and show what AnoCLIP finds in it.",
    "run": "Score pictures and folders: heatmaps, regions, tables.",
    "evaluate": "Measure the method on a data set with known defects.",
    "demo-data": "Write a small generated data set, laid out like a published one.",
    "prompts": "Look at prompt sets: check, show, count, compare.",
    "models": "Models on this machine and those that can be fetched.",
    "review": "Open napari on a folder of pictures, to judge what is found.",
    "doctor": "Check this machine: what is there, what is wrong, what to do.",
}
"""Commands in the order of the help, each with the first line of its own help."""

LINE = "napari_anoclip.line"
"""Where a context keeps the command line that it was made from."""


class Commands(TyperGroup):
    """A group that knows its commands by name and imports one when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, summary in SUMMARIES.items():
            self.add_command(TyperCommand(name, help=summary), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments begin with, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, None if command is None else load(str(name)), rest

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (typer's)
        """Print the help, as that of every command."""
        from napari_anoclip.cli.help import show

        show(self, ctx)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Keep the command line, so that a stopped command can say how to go on."""
        line = command_line([PROGRAM, *args])  # parsing takes words away from `args`
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[LINE] = line
        return context


app = typer.Typer(
    cls=Commands,
    name=PROGRAM,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="“anoclip COMMAND --help” tells more of each, with examples. Exit codes: 0 all right; 1 finished, but files "
    "failed or something was found; 2 wrong usage or input; 70 a fault of the program; 130 stopped.",
)


def load(name: str) -> Any:
    """Import a command.

    Parameters
    ----------
    name : str
        A key of `SUMMARIES`.

    Returns
    -------
    Command
        A group where the command has commands of its own.
    """
    module = import_module(f"napari_anoclip.cli.commands.{name.replace('-', '_')}")
    command = get_command(module.app)
    command.name = name
    return command


def command_line(words: Sequence[str]) -> str:
    """Words as one would type them in this system's shell."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Find what looks abnormal in pictures, by words: no training, no examples of defects."""

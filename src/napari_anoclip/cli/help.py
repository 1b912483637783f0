"""The help of a command: its options in panels, no name cut off however narrow the terminal is."""

from __future__ import annotations

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

Helped = TyperCommand | TyperGroup

_ARGUMENTS, _OPTIONS = "Arguments", "Options"
_KINDS = {"str": "TEXT", "path": "PATH", "int": "NUMBER", "float": "NUMBER"}


class Helpful(TyperCommand):
    """A command whose help is laid out here."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (typer's)
        """Print the help."""
        show(self, ctx)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and keep the library's word before its sentence from a person."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


class HelpfulGroup(TyperGroup):
    """The same for commands that hold others."""

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (typer's)
        """Print the help."""
        show(self, ctx)


def show(command: Helped, ctx: Any) -> None:
    """Print the help of a command.

    Typer's own shares the width of a line out among six columns and cuts the names of options where it is short. Here
    the first of two columns is as wide as the longest name, and all else wraps.

    Parameters
    ----------
    command : TyperCommand or TyperGroup
    ctx : Context
        Of the command.
    """
    console = Console(highlight=False, emoji=False)
    console.print(Padding(Text(f"Usage: {usage(command, ctx)}", style="bold"), (1, 1)))
    for paragraph in paragraphs(command):
        console.print(Padding(Text(paragraph), (0, 1, 1, 1)))
    for title, rows in panels(command, ctx).items():
        console.print(Panel(_rows(rows, console.width), title=title, title_align="left", border_style="dim"))
    if command.epilog:
        console.print(Padding(Group(*_shown(command.epilog)), 1))


def epilog(*lines: str) -> str:
    """The end of a command's help.

    Parameters
    ----------
    *lines : str
        Commands, each with what it does after " # ".

    Returns
    -------
    str
    """
    parts = [line.partition(" # ") for line in lines]
    return "Examples\n\n" + "\n\n".join(f"# {what}\n{command}" if what else command for command, _, what in parts)


def usage(command: Helped, ctx: Any) -> str:
    """How a command is typed."""
    arguments = [one for one in command.get_params(ctx) if one.param_type_name == "argument"]
    names = (_argument(one).plain if one.required else f"[{_argument(one)}]" for one in arguments)
    words = [ctx.command_path, *names, "[OPTIONS]"]
    return " ".join([*words, "COMMAND …"] if isinstance(command, TyperGroup) else words)


def paragraphs(command: Any) -> list[str]:
    """What a command says of itself."""
    return [" ".join(paragraph.split()) for paragraph in cleandoc(command.help or "").split("\n\n")]


def panels(command: Helped, ctx: Any) -> dict[str, list[tuple[Text, Text]]]:
    """Names and words of everything that a command takes, by panel.

    Parameters
    ----------
    command : TyperCommand or TyperGroup
    ctx : Context
        Of the command.

    Returns
    -------
    dict
        By title, arguments and plain options first; each a list of names with what is to be given, and words.
    """
    panels: dict[str, list[tuple[Text, Text]]] = {_ARGUMENTS: [], _OPTIONS: []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            argument = parameter.param_type_name == "argument"
            title = _ARGUMENTS if argument else getattr(parameter, "rich_help_panel", None) or _OPTIONS
            name = _argument(parameter) if argument else _option(parameter, record[0])
            panels.setdefault(title, []).append((name, _words(parameter)))
    if isinstance(command, TyperGroup):
        inner = [one for one in command.commands.values() if not one.hidden]
        panels["Commands"] = [(Text(str(one.name), "bold cyan"), Text(paragraphs(one)[0])) for one in inner]
    return {title: rows for title, rows in panels.items() if rows}


def _argument(parameter: Any) -> Text:
    return Text(f"{parameter.metavar or parameter.name.upper()}{'...' if parameter.nargs == -1 else ''}", "bold cyan")


def _option(parameter: Any, record: str) -> Text:
    """Names, and what is to be given, which a switch has not."""
    spoken = ", ".join(sorted(parameter.opts, key=len, reverse=True))  # typer gives those of --help in any order
    name = Text(" / ".join([spoken, *parameter.secondary_opts]), style="bold cyan")
    if not parameter.is_flag:
        kind = record.rpartition(" ")[2].strip("<>")
        name.append(f" {parameter.metavar or _KINDS.get(kind, kind)}", style="yellow")
    return name


def _words(parameter: Any) -> Text:
    words = Text(parameter.help or "")
    if parameter.required:
        words.append(" [required]", style="red")
    elif parameter.is_eager or not parameter.show_default or parameter.default in (None, "", ()):
        return words
    elif not isinstance(parameter.default, bool):
        words.append(f" [default: {parameter.default}]", style="dim")
    elif parameter.secondary_opts:
        words.append(f" [default: {'on' if parameter.default else 'off'}]", style="dim")
    return words


def _rows(rows: list[tuple[Text, Text]], width: int) -> Table:
    """A table whose first column is as wide as its longest word, or wider where there is room."""
    names = [name.plain for name, _ in rows]
    word = max(len(word) for name in names for word in name.split())
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1), expand=True)
    table.add_column(width=max(word, min(2 * width // 5, max(map(len, names)))))
    table.add_column(ratio=1, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _shown(text: str) -> Iterable[RenderableType]:
    for line in text.splitlines():
        yield Text(line, style="bold" if line == "Examples" else "dim" if line.startswith("#") else "")

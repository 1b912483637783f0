"""What every command has: answers as words or JSON, progress, Ctrl-C, errors as sentences, exit codes."""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console, RenderableType
from rich.markup import escape

from napari_anoclip.cli.app import LINE, SUMMARIES
from napari_anoclip.cli.exits import Code, Interrupt, code_of, sentence
from napari_anoclip.cli.help import Helpful, HelpfulGroup, epilog
from napari_anoclip.cli.meter import Meter
from napari_anoclip.cli.options import Chosen, OptionGroup, chosen
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.progress import CancelFlag

_JSON = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on standard output, nothing else.")]
_DEBUG = Annotated[bool, typer.Option("--debug", help="Print the traceback of what goes wrong.")]

_STOPPING = b"\nStopping as soon as what is under way is whole. Press Ctrl-C again to stop at once.\n"


@dataclass(frozen=True)
class Call:
    """One call of a command: what was asked for, and where answers go.

    Attributes
    ----------
    json : bool
        Whether the answer is to be JSON.
    chosen : Chosen
        Generated options that were given.
    cancel : CancelFlag
        Set by Ctrl-C.
    line : str
        The command line, to be typed again.
    errors : Console
        Standard error: progress, remarks and errors.
    """

    json: bool
    chosen: Chosen
    cancel: CancelFlag
    line: str
    errors: Console

    def answer(self, document: Any, *words: RenderableType) -> None:
        """Give the command's one answer.

        Parameters
        ----------
        document : mapping or sequence
            What is printed with ``--json``; paths, models and dataclasses in it become JSON's types, NaN null.
        *words : str or rich renderable
            What is printed for a person.
        """
        if self.json:
            # In any other encoding than UTF-8, what is not ASCII would be another letter for whoever reads it.
            ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
            sys.stdout.write(json.dumps(plain(document), indent=2, ensure_ascii=ascii_only, allow_nan=False) + "\n")
            sys.stdout.flush()  # while a reader that went away can still be met with silence
            return
        console = Console(highlight=False, emoji=False)
        for word in words:
            console.print(word, soft_wrap=isinstance(word, str), crop=False)  # lines stay lines in a file

    def note(self, words: str) -> None:
        """Say something beside the answer."""
        self.errors.print(escape(harmless(words)), soft_wrap=True)

    def stop_if_asked(self) -> None:
        """Stop between two steps that poll nothing themselves.

        Raises
        ------
        Cancelled
            If Ctrl-C was pressed.
        """
        if self.cancel.is_set():
            raise Cancelled("The command was stopped.")

    @contextmanager
    def meter(self) -> Iterator[Meter]:
        """Show progress while the block runs."""
        with Meter(self.errors) as meter:
            yield meter


def alone() -> typer.Typer:
    """What a module registers its one command at."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def group(name: str) -> typer.Typer:
    """What a module registers several commands at; their help is the summary of its name."""
    return typer.Typer(
        cls=HelpfulGroup,
        add_completion=False,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        help=SUMMARIES[name],
    )


def command(
    app: typer.Typer,
    *groups: OptionGroup,
    examples: Sequence[str],
    name: str | None = None,
    stoppable: bool = True,
) -> Callable[[Callable[..., Code | None]], Callable[..., Code | None]]:
    """Make a function a command: its first parameter is the `Call`, and options of settings models are added.

    Parameters
    ----------
    app : Typer
        What it is registered at.
    *groups : OptionGroup
        Whose options are added; what was given of them is in `Call.chosen`.
    examples : sequence of str
        Command lines for the end of the help, each with what it does after " # ".
    name : str, optional
        Of the command; the function's otherwise.
    stoppable : bool
        Whether the function polls `Call.cancel`. Otherwise Ctrl-C ends it as any Python program.

    Returns
    -------
    callable
        Decorator for a function that gives an exit code, or None for 0.
    """

    def decorate(function: Callable[..., Code | None]) -> Callable[..., Code | None]:
        def run(*, context: typer.Context, as_json: bool, debug: bool, **arguments: Any) -> None:
            errors = Console(stderr=True, highlight=False, emoji=False)
            interrupt = Interrupt(lambda: _write_to_stderr(_STOPPING))
            line = context.find_root().meta.get(LINE, context.command_path)
            call = Call(as_json, chosen(groups, context, arguments), interrupt, line, errors)
            try:
                with interrupt if stoppable else nullcontext():
                    code = function(call, **arguments)
            except (Cancelled, KeyboardInterrupt) as error:
                code = _stopped(call, error)
            except (typer.BadParameter, typer.Exit, typer.Abort, BrokenPipeError):
                raise
            except Exception as error:
                code = _failed(call, error, debug)
            raise typer.Exit(int(code or Code.OK))

        run.__name__, run.__doc__ = function.__name__, function.__doc__
        run.__annotations__ = {}
        # Where typer looks for parameters.
        vars(run)["__signature__"] = _signature(function, groups)
        app.command(name, cls=Helpful, epilog=epilog(*examples))(run)
        return function

    return decorate


def _signature(function: Callable[..., Any], groups: Sequence[OptionGroup]) -> inspect.Signature:
    """The function's own parameters after its first, those of the groups, and those of every command."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [*inspect.signature(function, eval_str=True).parameters.values()][1:]
    return inspect.Signature(
        [
            inspect.Parameter("context", keyword, annotation=typer.Context),
            *(parameter.replace(kind=keyword) for parameter in own),
            *(parameter for group in groups for parameter in group.parameters()),
            inspect.Parameter("as_json", keyword, default=False, annotation=_JSON),
            inspect.Parameter("debug", keyword, default=False, annotation=_DEBUG),
        ]
    )


def harmless(words: str) -> str:
    """Words without what a terminal would obey: names of files may hold anything."""
    return "".join(one if one.isprintable() or one == "\n" else f"\\x{ord(one):02x}" for one in words)


def plain(value: Any) -> Any:
    """Anything that a command answers with, in JSON's types."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON")


def _failed(call: Call, error: Exception, debug: bool) -> Code:
    if debug:
        call.errors.file.write("".join(traceback.format_exception(error)))
    words = sentence(error)
    call.errors.print(f"[bold red]Error:[/bold red] {escape(harmless(words))}", soft_wrap=True)
    if call.json:
        with suppress(OSError):  # where it is standard output that takes nothing
            call.answer({"error": {"kind": type(error).__name__, "message": words}})
    return code_of(error)


def _stopped(call: Call, error: BaseException) -> Code:
    words = str(error) or "The command was stopped."
    call.note(f"{words}\nTo go on: {call.line}")
    if call.json:
        call.answer({"error": {"kind": "Cancelled", "message": words, "resume": call.line}})
    return Code.STOPPED


def _write_to_stderr(words: bytes) -> None:
    os.write(2, words)  # a handler may not enter a stream that the interrupted code is in the middle of

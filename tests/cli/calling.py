"""The command line in this process, as a person or a script calls it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

from napari_anoclip.cli.app import SUMMARIES, app, load

RUNNER = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100", "TERM": "dumb"})


def call(line: str, *more: object) -> Result:
    """What a line after `anoclip` gives; `more` are words that need no quoting, such as paths."""
    return RUNNER.invoke(app, [*shlex.split(line), *map(str, more)], prog_name="anoclip")


def ask(line: str, *more: object, code: int = 0) -> Any:
    """The JSON that a line gives, which is all of standard output."""
    result = call(line, *more, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def refused(line: str, *more: object) -> str:
    """The sentence with which a line is refused, in one line."""
    result = call(line, *more)
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.replace("│", " ").split())


def commands() -> dict[str, Any]:
    """All commands by what is typed after `anoclip`, those of groups too."""
    found: dict[str, Any] = {}
    for name in SUMMARIES:
        command = load(name)
        inner = getattr(command, "commands", None)
        found |= {name: command} if inner is None else {f"{name} {one}": inner[one] for one in inner}
    return found


def parsed(words: list[str]) -> list[str]:
    """Parse the words after `anoclip` without running anything; gives what was left over, and raises as typer does."""
    name, *rest = words
    command = load(name)
    context = command.make_context(name, rest)
    while getattr(command, "commands", None):
        inner, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(inner, rest, parent=context)
    return list(context.args)


def drawn(folder: Path, count: int) -> Path:
    """Fill a new folder with small pictures, no two alike."""
    folder.mkdir()
    for seed in range(count):
        pixels = np.random.default_rng(seed).integers(90, 160, (48, 64, 3), np.uint8)
        pixels[10:20, 10 + seed % 40 : 20 + seed % 40] = 250
        Image.fromarray(pixels).save(folder / f"part{seed}.png")
    return folder

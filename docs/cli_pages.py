"""The pages of the command line, made of what `--help` says. Written by ``python -m docs.generate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_anoclip.cli.app import SUMMARIES, load
from napari_anoclip.cli.help import panels, paragraphs, usage

FOLDER = Path(__file__).parent / "cli"

HEAD = "<!-- Made of what --help says by `python -m docs.generate`: change the code, and make it anew. -->\n\n"

INDEX = """# The command line

`anoclip COMMAND --help` says the same as these pages. Exit codes, JSON and how to go on after a stop are in
[Automation](../automation.md).

| command | what it does |
|---|---|
"""


def pages() -> dict[str, str]:
    """All pages by the name of their file."""
    made = {f"{name}.md": HEAD + page(name) for name in SUMMARIES}
    rows = "".join(f"| [`anoclip {name}`]({name}.md) | {summary} |\n" for name, summary in SUMMARIES.items())
    return {"index.md": HEAD + INDEX + rows, **made}


def page(name: str) -> str:
    """The page of a command, with the commands in it."""
    command = load(name)
    title = f"anoclip {name}"
    inner = getattr(command, "commands", None)
    if inner is None:
        return f"# {title}\n\n{body(command, title, '##')}"
    parts = [f"# {title}\n\n{SUMMARIES[name]}\n"]
    parts += [f"## {title} {one}\n\n{body(inner[one], f'{title} {one}', '###')}" for one in inner]
    return "\n".join(parts)


def body(command: Any, title: str, level: str) -> str:
    """What a command says of itself, as Markdown."""
    ctx = command.make_context(title, [], resilient_parsing=True)
    parts = ["\n\n".join(paragraphs(command)), f"```\n{usage(command, ctx)}\n```"]
    for heading, rows in panels(command, ctx).items():
        cells = "\n".join(f"| `{escaped(names.plain)}` | {escaped(words.plain)} |" for names, words in rows)
        parts.append(f"{level} {heading}\n\n| | |\n|---|---|\n{cells}")
    examples = command.epilog.partition("\n\n")[2]
    parts.append(f"{level} Examples\n\n```sh\n{examples}\n```")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text that stays within its cell of a table."""
    return text.replace("|", "\\|")

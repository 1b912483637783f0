"""The pages of the documentation know every option, and every command in them can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli.calling import call, commands, parsed

from docs import cli_pages

PAGES = cli_pages.pages()

ROOT = cli_pages.FOLDER.parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def typed(text: str) -> list[list[str]]:
    """Words after `anoclip` of all commands in the code blocks of a text, but for usage and what the shell does."""
    lines = [
        line
        for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        for line in re.split(r"\n| && ", block.replace("\\\n", " "))
    ]
    lines = [line for line in lines if re.match(r"\s*(xvfb-run -a )?anoclip ", line) and "[OPTIONS]" not in line]
    words = [shlex.split(line, comments=True) for line in lines]
    ends = [next((at for at, word in enumerate(one) if word in ("|", ">", "&")), len(one)) for one in words]
    return [one[one.index("anoclip") + 1 : end] for one, end in zip(words, ends, strict=True)]


@pytest.mark.parametrize("name", commands())
def test_a_page_has_every_option_of_the_help(name: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[\w-]+", call(f"{name} --help").stdout.partition("Examples")[0]))
    page = PAGES[f"{name.split()[0]}.md"]
    assert len(options) >= 3
    assert [option for option in options if option not in page] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_the_texts_can_be_typed_as_they_stand(path: Path) -> None:
    for words in typed(path.read_text(encoding="utf-8")):
        assert parsed(words) == [], words


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_options_in_sentences_are_those_of_their_command(path: Path) -> None:
    for command, rest in re.findall(r"`anoclip ([a-z-]+)([^`]*)`", path.read_text(encoding="utf-8")):
        assert f"{command}.md" in PAGES
        assert [option for option in re.findall(r"--[\w-]+", rest) if option not in PAGES[f"{command}.md"]] == []


def test_commands_are_found_in_texts() -> None:
    text = "See `anoclip x`.\n```sh\nanoclip run a \\\n  -o b # c\ncd x && anoclip doctor --json | jq .\n```\n"
    assert typed(text) == [["run", "a", "-o", "b"], ["doctor", "--json"]]
    assert any(typed(path.read_text(encoding="utf-8")) for path in TEXTS)

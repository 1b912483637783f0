"""The pages of the documentation say what `--help` says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli.calling import call, commands, parsed

from docs import cli_pages

PAGES = cli_pages.pages()

ROOT = cli_pages.FOLDER.parents[1]
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def typed(text: str) -> list[list[str]]:
    """Words after `anoclip` of all commands in the code blocks of a text, without what the shell makes of the rest."""
    lines = [
        line
        for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        for line in re.split(r"\n| && ", block.replace("\\\n", " "))
    ]
    words = [shlex.split(line, comments=True) for line in lines if re.match(r"\s*(xvfb-run -a )?anoclip ", line)]
    ends = [next((at for at, word in enumerate(one) if word in ("|", ">", "&")), len(one)) for one in words]
    return [one[one.index("anoclip") + 1 : end] for one, end in zip(words, ends, strict=True)]


def test_there_is_a_page_for_each_command_and_no_other() -> None:
    assert {path.name for path in cli_pages.FOLDER.glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_the_code_is(name: str) -> None:
    written = (cli_pages.FOLDER / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "make the pages anew: python -m docs.cli_pages"


@pytest.mark.parametrize("name", commands())
def test_a_page_has_every_option_of_the_help(name: str) -> None:
    options = set(re.findall(r"(?<![\w-])--[\w-]+", call(f"{name} --help").stdout.partition("Examples")[0]))
    page = PAGES[f"{name.split()[0]}.md"]
    assert len(options) >= 3
    assert [option for option in options if option not in page] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_commands_in_the_texts_can_be_typed_as_they_stand(path: Path) -> None:
    for words in typed(path.read_text(encoding="utf-8")):
        assert parsed(words) == [], words


def test_commands_are_found_in_texts() -> None:
    text = "See `anoclip x`.\n```sh\nanoclip run a \\\n  -o b # c\ncd x && anoclip doctor --json | jq .\n```\n"
    assert typed(text) == [["run", "a", "-o", "b"], ["doctor", "--json"]]
    assert any(typed(path.read_text(encoding="utf-8")) for path in TEXTS)

"""The one program with its commands: help, version, exit codes, what it costs to start."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli.calling import RUNNER, call, commands, parsed, refused

from napari_anoclip import __version__
from napari_anoclip.cli.app import SUMMARIES, app, command_line, load

COMMANDS = commands()


def test_the_version_is_told() -> None:
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"anoclip {__version__}\n")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_lists_the_commands_in_a_line_each(option: str) -> None:
    result = call(option)
    assert result.exit_code == 0
    for name, summary in SUMMARIES.items():
        assert f"{name.ljust(9)}  {summary}" in result.stdout


def test_the_list_says_what_each_command_says_of_itself() -> None:
    assert {name: load(name).help.splitlines()[0] for name in SUMMARIES} == SUMMARIES


def test_without_a_command_the_help_is_shown_and_it_is_an_error() -> None:
    result = call("")
    assert result.exit_code == 2
    assert "demo-data" in result.output


def test_a_slip_of_the_hand_is_guessed() -> None:
    assert "No such command 'docter'. Did you mean 'doctor'?" in refused("docter")


def test_the_help_needs_no_library_of_the_method() -> None:
    program = (
        "import sys, napari_anoclip.cli as cli; early = set(sys.modules)\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'numpy', 'open_clip', 'napari', 'qtpy'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
        "assert not {'typer', 'rich', 'pydantic'} & early"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_is_whole_and_has_examples(name: str) -> None:
    result = call(f"{name} --help")
    assert result.exit_code == 0, result.output
    assert "Examples" in result.stdout
    assert f"anoclip {name}" in result.stdout.partition("Examples")[2]
    assert "--json" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_can_be_typed_as_they_stand(name: str) -> None:
    lines = [line.strip() for line in COMMANDS[name].epilog.splitlines() if "anoclip " in line]
    lines = [line for line in lines if not line.startswith("#")]
    assert lines
    for line in lines:
        words = line.partition("anoclip ")[2].partition(" > ")[0].split()
        assert not parsed(words), line


@pytest.mark.parametrize("width", [60, 100])
def test_the_help_fits_the_terminal(width: int) -> None:
    result = RUNNER.invoke(app, ["run", "--help"], env={"COLUMNS": str(width)}, prog_name="anoclip")
    assert max(map(len, result.stdout.splitlines())) <= width


def test_a_command_line_can_be_typed_again() -> None:
    assert command_line(["anoclip", "run", "my parts", "--object", "bottle"]).split()[-1] == "bottle"
    assert "'my parts'" in command_line(["anoclip", "run", "my parts"]) or '"my parts"' in command_line(
        ["run", "my parts"]
    )

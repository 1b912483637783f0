"""What every command has: JSON that is alone, errors as sentences, progress for people and for logs, Ctrl-C."""

from __future__ import annotations

import errno
import io
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cli.calling import RUNNER
from pydantic import BaseModel
from rich.console import Console
from typer.testing import Result

from napari_anoclip.cli.call import Call, alone, command, plain
from napari_anoclip.cli.exits import Interrupt, sentence
from napari_anoclip.cli.meter import Meter
from napari_anoclip.cli.options import Chosen
from napari_anoclip.cli.plain_letters import make_safe
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.progress import Progress


def ended_by(error: Exception | None, *words: str) -> Result:
    """What a command that ends in an error prints."""
    app = alone()

    @command(app, examples=["anoclip end"])
    def end(call: Call) -> None:
        """End."""
        call.note("beside [the] answer")
        if error is not None:
            raise error
        call.answer({"path": Path("a"), "nothing": float("nan")}, "all [green]right[/green]")

    return RUNNER.invoke(app, list(words))


def test_an_answer_is_words_or_json_and_notes_are_beside_it() -> None:
    result = ended_by(None)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "all right\n", "beside [the] answer\n")
    result = ended_by(None, "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"path": "a", "nothing": None})


@pytest.mark.fault(
    "CLI signals",
    "a command meets bad input, a full disk, or a slip of ours",
    "nothing half written; the exit code says what it was",
)
@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ImageError("The picture [a] is broken."), 2, "Error: The picture [a] is broken."),
        (OSError(errno.ENOSPC, "No space", "a.csv"), 2, "a.csv: the disk is full"),
        (KeyError("x"), 70, "This should not happen (KeyError: 'x'). Run it again with --debug"),
    ],
)
def test_an_error_is_a_sentence_and_a_traceback_only_when_it_is_asked_for(error, code, said, sees) -> None:
    result = ended_by(error)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    sees(" ".join(result.stderr.split()))
    debugged = ended_by(error, "--debug")
    assert debugged.exit_code == code
    assert "Traceback" in debugged.stderr
    answered = ended_by(error, "--json")
    assert json.loads(answered.stdout)["error"] == {"kind": type(error).__name__, "message": sentence(error)}


def test_ctrl_c_in_a_library_ends_the_command_too() -> None:
    assert ended_by(KeyboardInterrupt()).exit_code == 130  # type: ignore[arg-type]


def test_whatever_a_command_answers_with_has_json() -> None:
    @dataclass
    class Point:
        x: float

    class Size(BaseModel):
        width: float = 2.0

    value = {"a": [Point(float("inf")), Size()], "b": np.arange(2), "c": np.float32(0.5), 3: {Path("x")}, "d": True}
    assert plain(value) == {"a": [{"x": None}, {"width": 2.0}], "b": [0, 1], "c": 0.5, "3": ["x"], "d": True}
    with pytest.raises(TypeError, match="object has no JSON"):
        plain(object())


def test_the_flag_is_set_by_ctrl_c_and_the_handler_put_back() -> None:
    before, told = signal.getsignal(signal.SIGINT), []
    with Interrupt(lambda: told.append("once")) as flag:
        assert not flag.is_set()
        signal.raise_signal(signal.SIGINT)
        assert flag.is_set()
    assert told == ["once"]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.fault("CLI signals", "Ctrl-C, twice", "what is whole already; exit code 130")
def test_the_second_ctrl_c_ends_the_process_at_once(sees) -> None:
    program = (
        "import time\n"
        "from napari_anoclip.cli.call import alone, command\n"
        "app = alone()\n"
        "@command(app, examples=['anoclip wait'])\n"
        "def wait(call):\n"
        "    '''Wait, deaf to the flag.'''\n"
        "    call.note('ready')\n"
        "    while True: time.sleep(0.01)\n"
        "app()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "\n"
        assert sees(process.stderr.readline()).startswith("Stopping as soon as what is under way is whole.")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


def metered(terminal: bool, quiet: float = 30.0) -> str:
    """What is shown of some steps."""
    file = io.StringIO()
    with Meter(Console(file=file, force_terminal=terminal, width=100, no_color=True), quiet) as meter:
        for done in range(4):
            meter(Progress("scoring images", done, 3))
        meter(Progress("downloading model", 2_000_000, 8_000_000))
    return file.getvalue()


def test_a_log_gets_a_line_now_and_then() -> None:
    assert metered(False) == ""
    lines = metered(False, quiet=0).splitlines()
    assert (lines[2], lines[-1]) == ("scoring images: 2 of 3", "downloading model: 2 of 8 MB")


def test_a_terminal_gets_a_bar() -> None:
    shown = metered(True)
    assert "downloading model" in shown
    assert "2 of 8 MB" in shown


def test_names_in_progress_are_shown_as_they_are() -> None:
    for terminal in (True, False):
        file = io.StringIO()
        with Meter(Console(file=file, force_terminal=terminal, width=100, no_color=True), quiet=0) as meter:
            meter(Progress("evaluating bolt[m8]", 1, 3))
        assert "evaluating bolt[m8]" in file.getvalue()


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "“ü” → 好"), ("cp1252", "“ü” -> \\u597d"), ("ascii", '"\\xfc" -> \\u597d')],
)
def test_an_output_that_lacks_a_letter_gets_a_plain_one(encoding: str, shown: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    make_safe(stream, None)
    stream.write("“ü” → 好")
    stream.flush()
    assert stream.buffer.getvalue().decode(encoding) == shown


def test_json_is_the_same_whatever_the_encoding(monkeypatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    call = Call(True, Chosen({}), Interrupt(lambda: None), "", Console(file=io.StringIO()))
    call.answer({"name": "ü → 好 \U0001f600"})
    assert json.loads(stream.buffer.getvalue().decode("utf-8")) == {"name": "ü → 好 \U0001f600"}

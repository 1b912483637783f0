"""A command that is told to end, killed, or left by whoever reads it: no traceback, and what is whole stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as POSIX systems have them")

WORK = """
    import sys, time
    from pathlib import Path
    from napari_anoclip.cli.call import alone, command
    from napari_anoclip.engine import atomic
    app = alone()
    @command(app, examples=["anoclip work"])
    def work(call):
        '''Write a file that grows, again and again.'''
        call.note("ready")
        for number in range(10_000):
            call.stop_if_asked()
            atomic.write(Path(sys.argv[1]), f"{number}," * 20_000)
    sys.argv, app_arguments = ["anoclip", sys.argv[1]], []
    app(app_arguments)
"""


@pytest.fixture
def working(tmp_path: Path):
    """A command that writes a file, once it has begun."""
    code = textwrap.dedent(WORK)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out.txt")], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        deadline = time.monotonic() + 60
        while not (tmp_path / "out.txt").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield process
        process.kill()


def is_whole(file: Path) -> bool:
    parts = file.read_text().split(",")
    return len(parts) == 20_001 and len(set(parts[:-1])) == 1


@pytest.mark.fault("CLI signals", "{name}", "what is whole already; exit code 130")
@pytest.mark.parametrize("name", ["Ctrl-C (SIGINT)", "the system ends the process (SIGTERM)"])
def test_told_to_end_a_command_ends_with_a_sentence(working, tmp_path, name, sees: Callable[[object], str]) -> None:
    working.send_signal(signal.SIGINT if "SIGINT" in name else signal.SIGTERM)
    assert working.wait(timeout=30) == 130
    said = working.stderr.read()
    assert "To go on: " in sees(said)
    assert is_whole(tmp_path / "out.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]


@pytest.mark.fault(
    "CLI signals", "a command is killed (SIGKILL)", "the file that it was writing, as it was", sees="nothing"
)
def test_killed_a_command_leaves_no_half_file(working, tmp_path) -> None:
    working.kill()
    assert working.wait(timeout=30) == -signal.SIGKILL
    assert is_whole(tmp_path / "out.txt")


@pytest.mark.fault(
    "CLI signals", "whoever reads the answer goes away (anoclip … | head)", "what is read", sees="what is read"
)
def test_a_reader_that_goes_away_is_no_news() -> None:
    code = "from napari_anoclip.cli import main; main()"
    words = [sys.executable, "-c", code, "prompts", "show", "paper-texture"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) != 70


@pytest.mark.fault("CLI signals", "standard output is a full disk (anoclip … > /dev/full)", "nothing half said is kept")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
def test_an_answer_that_finds_no_room_is_told(sees: Callable[[object], str]) -> None:
    code = "from napari_anoclip.cli import main; main()"
    words = [sys.executable, "-c", code, "prompts", "show", "paper-texture", "--json"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "the disk is full" in sees(ended.stderr)

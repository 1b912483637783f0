"""kill -9 at any moment: what was done before is there, what can be undone too. At most the last change is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from forking import forking
from review.reviewing import InMemory, facts, step, work

from napari_anoclip.review.restore import restore
from napari_anoclip.review.session import Session
from napari_anoclip.review.session_file import Saved

SESSIONS = 5
KILLS = 10
"""Of each session, one after the other: what was restored goes on."""

LONGEST = 0.25
"""Seconds after a child begins to open its session in which it is killed."""


@pytest.fixture(scope="module")
def children():
    """Processes that have everything imported when they begin."""
    with forking("pytest", "review.reviewing") as context:
        yield context


def test_a_session_needs_neither_torch_nor_a_window():
    code = (
        "import sys, time; before = time.perf_counter()\n"
        "import napari_anoclip.review.session\n"
        "print(round(time.perf_counter() - before, 2), 's')\n"
        "print(sorted({'torch', 'napari', 'qtpy', 'open_clip'} & set(sys.modules)))\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    print("import of a session takes", out)
    assert out.splitlines()[1] == "[]"


def kill_at_some_moment(children, folder: Path, seed: str, moment: float) -> str:
    """Let a child work on a session, kill it, and give what it told."""
    told, pipe = children.Pipe(duplex=False)
    child = children.Process(target=work, args=(folder, seed, pipe), daemon=True)
    with told:
        child.start()
        pipe.close()
        words = os.read(told.fileno(), 1)
        time.sleep(moment)
        child.kill()
        child.join()
        while more := os.read(told.fileno(), 1 << 16):
            words += more
    assert child.exitcode == -signal.SIGKILL, "the child failed by itself"
    return words.decode()


@pytest.mark.fault(
    "sessions",
    "kill -9 at fifty moments of judging and saving",
    "every change but the one under way, with what can be undone",
    sees="nothing: the session opens as it was",
)
@pytest.mark.skipif(os.name != "posix", reason="forks its children, and kills with a signal")
def test_killed_at_fifty_moments_nothing_that_was_done_is_lost(tmp_path, children):
    moments, seen = Random(5), Counter()
    for number in range(SESSIONS):
        folder = tmp_path / f"Sitzung {number}.anoclip"
        truth = InMemory()
        for kill in range(KILLS):
            seed = f"{number}, {kill}"
            words = kill_at_some_moment(children, folder, seed, moments.random() * LONGEST)
            done = words.count(".")
            if not Session.is_session(folder):
                assert done == 0
                seen["before there was a session"] += 1
                continue
            if (folder / "session.json").exists():
                Saved(folder)  # whole, whatever was being written
            if moments.random() < 0.5:  # nothing is written, so that the next child finds what this one left
                found = facts(restore(folder))
            else:
                session = Session.open(folder)  # the lock of a dead process is in nobody's way
                found = facts(session)
                session.close()
                assert session.trouble == ""
            random = Random(seed)
            for _ in range(done):
                step(truth, random)
            seen["last change is there" if found == facts(truth) else "change in flight is there"] += 1
            if found != facts(truth):
                step(truth, random)
                assert found == facts(truth), f"session {number}, kill {kill} after {done} changes"
            seen["changes"] += done
            seen["killed while opening"] += "r" not in words
        if not Session.is_session(folder):
            continue
        last = Session.open(folder)
        while truth.review.to_undo:
            truth.review.undo()
            last.review.undo()
        assert facts(last) == facts(truth)
        last.close()
    print(dict(seen))
    assert seen["changes"] > 100, "the children did too little to be killed at"

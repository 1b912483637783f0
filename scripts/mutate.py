"""Break the code in one small place at a time, and see whether the tests notice: `make mutants`.

A seeded sample of all places is drawn (`mutants`). Each mutant is a process of its own, forked from one that has the
large libraries imported; it gets the changed source from memory, so that no file is ever written, and runs the tests of
its module until the first that fails. What survives is printed as a diff, to be read: a test that is missing, or a
change that changes nothing. docs/testing.md says what was found.

    python scripts/mutate.py --number 300 --seed 0 [--only tiling]
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from mutants import Mutant, Places

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "napari_anoclip"

SUBJECTS = {
    "scoring": {
        "engine/scoring.py": "engine/test_scoring.py",
        "engine/field_scoring.py": "engine/test_scoring.py engine/test_detector_references.py",
        "engine/similarity.py": "engine/test_similarity.py",
    },
    "tiling": {"engine/tiling.py": "engine/test_tiling.py"},
    "regions": {
        "review/regions.py": "review/test_regions.py",
        "review/region_mask.py": "review/test_region_mask.py review/test_regions.py",
        "review/matching.py": "review/test_matching.py",
    },
    "metrics": {
        "review/metrics.py": "review/test_metrics.py review/test_exam.py",
        "review/curves.py": "review/test_curves.py review/test_metrics.py",
        "review/bootstrap.py": "review/test_metrics.py review/test_exam.py",
        "review/exam.py": "review/test_exam.py review/test_metrics.py",
    },
    "session": {
        "review/session.py": "review/test_session.py review/test_migrate.py review/test_lock.py",
        "review/session_file.py": "review/test_session.py review/test_migrate.py review/test_journal.py",
        "review/journal.py": "review/test_journal.py review/test_session.py",
        "review/restore.py": "review/test_session.py review/test_journal.py review/test_migrate.py",
        "review/verdicts.py": "review/test_verdicts.py review/test_session.py",
    },
}
"""What is broken, and the test files that hold it, those that find most first."""

HEAVY = ("cv2", "hypothesis", "open_clip", "pandas", "pydantic", "pytest", "scipy.ndimage", "scipy.stats")
HEAVY += ("skimage.filters", "skimage.measure", "sklearn.metrics", "torch", "torchvision")


class Mutated(importlib.abc.MetaPathFinder, SourceFileLoader):
    """Imports the changed source in place of the file."""

    def __init__(self, mutant: Mutant) -> None:
        module = ".".join(mutant.file.relative_to(PACKAGE.parent).with_suffix("").parts)
        super().__init__(module, str(mutant.file))
        self._mutant = mutant

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = fullname == self.name
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self) if found else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._mutant.source, self.path, "exec")


def in_child(work: Callable[[], int], seconds: float) -> int | None:
    """Exit code of a process forked to do some work; None if it took longer than that and was ended."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 70
        with contextlib.suppress(BaseException):
            os.setsid()
            code = work()
        os._exit(code)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):  # also what the tests left running
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def tests(files: Sequence[str], mutant: Mutant | None) -> int:
    """Run test files, quietly, with a mutant in place of its module."""
    import pytest

    if mutant is not None:
        sys.meta_path.insert(0, Mutated(mutant))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    without = [f"-pno:{plugin}" for plugin in ("cacheprovider", "napari", "npe2", "pytest-qt")]  # these take their time
    return int(pytest.main(["-x", "-q", "--assert=plain", "--no-xvfb", *without, *files]))


def broken(code: int | None) -> str:
    """What became of a mutant, by the exit code of its tests."""
    if code is None:
        return "timed out"
    return "survived" if code == 0 else "killed"


def places(only: str) -> Iterator[tuple[str, Mutant, list[str]]]:
    """Give every mutant, with its subject and its test files that there are."""
    for subject, modules in SUBJECTS.items():
        for name, listed in modules.items():
            files = [path for one in listed.split() if Path(path := f"tests/{one}").exists()]
            if only in f"{subject} {name}":
                yield from ((subject, mutant, files) for mutant in Places(PACKAGE / name).found)


def main() -> int:
    """Give 1 if fewer than the threshold were killed."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--number", type=int, default=300, help="mutants to try")
    asked.add_argument("--seed", type=int, default=0, help="of the sample")
    asked.add_argument("--only", default="", help="a subject or a module")
    asked.add_argument("--at-least", type=float, default=0.85, help="share that has to be killed")
    given = asked.parse_args()
    os.chdir(ROOT)
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.path.insert(0, str(PACKAGE.parent))
    for name in HEAVY:
        importlib.import_module(name)

    everything = list(places(given.only))
    sample = random.Random(given.seed).sample(everything, min(given.number, len(everything)))
    sample.sort(key=lambda drawn: (str(drawn[1].file), drawn[1].start))
    seconds: dict[tuple[str, ...], float] = {}
    told: dict[str, Counter[str]] = {subject: Counter() for subject, _, _ in sample}
    for number, (subject, mutant, files) in enumerate(sample, start=1):
        if tuple(files) not in seconds:
            began = time.monotonic()
            if in_child(lambda files=files: tests(files, None), 600) != 0:  # type: ignore[misc]
                sys.exit(f"These fail as it is: {' '.join(files)}")
            seconds[tuple(files)] = time.monotonic() - began
        limit = 20 + 5 * seconds[tuple(files)]
        result = broken(in_child(lambda files=files, mutant=mutant: tests(files, mutant), limit))  # type: ignore[misc]
        told[subject][result] += 1
        if result == "survived":
            print(f"\n{number} of {len(sample)} survived:\n{mutant.diff()}", flush=True)

    print(f"\nSeed {given.seed}: {len(sample)} of {len(everything):,} mutants, tried in all:")
    for subject, counts in told.items():
        print(f"{subject:8} {counts.total() - counts['survived']:4} of {counts.total():4} killed, "
              f"{counts['timed out']} of them by the time limit")  # fmt: skip
    survived = sum(counts["survived"] for counts in told.values())
    score = 1 - survived / len(sample)
    print(f"killed   {score:.1%}, at least {given.at_least:.0%} are asked for")
    return int(score < given.at_least)


if __name__ == "__main__":
    sys.exit(main())

"""Peak memory of a program, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def own_peak() -> float:
    """Peak memory of this process so far, in MB; Linux only.

    Not by getrusage: after a fork, its peak begins with what the parent had.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(row.split()[1]) for row in status if row.startswith("VmHWM")) / 1024


def peak_megabytes(program: str, *arguments: str) -> float:
    """Run a Python program from the root of the repository, and give its peak memory in MB; Linux only."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nfrom benchmarks.peak import own_peak\nprint(own_peak())", *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return float(done.stdout.split()[-1])

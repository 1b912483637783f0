"""Peak memory of a program, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_TELL = """
from pathlib import Path
status = Path("/proc/self/status").read_text().splitlines()
print(next(int(row.split()[1]) for row in status if row.startswith("VmHWM")) / 1024)
"""


def peak_megabytes(program: str, *arguments: str) -> float:
    """Run a Python program from the root of the repository; Linux only.

    Not by getrusage: after a fork, its peak begins with what the parent had.
    """
    done = subprocess.run(
        [sys.executable, "-c", program + _TELL, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    return float(done.stdout.split()[-1])

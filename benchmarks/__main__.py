"""Run all benchmarks in turn, print what each prints, and put it into its place in docs/performance.md.

    python -m benchmarks [--document docs/performance.md] [NAME ...]

The place of `benchmarks.engine` lies between the lines ``<!-- engine -->`` and ``<!-- /engine -->``; what stands around
it is written by hand. Each is written as soon as it is there, so that a run that is broken off loses little. Those of
the window need a display, a virtual one will do.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.peak import ROOT

ARGUMENTS: dict[str, list[str]] = {
    "engine": [],
    "rivals": [],
    "cold_start": [],
    "live": [],
    "responsiveness": [],
    "metrics": [],
    "tuning": [],
    "batch": [],
    "figures": [],
    "mutual": [],
    "expert_loop": ["--plot", "docs/images/expert_loop.png"],
}
"""What is run, in the order of the page."""


def main() -> int:
    """Run them; the exit status is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(ARGUMENTS)}")
    parser.add_argument("--document", type=Path, help="page to put the output into")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in ARGUMENTS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}")
    failed = []
    for name in options.names or ARGUMENTS:
        began, above = time.monotonic(), describe()
        print(f"\n## benchmarks.{name}\n\n{above}\n", flush=True)
        status, said = run(name)
        taken = f"{time.monotonic() - began:.0f} s in all"
        print(f"\n{taken}", flush=True)
        if status:
            failed.append(name)
        elif options.document is not None:
            put(options.document, name, f"{above}, {taken}\n\n{said.strip()}")
    if failed:
        print(f"\nFailed: {', '.join(failed)}; their places were left as they were.")
    return int(bool(failed))


def run(name: str) -> tuple[int, str]:
    """Run one, printing its lines as they come; its exit status and all that it printed."""
    lines = []
    command = [sys.executable, "-m", f"benchmarks.{name}", *ARGUMENTS[name]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return process.returncode, "".join(lines)


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands in a place of a page.

    Raises
    ------
    ValueError
        If the page has no such place.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    whole, found = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}",
        lambda _: f"{begin}\n{text}\n{end}",
        page.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if found != 1:
        raise ValueError(f"{page} has {found} places for {name}: it needs one, between {begin} and {end}.")
    page.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

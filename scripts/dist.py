"""Build the wheel and the sdist, look into both, and try the wheel where nothing else is installed: `make dist`.

What it makes is what a release uploads. The empty environment in build/ has the newest versions of all that the package
needs, several gigabytes; `--no-trial` leaves it out. It needs PyPI.

    python scripts/dist.py [--no-trial] [--python 3.13]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
TRIAL = ROOT / "build" / "trial"
LARGEST_WHEEL = 30e6
"""Bytes; PyPI takes 100 MB, and most of this is the built-in model."""

NOT_IN_THE_SDIST = (".ci/", ".github/")
"""Of use in a repository only."""


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Show a command, and end where it fails."""
    print("$", *(Path(word).name if Path(str(word)).is_absolute() else word for word in command), flush=True)
    subprocess.run([str(word) for word in command], cwd=cwd, env=env, check=True)


def build(uv: str) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from it; both are alone in dist/."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(uv, "build", "--quiet", "--out-dir", DIST)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def wheel_problems(names: Iterable[str], tracked: Iterable[str], size: int) -> list[str]:
    """What is wrong with a wheel.

    Parameters
    ----------
    names : iterable of str
        Files in it.
    tracked : iterable of str
        Files of the repository, from its root.
    size : int
        Of the wheel, in bytes.
    """
    wanted = {name.removeprefix("src/") for name in tracked if name.startswith("src/")}
    held = {name for name in names if ".dist-info/" not in name}
    problems = [f"the wheel lacks {name}" for name in sorted(wanted - held)]
    problems += [f"the wheel has {name}, which is no file of the repository" for name in sorted(held - wanted)]
    if size > LARGEST_WHEEL:
        problems.append(f"the wheel has {size / 1e6:.1f} MB, and {LARGEST_WHEEL / 1e6:.0f} MB is the limit")
    return problems


def sdist_problems(names: Iterable[str], tracked: Iterable[str]) -> list[str]:
    """What is wrong with an sdist, whose names begin with its own folder."""
    wanted = {name for name in tracked if not name.startswith(NOT_IN_THE_SDIST)}
    held = {name.partition("/")[2] for name in names} - {"PKG-INFO"}
    return [f"the sdist lacks {name}" for name in sorted(wanted - held)] + [
        f"the sdist has {name}, which is no file of the repository" for name in sorted(held - wanted)
    ]


def look_into(wheel: Path, sdist: Path) -> None:
    """Compare what is in both with what git does not ignore; end with a list of what is wrong."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    tracked = [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    with zipfile.ZipFile(wheel) as archive:
        problems = wheel_problems(archive.namelist(), tracked, wheel.stat().st_size)
    with tarfile.open(sdist) as archive:
        problems += sdist_problems((member.name for member in archive if not member.isdir()), tracked)
    if problems:
        sys.exit("\n".join(problems))
    for path in (wheel, sdist):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def try_out(uv: str, wheel: Path, python: str) -> None:
    """Install the wheel into an empty environment, as a user does, and use it."""
    run(uv, "venv", "--quiet", "--clear", "--python", python, TRIAL)
    bin_folder = TRIAL / ("Scripts" if sys.platform == "win32" else "bin")
    run(uv, "pip", "install", "--quiet", "--python", bin_folder / "python", f"{wheel}[all]")
    with tempfile.TemporaryDirectory() as folder:
        # Caches and settings of its own, so that nothing of this machine's napari takes part.
        homes = dict.fromkeys(("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), f"{folder}/home")
        for command in (
            ("python", "-c", "import napari_anoclip; print(napari_anoclip.__version__, napari_anoclip.__file__)"),
            ("npe2", "validate", "napari-anoclip"),
            ("anoclip", "doctor"),
            ("anoclip", "demo-data", "parts", "--materials", "demo_cloth", "--images", "2"),
            ("anoclip", "run", "parts/demo_cloth/test", "--object", "cloth", "--kind", "texture", "--out", "results"),
            ("python", "-m", "napari_anoclip.demo", "--screenshot", "window.png"),
        ):
            run(bin_folder / command[0], *command[1:], cwd=Path(folder), env=os.environ | homes)
        for made in ("results/report.html", "window.png"):
            if not (Path(folder) / made).exists():
                sys.exit(f"{made} was not made")


def main() -> None:
    """Build, look, try."""
    parser = argparse.ArgumentParser(description="Build the wheel and the sdist, look into both, and try the wheel.")
    parser.add_argument("--no-trial", action="store_true", help="do not install the wheel into an empty environment")
    parser.add_argument("--python", default=sys.executable, help="of the empty environment (default: this one)")
    options = parser.parse_args()
    uv = find_uv_bin()
    wheel, sdist = build(uv)
    run(uv, "tool", "run", "--quiet", "twine", "check", "--strict", wheel, sdist)
    run(uv, "tool", "run", "--quiet", "check-wheel-contents", wheel)
    look_into(wheel, sdist)
    if not options.no_trial:
        try_out(uv, wheel, options.python)


if __name__ == "__main__":
    main()

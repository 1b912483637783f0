"""Print what a map costs with what people would take instead: anomalib's WinCLIP, and open_clip alone as the floor.

    python -m benchmarks.rivals [--make-environment] [--environment FOLDER] [--rounds 3]

All see the same pictures with the same random weights of ViT-B-16-plus-240 (speed does not depend on what weights say),
each in a process of its own and in turn. anomalib lives in an environment of its own, which is made when asked for: it
is no dependency of ours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from safetensors.torch import save_model

from benchmarks.contestants import ARCHITECTURE, CONTESTANTS, SIDE
from benchmarks.peak import ROOT

NAMES = {
    "plain": "open_clip alone: one encode_image, no map",
    "winclip": "anomalib {anomalib}, WinCLIP, zero-shot",
    "ours": "AnoCLIP, V-V",
    "ours again": "the same, second start",
    "ours, adapted": "AnoCLIP, V-V, adapted to each picture (TTA)",
    "ours, paper": "AnoCLIP, the paper's protocol (22 views, TTA)",
}
DIFFERENCES = """
Equal for all: weights, pictures of {side} × {side} in memory, one at a time, float32, {threads} torch threads, torch
{torch}, a process of their own in each round. Each sees the same class token in the first picture (compared).

What differs is the methods' own: WinCLIP passes {windows} windows of 2 × 2 and 3 × 3 patches through the tower for each
picture; AnoCLIP walks it once, and 23 times by the paper's protocol. WinCLIP encodes the prompts of its own ensemble at
77 tokens and keeps them in memory; AnoCLIP those of the paper, trimmed, and keeps them on disk: a second start encodes
none. open_clip alone encodes two prompts, and gives no map. Map, smoothing and score are included, reading a file is
not.
"""
MISSING = """anomalib is not at {place}: its line is left out. To have it, once, some 8 GB:
    python -m benchmarks.rivals --make-environment
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, default=default_environment(), help="where anomalib is")
    parser.add_argument("--make-environment", action="store_true", help="install anomalib there first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=12, help="pictures a round")
    parser.add_argument("--seconds", type=float, default=15, help="after which a round ends with fewer pictures")
    options = parser.parse_args()
    if options.make_environment:
        make(options.environment)
    print(f"{ARCHITECTURE} shape, random weights\n")
    interpreters = dict.fromkeys(CONTESTANTS, Path(sys.executable))
    interpreters["winclip"] = python_of(options.environment)
    if not interpreters["winclip"].exists():
        print(MISSING.format(place=options.environment))
        del interpreters["winclip"]
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), options.pictures)
        runs = compare(Path(folder), interpreters, options.rounds, options.seconds)
    print(table(runs, anomalib_version(options.environment)))
    first = runs["plain"][0]
    windows = (SIDE // 16 - 1) ** 2 + (SIDE // 16 - 2) ** 2
    print(DIFFERENCES.format(side=SIDE, windows=windows, threads=first["threads"], torch=first["torch"]))


def default_environment() -> Path:
    return Path(platformdirs.user_cache_dir("napari-anoclip-benchmarks", appauthor=False)) / "anomalib"


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def make(environment: Path) -> None:
    """Install anomalib with the versions of torch and open_clip that are used here."""
    if not python_of(environment).exists():
        venv.create(environment, with_pip=True)
    wanted = [f"{name}=={version(name).split('+')[0]}" for name in ("torch", "open_clip_torch")]
    subprocess.run([python_of(environment), "-m", "pip", "install", *wanted, "anomalib"], check=True)


def anomalib_version(environment: Path) -> str:
    found = next(environment.glob("**/site-packages/anomalib-*.dist-info"), None)
    return "" if found is None else found.name.split("-")[1].removesuffix(".dist")


def prepare(folder: Path, pictures: int) -> None:
    """Write the weights and the pictures that all use."""
    import open_clip

    torch.manual_seed(0)
    model, _, _ = open_clip.create_model_and_transforms(ARCHITECTURE)
    save_model(model, str(folder / "weights.safetensors"))
    drawn = np.random.default_rng(0).integers(0, 255, (pictures, SIDE, SIDE, 3), dtype=np.uint8)
    np.save(folder / "pictures.npy", drawn)


def compare(
    folder: Path, interpreters: dict[str, Path], rounds: int, seconds: float
) -> dict[str, list[dict[str, Any]]]:
    """Let each contestant run in each round, and check that all did the same."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in interpreters}
    for _ in range(rounds):
        for kept in (folder / "cache").glob("*"):
            kept.unlink()
        for name, python in interpreters.items():
            runs[name].append(run(python, name, folder, seconds))
    reference = runs["plain"][0]
    for name, found in runs.items():
        for one in found:
            np.testing.assert_allclose(one["seen"], reference["seen"], rtol=1e-3, atol=1e-4, err_msg=name)
            for same in ("torch", "threads"):
                if one[same] != reference[same]:
                    raise RuntimeError(f"{name} ran with {same} {one[same]}, open_clip with {reference[same]}.")
    return runs


def run(python: Path, name: str, folder: Path, seconds: float) -> dict[str, Any]:
    threads = str(torch.get_num_threads())
    done = subprocess.run(
        [python, "-m", "benchmarks.contestants", name, folder, str(time.time()), str(seconds)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(runs: dict[str, list[dict[str, Any]]], anomalib: str) -> str:
    """Medians over all rounds, and of the ratios to open_clip alone round by round."""
    lines = [
        "| | seconds an image | × open_clip alone | first map from nothing, s | peak memory, MB | prompts encoded |",
        "|---|---|---|---|---|---|",
    ]
    floors = [statistics.median(one["seconds"]) for one in runs["plain"]]
    for name, found in runs.items():
        medians = [statistics.median(one["seconds"]) for one in found]
        ratio = statistics.median(mine / floor for mine, floor in zip(medians, floors, strict=True))
        cold = statistics.median(one["cold"] for one in found)
        peak = "" if found[0]["peak"] is None else f"{max(one['peak'] for one in found):.0f}"
        title = NAMES[name].format(anomalib=anomalib)
        middle = statistics.median(medians)
        lines.append(f"| {title} | {middle:.3f} | {ratio:.2f} | {cold:.1f} | {peak} | {found[0]['prompts']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

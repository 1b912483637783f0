"""kill -9 while a folder is scored, twice: the third run must finish it, each image once, as an undisturbed one does.

python -m benchmarks.kill_run --images 500 --seed 0
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import tifffile
from PIL import Image

from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Records
from napari_anoclip.batch.run import RunSummary, run
from napari_anoclip.engine import PromptSet

BROKEN_EACH = 100
"""Every so manieth file is none."""

RECIPE = Recipe(
    prompts=PromptSet.compose(
        object="surface",
        normal_states=["flawless {}"],
        abnormal_states=["damaged {}", "scratched {}"],
        frames=["a photo of a {}", "a close-up photo of a {}"],
    )
)
SCORE_TOLERANCE = 1e-5
"""Batches are cut otherwise after a kill, and float32 sums with them."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=2, type=Path, metavar=("FOLDER", "OUT"), help="what is killed")
    options = parser.parse_args()
    if options.child:
        score(*options.child)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return report(Path(folder), options.images, Random(options.seed))  # noqa: S311


def score(folder: Path, out: Path) -> RunSummary:
    return run([folder], out, RECIPE, OutputSettings(report=False))


def report(work: Path, images: int, random: Random) -> int:
    folder, out, calm = work / "in", work / "out", work / "calm"
    write_pictures(folder, images, random)
    before = 0
    for kill in (1, 2):
        target = before + random.randint(images // 10, images // 3)
        moment = kill_after(folder, out, target, random.random())
        done = finished(out)
        print(f"kill {kill}: after {moment:.1f} s, {done} of {images} records, {unfinished(out)} files not whole")
        before = done
    summary = score(folder, out)
    print(
        f"third run: {summary.done} done, {summary.skipped} skipped, {len(summary.failed)} broken, "
        f"{summary.seconds:.1f} s, encoder busy {summary.busy / summary.seconds:.0%}"
    )
    whole = score(folder, calm)
    print(f"undisturbed: {whole.done} done, {len(whole.failed)} broken, {whole.seconds:.1f} s")
    faults = differences(out, calm, images)
    print("\n".join(faults) or f"each of {images} images once, equal to an undisturbed run: yes")
    return len(faults)


def write_pictures(folder: Path, count: int, random: Random) -> None:
    folder.mkdir()
    draw = np.random.default_rng(random.randrange(2**32))
    for number in range(count):
        file = folder / f"{number:04d}.png"
        if number % BROKEN_EACH == BROKEN_EACH // 2:
            file.write_bytes(b"no picture")
            continue
        pixels = draw.integers(90, 140, (160, 200, 3), dtype=np.uint8)
        top, left = draw.integers(0, 120, 2)
        pixels[top : top + 30, left : left + 40] = draw.integers(0, 255)
        Image.fromarray(pixels).save(file)


def kill_after(folder: Path, out: Path, target: int, delay: float) -> float:
    """Kill a run at some moment after so many records; gives the seconds that it lived."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.kill_run", "--child", str(folder), str(out)]
    child = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    while finished(out) < target and child.poll() is None:
        time.sleep(0.02)
    time.sleep(0.2 * delay)
    child.kill()
    if child.wait() != -signal.SIGKILL:
        raise RuntimeError("The run ended before it was killed: take more images.")
    return time.perf_counter() - started


def finished(out: Path) -> int:
    return sum(1 for _ in out.glob("records/??/*.json"))


def unfinished(out: Path) -> int:
    return sum(1 for _ in out.rglob(".*.new"))


def differences(out: Path, calm: Path, images: int) -> list[str]:
    """What is not as it is in an undisturbed run, in words."""
    faults = []
    tables = [pd.read_csv(one / "scores.csv", dtype={"key": str}) for one in (out, calm)]
    records = Counter(Records(out).get(key).key for key in tables[0].key)
    if len(records) != images or set(records.values()) != {1} or finished(out) != images:
        faults.append(f"FAULT: {len(records)} images in the tables, {finished(out)} records")
    if not tables[0][["key", "error"]].equals(tables[1][["key", "error"]]):
        faults.append("FAULT: other images or errors than undisturbed")
    apart = float((tables[0].score - tables[1].score).abs().max())
    print(f"scores differ by {apart:.1e} at most")
    if not apart <= SCORE_TOLERANCE:
        faults.append(f"FAULT: a score differs by {apart}")
    if len(list(out.glob("maps/*"))) != tables[0].score.count() or unfinished(out):
        faults.append("FAULT: maps without an image, or files that are not whole")
    for below in tables[0].map_file.dropna():
        maps = (tifffile.imread(one / below).astype(np.float32) for one in (out, calm))
        if np.abs(np.subtract(*maps)).max() > 1e-3:
            faults.append(f"FAULT: {below} is another map")
    return faults


if __name__ == "__main__":
    sys.exit(main())

"""kill -9 twice while a folder is scored: the third run finishes it, each image once, as if nothing had happened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
import tifffile
from batch.killed import run_on
from batch.small import RECIPE, load, write_pictures
from forking import forking

from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.records import Records
from napari_anoclip.batch.run import run

IMAGES = 40


@pytest.fixture(scope="module")
def children():
    """Processes that have everything imported when they begin."""
    with forking("pytest", "batch.killed") as context:
        yield context


def records_in(out: Path) -> list[Path]:
    return list(out.glob("records/??/*.json"))


def kill_once_there_are(children, count: int, folder: Path, out: Path, cache: Path) -> None:
    child = children.Process(target=run_on, args=(folder, out, cache), daemon=True)
    child.start()
    deadline = time.monotonic() + 60
    while len(records_in(out)) < count and child.is_alive():
        assert time.monotonic() < deadline, "the child does nothing"
        time.sleep(0.001)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL, "the child was not killed"


@pytest.mark.fault(
    "caches and disks",
    "kill -9, twice, while a folder is scored",
    "every finished image, once; the third run does the rest",
    sees="nothing: the next run says how many were finished",
)
@pytest.mark.skipif(os.name != "posix", reason="kills with a signal")
def test_killed_twice_each_image_is_there_once_and_the_same(tmp_path: Path, children) -> None:
    folder, out, cache = tmp_path / "in", tmp_path / "out", tmp_path / "cache"
    write_pictures(folder, IMAGES)
    random = Random(6)
    finished = 0
    for _ in range(2):
        kill_once_there_are(children, finished + random.randint(2, 12), folder, out, cache)
        files = records_in(out)
        assert finished < len(files) < IMAGES, "killed too late to tell anything"
        finished = len(files)
        for number in range(IMAGES):
            record = Records(out).get(f"{number}.png")
            if record is not None:
                assert (out / record.map.path).stat().st_size == record.map.size
                assert tifffile.imread(out / record.map.path).shape == (40, 52)
    assert not (out / "scores.csv").exists()

    model = load(cache)
    last = run([folder], out, RECIPE, OutputSettings(report=False), model=model)
    assert (last.done, last.skipped, last.failed) == (IMAGES - finished, finished, ())
    assert not list(out.rglob(".*.new"))
    assert len(records_in(out)) == len(list(out.glob("maps/*"))) == IMAGES

    calm = tmp_path / "calm"
    model.forget_tokens()
    run([folder], calm, RECIPE, OutputSettings(report=False), model=model)
    there, expected = (pd.read_csv(one / "scores.csv") for one in (out, calm))
    assert there.key.tolist() == expected.key.tolist()
    assert there.key.is_unique
    np.testing.assert_allclose(there[["score", "maximum"]], expected[["score", "maximum"]], atol=5e-6)
    assert there.regions.tolist() == expected.regions.tolist()
    for key in there.key:
        maps = (tifffile.imread(one / "maps" / f"{key}.tif").astype(np.float32) for one in (out, calm))
        np.testing.assert_allclose(*maps, atol=6e-4)

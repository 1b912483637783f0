"""The demo as `make demo` starts it: a process of its own that opens a window and leaves a picture."""

from __future__ import annotations

import subprocess
import sys

from skimage.io import imread


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_anoclip.demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


def test_the_demo_saves_a_picture_of_the_window(tmp_path):
    path = tmp_path / "demo.png"
    done = demo("--screenshot", str(path))
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    picture = imread(path)
    assert picture.shape[0] > 600
    assert picture.shape[1] > 1000
    assert len({tuple(pixel) for pixel in picture[::7, ::7, :3].reshape(-1, 3)}) > 500, "an empty window"


def test_an_unknown_sample_is_a_sentence_and_a_failure():
    done = demo("--sample", "nothing-of-the-kind")
    assert done.returncode == 1
    assert "There is no sample" in done.stderr
    assert "Traceback" not in done.stderr

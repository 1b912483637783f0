"""Pictures of what the command line makes, of drawn data; see `screenshots`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QPixmap

from docs.review_screenshots import in_browser

if TYPE_CHECKING:
    from docs.screenshots import Desk


def run_report(_: Desk) -> QPixmap:
    folder = _data()
    tiles, out = folder / "demo_tiles" / "test", folder.parent / "found"
    _call("run", tiles, "--object", "tile", "--kind", "texture", "--out", out)
    return in_browser(out / "report.html")


def evaluate_plot(_: Desk) -> QPixmap:
    folder = _data()
    out = folder.parent / "figures"
    _call("evaluate", "mvtec", folder, "--out", out)
    return QPixmap(str(out / "figures.png"))


@cache
def _data() -> Path:
    folder = Path(tempfile.mkdtemp()) / "demo"
    _call("demo-data", folder)
    return folder


def _call(*words: object) -> None:
    """A command in a process of its own, as a person gives it: this one draws a window."""
    program = "from napari_anoclip.cli import main; main()"
    subprocess.run([sys.executable, "-c", program, *map(str, words)], check=True, timeout=600)


MAKERS = (run_report, evaluate_plot)

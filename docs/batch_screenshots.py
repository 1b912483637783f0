"""Pictures of what the command line makes, of drawn data; see `screenshots`."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtGui import QPixmap

from docs.review_screenshots import in_browser
from napari_anoclip.cli import main

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
    try:
        main([str(word) for word in words])
    except SystemExit as left:
        if left.code:
            raise


MAKERS = (run_report, evaluate_plot)

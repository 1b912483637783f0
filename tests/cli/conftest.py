"""The built-in model, loaded once for all tests of the command line."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from cli.calling import drawn

from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.engine import AnoCLIP
from napari_anoclip.engine.calibration import DisplayRange


@cache
def builtin() -> AnoCLIP:
    return AnoCLIP.load()


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> AnoCLIP:
    """Commands find the built-in model loaded, and need no normal pictures to know its range."""
    monkeypatch.setattr(ModelSpec, "load", lambda spec: builtin())
    monkeypatch.setattr(AnoCLIP, "display_range", lambda *_, **__: DisplayRange(0.2, 0.8, "made up"))
    return builtin()


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder of six small pictures, no two alike."""
    return drawn(tmp_path / "parts", 6)

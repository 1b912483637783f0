"""Good pictures stay calm: how that is measured, and that the packaged model keeps it on real photographs."""

from __future__ import annotations

import numpy as np
import pytest

from napari_anoclip.engine import AnoCLIP, PromptSet
from training import calm as calm_module
from training.calm import Calm, Seen, Shown, show
from training.evaluation_sets import SURFACES, Pictures


def shown(above: tuple[int, int], *, mask: tuple[int, int] = (0, 0), listed: bool = True) -> Shown:
    """A map of 10 x 10 with a square above the threshold, and a defect, both from the upper left corner."""
    hot, bad = np.zeros((2, 10, 10), bool)
    hot[: above[0], : above[1]] = True
    bad[: mask[0], : mask[1]] = True
    return Shown("texture", hot, np.zeros_like(hot), hot if listed else np.zeros_like(hot), bad, listed)


def test_good_pictures_count_by_area_and_one_by_one() -> None:
    calm = Calm.of([shown((0, 0)), shown((0, 0)), shown((2, 5)), shown((1, 2), listed=False)])
    assert calm.pictures == 4
    assert calm.above == pytest.approx(0.03)
    assert calm.worst == pytest.approx(0.1)
    assert calm.listed == pytest.approx(0.25)
    assert calm.scored == pytest.approx(0.75)
    assert calm.red == 0


def test_defects_count_by_their_area_and_a_region_elsewhere_is_no_hit() -> None:
    beside = Shown("object", *(shown((2, 2)).above for _ in range(3)), np.eye(10, dtype=bool)[::-1], False)
    seen = Seen.of([shown((2, 2), mask=(4, 4)), beside])
    assert seen.area == pytest.approx(4 / (16 + 10))
    assert seen.hit == pytest.approx(0.5)
    assert seen.scored == pytest.approx(0.5)


def test_photographs_are_seen_whole_and_in_windows() -> None:
    pictures = Pictures.photographs(SURFACES, "texture")
    assert pictures.images.shape == (30, 240, 240, 3)
    assert not pictures.kinds.any()
    assert all(pictures.texture)


def test_the_packaged_model_keeps_photographs_of_good_surfaces_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    # few prompts: to this model all normal ones say nearly the same, and the paper's take ten times as long
    monkeypatch.setattr(calm_module, "prompts_of", lambda preset, texture: PromptSet.preset("short", "surface"))
    every = Pictures.photographs(SURFACES, "texture")
    whole = Pictures(every.images[::10], every.kinds[::10], every.families[::10])
    calm = Calm.of(show(AnoCLIP.load("builtin"), whole))
    assert calm.above <= 0.01
    assert calm.red == 0

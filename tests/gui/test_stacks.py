"""Stacks through the dock: the shown plane first, the others behind it, and a broken one stops none of them."""

from __future__ import annotations

import re

import dask.array as da
import numpy as np
import pytest

from napari_anoclip.plugin import results
from napari_anoclip.plugin.live import QUIET

PLANES = 6


@pytest.fixture
def stack():
    """(6, 96, 96) uint8, each plane with a bright square at another place."""
    stack = np.full((PLANES, 96, 96), 40, np.uint8)
    for index, plane in enumerate(stack):
        plane[8 + 12 * index : 24 + 12 * index, 40:56] = 230
    return stack


@pytest.fixture
def ready(dock, use_model, bright_is_bad):
    use_model(bright_is_bad)
    return dock


def choose_planes(dock, which, **more):
    dock.controls.image.choice = {**dock.controls.image.choice, "planes": which, **more}


def hottest_row(plane):
    return np.unravel_index(plane.argmax(), plane.shape)[0]


def result_of(viewer):
    return results.find(viewer.layers, viewer.layers["stack"])


def test_all_planes_are_scored_the_shown_one_first(ready, viewer, run, stack):
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 4)
    choose_planes(ready, "all")
    published = []
    ready.job.published.connect(lambda part: published.append(part.plane.hidden[0]))
    run(ready)
    assert published[0] == 4
    assert sorted(published) == list(range(PLANES))
    maps = np.asarray(result_of(viewer).data)
    assert maps.shape == stack.shape
    for index, plane in enumerate(maps):
        assert 8 + 12 * index <= hottest_row(plane) < 24 + 12 * index
    assert ready.bench.histogram.count == stack.size


def test_one_plane_is_scored_and_the_others_stay_empty(ready, viewer, run, stack):
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 2)
    run(ready)
    maps = np.asarray(result_of(viewer).data)
    assert [bool(np.isnan(plane).all()) for plane in maps] == [True, True, False, True, True, True]


def test_a_plane_is_scored_when_it_is_looked_at(ready, viewer, run, stack, qtbot):
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 0)
    ready.controls.live.setChecked(True)
    run(ready)
    viewer.dims.set_current_step(0, 3)
    qtbot.waitUntil(lambda: not np.isnan(np.asarray(result_of(viewer).data)[3]).any(), timeout=10_000)
    qtbot.waitUntil(lambda: not ready.job.busy)
    maps = np.asarray(result_of(viewer).data)
    assert not np.isnan(maps[0]).any(), "what was computed stays"
    assert np.isnan(maps[1]).all()


def test_a_plane_that_is_known_is_not_scored_again(ready, viewer, run, stack, qtbot):
    viewer.add_image(stack, name="stack")
    choose_planes(ready, "all")
    run(ready)
    ready.controls.live.setChecked(True)
    started = []
    ready.job.state_changed.connect(started.append)
    score = ready.run_bar.score
    viewer.dims.set_current_step(0, 5)
    viewer.dims.set_current_step(0, 1)
    qtbot.wait(2 * QUIET)
    assert started == []
    assert ready.run_bar.score != score, "the score is that of the plane that is shown"


def test_a_plane_that_is_looked_at_while_the_stack_is_scored_is_told_of_when_it_comes(ready, viewer, stack, qtbot):
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 0)
    choose_planes(ready, "all")
    ready.job.published.connect(lambda part: viewer.dims.set_current_step(0, 5))
    with qtbot.waitSignal(ready.job.succeeded, timeout=30_000):
        ready.run_bar.run_button.click()
    assert ready.bench.result.plane.hidden == (5,)


def test_a_range_of_planes(ready, viewer, run, stack):
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 2)
    choose_planes(ready, "range", first=1, last=3)
    run(ready)
    maps = np.asarray(result_of(viewer).data)
    assert [not np.isnan(plane).any() for plane in maps] == [False, True, True, True, False, False]


@pytest.mark.fault("inputs", "a dask stack of which a plane cannot be read", "the maps of all other planes")
def test_a_broken_plane_is_named_and_the_others_go_on(ready, viewer, stack, qtbot, sees):
    def read(block, block_info=None):
        if block_info[None]["chunk-location"][0] == 3:
            raise OSError("the disk has a scratch")
        return block

    lazy = da.from_array(stack, chunks=(1, 96, 96)).map_blocks(read, dtype=np.uint8)
    viewer.dims.set_current_step(0, 0)
    viewer.add_image(lazy, name="stack", contrast_limits=(0, 255))
    viewer.dims.set_current_step(0, 0)
    choose_planes(ready, "all")
    with qtbot.waitSignal(ready.job.succeeded, timeout=30_000):
        ready.run_bar.run_button.click()
    assert ready.notice.text.startswith("1 of 6 planes could not be scored, number 3.")
    assert "the disk has a scratch" in sees(ready.notice.text)
    kept = result_of(viewer).data
    assert [not np.isnan(np.asarray(kept[index])).any() for index in range(PLANES)] == [True] * 3 + [False] + [True] * 2


def test_other_settings_empty_the_stack_before_they_fill_it(ready, viewer, run, stack):
    viewer.add_image(stack, name="stack")
    viewer.dims.set_current_step(0, 2)
    choose_planes(ready, "all")
    run(ready)
    choose_planes(ready, "this")
    ready.controls.live.setChecked(False)
    ready.controls.adapt.click()
    run(ready)
    maps = np.asarray(result_of(viewer).data)
    assert [not np.isnan(plane).any() for plane in maps] == [False, False, True, False, False, False]


def test_a_stack_tells_how_many_planes_are_done(ready, viewer, run, stack):
    said = []
    ready.job.progressed.connect(lambda progress: said.append(ready.run_bar.stage))
    viewer.add_image(stack, name="stack")
    choose_planes(ready, "all")
    run(ready)
    assert any(re.match("scoring planes · [0-5] of 6", words) for words in said)

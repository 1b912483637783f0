"""The call for scripts, and its form."""

from __future__ import annotations

import numpy as np
import pytest
from gui.conftest import PROMPTS

import napari_anoclip
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin import command, results


@pytest.fixture
def scripted(shelf, use_model, bright_is_bad, monkeypatch):
    monkeypatch.setattr(command, "SHELF", shelf)
    use_model(bright_is_bad)


def test_a_script_gets_the_heatmap_in_one_call(scripted, viewer, picture, bright_is_bad):
    image = viewer.add_image(picture, rgb=True, name="plate_07")
    heatmap = napari_anoclip.run(viewer, object="plate", preset="short")
    assert heatmap is results.find(viewer.layers, image)
    np.testing.assert_allclose(heatmap.data, bright_is_bad.detect(picture, PROMPTS).map)


def test_a_script_scores_all_planes_where_it_says_so(scripted, viewer):
    viewer.add_image(np.zeros((3, 96, 96), np.uint8), name="stack")
    heatmap = napari_anoclip.run(viewer, object="plate", preset="short", planes="all")
    assert not np.isnan(np.asarray(heatmap.data)).any()


def test_a_script_gets_a_sentence_for_what_is_no_image(scripted, viewer):
    with pytest.raises(ImageError, match="no image yet"):
        napari_anoclip.run(viewer)


def test_the_form_scores_in_a_worker(scripted, viewer, picture, qtbot):
    image = viewer.add_image(picture, rgb=True, name="plate_07")
    _, form = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP, one run")
    form.object.value, form.preset.value = "plate", "short"
    form.call_button.native.click()
    qtbot.waitUntil(lambda: results.find(viewer.layers, image) is not None, timeout=20_000)

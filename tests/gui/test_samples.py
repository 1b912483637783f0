"""Sample data and the menus: what the manifest promises is there, and a sample can be run as it comes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml
from npe2 import PluginManifest
from sklearn.metrics import roc_auc_score

from napari_anoclip.engine.prompts import preset_names
from napari_anoclip.plugin.results import find as find_result
from napari_anoclip.plugin.sample_data import SAMPLE_KEY, open_sample

PACKAGE = resources.files("napari_anoclip")
LISTED = yaml.safe_load((PACKAGE / "samples" / "samples.yaml").read_text("utf-8"))
KEYS = [Path(sample["file"]).stem for sample in LISTED]
MANIFEST = PluginManifest.from_file(str(PACKAGE / "napari.yaml"))


def test_the_manifest_lists_the_packaged_samples():
    promised = {sample.key: sample.display_name for sample in MANIFEST.contributions.sample_data}
    assert promised == {Path(sample["file"]).stem: sample["title"] for sample in LISTED}
    assert len(promised) >= 6


def test_the_docks_are_in_the_menus():
    bench, review, _ = MANIFEST.contributions.widgets
    assert (bench.display_name, review.display_name) == ("AnoCLIP", "AnoCLIP Review")
    for menu, widget in (("segment", bench), ("annotate", review)):
        assert [item.command for item in MANIFEST.contributions.menus[f"napari/layers/{menu}"]] == [widget.command]


@pytest.mark.parametrize("key", KEYS)
def test_a_sample_has_a_mask_and_says_what_it_shows(key):
    (picture, about, kind), (mask, mask_about, mask_kind) = open_sample(key)
    assert (kind, mask_kind) == ("image", "labels")
    assert picture.shape[: mask.ndim] == mask.shape
    assert about["rgb"] == (picture.ndim > mask.ndim)
    assert 0 < mask.mean() < 0.5
    assert not mask_about["visible"]
    told = about["metadata"][SAMPLE_KEY]
    assert told["object"]
    assert told["kind"] in ("texture", "object")
    assert told["preset"] in preset_names()


def test_one_of_them_is_a_stack_of_eight():
    masks = [open_sample(key)[1][0] for key in KEYS]
    assert [len(mask) for mask in masks if mask.ndim == 3] == [8]


def test_a_sample_prefills_the_dock(dock, viewer):
    for key in KEYS:
        image, _ = viewer.open_sample("napari-anoclip", key)
        told = image.metadata[SAMPLE_KEY]
        assert dock.controls.image.layer == image
        assert dock.controls.prompts.prompts.object == told["object"]
        assert dock.controls.prompts.prompts.name == told["preset"]


def test_open_a_sample_press_run_see_the_defect(dock, viewer, shelf, run):
    """As a user: the built-in model, paper prompts, nothing set by hand."""
    image, mask = viewer.open_sample("napari-anoclip", "leather")
    run(dock)
    result = find_result(viewer.layers, image)
    assert result.data.shape == mask.data.shape
    np.testing.assert_allclose(result.data_to_world((3, 4)), image.data_to_world((3, 4)))
    assert roc_auc_score(mask.data.ravel() > 0, result.data.ravel()) > 0.9
    assert "MB · ready" in dock.controls.model.note
    before = result.data.copy()
    dock.controls.adapt.setChecked(True)
    run(dock)
    assert find_result(viewer.layers, image) is result
    assert not np.array_equal(result.data, before)

"""What a result says about how it was made, and that the dock gets exactly that back."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from gui.scored import scored, shown
from napari.components import ViewerModel

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import (
    AdaptationSettings,
    AnoCLIPSettings,
    DisplaySettings,
    ScoringSettings,
    TilingSettings,
)
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.planes import ImageChoice, all_planes, shown_plane
from napari_anoclip.plugin.provenance import (
    METADATA_KEY,
    Window,
    checked_record,
    position_key,
    position_of,
    restore_values,
)
from napari_anoclip.plugin.results import is_result, show

SETTINGS = AnoCLIPSettings(
    scoring=ScoringSettings(temperature=0.07, smooth=False),
    adaptation=AdaptationSettings(enabled=True, steps=9, seed=42),
    tiling=TilingSettings(mode="both", overlap=0.5),
)
DISPLAY = DisplaySettings(range="manual", low=0.2, high=0.9, threshold=0.55, contour=True)
PROMPTS = PromptSet.preset("paper-object", "sealing ring").model_copy(update={"disabled": frozenset({"a", "b"})})


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def result(viewer, picture):
    image = viewer.add_image(picture, rgb=True, name="plate")
    made = shown(
        image,
        viewer.dims,
        settings=SETTINGS,
        prompts=PROMPTS,
        display=DISPLAY,
        model=ModelChoice("builtin", "cpu", download=True),
        choice=ImageChoice(region="shape", shape_layer="part", contrast="data"),
    )
    return show(viewer.layers, made)


def test_all_that_was_set_comes_back_exactly(result):
    result.metadata = json.loads(json.dumps(result.metadata))  # as through a file
    back = restore_values(result)
    assert back.settings == SETTINGS
    assert back.prompts == PROMPTS
    assert back.display == DISPLAY
    assert back.image_choice == ImageChoice(region="shape", shape_layer="part", contrast="data").model_dump()


def test_restoring_gives_no_leave_to_download(result):
    result.metadata[METADATA_KEY]["model"]["download"] = True
    assert restore_values(result).model == ModelChoice("builtin", "cpu", download=False)


def test_it_tells_what_is_needed_to_make_it_again(result):
    record = result.metadata[METADATA_KEY]
    made = record["provenance"]
    assert {"version", "model", "model_id", "device", "precision", "time", "image", "scaling"} <= set(made)
    assert made["settings"]["adaptation"]["seed"] == 42
    assert record["planes"][""]["image"] == made["image"]
    assert record["planes"][""]["score"] == 0.7
    assert record["display_range"] == [0.2, 0.9]
    assert record["display_range_source"] == "set by hand"
    assert record["threshold"] == 0.55


def test_an_image_of_somebody_elses_is_told(viewer, picture):
    image = viewer.add_image(picture, name="photo")
    with pytest.raises(ImageError, match=r"^“photo” is no anomaly map of AnoCLIP: there are no settings in it\.$"):
        restore_values(image)


@pytest.mark.parametrize(
    ("version", "says"),
    [(2, "newer version"), (0, "older version"), (None, "damaged"), (True, "damaged")],
)
def test_another_version_of_the_record_is_told(result, version, says):
    result.metadata[METADATA_KEY]["format"] = version
    with pytest.raises(ImageError, match=says):
        restore_values(result)
    assert not is_result(result)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record["provenance"].pop("settings"),
        lambda record: record.pop("provenance"),
        lambda record: record.update(provenance=3),
        lambda record: record["provenance"]["settings"]["tiling"].update(overlap=7),
        lambda record: record["provenance"]["prompts"].update(object=""),
        lambda record: record["provenance"]["prompts"].update(normal_states=[{"text": 3}]),
        lambda record: record["model"].update(name=["a"]),
        lambda record: record.update(model=None),
        lambda record: record["image_choice"].update(region="moon"),
        lambda record: record.update(display="__import__('os')"),
    ],
)
def test_a_damaged_record_gives_a_sentence(result, spoil):
    spoil(result.metadata[METADATA_KEY])
    with pytest.raises(ImageError, match=r"^The settings in “plate · anomaly 0.700” cannot be restored: .+\.$"):
        restore_values(result)


@pytest.mark.parametrize("garbage", ["text", 3, [], {}, {"format": "1"}, {"format": [1]}])
def test_garbage_in_the_place_of_a_record_gives_a_sentence(result, garbage):
    result.metadata[METADATA_KEY] = garbage
    with pytest.raises(ImageError):
        restore_values(result)
    assert not is_result(result)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", 0),
        ("planes", {"1;2": {"score": 1, "image": "a"}}),
        ("planes", {"": {"score": "high", "image": "a"}}),
        ("window", {}),
        ("stale", None),
        ("image_id", None),
        ("display_range", [1]),
        ("threshold", "0.5?"),
    ],
)
def test_what_the_plugin_relies_on_is_checked_when_a_record_comes_from_a_file(result, name, value):
    record = copy.deepcopy(result.metadata[METADATA_KEY])
    assert checked_record(record) is record
    record[name] = value
    with pytest.raises(ImageError, match="damaged"):
        checked_record(record)


def test_the_window_finds_its_planes_again(viewer):
    data = np.random.default_rng(0).integers(0, 2000, (4, 3, 50, 60)).astype(np.uint16)
    image = viewer.add_image(data, contrast_limits=(10, 1500), scale=(1, 2, 3, 4))
    viewer.dims.order = (1, 0, 3, 2)
    outline = np.array([(5, 5), (45, 20), (20, 40)])
    for plane in all_planes(image, viewer.dims, ImageChoice(planes="all"), outline):
        window = Window.model_validate(json.loads(Window.of(plane).model_dump_json()))
        found = window.plane(image, position_of(position_key(plane.hidden)))
        np.testing.assert_array_equal(found.read(), plane.read())
        assert found.contrast_limits == plane.contrast_limits
        assert all(np.array_equal(found.place()[name], value) for name, value in plane.place().items())
    image.data = data[:, :, :-1]
    assert window.plane(image) is None


def test_another_plane_of_the_same_run_keeps_the_record_of_the_first(viewer):
    stack = viewer.add_image(np.random.default_rng(0).integers(0, 255, (3, 20, 30), np.uint8))
    for at in range(3):
        viewer.dims.set_current_step(0, at)
        layer = show(viewer.layers, scored(shown_plane(stack, viewer.dims), score=at / 10))
    planes = layer.metadata[METADATA_KEY]["planes"]
    assert {key: entry["score"] for key, entry in planes.items()} == {"0": 0.0, "1": 0.1, "2": 0.2}
    assert len({entry["image"] for entry in planes.values()}) == 3

"""Where the map is hot is where the image is: a bright square in the world, through the whole dock.

The model is the hand-set one of `towers`, for which bright is abnormal, so that the right answer is known and does not
hang on what a trained model makes of a square. Images have odd sizes, a random affine and units.
"""

from __future__ import annotations

import numpy as np
import pytest
from gui.towers import PATCH, SIDE

from napari_anoclip.engine.settings import AnoCLIPSettings, ScoringSettings, TilingSettings
from napari_anoclip.plugin.results import find as find_result


def hot_centre(values: np.ndarray) -> np.ndarray:
    """(row, column) of the middle of what is hotter than half way up to the maximum."""
    values = np.nan_to_num(values, nan=np.nanmin(values))  # outside of a drawn shape
    above = values - (values.min() + values.max()) / 2
    return np.argwhere(above > 0).T @ above[above > 0] / above[above > 0].sum()


@pytest.mark.parametrize("mode", ["fit", "tiles"])
@pytest.mark.parametrize("kind", ["grey", "grey16", "RGB", "RGBA"])
def test_the_hot_centre_is_on_the_square(dock, viewer, use_model, bright_is_bad, run, mode, kind):
    use_model(bright_is_bad)
    dock.settings = AnoCLIPSettings(scoring=ScoringSettings(smooth=False), tiling=TilingSettings(mode=mode))
    rng = np.random.default_rng([len(mode), len(kind)])
    for _ in range(3):
        size = rng.integers(50, 130, 2) * 2 + 1
        # A patch in pixels of the image: the model's square lies on the whole image, or on tiles at its own scale.
        patch = size / (SIDE / PATCH) if mode == "fit" else np.array([PATCH, PATCH])
        side = np.ceil(2.5 * patch).astype(int)
        corner = rng.integers(0, size - side)
        pixels = picture_with_square(kind, size, corner, side)
        image = viewer.add_image(pixels, rgb=pixels.ndim == 3, **random_place(rng))
        run(dock)
        result = find_result(viewer.layers, image)
        found = image.world_to_data(result.data_to_world(hot_centre(result.data)))
        np.testing.assert_array_less(np.abs(found - (corner + (side - 1) / 2)), patch / 2)
        assert result.units == image.units
        assert result.axis_labels == image.axis_labels


def picture_with_square(kind: str, size: np.ndarray, corner: np.ndarray, side: np.ndarray) -> np.ndarray:
    pixels = np.full(size, 60, np.uint8)
    pixels[corner[0] : corner[0] + side[0], corner[1] : corner[1] + side[1]] = 220
    if kind == "grey":
        return pixels
    if kind == "grey16":
        return pixels.astype(np.uint16) * 37 + 500
    return np.dstack([pixels] * 3 + [np.full(size, 255, np.uint8)] * (kind == "RGBA"))


def random_place(rng: np.random.Generator) -> dict[str, object]:
    affine = np.eye(3)
    affine[:2, :2] += rng.normal(0, 0.4, (2, 2))
    affine[:2, 2] = rng.normal(0, 100, 2)
    return {
        "scale": rng.uniform(0.1, 9, 2),
        "rotate": float(rng.uniform(0, 360)),
        "shear": rng.normal(0, 0.3, 1),
        "translate": rng.normal(0, 40, 2),
        "affine": affine,
        "units": ("um", "um"),
        "axis_labels": ("y", "x"),
    }


def test_a_plane_of_a_stack_is_hot_in_its_own_plane(dock, viewer, use_model, bright_is_bad, run):
    use_model(bright_is_bad)
    stack = np.full((6, 90, 110), 60, np.uint8)
    stack[4, 20:41, 70:95] = 220
    image = viewer.add_image(stack, scale=(7, 0.5, 0.5), translate=(3, 2, 1))
    viewer.dims.set_current_step(0, 4)
    run(dock)
    result = find_result(viewer.layers, image)
    assert result.data.shape == stack.shape
    found = image.world_to_data(result.data_to_world([4, *hot_centre(np.asarray(result.data[4]))]))
    np.testing.assert_allclose(found[0], 4)
    np.testing.assert_array_less(np.abs(found[1:] - (30, 82)), (90 / 12 / 2, 110 / 12 / 2))


def test_through_rolled_axes_it_is_hot_where_it_was_seen(dock, viewer, use_model, bright_is_bad, run):
    use_model(bright_is_bad)
    volume = np.full((90, 5, 110), 60, np.uint8)
    volume[20:41, 3, 70:95] = 220
    image = viewer.add_image(volume, scale=(0.5, 7, 0.5), translate=(3, 2, 1))
    viewer.dims.order = (1, 2, 0)
    viewer.dims.set_current_step(1, 3)
    run(dock)
    result = find_result(viewer.layers, image)
    row, column = hot_centre(np.asarray(result.data[:, 3]))
    found = image.world_to_data(result.data_to_world([row, 3, column]))
    np.testing.assert_array_less(np.abs(found - (30, 3, 82)), (90 / 12 / 2, 1e-6, 110 / 12 / 2))


@pytest.mark.parametrize("seed", range(2))
def test_in_a_drawn_window_of_a_coarse_level_it_is_hot_where_it_is(dock, viewer, use_model, bright_is_bad, run, seed):
    use_model(bright_is_bad)
    dock.settings = AnoCLIPSettings(scoring=ScoringSettings(smooth=False))
    rng = np.random.default_rng(seed)
    finest = np.full((440, 360), 60, np.uint8)
    finest[200:240, 150:190] = 220
    image = viewer.add_image([finest, finest[::2, ::2]], multiscale=True, contrast_limits=(0, 255), **random_place(rng))
    drawn = viewer.add_shapes(ndim=2, name="ROI", rotate=30, scale=(2, 3), units=("um", "um"))
    corners = [drawn.world_to_data(image.data_to_world(at)) for at in ((101, 61), (95, 302), (322, 289), (347, 70))]
    drawn.add_polygons(np.array(corners))
    dock.controls.image.choose(image)
    dock.controls.image.choice = {"region": "shape", "shape_layer": "ROI", "level": 1}
    run(dock)
    result = find_result(viewer.layers, image)
    values = np.asarray(result.data)
    assert np.isnan(values).any()
    found = image.world_to_data(result.data_to_world(hot_centre(values)))
    np.testing.assert_array_less(np.abs(found - (219.5, 169.5)), np.array([252, 241]) / 12 / 2)

"""Where the map is hot is where the image is: a bright square in the world, through the whole dock.

The model is the hand-set one of `towers`, for which bright is abnormal, so that the right answer is known and does not
hang on what a trained model makes of a square. Images have odd sizes, a random affine and units.
"""

from __future__ import annotations

import numpy as np
import pytest
from gui.towers import PATCH, SIDE

from napari_anoclip.engine.settings import AnoCLIPSettings, ScoringSettings, TilingSettings
from napari_anoclip.plugin.layers import find_result


def hot_centre(values: np.ndarray) -> np.ndarray:
    """(row, column) of the middle of what is hotter than half way up to the maximum."""
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
    found = image.world_to_data(result.data_to_world([0, *hot_centre(result.data[0])]))
    np.testing.assert_allclose(found[0], 4)
    np.testing.assert_array_less(np.abs(found[1:] - (30, 82)), (90 / 12 / 2, 110 / 12 / 2))

"""Any pixels to RGB between 0 and 1: what is refused, what is black and white, and reading piece by piece."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_anoclip.engine import imaging
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.imaging import (
    IntensityScaling,
    check_image,
    fingerprint,
    intensity_scaling,
    read_resized,
    read_rgb,
)


class Lazy:
    """An array of which only slices can be had, as dask, zarr and h5py offer them; counts the pixels read at once."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.largest_read = 0

    def __getitem__(self, key):
        keys = key if isinstance(key, tuple) else (key,)
        assert all(isinstance(one, slice) for one in keys)
        region = self._array[key]
        self.largest_read = max(self.largest_read, region.size)
        return Computed(region)


class Computed:
    """A slice that becomes pixels when numpy asks."""

    def __init__(self, region):
        self._region = region

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self._region, dtype)


def rgb_of(image, contrast_limits=None):
    """(H, W, 3) as the model would see it, without resizing."""
    height, width = check_image(image)
    scaling = intensity_scaling(image, contrast_limits)
    planes = read_rgb(image, slice(0, height), slice(0, width), scaling)
    assert planes.dtype == torch.float32
    assert planes.shape == (3, height, width)
    return planes.permute(1, 2, 0).numpy()


@pytest.mark.fault(
    "inputs",
    "what is no image is given to the engine: 0 pixels, complex, object, text, dates, five dimensions",
    "the next call works",
)
@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros(5), "shape"),
        (np.zeros((2, 3, 4, 3)), "shape"),
        (np.zeros((4, 4, 2)), "shape"),
        (np.zeros((3, 40, 40)), "shape"),
        (np.float32(1), "shape"),
        ("a file name", "shape"),
        (np.zeros((0, 0)), "no pixels"),
        (np.zeros((0, 4, 3)), "no pixels"),
        (np.zeros((4, 0)), "no pixels"),
        (np.zeros((4, 4), np.complex64), "complex"),
        (np.full((4, 4), None), "object"),
        (np.full((4, 4), "a"), "type"),
        (np.zeros((4, 4), "datetime64[s]"), "type"),
        (np.zeros((4, 4), [("a", float)]), "type"),
        (torch.zeros(4, 4), "numpy"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(image, words, sees):
    with pytest.raises(ImageError, match=words) as refused:
        check_image(image)
    sees(refused.value)
    assert ": give" in str(refused.value)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (3, 5000), (5000, 3), (7, 5, 1), (7, 5, 4)])
def test_any_size_becomes_the_models_square(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert check_image(image) == shape[:2]
    scaling = intensity_scaling(image)
    for interpolation in ("bilinear", "bicubic"):
        square = read_resized(image, slice(0, shape[0]), slice(0, shape[1]), scaling, (48, 48), interpolation)
        assert square.shape == (3, 48, 48)
        assert float(square.min()) >= 0
        assert float(square.max()) <= 1


@pytest.mark.parametrize(
    ("image", "low", "high", "source"),
    [
        (np.array([[0, 90]], np.uint8), 0, 255, "dtype"),
        (np.array([[True, False]]), 0, 1, "dtype"),
        (np.array([[0.2, 0.9]]), 0, 1, "dtype"),
        (np.array([[0.5, 0.5]], np.float16), 0, 1, "dtype"),
        (np.array([[0.5, np.nan]]), 0, 1, "dtype"),
        (np.array([[-1, 7, np.inf]], np.float32), -1, 7, "percentiles"),
        (np.linspace(100, 4195, 4096).reshape(64, 64).astype(np.uint16), 104, 4191, "percentiles"),
        (np.linspace(0, 2**32 - 1, 4096).reshape(64, 64).astype(np.uint32), 4294967, 4290672328, "percentiles"),
        (np.linspace(-500, 500, 4096).reshape(64, 64).astype(np.int16), -499, 499, "percentiles"),
        (np.full((4, 4), 37, np.uint16), 37, 38, "constant"),
        (np.full((4, 4), 2**60, np.int64), 2.0**60, None, "constant"),
        (np.full((4, 4), -1e30), -1e30, None, "constant"),
    ],
)
def test_black_and_white_follow_type_then_data(image, low, high, source):
    scaling = intensity_scaling(image)
    assert scaling.source == source
    assert scaling.low == pytest.approx(low, rel=1e-4, abs=1.5)
    assert scaling.high > scaling.low
    if high is not None:
        assert scaling.high == pytest.approx(high, rel=1e-4, abs=1.5)
    assert np.isfinite(rgb_of(image)).all()


def test_a_few_bright_pixels_on_a_constant_ground_are_seen():
    image = np.full((200, 200), 300, np.uint16)
    image[50, 50] = 900
    scaling = intensity_scaling(image)
    assert (scaling.low, scaling.high) == (300, 900)
    assert rgb_of(image)[50, 50, 0] == 1


def test_alpha_has_no_say_in_the_scaling():
    rgb = np.random.default_rng(0).uniform(10, 20, (16, 16, 3))
    rgba = np.concatenate([rgb, np.full((16, 16, 1), 1e4)], axis=2)
    assert intensity_scaling(rgba) == intensity_scaling(rgb)
    np.testing.assert_array_equal(rgb_of(rgba), rgb_of(rgb))


def test_given_limits_win_and_are_recorded():
    image = np.array([[0, 100, 200, 255]], np.uint8)
    assert intensity_scaling(image, (100, 200)) == IntensityScaling(100.0, 200.0, "given")
    np.testing.assert_allclose(rgb_of(image, (100, 200))[0, :, 0], [0, 0, 1, 1])


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (np.nan, 1), (0, np.inf), (-1.7e308, 1.7e308)])
def test_limits_that_are_no_range_are_refused(limits):
    with pytest.raises(ImageError, match="rising"):
        intensity_scaling(np.zeros((4, 4), np.uint8), limits)


@pytest.mark.parametrize("limits", [None, (0, 1)])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(5, 5), (5, 5, 3)])
def test_an_image_without_a_finite_pixel_is_refused(shape, value, limits):
    with pytest.raises(ImageError, match="finite"):
        intensity_scaling(np.full(shape, value, np.float32), limits)


def test_a_finite_alpha_does_not_save_an_image_of_nan():
    image = np.full((4, 4, 4), np.nan)
    image[..., 3] = 1
    with pytest.raises(ImageError, match="finite"):
        intensity_scaling(image)


def test_single_pixels_that_are_not_finite_change_no_others():
    image = np.random.default_rng(0).uniform(size=(8, 8)).astype(np.float32)
    expected = rgb_of(image)
    image[2, 3], image[4, 5], image[6, 7] = np.nan, np.inf, -np.inf
    seen = rgb_of(image)
    assert (seen[2, 3, 0], seen[4, 5, 0], seen[6, 7, 0]) == (0, 1, 0)
    kept = np.isfinite(image)
    np.testing.assert_array_equal(seen[kept], expected[kept])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "uint16", ">u2", "int32", "uint64", "float16", "float64"])
def test_grey_of_any_type_shows_the_same_ramp(dtype):
    """0 and 1 are black and white whatever the type; the three channels of a grey image are equal."""
    image = np.array([[0, 1], [1, 0]], dtype)
    seen = rgb_of(image, (0, 1))
    np.testing.assert_allclose(seen, np.array([[0, 1], [1, 0]])[..., None].repeat(3, axis=2), atol=1e-6)
    np.testing.assert_array_equal(rgb_of(image[..., None], (0, 1)), seen)


def test_small_differences_on_a_large_offset_survive():
    image = 2**40 + np.arange(16, dtype=np.int64).reshape(4, 4)
    seen = rgb_of(image, (2**40, 2**40 + 15))
    np.testing.assert_allclose(seen[..., 0].ravel(), np.arange(16) / 15, atol=1e-6)


@given(
    image=hnp.arrays(
        st.sampled_from([np.float32, np.int16, np.uint32, np.int64, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    )
)
@settings(max_examples=40, deadline=None)
def test_whatever_is_accepted_is_seen_between_0_and_1(image):
    try:
        seen = rgb_of(image)
    except ImageError:
        assert not np.isfinite(image).any()
        return
    assert seen.min() >= 0
    assert seen.max() <= 1


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(20, 30), (91, 83), (150, 140)])
def test_strips_change_nothing(monkeypatch, interpolation, size):
    image = np.random.default_rng(0).integers(0, 256, (91, 83, 3)).astype(np.uint8)
    region = (slice(3, 88), slice(5, 80))
    whole = read_resized(image, *region, intensity_scaling(image), size, interpolation)
    monkeypatch.setattr(imaging, "_STRIP_PIXELS", 75 * 7)
    lazy = Lazy(image)
    pieces = read_resized(lazy, *region, intensity_scaling(image), size, interpolation)
    torch.testing.assert_close(pieces, whole, atol=1e-6, rtol=0)
    assert lazy.largest_read <= 75 * 7 * 3


def test_shrinking_averages_instead_of_skipping():
    """Fine stripes become their mean; without antialiasing they would alias into false structure."""
    stripes = np.zeros((480, 480), np.uint8)
    stripes[:, ::2] = 255
    small = read_resized(stripes, slice(0, 480), slice(0, 480), intensity_scaling(stripes), (48, 48), "bilinear")
    torch.testing.assert_close(small[:, :, 2:-2], torch.full((3, 48, 44), 0.5), atol=0.01, rtol=0)


def test_grey_resizes_as_its_rgb_does():
    grey = np.random.default_rng(0).integers(0, 256, (33, 47)).astype(np.uint8)
    rgb = grey[..., None].repeat(3, axis=2)
    region, scaling = (slice(0, 33), slice(0, 47)), intensity_scaling(grey)
    torch.testing.assert_close(
        read_resized(grey, *region, scaling, (48, 48), "bicubic"),
        read_resized(rgb, *region, scaling, (48, 48), "bicubic"),
    )


@pytest.mark.parametrize("shape", [(90, 70), (90, 70, 3), (90, 70, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_lazy_arrays_are_read_in_slices(monkeypatch, shape, dtype):
    monkeypatch.setattr(imaging, "_STRIP_PIXELS", 1000)
    monkeypatch.setattr(imaging, "_SAMPLED_PIXELS", 1000)
    image = (np.random.default_rng(0).uniform(size=shape) * 200).astype(dtype)
    lazy = Lazy(image)
    assert check_image(lazy) == (90, 70)
    assert intensity_scaling(lazy) == intensity_scaling(image)
    assert fingerprint(lazy) == fingerprint(image)
    region, scaling = (slice(0, 90), slice(0, 70)), intensity_scaling(image)
    torch.testing.assert_close(
        read_resized(lazy, *region, scaling, (24, 24), "bilinear"),
        read_resized(image, *region, scaling, (24, 24), "bilinear"),
    )
    assert lazy.largest_read < image.size / 2


def test_dask_is_such_an_array():
    dask = pytest.importorskip("dask.array")
    image = np.random.default_rng(0).integers(0, 4000, (90, 70, 3)).astype(np.uint16)
    lazy = dask.from_array(image, chunks=(32, 32, 3))
    assert check_image(lazy) == (90, 70)
    assert intensity_scaling(lazy) == intensity_scaling(image)
    assert fingerprint(lazy) == fingerprint(image)
    np.testing.assert_array_equal(rgb_of(lazy), rgb_of(image))


def test_the_fingerprint_is_that_of_shape_type_and_pixels():
    image = np.arange(24, dtype=np.uint8).reshape(4, 6)
    changed = image.copy()
    changed[3, 5] += 1
    others = [changed, image.reshape(6, 4), image.astype(np.uint16), image.view(np.int8), image[::-1]]
    assert len({fingerprint(one) for one in [image, *others]}) == 6
    assert fingerprint(np.asfortranarray(image)) == fingerprint(image)
    assert fingerprint(image.repeat(2, axis=0)[::2]) == fingerprint(image)
    assert len(fingerprint(image)) == 64

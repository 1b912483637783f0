"""Which pixels are scored, and where their map comes to lie: no engine, no window."""

from __future__ import annotations

from dataclasses import replace

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin import plane as plane_module
from napari_anoclip.plugin.planes import ImageChoice, Plane, all_planes, shown_plane
from napari_anoclip.plugin.regions_of_interest import outline_of


def pick(viewer: ViewerModel, layer: object, **choice) -> Plane:
    wanted = ImageChoice(**choice)
    return shown_plane(layer, viewer.dims, wanted, outline_of(viewer, layer, wanted))


def pick_all(viewer: ViewerModel, layer: object, **choice) -> list[Plane]:
    wanted = ImageChoice(**choice)
    return all_planes(layer, viewer.dims, wanted, outline_of(viewer, layer, wanted))


def shown_in_place(viewer: ViewerModel, plane: Plane, values: np.ndarray) -> Image:
    """A layer with the stack of maps of a plane, filled where the plane is, as results do it."""
    stack = np.full(plane.stack_shape, np.nan, np.float32)
    hidden = iter(plane.hidden)
    where = tuple(slice(None) if i is None else slice(at := next(hidden), at + 1) for i in plane.index)
    stack[where] = plane.put(values.astype(np.float32))
    return viewer.add_image(stack, contrast_limits=(0, 1), **plane.place())


def world_of_the_brightest(layer: Image, values: np.ndarray) -> np.ndarray:
    """World position of the middle of all pixels that are as bright as the brightest."""
    values = np.asarray(values)
    return np.asarray(layer.data_to_world(np.argwhere(values == np.nanmax(values)).mean(axis=0)))


def bright(shape: tuple[int, ...], *where: slice) -> np.ndarray:
    pixels = np.zeros(shape, np.float32)
    pixels[where] = 1
    return pixels


def transform(rng: np.random.Generator, ndim: int) -> dict[str, object]:
    affine = np.eye(ndim + 1)
    affine[-3:-1, -3:-1] += rng.normal(0, 0.3, (2, 2))
    affine[:-1, -1] = rng.normal(0, 50, ndim)
    return {
        "scale": rng.uniform(0.2, 5, ndim),
        "translate": rng.normal(0, 30, ndim),
        "rotate": float(rng.uniform(0, 360)) if ndim == 2 else None,
        "shear": rng.normal(0, 0.2, 1) if ndim == 2 else None,
        "affine": affine,
        "units": ("um",) * ndim,
        "axis_labels": tuple("tzyx"[-ndim:]),
    }


class Counting:
    """An array-like that remembers how many pixels were read, all in all and at once."""

    def __init__(self, pixels):
        self._pixels = pixels
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim
        self.read = self.largest = 0

    def __getitem__(self, key):
        part = self._pixels[key]
        self.read += part.size
        self.largest = max(self.largest, part.size)
        return part


# ---- which plane ----


def test_two_dimensions_are_taken_whole(picture):
    viewer = ViewerModel()
    plane = pick(viewer, viewer.add_image(picture, rgb=True))
    assert plane.index == (None, None)
    assert plane.shape == plane.stack_shape == (96, 120)
    assert plane.hidden == ()
    assert plane.describe() == "120 × 96 RGB"
    np.testing.assert_array_equal(plane.read(), picture)


def test_of_a_stack_the_shown_plane_is_taken():
    viewer = ViewerModel()
    stack = np.arange(5 * 4 * 6 * 7).reshape(5, 4, 6, 7)
    layer = viewer.add_image(stack, scale=(2, 0.5, 3, 3), translate=(10, -1, 0, 0))
    viewer.dims.set_point((0, 1), (10 + 2 * 3, -1 + 0.5 * 2))
    plane = pick(viewer, layer)
    assert plane.index == (3, 2, None, None)
    assert plane.hidden == (3, 2)
    assert plane.stack_shape == stack.shape
    np.testing.assert_array_equal(plane.read(), stack[3, 2])
    assert "plane 3 / 4, 2 / 3" in plane.describe()


def test_all_planes_come_outwards_from_the_shown_one():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((6, 4, 5)))
    viewer.dims.set_current_step(0, 1)
    assert [plane.hidden for plane in pick_all(viewer, layer)] == [(1,)]
    assert [plane.hidden[0] for plane in pick_all(viewer, layer, planes="all")] == [1, 0, 2, 3, 4, 5]


def test_a_range_is_along_the_first_slider_where_the_others_are():
    viewer = ViewerModel()
    layer = viewer.add_image(np.arange(6 * 3 * 4 * 5).reshape(6, 3, 4, 5))
    viewer.dims.set_current_step((0, 1), (3, 2))
    chosen = pick_all(viewer, layer, planes="range", first=4, last=2)
    assert [plane.hidden for plane in chosen] == [(3, 2), (2, 2), (4, 2)]
    np.testing.assert_array_equal(chosen[1].read(), layer.data[2, 2])
    outside = pick_all(viewer, layer, planes="range", first=0, last=1)
    assert [plane.hidden for plane in outside] == [(1, 2), (0, 2)], "of a range elsewhere, the nearest comes first"
    assert len(pick_all(viewer, layer, planes="range", first=2, last=99)) == 4
    assert len(pick_all(viewer, layer, planes="all")) == 18


def test_a_flat_image_has_one_plane_whatever_was_chosen(picture):
    viewer = ViewerModel()
    flat = viewer.add_image(picture[..., 0])
    viewer.add_image(np.zeros((5, 96, 120)))
    viewer.dims.set_current_step(0, 4)
    for planes in ("this", "all", "range"):
        assert [plane.index for plane in pick_all(viewer, flat, planes=planes)] == [(None, None)]


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_rolled_and_transposed_axes_are_seen_as_on_the_screen(order):
    viewer = ViewerModel()
    stack = np.random.default_rng(0).random((5, 6, 7))
    layer = viewer.add_image(stack)
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], 2)
    plane = pick(viewer, layer)
    seen = np.take(stack.transpose(order), 2, axis=0)
    np.testing.assert_array_equal(plane.read(), seen)
    result = shown_in_place(viewer, plane, seen)
    np.testing.assert_allclose(np.take(result.data.transpose(order), 2, axis=0), seen, rtol=1e-6)
    np.testing.assert_allclose(result.data_to_world([1, 2, 3]), (1, 2, 3))


def test_sliders_in_other_units_are_understood():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((9, 4, 5)), scale=(2, 1, 1), units=("mm", "um", "um"))
    viewer.add_image(np.zeros((9, 4, 5)), scale=(2000, 1, 1), units=("um", "um", "um"))
    viewer.dims.set_current_step(0, 6)
    expected = layer._slicing_state.data_slice.point[0]  # napari's own answer
    assert pick(viewer, layer).index[0] == round(expected)


def test_a_plane_outside_of_the_layer_is_refused():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 4, 5)))
    viewer.add_image(np.zeros((30, 4, 5)))
    viewer.dims.set_current_step(0, 20)
    with pytest.raises(ImageError, match="Move the slider"):
        pick(viewer, layer)


def test_labels_and_nothing_are_refused():
    viewer = ViewerModel()
    with pytest.raises(ImageError, match="no image yet"):
        shown_plane(None, viewer.dims)
    labels = viewer.add_labels(np.zeros((4, 5), int))
    with pytest.raises(ImageError, match=r"^This layer holds labels, not an image\. Choose an image layer\.$"):
        shown_plane(labels, viewer.dims)


# ---- reading ----


def lazy_kinds(stack: np.ndarray, folder) -> dict[str, object]:
    stored = zarr.create_array(folder / "stack.zarr", shape=stack.shape, dtype=stack.dtype, chunks=(1, 16, 16))
    stored[:] = stack
    mapped = np.memmap(folder / "stack.dat", stack.dtype, "w+", shape=stack.shape)
    mapped[:] = stack
    return {"dask": da.from_array(stack, chunks=(1, 16, 16)), "zarr": stored, "memmap": mapped}


@pytest.mark.parametrize("kind", ["dask", "zarr", "memmap"])
@pytest.mark.parametrize("small", [True, False])
def test_lazy_arrays_give_the_same_pixels(monkeypatch, tmp_path, kind, small):
    monkeypatch.setattr(plane_module, "WHOLE_READ_BYTES", 1 << 30 if small else 0)
    stack = np.random.default_rng(0).integers(0, 4000, (3, 50, 40)).astype(np.uint16)
    viewer = ViewerModel()
    layer = viewer.add_image(lazy_kinds(stack, tmp_path)[kind], contrast_limits=(0, 4000))
    viewer.dims.set_current_step(0, 1)
    plane = replace(pick(viewer, layer), window=(slice(5, 45), slice(3, 33)))
    pixels = plane.read()
    assert isinstance(pixels, np.ndarray) == small
    assert (pixels.shape, pixels.dtype) == ((40, 30), np.uint16)
    np.testing.assert_array_equal(np.asarray(pixels), stack[1, 5:45, 3:33])
    np.testing.assert_array_equal(np.asarray(pixels[7:20, 2:9]), stack[1, 12:25, 5:12])
    np.testing.assert_array_equal(np.asarray(pixels[35:]), stack[1, 40:45, 3:33])


def test_transposed_lazy_planes_and_colours_are_cut_the_same(monkeypatch):
    monkeypatch.setattr(plane_module, "WHOLE_READ_BYTES", 0)
    stack = np.random.default_rng(0).integers(0, 255, (4, 30, 20, 3)).astype(np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(da.from_array(stack), rgb=True)
    viewer.dims.order = (2, 1, 0)
    viewer.dims.set_current_step(2, 11)
    pixels = pick(viewer, layer).read()
    assert pixels.shape == (30, 4, 3)
    np.testing.assert_array_equal(pixels[3:9, 1:3], stack[1:3, 3:9, 11].swapaxes(0, 1))


def test_of_a_lazy_stack_only_the_plane_is_read(monkeypatch):
    monkeypatch.setattr(plane_module, "WHOLE_READ_BYTES", 0)
    viewer = ViewerModel()
    stack = Counting(np.zeros((50, 40, 30), np.uint8))
    layer = viewer.add_image(stack, contrast_limits=(0, 255), visible=False)
    before = stack.read
    pixels = pick_all(viewer, layer, planes="all")[0].read()
    assert stack.read == before, "nothing is read before it is looked at"
    np.asarray(pixels[0:10, 0:5])
    assert stack.read - before == 50


def test_pixels_in_memory_are_copied():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 5)))
    pixels = pick(viewer, layer).read()
    layer.data[:] = 1
    assert pixels.max() == 0


@pytest.mark.parametrize("small", [True, False])
def test_a_broken_plane_is_named(monkeypatch, small):
    monkeypatch.setattr(plane_module, "WHOLE_READ_BYTES", 1 << 30 if small else 0)

    def broken_at_two(block, block_info=None):
        if block_info[None]["chunk-location"][0] == 2:
            raise OSError("chunk 2/0/0 is truncated")
        return block

    viewer = ViewerModel()
    lazy = da.zeros((4, 8, 8), chunks=(1, 8, 8)).map_blocks(broken_at_two, dtype=float, meta=np.zeros((0, 0, 0)))
    layer = viewer.add_image(lazy, contrast_limits=(0, 1))
    planes = pick_all(viewer, layer, planes="all")
    assert np.asarray(planes[0].read()).shape == (8, 8)
    with pytest.raises(ImageError, match=r"plane 2 / 3 could not be read \(chunk 2/0/0 is truncated\)"):
        np.asarray(planes[2].read())


# ---- contrast ----


@pytest.mark.parametrize(
    ("dtype", "expected"), [(np.uint8, None), (bool, None), (np.uint16, (100.0, 900.0)), (np.float32, (100.0, 900.0))]
)
def test_grey_values_without_a_fixed_meaning_are_read_as_shown(dtype, expected):
    viewer = ViewerModel()
    layer = viewer.add_image(np.ones((4, 5), dtype))
    if expected:
        layer.contrast_limits_range = (0, 1000)
        layer.contrast_limits = expected
    assert pick(viewer, layer).contrast_limits == expected
    measured = pick(viewer, layer, contrast="data")
    assert measured.contrast_limits is None
    assert ("black and white from the pixels" in measured.describe()) == (expected is not None)


# ---- levels ----


def pyramid(finest: np.ndarray, count: int) -> list[np.ndarray]:
    every = [finest]
    for _ in range(count - 1):
        height, width = every[-1].shape
        every.append(every[-1].reshape(height // 2, 2, width // 2, 2).mean((1, 3)))
    return every


def test_the_finest_level_within_64_tiles_is_taken():
    viewer = ViewerModel()
    levels = [da.zeros((8192 >> n, 12288 >> n), dtype=np.uint8) for n in range(6)]
    layer = viewer.add_image(levels, multiscale=True, contrast_limits=(0, 255))
    plane = pick(viewer, layer)
    assert plane.shape == (1024, 1536)
    assert "pyramid level 1/8" in plane.describe()
    assert shown_plane(layer, viewer.dims, tile_pixels=960).shape == (4096, 6144), "larger tiles, finer level"
    assert pick(viewer, layer, level=0).shape == (8192, 12288)
    assert pick(viewer, layer, level=5).shape == pick(viewer, layer, level=99).shape == (256, 384)


def test_a_small_window_is_looked_at_in_the_finest_level():
    viewer = ViewerModel()
    layer = viewer.add_image(
        [da.zeros((8192 >> n, 8192 >> n), dtype=np.uint8) for n in range(5)], contrast_limits=(0, 255)
    )
    viewer.add_shapes([[1000, 2000], [1000, 2400], [1300, 2400], [1300, 2000]], shape_type="rectangle", name="ROI")
    plane = pick(viewer, layer, region="shape", shape_layer="ROI")
    assert plane.factors == (1, 1)
    assert plane.shape == (300, 400)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_coarse_level_lies_on_the_finest(level):
    viewer = ViewerModel()
    finest = bright((200, 240), slice(100, 108), slice(60, 68))
    layer = viewer.add_image(pyramid(finest, 3), multiscale=True, contrast_limits=(0, 1), scale=(3, 5), rotate=20)
    plane = pick(viewer, layer, level=level)
    assert plane.shape == (200 >> level, 240 >> level)
    result = shown_in_place(viewer, plane, np.asarray(plane.read()))
    # The coarse pixels must sit on the middle of the fine ones that they cover.
    np.testing.assert_allclose(world_of_the_brightest(result, result.data), layer.data_to_world((103.5, 63.5)))


def test_a_pyramid_that_is_coarse_along_the_slider_too():
    viewer = ViewerModel()
    layer = viewer.add_image(
        [np.zeros((8, 64, 64)), np.zeros((4, 32, 32))], multiscale=True, contrast_limits=(0, 1), scale=(5, 1, 1)
    )
    viewer.dims.set_current_step(0, 5)
    plane = pick(viewer, layer, level=1)
    assert plane.hidden == (2,)
    result = shown_in_place(viewer, plane, bright((32, 32), slice(3, 4), slice(7, 8)))
    np.testing.assert_allclose(world_of_the_brightest(result, result.data), layer.data_to_world((4.5, 6.5, 14.5)))
    chosen = pick_all(viewer, layer, planes="range", first=4, last=7, level=1)
    assert [one.hidden for one in chosen] == [(2,), (3,)]


# ---- windows ----


def add_roi(viewer: ViewerModel, image: Image, corners, kind: str = "polygon", **place):
    """Draw a shape over pixels of an image, in a layer with a transform of its own."""
    shapes = viewer.add_shapes(ndim=2, name="ROI", **place)
    world = [image.data_to_world((*[0] * (image.ndim - 2), *corner))[-2:] for corner in corners]
    shapes.add(np.array([shapes.world_to_data(at) for at in world]), shape_type=kind)
    return shapes


@pytest.mark.parametrize("seed", range(8))
def test_the_map_lies_on_its_window_whatever_the_transform(seed):
    """A bright square seen through a drawn window, at any level, with any transform, is found where it is."""
    rng = np.random.default_rng(seed)
    ndim, level = int(rng.integers(2, 5)), int(rng.integers(0, 2))
    lead = tuple(rng.integers(2, 5, ndim - 2))
    finest = np.zeros((*lead, 160, 120), np.float32)
    finest[..., 80:88, 60:68] = 1
    coarse = finest.reshape(*lead, 80, 2, 60, 2).mean((-3, -1))
    viewer = ViewerModel()
    layer = viewer.add_image([finest, coarse], multiscale=True, contrast_limits=(0, 1), **transform(rng, ndim))
    for axis in range(ndim - 2):
        viewer.dims.set_current_step(axis, int(rng.integers(0, lead[axis])))
    add_roi(
        viewer,
        layer,
        [(53, 31), (61, 101), (131, 99), (124, 37)],
        scale=rng.uniform(0.5, 2, 2),
        rotate=float(rng.uniform(0, 360)),
        translate=rng.normal(0, 9, 2),
        units=("um", "um"),
    )
    plane = pick(viewer, layer, region="shape", shape_layer="ROI", level=level)
    rows, columns = plane.window
    assert (rows.start * 2**level, rows.stop * 2**level) == pytest.approx((53, 131), abs=2)
    assert (columns.start * 2**level, columns.stop * 2**level) == pytest.approx((31, 101), abs=2)
    result = shown_in_place(viewer, plane, np.asarray(plane.read()))
    assert result.ndim == ndim
    at = (*plane.hidden, 83.5, 63.5)
    np.testing.assert_allclose(world_of_the_brightest(result, result.data), layer.data_to_world(at), atol=1e-6)
    assert (result.units, result.axis_labels) == (layer.units, layer.axis_labels)
    assert np.isnan(np.asarray(result.data)).any(), "outside of the polygon nothing is said"


def test_a_rectangle_is_a_window_without_an_outline():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 100)), scale=(2, 2), translate=(7, 7))
    add_roi(viewer, layer, [(9.5, 19.5), (9.5, 59.5), (49.5, 59.5), (49.5, 19.5)], "rectangle")
    plane = pick(viewer, layer, region="shape", shape_layer="ROI")
    assert plane.window == (slice(10, 50), slice(20, 60))
    assert plane.outline is None
    assert plane.put(np.zeros(plane.map_shape, np.float32)).shape == (40, 40)


def test_the_selected_shape_counts_otherwise_the_last():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 100)))
    squares = [np.array([[a, a], [a, a + 20], [a + 20, a + 20], [a + 20, a]]) - 0.5 for a in (10, 40, 70)]
    shapes = viewer.add_shapes(squares, shape_type="rectangle", name="ROI")
    choice = {"region": "shape", "shape_layer": "ROI"}
    assert pick(viewer, layer, **choice).window[0] == slice(70, 90)
    shapes.selected_data = {1}
    assert pick(viewer, layer, **choice).window[0] == slice(40, 60)


def test_an_ellipse_encloses_what_is_inside_of_it():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 100)))
    viewer.add_shapes([[20, 10], [20, 90], [60, 90], [60, 10]], shape_type="ellipse", name="ROI")
    plane = pick(viewer, layer, region="shape", shape_layer="ROI")
    assert plane.shape == pytest.approx((40, 80), abs=2)
    assert plane.mask.sum() == pytest.approx(np.pi * 20 * 40, rel=0.02)


@pytest.mark.parametrize(
    ("corners", "kind", "words"),
    [
        ([(200, 200), (200, 300), (300, 300), (300, 200)], "rectangle", "lies outside of “plate”"),
        ([(-50, 20), (-50, 40), (-2, 40), (-2, 20)], "polygon", "lies outside of “plate”"),
        ([(10, 10), (50, 50)], "line", "A line encloses nothing"),
    ],
)
def test_a_shape_with_nothing_in_it_is_refused_in_a_sentence(corners, kind, words):
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 100)), name="plate")
    add_roi(viewer, layer, corners, kind)
    with pytest.raises(ImageError, match=words):
        pick(viewer, layer, region="shape", shape_layer="ROI")


def test_no_shape_and_no_shapes_layer_are_told():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 100)))
    with pytest.raises(ImageError, match="no shapes layer"):
        pick(viewer, layer, region="shape", shape_layer="ROI")
    viewer.add_shapes(name="ROI")
    with pytest.raises(ImageError, match="“ROI” holds no shape yet"):
        pick(viewer, layer, region="shape", shape_layer="ROI")


def test_a_window_reaches_to_the_images_edge_and_holds_at_least_a_patch():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 100)))
    viewer.add_shapes([[-30, 97], [-30, 400], [1, 400], [1, 97]], shape_type="rectangle", name="ROI")
    assert pick(viewer, layer, region="shape", shape_layer="ROI").window == (slice(0, 16), slice(84, 100))
    tiny = viewer.add_image(np.zeros((9, 5)), translate=(0, 96))
    assert pick(viewer, tiny, region="shape", shape_layer="ROI").window == (slice(0, 9), slice(0, 5))


def test_what_the_viewer_shows():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 1000, 1000)), scale=(9, 0.5, 0.5), translate=(0, 10, 20))
    viewer.scene.camera.center = (10 + 0.5 * 500, 20 + 0.5 * 300)
    viewer.scene.camera.zoom = 8
    height, width = viewer.canvas.size
    plane = pick(viewer, layer, region="view")
    assert plane.shape == (pytest.approx(height / 4, abs=1), pytest.approx(width / 4, abs=1))
    rows, columns = plane.window
    assert ((rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2) == pytest.approx((500.5, 300.5), abs=1)
    assert plane.outline is None
    viewer.scene.camera.zoom = 1e-3
    assert pick(viewer, layer, region="view").shape == (1000, 1000)
    viewer.scene.camera.zoom, viewer.camera.center = 8, (10 + 0.5 * 5000, 20)
    with pytest.raises(ImageError, match="outside"):
        pick(viewer, layer, region="view")
    viewer.dims.ndisplay = 3
    with pytest.raises(ImageError, match="Switch to 2D"):
        pick(viewer, layer, region="view")


def test_what_the_viewer_shows_of_a_rotated_image_is_the_view_not_its_bounding_box():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((1000, 1000)), rotate=30)
    viewer.scene.camera.center = layer.data_to_world((500, 500))
    viewer.scene.camera.zoom = 8
    plane = pick(viewer, layer, region="view")
    assert plane.mask.sum() == pytest.approx(np.prod(viewer.canvas.size) / 64, rel=0.02)


def test_a_shape_on_rolled_axes_is_taken_as_seen():
    viewer = ViewerModel()
    stack = np.zeros((60, 40, 80), np.float32)
    stack[30:34, 17, 50:58] = 1
    layer = viewer.add_image(stack, scale=(2, 1, 1))
    viewer.dims.order = (1, 2, 0)
    viewer.dims.set_current_step(1, 17)
    viewer.add_shapes(
        [[40, 17, 40], [40, 17, 70], [90, 17, 70], [90, 17, 40]], shape_type="polygon", name="ROI"
    )  # world (z, y, x), seen with x down and z across
    plane = pick(viewer, layer, region="shape", shape_layer="ROI")
    assert plane.shape == pytest.approx((30, 25), abs=1)
    result = shown_in_place(viewer, plane, np.asarray(plane.read()))
    np.testing.assert_allclose(world_of_the_brightest(result, result.data), (63, 17, 53.5))


# ---- large maps ----


def test_a_map_larger_than_the_bound_has_a_value_for_each_block(monkeypatch):
    monkeypatch.setattr(plane_module, "MAX_MAP_PIXELS", 1000)
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((100, 91)), scale=(2, 3), rotate=40)
    plane = pick(viewer, layer)
    assert plane.block == 4
    assert plane.map_shape == plane.stack_shape == (25, 23)
    assert "one value for 4 × 4 pixels" in plane.describe()
    result = shown_in_place(viewer, plane, bright((25, 23), slice(5, 6), slice(7, 8)))
    np.testing.assert_allclose(world_of_the_brightest(result, result.data), layer.data_to_world((21.5, 29.5)))


def test_the_outline_holds_for_blocks_too(monkeypatch):
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((400, 400)))
    viewer.add_shapes([[50, 200], [200, 350], [350, 200], [200, 50]], shape_type="polygon", name="ROI")
    plane = pick(viewer, layer, region="shape", shape_layer="ROI")
    full = plane.mask
    monkeypatch.setattr(plane_module, "MAX_MAP_PIXELS", 301 * 301 / 9)
    coarse = pick(viewer, layer, region="shape", shape_layer="ROI")
    assert coarse.block == 3
    np.testing.assert_array_equal(coarse.mask[:100, :100], full[1:300:3, 1:300:3])


# ---- staleness ----


def test_a_result_without_a_place_is_told(picture):
    viewer = ViewerModel()
    image = viewer.add_image(picture, rgb=True)
    plane = pick(viewer, image)
    assert plane.why_stale(viewer.layers) is None
    image.data = picture.copy()
    assert "changed" in plane.why_stale(viewer.layers)
    viewer.layers.remove(image)
    assert "removed" in plane.why_stale(viewer.layers)


def test_the_choice_survives_json_and_refuses_what_it_does_not_know():
    choice = ImageChoice(planes="range", first=3, last=9, region="shape", shape_layer="ROI", level=2)
    assert ImageChoice.model_validate_json(choice.model_dump_json()) == choice
    for wrong in ({"region": "moon"}, {"first": -1}, {"zoom": 3}):
        with pytest.raises(ValueError, match="validation error"):
            ImageChoice(**wrong)
    assert all(field.description for field in ImageChoice.model_fields.values())

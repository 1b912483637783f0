"""A map that was saved and opened again is the same map, in the same place, with the same settings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from gui.scored import scored, shown
from napari.components import ViewerModel
from napari.layers import Image
from napari.plugins import _initialize_plugins
from napari.settings import get_settings
from npe2 import PluginManager

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin import writer
from napari_anoclip.plugin.map_file import KEY
from napari_anoclip.plugin.placement import PLACE
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY, restore_values
from napari_anoclip.plugin.reader import get_reader, read_maps
from napari_anoclip.plugin.results import is_result, show
from napari_anoclip.plugin.stale import StaleGuard

ENDINGS = (".anomaly.tif", ".anomaly.tiff", ".anomaly.zarr")


@pytest.fixture(autouse=True)
def no_preferences():
    """Nobody has chosen a reader yet."""
    before = get_settings().plugins.extension2reader
    get_settings().plugins.extension2reader = {}
    yield
    get_settings().plugins.extension2reader = before


@pytest.fixture
def viewer(qapp, mock_app_model) -> ViewerModel:
    """A viewer without a window; files are opened with ``plugin=None``, as the window does it."""
    _initialize_plugins()
    return ViewerModel()


@pytest.fixture
def flat(viewer, picture) -> Image:
    """A result of an image that was turned, with a name and units that are not ASCII."""
    image = viewer.add_image(
        picture, rgb=True, name="Blech “ü”", scale=(0.5, 2), rotate=30, translate=(3, 4), units=("um", "um")
    )
    values = np.random.default_rng(0).random((96, 120), np.float32)
    result = show(viewer.layers, shown(image, viewer.dims, values))
    result.opacity, result.gamma = 0.6, 1.2
    return result


@pytest.fixture
def deep(viewer) -> Image:
    """A result of two planes of a 4D image."""
    image = viewer.add_image(
        np.random.default_rng(1).integers(0, 255, (3, 4, 30, 40), np.uint8),
        name="deep",
        scale=(1, 7, 0.5, 0.5),
        axis_labels=("t", "z", "y", "x"),
    )
    for t, z in ((0, 1), (2, 3)):
        viewer.dims.set_point((0, 1), (t, 7 * z))
        plane = shown_plane(image, viewer.dims)
        result = show(viewer.layers, scored(plane, np.random.default_rng(t).random((30, 40), np.float32)))
    return result


@pytest.fixture
def guard(viewer):
    guard = StaleGuard(viewer)
    yield guard
    guard.close_down()


def assert_the_same(one: Image, other: Image) -> None:
    np.testing.assert_array_equal(np.asarray(one.data), np.asarray(other.data))
    assert one.dtype == other.dtype == np.float32
    for name in PLACE:
        np.testing.assert_array_equal(np.asarray(getattr(one, name)), np.asarray(getattr(other, name)))
    assert tuple(one.contrast_limits) == tuple(other.contrast_limits)
    np.testing.assert_array_equal(one.colormap.colors, other.colormap.colors)
    np.testing.assert_array_equal(one.colormap.controls, other.colormap.controls)
    for name in ("opacity", "gamma", "blending", "visible", "interpolation2d", "interpolation3d", "projection_mode"):
        assert getattr(one, name) == getattr(other, name)
    assert one.metadata[METADATA_KEY] == other.metadata[METADATA_KEY]
    assert restore_values(one) == restore_values(other)
    assert is_result(other)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("kind", ["flat", "deep"])
def test_it_comes_back_as_it_was(viewer, guard, request, tmp_path, kind, ending):
    result = request.getfixturevalue(kind)
    path = tmp_path / f"map{ending}"
    viewer.layers.selection = {result}
    assert viewer.layers.save(str(path), selected=True) == [str(path)]
    assert list(tmp_path.iterdir()) == [path]
    (again,) = viewer.open(str(path), plugin=None)
    assert_the_same(result, again)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_layer_saves_itself_over_an_older_file(flat, tmp_path, ending, viewer, guard):
    path = tmp_path / f"map{ending}"
    flat.save(str(path))
    flat.data = flat.data[::-1].copy()
    flat.save(str(path))
    (again,) = viewer.open(str(path), plugin=None)
    assert_the_same(flat, again)
    assert list(tmp_path.iterdir()) == [path]


def test_other_programs_read_the_numbers(deep, tmp_path):
    deep.save(str(tmp_path / "map.anomaly.tif"))
    pages = tifffile.imread(tmp_path / "map.anomaly.tif")
    np.testing.assert_array_equal(pages.reshape(deep.data.shape), np.asarray(deep.data))


def test_a_zarr_opened_without_the_dock_gets_its_record_when_the_dock_opens(viewer, flat, tmp_path):
    path = tmp_path / "map.anomaly.zarr"
    flat.save(str(path))
    (again,) = viewer.open(str(path), plugin=None)
    assert METADATA_KEY not in again.metadata
    guard = StaleGuard(viewer)
    assert_the_same(flat, again)
    guard.close_down()


def test_a_stale_map_of_another_session_names_no_image(flat, tmp_path):
    path = tmp_path / "map.anomaly.tif"
    flat.save(str(path))
    elsewhere = ViewerModel()
    guard = StaleGuard(elsewhere)
    elsewhere.add_image(np.zeros((96, 120, 3), np.uint8), rgb=True)
    ((data, keywords, _),) = read_maps(str(path))
    again = elsewhere.add_image(data, **keywords)
    assert again.name == flat.name
    assert not guard.job.busy
    guard.close_down()


def test_everybodys_files_are_not_asked_about(tmp_path, flat, viewer):
    manager = PluginManager.instance()

    def readers(name: str) -> set[str]:
        return {reader.plugin_name for reader in manager.iter_compatible_readers([str(tmp_path / name)])}

    for name in ("a.tif", "a.tiff", "anomaly.tif", "a.ome.tif"):
        assert "napari-anoclip" not in readers(name)
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "map.anomaly.zarr").mkdir()
    for name in ("a.zarr", "map.anomaly.zarr", "."):
        assert "napari-anoclip" not in readers(name)
    plain = viewer.add_image(np.zeros((40, 50), np.float32), name="plain")
    for name in ("plain", "plain.tif"):
        written, _ = manager.get_writer(str(tmp_path / name), ["image"])
        assert written.plugin_name == "napari"
    assert plain.save(str(tmp_path / "plain")) == [str(tmp_path / "plain.tif")]
    viewer.open(str(tmp_path / "plain.tif"), plugin=None)
    assert get_settings().plugins.extension2reader == {}


def test_a_reader_that_the_user_chose_for_our_ending_stays(flat, tmp_path):
    get_settings().plugins.extension2reader = {"*.anomaly.tif": "napari"}
    flat.save(str(tmp_path / "map.anomaly.tif"))
    assert get_settings().plugins.extension2reader == {"*.anomaly.tif": "napari"}


def test_a_tiff_of_our_ending_without_our_record_is_left_to_napari(tmp_path):
    path = tmp_path / "theirs.anomaly.tif"
    tifffile.imwrite(path, np.zeros((4, 5), np.float32))
    assert get_reader(str(path)) is None
    assert get_reader(str(tmp_path / "missing.anomaly.tif")) is None
    assert get_reader(str(tmp_path)) is None


def spoilt(path, change) -> None:
    """Write the file anew with another description."""
    with tifffile.TiffFile(path) as file:
        data, (title, text) = file.asarray(), file.pages.first.description.split("\n")
    document = json.loads(text)
    changed = change(document)
    text = f"{title}\n{changed if isinstance(changed, str) else json.dumps(document)}"
    tifffile.imwrite(path, data, description=text, metadata=None, photometric="minisblack")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(shape=[9, 9]),
        lambda d: d.update(shape=[10**9, 10**9]),
        lambda d: d.pop("layer"),
        lambda d: d.update(format="x"),
        lambda d: d["layer"].update(scale=[0, 1]),
        lambda d: d["layer"].update(scale=[1, 1, 1]),
        lambda d: d["layer"].update(affine=[[1]]),
        lambda d: d["layer"].update(units=["no-such-unit", "pixel"]),
        lambda d: d["layer"].update(blending="__import__('os').system('true')"),
        lambda d: d["layer"].update(colormap={"name": "viridis"}),
        lambda d: d["layer"].update(contrast_limits=[1]),
        lambda d: "null",
        lambda d: "[1, 2]",
        lambda d: json.dumps(d)[:200],
        lambda d: "[" * 100_000,
        lambda d: json.dumps(d).replace("0.6", "NaN"),
    ],
)
def test_a_damaged_description_gives_a_sentence(flat, tmp_path, change):
    path = tmp_path / "map.anomaly.tif"
    flat.save(str(path))
    spoilt(path, change)
    with pytest.raises(ImageError, match=r"^map\.anomaly\.tif cannot be opened as an anomaly map: it is damaged"):
        get_reader(str(path))(str(path))


@pytest.mark.parametrize("share", [0.001, 0.5, 0.99])
def test_a_file_cut_short_gives_a_sentence(flat, tmp_path, share):
    path = tmp_path / "map.anomaly.tif"
    flat.save(str(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ImageError, match="damaged"):
        get_reader(str(path))(str(path))


def test_a_newer_file_is_told(flat, tmp_path):
    path = tmp_path / "map.anomaly.tif"
    flat.save(str(path))
    spoilt(path, lambda d: d.update(format=2))
    with pytest.raises(ImageError, match="newer version of napari-anoclip"):
        read_maps(str(path))


def test_a_damaged_record_costs_only_the_settings(flat, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("napari_anoclip.plugin.map_file.show_warning", said.append)
    path = tmp_path / "map.anomaly.tif"
    flat.save(str(path))
    spoilt(path, lambda d: d["record"].pop("planes"))
    ((data, keywords, _),) = read_maps(str(path))
    np.testing.assert_array_equal(data, flat.data)
    assert "metadata" not in keywords
    assert said == ["The settings in map.anomaly.tif are damaged: the map was opened without them."]


def test_a_record_of_a_newer_version_is_kept_and_told(viewer, flat, tmp_path):
    path = tmp_path / "map.anomaly.tif"
    flat.metadata[METADATA_KEY]["format"] = 2
    flat.save(str(path))
    (again,) = viewer.open(str(path), plugin=None)
    assert again.metadata[METADATA_KEY] == flat.metadata[METADATA_KEY]
    with pytest.raises(ImageError, match="newer version"):
        restore_values(again)


@pytest.mark.fault("caches and disks", "the disk is full while a map is saved", "the file that was there before")
@pytest.mark.parametrize("ending", [".anomaly.tif", ".anomaly.zarr"])
def test_what_was_there_stays_if_writing_fails(flat, tmp_path, ending, monkeypatch, viewer, guard, sees):
    path = tmp_path / f"map{ending}"
    flat.save(str(path))
    (before,) = viewer.open(str(path), plugin=None)
    data = np.asarray(before.data).copy()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write_tiff", full)
    monkeypatch.setattr(writer, "_write_zarr", full)
    with pytest.raises(ImageError, match=r"cannot be saved \(the disk is full\)\. Choose another folder\.") as refused:
        flat.save(str(path))
    sees(refused.value)
    (after,) = viewer.open(str(path), plugin=None)
    np.testing.assert_array_equal(np.asarray(after.data), data)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_no_zarr_is_not_replaced(flat, tmp_path):
    folder = tmp_path / "map.anomaly.zarr"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(ImageError, match="is no zarr"):
        flat.save(str(folder))
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [folder]


def test_colour_images_are_not_written_as_maps(viewer, tmp_path, picture):
    image = viewer.add_image(picture, rgb=True)
    with pytest.raises(ImageError, match="only single-channel maps"):
        image.save(str(tmp_path / "map.anomaly.tif"))


def test_a_damaged_zarr_is_an_image_like_any_other(viewer, guard, flat, tmp_path):
    path = tmp_path / "map.anomaly.zarr"
    flat.save(str(path))
    description = json.loads((path / "zarr.json").read_text())
    description["attributes"][KEY]["layer"]["scale"] = "large"
    (path / "zarr.json").write_text(json.dumps(description))
    (again,) = viewer.open(str(path), plugin=None)
    np.testing.assert_array_equal(np.asarray(again.data), flat.data)
    assert not is_result(again)

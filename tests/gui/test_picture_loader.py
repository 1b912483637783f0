"""Pictures read and encoded off the GUI thread, shown one at a time, and gone when they are not needed."""

from __future__ import annotations

import gc
import threading
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
from gui.scored import shown
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import QObject, Qt

from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.plugin import picture_loader, results
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.picture_loader import Ahead, PictureLoader
from napari_anoclip.plugin.planes import ImageChoice
from napari_anoclip.plugin.queue_canvas import FILE_KEY, QueueCanvas
from napari_anoclip.review.pictures import read_picture


class Listener:
    """What a loader tells, and what it is answered."""

    def __init__(self) -> None:
        self.loaded, self.failed, self.asked = [], [], []
        self.request = None

    def ask(self, pixels):
        self.asked.append([one.data.shape for one in pixels])
        return self.request


class Models:
    """Lends one model that only counts."""

    def __init__(self, model) -> None:
        self.model = model

    @contextmanager
    def borrow(self, *_):
        yield self.model


class Encoder:
    """Takes its time with the first picture until it is let go or cancelled."""

    def __init__(self) -> None:
        self.seen, self.began, self.go = [], threading.Event(), threading.Event()
        self.cancelled = False

    def tokens(self, source, _settings, cancel):
        self.began.set()
        while not self.go.wait(0.01):
            if cancel.is_set():
                self.cancelled = True
                return
        self.seen.append(source.size)


@pytest.fixture
def heard():
    return Listener()


@pytest.fixture
def encoder():
    return Encoder()


@pytest.fixture
def loader(heard, encoder, qtbot):
    parent = QObject()
    loader = PictureLoader(lambda: Models(encoder), heard.ask, parent)
    loader.loaded.connect(lambda path, pixels: heard.loaded.append((path.name, pixels)))
    loader.failed.connect(lambda path, sentence: heard.failed.append((path.name, sentence)))
    yield loader
    encoder.go.set()
    loader.close_down()


@pytest.fixture
def files(tmp_path):
    """Six grey pictures, each of its own width and brightness."""
    return [save(tmp_path / f"{number}.png", number) for number in range(6)]


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are read."""
    names = []
    monkeypatch.setattr(picture_loader, "read_picture", lambda path: names.append(path.name) or read_picture(path))
    return names


def save(path, number: int):
    Image.fromarray(np.full((8, 8 + number), 10 * number, np.uint8)).save(path)
    return path


def show(loader, heard, path, ahead, qtbot):
    """Load a picture and look ahead, as a queue does, until all is quiet."""
    count = len(heard.loaded)
    loader.load(path)
    qtbot.waitUntil(lambda: len(heard.loaded) > count)
    loader.look_ahead(ahead)
    qtbot.waitUntil(lambda: not loader.ahead.busy)


def test_a_picture_is_read_off_the_gui_thread(loader, heard, files, qtbot, monkeypatch):
    threads = []
    monkeypatch.setattr(
        picture_loader, "read_picture", lambda path: threads.append(threading.current_thread()) or read_picture(path)
    )
    loader.load(files[3])
    assert not heard.loaded
    qtbot.waitUntil(lambda: bool(heard.loaded))
    name, pixels = heard.loaded[0]
    assert (name, pixels.data.shape, pixels.data[0, 0]) == ("3.png", (8, 11), 30)
    assert threading.main_thread() not in threads


def test_a_neighbour_is_there_at_once(loader, heard, files, reads, qtbot):
    show(loader, heard, files[0], files[1:2], qtbot)
    loader.load(files[1])
    assert [name for name, _ in heard.loaded] == ["0.png", "1.png"]
    assert reads == ["0.png", "1.png"]


def test_at_most_three_are_kept_wherever_one_jumps_to(loader, heard, files, qtbot):
    show(loader, heard, files[1], (files[2], files[0]), qtbot)
    assert sorted(path.name for path in loader.kept) == ["0.png", "1.png", "2.png"]
    loader.load(files[5])
    qtbot.waitUntil(lambda: len(heard.loaded) == 2)
    assert len(loader.kept) <= 3
    loader.look_ahead([files[4]])
    qtbot.waitUntil(lambda: not loader.ahead.busy)
    assert sorted(path.name for path in loader.kept) == ["4.png", "5.png"]


def test_of_pictures_that_are_leafed_through_only_the_last_comes(loader, heard, files, qtbot):
    for path in files:
        loader.load(path)
    qtbot.waitUntil(lambda: not loader.job.busy)
    assert [name for name, _ in heard.loaded] == ["5.png"]


def test_a_picture_that_changed_on_disk_is_read_anew(loader, heard, files, qtbot):
    show(loader, heard, files[0], files[1:2], qtbot)
    save(files[1], 5)
    show(loader, heard, files[1], files[:1], qtbot)
    assert heard.loaded[-1][1].data.shape == (8, 13)
    save(files[1], 2)
    show(loader, heard, files[1], files[:1], qtbot)
    assert heard.loaded[-1][1].data.shape == (8, 10)


def test_a_neighbour_that_vanished_is_told_in_a_sentence(loader, heard, files, qtbot):
    show(loader, heard, files[0], files[1:2], qtbot)
    files[1].unlink()
    loader.load(files[1])
    qtbot.waitUntil(lambda: bool(heard.failed))
    assert heard.failed[0][0] == "1.png"
    assert heard.failed[0][1].startswith("The picture 1.png is not in")
    assert len(heard.loaded) == 1


def test_a_neighbour_that_is_broken_is_not_told_before_it_is_wanted(loader, heard, files, qtbot):
    files[1].write_bytes(b"nothing")
    show(loader, heard, files[0], files[1:3], qtbot)
    assert not heard.failed
    assert [path.name for path in loader.kept] == ["0.png", "2.png"]


def test_a_folder_that_vanished_is_told_as_such(loader, heard, files, qtbot):
    for path in files:
        path.unlink()
    files[0].parent.rmdir()
    loader.load(files[0])
    qtbot.waitUntil(lambda: bool(heard.failed))
    assert "The folder “" in heard.failed[0][1]
    files[0].parent.mkdir()


def planes_of(loader, *paths) -> Ahead:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 4)))
    canvas = QueueCanvas(viewer)
    planes = tuple(canvas.plane(loader._kept[path], ImageChoice()) for path in paths)
    return Ahead(planes, AnoCLIPSettings(), ModelChoice())


def test_neighbours_are_encoded_ahead_when_it_is_the_time(loader, heard, encoder, files, qtbot):
    show(loader, heard, files[0], files[1:3], qtbot)
    qtbot.waitUntil(lambda: bool(heard.asked))
    assert heard.asked == [[(8, 9), (8, 10)]]
    assert not encoder.began.is_set()  # the answer was: not now
    heard.request = planes_of(loader, *files[1:3])
    encoder.go.set()
    loader.encode_ahead()
    qtbot.waitUntil(lambda: not loader.encoding.busy)
    assert encoder.seen == [(8, 9), (8, 10)]


def test_what_is_encoded_ahead_gives_way_to_the_next_picture(loader, heard, encoder, files, qtbot):
    show(loader, heard, files[0], files[1:3], qtbot)
    heard.request = planes_of(loader, *files[1:3])
    loader.encode_ahead()
    qtbot.waitUntil(encoder.began.is_set)
    heard.request = None
    show(loader, heard, files[1], files[2:3], qtbot)
    qtbot.waitUntil(lambda: not loader.encoding.busy)
    assert encoder.cancelled


def test_nothing_is_held_and_no_thread_left_when_it_is_closed(loader, heard, encoder, files, qtbot):
    show(loader, heard, files[0], files[1:3], qtbot)
    heard.request = planes_of(loader, *files[1:3])
    loader.encode_ahead()
    qtbot.waitUntil(encoder.began.is_set)
    loader.close_down()
    assert loader.kept == ()


def test_a_picture_takes_the_place_of_the_one_before_and_of_what_was_made_of_it(viewer, loader, heard, files, qtbot):
    canvas = QueueCanvas(viewer)
    own = viewer.add_image(np.zeros((8, 8)), name="mine")
    for path in files[:3]:
        show(loader, heard, path, (), qtbot)
        layer = canvas.show(path, heard.loaded[-1][1])
        results.show(viewer.layers, shown(layer, viewer.dims, 0.3))
        points = viewer.add_points([[1, 1]], name=f"my points {path.stem}")
        assert layer.metadata[FILE_KEY] == str(path)
        viewer.layers.selection.active = points
    assert [layer.name for layer in viewer.layers][:1] == ["mine"]
    assert [layer.name for layer in viewer.layers if layer.name.startswith("my ")] == [
        f"my points {i}" for i in range(3)
    ]
    assert sum("anomaly" in layer.name for layer in viewer.layers) == 1
    canvas.clear()
    assert [layer.name for layer in viewer.layers] == ["mine", *(f"my points {i}" for i in range(3))]
    assert own.data.shape == (8, 8)


def test_a_copy_that_the_user_made_stays_whole(viewer, loader, heard, files, qtbot):
    canvas = QueueCanvas(viewer)
    show(loader, heard, files[0], (), qtbot)
    layer = canvas.show(files[0], heard.loaded[-1][1])
    copy = viewer.add_image(layer.data, name="copy", metadata=dict(layer.metadata))
    show(loader, heard, files[1], (), qtbot)
    canvas.show(files[1], heard.loaded[-1][1])
    assert copy in viewer.layers
    assert copy.data.shape == (8, 8)


def test_a_picture_that_the_user_deleted_is_no_trouble(viewer, loader, heard, files, qtbot):
    canvas = QueueCanvas(viewer)
    show(loader, heard, files[0], (), qtbot)
    viewer.layers.remove(canvas.show(files[0], heard.loaded[-1][1]))
    assert canvas.layer is None
    canvas.show(files[1], heard.loaded[-1][1])
    assert len(viewer.layers) == 1


def test_a_flat_picture_is_shown_beside_a_stack_of_the_users(viewer, loader, heard, files, qtbot):
    viewer.add_image(np.zeros((5, 8, 8)), name="mine")
    canvas = QueueCanvas(viewer)
    for path in files[:2]:
        show(loader, heard, path, (), qtbot)
        canvas.show(path, heard.loaded[-1][1])
    assert [layer.ndim for layer in viewer.layers] == [3, 2]


def test_pixels_go_with_their_picture_without_a_collection_of_garbage(viewer, loader, heard, files, qtbot):
    canvas = QueueCanvas(viewer)
    gone = []
    gc.collect()
    gc.disable()
    try:
        for turn in range(12):
            path = files[turn % 6]
            show(loader, heard, path, (), qtbot)
            pixels = heard.loaded.pop()[1]
            gone.append(weakref.ref(pixels.data))
            layer = canvas.show(path, pixels)
            del pixels
            result = results.show(viewer.layers, shown(layer, viewer.dims, 0.3))
            gone.append(weakref.ref(result.data))
            if turn % 2:
                result.visible = False
            del layer, result
            heard.loaded.append(None)
            qtbot.wait(1)
        alive = [place for place, array in enumerate(gone) if array() is not None]
    finally:
        gc.enable()
    assert alive == [22, 23]


def test_three_hundred_pictures_take_no_more_memory_than_three(loader, heard, tmp_path, qtbot):
    """A headless viewer, for a window takes its time with each layer."""
    viewer = ViewerModel()
    own = viewer.add_image(np.zeros((8, 8)), name="mine")
    canvas = QueueCanvas(viewer)
    bits = [save(tmp_path / f"{number:04}.png", number % 7).read_bytes() for number in range(7)]
    paths = [tmp_path / f"{number:04}.png" for number in range(300)]
    for number, path in enumerate(paths):
        path.write_bytes(bits[number % 7])
    arrays: list[weakref.ref] = []
    most = {"kept": 0, "alive": 0}

    def on_loaded(path, pixels) -> None:
        arrays.append(weakref.ref(pixels.data))
        canvas.show(path, pixels)
        at = len(arrays)
        loader.look_ahead(paths[near] for near in (at, at - 2) if 0 <= near < len(paths))

    def on_neighbours() -> None:
        most["kept"] = max(most["kept"], len(loader.kept))
        most["alive"] = max(most["alive"], sum(array() is not None for array in arrays[-20:]))
        if len(arrays) < len(paths):
            loader.load(paths[len(arrays)])

    loader.loaded.disconnect()
    loader.loaded.connect(on_loaded)
    loader.ahead.succeeded.connect(on_neighbours, Qt.ConnectionType.QueuedConnection)
    loader.load(paths[0])
    qtbot.waitUntil(lambda: len(arrays) == len(paths) and not loader.ahead.busy, timeout=120_000)
    assert len(arrays) == 300
    assert most == {"kept": 3, "alive": 2}  # alive of those that were shown: this one, and the one before
    assert not any(array() is not None for array in arrays[:-3])
    assert [layer.name for layer in viewer.layers] == ["mine", "0299"]
    assert own.data.shape == (8, 8)

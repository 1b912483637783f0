"""Reading, encoding and using side by side: in order, within bounds, stopped when asked to."""

from __future__ import annotations

import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from batch.small import RECIPE, load, pixels

from napari_anoclip.batch import encoding_line
from napari_anoclip.batch.ahead import encoded, encoded_map
from napari_anoclip.batch.encoding_line import EncodingLine
from napari_anoclip.batch.room import Room
from napari_anoclip.batch.stopwatch import Stopwatch
from napari_anoclip.engine import AnoCLIP
from napari_anoclip.engine.errors import AnoCLIPError, Cancelled, DeviceMemoryError, ImageError
from napari_anoclip.engine.image_source import ImageSource

SETTINGS = [RECIPE.settings]


@pytest.fixture
def model(tmp_path: Path) -> AnoCLIP:
    return load(tmp_path)


def read(number: int) -> np.ndarray:
    if number % 5 == 3:
        raise ImageError(f"number {number} is broken")
    return pixels(number)


def test_items_come_in_order_each_with_its_source_or_its_error(model: AnoCLIP) -> None:
    found = list(encoded(model, range(11), read, SETTINGS, batch=4))
    assert [item for item, _ in found] == list(range(11))
    assert [str(source) for _, source in found if isinstance(source, AnoCLIPError)] == [
        "number 3 is broken",
        "number 8 is broken",
    ]
    assert found[5][1].digest == ImageSource.of(pixels(5)).digest


def test_tokens_are_there_when_an_item_comes_however_few_may_be_kept(
    model: AnoCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = model.prepare(ImageSource.of(pixels(0)), RECIPE.settings).token_bytes
    model.token_cache_bytes = 4 * needed + 4096
    runs: list[int] = []
    original = model.encode_ahead

    def counted(prepared: list[object], **options: object) -> None:
        runs.append(len(prepared))
        original(prepared, **options)

    monkeypatch.setattr(model, "encode_ahead", counted)
    for _, source in encoded(model, range(30, 42), pixels, SETTINGS, batch=8):
        assert model.prepare(source, RECIPE.settings).parts == (), "its tokens were dropped before it came"
        assert model.token_bytes <= model.token_cache_bytes
    assert sum(runs) == 12
    assert max(runs) < 8


def test_images_that_fill_the_memory_for_pixels_come_one_after_the_other(
    model: AnoCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding_line, "HELD_PIXEL_BYTES", 1)
    assert len(list(encoded(model, range(50, 60), pixels, SETTINGS, batch=4))) == 10


def test_images_that_are_done_with_are_let_go_of_while_the_rest_of_their_batch_waits(
    model: AnoCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding_line, "HELD_PIXEL_BYTES", 1)
    held: list[weakref.ref[np.ndarray]] = []

    def watched(number: int) -> np.ndarray:
        picture = pixels(number)
        held.append(weakref.ref(picture))
        return picture

    going = encoded(model, range(90, 98), watched, SETTINGS, batch=8, readers=1)
    most = 0
    for _, source in going:
        assert isinstance(source, ImageSource)
        most = max(most, sum(one() is not None for one in held))
    assert len(held) == 8
    # The one at work, the one before it, and what reader and encoder have in hand.
    assert most <= 4


def test_inputs_of_the_tower_are_let_go_of_once_they_are_encoded(model: AnoCLIP) -> None:
    with EncodingLine(model, range(3), pixels, SETTINGS, 3, 1, None, None) as line:
        assert [entry.read.result() for entry in line] == [[], [], []]


def test_an_image_that_a_reader_has_no_memory_for_fails_alone(model: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    original = model.prepare
    large = ImageSource.of(pixels(2)).digest

    def prepare(source: ImageSource, *options: object) -> object:
        if source.digest == large:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return original(source, *options)

    monkeypatch.setattr(model, "prepare", prepare)
    found = dict(encoded(model, range(4), pixels, SETTINGS, batch=4))
    assert [number for number, source in found.items() if isinstance(source, ImageError)] == [2]


def test_what_is_used_in_threads_comes_in_order_too(model: AnoCLIP) -> None:
    def use(number: int, source: ImageSource | AnoCLIPError) -> tuple[int, bool]:
        time.sleep(0.02 if number % 2 else 0)
        return number, isinstance(source, ImageSource)

    found = list(encoded_map(model, range(9), read, use, SETTINGS, batch=2))
    assert found == [(number, number % 5 != 3) for number in range(9)]


def test_an_error_of_the_user_stops_it(model: AnoCLIP) -> None:
    def use(number: int, _: object) -> int:
        if number == 4:
            raise OSError("no room")
        return number

    with pytest.raises(OSError, match="no room"):
        list(encoded_map(model, range(100), pixels, use, SETTINGS, batch=2))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("anoclip-")]


def test_it_stops_when_asked_to_and_gives_what_was_begun(model: AnoCLIP) -> None:
    stop, begun = threading.Event(), []

    def use(number: int, _: object) -> int:
        begun.append(number)
        if number == 3:
            stop.set()
        return number

    given: list[int] = []
    with pytest.raises(Cancelled):
        given.extend(encoded_map(model, range(1000), pixels, use, SETTINGS, batch=2, cancel=stop))
    assert given == sorted(begun)
    assert len(given) < 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("anoclip-")]


def test_who_stops_asking_leaves_no_thread_behind(model: AnoCLIP) -> None:
    going = encoded(model, range(1000), pixels, SETTINGS)
    next(going)
    going.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("anoclip-")]


def test_only_the_image_that_memory_has_no_room_for_fails(model: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    original = model.encode_ahead
    large = ImageSource.of(pixels(2)).digest

    def encode(prepared: list[object], **options: object) -> None:
        if any(one.source.digest == large for one in prepared):
            raise DeviceMemoryError("no room")
        original(prepared, **options)

    monkeypatch.setattr(model, "encode_ahead", encode)
    found = dict(encoded(model, range(4), pixels, SETTINGS, batch=4))
    assert [number for number, source in found.items() if isinstance(source, DeviceMemoryError)] == [2]


def test_the_time_spent_encoding_is_counted(model: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "encode_ahead", lambda *_, **__: time.sleep(0.05))
    busy = Stopwatch()
    list(encoded(model, range(4), pixels, SETTINGS, batch=2, busy=busy))
    assert 0.1 <= busy.seconds < 1


def test_the_oldest_piece_of_work_always_has_room() -> None:
    room, never = Room(10), threading.Event()
    for number in range(3):
        room.expect(number)
    room.enter(1, 8, never)
    room.enter(0, 500, never)
    waiting = threading.Thread(target=room.enter, args=(2, 5, never))
    waiting.start()
    waiting.join(0.15)
    assert waiting.is_alive()
    assert room.full
    room.leave(0)
    waiting.join(0.15)
    assert waiting.is_alive()
    room.leave(1)
    waiting.join(5)
    assert not waiting.is_alive()

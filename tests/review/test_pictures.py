"""Pictures in a folder, read when they are asked for."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_anoclip.engine.errors import Cancelled, ImageError
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.imaging import fingerprint
from napari_anoclip.review import pictures
from napari_anoclip.review.pictures import Picture, find_moved, list_pictures, read_picture


def noise(seed: int = 0, shape: tuple[int, ...] = (6, 8, 3), dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in pictures.TIFF_SUFFIXES:
        tifffile.imwrite(path, pixels)
    else:
        Image.fromarray(pixels).save(path)
    return path


def test_pictures_are_listed_as_a_person_counts_without_hidden_ones_sessions_and_other_files(tmp_path):
    wanted = ["a/Bild 2.JPG", "a/Bild 10.jpg", "a/Prüfling 1.tif", "plate2.png", "plate10.png"]
    for name in [*wanted, ".hidden.png", ".trash/x.png", "review.anoclip/masks/a.tif", "notes.txt", "no_suffix"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path)] == wanted


def test_a_folder_that_is_not_there_is_told_in_a_sentence(tmp_path):
    with pytest.raises(ImageError, match=r"cannot be read \(No such file or directory\): choose another one"):
        list_pictures(tmp_path / "gone")


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("rgb.png", noise()),
        ("rgba.png", noise(shape=(6, 8, 4))),
        ("grey.png", noise(shape=(6, 8))),
        ("grey16.png", noise(shape=(6, 8), dtype=np.uint16)),
        ("two colours.png", noise(shape=(6, 8)) > 127),
        ("rgb.bmp", noise()),
        ("grey.pgm", noise(shape=(6, 8))),
        ("stück 1.tif", noise(shape=(6, 8), dtype=np.uint16)),
        ("stack of three.tiff", noise(shape=(3, 16, 20))),
        ("float.tif", np.random.default_rng(0).random((6, 8), np.float32)),
    ],
)
def test_pixels_are_read_as_they_were_saved(tmp_path, name, pixels):
    read = read_picture(save(tmp_path / name, pixels))
    assert read.dtype == pixels.dtype
    assert np.array_equal(read, pixels)


def test_other_kinds_of_pixels_become_rgb_or_grey(tmp_path):
    colours = Image.fromarray(noise())
    colours.convert("P").save(tmp_path / "palette.gif")
    colours.convert("CMYK").save(tmp_path / "print.jpg")
    colours.convert("LA").save(tmp_path / "grey with alpha.png")
    assert read_picture(tmp_path / "palette.gif").shape == (6, 8, 3)
    assert read_picture(tmp_path / "print.jpg").shape == (6, 8, 3)
    assert read_picture(tmp_path / "grey with alpha.png").shape == (6, 8)


@pytest.mark.parametrize("name", ["broken.png", "broken.tif", "broken.jpg"])
def test_a_damaged_file_is_told_in_a_sentence(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"this is no picture")
    with pytest.raises(ImageError, match=rf"The picture {name} cannot be read \(.+\): save it again as PNG or TIFF\."):
        read_picture(path)


def test_a_file_cut_short_is_told_in_a_sentence(tmp_path):
    path = save(tmp_path / "cut.png", noise(shape=(200, 200, 3)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ImageError, match=r"cut\.png cannot be read"):
        read_picture(path)


def test_a_file_that_is_gone_is_told_in_a_sentence(tmp_path):
    for name in ("gone.png", "gone.tif"):
        with pytest.raises(ImageError, match=f"The picture {name} is not in"):
            read_picture(tmp_path / name)


def test_a_picture_reads_no_file_before_it_is_asked(tmp_path):
    picture = Picture(tmp_path / "later.png")
    pixels = noise()
    save(picture.path, pixels)
    assert (picture.shape, picture.dtype, picture.ndim, len(picture)) == ((6, 8, 3), np.uint8, 3, 6)
    assert np.array_equal(picture, pixels)
    assert np.array_equal(picture[2:4, 1:], pixels[2:4, 1:])


def test_strips_of_one_picture_read_its_file_once_and_others_let_go_of_it(tmp_path, monkeypatch):
    reads = []

    def read(path):
        reads.append(path.name)
        return read_picture(path)

    monkeypatch.setattr(pictures, "read_picture", read)
    one, other = (Picture(save(tmp_path / f"{name}.png", noise(seed))) for seed, name in enumerate("ab"))
    for row in range(6):
        one[row]
    other[0]
    assert one.shape == (6, 8, 3)  # is remembered
    one[0]
    assert reads == ["a.png", "b.png", "a.png"]


def test_a_file_that_was_saved_anew_is_read_anew(tmp_path):
    picture = Picture(save(tmp_path / "a.tif", noise(1)))
    assert picture.shape == (6, 8, 3)
    save(picture.path, noise(2, (9, 9)))
    assert np.array_equal(picture[:], noise(2, (9, 9)))
    assert picture.shape == (9, 9)


def test_what_a_picture_hands_out_cannot_be_written_into(tmp_path):
    picture = Picture(save(tmp_path / "a.png", noise()))
    with pytest.raises(ValueError, match="read-only"):
        picture[:][0] = 0
    np.array(picture)[0] = 0


def test_the_engine_takes_a_picture_for_an_image(tmp_path):
    pixels = noise(shape=(40, 50, 3))
    picture = Picture(save(tmp_path / "a.png", pixels))
    assert fingerprint(picture) == fingerprint(pixels)
    assert ImageSource.of(picture).size == (40, 50)


def test_a_picture_that_was_moved_is_found_by_its_pixels(tmp_path):
    for number in range(4):
        save(tmp_path / "lot 1" / f"{number}.png", noise(number))
    moved = save(tmp_path / "lot 2" / "renamed.png", noise(7))
    (tmp_path / "lot 1" / "broken.png").write_bytes(b"")
    assert find_moved(fingerprint(noise(7)), "7.png", tmp_path) == moved
    assert find_moved(fingerprint(noise(8)), "7.png", tmp_path) is None


def test_a_stack_that_was_moved_is_found_by_one_of_its_planes(tmp_path):
    stack = noise(shape=(2, 5, 16, 20))
    path = save(tmp_path / "stack.tif", stack)
    assert find_moved(fingerprint(stack[1, 3]), "stack.tif", tmp_path) == path


def test_files_of_the_same_name_are_looked_at_first(tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(pictures, "read_picture", lambda path: reads.append(path.name) or read_picture(path))
    for number in range(4):
        save(tmp_path / f"{number}.png", noise(number))
    save(tmp_path / "z" / "Plate.PNG", noise(9))
    find_moved(fingerprint(noise(9)), "plate.png", tmp_path)
    assert reads == ["Plate.PNG"]


def test_the_search_can_be_cancelled(tmp_path):
    save(tmp_path / "a.png", noise())
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        find_moved("0" * 64, "a.png", tmp_path, cancel)


def test_regions_and_pictures_load_no_torch():
    names = ("regions", "matching", "order", "pace", "pictures", "verdicts")
    code = "import sys\n" + "".join(f"import napari_anoclip.review.{name}\n" for name in names)
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


def header_of_a_tiff(side: int) -> bytes:
    """A TIFF of some hundred bytes that claims to be (side, side)."""
    entries = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 1)]
    packed = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)


def header_of_a_png(side: int) -> bytes:
    """A PNG of a hundred bytes that claims to be (side, side)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.fault(
    "hostile files", "{name}: a header that claims 10⁶ × 10⁶ pixels", "memory: nothing of that size is made"
)
@pytest.mark.parametrize("name", ["bomb.tif", "bomb.png"])
def test_a_header_that_claims_more_than_there_is_memory_is_refused_unread(tmp_path, name, monkeypatch, sees):
    header = header_of_a_tiff if name.endswith(".tif") else header_of_a_png
    (tmp_path / name).write_bytes(header(1_000_000))
    monkeypatch.setattr(pictures.psutil, "virtual_memory", lambda: SimpleNamespace(available=16e9))
    began = time.monotonic()
    with pytest.raises(ImageError, match="claims to have") as refused:
        read_picture(tmp_path / name)
    sees(refused.value)
    assert time.monotonic() - began < 2


def test_a_picture_is_measured_against_the_memory_that_is_free(tmp_path, monkeypatch):
    path = save(tmp_path / "a.tif", noise(shape=(60, 80)))
    monkeypatch.setattr(pictures.psutil, "virtual_memory", lambda: SimpleNamespace(available=4800))
    assert read_picture(path).shape == (60, 80)
    monkeypatch.setattr(pictures.psutil, "virtual_memory", lambda: SimpleNamespace(available=4799))
    with pytest.raises(ImageError, match="60 × 80 values"):
        read_picture(path)


@pytest.mark.fault("inputs", "{kind} that is called like a picture", "the rest of the folder")
@pytest.mark.parametrize("kind", ["a folder", "an empty file", "a pipe"])
def test_what_is_only_called_a_picture_is_told_in_a_sentence(tmp_path, kind, sees):
    path = tmp_path / "plate.png"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        if os.name != "posix":
            pytest.skip("has no named pipes")
        os.mkfifo(path)
    else:
        path.touch()
    with pytest.raises(ImageError, match=r"plate\.png") as refused:
        read_picture(path)
    sees(refused.value)

"""What is an input of a batch, how it is called, and how it is read."""

from __future__ import annotations

import os
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from batch.small import pixels, write_pictures

from napari_anoclip.batch.datasets import DataSetError, FolderSettings, folder_data_set
from napari_anoclip.batch.errors import InputError
from napari_anoclip.batch.inputs import Input, file_digest, find_inputs, read_input
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review import pictures


def keys(*paths: Path, without: Path | None = None) -> list[str]:
    return [one.key for one in find_inputs(paths, without=without)]


def test_a_folder_is_gone_through_in_the_order_of_a_person_but_for_what_is_hidden_and_sessions(tmp_path: Path) -> None:
    write_pictures(tmp_path / "a", 11)
    write_pictures(tmp_path / "a" / "more", 1)
    write_pictures(tmp_path / "a" / ".hidden", 1)
    write_pictures(tmp_path / "a" / "judged.anoclip", 1)
    (tmp_path / "a" / "notes.txt").touch()
    assert keys(tmp_path / "a") == [*(f"{number}.png" for number in range(11)), "more/0.png"]


def test_the_results_are_never_an_input(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    write_pictures(tmp_path / "out" / "maps", 2)
    assert keys(tmp_path, without=tmp_path / "out") == ["0.png", "1.png"]


def test_two_folders_with_the_same_names_are_told_apart_by_their_own(tmp_path: Path) -> None:
    write_pictures(tmp_path / "left" / "good", 1)
    write_pictures(tmp_path / "right" / "good", 1)
    assert keys(tmp_path / "left", tmp_path / "right") == ["left/good/0.png", "right/good/0.png"]
    assert keys(tmp_path / "left" / "good", tmp_path / "right" / "good") == ["left/good/0.png", "right/good/0.png"]


def test_files_with_the_same_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    (one,), (other,) = write_pictures(tmp_path / "a", 1), write_pictures(tmp_path / "b", 1)
    assert keys(one) == ["0.png"]
    assert keys(one, other) == ["a/0.png", "b/0.png"]


def test_a_file_that_is_given_twice_is_one_input(tmp_path: Path) -> None:
    file, _ = write_pictures(tmp_path / "a", 2)
    assert keys(tmp_path / "a", file, tmp_path / "a" / ".." / "a") == ["0.png", "1.png"]


def test_names_that_some_disks_take_for_the_same_differ_in_more(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    (tmp_path / "0.png").rename(tmp_path / "part.png")
    (tmp_path / "Part.PNG").write_bytes((tmp_path / "part.png").read_bytes())
    found = keys(tmp_path)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk itself takes them for the same")
    assert len({key.casefold() for key in found}) == 2


def test_names_that_differ_in_the_way_accents_are_written_differ_in_more(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (tmp_path / unicodedata.normalize(form, "müll.png")).touch()
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this disk itself takes them for the same")
    assert len({unicodedata.normalize("NFC", key) for key in keys(tmp_path)}) == 2


def test_each_plane_of_a_stack_is_an_input(tmp_path: Path) -> None:
    stack = np.stack([pixels(number, (20, 30)) for number in range(12)])
    tifffile.imwrite(tmp_path / "stack.tif", stack)
    found = find_inputs([tmp_path])
    assert [one.key for one in found][:2] == ["stack.tif[00]", "stack.tif[01]"]
    for plane, one in enumerate(found):
        np.testing.assert_array_equal(read_input(one), stack[plane])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_of_more_axes_are_counted_through(tmp_path: Path, compression: str | None) -> None:
    volume = np.stack([pixels(number, (20, 30, 3)) for number in range(6)]).reshape(2, 3, 20, 30, 3)
    tifffile.imwrite(tmp_path / "volume.tif", volume, photometric="rgb", compression=compression)
    found = find_inputs([tmp_path])
    assert len(found) == 6
    np.testing.assert_array_equal(read_input(found[4]), volume[1, 1])


def test_a_stack_in_one_piece_is_read_plane_by_plane(tmp_path: Path) -> None:
    stack = np.stack([pixels(number, (16, 16)) for number in range(4)])
    tifffile.imwrite(tmp_path / "piece.tif", stack, volumetric=True, tile=(4, 16, 16), photometric="minisblack")
    found = find_inputs([tmp_path])
    assert len(found) == 4
    np.testing.assert_array_equal(read_input(found[3]), stack[3])


def test_a_stack_in_one_piece_is_read_once_however_many_threads_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = np.stack([pixels(number, (16, 16)) for number in range(4)])
    tifffile.imwrite(tmp_path / "piece.tif", stack, volumetric=True, tile=(4, 16, 16), photometric="minisblack")
    found, reads, read = find_inputs([tmp_path]), [], pictures.read_picture

    def slowly(path: Path) -> np.ndarray:
        reads.append(path)
        time.sleep(0.05)
        return read(path)

    monkeypatch.setattr(pictures, "read_picture", slowly)
    with ThreadPoolExecutor(4) as pool:
        np.testing.assert_array_equal(list(pool.map(read_input, found)), stack)
    assert len(reads) == 1


def test_a_colour_tiff_is_one_input(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "colour.tif", pixels(0), photometric="rgb")
    assert [(one.key, one.plane) for one in find_inputs([tmp_path])] == [("colour.tif", None)]


def test_a_broken_tiff_is_an_input_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"no TIFF at all")
    (broken,) = find_inputs([tmp_path])
    with pytest.raises(ImageError, match=r"broken\.tif cannot be read"):
        read_input(broken)


def test_a_plane_that_is_not_there_any_more_is_said_to_be_gone(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([pixels(0, (8, 9))] * 3))
    with pytest.raises(ImageError, match="has no plane 7"):
        read_input(Input(tmp_path / "stack.tif", "stack.tif[7]", 7))


def test_what_is_not_there_and_what_is_no_picture_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file or folder"):
        find_inputs([tmp_path / "nowhere"])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="not a picture by its ending"):
        find_inputs([tmp_path / "notes.txt"])


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    first, second = write_pictures(tmp_path, 2)
    copy = tmp_path / "copy.png"
    copy.write_bytes(first.read_bytes())
    assert file_digest(first) == file_digest(copy) != file_digest(second)
    with pytest.raises(ImageError, match="cannot be read"):
        file_digest(tmp_path / "nowhere.png")


def test_the_results_of_an_earlier_run_are_no_pictures_unless_they_are_named(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1)
    write_pictures(tmp_path / "first" / "maps", 1)
    (tmp_path / "first" / "records").mkdir()
    (tmp_path / "first" / "recipe.json").touch()
    assert keys(tmp_path, without=tmp_path / "second") == ["0.png"]
    assert keys(tmp_path / "first" / "maps") == ["0.png"]


def test_pictures_that_are_in_the_folder_of_the_results_are_refused_with_a_way_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "parts", 1)
    for out in (tmp_path, tmp_path / "parts"):
        with pytest.raises(InputError, match="in the folder of the results"):
            find_inputs([tmp_path / "parts"], without=out)


@pytest.mark.fault("inputs", "a folder without the right to read it", "the rest of the folder")
def test_a_folder_that_cannot_be_read_is_an_input_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sees: Callable[[object], str]
) -> None:
    write_pictures(tmp_path, 1)
    shut = tmp_path / "shut"
    write_pictures(shut, 1)
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == shut:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert keys(tmp_path) == ["0.png", "shut"]
    with pytest.raises(ImageError, match="right to read") as refused:
        file_digest(shut)
    sees(refused.value)
    with pytest.raises(DataSetError, match="right to read"):
        folder_data_set(FolderSettings()).open(tmp_path)


@pytest.mark.fault("inputs", "a pipe that is called like a picture", "the rest of the folder")
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_a_pipe_is_not_waited_for(tmp_path: Path, sees: Callable[[object], str]) -> None:
    for name in ("pipe.png", "pipe.tif"):
        os.mkfifo(tmp_path / name)
    found = find_inputs([tmp_path])
    assert [one.key for one in found] == ["pipe.png", "pipe.tif"]
    for one in found:
        with pytest.raises(ImageError, match="no file that can be read") as refused:
            file_digest(one.path)
        sees(refused.value)
        with pytest.raises(ImageError, match="no file that can be read"):
            read_input(one)

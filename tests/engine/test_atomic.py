"""A file is there whole or not at all."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from napari_anoclip.engine import atomic


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "ü.txt"
    file.write_text("old")
    return file


@pytest.mark.parametrize("durable", [False, True])
def test_the_new_takes_the_place_of_the_old_in_one_step(file, durable):
    with atomic.replacing(file, durable=durable) as temporary:
        temporary.write_text("new")
        assert file.read_text() == "old"
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError("bad")])
def test_whatever_goes_wrong_the_old_stays_and_nothing_is_left_over(file, error):
    def go_wrong():
        with atomic.replacing(file) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        go_wrong()
    assert file.read_text() == "old"
    assert list(file.parent.iterdir()) == [file]


def test_text_is_utf_8_with_plain_line_feeds(file):
    atomic.write(file, "ü\n")
    assert file.read_bytes() == b"\xc3\xbc\n"


@pytest.mark.fault(
    "caches and disks", "many threads replace one file at once", "one of the states, whole", sees="nothing"
)
def test_many_that_write_at_once_leave_one_whole_file(file):
    texts = [str(number) * 10_000 for number in range(10)]
    threads = [threading.Thread(target=atomic.write, args=(file, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text() in texts
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(os.name != "posix", reason="there are no such rights")
def test_others_may_read_it_as_any_new_file(file):
    plain = file.with_name("plain")
    plain.write_text("")
    atomic.write(file, "new")
    assert file.stat().st_mode == plain.stat().st_mode


def test_a_name_as_long_as_it_may_be(tmp_path):
    atomic.write(tmp_path / ("x" * 255), "new")
    assert (tmp_path / ("x" * 255)).read_text() == "new"


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "only be read"), (errno.ENOENT, "is gone")]
)
def test_the_reason_is_said_in_words(number, words):
    assert words in atomic.reason(OSError(number, "as the system says it"))


def test_other_reasons_are_the_systems():
    assert atomic.reason(OSError(errno.EIO, "Input/output error")) == "Input/output error"
    assert atomic.reason(OSError("odd")) == "odd"

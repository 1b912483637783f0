"""One window writes to a session; others are told who has it, and may take it over."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from napari_anoclip.review import lock
from napari_anoclip.review.lock import Holder, Lock, SessionLocked


@pytest.fixture
def file(tmp_path):
    return tmp_path / lock.FILE


def change(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_the_second_who_opens_it_is_told_who_has_it(tmp_path):
    Lock.take(tmp_path, "Anna")
    with pytest.raises(SessionLocked, match=r"Anna on .* since .*: close it there, or take it over") as told:
        Lock.take(tmp_path)
    assert told.value.holder is not None
    assert told.value.holder.pid == os.getpid()


def test_given_back_it_can_be_taken(tmp_path, file):
    Lock.take(tmp_path).release()
    assert not file.exists()
    Lock.take(tmp_path).check()


@pytest.mark.fault("sessions", "a session is locked by a process that is dead", "the session opens", sees="nothing")
def test_one_that_a_dead_process_left_is_in_nobodys_way(tmp_path, file):
    code = "import sys, pathlib, napari_anoclip.review.lock as lock; lock.Lock.take(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert file.exists()
    Lock.take(tmp_path, "Ben").check()
    assert json.loads(file.read_text())["owner"] == "Ben"


def test_of_two_that_take_it_over_at_once_the_earlier_one_finds_the_later_ones(tmp_path, file, monkeypatch):
    Lock.take(tmp_path)
    change(file, pid=2**22 + 1)
    write = lock.atomic.write

    def overtaken(path, content):
        write(path, content)
        write(path, Holder.this_process("Ben").model_dump_json())

    monkeypatch.setattr(lock.atomic, "write", overtaken)
    with pytest.raises(SessionLocked, match="taken over by Ben"):
        Lock.take(tmp_path, "Anna").check()


def test_a_number_of_a_process_that_was_given_anew_is_no_owner(tmp_path, file):
    Lock.take(tmp_path)
    change(file, started=Holder.this_process().started - 3600)
    Lock.take(tmp_path)


def test_of_another_computer_nothing_is_known_so_it_asks(tmp_path, file):
    Lock.take(tmp_path, "Cleo")
    change(file, host="elsewhere", pid=2**22 + 1)
    with pytest.raises(SessionLocked, match="Cleo on elsewhere"):
        Lock.take(tmp_path)
    Lock.take(tmp_path, take_over=True).check()


@pytest.mark.parametrize("content", ["", "{", '{"owner": "Dora"}', "\x00" * 200])
def test_a_lock_that_cannot_be_read_asks(tmp_path, file, content):
    file.write_text(content)
    with pytest.raises(SessionLocked, match="by someone") as told:
        Lock.take(tmp_path)
    assert told.value.holder is None
    Lock.take(tmp_path, take_over=True).check()


def test_who_lost_it_sees_that_before_the_next_write_and_takes_nothing_away(tmp_path, file):
    first = Lock.take(tmp_path, "Anna")
    first.check()
    second = Lock.take(tmp_path, "Ben", take_over=True)
    with pytest.raises(SessionLocked, match="taken over by Ben"):
        first.check()
    first.release()
    second.check()
    assert file.exists()


def test_a_lock_that_someone_deleted_is_made_again(tmp_path, file):
    held = Lock.take(tmp_path, "Anna")
    file.unlink()
    held.check()
    assert json.loads(file.read_text())["owner"] == "Anna"


def test_touched_by_a_copying_program_it_is_still_ours(tmp_path, file):
    held = Lock.take(tmp_path)
    os.utime(file, (1, 1))
    held.check()
    held.check()


@pytest.mark.fault(
    "caches and disks",
    "the disk is full when a session is locked",
    "no half lock is left in the way",
    sees="that the session can only be read",
)
def test_a_full_disk_leaves_no_half_lock(tmp_path, file, monkeypatch):
    real = type(file).open

    def full(path, *args, **kwargs):
        opened = real(path, *args, **kwargs)
        opened.write = no_space
        return opened

    def no_space(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(file), "open", full)
        with pytest.raises(OSError, match="No space"):
            Lock.take(tmp_path)
    assert not file.exists()


def test_a_disk_without_links_has_locks_too(tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(lock.os, "link", no_links)
    Lock.take(tmp_path, "Anna").check()
    with pytest.raises(SessionLocked, match="Anna"):
        Lock.take(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [lock.FILE]


def test_a_user_without_a_name_is_someone(tmp_path, monkeypatch):
    def nobody():
        raise OSError("no user database")

    monkeypatch.setattr(lock.getpass, "getuser", nobody)
    assert Lock.take(tmp_path).holder.owner == "someone"

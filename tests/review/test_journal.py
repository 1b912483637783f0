"""Lines of a journal: none is lost, and the remains of one do no harm."""

from __future__ import annotations

import errno
import json
import os
import threading
import time

import pytest

from napari_anoclip.review import journal
from napari_anoclip.review.journal import Journal
from napari_anoclip.review.lock import SessionLocked


@pytest.fixture
def path(tmp_path):
    return tmp_path / journal.FILE


@pytest.fixture
def begun(path):
    """Begins a journal, or goes on with it."""
    opened = []

    def begin(check=lambda: None):
        found = journal.read(path) if path.exists() else journal.create(path, [("kinds", '["crack"]')])
        opened.append(Journal(path, found, check))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes so many bytes more; None is as many as there are."""

    class Disk:
        room: int | None = None
        error = errno.ENOSPC

        def write(self, descriptor, data):
            if self.room is None:
                return write(descriptor, data)
            if self.room == 0:
                raise OSError(self.error, os.strerror(self.error))
            written = write(descriptor, data[: self.room])
            self.room -= written
            return written

    write, found = os.write, Disk()
    monkeypatch.setattr(journal.os, "write", found.write)
    return found


def words(path):
    return [json.loads(entry.text) for entry in journal.read(path).entries if entry.kind == "word"]


def test_a_line_is_in_the_file_when_append_returns(path, begun):
    one = begun()
    one.append("word", '"ä"')
    assert words(path) == ["ä"]
    assert one.lines == 2


def test_it_goes_on_where_it_ended(path, begun):
    begun().append("word", "1")
    begun().append("word", "2")
    found = journal.read(path)
    assert [entry.line for entry in found.entries] == [1, 2, 3]
    assert found.whole
    assert words(path) == [1, 2]


def test_a_journal_in_which_nothing_happened_yet_is_whole(path):
    journal.create(path, [])
    found = journal.read(path)
    assert (found.last, found.whole) == (0, True)


@pytest.mark.parametrize("cut", [1, 2, 20, 60])
def test_a_torn_last_line_is_left_out_and_the_next_one_is_not_harmed(path, begun, cut):
    one = begun()
    one.append("word", '"first"')
    one.append("word", '"a long and last line of which not all is there"')
    path.write_bytes(path.read_bytes()[:-cut])
    found = journal.read(path)
    whole = ["first"] if cut > 1 else ["first", "a long and last line of which not all is there"]
    assert words(path) == whole
    assert found.whole
    assert found.torn
    begun().append("word", '"next"')
    assert words(path) == [*whole, "next"]
    assert journal.read(path).whole


def test_a_line_with_a_wrong_letter_is_missed(path, begun):
    one = begun()
    for word in ("one", "two", "three"):
        one.append("word", json.dumps(word))
    path.write_bytes(path.read_bytes().replace(b'"two"', b'"twa"'))
    found = journal.read(path)
    assert words(path) == ["one", "three"]
    assert not found.whole
    assert found.whole_to == 2


def test_zeros_that_a_power_failure_leaves_are_no_line(path, begun):
    begun().append("word", "1")
    with path.open("ab") as file:
        file.write(bytes(4096))
    begun().append("word", "2")
    assert words(path) == [1, 2]
    assert journal.read(path).whole


def test_a_line_that_a_person_edited_counts_without_its_checksum(path, begun):
    begun().append("word", '"thus"')
    text = path.read_text()
    line = text.splitlines()[-1]
    path.write_text(text.replace(line, '{"line": 2, "word": "so"}'))
    assert words(path) == ["so"]


def test_a_full_disk_keeps_lines_in_memory_until_there_is_room(path, begun, disk):
    one, said = begun(), []
    one.troubled.connect(said.append)
    one.append("word", "1")
    disk.room = 25  # in the middle of a line
    for word in ("2", "3", "4"):
        one.append("word", word)
    assert one.waiting == 3
    assert "the disk is full" in one.trouble
    assert words(path) == [1]
    disk.room = 10  # some room, not enough
    one.append("word", "5")
    assert words(path) == [1]
    disk.room = None
    one.append("word", "6")
    assert words(path) == [1, 2, 3, 4, 5, 6]
    assert journal.read(path).whole
    assert said == [said[0], ""]


def test_it_tries_again_by_itself(path, begun, disk, monkeypatch):
    monkeypatch.setattr(journal, "RETRY", 0.02)
    one, better = begun(), threading.Event()
    one.troubled.connect(lambda sentence: sentence or better.set())
    disk.room = 0
    one.append("word", "1")
    assert one.trouble
    disk.room = None
    assert better.wait(5)
    assert words(path) == [1]


def test_sync_says_what_is_in_the_way(begun, disk):
    one = begun()
    disk.room, disk.error = 0, errno.EROFS
    one.append("word", "1")
    assert "only be read" in one.trouble
    with pytest.raises(OSError, match="Read-only"):
        one.sync()


def test_who_lost_the_session_writes_no_more(path, begun):
    def lost():
        raise SessionLocked("s.anoclip was taken over by Ben.", None)

    one = begun(lost)
    one.append("word", "1")
    assert words(path) == []
    assert one.trouble == "s.anoclip was taken over by Ben."
    one.close()
    assert one.waiting == 1


@pytest.mark.skipif(os.name != "posix", reason="there an open file cannot be removed")
def test_a_file_that_someone_removed_is_begun_again(path, begun):
    one = begun()
    one.append("word", "1")
    path.unlink()
    one.append("word", "2")
    found = journal.read(path)
    assert words(path) == [2]
    assert found.identity == one.identity
    assert not found.whole


def test_lines_of_many_threads_are_whole(path, begun):
    one = begun()
    text = json.dumps("x" * 5000)
    threads = [threading.Thread(target=lambda: [one.append("word", text) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(words(path)) == 200
    assert journal.read(path).whole


def test_who_judges_does_not_wait_for_the_disk(begun, monkeypatch):
    release = threading.Event()
    one = begun()
    monkeypatch.setattr(journal.os, "fsync", lambda _: release.wait(5))
    before = time.perf_counter()
    for word in range(20):
        one.append("word", str(word))
    took = time.perf_counter() - before
    release.set()
    assert took < 1


def test_all_lines_can_be_had_those_that_wait_too(path, begun, disk):
    one = begun()
    one.append("word", "1")
    disk.room = 10
    one.append("word", "2")
    assert one.contents() == [("kinds", '["crack"]'), ("word", "1"), ("word", "2")]


def test_lines_of_another_window_are_not_among_them(path, begun):
    one = begun()
    one.append("word", "1")
    other = begun()
    other.append("word", '"of another"')
    one._check = lambda: (_ for _ in ()).throw(SessionLocked("taken over", None))
    one.append("word", "2")
    assert one.contents() == [("kinds", '["crack"]'), ("word", "1"), ("word", "2")]
    path.unlink()
    assert one.contents() is None


def test_a_file_that_lost_a_line_or_is_of_another_journal_does_not_have_them(path, begun):
    one = begun()
    one.append("word", "1")
    one.append("word", "2")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert one.contents() is None
    path.unlink()
    journal.create(path, [("kinds", "[]"), ("word", "3"), ("word", "4")])
    assert one.contents() is None


def test_its_thread_sleeps_when_all_is_on_the_disk(begun, monkeypatch):
    one, rounds = begun(), []
    sync = one._sync
    monkeypatch.setattr(one, "_sync", lambda: (rounds.append(1), sync()))
    one.append("word", "1")
    time.sleep(0.2)
    assert 1 <= len(rounds) <= 2

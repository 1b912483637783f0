"""A session keeps what was judged, whatever happens to its folder."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest
import tifffile
from review.reviewing import InMemory, facts, image, judgement, square, step, trial

from napari_anoclip.engine import imaging
from napari_anoclip.engine.settings import ReferenceSettings
from napari_anoclip.review import journal, session_file
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.lock import Lock
from napari_anoclip.review.regions import RegionSettings
from napari_anoclip.review.restore import restore
from napari_anoclip.review.session import Session, SessionError, SessionLocked, SessionSettings, rescued_folder
from napari_anoclip.review.session_file import Saved, safe_name

KEY = "a1b2"
NO_ROOM = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "Größe 5.anoclip"


@pytest.fixture
def opened():
    """Opens sessions, and closes at the end what is open."""
    sessions = []

    def open_one(*args, **kwargs):
        sessions.append(Session.open(*args, **kwargs))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


@pytest.fixture
def session(folder, opened):
    """A session with an image and three judgements."""
    session = opened(folder)
    session.review.add(image(KEY))
    for number in (1, 2, 3):
        session.review.judge(KEY, f"judge region {number}", {number: judgement(number)})
    return session


def left_by_a_crash(session):
    """The folder of a session whose process is gone, with nothing saved or closed."""
    (session.folder / "lock.json").unlink()
    return session.folder


def busy(session, steps, seed=1):
    random = Random(seed)
    for _ in range(steps):
        step(session, random)
    return facts(session)


@contextmanager
def failing(monkeypatch, error=NO_ROOM):
    """Nothing can be written, neither journal nor files."""

    def fail(*args, **kwargs):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "write", fail)
        patch.setattr(Path, "write_bytes", fail)
        patch.setattr(tifffile.TiffWriter, "write", fail)
        yield


# Saved and opened again


def test_all_comes_back_with_what_can_be_undone(folder, opened):
    session = opened(folder)
    known = busy(session, 300)
    session.close()
    again = opened(folder)
    assert facts(again) == known
    assert again.recovered == ""
    assert not again.unsaved


def test_without_saving_the_journal_has_it_all(folder, opened):
    session = opened(folder)
    known = busy(session, 100)
    session.save()
    known = busy(session, 5, seed=2)
    again = opened(left_by_a_crash(session))
    assert facts(again) == known
    assert "changes after the last save" in again.recovered


def test_undone_after_reopening_is_as_undone_before(folder, opened):
    first, truth = opened(folder), InMemory()
    busy(first, 80)
    busy(truth, 80)
    first.close()
    again = opened(folder)
    while truth.review.to_undo:
        truth.review.undo()
        again.review.undo()
    assert facts(again) == facts(truth)


def test_settings_kinds_and_trials_are_kept(session, opened):
    session.settings = SessionSettings(
        regions=RegionSettings(min_area=7), references=ReferenceSettings(enabled=True), threshold=0.5
    )
    session.review.kinds = ("Riß", "dent")
    session.trials = [trial("a"), trial("b")]
    session.trials = [trial("a"), trial("b", 5)]  # the last one brought up to date
    known = facts(session)
    session.close()
    assert facts(opened(session.folder)) == known
    session = opened(session.folder, take_over=True)
    session.trials = session.trials[:1]
    assert opened(left_by_a_crash(session)).trials == (trial("a"),)


def test_a_person_can_read_it_and_another_program_the_masks(session):
    session.trials = [trial("a")]
    session.save()
    folder = session.folder
    text = (folder / "session.json").read_text(encoding="utf-8")
    assert text.count('"verdict": "defect"') == 3
    assert max(len(line) for line in text.splitlines() if '"figures"' not in line) < 400
    content = json.loads(text)
    assert content["images"][0]["masks"]["file"] == f"masks/{KEY}.tif"
    assert set(np.unique(tifffile.imread(folder / "masks" / f"{KEY}.tif"))) == {0, 1, 2, 3}
    assert "object: bottle a" in (folder / "prompts" / "001.yaml").read_text()


def test_prompt_sets_that_are_the_same_are_one_file(session, opened):
    session.trials = [trial("a"), trial("b"), trial("a", 9)]
    session.save()
    assert sorted(path.name for path in (session.folder / "prompts").iterdir()) == ["001.yaml", "002.yaml"]
    session.close()
    again = opened(session.folder)
    again.save()
    assert len(list((session.folder / "prompts").iterdir())) == 2


def test_only_masks_that_changed_are_written(session, monkeypatch):
    review = session.review
    review.add(image("c3d4"))
    review.judge("c3d4", "judge", {1: judgement(1)})
    session.save()
    written, write = [], session_file.mask_file.write

    def noted(path, *rest):
        written.append(path.stem)
        write(path, *rest)

    monkeypatch.setattr(session_file.mask_file, "write", noted)
    review.judge(KEY, "call it false", {1: judgement(1, verdict=Verdict.FALSE)})
    session.save()
    assert written == []
    review.judge(KEY, "paint", {1: judgement(1, square(40, 40))})
    session.save()
    assert written == [KEY]


def test_after_reopening_masks_are_not_written_anew(session, opened, monkeypatch):
    session.close()
    again = opened(session.folder)
    monkeypatch.setattr(session_file.mask_file, "write", None)
    again.review.judge(KEY, "call it false", {1: judgement(1, verdict=Verdict.FALSE)})
    again.save()


def test_masks_go_with_the_last_judgement(session):
    session.save()
    for _ in range(3):
        session.review.undo()
    session.save()
    assert list((session.folder / "masks").iterdir()) == []


def test_a_snapshot_is_written_by_a_worker_while_judging_goes_on(session, opened):
    snapshot = session.snapshot()
    worker = threading.Thread(target=session.write, args=(snapshot,))
    worker.start()
    known = busy(session, 50)
    worker.join()
    assert session.unsaved
    assert Saved(session.folder).lines == snapshot.lines
    assert facts(opened(left_by_a_crash(session))) == known


def test_opened_by_a_worker_it_is_used_by_the_window(session, opened):
    session.close()
    found = []
    worker = threading.Thread(target=lambda: found.append(opened(session.folder)))
    worker.start()
    worker.join()
    known = busy(found[0], 20)
    assert facts(restore(session.folder)) == known


def test_a_copy_made_by_a_worker_is_of_the_moment_it_was_asked_for(session, opened, tmp_path):
    snapshot, known = session.snapshot(), facts(session)
    session.review.judge(KEY, "paint meanwhile", {1: judgement(1, square(50, 50))})
    session.copy_to(tmp_path / "copy.anoclip", snapshot)
    assert facts(opened(tmp_path / "copy.anoclip")) == known


def test_a_late_worker_does_not_overwrite_a_newer_save(session):
    old = session.snapshot()
    session.review.undo()
    session.save()
    session.write(old)
    assert Saved(session.folder).lines == session.snapshot().lines
    assert not session.unsaved


@pytest.mark.fault(
    "hostile files",
    "an image key with ../ in a session",
    "everything outside of the session",
    sees="masks under a safe name",
)
@pytest.mark.parametrize("key", ["a1b2", "A1B2", "con", "a/../../b", "x" * 300, "", "é:*?", "a.b "])
def test_names_of_files_are_safe_everywhere(key):
    name = safe_name(key)
    assert 0 < len(name) <= 64
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert name not in ("con", "nul")
    assert (name == key) == (key == "a1b2")


def test_keys_that_differ_in_case_only_have_masks_of_their_own(session, opened):
    session.review.add(image("A1B2"))
    session.review.judge("A1B2", "judge", {9: judgement(9)})
    session.save()
    assert len(list((session.folder / "masks").iterdir())) == 2
    (session.folder / "journal.jsonl").unlink()
    known = session.review.images
    assert opened(left_by_a_crash(session)).review.images == known


# What is a session, and what is none


@pytest.mark.fault("sessions", "a folder with other things is opened as a session", "everything in it")
def test_a_folder_with_other_things_is_left_alone(tmp_path, sees):
    (tmp_path / "picture.png").write_bytes(b"")
    with pytest.raises(SessionError, match="is no session") as refused:
        Session.open(tmp_path)
    sees(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_an_empty_folder_and_one_that_is_not_there_become_one(tmp_path, opened):
    (tmp_path / "empty.anoclip").mkdir()
    for name in ("empty.anoclip", "a/b/new.anoclip"):
        assert not Session.is_session(tmp_path / name)
        opened(tmp_path / name)
        assert Session.is_session(tmp_path / name)


@pytest.mark.fault("sessions", "a file is where the folder of a session should be", "the file")
def test_a_file_in_the_way_is_a_sentence(tmp_path, sees):
    (tmp_path / "file").write_text("")
    with pytest.raises(SessionError, match="cannot be made") as refused:
        Session.open(tmp_path / "file" / "new.anoclip")
    sees(refused.value)


# Two windows


@pytest.mark.fault("sessions", "two windows open one session", "the verdicts of both")
def test_the_second_window_is_told_and_can_take_over(session, opened, sees):
    with pytest.raises(SessionLocked, match="take it over") as refused:
        Session.open(session.folder)
    sees(refused.value)
    said = []
    session.troubled.connect(said.append)
    known = facts(session)
    other = opened(session.folder, take_over=True, owner="Ben")
    assert facts(other) == known

    session.review.undo()  # in the window that lost it
    assert "taken over by Ben" in session.trouble
    assert said == [session.trouble]
    with pytest.raises(SessionLocked, match="Ben"):
        session.save()
    other.save()
    assert facts(restore(session.folder)) == known


def test_what_the_first_window_judged_after_that_is_not_lost(session, opened):
    before = set(rescued_folder().glob("*"))
    other = opened(session.folder, take_over=True)
    session.review.judge(KEY, "late", {9: judgement(9)})
    known = session.review.images
    session.close()
    (kept,) = set(rescued_folder().glob("*")) - before
    assert str(kept) in session.trouble
    assert opened(kept).review.images == known
    assert 9 not in other.review.images[KEY].judgements


def test_two_sessions_are_open_side_by_side(session, tmp_path, opened):
    other = opened(tmp_path / "other.anoclip")
    busy(other, 30)
    known = facts(session)
    session.save()
    other.close()
    assert facts(restore(session.folder)) == known


def test_closing_gives_the_session_back(session, opened):
    session.close()
    assert not (session.folder / "lock.json").exists()
    opened(session.folder)


# Nothing can be written


@pytest.mark.fault(
    "sessions", "the disk is full while regions are judged", "every verdict, in memory, and on disk once there is room"
)
def test_a_full_disk_loses_nothing(session, opened, monkeypatch, sees):
    said = []
    session.troubled.connect(said.append)
    with failing(monkeypatch):
        busy(session, 40)
        assert "the disk is full" in sees(session.trouble)
        with pytest.raises(SessionError, match="the disk is full"):
            session.save()
    session.save()
    assert session.trouble == ""
    assert said[-1] == ""
    known = facts(session)
    session.close()
    assert facts(opened(session.folder)) == known


def test_a_save_that_fails_anywhere_leaves_what_was_saved(session, monkeypatch):
    session.save()
    saved = Saved(session.folder).images()
    session.review.add(image("c3d4"))
    session.review.judge("c3d4", "judge", {1: judgement(1)})
    for failing_call in ("replace", "write_bytes"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, failing_call, lambda *_: (_ for _ in ()).throw(NO_ROOM))
            with pytest.raises(SessionError):
                session.save()
        assert "the disk is full" in session.trouble
        assert Saved(session.folder).images() == saved
        assert not list(session.folder.rglob("*.new"))


@pytest.mark.fault("sessions", "a session is closed on a full disk", "a whole copy, in the folder of the user")
def test_closed_on_a_full_disk_it_is_kept_elsewhere(session, opened, monkeypatch, sees):
    room = rescued_folder()
    before = set(room.glob("*"))
    real = os.write

    def full(descriptor, data):
        if (session.folder / "lock.json").exists() and not rescuing.is_set():
            raise NO_ROOM
        return real(descriptor, data)

    rescuing = threading.Event()
    monkeypatch.setattr(session, "_rescue", lambda: (rescuing.set(), type(session)._rescue(session)))
    monkeypatch.setattr(journal.os, "write", full)
    known = busy(session, 20)
    session.close()
    (kept,) = set(room.glob("*")) - before
    assert str(kept) in sees(session.trouble)
    assert opened(kept).review.images.keys() == known["images"].keys()
    assert facts(opened(kept, take_over=True))["undo"] == known["undo"]


@pytest.mark.fault("sessions", "the folder of a session can only be read", "all of it; a copy can be made elsewhere")
def test_a_read_only_folder_can_be_looked_at(session, opened, tmp_path, monkeypatch, sees):
    known = facts(session)
    session.close()

    def refused(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Lock, "take", refused)
        looked_at = opened(session.folder)
    assert facts(looked_at) == known
    assert "can only be read" in sees(looked_at.trouble)
    before = {path: path.read_bytes() for path in session.folder.rglob("*") if path.is_file()}
    looked_at.review.judge(KEY, "judge", {9: judgement(9)})
    with pytest.raises(SessionError):
        looked_at.save()
    looked_at.copy_to(tmp_path / "copy.anoclip")
    assert {path: path.read_bytes() for path in session.folder.rglob("*") if path.is_file()} == before
    copy = opened(tmp_path / "copy.anoclip")
    assert copy.review.images == looked_at.review.images
    assert copy.review.to_undo == looked_at.review.to_undo


@pytest.mark.fault("sessions", "a disk that is really full, then mounted read-only", "every verdict")
@pytest.mark.skipif(os.name != "posix", reason="needs a disk that can be mounted")
def test_a_disk_that_is_really_full_and_then_only_to_be_read(tmp_path, opened, sees):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        session = opened(disk / "small.anoclip")
        (disk / "ballast").write_bytes(bytes(900_000))
        steps = 0
        random = Random(3)
        while not session.trouble:
            step(session, random)
            steps += 1
        for _ in range(20):
            step(session, random)
        assert "the disk is full" in sees(session.trouble)
        assert 0 < steps < 200
        (disk / "ballast").unlink()
        for _ in range(5):
            step(session, random)
        known = facts(session)
        assert session.trouble == ""
        assert facts(restore(session.folder)) == known
        session.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        looked_at = Session.open(session.folder)
        assert "only be read" in looked_at.trouble
        assert facts(looked_at) == known
        looked_at.close()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.fault(
    "sessions", "the folder of a session is moved away while it is open", "every verdict, once the folder is back"
)
def test_a_folder_that_is_gone_is_told_and_what_was_judged_is_kept(session, opened, tmp_path, sees):
    session.folder.rename(tmp_path / "elsewhere.anoclip")
    known = busy(session, 5)
    assert "the folder is gone" in sees(session.trouble)
    (tmp_path / "elsewhere.anoclip").rename(session.folder)
    session.save()
    assert facts(restore(session.folder)) == known


# Damage


@pytest.mark.fault(
    "sessions",
    "session.json is empty, cut off, zeros or of something else",
    "every verdict, from the journal; the damaged file, aside",
)
def test_a_damaged_session_file_is_made_anew_from_the_journal(session, opened, sees):
    known = facts(session)
    session.close()
    for content in (
        b"",
        b'{"format": "napari',
        bytes(300),
        b"[]",
        b'{"schema": 1, "format": "x", "images": [{"key": 3}]}',
    ):
        (session.folder / "session.json").write_bytes(content)
        again = opened(session.folder)
        assert facts(again) == known
        assert "session.json was damaged" in sees(again.recovered)
        again.close()
        assert Saved(session.folder).images()[0] == known["images"]
        (kept,) = session.folder.glob("session-*.json")
        assert kept.read_bytes() == content
        kept.unlink()


@pytest.mark.fault("sessions", "the masks of a session are damaged or gone", "every mask, from the journal")
def test_damaged_masks_are_made_anew_from_the_journal(session, opened, sees):
    known = facts(session)
    session.close()
    masks = session.folder / "masks" / f"{KEY}.tif"
    before = masks.read_bytes()
    for content in (b"", before[:-5] + b"xxxxx", None):
        masks.unlink() if content is None else masks.write_bytes(content)
        again = opened(session.folder)
        assert facts(again) == known
        assert "part 7.png" in sees(again.recovered)
        again.close()
        assert masks.read_bytes() == before


def test_without_a_journal_what_was_saved_is_there(session, opened):
    session.trials = [trial("a")]
    known = facts(session)
    session.close()
    (session.folder / "journal.jsonl").unlink()
    again = opened(session.folder)
    assert facts(again) == known | {"undo": [], "redo": [], "count": 0}
    assert "can be undone begins anew" in again.recovered
    assert "cannot be read" not in again.recovered
    again.review.judge(KEY, "go on", {4: judgement(4)})
    known = facts(again)
    again.close()
    assert facts(opened(session.folder)) == known


@pytest.mark.fault(
    "sessions", "the journal is damaged in its middle", "every verdict, from session.json; the damaged journal, aside"
)
def test_a_journal_damaged_in_its_middle_is_made_up_for_by_what_was_saved(session, opened, sees):
    session.save()
    session.review.judge(KEY, "later", {4: judgement(4)})
    known = facts(session)
    file = left_by_a_crash(session) / "journal.jsonl"
    damaged = file.read_bytes().replace(b"judge region 2", b"judge regiom 2")
    file.write_bytes(damaged)
    again = opened(session.folder)
    assert again.review.images == known["images"]
    assert "journal.jsonl has lines missing" in sees(again.recovered)
    (kept,) = session.folder.glob("journal-*.jsonl")
    assert kept.read_bytes() == damaged
    again.close()
    assert opened(session.folder).recovered == ""


def test_beside_what_was_saved_with_another_journal_the_journal_counts(session, opened):
    session.close()
    file = session.folder / "session.json"
    file.write_text(file.read_text("utf-8").replace(session.snapshot().journal, "0" * 32), "utf-8")
    known = facts(session)
    assert facts(opened(session.folder)) == known


def test_a_lost_end_of_the_journal_is_made_up_for_by_what_was_saved(session, opened):
    known = facts(session)
    session.close()
    file = session.folder / "journal.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    assert opened(session.folder).review.images == known["images"]


@pytest.mark.fault("sessions", "session.json and the journal are both damaged", "all that can be read")
def test_both_damaged_all_that_can_be_read_is_there(session, opened, sees):
    session.save()
    session.review.judge(KEY, "later", {4: judgement(4)})
    folder = left_by_a_crash(session)
    (folder / "session.json").write_text("{")
    file = folder / "journal.jsonl"
    file.write_bytes(file.read_bytes().replace(b"judge region 2", b"judge regiom 2"))
    again = opened(folder)
    assert set(again.review.images[KEY].judgements) == {1, 3, 4}
    assert "1 line of the journal cannot be read" in sees(again.recovered)


def test_journal_gone_and_a_mask_damaged_says_what_is_lost(session, opened):
    session.review.add(image("c3d4", "other.png"))
    session.review.judge("c3d4", "judge", {1: judgement(1)})
    session.close()
    (session.folder / "journal.jsonl").unlink()
    (session.folder / "masks" / f"{KEY}.tif").write_bytes(b"II*\0")
    again = opened(session.folder)
    assert set(again.review.images["c3d4"].judgements) == {1}
    assert again.review.images[KEY].judgements == {}
    assert "3 judgements cannot be read" in again.recovered


@pytest.mark.fault("sessions", "nothing of a session can be read", "all files as they are")
def test_where_nothing_can_be_read_nothing_is_changed(session, sees):
    session.close()
    (session.folder / "session.json").write_text("{")
    (session.folder / "journal.jsonl").write_bytes(bytes(100))
    before = {path: path.read_bytes() for path in session.folder.rglob("*") if path.is_file()}
    with pytest.raises(SessionError, match="cannot be opened") as refused:
        Session.open(session.folder)
    sees(refused.value)
    assert {path: path.read_bytes() for path in session.folder.rglob("*") if path.is_file()} == before


def test_what_a_killed_process_left_half_written_is_swept_away(session, opened):
    session.close()
    (session.folder / ".0123.new").write_text("half")
    (session.folder / "masks" / ".4567.new").write_text("half")
    opened(session.folder)
    assert not list(session.folder.rglob("*.new"))


def test_a_path_is_mended_by_hand(session, opened):
    session.review.add(image(KEY, path="../wrong.png"))
    known = session.review.images[KEY].judgements
    session.close()
    file = session.folder / "session.json"
    file.write_text(file.read_text(encoding="utf-8").replace("wrong.png", "right.png"), encoding="utf-8")
    (session.folder / "journal.jsonl").unlink()
    mended = opened(session.folder).review.images[KEY]
    assert mended.path == "../right.png"
    assert mended.judgements == known


def test_an_edit_beside_the_journal_is_told_and_kept(session, opened):
    known = facts(session)
    session.close()
    file = session.folder / "session.json"
    edited = file.read_text(encoding="utf-8").replace("part 7", "part 8")
    file.write_text(edited, encoding="utf-8")
    again = opened(session.folder)
    assert facts(again) == known
    assert "session.json was edited" in again.recovered
    (kept,) = session.folder.glob("session-*.json")
    assert kept.read_text(encoding="utf-8") == edited
    again.close()
    assert opened(session.folder).recovered == ""


def test_changes_are_taken_back_by_hand(session, opened):
    session.close()
    (session.folder / "session.json").unlink()
    file = session.folder / "journal.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    again = opened(session.folder)
    assert set(again.review.images[KEY].judgements) == {1}
    assert again.review.to_undo.what == "judge region 1"


# Files of images


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(4).integers(0, 255, (96, 128), dtype=np.uint8)
    path = tmp_path / "line 3" / "part 7.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, pixels)
    return path, imaging.fingerprint(pixels)


def test_a_moved_image_is_found_by_its_pixels(session, opened, picture, tmp_path):
    path, fingerprint = picture
    entry = image("e5f6", "part 7.tif", path=session.relative(path)).model_copy(update={"fingerprint": fingerprint})
    session.review.add(entry)
    assert entry.path == "../line 3/part 7.tif"
    assert session.path_of(entry) == path
    assert session.find(entry) == path

    elsewhere = tmp_path / "archive" / "2026"
    elsewhere.mkdir(parents=True)
    tifffile.imwrite(elsewhere / "part 7.tif", np.zeros((96, 128), np.uint8))  # the same name, another picture
    path.rename(elsewhere / "renamed.tif")
    assert session.path_of(entry) is None
    found = session.find(entry)
    assert found == elsewhere / "renamed.tif"
    session.moved_to(entry.key, found)
    session.close()
    again = opened(session.folder)
    assert again.path_of(again.review.images["e5f6"]) == found


def test_an_image_that_is_nowhere_is_not_found(session, picture, tmp_path):
    path, _ = picture
    entry = image("e5f6", "gone.tif", path=session.relative(path.with_name("gone.tif")))
    assert session.find(entry, tmp_path) is None


def test_session_and_images_moved_together_are_still_together(session, opened, picture, tmp_path):
    path, _ = picture
    session.review.add(image("e5f6", path=session.relative(path)))
    session.close()
    (tmp_path / "there").mkdir()
    path.parent.rename(tmp_path / "there" / "line 3")
    session.folder.rename(tmp_path / "there" / "moved.anoclip")
    again = opened(tmp_path / "there" / "moved.anoclip")
    assert again.path_of(again.review.images["e5f6"]) == tmp_path / "there" / "line 3" / "part 7.tif"


def test_a_file_that_is_not_below_has_its_whole_path(session, tmp_path):
    outside = Path(tmp_path.anchor) / "data" / "x.png"
    assert session.relative(outside) == outside.as_posix()
    assert session.path_of(image("e5f6")) is None


@pytest.mark.skipif(os.name != "posix", reason="names are text there")
def test_a_name_that_is_no_text_does_no_harm(session, tmp_path):
    odd = tmp_path / os.fsdecode(b"stra\xdfe.png")
    entry = image("e5f6", path=session.relative(odd))
    session.review.add(entry)
    session.save()
    assert session.trouble == ""


def test_a_copy_knows_where_the_images_are_from_there(session, opened, picture, tmp_path):
    path, _ = picture
    session.review.add(image("e5f6", path=session.relative(path)))
    known = facts(session)
    copied = tmp_path / "line 3" / "deep" / "copy.anoclip"
    session.copy_to(copied)
    copy = opened(copied)
    assert copy.recovered == ""
    assert copy.path_of(copy.review.images["e5f6"]) == path
    assert facts(copy)["undo"] == known["undo"]
    with pytest.raises(SessionError, match="holds other things"):
        session.copy_to(copied)

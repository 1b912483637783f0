"""Where a review is kept: what the panel says, opens, saves and copies."""

from __future__ import annotations

import errno
import threading

import pytest
from qtpy.QtWidgets import QFileDialog
from review import reviewing

from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.plugin.session_panel import NO_SESSION, SessionPanel
from napari_anoclip.review.session import Session


@pytest.fixture
def reviewer(viewer, shelf):
    reviewer = Reviewer(viewer)
    reviewer._store._timer.setInterval(10**6)  # here only the panel saves
    yield reviewer
    reviewer.close_down()


@pytest.fixture
def panel(reviewer, qtbot):
    panel = SessionPanel(reviewer)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def folder(tmp_path):
    """A place for a session, that a person may have given a long name."""
    return tmp_path / "line 3" / "november.anoclip"


@pytest.fixture
def opened(panel, folder, qtbot):
    """The panel with an empty session open."""
    with qtbot.waitSignal(panel._reviewer.session_changed):
        panel.open(folder)
    return panel


def judge(reviewer, number: int = 1, key: str = "a1b2") -> None:
    reviewer.review.add(reviewing.image(key))
    reviewer.review.judge(key, f"judge region {number}", {number: reviewing.judgement(number)})


def saved(panel, qtbot) -> None:
    panel.save_button.click()
    qtbot.waitUntil(lambda: not panel.job.busy)


def choose(monkeypatch, dialog: str, path) -> None:
    """Let the next dialog be answered."""
    answer = str(path) if dialog == "getExistingDirectory" else (str(path), "")
    monkeypatch.setattr(QFileDialog, dialog, lambda *_, **__: answer)


def said(panel) -> str:
    """The notice without the places where its lines may break."""
    return panel.notice.text.replace("\u200b", "")


def test_before_the_first_verdict_it_says_what_will_happen(panel) -> None:
    assert panel.state == NO_SESSION
    assert not panel.save_button.isEnabled()
    assert not panel.copy_button.isEnabled()
    assert not panel.name.isVisible()


def test_an_open_session_is_shown_by_name_and_place(opened, folder) -> None:
    assert opened.name.text() == "november.anoclip"
    assert opened.name.toolTip() == str(folder)
    assert opened.state.startswith("saved ")


def test_a_verdict_is_in_the_journal_until_it_is_saved(opened, reviewer, folder, qtbot) -> None:
    judge(reviewer)
    assert opened.state == "not saved yet: 2 changes, in the journal"
    saved(opened, qtbot)
    assert opened.state == f"saved {reviewer.session.saved_at.astimezone():%H:%M:%S}"
    assert '"verdict": "defect"' in (folder / "session.json").read_text("utf-8")


def test_undo_is_a_change_too(opened, reviewer, qtbot) -> None:
    judge(reviewer)
    saved(opened, qtbot)
    reviewer.review.undo()
    assert opened.state == "not saved yet: 1 change, in the journal"


@pytest.mark.fault(
    "sessions", "the disk is full when the dock saves by itself", "every verdict; it is tried again by itself"
)
def test_a_full_disk_is_said_until_there_is_room_again(opened, reviewer, qtbot, monkeypatch, sees) -> None:
    judge(reviewer)

    def full(*_):
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(reviewer.session._files, "write", full)
        saved(opened, qtbot)
        assert opened.trouble == (
            "november.anoclip cannot be saved (the disk is full). Make room or save a copy elsewhere."
        )
        sees(opened.trouble)
        assert opened._trouble.isVisible()
        assert opened.notice.text == ""  # once is enough
        assert not opened.take_over_button.isVisible()
        reviewer.changed.emit()
        assert opened.trouble
    saved(opened, qtbot)
    assert opened.trouble == ""
    assert not opened._trouble.isVisible()


def test_trouble_that_another_thread_finds_is_shown_by_this_one(opened, reviewer, qtbot, monkeypatch) -> None:
    refreshed = []
    show = opened.take_over_button.setVisible
    monkeypatch.setattr(
        opened.take_over_button,
        "setVisible",
        lambda visible: (refreshed.append(threading.current_thread()), show(visible)),
    )
    other = threading.Thread(target=lambda: reviewer.session._tell("save", "The disk is full."))
    other.start()
    other.join()
    assert refreshed == []
    qtbot.waitUntil(lambda: opened.trouble == "The disk is full.")
    assert set(refreshed) == {threading.main_thread()}


def test_what_was_taken_over_can_be_taken_back(opened, reviewer, folder, qtbot) -> None:
    other = Session.open(folder, take_over=True, owner="Ann")
    judge(reviewer)
    assert "was taken over by Ann on" in opened.trouble
    assert opened.take_over_button.isVisible()
    with qtbot.waitSignal(reviewer.session_changed):
        opened.take_over_button.click()
    assert opened.trouble == ""
    # What was judged meanwhile could not be written here: it is told where it went.
    assert "all of it was kept as" in opened.notice.text
    other.close()


def test_a_chosen_session_is_opened(panel, reviewer, folder, qtbot, monkeypatch) -> None:
    Session.open(folder).close()
    choose(monkeypatch, "getExistingDirectory", folder)
    with qtbot.waitSignal(reviewer.session_changed):
        panel.open_button.click()
    assert reviewer.session.folder == folder


def test_in_a_folder_of_images_a_session_of_its_name_begins(panel, reviewer, tmp_path, qtbot, monkeypatch) -> None:
    images = tmp_path / "line 3"
    images.mkdir()
    (images / "part 7.png").touch()
    choose(monkeypatch, "getExistingDirectory", images)
    with qtbot.waitSignal(reviewer.session_changed):
        panel.open_button.click()
    assert reviewer.session.folder == images / "line 3.anoclip"


def test_a_dialog_that_is_cancelled_opens_nothing(panel, reviewer, monkeypatch, qtbot) -> None:
    choose(monkeypatch, "getExistingDirectory", "")
    with qtbot.assertNotEmitted(reviewer.session_changed, wait=100):
        panel.open_button.click()


def test_a_copy_has_everything_and_the_review_goes_on_where_it_was(
    opened, reviewer, folder, tmp_path, qtbot, monkeypatch
) -> None:
    judge(reviewer)
    choose(monkeypatch, "getSaveFileName", tmp_path / "copy")
    opened.copy_button.click()
    qtbot.waitUntil(lambda: not opened.job.busy)
    assert said(opened).startswith(f"A copy is in {tmp_path / 'copy.anoclip'}.")
    assert reviewer.session.folder == folder
    copy = Session.open(tmp_path / "copy.anoclip")
    assert reviewing.facts(copy) == reviewing.facts(reviewer.session)
    copy.close()


def test_a_copy_does_not_go_over_other_things(opened, tmp_path, qtbot, monkeypatch) -> None:
    taken = tmp_path / "taken.anoclip"
    taken.mkdir()
    (taken / "letter.txt").write_text("dear")
    choose(monkeypatch, "getSaveFileName", taken)
    opened.copy_button.click()
    qtbot.waitUntil(lambda: not opened.job.busy)
    assert "holds other things" in opened.notice.text
    assert [path.name for path in taken.iterdir()] == ["letter.txt"]


def test_every_control_is_told_to_a_screen_reader_and_reached_by_keyboard(opened) -> None:
    for button in (opened.open_button, opened.save_button, opened.copy_button, opened.take_over_button):
        assert button.accessibleName()
        assert button.toolTip()
        assert button.focusPolicy() & 1  # Qt.TabFocus


def test_it_fits_into_a_narrow_dock_whatever_a_session_is_called(panel, reviewer, tmp_path, qtbot) -> None:
    long = tmp_path / ("line_3_2026-11-24_" * 4 + "batch.anoclip")
    with qtbot.waitSignal(reviewer.session_changed):
        panel.open(long)
    assert panel.minimumSizeHint().width() <= 320


def test_closed_down_it_hears_nothing_more(reviewer, folder, qtbot) -> None:
    panel = SessionPanel(reviewer)
    qtbot.addWidget(panel)
    panel.close_down()
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(folder)
    assert panel.state == NO_SESSION

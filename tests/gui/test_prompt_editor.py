"""The prompt editor, as a user types, ticks, drags and pastes in it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from open_clip import SimpleTokenizer
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from qtpy.QtWidgets import QApplication, QLineEdit, QWidget

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin.prompt_document import EDITS_KEPT, PromptDocument
from napari_anoclip.plugin.prompt_editor import SIDE_BY_SIDE, PromptEditor

ALT, CTRL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
CTRL_SHIFT = CTRL | Qt.KeyboardModifier.ShiftModifier
TEXTS = Qt.ItemDataRole.AccessibleTextRole


class Model:
    """What the check asks a model: it has met the paper's prompts for surfaces, and reads 77 tokens."""

    tokenizer = SimpleTokenizer()
    met = frozenset([*PromptSet.paper("surface", "texture").normal, *PromptSet.paper("surface", "texture").abnormal])

    @property
    def known_token_ids(self) -> frozenset[int]:
        words = " ".join([*self.met, "with scratch hole"]).split()
        return frozenset(int(token) for row in self.tokenizer(sorted(set(words))) for token in row)

    def prompts_to_encode(self, prompts: PromptSet) -> int:
        return len({*prompts.normal, *prompts.abnormal} - self.met)


@pytest.fixture
def editor(qtbot):
    document = PromptDocument()
    editor = PromptEditor(document)
    qtbot.addWidget(editor)
    editor.resize(340, 800)
    with qtbot.waitExposed(editor):
        editor.show()
    editor.activateWindow()
    qtbot.waitUntil(editor.isActiveWindow)
    yield editor
    document.close_down()


@pytest.fixture
def document(editor) -> PromptDocument:
    return editor._document


@pytest.fixture
def bad(editor):
    """The list of abnormal states, with the focus on its second row."""
    entries = editor.columns["abnormal_states"].list
    entries.setFocus()
    entries.go_to(1)
    return entries


@pytest.fixture
def checked(document, qtbot):
    """Let what is worked out in the thread arrive, for a model."""
    model = Model()

    def wait() -> None:
        document.check.use(model)
        qtbot.waitUntil(lambda: document.check.report is not None and document.check.report.to_encode is not None)
        qtbot.waitUntil(lambda: document.check.report.prompts == document.value)

    return wait


def texts(document: PromptDocument, field: str = "abnormal_states") -> list[str]:
    return [entry.text for entry in getattr(document.value, field)]


def line_in(entries) -> QLineEdit:
    """The line in which an entry is being edited."""
    return next(line for line in entries.viewport().findChildren(QLineEdit) if line.isVisible())


def drop(entries, mime: QMimeData, row: int) -> None:
    """Let go of something over the lower half of a row."""
    place = entries.visualRect(entries.entries.index(row))
    at = QPoint(place.center().x(), place.bottom() - 1)
    enter = QDragEnterEvent(at, Qt.DropAction.MoveAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0))
    QApplication.sendEvent(entries.viewport(), enter)
    assert enter.isAccepted()
    move = QDropEvent(QPointF(at), Qt.DropAction.MoveAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0))
    entries.dropEvent(move)


def drop_file(under: QWidget, path: Path) -> None:
    """Let go of a file over a widget."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    how = Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier(0)
    enter = QDragEnterEvent(QPoint(5, 5), *how)
    QApplication.sendEvent(under, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(under, QDropEvent(QPointF(5, 5), *how))


def test_both_sides_are_there_with_their_count(editor):
    assert editor.columns["normal_states"].list.model().rowCount() == 7
    assert editor.columns["abnormal_states"].isVisible()
    assert not editor.columns["frames"].isVisible()
    assert editor.summary == "462 + 462"
    assert editor._tabs["All"].text() == "All 924"
    assert editor.example.startswith("example  a ")


def test_sides_stand_beside_each_other_where_there_is_room(editor, qtbot):
    normal, abnormal = editor.columns["normal_states"], editor.columns["abnormal_states"]
    assert normal.y() < abnormal.y()
    editor.resize(SIDE_BY_SIDE + 40, 800)
    qtbot.waitUntil(lambda: normal.y() == abnormal.y() and normal.x() < abnormal.x())


def test_it_fits_a_dock_of_320_pixels(editor):
    assert editor.minimumSizeHint().width() <= 280


def test_every_page_opens(editor, qtbot):
    for name, field in (("Frames", "frames"), ("Domains", "domains"), ("Whole", "normal_prompts")):
        editor._tabs[name].click()
        assert editor.columns[field].isVisible()
        assert not editor.columns["normal_states"].isVisible()
    editor._tabs["All"].click()
    assert editor.table.isVisible()


def test_an_entry_is_edited_in_place(editor, bad, document, qtbot):
    with qtbot.waitSignal(document.changed, timeout=1000):
        qtbot.keyClick(bad, Qt.Key.Key_F2)
        line = line_in(bad)
        line.selectAll()
        qtbot.keyClicks(line, "torn {}")
        qtbot.keyClick(line, Qt.Key.Key_Return)
    assert texts(document)[:3] == ["damaged {}", "torn {}", "imperfect {}"]
    assert bad.currentIndex().row() == 1
    assert "torn surface" in editor.example


def test_many_lines_pasted_into_an_entry_become_many_entries(bad, document, qtbot):
    qtbot.keyClick(bad, Qt.Key.Key_Return)
    line = line_in(bad)
    line.selectAll()
    QApplication.clipboard().setText("{} with hole\n{} with tear\n")
    qtbot.keyClick(line, Qt.Key.Key_V, CTRL)
    with qtbot.waitSignal(document.changed):
        qtbot.keyClick(line, Qt.Key.Key_Return)
    assert texts(document)[:4] == ["damaged {}", "{} with hole", "{} with tear", "imperfect {}"]


def test_an_entry_left_empty_or_escaped_stays(bad, document, qtbot):
    before = document.value
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape):
        qtbot.keyClick(bad, Qt.Key.Key_F2)
        line = line_in(bad)
        line.selectAll()
        qtbot.keyClick(line, Qt.Key.Key_Delete)
        qtbot.keyClick(line, key)
        qtbot.waitUntil(lambda: bad.state() == bad.State.NoState)
    assert document.value == before


def test_enter_adds_and_goes_on_adding(editor, document, qtbot):
    line = editor.columns["abnormal_states"].add_line
    line.setFocus()
    for word in ("hole", "tear"):
        qtbot.keyClicks(line, f"{{}} with {word}")
        qtbot.keyClick(line, Qt.Key.Key_Return)
        assert line.text() == ""
        assert line.hasFocus()
    assert texts(document)[-2:] == ["{} with hole", "{} with tear"]
    assert editor.summary == "462 + 594"
    assert "with tear" in editor.example


def test_many_lines_pasted_are_many_entries_and_one_step(editor, document, qtbot):
    line = editor.columns["abnormal_states"].add_line
    line.setFocus()
    QApplication.clipboard().setText('- "{} with hole"\n\n  - {} with tear\n• stained {}\n')
    qtbot.keyClick(line, Qt.Key.Key_V, CTRL)
    assert texts(document)[-3:] == ["{} with hole", "{} with tear", "stained {}"]
    assert line.text() == ""
    qtbot.keyClick(line, Qt.Key.Key_Z, CTRL)
    assert texts(document)[-1] == "{} with damage"


def test_lines_pasted_into_the_list_go_below_the_row(bad, document, qtbot):
    QApplication.clipboard().setText("{} with hole\n{} with tear")
    qtbot.keyClick(bad, Qt.Key.Key_V, CTRL)
    assert texts(document)[:4] == ["damaged {}", "abnormal {}", "{} with hole", "{} with tear"]
    assert bad.currentIndex().row() == 3


def test_rows_are_copied_as_lines(bad, qtbot):
    bad.selectAll()
    qtbot.keyClick(bad, Qt.Key.Key_C, CTRL)
    assert QApplication.clipboard().text().splitlines()[:2] == ["damaged {}", "abnormal {}"]


def test_a_tick_switches_an_entry_off(editor, bad, document, qtbot):
    qtbot.keyClick(bad, Qt.Key.Key_Space)
    assert not document.value.abnormal_states[1].on
    assert editor.summary == "462 + 396"
    assert bad.entries.data(bad.currentIndex(), TEXTS) == "abnormal {} (off)"
    box = bad.visualRect(bad.currentIndex())
    qtbot.mouseClick(bad.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(box.left() + 8, box.center().y()))
    assert document.value.abnormal_states[1].on


def test_delete_removes_and_undo_brings_back(editor, bad, document, qtbot):
    qtbot.keyClick(bad, Qt.Key.Key_Delete)
    assert texts(document)[:2] == ["damaged {}", "imperfect {}"]
    assert bad.currentIndex().row() == 1
    qtbot.keyClick(bad, Qt.Key.Key_Z, CTRL)
    assert texts(document)[1] == "abnormal {}"
    qtbot.keyClick(bad, Qt.Key.Key_Z, CTRL_SHIFT)
    assert texts(document)[1] == "imperfect {}"


def test_a_list_can_be_emptied(editor, bad, document, qtbot, checked):
    bad.selectAll()
    qtbot.keyClick(bad, Qt.Key.Key_Delete)
    assert texts(document) == []
    assert editor.summary == "462 + 0"
    checked()
    assert "The abnormal side has no prompt" in editor.sentence
    editor.tools.undo.click()
    assert len(texts(document)) == 7


def test_alt_and_arrows_move_rows(bad, document, qtbot):
    qtbot.keyClick(bad, Qt.Key.Key_Up, ALT)
    assert texts(document)[:2] == ["abnormal {}", "damaged {}"]
    qtbot.keyClick(bad, Qt.Key.Key_Up, ALT)
    assert texts(document)[:2] == ["abnormal {}", "damaged {}"], "the first row has nowhere to go"
    qtbot.keyClick(bad, Qt.Key.Key_Down, ALT)
    qtbot.keyClick(bad, Qt.Key.Key_Down, ALT)
    assert texts(document)[:3] == ["damaged {}", "imperfect {}", "abnormal {}"]
    assert bad.currentIndex().row() == 2


def test_rows_are_dragged(bad, document):
    drop(bad, bad.entries.mimeData([bad.entries.index(0), bad.entries.index(1)]), 3)
    assert texts(document)[:4] == ["imperfect {}", "blemished {}", "damaged {}", "abnormal {}"]


def test_rows_are_dragged_to_the_other_side(editor, bad, document):
    good = editor.columns["normal_states"].list
    drop(good, bad.entries.mimeData([bad.entries.index(0)]), 6)
    assert texts(document, "normal_states")[-1] == "damaged {}"
    assert "damaged {}" not in texts(document)
    document.undo()
    assert texts(document)[0] == "damaged {}"


def test_text_is_dropped_as_entries(bad, document):
    mime = QMimeData()
    mime.setText("{} with hole\n{} with tear")
    drop(bad, mime, 0)
    assert texts(document)[:3] == ["damaged {}", "{} with hole", "{} with tear"]


def test_the_filter_leaves_what_has_the_words(editor, bad, qtbot):
    qtbot.keyClicks(editor.filter, "WITH")
    shown = [row for row in range(7) if not bad.isRowHidden(row)]
    assert shown == [4, 5, 6]
    line = editor.columns["abnormal_states"].add_line
    qtbot.keyClicks(line, "holed {}")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert bad.isRowHidden(7)
    editor.filter.clear()
    assert not bad.isRowHidden(0)
    assert not bad.isRowHidden(7)


def test_remarks_stand_at_the_row_and_in_words(editor, bad, document, checked, qtbot):
    bad.add(["{} with holw", "stained"])
    checked()
    assert [bad.entries.data(bad.entries.index(row), 256) for row in (0, 7, 8)] == [None, "remark", "remark"]
    assert "no {} for the object" in bad.entries.data(bad.entries.index(8), Qt.ItemDataRole.ToolTipRole)
    bad.go_to(7)
    assert "never saw the word 'holw'" in editor.sentence
    assert "row 8" in editor.sentence
    editor.columns["normal_states"].list.go_to(0)
    assert "holw" not in editor.sentence


def test_remarks_are_gone_to_one_after_the_other(editor, bad, document, checked, qtbot):
    bad.add(["stained"])
    document.edit(lambda prompts: prompts.with_entries("frames", [*prompts.frames, "no place"]))
    checked()
    editor.filter.setText("damaged")
    editor.show_remark()
    assert bad.currentIndex().row() == 7
    assert "'stained' has no {}" in editor.sentence
    assert not bad.isRowHidden(7)
    editor.show_remark()
    assert editor.columns["frames"].isVisible()
    assert "'no place' has no {}" in editor.sentence
    for _ in range(len(document.check.report.remarks) - 1):
        editor.show_remark()
    assert "'stained' has no {}" in editor.sentence


def test_what_the_model_has_not_met_is_counted_and_marked(editor, bad, document, checked):
    checked()
    assert editor.summary == "462 + 462"
    bad.add(["{} with hole"])
    checked()
    assert editor.summary == "462 + 528, 66 new to encode"
    assert bad.entries.data(bad.entries.index(7), 256) == "new"
    assert bad.entries.data(bad.entries.index(0), 256) is None
    assert "● New: 66 prompts to encode. · row 8" in editor.sentence
    document.value = document.value.with_object("leather")
    checked()
    assert editor.summary == "462 + 528, 990 new to encode"
    assert bad.entries.data(bad.entries.index(0), 256) is None, "where all is new, nothing is marked"


def test_a_new_frame_is_marked_and_the_states_in_it_are_not(editor, bad, document, checked):
    more = [*document.value.frames, "a cropped bright {domain} of the {}"]
    document.edit(lambda prompts: prompts.with_entries("frames", more))
    checked()
    frames = editor.columns["frames"].list
    assert frames.entries.data(frames.entries.index(22), 256) == "new"
    assert bad.entries.data(bad.entries.index(0), 256) is None
    assert "42 new to encode" in editor.summary


def test_what_would_be_too_much_is_said_and_what_was_written_stays(editor, document, qtbot):
    line = editor.columns["frames"].add_line
    editor.open_page("Frames")
    before = document.value
    QApplication.clipboard().setText("\n".join(f"{{domain}} {number} of the {{}}" for number in range(2000)))
    line.setFocus()
    qtbot.keyClick(line, Qt.Key.Key_V, CTRL)
    assert "switch off" in editor.notice.text
    assert document.value == before
    assert line.text() != ""


def test_buttons_follow_what_can_be_done(editor, bad, document, qtbot):
    assert not editor.tools.undo.isEnabled()
    assert not editor.tools.revert_action.isEnabled()
    qtbot.keyClick(bad, Qt.Key.Key_Delete)
    editor.tools.undo.click()
    assert editor.tools.redo.isEnabled()
    editor.tools.redo.click()
    assert editor.tools.revert_action.isEnabled()
    editor.tools.revert_action.trigger()
    assert document.value == PromptSet.preset("paper-texture")


def test_reset_says_how_to_get_the_edits_back(editor, bad, document, qtbot):
    qtbot.keyClick(bad, Qt.Key.Key_Delete)
    edited = document.value
    editor.tools.reset.click()
    assert not document.edited
    assert editor.notice.text == EDITS_KEPT
    editor.notice.act()
    assert document.value == edited


def test_save_and_load_ask_where(editor, bad, document, qtbot, tmp_path, monkeypatch):
    qtbot.keyClick(bad, Qt.Key.Key_Delete)
    dialog = "napari_anoclip.plugin.prompt_tools.QFileDialog"
    monkeypatch.setattr(f"{dialog}.getSaveFileName", lambda *_: (str(tmp_path / "mine"), ""))
    with qtbot.waitSignal(document.recent_changed):
        editor.tools.save.click()
    assert PromptSet.load(tmp_path / "mine.yaml") == document.value
    qtbot.keyClick(bad, Qt.Key.Key_Delete)
    with qtbot.waitSignal(document.recent_changed):
        editor.tools.save.click()  # it has a file now, so nothing is asked
    assert len(PromptSet.load(tmp_path / "mine.yaml").abnormal_states) == 5
    document.choose("short")
    with qtbot.waitSignal(document.noticed):
        editor.tools.save_as_action.trigger()  # the same name once more, which the dialog could not ask about
        qtbot.waitUntil(lambda: "is there already" in editor.notice.text)
    assert len(PromptSet.load(tmp_path / "mine.yaml").abnormal_states) == 5
    with qtbot.waitSignal(document.recent_changed):
        editor.notice.act()
    assert len(PromptSet.load(tmp_path / "mine.yaml").abnormal_states) == 7
    monkeypatch.setattr(f"{dialog}.getOpenFileName", lambda *_: ("", ""))
    editor.tools.load.click()
    assert document.title == "mine.yaml"


def test_recent_files_are_in_a_menu(editor, document, qtbot, tmp_path):
    PromptSet.preset("short", "plate").save(tmp_path / "mine.yaml")
    document.recent = [str(tmp_path / "mine.yaml")]
    editor.tools._recent.aboutToShow.emit()
    with qtbot.waitSignal(document.recent_changed):
        editor.tools._recent.actions()[0].trigger()
    assert document.value.object == "plate"


@pytest.mark.parametrize("target", ["editor", "list", "filter", "add line", "table"])
def test_a_prompt_file_is_dropped_anywhere(editor, bad, document, qtbot, tmp_path, target):
    PromptSet.preset("short", "plate").save(tmp_path / "mine.yaml")
    under = {
        "editor": editor,
        "list": bad.viewport(),
        "filter": editor.filter,
        "add line": editor.columns["abnormal_states"].add_line,
        "table": editor.table.viewport(),
    }[target]
    with qtbot.waitSignal(document.recent_changed):
        drop_file(under, tmp_path / "mine.yaml")
    assert document.value == PromptSet.preset("short", "plate")
    assert editor.filter.text() == ""


def test_a_damaged_file_dropped_is_said_in_place(editor, document, qtbot, tmp_path):
    (tmp_path / "mine.yaml").write_text("format: 1\nobject: plate\nstates: []\n")
    with qtbot.waitSignal(document.noticed):
        drop_file(editor, tmp_path / "mine.yaml")
    assert "line 3" in editor.notice.text
    assert not document.edited


def test_an_edit_costs_the_window_little(editor, bad, document, qtbot):
    costs = []
    for number in range(20):
        before = time.perf_counter()
        bad.entries.setData(bad.entries.index(1), f"{{}} with hole number {number}")
        costs.append(time.perf_counter() - before)
    assert sorted(costs)[10] < 0.02, "10 ms on a quiet machine"


def test_everything_has_a_name_and_a_tip(editor):
    controls = [editor.filter, editor.table, *editor.tools.findChildren(type(editor.tools.load))]
    controls += [column.list for column in editor.columns.values()]
    controls += [column.add_line for column in editor.columns.values()]
    for control in controls:
        assert control.accessibleName(), control
        assert control.toolTip() or control is editor.table


def test_ctrl_s_saves_the_prompts_and_not_what_the_window_would(editor, document, qtbot, tmp_path):
    with qtbot.waitSignal(document.recent_changed):
        document.save(tmp_path / "mine.yaml")
    saved_layers = []
    QShortcut(QKeySequence(QKeySequence.StandardKey.Save), editor).activated.connect(lambda: saved_layers.append(True))
    line = editor.columns["abnormal_states"].add_line
    qtbot.keyClicks(line, "{} with rust")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert document.edited
    qtbot.keyClick(line, Qt.Key.Key_S, CTRL)
    qtbot.waitUntil(lambda: not document.edited)
    assert "with rust" in (tmp_path / "mine.yaml").read_text("utf-8")
    assert saved_layers == []

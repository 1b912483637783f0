"""All finished prompts in one table, looked through and switched off one by one."""

from __future__ import annotations

import time

import pytest
from gui.test_prompt_row import Model
from qtpy.QtCore import QItemSelectionModel, QPoint, Qt

from napari_anoclip.plugin.prompt_document import PromptDocument
from napari_anoclip.plugin.prompt_editor import PromptEditor
from napari_anoclip.plugin.prompt_table import PROMPT, SIDE, TOKENS

SHOWN, CHECKED = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.CheckStateRole


@pytest.fixture
def editor(qtbot):
    document = PromptDocument()
    editor = PromptEditor(document)
    qtbot.addWidget(editor)
    editor.resize(340, 700)
    editor._tabs["All"].click()
    with qtbot.waitExposed(editor):
        editor.show()
    yield editor
    document.close_down()


@pytest.fixture
def table(editor):
    editor.table.setFocus()
    return editor.table


@pytest.fixture
def document(editor) -> PromptDocument:
    return editor._document


def cell(table, row: int, column: int, role: Qt.ItemDataRole = SHOWN):
    return table.prompts.data(table.prompts.index(row, column), role)


def test_all_prompts_are_there_in_the_published_order(table, document):
    assert table.prompts.rowCount() == 924
    assert [cell(table, row, PROMPT) for row in range(462)] == document.value.normal
    assert cell(table, 461, SIDE) == "norm."
    assert cell(table, 462, SIDE) == "abn."
    assert cell(table, 0, TOKENS) == "", "no model has counted them yet"


def test_one_prompt_is_switched_off_with_a_click(editor, table, document, qtbot):
    prompt = cell(table, 2, PROMPT)
    box = table.visualRect(table.prompts.index(2, PROMPT))
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(box.left() + 8, box.center().y()))
    assert document.value.disabled == {prompt}
    assert cell(table, 2, PROMPT, CHECKED) == Qt.CheckState.Unchecked
    assert editor.summary == "461 + 462"
    assert editor._tabs["All"].text() == "All 923"
    document.undo()
    assert cell(table, 2, PROMPT, CHECKED) == Qt.CheckState.Checked


def test_space_switches_all_that_are_selected_as_one_step(table, document, qtbot):
    table.setCurrentIndex(table.prompts.index(3, PROMPT))
    for row in (3, 4, 5):
        table.selectionModel().select(
            table.prompts.index(row, PROMPT),
            QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows,
        )
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert len(document.value.normal) == 459
    document.undo()
    assert len(document.value.normal) == 462


def test_the_filter_leaves_what_has_the_words(editor, table, document, qtbot):
    qtbot.keyClicks(editor.filter, "blurry")
    assert 0 < table.prompts.rowCount() < 924
    assert all("blurry" in cell(table, row, PROMPT) for row in range(table.prompts.rowCount()))
    table.setCurrentIndex(table.prompts.index(0, PROMPT))
    assert "blurry" in editor.example
    qtbot.keyClick(table, Qt.Key.Key_Space)
    assert len(document.value.disabled) == 1
    editor.filter.clear()
    assert table.prompts.rowCount() == 924


def test_tokens_are_counted_and_what_is_too_long_is_said(editor, table, document, qtbot):
    model = Model()
    document.check.use(model)
    qtbot.waitUntil(lambda: cell(table, 0, TOKENS) != "")
    ids = model.tokenizer([cell(table, 0, PROMPT)])
    assert cell(table, 0, TOKENS) == str(int((ids != 0).sum()))
    document.edit(lambda prompts: prompts.with_entries("abnormal_prompts", ["very " * 100 + "bad {}"]))
    qtbot.waitUntil(lambda: cell(table, 924, TOKENS) == "77")
    table.setCurrentIndex(table.prompts.index(924, PROMPT))
    qtbot.waitUntil(lambda: "more than the 77 tokens" in editor.sentence)


def test_it_follows_edits_made_while_it_was_hidden(editor, table, document):
    editor._tabs["States"].click()
    document.value = document.value.with_object("leather")
    editor._tabs["All"].click()
    assert "leather" in cell(table, 0, PROMPT)


def test_it_does_not_lag(editor, table, document, qtbot):
    costs = []
    for row in range(20):
        before = time.perf_counter()
        table.prompts.switch([row], False)
        costs.append(time.perf_counter() - before)
    assert sorted(costs)[10] < 0.03, "a few milliseconds on a quiet machine"
    assert table.verticalHeader().sectionResizeMode(0) == table.verticalHeader().ResizeMode.Fixed

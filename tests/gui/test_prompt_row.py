"""The two lines that choose the prompts, as a user types and clicks in them."""

from __future__ import annotations

import pytest
from open_clip import SimpleTokenizer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin.prompt_check import QUIET
from napari_anoclip.plugin.prompt_document import EDITS_KEPT, TYPING_PAUSE, PromptDocument
from napari_anoclip.plugin.prompt_row import PromptRow


class Model:
    """What the check asks a model."""

    tokenizer = SimpleTokenizer()
    known_token_ids = None

    def prompts_to_encode(self, prompts: PromptSet) -> int:
        return 0


@pytest.fixture
def row(qtbot):
    document = PromptDocument()
    row = PromptRow(document)
    window = QWidget()
    qtbot.addWidget(window)
    for part in (row.object_row, row.preset_row):
        part.setParent(window)
    yield row
    document.close_down()


def add(row: PromptRow, text: str) -> None:
    row.document.edit(lambda prompts: prompts.with_entries("abnormal_states", [*prompts.abnormal_states, text]))


def choose(row: PromptRow, title: str) -> None:
    """As the user does it: the list says which entry was clicked."""
    index = row._preset.findText(title)
    assert index >= 0, f"there is no {title}"
    row._preset.setCurrentIndex(index)
    row._preset.activated.emit(index)


def test_it_says_how_many_prompts_there_are_before_anything_is_checked(row):
    assert row.note == "462 + 462"
    assert row._preset.currentText() == "Paper, surfaces"
    assert row._object.placeholderText() == "surface"


def test_typing_the_object_reaches_the_prompts_at_every_key_and_is_one_step(row, qtbot):
    changes = []
    row.document.changed.connect(lambda: changes.append(row.prompts.object))
    qtbot.keyClicks(row._object, "metal_nut")
    assert len(changes) == 9 - 1, "the underscore alone changes nothing"
    assert row.prompts.object == "metal nut"
    assert row._object.text() == "metal_nut", "what is typed stays as it is typed"
    qtbot.wait(TYPING_PAUSE + 100)
    qtbot.keyClicks(row._object, "s")
    row.document.undo()
    assert row._object.text() == "metal nut"
    row.document.undo()
    assert row._object.text() == ""
    assert row.prompts.object == "surface"


def test_an_object_that_cannot_be_used_is_said_and_changes_nothing(row, qtbot):
    qtbot.keyClicks(row._object, "plate")
    qtbot.keyClicks(row._object, "{")
    assert "braces" in row.note
    assert row.document.value.object == "plate"
    with pytest.raises(PromptError, match="braces"):
        _ = row.prompts
    qtbot.keyClick(row._object, Qt.Key.Key_Backspace)
    assert row.prompts.object == "plate"
    assert row.note == "462 + 462"


def test_a_preset_is_chosen_for_the_object_that_was_named(row, qtbot):
    qtbot.keyClicks(row._object, "plate")
    choose(row, "Short, one frame")
    assert row.prompts == PromptSet.preset("short", "plate")
    assert row.note == "7 + 7"
    assert row._kinds["object"].isChecked()


def test_surface_and_object_choose_the_papers_prompts(row):
    row._kinds["object"].click()
    assert row.prompts == PromptSet.preset("paper-object")
    assert row._preset.currentText() == "Paper, objects"
    row.document.undo()
    assert row._kinds["texture"].isChecked()


def test_a_named_object_stays_though_the_preset_has_the_same_word(row):
    row.prefill({"object": "circuit board", "preset": "electronics"})
    row._kinds["texture"].click()
    assert row._object.text() == "circuit board"
    assert row.prompts == PromptSet.preset("paper-texture", "circuit board")


def test_surface_and_object_keep_prompts_that_were_edited(row):
    add(row, "{} with hole")
    row._kinds["object"].click()
    assert row.prompts.abnormal_states[-1].text == "{} with hole"
    assert row.prompts.domains == PromptSet.preset("paper-object").domains
    assert row.prompts.kind == "object"


def test_edits_are_marked_and_another_preset_says_how_to_get_them_back(row):
    add(row, "{} with hole")
    assert row._preset.currentText() == "Paper, surfaces *"
    assert row.note == "462 + 528"
    choose(row, "Castings and metal parts")
    assert row._notice.text == EDITS_KEPT
    row._notice.act()
    assert row._preset.currentText() == "Paper, surfaces *"
    assert row._notice.text == ""


def test_an_open_editor_says_it_instead(row):
    row.document.attended = True
    add(row, "{} with hole")
    choose(row, "Castings and metal parts")
    assert row._notice.text == ""


def test_a_set_that_is_no_preset_has_an_entry_of_its_own(row):
    row.document.value = PromptSet.compose(object="plate", normal_states=["fine {}"], abnormal_states=["bad {}"])
    assert row._preset.currentText() == "custom"
    assert row._object.text() == "plate"
    choose(row, "Paper, objects")
    assert row._preset.findText("custom") == -1
    row.document.undo()
    assert row._preset.currentText() == "custom"


def test_files_are_chosen_by_name(row, qtbot, tmp_path):
    PromptSet.preset("short", "plate").model_copy(update={"name": "mine", "title": "Mine"}).save(tmp_path / "mine.yaml")
    row.document.recent = [str(tmp_path / "mine.yaml")]
    with qtbot.waitSignal(row.document.recent_changed):
        choose(row, "mine.yaml")
    assert row._preset.currentText() == "mine.yaml"
    assert row._object.text() == "plate"
    qtbot.keyClicks(row._object, "s")
    assert row._preset.currentText() == "mine.yaml *", "a file has its object"


def test_a_recent_file_that_is_gone_is_said_and_what_was_chosen_stays(row, qtbot, tmp_path):
    row.document.recent = [str(tmp_path / "gone.yaml")]
    with qtbot.waitSignal(row.document.noticed):
        choose(row, "gone.yaml")
    assert "cannot be read" in row._notice.text
    assert row._preset.currentText() == "Paper, surfaces"


def test_remarks_are_counted_and_lead_to_where_they_belong(row, qtbot):
    add(row, "no place for it")
    with qtbot.waitSignal(row.document.check.checked):
        pass
    assert row.note == "462 + 528 · ⚠ 1 remark"
    assert "no {} for the object" in row._remarks.toolTip()
    with qtbot.waitSignal(row.remarks_clicked, timeout=0):
        row._remarks.click()
    row.document.undo()
    assert row.note == "462 + 462", "a remark does not outlive what it is about"


def test_a_model_tells_more(row, qtbot):
    choose(row, "Short, one frame")
    row._object.setText("very " * 199 + "plate")
    model = Model()
    row.check_with(model)
    qtbot.waitUntil(lambda: "2 remarks" in row.note, timeout=20_000)
    assert "77 tokens" in row._remarks.toolTip()


def test_a_sample_fills_it_in(row):
    row.prefill({"object": "leather", "kind": "texture", "preset": "textiles"})
    assert row.prompts == PromptSet.preset("textiles", "leather")
    row.prefill({"object": "nut", "kind": "object"})
    assert row.prompts == PromptSet.preset("paper-object", "nut")


def test_a_sample_leaves_the_users_own_prompts_alone(row):
    add(row, "{} with hole")
    row.prefill({"object": "leather", "preset": "textiles"})
    assert row.prompts.abnormal_states[-1].text == "{} with hole"
    assert row.prompts.object == "leather"


def test_nothing_is_said_to_widgets_that_are_gone(qtbot):
    document = PromptDocument()
    row = PromptRow(document)
    for widget in (row.object_row, row.preset_row):
        widget.deleteLater()
    with qtbot.assertNotEmitted(document.check.checked, wait=2 * QUIET):
        pass

"""The prompt set as it is edited: steps, files, and what happens to a file meanwhile."""

from __future__ import annotations

import json

import pytest

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin.prompt_document import EDITS_KEPT, TYPING_PAUSE, PromptDocument


class Notices(list):
    """What was said, with what was offered; the last of it can be acted on."""

    def __init__(self, document: PromptDocument) -> None:
        super().__init__()
        document.noticed.connect(self._hear)

    def _hear(self, sentence: str, action: str, do: object) -> None:
        if sentence:
            self.append((sentence, action))
            self.do = do


@pytest.fixture
def document(qtbot):
    document = PromptDocument()
    yield document
    document.close_down()


@pytest.fixture
def notices(document):
    return Notices(document)


@pytest.fixture
def saved(document, qtbot, tmp_path):
    """The document with an edit, saved to a file."""
    add(document, "{} with hole")
    with qtbot.waitSignal(document.recent_changed):
        document.save(tmp_path / "leather.yaml")
    return document


def add(document: PromptDocument, text: str) -> None:
    document.edit(lambda prompts: prompts.with_entries("abnormal_states", [*prompts.abnormal_states, text]))


def states(document: PromptDocument) -> list[str]:
    return [entry.text for entry in document.value.abnormal_states]


def test_it_begins_with_the_papers_prompts(document):
    assert document.value == PromptSet.preset("paper-texture")
    assert document.title == "Paper, surfaces"
    assert not document.edited
    assert not document.can_undo


def test_an_edit_is_told_at_once_and_marked(document, qtbot):
    with qtbot.waitSignals([document.changed, document.state_changed], timeout=0):
        add(document, "{} with hole")
    assert document.edited
    assert document.can_undo


def test_undo_and_redo_go_through_all_steps(document):
    add(document, "{} with hole")
    add(document, "{} with tear")
    document.undo()
    assert states(document)[-1] == "{} with hole"
    document.undo()
    assert not document.edited
    document.undo()
    document.redo()
    document.redo()
    assert states(document)[-2:] == ["{} with hole", "{} with tear"]
    assert not document.can_redo
    document.undo()
    add(document, "{} with crack")
    assert not document.can_redo, "a new step takes the place of those undone"


def test_typing_without_a_pause_is_one_step(document, qtbot):
    for text in ("l", "le", "leather"):
        document.put(document.value.with_object(text), typing="object")
    qtbot.wait(TYPING_PAUSE + 100)
    document.put(document.value.with_object("leather bag"), typing="object")
    document.undo()
    assert document.value.object == "leather"
    document.undo()
    assert document.value.object == "surface"


def test_the_object_does_not_make_a_preset_edited(document):
    document.value = document.value.with_object("leather")
    assert not document.edited


def test_another_preset_keeps_the_object_and_the_edits_can_be_brought_back(document, notices):
    document.value = document.value.with_object("leather")
    add(document, "{} with hole")
    document.choose("short")
    assert document.value == PromptSet.preset("short", "leather")
    assert notices == [(EDITS_KEPT, "Undo")]
    notices.do()
    assert states(document)[-1] == "{} with hole"
    assert document.title == "Paper, surfaces"
    assert document.edited


def test_another_preset_brings_its_own_word_if_no_object_was_named(document, notices):
    document.choose("castings")
    assert document.value.object == "metal casting"
    assert notices == []


def test_revert_and_reset_are_steps(saved):
    add(saved, "{} with tear")
    saved.revert()
    assert states(saved)[-1] == "{} with hole"
    assert not saved.edited
    saved.reset()
    assert saved.title == "Paper, surfaces"
    saved.undo()
    saved.undo()
    assert states(saved)[-1] == "{} with tear"
    assert saved.title == "leather.yaml"


def test_what_is_saved_is_read_back(saved, tmp_path):
    assert not saved.edited
    assert saved.title == "leather.yaml"
    assert saved.recent == [str(tmp_path / "leather.yaml")]
    written = PromptSet.load(tmp_path / "leather.yaml")
    assert written == saved.value
    assert written.title == "leather", "it is no longer the paper's set"
    saved.undo()
    assert saved.title == "leather.yaml"
    assert saved.edited


def test_a_file_is_loaded_over_edits_and_undo_brings_them_back(saved, qtbot, notices, tmp_path):
    other = PromptSet.preset("short", "plate").model_copy(update={"name": "mine"})
    other.save(tmp_path / "other.yaml")
    add(saved, "{} with tear")
    with qtbot.waitSignal(saved.recent_changed):
        saved.load(tmp_path / "other.yaml")
    assert saved.value == other
    assert saved.recent == [str(tmp_path / "other.yaml"), str(tmp_path / "leather.yaml")]
    assert notices == [(EDITS_KEPT, "Undo")]
    saved.undo()
    assert states(saved)[-1] == "{} with tear"
    assert saved.title == "leather.yaml"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format: 1\nobject: [", "line 2"),
        ("format: 1\nobject: leather\nframes:\n  - no place\n", "line 4"),
        ("format: 7\nobject: leather\n", "reads format 1"),
        ("\0", "character that YAML does not allow"),
    ],
)
def test_a_damaged_file_is_said_and_loses_nothing(document, qtbot, notices, tmp_path, text, says):
    path = tmp_path / "damaged.yaml"
    path.write_text(text)
    add(document, "{} with hole")
    before = document.value
    with qtbot.waitSignal(document.noticed):
        document.load(path)
    assert says in notices[-1][0]
    assert "damaged.yaml" in notices[-1][0]
    assert document.value == before
    assert document.recent == []


def test_a_file_that_is_not_there(document, qtbot, notices, tmp_path):
    with qtbot.waitSignal(document.noticed):
        document.load(tmp_path / "none.yaml")
    assert "cannot be read" in notices[-1][0]


def test_a_file_changed_meanwhile_is_noticed_and_read_again_at_a_click(saved, qtbot, notices, tmp_path):
    add(saved, "{} with tear")
    theirs = saved.value.with_object("suede")
    theirs.save(tmp_path / "leather.yaml")  # puts a new file in its place, as many editors do
    qtbot.waitUntil(lambda: len(notices) == 1)
    assert "changed by another program" in notices[-1][0]
    with qtbot.waitSignal(saved.recent_changed):
        notices.do()
    assert saved.value == theirs
    saved.undo()
    assert states(saved)[-1] == "{} with tear"
    assert saved.value.object == "surface"
    (tmp_path / "leather.yaml").write_text(theirs.with_object("fur").to_yaml())
    qtbot.waitUntil(lambda: any("another program" in said for said, _ in notices[2:]))


@pytest.mark.fault(
    "caches and disks",
    "a prompt file was changed by somebody else and is saved",
    "their file, until “Replace it” is pressed",
)
def test_a_file_changed_meanwhile_is_never_overwritten_unasked(saved, qtbot, notices, tmp_path, sees):
    path = tmp_path / "leather.yaml"
    theirs = saved.value.with_object("suede").to_yaml()
    path.write_text(theirs)
    add(saved, "{} with tear")
    qtbot.waitUntil(lambda: len(notices) == 1)  # it was noticed, and the user saves all the same
    saved.save()
    qtbot.waitUntil(lambda: notices[-1][1] == "Replace it")
    sees(notices[-1][0])
    assert path.read_text() == theirs
    with qtbot.waitSignal(saved.recent_changed):
        notices.do()
    assert PromptSet.load(path) == saved.value
    assert not saved.edited


def test_a_file_deleted_meanwhile_is_written_anew(saved, qtbot, tmp_path):
    (tmp_path / "leather.yaml").unlink()
    add(saved, "{} with tear")
    with qtbot.waitSignal(saved.recent_changed):
        saved.save()
    assert PromptSet.load(tmp_path / "leather.yaml") == saved.value


@pytest.mark.fault("caches and disks", "prompts are saved into a folder that is not there", "the prompts, unsaved")
def test_what_cannot_be_saved_is_said(document, qtbot, notices, tmp_path, sees):
    with qtbot.waitSignal(document.noticed):
        document.save()
    assert "Save as" in notices[-1][0]
    with qtbot.waitSignal(document.noticed):
        document.save(tmp_path / "no folder" / "leather.yaml")
    assert "cannot be written" in sees(notices[-1][0])
    add(document, "without a place for the object")
    with qtbot.waitSignal(document.noticed):
        document.save(tmp_path / "leather.yaml")
    assert "were not saved" in notices[-1][0]
    assert not (tmp_path / "leather.yaml").exists()


def test_a_change_that_cannot_be_made_is_said(document, notices):
    too_many = [f"{{}} number {number}" for number in range(4000)]
    assert not document.edit(lambda prompts: prompts.with_entries("normal_states", too_many))
    assert "switch off" in notices[-1][0]
    assert not document.edited


def test_a_set_from_elsewhere_is_called_by_its_name(document):
    document.value = PromptSet.preset("short", "plate")
    assert document.title == "Short, one frame"
    document.value = PromptSet.compose(object="plate", normal_states=["fine {}"], abnormal_states=["bad {}"])
    assert document.title == "custom"
    assert not document.edited


def test_recent_files_are_bounded_and_each_is_there_once(document):
    document.recent = [f"{number}.yaml" for number in (1, 2, 1, 3, 4, 5, 6, 7, 8, 9)]
    assert document.recent == [f"{number}.yaml" for number in range(1, 9)]


def test_the_next_start_goes_on_where_this_one_ended(saved, qtbot, tmp_path):
    add(saved, "{} with tear")
    told = json.loads(json.dumps(saved.memory))
    next_time = PromptDocument()
    next_time.memory = told
    assert next_time.value == saved.value
    assert next_time.title == "leather.yaml"
    assert next_time.edited
    assert next_time.recent == saved.recent
    assert not next_time.can_undo
    next_time.close_down()


def test_a_file_changed_between_two_starts_is_noticed(saved, qtbot, tmp_path):
    told = saved.memory
    saved.value.with_object("suede").save(tmp_path / "leather.yaml")
    next_time = PromptDocument()
    notices = Notices(next_time)
    next_time.memory = told
    qtbot.waitUntil(lambda: len(notices) == 1)
    assert "changed by another program" in notices[0][0]
    next_time.close_down()


@pytest.mark.parametrize("told", [{}, {"prompts": 3, "saved": [], "preset": "none", "path": None, "fingerprint": ""}])
def test_a_damaged_memory_is_forgotten(document, told):
    document.memory = told
    assert document.value == PromptSet.preset("paper-texture")

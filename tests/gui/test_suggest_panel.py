"""A suggestion is searched for, told with its doubts, and taken only by somebody who says so."""

from __future__ import annotations

import pytest
from gui.plates import Inspector

from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.plugin.figures_panel import NOTHING_JUDGED
from napari_anoclip.plugin.suggest_panel import SuggestPanel
from napari_anoclip.review import suggest as search
from napari_anoclip.review.aims import Aim
from napari_anoclip.review.suggest import Step, Suggestion
from napari_anoclip.review.synonyms import synonyms

STEPS = (Step("abnormal state 'blemished {}' off", 1.25, 3), Step("object 'disc'", 0.5, 1))


@pytest.fixture
def inspector(viewer, dock, run, use_model, bright_is_bad, qtbot, tmp_path):
    use_model(bright_is_bad)
    inspector = Inspector(viewer, dock, tmp_path / "line 3", qtbot, run)
    yield inspector
    inspector.reviewer.close_down()


@pytest.fixture
def panel(inspector, qtbot):
    panel = SuggestPanel(inspector.reviewer)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def found(monkeypatch):
    """Put a result in the place of the search; what it was asked is kept."""
    asked = {}

    def put(result) -> dict:
        def stand_in(model, prompts, questions, aim, **options):
            asked.update(options, prompts=prompts, questions=questions, aim=aim)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(search, "suggest", stand_in)
        return asked

    return put


def press(panel, qtbot) -> None:
    panel.start.click()
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=60_000)


def test_before_anything_is_judged_it_says_what_to_do(panel, qtbot):
    panel.start.click()
    assert panel.notice.text == NOTHING_JUDGED
    assert not panel.job.busy


def test_with_too_little_judged_it_says_of_what(panel, inspector, qtbot):
    inspector.judge(1)
    press(panel, qtbot)
    assert panel.sentence.startswith("Too few: ")
    assert panel.take.isHidden()
    assert panel.table.isHidden()


def test_a_real_search_ends_in_a_sentence_and_changes_nothing(panel, inspector, dock, qtbot):
    inspector.judge(3)
    before = dock.controls.document.value
    panel.words.setText("dish, disc")
    press(panel, qtbot)
    assert panel.notice.text == ""
    assert panel.sentence
    assert dock.controls.document.value == before


def test_what_is_asked_for_is_what_is_set(panel, inspector, found, qtbot):
    asked = found(Suggestion(None, None, None, False, "Too few: nothing."))
    inspector.judge(1)
    panel.aim.setCurrentIndex(list(Aim).index(Aim.AUPRO))
    panel.words.setText(" dish , , disc")
    press(panel, qtbot)
    assert asked["aim"] is Aim.AUPRO
    assert asked["object_words"] == (*synonyms("plate"), "dish", "disc")
    assert asked["threshold"] == inspector.reviewer.threshold
    assert [question.image.name for question in asked["questions"]] == ["plate 0.png"]


def test_a_reliable_suggestion_is_tried_by_a_click_and_undone_in_the_workbench(panel, inspector, dock, found, qtbot):
    document = dock.controls.document
    before = document.value
    better = before.with_object("disc")
    found(Suggestion(better, 0.9, 0.1, True, "False regions 1.40 → 0.50 an image, 0.90 ± 0.10 better.", STEPS))
    inspector.judge(1)
    press(panel, qtbot)
    assert panel.sentence == "False regions 1.40 → 0.50 an image, 0.90 ± 0.10 better."
    told = [[panel.table.item(row, column).text() for column in range(3)] for row in range(2)]
    assert told == [["abnormal state 'blemished {}' off", "1.25", "3 times"], ["object 'disc'", "0.5", "1 times"]]
    assert document.value == before, "never by itself"
    assert panel.take.text() == "Try it"
    panel.take.click()
    assert document.value == better
    document.undo()
    assert document.value == before


def test_a_doubtful_one_is_tried_anyway_only(panel, inspector, dock, found, qtbot):
    better = dock.controls.document.value.with_object("disc")
    found(Suggestion(better, 0.1, 0.1, False, "No reliable gain: chance.", STEPS))
    inspector.judge(1)
    press(panel, qtbot)
    assert panel.take.text() == "Try it anyway"
    assert panel.take.isFlat()
    panel.take.click()
    assert dock.controls.document.value == better


def test_a_search_can_be_cancelled_and_begun_again(panel, inspector, monkeypatch, qtbot):
    def endless(model, prompts, questions, aim, *, on_progress, cancel, **options):
        report = Reporter(on_progress, cancel)
        while True:
            report("searching prompts", 3, 40)
            cancel.wait(0.01)

    inspector.judge(1)
    monkeypatch.setattr(search, "suggest", endless)
    panel.start.click()
    assert not panel.start.isEnabled()
    qtbot.waitUntil(panel.cancel.isEnabled)
    panel.cancel.click()
    qtbot.waitUntil(lambda: not panel.job.busy, timeout=10_000)
    assert panel.start.isEnabled()
    assert (panel.sentence, panel.notice.text) == ("", "")


def test_what_went_wrong_is_said_and_can_be_tried_again(panel, inspector, found, qtbot):
    found(ModelError("The model is damaged. Choose another one."))
    inspector.judge(1)
    press(panel, qtbot)
    assert panel.notice.text == "The model is damaged. Choose another one."
    found(Suggestion(None, None, None, False, "Too few: nothing."))
    panel.notice.act()
    qtbot.waitUntil(lambda: panel.sentence == "Too few: nothing.", timeout=10_000)
    assert panel.notice.text == ""

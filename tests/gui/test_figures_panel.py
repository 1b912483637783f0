"""How good the maps are is told from what was judged, and what an edit did is told from before and after."""

from __future__ import annotations

import pytest
from gui.plates import HIGH, LOW, Inspector, wait_for

from napari_anoclip.plugin import figures_panel
from napari_anoclip.plugin.figures_panel import NOTHING_JUDGED, FiguresPanel
from napari_anoclip.plugin.history_view import NO_SESSION
from napari_anoclip.plugin.models import ModelHolder
from napari_anoclip.plugin.upkeep import NO_MODEL


@pytest.fixture
def inspector(viewer, dock, run, use_model, bright_is_bad, qtbot, tmp_path):
    use_model(bright_is_bad)
    inspector = Inspector(viewer, dock, tmp_path / "line 3", qtbot, run)
    yield inspector
    inspector.reviewer.close_down()


@pytest.fixture
def reviewer(inspector):
    return inspector.reviewer


@pytest.fixture
def panel(reviewer, qtbot, monkeypatch):
    """The panel, as in a section that is closed."""
    monkeypatch.setattr(figures_panel, "SETTLED", 100)
    panel = FiguresPanel(reviewer)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def opened(inspector, panel, qtbot):
    """The panel with the figures of four plates, both of whose squares are found."""
    inspector.judge(4)
    panel.switch(True)
    wait_for(qtbot, panel)
    return panel


def settle(panel, qtbot):
    wait_for(qtbot, panel)
    qtbot.waitUntil(lambda: not panel._settled.isActive(), timeout=5_000)


def test_before_anything_is_judged_it_says_what_to_do(panel, inspector, qtbot):
    inspector.open()
    panel.switch(True)
    wait_for(qtbot, panel)
    assert panel.summary == NOTHING_JUDGED
    assert panel.notice.text == ""
    assert panel.grid.isHidden()


def test_the_figures_are_those_of_what_was_judged(opened):
    assert opened.summary == f"4 images judged, 4 as a whole · threshold {LOW}"
    assert opened.grid.value_of("false_regions") == "1.0 1.0 to 1.0"
    assert opened.grid.value_of("recall") == "4/4 1.00 to 1.00"
    assert float(opened.grid.value_of("aupro").split()[0]) > 0.9
    assert opened.more.value_of("image_auroc") == "too few: 0 good images, at least 3 are needed"
    assert opened.sentence == "", "nothing was edited"


def test_figures_are_given_away_only_while_they_hold(opened, reviewer, qtbot):
    assert opened.figures.recall.total == 4
    opened.switch(False)
    reviewer.good()
    assert opened.figures is None, "another judgement, and nobody has looked since"
    reviewer.undo()
    opened.switch(True)
    wait_for(qtbot, opened)
    assert opened.figures.recall.total == 4


def test_too_few_say_so_in_the_place_of_a_number(inspector, panel, qtbot):
    inspector.judge(2)
    panel.switch(True)
    wait_for(qtbot, panel)
    assert panel.grid.value_of("recall") == "too few: 2 defect regions, at least 3 are needed"
    assert panel.grid.value_of("false_regions") == "too few: 2 fully judged images, at least 3 are needed"


def test_an_edit_is_told_in_a_sentence_and_beside_the_number(opened, reviewer, qtbot):
    settle(opened, qtbot)
    with qtbot.waitSignal(opened.compared) as told:
        reviewer.set_threshold(HIGH)
    assert told.args == ["FP regions 4 → 0, recall 4/4"]
    assert opened.sentence == "Last edit: FP regions 4 → 0, recall 4/4"
    assert opened.grid.change_of("false_regions") == "▼ from 1.0, better"
    assert opened.grid.change_of("recall") == ""
    assert opened.more.change_of("f1") == "▼ from 0.74, worse"


def test_an_edit_in_several_strokes_is_compared_with_what_was_there_before_the_first(opened, reviewer, qtbot):
    settle(opened, qtbot)
    opened._settled.setInterval(60_000)  # no pause between the strokes
    for threshold in (0.4985, 0.4988, HIGH):
        reviewer.set_threshold(threshold)
        wait_for(qtbot, opened)
    assert opened.sentence == "Last edit: FP regions 4 → 0, recall 4/4"


def test_another_judgement_changes_the_figures_and_is_no_edit(opened, reviewer, inspector, qtbot):
    settle(opened, qtbot)
    reviewer.good()
    wait_for(qtbot, opened)
    assert opened.grid.value_of("recall").startswith("3/3")
    assert opened.sentence == ""
    reviewer.undo()
    wait_for(qtbot, opened)
    assert opened.grid.value_of("recall").startswith("4/4")


def test_a_threshold_that_follows_normal_pictures_is_that_of_the_prompts_in_use(
    opened, inspector, dock, bright_is_bad, qtbot
):
    scoring = dock.controls.scoring
    scoring.display = scoring.display.model_copy(update={"threshold": None})
    for state in ("blemished {}", "imperfect {}"):
        inspector.edit(state)
        wait_for(qtbot, opened)
        followed = bright_is_bad.display_range(dock.controls.document.value, dock.controls.settings).threshold
        assert opened.summary.endswith(f"threshold {followed:.3f}")


def test_a_closed_section_costs_nothing(inspector, panel, reviewer, qtbot):
    inspector.judge(3)
    with qtbot.assertNotEmitted(panel.compared, wait=300):
        reviewer.set_threshold(HIGH)
    panel.switch(True)
    wait_for(qtbot, panel)
    panel.switch(False)
    with qtbot.assertNotEmitted(panel.compared, wait=300):
        reviewer.set_threshold(LOW)


def test_while_prompts_are_edited_the_comparison_is_told_though_the_section_is_closed(
    inspector, panel, dock, reviewer, qtbot
):
    inspector.judge(3)
    with qtbot.waitSignal(panel.compared):
        dock.sections["Prompts"].open()
    settle(panel, qtbot)
    with qtbot.waitSignal(panel.compared) as told:
        inspector.edit("blemished {}")
    assert told.args[0].startswith("FP regions 3 → 0")


def test_no_model_is_loaded_by_itself_but_by_a_click(opened, dock, reviewer, qtbot, monkeypatch):
    borrowed = []
    borrow = ModelHolder.borrow
    monkeypatch.setattr(ModelHolder, "borrow", lambda *args: borrowed.append(args) or borrow(*args))
    dock.models.let_go()
    reviewer.set_threshold(HIGH)
    qtbot.waitUntil(lambda: opened.notice.text == NO_MODEL)
    assert borrowed == []
    opened.notice.act()
    wait_for(qtbot, opened)
    assert opened.notice.text == ""
    assert opened.grid.value_of("false_regions").startswith("0.0")


def test_a_prompt_set_without_a_side_is_told_and_does_not_stay_in_the_way(opened, dock, qtbot):
    document = dock.controls.document
    document.edit(lambda prompts: prompts.with_entries("abnormal_states", []))
    wait_for(qtbot, opened)
    assert "abnormal" in opened.notice.text
    document.undo()
    wait_for(qtbot, opened)
    assert opened.notice.text == ""


def test_an_image_that_is_gone_is_named(opened, viewer, tmp_path, qtbot):
    viewer.layers.clear()
    (tmp_path / "line 3" / "plate 2.png").unlink()
    wait_for(qtbot, opened)
    assert "plate 2.png" in opened.left_out
    assert opened.summary.startswith("3 images judged")


class TestHistory:
    def texts(self, panel):
        return [panel.history.list.item(row).text() for row in range(panel.history.list.count())]

    def test_each_prompt_set_is_kept_once_it_rests_and_its_newest_figures_only(
        self, opened, inspector, reviewer, qtbot
    ):
        settle(opened, qtbot)
        reviewer.set_threshold(HIGH)
        settle(opened, qtbot)
        reviewer.set_threshold(LOW)
        settle(opened, qtbot)
        inspector.edit("blemished {}")
        settle(opened, qtbot)
        newest, first = self.texts(opened)
        assert first.startswith("1   FP 1.0 · Recall 4/4 · AUPRO 0.96")
        assert newest.startswith("2   FP 0.0 · Recall 0/4")
        assert newest.endswith("abnormal state switched off: blemished {}")
        assert len(reviewer.session.trials) == 2

    def test_a_prompt_set_can_be_had_back_and_that_can_be_undone(self, opened, inspector, dock, qtbot):
        document = dock.controls.document
        before = document.value
        settle(opened, qtbot)
        inspector.edit("blemished {}")
        edited = document.value
        settle(opened, qtbot)
        history = opened.history
        assert not history.restore.isEnabled(), "nothing is chosen"
        history.list.setCurrentRow(0)
        assert not history.restore.isEnabled(), "it is in use"
        history.list.setCurrentRow(1)
        assert history.restore.text() == "Restore prompt set 1"
        history.restore.click()
        assert document.value == before
        document.undo()
        assert document.value == edited

    def test_what_was_tried_last_is_kept_though_the_dock_is_closed_at_once(self, inspector, dock, reviewer, qtbot):
        panel = FiguresPanel(reviewer)
        qtbot.addWidget(panel)
        inspector.judge(3)
        panel.switch(True)
        inspector.edit("blemished {}")
        wait_for(qtbot, panel)
        assert reviewer.session.trials == ()
        panel.close_down()
        assert reviewer.session.trials[-1].prompts == dock.controls.document.value

    def test_without_a_session_it_says_where_history_is_kept(self, panel):
        assert panel.history.note == NO_SESSION

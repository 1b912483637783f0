"""What makes a region hot is named, what switching it off would do is told before, and it is one click away."""

from __future__ import annotations

import pytest
from gui.plates import MIDDLE, Inspector, wait_for
from qtpy.QtCore import Qt

from napari_anoclip.plugin.blame_panel import NO_FALSE, BlamePanel
from napari_anoclip.plugin.figure_grid import in_brief
from napari_anoclip.plugin.figures_panel import FiguresPanel
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
def panel(reviewer, qtbot):
    panel = BlamePanel(reviewer)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def opened(inspector, panel, qtbot):
    """The panel in an open section, with three plates judged."""
    inspector.judge(3)
    panel.switch(True)
    wait_for(qtbot, panel)
    return panel


def rows(panel) -> list[tuple[str, float]]:
    items = [panel.bars.item(row) for row in range(panel.bars.count())]
    return [(item.text(), float(item.data(Qt.ItemDataRole.UserRole))) for item in items]


def click(qtbot, panel, row: int) -> None:
    bars = panel.bars
    at = bars.visualItemRect(bars.item(row)).center()
    qtbot.mouseClick(bars.viewport(), Qt.MouseButton.LeftButton, pos=at)
    wait_for(qtbot, panel)


def select(reviewer, above: bool) -> int:
    """Choose the square above or below; its number."""
    number = next(region.id for region in reviewer.regions if (region.mask.start[0] < MIDDLE) == above)
    reviewer.select(number)
    return number


def test_the_guiltiest_of_the_current_region_comes_first(opened, reviewer, qtbot):
    number = select(reviewer, above=False)
    wait_for(qtbot, opened)
    assert opened.said.startswith(f"Region {number}: mean probability 0.49")
    effects = [effect for _, effect in rows(opened)]
    assert effects
    assert effects == sorted(effects, reverse=True)
    assert effects[-1] >= 0, "what cools it down is not to blame"


def test_it_is_always_the_current_region_that_is_asked_about(opened, reviewer, qtbot):
    for above in (False, True):
        number = select(reviewer, above)
        wait_for(qtbot, opened)
        mean = reviewer.region(number).measures.mean
        assert opened.said.startswith(f"Region {number}: mean probability {mean:.3f}.")


def test_a_region_that_nobody_judged_can_be_asked_about(inspector, panel, reviewer, qtbot):
    inspector.open()
    panel.switch(True)
    wait_for(qtbot, panel)
    assert panel.said.startswith(f"Region {reviewer.current.id}:")
    click(qtbot, panel, 0)
    assert panel.off.text() == "Switch off", "nothing is judged that could tell what would come of it"


def test_what_would_come_of_switching_off_is_what_comes_of_it(opened, reviewer, dock, qtbot):
    document = dock.controls.document
    before = document.value
    text, _ = rows(opened)[0]
    click(qtbot, opened, 0)
    promised = opened.off.text().removeprefix("Switch off → ")
    assert promised.startswith("FP ")
    opened.off.click()
    (changed,) = [entry for entry in document.value.abnormal_states if not entry.on]
    assert changed.text == text
    figures = FiguresPanel(reviewer)
    qtbot.addWidget(figures)
    figures.switch(True)
    wait_for(qtbot, figures)
    assert in_brief(figures._now[1].figures) == promised
    figures.close_down()
    document.undo()
    assert document.value == before


def test_enter_on_a_row_chooses_it_as_a_click_does(opened, qtbot):
    opened.bars.setCurrentRow(1)
    qtbot.keyClick(opened.bars, Qt.Key.Key_Return)
    wait_for(qtbot, opened)
    assert opened.off.isVisible()
    assert rows(opened)[1][0] in opened.off.toolTip()


def test_once_it_is_off_it_is_not_blamed_any_more(opened, qtbot):
    text, _ = rows(opened)[0]
    opened.of_all.click()
    wait_for(qtbot, opened)
    click(qtbot, opened, 0)
    opened.off.click()
    assert opened.off.isHidden()
    wait_for(qtbot, opened)
    assert text not in [other for other, _ in rows(opened)]


def test_all_false_positives_are_taken_together(opened, qtbot):
    opened.of_all.click()
    wait_for(qtbot, opened)
    assert opened.said.startswith("3 false positives: mean probability 0.49")
    assert rows(opened)


def test_without_a_false_positive_it_says_how_to_get_one(inspector, panel, qtbot):
    inspector.open()
    panel.of_all.click()
    panel.switch(True)
    wait_for(qtbot, panel)
    assert panel.said == NO_FALSE
    assert panel.bars.isHidden()


def test_single_prompts_can_be_blamed_and_switched_off(opened, dock, qtbot):
    opened.by.setCurrentIndex(1)
    prompt, _ = rows(opened)[0]
    assert prompt in (*dock.controls.document.value.abnormal, *dock.controls.document.value.normal)
    click(qtbot, opened, 0)
    opened.off.click()
    assert dock.controls.document.value.disabled == {prompt}


def test_a_judgement_elsewhere_renews_what_would_come_and_keeps_what_is_chosen(opened, reviewer, qtbot):
    select(reviewer, above=False)
    wait_for(qtbot, opened)
    click(qtbot, opened, 0)
    assert opened.off.text().endswith("/3")
    reviewer.good()
    wait_for(qtbot, opened)
    assert opened.off.text() == "Switch off → FP 0", "two defects are too few for a recall"


def test_nothing_is_loaded_for_it_but_by_a_click(opened, dock, reviewer, qtbot, monkeypatch):
    borrowed = []
    borrow = ModelHolder.borrow
    monkeypatch.setattr(ModelHolder, "borrow", lambda *args: borrowed.append(args) or borrow(*args))
    dock.models.let_go()
    select(reviewer, above=False)
    select(reviewer, above=True)
    qtbot.waitUntil(lambda: opened.notice.text == NO_MODEL)
    assert borrowed == []
    opened.notice.act()
    wait_for(qtbot, opened)
    assert rows(opened)

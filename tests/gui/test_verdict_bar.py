"""Buttons that judge, kinds that the user edits, and notes that go to the region they were written for."""

from __future__ import annotations

import pytest
from gui.reviewed import wait_for_regions
from gui.under_review import begin, narrowest_of
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_anoclip.plugin.dock_layout import NARROWEST
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.plugin.verdict_bar import VerdictBar
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.verdicts import DEFAULT_KINDS, MAX_KINDS

DEFECT, FALSE, UNSURE = Verdict.DEFECT, Verdict.FALSE, Verdict.UNSURE


@pytest.fixture
def reviewer(viewer, dock, qtbot, picture):
    reviewer = begin(viewer, qtbot, picture)
    yield reviewer
    reviewer.close_down()


@pytest.fixture
def bar(reviewer, qtbot) -> VerdictBar:
    """The bar as narrow as the dock can be, with the window's focus."""
    return shown(VerdictBar(reviewer), qtbot)


def shown(bar: VerdictBar, qtbot) -> VerdictBar:
    qtbot.addWidget(bar)
    bar.resize(NARROWEST, 200)
    with qtbot.waitActive(bar):
        bar.show()
        bar.activateWindow()
    return bar


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def verdicts(reviewer: Reviewer) -> list[Verdict | None]:
    return [region.verdict for region in reviewer.regions]


def test_each_verdict_has_a_button_that_goes_on_to_the_next_region(bar, reviewer, qtbot):
    assert reviewer.current.id == reviewer.regions[0].id
    for button in (bar.defect, bar.false, bar.unsure):
        click(qtbot, button)
    assert verdicts(reviewer) == [DEFECT, FALSE, UNSURE]


def test_the_verdict_of_the_current_region_is_pressed_down(bar, reviewer, qtbot):
    click(qtbot, bar.false)
    assert [bar.defect.isChecked(), bar.false.isChecked(), bar.unsure.isChecked()] == [False, False, False]
    click(qtbot, bar.previous)
    assert [bar.defect.isChecked(), bar.false.isChecked(), bar.unsure.isChecked()] == [False, True, False]
    click(qtbot, bar.false)
    assert reviewer.regions[0].verdict is FALSE, "pressed once more it is still that"


def test_next_and_previous_go_round(bar, reviewer, qtbot):
    order = [region.id for region in reviewer.regions]
    visited = []
    for button in (bar.next, bar.next, bar.next, bar.previous):
        click(qtbot, button)
        visited.append(reviewer.current.id)
    assert visited == [order[1], order[2], order[0], order[2]]


def test_shapes_and_missed_defects_are_asked_for(bar, reviewer, qtbot):
    with qtbot.waitSignal(reviewer.edit_wanted):
        click(qtbot, bar.edit)
    with qtbot.waitSignal(reviewer.drawing_wanted) as wanted:
        click(qtbot, bar.missed)
    assert wanted.args == [""]
    with qtbot.waitSignal(reviewer.drawing_wanted) as wanted:
        next(action for action in bar.missed.actions() if "polygon" in action.text()).trigger()
    assert wanted.args == ["polygon"]


def test_a_good_image_has_false_regions_only(bar, reviewer, qtbot):
    click(qtbot, bar.good)
    assert verdicts(reviewer) == [FALSE] * 3
    assert reviewer.entry.complete


def test_undo_and_redo_say_what_they_would_do(bar, reviewer, qtbot):
    assert not bar.undo.isEnabled()
    assert not bar.redo.isEnabled()
    first = reviewer.regions[0].id
    click(qtbot, bar.defect)
    assert bar.undo.toolTip() == f"Undo: judge region {first} a defect (Z)."
    click(qtbot, bar.undo)
    assert verdicts(reviewer)[0] is None
    assert bar.redo.toolTip() == f"Redo: judge region {first} a defect (Shift+Z)."
    click(qtbot, bar.redo)
    assert verdicts(reviewer)[0] is DEFECT
    assert not bar.redo.isEnabled()


def test_without_an_image_nothing_can_be_pressed(viewer, dock, qtbot):
    reviewer = Reviewer(viewer)
    bar = shown(VerdictBar(reviewer), qtbot)
    buttons = [one for one in bar.findChildren(QPushButton) if one is not bar.kinds.add_button]
    assert len(buttons) == 10 + len(DEFAULT_KINDS)
    assert not any(button.isEnabled() for button in buttons)
    assert not bar.note.isEnabled()
    reviewer.close_down()


def test_without_regions_the_image_can_be_good_or_something_missed(bar, reviewer, qtbot):
    reviewer.set_threshold(0.99)
    qtbot.waitUntil(lambda: not reviewer.regions)
    assert [button.isEnabled() for button in (bar.defect, bar.next, bar.edit, bar.good, bar.missed)] == [
        *[False] * 3,
        *[True] * 2,
    ]


def test_kinds_are_buttons_with_their_digits(bar, reviewer, qtbot):
    assert [button.text() for button in bar.kinds.buttons.values()] == ["1 scratch", "2 crack", "3 stain"]
    first = reviewer.current.id
    click(qtbot, bar.kinds.buttons["crack"])
    region = reviewer.region(first)
    assert (region.verdict, region.judgement.kind) == (DEFECT, "crack")
    reviewer.select(first)
    assert [button.isChecked() for button in bar.kinds.buttons.values()] == [False, True, False]


def test_a_kind_is_added(bar, reviewer, qtbot):
    click(qtbot, bar.kinds.add_button)
    qtbot.waitUntil(bar.kinds.name.hasFocus)
    qtbot.keyClicks(bar.kinds.name, "hole & rim")
    qtbot.keyClick(bar.kinds.name, Qt.Key.Key_Return)
    assert reviewer.review.kinds == (*DEFAULT_KINDS, "hole & rim")
    assert bar.kinds.name.isHidden()
    click(qtbot, bar.kinds.buttons["hole & rim"])
    assert reviewer.regions[0].judgement.kind == "hole & rim"


def test_esc_adds_nothing(bar, reviewer, qtbot):
    click(qtbot, bar.kinds.add_button)
    qtbot.keyClicks(bar.kinds.name, "hole")
    qtbot.keyClick(bar.kinds.name, Qt.Key.Key_Escape)
    assert bar.kinds.name.isHidden()
    assert reviewer.review.kinds == DEFAULT_KINDS


def trigger(button, words: str) -> None:
    next(action for action in button.actions() if words in action.text()).trigger()


def test_a_kind_is_renamed_and_removed_by_its_menu(bar, reviewer, qtbot):
    trigger(bar.kinds.buttons["crack"], "Rename")
    assert bar.kinds.name.text() == "crack"
    qtbot.keyClicks(bar.kinds.name, "gap")
    qtbot.keyClick(bar.kinds.name, Qt.Key.Key_Return)
    assert reviewer.review.kinds == ("scratch", "gap", "stain")
    trigger(bar.kinds.buttons["scratch"], "Remove")
    assert reviewer.review.kinds == ("gap", "stain")
    assert [button.text() for button in bar.kinds.buttons.values()] == ["1 gap", "2 stain"]


def test_there_are_no_more_kinds_than_digits(bar, reviewer, qtbot):
    reviewer.review.kinds = [f"kind {number}" for number in range(MAX_KINDS)]
    assert len(bar.kinds.buttons) == MAX_KINDS
    assert not bar.kinds.add_button.isEnabled()
    assert "Remove one first" in bar.kinds.add_button.toolTip()


def test_a_note_is_kept_with_enter(bar, reviewer, qtbot):
    first = reviewer.current.id
    bar.note.setFocus()
    qtbot.keyClicks(bar.note, "near the edge")
    qtbot.keyClick(bar.note, Qt.Key.Key_Return)
    assert reviewer.region(first).judgement.note == "near the edge"
    assert reviewer.review.count == 1
    bar.defect.setFocus()
    assert reviewer.review.count == 1, "it is kept already"


def test_a_note_is_kept_when_the_focus_goes(bar, reviewer, qtbot):
    bar.note.setFocus()
    qtbot.waitUntil(bar.note.hasFocus)
    qtbot.keyClicks(bar.note, "near the edge")
    bar.next.setFocus()
    qtbot.waitUntil(lambda: reviewer.current.judgement is not None)
    assert reviewer.current.judgement.note == "near the edge"


def test_a_note_goes_to_the_region_that_it_was_written_for(bar, reviewer, qtbot):
    first, second, _ = (region.id for region in reviewer.regions)
    qtbot.keyClicks(bar.note, "near the edge")
    reviewer.next()
    assert reviewer.current.id == second
    assert reviewer.region(first).judgement.note == "near the edge"
    assert reviewer.region(second).judgement is None
    assert bar.note.text() == ""
    reviewer.previous()
    assert bar.note.text() == "near the edge"


def test_a_note_is_kept_before_a_button_judges(bar, reviewer, qtbot):
    first = reviewer.current.id
    qtbot.keyClicks(bar.note, "near the edge")
    bar.false.click()  # where a click gives no focus
    region = reviewer.region(first)
    assert (region.verdict, region.judgement.note) == (FALSE, "near the edge")


def test_what_is_being_written_stays_while_regions_are_found_again(bar, reviewer, qtbot):
    qtbot.keyClicks(bar.note, "near the")
    reviewer.look()
    wait_for_regions(qtbot, reviewer)
    assert bar.note.text() == "near the"
    qtbot.keyClicks(bar.note, " edge")
    qtbot.keyClick(bar.note, Qt.Key.Key_Return)
    assert reviewer.current.judgement.note == "near the edge"


def test_everything_has_room_in_the_narrowest_dock(bar, reviewer):
    reviewer.review.kinds = [f"a rather long kind {number}" for number in range(MAX_KINDS)]
    assert narrowest_of(bar) <= NARROWEST - 20
    for button in bar.findChildren(QPushButton):
        assert button.toolTip()
        assert button.accessibleName()
    assert bar.kinds.add_button.accessibleName()
    assert bar.note.accessibleName()

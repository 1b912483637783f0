"""Threshold, order, what is listed and what counts as a region, all followed and all set."""

from __future__ import annotations

import pytest
from gui.reviewed import wait_for_regions
from gui.under_review import THRESHOLD, begin, narrowest_of
from qtpy.QtCore import Qt

from napari_anoclip.plugin.dock_layout import NARROWEST
from napari_anoclip.plugin.region_rows import RegionRows
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.plugin.shown_regions import Show
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.order import Order
from napari_anoclip.review.regions import RegionSettings


@pytest.fixture
def reviewer(viewer, dock, qtbot, picture):
    reviewer = begin(viewer, qtbot, picture)
    yield reviewer
    reviewer.close_down()


@pytest.fixture
def rows(reviewer, qtbot) -> RegionRows:
    rows = RegionRows(reviewer)
    qtbot.addWidget(rows)
    rows.resize(NARROWEST, 200)
    with qtbot.waitActive(rows):
        rows.show()
        rows.activateWindow()
    return rows


def choose(qtbot, combo, text: str) -> None:
    """As with the keyboard: go to an item of a combo box."""
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Home)
    while combo.currentText() != text:
        before = combo.currentIndex()
        qtbot.keyClick(combo, Qt.Key.Key_Down)
        assert combo.currentIndex() == before + 1, f"there is no {text}"


def areas(reviewer: Reviewer) -> list[float]:
    return [region.measures.area for region in reviewer.regions]


def test_it_says_how_many_regions_lie_above_what(rows):
    assert rows.threshold.value() == THRESHOLD
    assert rows.count == "3"
    assert rows.progress == "0 of 3 judged"
    assert rows.problem == ""


def test_a_threshold_that_is_typed_finds_other_regions(rows, reviewer, dock, qtbot):
    rows.threshold.setFocus()
    rows.threshold.selectAll()
    qtbot.keyClicks(rows.threshold, "0.9")
    assert reviewer.threshold == THRESHOLD, "half a number is no threshold"
    qtbot.keyClick(rows.threshold, Qt.Key.Key_Return)
    assert reviewer.threshold == pytest.approx(0.9)
    qtbot.waitUntil(lambda: rows.count == "1")
    assert dock.controls.scoring.display.threshold == pytest.approx(0.9)


def test_a_threshold_set_in_the_workbench_is_followed(rows, reviewer, dock, run, use_model, bright_is_bad, qtbot):
    use_model(bright_is_bad)
    run(dock)
    wait_for_regions(qtbot, reviewer)
    dock.controls.scoring.threshold.setValue(0.8123)
    qtbot.waitUntil(lambda: rows.threshold.value() == pytest.approx(0.8123))


def test_a_finer_threshold_than_is_shown_is_left_as_it_is(rows, reviewer, qtbot):
    reviewer.set_threshold(0.620049)
    wait_for_regions(qtbot, reviewer)
    assert rows.threshold.value() == pytest.approx(0.62)
    assert reviewer.threshold == 0.620049


def test_the_order_is_chosen(rows, reviewer, qtbot):
    assert areas(reviewer) == [36, 100, 25]
    choose(qtbot, rows.order, "largest")
    assert reviewer.order is Order.LARGEST
    qtbot.waitUntil(lambda: areas(reviewer) == [100, 36, 25])
    choose(qtbot, rows.order, "doubtful")
    qtbot.waitUntil(lambda: areas(reviewer) == [25, 100, 36])


def test_what_is_listed_is_chosen(rows, reviewer, qtbot):
    reviewer.judge(Verdict.FALSE)
    choose(qtbot, rows.show_which, "not judged")
    assert reviewer.show is Show.OPEN
    assert rows.count == "3, 2 listed"
    assert rows.progress == "1 of 3 judged"
    reviewer.set_show(Show.SECOND)
    assert rows.show_which.currentText() == "second look"
    assert rows.count == "3, 0 listed"


def test_what_counts_as_a_region_is_set(rows, reviewer, qtbot):
    assert not rows.section.is_open
    rows.section.open()
    rows.form.control("min_area").value = 30
    assert reviewer.settings == RegionSettings(min_area=30)
    qtbot.waitUntil(lambda: rows.count == "2")
    reviewer.set_settings(RegionSettings())
    qtbot.waitUntil(lambda: rows.count == "3")
    assert rows.form.value == RegionSettings()


def test_nothing_to_judge_is_told_with_what_to_do(rows, reviewer, qtbot):
    reviewer.set_threshold(0.99)
    qtbot.waitUntil(lambda: "Lower it" in rows.problem)
    assert rows.count == "0"
    assert rows.progress == "0 of 0 judged"


def test_without_an_image_it_says_so(viewer, dock, qtbot):
    reviewer = Reviewer(viewer)
    rows = RegionRows(reviewer)
    qtbot.addWidget(rows)
    assert rows.problem == reviewer.problem != ""
    reviewer.close_down()


def test_steps_are_finer_where_the_scores_lie_close_together(rows, reviewer, qtbot):
    assert rows.threshold.singleStep() == 0.01
    reviewer.set_threshold(0.9)
    qtbot.waitUntil(lambda: rows.threshold.singleStep() == 0.001)


def test_everything_has_room_and_a_name(rows):
    rows.section.open()
    assert narrowest_of(rows) <= NARROWEST - 20
    for control in (rows.threshold, rows.order, rows.show_which):
        assert control.accessibleName()
        assert control.toolTip()

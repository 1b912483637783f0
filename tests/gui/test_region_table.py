"""The table of regions: linked both ways, sorted and filtered, and not slower for 10,000 rows."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from gui.under_review import begin, many
from qtpy.QtCore import QObject, QPoint, Qt, Signal
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from napari_anoclip.plugin.dock_layout import NARROWEST
from napari_anoclip.plugin.region_columns import AREA, COLUMNS, KIND, MEAN, NOTE, NUMBER, PLANE, PROMPT, SCORE, VERDICT
from napari_anoclip.plugin.region_model import RegionModel
from napari_anoclip.plugin.region_table import RegionList, RegionTable
from napari_anoclip.plugin.shown_regions import Show
from napari_anoclip.review.judgement import Judgement, Verdict

Role = Qt.ItemDataRole


class Regions(QObject):
    """As much of a reviewer as a table reads, with regions that a test sets."""

    changed = Signal()
    current_changed = Signal()

    def __init__(self, regions=()) -> None:
        super().__init__()
        self.regions, self.vanished = list(regions), []
        self.show, self.subject, self.current = Show.ALL, None, None
        self.selected: list[int] = []

    def select(self, number: int) -> None:
        self.selected.append(number)
        self.current = next(region for region in self.regions if region.id == number)
        self.current_changed.emit()

    def put(self, regions) -> None:
        self.regions = list(regions)
        self.changed.emit()


@pytest.fixture
def shown(qtbot):
    """Show a widget as wide as the dock, with a table in it that has the focus."""

    def show(widget: QWidget, table: RegionTable) -> None:
        qtbot.addWidget(widget)
        widget.resize(380, 320)
        with qtbot.waitActive(widget):
            widget.show()
            widget.activateWindow()
        table.setFocus()
        qtbot.waitUntil(table.hasFocus)

    return show


@pytest.fixture
def three(shown):
    """A reviewer with three regions, and their table."""
    reviewer = Regions(many(3))
    table = RegionTable(reviewer)
    shown(table, table)
    return reviewer, table


@pytest.fixture
def review(viewer, dock, qtbot, picture):
    """A review of a picture, and the list of its regions."""
    reviewer = begin(viewer, qtbot, picture)
    listed = RegionList(reviewer)
    qtbot.addWidget(listed)
    yield reviewer, listed
    reviewer.close_down()


def column(table: RegionTable, which: int, role: Role = Role.DisplayRole) -> list:
    model = table.regions
    return [model.data(model.index(row, which), role) for row in range(model.rowCount())]


def visible(table: RegionTable) -> list[int]:
    return [number for number in COLUMNS if not table.isColumnHidden(number)]


def numbers(table: RegionTable) -> list[int]:
    return [table.regions.region_at(row).id for row in range(table.regions.rowCount())]


def judged(region, verdict: Verdict = Verdict.DEFECT, **more):
    judgement = Judgement(id=region.id, mask=region.mask, verdict=verdict, **more)
    return replace(region, verdict=verdict, judgement=judgement)


def click(qtbot, table: RegionTable, row: int, column: int = SCORE, double: bool = False) -> None:
    at = table.visualRect(table.regions.index(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    if double:
        qtbot.mouseDClick(table.viewport(), Qt.MouseButton.LeftButton, pos=at)


def click_heading(qtbot, table: RegionTable, column: int) -> None:
    heading = table.horizontalHeader()
    at = QPoint(heading.sectionViewportPosition(column) + heading.sectionSize(column) // 2, heading.height() // 2)
    qtbot.mouseClick(heading.viewport(), Qt.MouseButton.LeftButton, pos=at)


def test_it_shows_what_is_drawn_in_the_plan_and_fits(three):
    _, table = three
    assert visible(table) == [NUMBER, VERDICT, SCORE, AREA, KIND]
    assert not table.horizontalScrollBar().isVisible()
    assert table.columnWidth(KIND) > 50, "room for a word is left at 380 pixels"
    assert column(table, NUMBER) == ["1", "2", "3"]
    assert column(table, SCORE) == ["0.833", "0.667", "0.500"]
    assert column(table, AREA) == ["16", "16", "16"]
    assert column(table, VERDICT) == ["—", "—", "—"]
    assert table.regions.headerData(AREA, Qt.Orientation.Horizontal) == "area px"


def test_verdicts_are_told_by_a_sign_and_a_word(three):
    reviewer, table = three
    regions = [judged(region, verdict) for region, verdict in zip(reviewer.regions, Verdict, strict=True)]
    reviewer.put(regions)
    assert column(table, VERDICT) == ["◆ defect", "○ false", "? unsure"]
    reviewer.put([replace(regions[0], verdict=None, second_look="merged: 2 defect"), *regions[1:]])
    assert column(table, VERDICT)[0] == "⟳ again"
    assert "merged: 2 defect" in column(table, VERDICT, Role.ToolTipRole)[0]
    assert column(table, NUMBER, Role.AccessibleTextRole)[1] == "region 2, ○ false, score 0.667"


def test_close_scores_have_the_digits_that_tell_them_apart(three):
    reviewer, table = three
    reviewer.put(
        replace(region, measures=region.measures.model_copy(update={"maximum": 0.5 + region.id / 10_000}))
        for region in reviewer.regions
    )
    assert column(table, SCORE) == ["0.5001", "0.5002", "0.5003"]


def test_the_area_is_in_the_layers_unit(three):
    reviewer, table = three

    class Subject:
        def area(self, measures):
            return measures.area / 100, "mm²"

    reviewer.subject = Subject()
    reviewer.changed.emit()
    assert column(table, AREA) == ["0.16", "0.16", "0.16"]
    assert table.regions.headerData(AREA, Qt.Orientation.Horizontal) == "area mm²"


def test_planes_are_counted_as_the_slider_does(three):
    reviewer, table = three
    reviewer.put([replace(reviewer.regions[0], plane=(2, 7)), *reviewer.regions[1:]])
    assert column(table, PLANE) == ["2, 7", "", ""]
    assert visible(table) == [NUMBER, VERDICT, SCORE, AREA, KIND, PLANE], "of a flat image there are none to show"
    table.resize(NARROWEST - 20, 300)
    assert not table.horizontalScrollBar().isVisible()


def test_a_click_on_a_row_chooses_its_region_once(three, qtbot):
    reviewer, table = three
    click(qtbot, table, 1)
    assert reviewer.selected == [2]
    assert column(table, NUMBER) == ["1", "▶2", "3"]
    click(qtbot, table, 1)
    assert reviewer.selected == [2]


def test_arrows_go_from_row_to_row(three, qtbot):
    reviewer, table = three
    reviewer.select(1)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Down)
    qtbot.keyClick(table, Qt.Key.Key_Up)
    assert reviewer.selected == [1, 2, 3, 2]


def test_the_row_of_the_current_region_is_scrolled_to_and_chosen_without_an_echo(shown):
    reviewer = Regions(many(500))
    table = RegionTable(reviewer)
    shown(table, table)
    reviewer.select(400)
    assert reviewer.selected == [400]
    assert table.currentIndex().row() == 399
    assert table.viewport().rect().contains(table.visualRect(table.currentIndex()))
    assert [index.row() for index in table.selectionModel().selectedRows()] == [399]


def test_the_focus_alone_chooses_nothing(three, qtbot):
    reviewer, table = three
    assert reviewer.selected == []
    assert not table.currentIndex().isValid()


def test_letters_and_digits_go_on_to_the_dock(shown, qtbot):
    reviewer = Regions(many(9))
    dock, table, line = QWidget(), RegionTable(reviewer), QLineEdit()
    layout = QVBoxLayout(dock)
    layout.addWidget(table)
    layout.addWidget(line)
    pressed = []
    keys = [*"DFUNPGEMZ123456789", "Shift+Z", "PgDown", "PgUp"]
    for key in keys:
        shortcut = QShortcut(QKeySequence(key), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(lambda key=key: pressed.append(key))
    shown(dock, table)
    reviewer.select(1)
    for key in keys:
        sequence = QKeySequence(key)[0]
        qtbot.keyClick(table, sequence.key(), sequence.keyboardModifiers())
    assert pressed == keys
    assert reviewer.selected == [1]


class Page(QWidget):
    """What holds a table, and sees the keys that the table leaves alone."""

    def __init__(self, table: RegionTable) -> None:
        super().__init__()
        QVBoxLayout(self).addWidget(table)
        self.seen = ""

    def keyPressEvent(self, event) -> None:
        self.seen += event.text()


def test_keys_without_a_shortcut_are_passed_on_too(shown, qtbot):
    reviewer = Regions(many(9))
    table = RegionTable(reviewer)
    page = Page(table)
    shown(page, table)
    reviewer.select(1)
    qtbot.keyClicks(table, "dfunpgemz123456789")
    assert page.seen == "dfunpgemz123456789"
    assert table.currentIndex().row() == 0


def test_headings_sort_one_way_the_other_way_and_not_at_all(three, qtbot):
    reviewer, table = three
    first, second, third = reviewer.regions
    third = replace(third, measures=third.measures.model_copy(update={"maximum": 0.95}))
    reviewer.put([second, third, replace(first, measures=None)])
    orders = []
    for _ in range(3):
        click_heading(qtbot, table, SCORE)
        orders.append(numbers(table))
    assert orders == [[3, 2, 1], [2, 3, 1], [2, 3, 1]], "highest first, lowest first, the queue; unknown always last"
    assert table.regions.sorted_by is None
    click_heading(qtbot, table, NUMBER)
    assert numbers(table) == [1, 2, 3]
    assert table.horizontalHeader().sortIndicatorSection() == NUMBER


def test_sorting_keeps_the_current_region(three, qtbot):
    reviewer, table = three
    reviewer.select(3)
    click_heading(qtbot, table, NUMBER)
    click_heading(qtbot, table, NUMBER)
    assert numbers(table) == [3, 2, 1]
    assert table.currentIndex().row() == 0
    assert reviewer.selected == [3]


@pytest.mark.parametrize(
    ("text", "listed"), [("", [1, 2, 12]), ("1", [1, 12]), ("#12", [12]), ("CRACK", [1]), ("edge", [2]), ("xyz", [])]
)
def test_the_filter_looks_in_numbers_kinds_and_notes(qtbot, text, listed):
    first, second, third = many(3)
    reviewer = Regions([judged(first, kind="Crack"), judged(second, note="at the Edge"), replace(third, id=12)])
    regions = RegionList(reviewer)
    qtbot.addWidget(regions)
    regions.filter.setText(text)
    assert numbers(regions.table) == listed
    assert regions.left_out == (
        "" if listed else "None of 3 regions is listed. Choose others to show, or clear the filter."
    )


def test_what_is_not_to_be_shown_is_not_listed(three):
    reviewer, table = three
    reviewer.put([judged(reviewer.regions[0]), *reviewer.regions[1:]])
    reviewer.show = Show.OPEN
    reviewer.changed.emit()
    assert numbers(table) == [2, 3]


def test_what_vanished_is_told(qtbot):
    reviewer = Regions()
    regions = RegionList(reviewer)
    qtbot.addWidget(regions)
    assert regions.left_out == ""
    reviewer.vanished = [judged(region).judgement for region in many(3)]
    reviewer.changed.emit()
    assert regions.left_out.startswith("3 judged regions lie below this threshold.")


@pytest.fixture
def heard(three):
    """What views are told from now on."""
    _, table = three
    told = []
    model = table.regions
    model.dataChanged.connect(lambda first, last: told.append(("changed", first.row(), last.row())))
    model.rowsRemoved.connect(lambda _, first, last: told.append(("gone", first, last)))
    model.rowsInserted.connect(lambda _, first, last: told.append(("came", first, last)))
    model.modelReset.connect(lambda: told.append(("all",)))
    return told


def test_only_rows_that_changed_are_told(three, heard):
    reviewer, _ = three
    first, second, third = reviewer.regions
    reviewer.put([first, judged(second), third])
    assert heard == [("changed", 1, 1)]
    heard.clear()
    reviewer.put([replace(region) for region in reviewer.regions])
    assert heard == [], "found again, and all the same"


def test_a_row_that_goes_or_comes_leaves_the_others_where_they_are(three, heard):
    reviewer, table = three
    first, second, third = reviewer.regions
    reviewer.select(3)
    heard.clear()
    reviewer.put([first, third])
    reviewer.put([first, second, third])
    assert heard == [("gone", 1, 1), ("came", 1, 1)]
    assert numbers(table) == [1, 2, 3]
    heard.clear()
    reviewer.put([third, second, first])
    assert heard == [("all",)]
    assert table.currentIndex().row() == 0
    assert reviewer.selected == [3], "rows that move choose nothing"


def test_the_current_row_that_goes_chooses_nothing_else(three):
    reviewer, _ = three
    reviewer.select(2)
    reviewer.put([reviewer.regions[0], reviewer.regions[2]])
    assert reviewer.selected == [2]


def test_10000_rows_cost_what_is_seen(shown, monkeypatch, qtbot):
    read = set()
    data = RegionModel.data

    def counted(self, index, role=Role.DisplayRole):
        read.add(index.row())
        return data(self, index, role)

    monkeypatch.setattr(RegionModel, "data", counted)
    regions = many(10_000)
    reviewer = Regions()
    table = RegionTable(reviewer)
    shown(table, table)
    start = time.perf_counter()
    reviewer.put(regions)
    qtbot.wait(1)  # until it is painted
    assert time.perf_counter() - start < 1
    on_screen = table.viewport().height() // table.rowHeight(0) + 2
    assert 0 < len(read) <= on_screen

    read.clear()
    costs = []
    for number in (2, 5_000, 9_999, 3, 7_000):
        start = time.perf_counter()
        reviewer.select(number)
        reviewer.put([judged(region) if region.id == number else region for region in reviewer.regions])
        table.repaint()
        costs.append(time.perf_counter() - start)
    assert sorted(costs)[2] < 0.3, "some 30 ms on a quiet machine"
    assert len(read) <= 6 * on_screen
    assert not any(100 < row < 4_000 for row in read)

    start = time.perf_counter()
    click_heading(qtbot, table, NUMBER)
    click_heading(qtbot, table, NUMBER)
    assert numbers(table)[0] == 10_000
    assert time.perf_counter() - start < 1


def test_columns_come_and_go_by_the_menu_of_the_headings(three):
    reviewer, table = three
    reviewer.put([replace(region, plane=(4,)) for region in reviewer.regions])
    offered = {action.text(): action for action in table.horizontalHeader().actions()}
    assert [action.text() for action in table.actions()] == list(offered), "by the keyboard's menu key too"
    assert table.horizontalHeader().contextMenuPolicy() == Qt.ContextMenuPolicy.ActionsContextMenu
    offered["Show mean"].trigger()
    offered["Show plane"].trigger()
    assert not table.isColumnHidden(MEAN)
    assert table.isColumnHidden(PLANE)
    assert column(table, MEAN) == ["0.500"] * 3
    assert column(table, PROMPT) == [""] * 3


def test_regions_of_a_review_are_listed_and_judged(review):
    reviewer, listed = review
    table = listed.table
    assert column(table, SCORE) == ["0.910", "0.880", "0.860"]
    assert column(table, AREA) == ["36", "100", "25"]
    assert column(table, NUMBER)[0] == "▶1"
    reviewer.judge(Verdict.FALSE)
    assert column(table, VERDICT)[0] == "○ false"
    assert column(table, NUMBER)[1] == "▶2"
    assert table.currentIndex().row() == 1


def finish(qtbot, table: RegionTable) -> None:
    """Enter, in the note that is being written."""
    editing = RegionTable.State.EditingState
    assert table.state() == editing
    qtbot.keyClick(table.findChild(QLineEdit), Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: table.state() != editing)
    qtbot.waitUntil(lambda: table.findChild(QLineEdit) is None)


def test_a_note_is_written_in_its_row(review, shown, qtbot):
    reviewer, listed = review
    table = listed.table
    shown(listed, table)
    click(qtbot, table, 2)
    qtbot.keyClick(table, Qt.Key.Key_F2)
    assert not table.isColumnHidden(NOTE)
    qtbot.keyClicks(table.findChild(QLineEdit), "dune")
    reviewer.regions = [replace(one, measures=one.measures.model_copy()) for one in reviewer.regions]
    reviewer.changed.emit()  # as when regions are found again meanwhile
    assert table.findChild(QLineEdit).text() == "dune"
    finish(qtbot, table)
    region = reviewer.region(table.regions.region_at(2).id)
    assert (region.judgement.note, region.verdict) == ("dune", None)
    assert column(table, NOTE) == ["", "", "dune"]

    click(qtbot, table, 0, NOTE, double=True)
    qtbot.keyClicks(table.findChild(QLineEdit), "first")
    finish(qtbot, table)
    assert column(table, NOTE) == ["first", "", "dune"]
    assert reviewer.current.id == table.regions.region_at(0).id


def test_a_note_that_stays_as_it_was_is_no_step(review, shown, qtbot):
    reviewer, listed = review
    reviewer.set_note("dune")
    shown(listed, listed.table)
    count = reviewer.review.count
    qtbot.keyClick(listed.table, Qt.Key.Key_F2)
    finish(qtbot, listed.table)
    assert reviewer.review.count == count


def test_a_higher_threshold_keeps_what_was_judged_and_tells(review, qtbot):
    reviewer, listed = review
    for _ in range(3):
        reviewer.judge(Verdict.DEFECT)
    reviewer.set_threshold(0.9)
    qtbot.waitUntil(lambda: listed.table.regions.rowCount() == 1)
    assert listed.left_out.startswith("2 judged regions lie below this threshold.")
    reviewer.set_threshold(0.62)
    qtbot.waitUntil(lambda: listed.table.regions.rowCount() == 3)
    assert listed.left_out == ""
    assert column(listed.table, VERDICT) == ["◆ defect"] * 3

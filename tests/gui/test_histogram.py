"""The spread of scores as a picture: the threshold follows mouse and keys, the colours keep to their range."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_anoclip.engine.histogram import ScoreHistogram
from napari_anoclip.plugin.colormaps import anomaly_colormap
from napari_anoclip.plugin.colour_bar import ColourBar
from napari_anoclip.plugin.histogram import HistogramView

SCORES = np.concatenate([np.linspace(0.40, 0.50, 900), np.linspace(0.70, 0.80, 100)])


@pytest.fixture
def view(qtbot):
    view = HistogramView(anomaly_colormap())
    qtbot.addWidget(view)
    view.resize(300, view.sizeHint().height())
    view.show()
    return view


@pytest.fixture
def shown(view):
    view.show_scores(ScoreHistogram.of(SCORES), (0.45, 0.65), 0.6)
    return view


@pytest.fixture
def moves(shown):
    """What was heard of the threshold, in order."""
    heard = []
    shown.threshold_changed.connect(lambda value: heard.append(("changed", value)))
    shown.threshold_set.connect(lambda value: heard.append(("set", value)))
    return heard


def at(view: HistogramView, score: float) -> QPoint:
    return QPoint(round(view.x_of(score)), view.height() // 2)


def column(view: HistogramView, score: float) -> set[str]:
    """Colours of the middle half of the column of a score."""
    image = view.grab().toImage()
    x = round(view.x_of(score))
    return {image.pixelColor(x, y).name() for y in range(image.height() // 4, 3 * image.height() // 4)}


def test_before_a_run_it_says_what_to_do_and_cannot_be_dragged(view, qtbot):
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton)
    assert view.threshold is None
    assert "No scores" in view.accessibleDescription()


def test_the_axis_takes_in_scores_colours_and_threshold(view):
    view.show_scores(ScoreHistogram.of(SCORES), (0.30, 0.65), 0.9)
    low, high = view.axis
    assert low < 0.30
    assert high > 0.9


def test_scores_are_drawn_where_they_are_and_not_where_there_are_none(shown):
    assert column(shown, 0.65) == column(shown, 0.55)
    assert column(shown, 0.45) - column(shown, 0.65)
    assert column(shown, 0.75) - column(shown, 0.65)
    assert column(shown, 0.45) != column(shown, 0.75)  # paler below the threshold


def test_dragging_the_line_tells_all_the_way_and_where_it_ends(shown, moves, qtbot):
    qtbot.mousePress(shown, Qt.MouseButton.LeftButton, pos=at(shown, 0.6))
    for score in (0.62, 0.66, 0.7):
        qtbot.mouseMove(shown, at(shown, score))
    qtbot.mouseRelease(shown, Qt.MouseButton.LeftButton, pos=at(shown, 0.7))
    assert [kind for kind, _ in moves] == ["changed"] * 4 + ["set"]
    assert [value for _, value in moves] == pytest.approx([0.6, 0.62, 0.66, 0.7, 0.7], abs=0.002)


def test_the_axis_keeps_still_while_the_line_is_held(shown, qtbot):
    shown.show_scores(ScoreHistogram.of(SCORES), (0.45, 0.65), 0.95)
    axis = shown.axis
    shown.threshold_changed.connect(lambda value: shown.show_scores(ScoreHistogram.of(SCORES), (0.45, 0.65), value))
    qtbot.mousePress(shown, Qt.MouseButton.LeftButton, pos=at(shown, 0.95))
    qtbot.mouseMove(shown, at(shown, 0.5))
    assert shown.axis == axis
    qtbot.mouseRelease(shown, Qt.MouseButton.LeftButton, pos=at(shown, 0.5))
    shown.show_scores(ScoreHistogram.of(SCORES), (0.45, 0.65), 0.5)
    assert shown.axis[1] < 0.85


def test_a_drag_out_of_the_widget_stops_at_the_end(shown, moves, qtbot):
    qtbot.mousePress(shown, Qt.MouseButton.LeftButton, pos=at(shown, 0.6))
    qtbot.mouseMove(shown, QPoint(shown.width() + 500, 10))
    assert shown.threshold == pytest.approx(shown.axis[1])
    qtbot.mouseRelease(shown, Qt.MouseButton.LeftButton)


def test_the_other_mouse_buttons_leave_it_alone(shown, moves, qtbot):
    qtbot.mouseClick(shown, Qt.MouseButton.RightButton, pos=at(shown, 0.7))
    assert moves == []


def test_arrow_keys_step_and_page_keys_leap(shown, moves, qtbot):
    qtbot.keyClick(shown, Qt.Key.Key_Right)
    step = shown.threshold - 0.6
    assert step > 0
    qtbot.keyClick(shown, Qt.Key.Key_Left)
    assert shown.threshold == pytest.approx(0.6)
    qtbot.keyClick(shown, Qt.Key.Key_PageUp)
    assert shown.threshold - 0.6 == pytest.approx(10 * step)
    qtbot.keyClick(shown, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert shown.threshold == pytest.approx(0.6)
    assert [kind for kind, _ in moves] == ["changed", "set"] * 4


def test_keys_it_does_not_know_are_left_to_others(shown, moves, qtbot):
    qtbot.keyClick(shown, Qt.Key.Key_A)
    assert moves == []


def test_a_screen_reader_hears_the_numbers(shown):
    assert shown.accessibleName() == "Histogram of scores"
    assert shown.accessibleDescription().startswith("Scores from 0.")
    assert shown.accessibleDescription().endswith("10.00 % reach the threshold 0.6000.")


def test_the_colour_bar_runs_from_the_first_colour_to_the_last_and_says_so(qtbot):
    bar = ColourBar(anomaly_colormap())
    qtbot.addWidget(bar)
    bar.resize(300, bar.sizeHint().height())
    assert bar.description == ""
    bar.show_range((0.48, 0.66), 0.62)
    assert bar.description == "Colours run from 0.480 to 0.660, threshold 0.620"
    image = bar.grab().toImage()
    middle = image.height() // 2
    faint, strong = (image.pixelColor(x, middle) for x in (100, 200))
    assert strong.red() - strong.blue() > faint.red() - faint.blue()  # inferno grows yellow


def test_close_numbers_get_the_decimals_that_tell_them_apart(qtbot):
    bar = ColourBar(anomaly_colormap())
    qtbot.addWidget(bar)
    bar.show_range((0.4712, 0.4903), 0.4855)
    assert bar.description == "Colours run from 0.4712 to 0.4903, threshold 0.4855"

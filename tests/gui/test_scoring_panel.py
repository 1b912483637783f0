"""Scoring and colours, as a user sets them: what needs new scores, and what only new colours."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog

from napari_anoclip.engine.calibration import DisplayRange
from napari_anoclip.engine.histogram import ScoreHistogram
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings, ScoringSettings
from napari_anoclip.plugin.planes import shown_plane
from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.run_request import PlaneResult, RunRequest
from napari_anoclip.plugin.scoring_panel import ScoringPanel

PACKAGED = DisplayRange(0.48, 0.64, "32 packaged normal pictures")
OWN = DisplayRange(0.50, 0.58, "3 own good images")


@pytest.fixture
def viewer() -> ViewerModel:
    """Without a window, which this panel has no need of."""
    return ViewerModel()


@pytest.fixture
def scores() -> np.ndarray:
    """(40, 60), low but for a square of 8 × 10 in the upper left."""
    scores = np.random.default_rng(0).normal(0.5, 0.02, (40, 60)).astype(np.float32)
    scores[4:12, 10:20] += 0.3
    return scores


@pytest.fixture
def image(viewer):
    return viewer.add_image(np.zeros((40, 60, 3), np.uint8), name="plate")


@pytest.fixture
def panel(viewer, qtbot):
    panel = ScoringPanel(viewer)
    qtbot.addWidget(panel)
    panel.resize(320, 700)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def result(viewer, image, scores):
    """Make a result of the plane that is shown."""

    def make(measured: DisplayRange = PACKAGED, display: DisplaySettings | None = None) -> PlaneResult:
        plane = shown_plane(image, viewer.dims)
        request = RunRequest(
            (plane,), PromptSet.preset("short", "plate"), AnoCLIPSettings(), display=display or DisplaySettings()
        )
        detection = SimpleNamespace(map=scores, block=1)
        return PlaneResult(plane, detection, measured, ScoreHistogram.of(scores), request)

    return make


@pytest.fixture
def scored(panel, result):
    one = result()
    panel.show_result(one, one.histogram)
    return panel


def suggested(panel: ScoringPanel) -> dict[str, object]:
    """Open the menu of suggestions; its actions by their names."""
    panel.suggest.menu().aboutToShow.emit()
    return {action.text().split("\t")[0]: action for action in panel.suggest.menu().actions()}


def test_it_starts_with_the_defaults(panel):
    assert panel.value == ScoringSettings()
    assert panel.display == DisplaySettings()


def test_settings_go_in_and_come_out(panel):
    for settings in (
        ScoringSettings(temperature=0.02, smooth=False, image_score="map_max", views=22),
        ScoringSettings(temperature=1.0, upsampling="align_corners", mean_order="unit"),
        ScoringSettings(),
    ):
        panel.value = settings
        assert panel.value == settings
    for display in (
        DisplaySettings(range="manual", low=0.2, high=0.7, threshold=0.4, contour=True),
        DisplaySettings(range="manual", low=0.8, high=1.5),
        DisplaySettings(range="own"),
        DisplaySettings(),
    ):
        panel.display = display
        assert panel.display == display


def test_settings_that_change_scores_ask_for_them_once(panel):
    heard = Mock()
    panel.changed.connect(heard)
    panel.value = ScoringSettings(temperature=0.02, smooth=False, views=22)
    assert heard.call_count == 1
    panel.form.control("smooth").native.click()
    assert heard.call_count == 2


def test_the_temperature_is_the_models_the_papers_or_a_number(panel, qtbot):
    heard = Mock()
    panel.changed.connect(heard)
    row = panel.temperature
    row.paper.click()
    assert panel.value.temperature == 1.0
    assert not row.number.isEnabled()
    row.free.click()
    row.number.clear()
    qtbot.keyClicks(row.number, "0.02")
    assert panel.value.temperature == 0.02
    row.own.click()
    assert panel.value.temperature is None
    assert heard.call_count >= 4


def test_colours_do_not_ask_for_new_scores(scored, qtbot):
    heard = Mock()
    scored.changed.connect(heard)
    with qtbot.waitSignal(scored.display_changed):
        scored.contour.click()
    with qtbot.waitSignal(scored.display_changed):
        scored.range.buttons["manual"].click()
    heard.assert_not_called()
    assert scored.display.contour
    assert scored.display.range == "manual"


def test_without_a_threshold_of_ones_own_the_calibrated_one_is_shown(scored, result):
    assert scored.display.threshold is None
    assert scored.threshold.value() == pytest.approx(PACKAGED.threshold)
    assert scored.histogram.threshold == pytest.approx(PACKAGED.threshold)
    assert "packaged normal pictures" in scored.meaning
    moved = result(DisplayRange(0.30, 0.34, "32 packaged normal pictures"))
    scored.show_result(moved, moved.histogram)
    assert scored.threshold.value() == pytest.approx(0.33)


def test_dragging_the_line_sets_the_threshold(scored, qtbot):
    view = scored.histogram
    end = QPoint(round(view.x_of(0.7)), 40)
    with qtbot.waitSignal(scored.display_changed):
        qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(round(view.x_of(view.threshold)), 40))
        qtbot.mouseMove(view, end)
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert scored.display.threshold == pytest.approx(0.7, abs=0.005)
    assert scored.threshold.value() == pytest.approx(scored.display.threshold, abs=1e-4)
    assert "threshold 0.7" in scored.range.bar.description
    assert "% of the pixels reach it" in scored.meaning


def test_a_whole_drag_redraws_a_few_times_not_at_every_pixel(scored, qtbot):
    heard = Mock()
    scored.display_changed.connect(heard)
    view = scored.histogram
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 40))
    for x in range(50, 150):
        qtbot.mouseMove(view, QPoint(x, 40))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(149, 40))
    qtbot.waitUntil(lambda: heard.call_count > 0)
    assert heard.call_count < 50


def test_typing_a_threshold_moves_the_line(scored, qtbot):
    scored.threshold.clear()
    qtbot.keyClicks(scored.threshold, "0.55")
    qtbot.keyClick(scored.threshold, Qt.Key.Key_Return)
    assert scored.histogram.threshold == pytest.approx(0.55)


def test_a_result_that_arrives_while_someone_types_leaves_the_text_alone(scored, result, qtbot):
    scored.threshold.clear()
    qtbot.keyClicks(scored.threshold, "0.5")
    again = result()
    scored.show_result(again, again.histogram)
    qtbot.keyClicks(scored.threshold, "7")
    qtbot.keyClick(scored.threshold, Qt.Key.Key_Return)
    assert scored.display.threshold == pytest.approx(0.57)


def test_suggestions_have_names_numbers_and_a_sentence(scored):
    found = suggested(scored)
    assert list(found) == ["Normal pictures, 99.9 %", "Otsu", "Top 1 % of this image"]
    for action in found.values():
        assert action.toolTip().endswith(".")
        assert 0 < float(action.text().split("\t")[1]) < 1


def test_otsu_separates_the_square_from_the_rest(scored, scores):
    found = suggested(scored)
    found["Otsu"].trigger()
    assert 0.55 < scored.display.threshold < 0.75
    assert "3.33 % of the pixels" in scored.meaning
    assert "low and a high group" in scored.meaning


def test_the_top_percent_leaves_one_percent(scored, scores):
    suggested(scored)["Top 1 % of this image"].trigger()
    assert (scores > scored.display.threshold).mean() == pytest.approx(0.01, abs=0.001)


def test_the_calibrated_one_brings_back_the_threshold_that_follows_the_model(scored):
    suggested(scored)["Otsu"].trigger()
    suggested(scored)["Normal pictures, 99.9 %"].trigger()
    assert scored.display.threshold is None
    assert scored.threshold.value() == pytest.approx(PACKAGED.threshold)


def test_the_best_f1_against_a_painted_mask(scored, viewer, scores, qtbot):
    mask = np.zeros((40, 60), int)
    mask[4:12, 10:20] = 3
    viewer.add_labels(mask, name="painted")
    with qtbot.waitSignal(scored.display_changed):
        suggested(scored)["Best F1 against painted"].trigger()
    assert np.array_equal(scores >= scored.display.threshold, mask > 0)
    assert "F1 1.00" in scored.meaning


def test_a_mask_that_marks_nothing_is_a_sentence_and_changes_nothing(scored, viewer, qtbot):
    viewer.add_labels(np.zeros((40, 60), int), name="painted")
    suggested(scored)["Best F1 against painted"].trigger()
    qtbot.waitUntil(lambda: "marks no pixel" in scored.meaning)
    assert scored.display.threshold is None


@pytest.mark.fault(
    "inputs", "a mask of another size than the image", "the masks that fit", sees="the masks that fit, and no other"
)
def test_masks_of_another_size_and_our_own_contours_are_not_offered(scored, viewer):
    viewer.add_labels(np.zeros((7, 9), int), name="other")
    viewer.add_layer(Labels(np.ones((40, 60), int), name="contour", metadata={METADATA_KEY: {}}))
    assert not [name for name in suggested(scored) if "F1" in name]


def test_a_mask_of_a_stack_is_judged_on_the_plane_that_was_scored(panel, viewer, scores, qtbot):
    stack = viewer.add_image(np.zeros((3, 40, 60), np.uint8), name="stack")
    mask = np.zeros((3, 40, 60), int)
    mask[1, 4:12, 10:20] = 1
    viewer.add_labels(mask, name="painted")
    viewer.dims.set_point(0, 1)
    plane = shown_plane(stack, viewer.dims)
    request = RunRequest((plane,), PromptSet.preset("short", "plate"), AnoCLIPSettings())
    one = PlaneResult(plane, SimpleNamespace(map=scores, block=1), PACKAGED, ScoreHistogram.of(scores), request)
    panel.show_result(one, one.histogram)
    suggested(panel)["Best F1 against painted"].trigger()
    qtbot.waitUntil(lambda: panel.display.threshold is not None)
    assert np.array_equal(scores >= panel.display.threshold, mask[1] > 0)


def test_of_a_stack_the_scores_of_one_plane_or_of_all(scored, result):
    one = result()
    scored.show_result(one, one.histogram + ScoreHistogram.of(np.full(2400, 0.9)))
    assert scored.of_stack.isVisibleTo(scored)
    assert scored.histogram.axis[1] > 0.9
    assert "Top 1 % of this stack" in suggested(scored)
    scored.of_plane.click()
    assert scored.histogram.axis[1] < 0.9
    assert "Top 1 % of this image" in suggested(scored)


def test_the_colour_bar_says_where_its_range_comes_from(scored, result):
    assert scored.range.bar.description == "Colours run from 0.480 to 0.640, threshold 0.600"
    assert scored.range.source.text() == "from 32 packaged normal pictures"
    own = result(OWN, DisplaySettings(range="own"))
    scored.show_result(own, own.histogram)
    assert scored.range.source.text() == "from 3 own good images"
    assert "Your good images, 99.9 %" in suggested(scored)


def test_by_hand_starts_from_the_colours_as_they_are(scored, qtbot):
    scored.range.buttons["manual"].click()
    assert (scored.display.low, scored.display.high) == (0.48, 0.64)
    with qtbot.waitSignal(scored.display_changed):
        scored.range.high.setValue(0.9)
    assert "to 0.900" in scored.range.bar.description
    assert scored.range.source.text() == "set by hand"


def test_the_last_colour_stays_above_the_first(scored):
    scored.range.buttons["manual"].click()
    scored.range.low.setValue(0.95)
    assert scored.display.high > scored.display.low == 0.95


def test_the_last_colour_stays_above_the_first_before_anything_was_scored(panel):
    panel.range.buttons["manual"].click()
    panel.range.high.setValue(0)
    assert panel.display.high > panel.display.low == 0


def test_good_images_from_layers_that_are_selected(scored, viewer, qtbot):
    good = viewer.add_image(np.arange(2 * 8 * 9, dtype=np.uint8).reshape(2, 8, 9), name="good")
    viewer.layers.selection = {good}
    assert not scored.range.buttons["own"].isEnabled()
    scored.references.menu().aboutToShow.emit()
    layers = scored.references.menu().actions()[0]
    assert layers.text() == "Image layers selected in the viewer (1)"
    with qtbot.waitSignal(scored.references_wanted) as heard:
        layers.trigger()
    (planes,) = heard.args
    assert [np.asarray(plane).tolist() for plane in planes] == good.data.tolist()
    assert scored.display.range == "own"


def test_without_a_selected_image_there_is_nothing_to_choose(scored, viewer):
    viewer.layers.selection = {viewer.add_labels(np.zeros((40, 60), int))}
    scored.references.menu().aboutToShow.emit()
    assert not scored.references.menu().actions()[0].isEnabled()


def test_good_images_from_files(scored, monkeypatch, tmp_path, qtbot):
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (files, ""))
    with qtbot.waitSignal(scored.references_wanted) as heard:
        scored.references.menu().actions()[1].trigger()
    assert [str(path) for path in heard.args[0]] == files


def test_choosing_no_file_changes_nothing(scored, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    scored.references.menu().actions()[1].trigger()
    assert scored.display.range == "calibrated"


def test_it_fits_a_narrow_dock(scored):
    scored.range.buttons["manual"].click()
    assert scored.minimumSizeHint().width() <= 310


def test_every_control_has_a_name_for_screen_readers(scored):
    from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox

    controls = [
        control
        for kind in (QAbstractButton, QAbstractSpinBox, QComboBox)
        for control in scored.findChildren(kind)
        if not isinstance(control.parent(), (QAbstractSpinBox, QComboBox))
    ]
    assert len(controls) > 12
    assert [control for control in controls if not control.accessibleName()] == []
    assert [control.accessibleName() for control in controls if not control.toolTip()] == []

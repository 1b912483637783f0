"""The review dock as a person uses it: by keys in the canvas, with the mouse, across sessions and planes."""

from __future__ import annotations

import numpy as np
import pytest
from gui.reviewed import SQUARE, blobs, show_map, show_stack, wait_for_regions
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QLineEdit, QScrollArea
from skimage.io import imread, imsave

from napari_anoclip.plugin import keys, results
from napari_anoclip.plugin.dock_layout import NARROWEST
from napari_anoclip.plugin.key_help import KeyHelp
from napari_anoclip.plugin.queue_canvas import FILE_KEY
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.session import Session

SHAPE = (240, 320)
THREE = [(10, 10, 0.9), (60, 60, 0.8), (120, 200, 0.7)]
TWENTY = [
    (10 + 40 * row, 10 + 60 * column, 0.95 - 0.02 * (5 * row + column)) for row in range(4) for column in range(5)
]


@pytest.fixture
def file(tmp_path):
    """An image on disk, as it lies beside others of its line."""
    path = tmp_path / "line3" / "part.png"
    path.parent.mkdir()
    imsave(path, np.random.default_rng(1).integers(0, 255, (*SHAPE, 3), np.uint8), check_contrast=False)
    return path


def open_review(viewer, file, qtbot, places=TWENTY, shown=False):
    """Open an image, its map and the review dock."""
    layer = viewer.add_image(imread(file), rgb=True, name="part", metadata={FILE_KEY: str(file)})
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    show_map(viewer, layer, blobs(SHAPE, places))
    wait_for_regions(qtbot, review.reviewer, len(places))
    if shown:
        window = viewer.window._qt_window
        window.show()
        with qtbot.waitActive(window):
            window.activateWindow()
        canvas = viewer.window._qt_viewer.canvas.native
        canvas.setFocus()
        qtbot.waitUntil(canvas.hasFocus)
    return review


def press(viewer, qtbot, keys, modifier=Qt.KeyboardModifier.NoModifier):
    canvas = viewer.window._qt_viewer.canvas.native
    for key in keys:
        qtbot.keyClick(canvas, key, modifier)


def verdicts(review):
    return {region.id: region.verdict for region in review.reviewer.regions}


def test_twenty_regions_by_keys_alone_saved_reopened_and_five_undone(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=True)
    review = open_review(viewer, file, qtbot, shown=True)
    press(viewer, qtbot, "DFUFD" * 4)
    wait_for_regions(qtbot, review.reviewer, 20)
    judged = verdicts(review)
    assert list(judged.values()) == [
        {"D": Verdict.DEFECT, "F": Verdict.FALSE, "U": Verdict.UNSURE}[key] for key in "DFUFD" * 4
    ]
    assert review.reviewer.entry.complete
    review.session.save_button.click()
    qtbot.waitUntil(lambda: not review.reviewer.session.unsaved, timeout=10_000)
    folder = review.reviewer.session.folder
    viewer.close()

    again = make_napari_viewer(show=True)
    review = open_review(again, file, qtbot, shown=True)
    qtbot.waitUntil(lambda: review.reviewer.session is not None and verdicts(review) == judged, timeout=10_000)
    assert review.reviewer.session.folder == folder
    press(again, qtbot, "Z" * 5)
    wait_for_regions(qtbot, review.reviewer, 20)
    expected = dict(judged)
    for region in list(judged)[-5:]:
        expected[region] = None
    assert verdicts(review) == expected
    press(again, qtbot, "Z" * 2, Qt.KeyboardModifier.ShiftModifier)
    wait_for_regions(qtbot, review.reviewer, 20)
    assert list(verdicts(review).values()).count(None) == 3
    review.leave()
    restored = Session.open(folder)
    (image,) = restored.review.images.values()
    assert len([one for one in image.judgements.values() if one.verdict is not None]) == 17
    restored.close()


def test_keys_type_while_a_text_field_has_the_focus(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=True)
    review = open_review(viewer, file, qtbot, shown=True)
    note = next(field for field in review.findChildren(QLineEdit) if "note" in field.accessibleName().lower())
    note.setFocus()
    qtbot.waitUntil(note.hasFocus)
    qtbot.keyClicks(note, "dfu")
    assert note.text() == "dfu"
    assert set(verdicts(review).values()) == {None}
    review.leave()


def test_kinds_next_previous_and_good_by_keys(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=True)
    review = open_review(viewer, file, qtbot, shown=True)
    first, second, third = (region.id for region in review.reviewer.regions[:3])
    press(viewer, qtbot, "NN")
    assert review.reviewer.current.id == third
    press(viewer, qtbot, "P")
    assert review.reviewer.current.id == second
    press(viewer, qtbot, "2")
    assert review.reviewer.region(second).judgement.kind == "crack"
    press(viewer, qtbot, "G")
    wait_for_regions(qtbot, review.reviewer, 20)
    assert set(verdicts(review).values()) == {Verdict.FALSE}
    assert review.reviewer.region(first).verdict is Verdict.FALSE
    review.leave()


def test_the_list_of_keys_is_in_the_dock(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=True)
    review = open_review(viewer, file, qtbot, shown=True)
    review.help_button.click()
    popup = QApplication.activePopupWidget()
    assert isinstance(popup, KeyHelp)
    assert "Judge the region a defect" in popup.text.text()
    popup.close()
    review.leave()


def test_a_row_moves_the_camera_and_a_click_in_the_canvas_chooses_the_row(viewer, shelf, file, qtbot):
    review = open_review(viewer, file, qtbot)
    viewer.scene.camera.zoom = 20
    last = review.reviewer.regions[-1]
    review.list.table.selectRow(19)
    middle = np.array([first + SQUARE / 2 for first in last.mask.start])
    qtbot.waitUntil(lambda: np.allclose(viewer.scene.camera.center[-2:], middle, atol=12), timeout=3000)
    region = review.reviewer.regions[7]
    row, column = (first + SQUARE // 2 for first in region.mask.start)
    assert review.layer._region_at((row, column)) == region.id
    assert review.layer._region_at((0, 0)) is None
    review.leave()


def test_the_layer_has_features_and_goes_with_the_dock(viewer, shelf, file, qtbot):
    review = open_review(viewer, file, qtbot)
    review.reviewer.judge(Verdict.DEFECT)
    wait_for_regions(qtbot, review.reviewer, 20)
    features = review.layer.layer.features
    assert len(features) == 20
    assert features["verdict"].tolist()[0] == "defect"
    assert features["maximum"].tolist() == pytest.approx([place[2] for place in TWENTY], abs=1e-6)
    value = review.layer.layer.get_value(np.array([14.0, 14.0]))
    assert value in set(features["index"])
    review.leave()
    assert not any("regions" in layer.name for layer in viewer.layers)


def test_scaled_images_have_areas_in_their_units(viewer, shelf, file, qtbot):
    review = open_review(viewer, file, qtbot)
    image = review.reviewer.image
    image.scale, image.units = (0.5, 0.5), ("mm", "mm")
    review.reviewer.look()
    wait_for_regions(qtbot, review.reviewer, 20)
    value, unit = review.reviewer.subject.area(review.reviewer.regions[0].measures)
    assert (value, unit) == (SQUARE**2 / 4, "mm²")
    result = results.find(viewer.layers, image)
    assert np.allclose(review.layer.layer.extent.world, result.extent.world)
    review.leave()


def test_regions_of_a_stack_are_drawn_in_their_plane_and_visited_there(viewer, shelf, qtbot):
    stack = viewer.add_image(np.random.default_rng(0).integers(0, 255, (4, *SHAPE), np.uint8), name="stack")
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    show_stack(viewer, stack, [blobs(SHAPE, [(10 * plane, 10, 0.6 + plane / 10)]) for plane in range(4)])
    wait_for_regions(qtbot, review.reviewer, 4)
    for _ in range(4):
        region = review.reviewer.current
        qtbot.waitUntil(lambda plane=region.plane: viewer.dims.current_step[0] == plane[0], timeout=2000)
        plane = np.asarray(review.layer.layer.data[region.plane[0]])
        assert plane[region.mask.slices].any()
        assert not plane[150:].any()
        review.reviewer.judge(Verdict.FALSE)
    review.leave()


@pytest.mark.fault(
    "GUI lifetimes", "napari is closed in the middle of a review", "every verdict", sees="the window closes"
)
def test_closing_the_window_saves_what_was_judged(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=False)
    review = open_review(viewer, file, qtbot)
    review.reviewer.judge(Verdict.DEFECT)
    folder = review.reviewer.session.folder
    viewer.close()
    assert (folder / "session.json").exists()
    assert not (folder / "lock.json").exists()


def test_both_docks_stand_beside_each_other_in_a_wide_window_and_as_tabs_in_a_narrow_one(
    make_napari_viewer, shelf, file, qtbot
):
    for width, beside in ((1600, True), (1000, False)):
        viewer = make_napari_viewer(show=True)
        viewer.window.resize(width, 800)
        review = open_review(viewer, file, qtbot)
        qtbot.wait(50)
        window = viewer.window._qt_window
        mine = next(dock for dock in viewer.window._wrapped_dock_widgets.values() if dock.inner_widget() is review)
        assert bool(window.tabifiedDockWidgets(mine)) is not beside
        qtbot.waitUntil(lambda shown=review: not shown.visibleRegion().isEmpty())  # it is what was asked for
        viewer.close()


def test_f1_lists_the_keys_of_the_review(viewer, shelf, file, qtbot):
    review = open_review(viewer, file, qtbot)
    window = viewer.window._qt_window
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    review.verdicts.setFocus()
    qtbot.keyClick(review, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), KeyHelp))
    popup = QApplication.activePopupWidget()
    assert all(key.does in popup.text.text() for key in keys.REVIEW)
    popup.close()
    review.leave()


def test_a_sentence_is_brought_into_sight_in_a_low_window(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 500)
    review = open_review(viewer, file, qtbot)
    review.reviewer.said.emit("Something is to be said.", "", None)
    qtbot.waitUntil(lambda: review.notice.visibleRegion().boundingRect().height() == review.notice.height())


def test_a_note_half_written_goes_to_its_region_when_another_image_comes(viewer, shelf, file, qtbot):
    review = open_review(viewer, file, qtbot)
    reviewer = review.reviewer
    first, key = reviewer.current.id, reviewer.entry.key
    note = next(field for field in review.findChildren(QLineEdit) if "note" in field.accessibleName().lower())
    qtbot.keyClicks(note, "see the corner")
    other = viewer.add_image(np.zeros((50, 50), np.uint8), name="other")
    viewer.layers.selection.active = other
    qtbot.waitUntil(lambda: reviewer.image is not None and reviewer.image.name == "other", timeout=5000)
    assert reviewer.review.images[key].judgements[first].note == "see the corner"
    review.leave()


def test_the_loudest_prompt_of_a_region_is_known_once_the_model_scored_it(
    viewer, dock, use_model, bright_is_bad, run, picture, qtbot
):
    use_model(bright_is_bad)
    viewer.add_image(picture, rgb=True, name="plate")
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    run(dock)
    reviewer = review.reviewer
    qtbot.waitUntil(lambda: reviewer.result is not None, timeout=10_000)
    values = reviewer.result.data
    reviewer.set_threshold(float(values.min() + values.max()) / 2)
    qtbot.waitUntil(lambda: bool(reviewer.regions) and reviewer.top_prompt(reviewer.regions[0]) != "", timeout=20_000)
    prompt = reviewer.top_prompt(reviewer.regions[0])
    assert prompt in dock.controls.document.value.abnormal
    reviewer.judge(Verdict.DEFECT)
    (judgement,) = reviewer.entry.judgements.values()
    assert judgement.top_prompt == prompt
    review.leave()


def test_everything_has_its_place_in_a_narrow_dock(make_napari_viewer, shelf, file, qtbot):
    viewer = make_napari_viewer(show=True)  # with the looks of napari
    review = open_review(viewer, file, qtbot)
    review.queue.open_folder(file.parent)
    for section in review.sections.values():
        section.open()
    qtbot.waitUntil(lambda: review.queue.position != "", timeout=5000)
    scroll = review.findChild(QScrollArea)
    inside = NARROWEST - scroll.verticalScrollBar().sizeHint().width()
    assert scroll.widget().minimumSizeHint().width() <= inside
    review.leave()


def test_the_workbench_may_be_closed_and_opened_again(viewer, dock, file, qtbot):
    review = open_review(viewer, file, qtbot, THREE)
    reviewer = review.reviewer
    viewer.window.remove_dock_widget(dock)
    assert reviewer.open_desk is None
    reviewer.judge(Verdict.DEFECT)
    wait_for_regions(qtbot, reviewer, 3)
    assert list(verdicts(review).values()).count(Verdict.DEFECT) == 1
    assert reviewer.open_desk is None, "who closed it does not want it back with the next verdict"
    reopened = reviewer.desk
    assert reopened is not dock
    assert reviewer.open_desk is reopened
    other = viewer.add_image(np.zeros((50, 50), np.uint8), name="other")
    viewer.layers.selection.active = other
    qtbot.waitUntil(lambda: reviewer.image is not None and reviewer.image.name == "other", timeout=5000)
    review.leave()


def test_the_effect_of_an_edit_is_told_beside_the_prompts(viewer, dock, file, qtbot):
    review = open_review(viewer, file, qtbot, THREE)
    review.figures.compared.emit("FP regions 14 → 9, recall 31/32")
    assert dock.controls.editor.effect == "On judged images: FP regions 14 → 9, recall 31/32"
    review.figures.compared.emit("")
    assert dock.controls.editor.effect == ""
    review.leave()


def test_features_are_worked_out_for_other_regions_only_not_for_each_step(viewer, shelf, file, qtbot, monkeypatch):
    review = open_review(viewer, file, qtbot)
    worked_out = []
    features = review.layer._features
    monkeypatch.setattr(review.layer, "_features", lambda *told: worked_out.append(1) or features(*told))
    for _ in range(5):
        review.reviewer.next()
    review.reviewer.changed.emit()
    assert not worked_out
    review.reviewer.judge(Verdict.DEFECT)
    qtbot.waitUntil(lambda: bool(worked_out))
    assert "defect" in review.layer.layer.features["verdict"].tolist()
    review.leave()

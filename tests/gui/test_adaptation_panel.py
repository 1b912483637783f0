"""The adaptation's settings, its loss as it falls, and the look back to the map before it."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from qtpy.QtCore import Qt

from napari_anoclip.engine.settings import AdaptationSettings
from napari_anoclip.plugin.adaptation_panel import AdaptationPanel

LOSSES = (1.386, 1.384, 1.379, 1.375, 1.371)


def scored(adapted: bool) -> SimpleNamespace:
    detection = SimpleNamespace(before=object() if adapted else None, losses=LOSSES if adapted else (), seconds=1.94)
    return SimpleNamespace(detection=detection)


@pytest.fixture
def panel(qtbot):
    panel = AdaptationPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


@pytest.fixture
def flicks(panel):
    heard = []
    panel.flick.connect(heard.append)
    return heard


def test_it_holds_all_settings_but_the_switch(panel):
    assert panel.value == AdaptationSettings()
    with pytest.raises(KeyError):
        panel.form.control("enabled")
    panel.value = AdaptationSettings(enabled=True, adapter="linear", steps=9, start="zero", seed=4)
    assert panel.value == AdaptationSettings(adapter="linear", steps=9, start="zero", seed=4)


def test_an_edit_asks_for_new_scores(panel, qtbot):
    with qtbot.waitSignal(panel.changed):
        qtbot.keyClick(panel.form.control("steps").native, Qt.Key.Key_Up)
    assert panel.value.steps == 6


def test_setting_the_same_again_asks_for_nothing(panel):
    heard = Mock()
    panel.changed.connect(heard)
    panel.value = panel.value
    heard.assert_not_called()


def test_the_curve_grows_step_by_step_and_says_where_it_began_and_is(panel):
    panel.show_step(1, 1.386)
    assert panel.curve.text == "loss 1.386"
    panel.show_step(2, 1.38)
    panel.show_step(3, 1.371)
    assert panel.curve.text == "loss 1.386 → 1.371"
    assert panel.curve.accessibleDescription() == panel.curve.text
    panel.show_step(1, 1.2)
    assert panel.curve.text == "loss 1.200"


def test_a_loss_that_falls_only_a_little_is_seen_to_fall(panel):
    panel.show_step(1, 1.38629)
    panel.show_step(2, 1.38612)
    assert panel.curve.text == "loss 1.3863 → 1.3861"


def test_the_curve_is_drawn(panel):
    def dark_or_light() -> set[int]:
        image = panel.curve.grab().toImage()
        bottom = range(image.height() // 2, image.height())
        return {image.pixel(x, y) for x in range(image.width()) for y in bottom}

    assert len(dark_or_light()) == 1
    for step, loss in enumerate(LOSSES, start=1):
        panel.show_step(step, loss)
    assert len(dark_or_light()) > 1


def test_the_look_back_is_offered_where_there_is_a_map_before(panel):
    assert not panel.before.isEnabled()
    panel.show_result(scored(adapted=True))
    assert panel.before.isEnabled()
    assert panel.note == "5 steps, 1.9 s with scoring"
    assert panel.curve.text == "loss 1.386 → 1.371"
    panel.show_result(scored(adapted=False))
    assert not panel.before.isEnabled()
    assert "without adaptation" in panel.note
    assert panel.curve.text == ""


def test_holding_the_button_shows_before_and_letting_go_after(panel, flicks, qtbot):
    panel.show_result(scored(adapted=True))
    qtbot.mousePress(panel.before, Qt.MouseButton.LeftButton)
    assert flicks == [True]
    qtbot.mouseRelease(panel.before, Qt.MouseButton.LeftButton)
    assert flicks == [True, False]


def test_the_space_bar_does_the_same(panel, flicks, qtbot):
    panel.show_result(scored(adapted=True))
    panel.before.setFocus()
    qtbot.keyPress(panel.before, Qt.Key.Key_Space)
    assert flicks == [True]
    qtbot.keyRelease(panel.before, Qt.Key.Key_Space)
    assert flicks == [True, False]


def test_a_result_without_before_lets_go_of_a_held_button(panel, flicks, qtbot):
    panel.show_result(scored(adapted=True))
    qtbot.mousePress(panel.before, Qt.MouseButton.LeftButton)
    panel.show_result(scored(adapted=False))
    assert flicks == [True, False]

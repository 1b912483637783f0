"""What was judged is learnt from when somebody says so, as strongly as they say, and the session remembers that."""

from __future__ import annotations

import pytest
from gui.plates import Inspector, wait_for
from qtpy.QtCore import Qt

from napari_anoclip.engine.settings import ReferenceSettings
from napari_anoclip.plugin.learn_panel import NOTHING, LearnPanel
from napari_anoclip.plugin.models import ModelChoice
from napari_anoclip.plugin.upkeep import NO_MODEL
from napari_anoclip.review.session import Session


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
    panel = LearnPanel(reviewer)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


def counts(panel) -> tuple[int, int]:
    words = panel.kept.split()
    return int(words[0]), int(words[3])


def test_it_is_off_until_it_is_switched_on(panel, inspector, dock, qtbot):
    inspector.judge(1)
    wait_for(qtbot, panel)
    assert not panel.on.isChecked()
    assert panel.kept == NOTHING
    assert dock.controls.memory is None
    assert not dock.controls.references.enabled


def test_an_open_section_says_what_could_be_learnt_and_uses_none_of_it(panel, inspector, dock, qtbot):
    inspector.judge(1)
    panel.switch(True)
    wait_for(qtbot, panel)
    total, defects = counts(panel)
    assert total > defects > 0
    assert dock.controls.request().memory is None


def test_switched_on_it_is_part_of_the_next_run(panel, inspector, dock, reviewer, run, qtbot):
    inspector.judge(1)
    hot = max(region.measures.maximum for region in reviewer.regions)
    panel.on.click()
    panel.strength.setValue(100)
    wait_for(qtbot, panel)
    request = dock.controls.request()
    assert request.memory is not None
    assert request.settings.references == ReferenceSettings(enabled=True, strength=1.0)
    run(dock)
    assert float(reviewer.result.data.max()) < hot


def test_strength_is_set_by_keys_and_shown_as_a_number(panel, dock, qtbot):
    before = dock.controls.references.strength
    qtbot.keyClick(panel.strength, Qt.Key.Key_Right)
    assert dock.controls.references.strength == pytest.approx(before + 0.01)
    assert panel._number.text() == f"{before + 0.01:.2f}"


def test_another_judgement_is_learnt_from_by_itself(panel, inspector, dock, reviewer, qtbot):
    inspector.judge(1)
    panel.on.click()
    wait_for(qtbot, panel)
    _, defects = counts(panel)
    assert defects > 0
    reviewer.good()
    wait_for(qtbot, panel)
    assert counts(panel)[1] == 0
    while reviewer.review.to_undo is not None:
        reviewer.undo()
    wait_for(qtbot, panel)
    assert panel.kept == NOTHING
    assert dock.controls.memory is None


def test_it_is_kept_with_the_session_and_set_again_when_that_is_opened(
    panel, inspector, dock, reviewer, tmp_path, qtbot
):
    inspector.judge(1)
    panel.on.click()
    panel.strength.setValue(80)
    wait_for(qtbot, panel)
    learnt, folder = ReferenceSettings(enabled=True, strength=0.8), reviewer.session.folder
    assert reviewer.session.settings.references == learnt
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(tmp_path / "other.anoclip")
    assert not panel.on.isChecked(), "off by default"
    assert not dock.controls.references.enabled
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(folder)
    assert panel.on.isChecked()
    assert dock.controls.references == learnt
    wait_for(qtbot, panel)
    assert counts(panel)[0] > 0


def test_what_was_set_before_there_was_a_session_goes_into_it(panel, inspector, reviewer, qtbot):
    panel.on.click()
    inspector.judge(1)
    wait_for(qtbot, panel)
    assert panel.on.isChecked()
    assert reviewer.session.settings.references.enabled


def test_what_was_set_last_is_kept_though_the_dock_is_closed_at_once(inspector, reviewer, qtbot):
    panel = LearnPanel(reviewer)
    qtbot.addWidget(panel)
    inspector.judge(1)
    panel.strength.setValue(30)
    panel.close_down()
    folder = reviewer.session.folder
    reviewer.session.save()
    reopened = Session.open(folder, take_over=True)
    assert reopened.settings.references.strength == pytest.approx(0.3)
    reopened.close()


def test_settings_that_come_from_elsewhere_are_shown_and_kept(panel, inspector, dock, reviewer, qtbot):
    inspector.judge(1)
    dock.controls.references = ReferenceSettings(enabled=True, strength=0.25)
    assert panel.on.isChecked()
    assert panel.strength.value() == 25
    wait_for(qtbot, panel)
    qtbot.waitUntil(lambda: reviewer.session.settings.references.strength == 0.25, timeout=5_000)


def test_patches_of_one_model_are_not_given_to_another(panel, inspector, dock, qtbot):
    inspector.judge(1)
    panel.on.click()
    wait_for(qtbot, panel)
    dock.controls.model.choice = ModelChoice("builtin", device="cpu")
    assert dock.controls.memory is None
    qtbot.waitUntil(lambda: panel.notice.text == NO_MODEL, timeout=5_000)
    assert panel.kept == NOTHING
    dock.controls.model.choice = ModelChoice()
    wait_for(qtbot, panel)
    assert panel.notice.text == ""
    assert counts(panel)[0] > 0


def test_nothing_is_loaded_for_what_a_session_says_but_by_a_click(panel, inspector, dock, reviewer, qtbot):
    inspector.judge(1)
    dock.models.let_go()
    reviewer.session.settings = reviewer.session.settings.model_copy(
        update={"references": ReferenceSettings(enabled=True)}
    )
    panel._on_session()
    qtbot.waitUntil(lambda: panel.notice.text == NO_MODEL, timeout=5_000)
    assert dock.controls.memory is None
    panel.notice.act()
    wait_for(qtbot, panel)
    assert dock.controls.memory is not None

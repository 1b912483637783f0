"""The table of keys, in the help popup; tests/documentation holds that the page has the same."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_anoclip.plugin.job import JobState
from napari_anoclip.plugin.key_help import KeyHelp
from napari_anoclip.plugin.keys import WORKBENCH


@pytest.fixture
def popup(dock, viewer, qtbot):
    window = viewer.window._qt_window
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    dock.controls.live.setFocus()
    qtbot.waitUntil(dock.controls.live.hasFocus)
    qtbot.keyClick(dock.controls.live, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), KeyHelp))
    yield QApplication.activePopupWidget()
    if QApplication.activePopupWidget() is not None:
        QApplication.activePopupWidget().close()


def test_f1_lists_all_keys_of_the_workbench(popup):
    for key in WORKBENCH:
        assert key.does in popup.text.text()


def test_the_list_is_on_the_screen_as_a_whole(popup):
    assert popup.screen().availableGeometry().contains(popup.geometry())


def test_esc_closes_the_list_and_cancels_no_run(popup, dock, qtbot, monkeypatch):
    monkeypatch.setattr(dock.job, "_state", JobState.RUNNING)
    with qtbot.assertNotEmitted(dock.job.state_changed):
        qtbot.keyClick(popup, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: QApplication.activePopupWidget() is None)

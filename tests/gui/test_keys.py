"""The table of keys, in the help popup; tests/documentation holds that the page has the same."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_anoclip.plugin.key_help import KeyHelp
from napari_anoclip.plugin.keys import WORKBENCH


def test_f1_lists_all_keys_of_the_workbench(dock, viewer, qtbot):
    window = viewer.window._qt_window
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    dock.controls.live.setFocus()
    qtbot.waitUntil(dock.controls.live.hasFocus)
    qtbot.keyClick(dock.controls.live, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: isinstance(QApplication.activePopupWidget(), KeyHelp))
    popup = QApplication.activePopupWidget()
    for key in WORKBENCH:
        assert key.does in popup.text.text()
    popup.close()

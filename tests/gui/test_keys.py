"""One table of keys, in the help popup as in the documentation."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from napari_anoclip.plugin.key_help import KeyHelp
from napari_anoclip.plugin.keys import WORKBENCH, as_table


def test_the_documentation_has_the_table():
    page = Path(__file__).parents[2] / "docs" / "keys.md"
    assert as_table() in page.read_text(encoding="utf-8")


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

"""Preferences: declared once, shown by napari's dialog, and heard by who depends on them."""

from __future__ import annotations

from pathlib import Path

import npe2
import pytest
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from napari.settings import get_plugin_settings
from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSpinBox, QWidget

from napari_anoclip.engine.prompts import preset_names
from napari_anoclip.plugin import preferences as module
from napari_anoclip.plugin.models import DEVICES
from napari_anoclip.plugin.preferences import PAGE, PLUGIN, Preferences, preferences, unwatch, watch

KEYS = ("title", "type", "default", "description", "minimum", "maximum", "enum")


@pytest.fixture
def page(viewer):
    """The stored values of our page; the defaults again after the test."""
    page = getattr(get_plugin_settings(PLUGIN), PAGE)
    yield page
    page.reset()


def test_the_manifest_says_what_the_model_declares():
    contributed = npe2.PluginManifest.from_distribution(PLUGIN).contributions.configurations[PAGE].properties
    declared = Preferences.model_json_schema()["properties"]
    assert list(contributed) == list(declared)
    for name, field in declared.items():
        there = {key: getattr(contributed[name], key) for key in KEYS}
        assert there == {key: field.get(key) for key in KEYS}


def test_the_choices_are_those_of_the_dock():
    schema = Preferences.model_json_schema()["properties"]
    assert schema["device"]["enum"] == list(DEVICES)
    assert schema["default_preset"]["enum"] == preset_names()


def test_unset_preferences_are_the_defaults(page):
    assert preferences() == Preferences()
    assert preferences().models_path is None


def test_naparis_dialog_shows_them_and_keeps_what_is_set(page, qtbot):
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    titles = [dialog._list.item(index).text() for index in range(dialog._list.count())]
    shown = dialog._stack.widget(titles.index("AnoCLIP"))
    assert isinstance(shown, QWidget)
    spin = max(shown.findChildren(QSpinBox), key=lambda box: box.maximum())
    spin.setValue(250)
    device = next(box for box in shown.findChildren(QComboBox) if box.findText("cuda") >= 0)
    device.setCurrentText("cpu")
    preset = next(box for box in shown.findChildren(QComboBox) if box.findText("textiles") >= 0)
    preset.setCurrentText("textiles")
    shown.findChild(QCheckBox).setChecked(False)
    folder = next(line for line in shown.findChildren(QLineEdit) if line.parent() is not spin)
    folder.setText("~/models")
    assert preferences() == Preferences(
        device="cpu", token_cache_mb=250, models_folder="~/models", live=False, default_preset="textiles"
    )
    assert preferences().token_cache_bytes == 250_000_000
    assert preferences().models_path == Path.home() / "models"


def test_values_that_cannot_be_used_fall_back_alone(monkeypatch, caplog):
    class Page:
        def model_dump(self):
            return {"device": "quantum", "token_cache_mb": 7, "default_preset": "gone", "from_the_future": 1}

    monkeypatch.setattr(module, "_page", lambda: Page())
    assert preferences() == Preferences(token_cache_mb=7)
    assert "device" in caplog.text


def test_a_napari_without_pages_for_plugins_gives_the_defaults(monkeypatch):
    monkeypatch.setattr(module, "_page", lambda: None)
    watch(print)
    unwatch(print)
    assert preferences() == Preferences()


def test_a_change_is_heard_until_nobody_listens(page):
    heard = []

    def listen():
        heard.append(preferences().token_cache_mb)

    watch(listen)
    page.token_cache_mb = 11
    unwatch(listen)
    page.token_cache_mb = 12
    assert heard == [11]

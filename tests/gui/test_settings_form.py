"""Controls come from the settings models: nothing is written down twice."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings
from napari_anoclip.plugin.settings_form import SettingsForm

MODELS = [AdaptationSettings, ScoringSettings, TilingSettings]


@pytest.fixture(params=MODELS)
def model(request, qtbot):
    return request.param


def test_a_fresh_form_holds_the_defaults(model):
    assert SettingsForm(model).value == model()


def test_every_field_has_a_control_with_its_description(model):
    form = SettingsForm(model)
    for name, field in model.model_fields.items():
        assert form.control(name).tooltip == field.description


def test_settings_go_in_and_come_out(qtbot):
    for settings in (
        AdaptationSettings(enabled=True, adapter="linear", steps=9, learning_rate=2e-4, temperature=None, seed=3),
        ScoringSettings(temperature=0.07, smooth=False, image_score="both", views=22),
        TilingSettings(mode="both", overlap=0.5, scale=0.25, side=64),
    ):
        form = SettingsForm(type(settings))
        form.value = settings
        assert form.value == settings


def test_bounds_hold(qtbot):
    form = SettingsForm(AdaptationSettings)
    form.control("steps").native.setValue(100_000)
    form.control("learning_rate").native.setValue(0)
    assert form.value.steps == 200
    assert form.value.learning_rate > 0


def test_a_field_that_lives_elsewhere_has_no_control(qtbot):
    form = SettingsForm(AdaptationSettings, without=("enabled",))
    with pytest.raises(KeyError):
        form.control("enabled")
    assert form.value.enabled is False


def test_an_edit_is_told(qtbot):
    form = SettingsForm(AdaptationSettings)
    heard = Mock()
    form.changed.connect(heard)
    form.control("steps").native.setValue(7)
    heard.assert_called_once_with()
    form.control("start").native.setCurrentIndex(1)
    assert heard.call_count == 2


def test_setting_all_at_once_is_told_once_and_only_when_something_changes(qtbot):
    form = SettingsForm(AdaptationSettings)
    heard = Mock()
    form.changed.connect(heard)
    form.value = AdaptationSettings(steps=9, noise=0.1, start="zero")
    assert heard.call_count == 1
    form.value = AdaptationSettings(steps=9, noise=0.1, start="zero")
    assert heard.call_count == 1


def test_a_screen_reader_hears_what_each_control_is(model):
    form = SettingsForm(model)
    for name, field in model.model_fields.items():
        native = form.control(name).native
        assert native.accessibleName() == form.control(name).label
        assert native.accessibleDescription() == field.description

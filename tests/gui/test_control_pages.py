"""Each control of the docks is spoken of on the page of its part, under a name that the window shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QSlider,
    QTabBar,
    QWidget,
)

from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.settings_form import SettingsForm

DOCS = Path(__file__).parents[2] / "docs"

WORKBENCH = {
    "": ("image", "prompts", "model", "running", "adaptation", "keys"),
    "Prompts": ("prompts",),
    "Adaptation": ("adaptation",),
    "Other images": ("mutual",),
    "Scoring and colours": ("scoring",),
    "Probe": ("probe",),
    "Compare": ("compare",),
    "Tiling": ("image",),
    "Model and memory": ("model",),
}
REVIEW = {
    "": ("queue", "review"),
    "How good is it?": ("metrics",),
    "Which prompt is to blame?": ("tuning",),
    "Learn from false positives": ("references",),
    "Session and export": ("session", "exports"),
}
"""Pages by the title of a section; what is in none stands under the empty title."""

CONTROLS = (QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QSlider)


@pytest.fixture
def docks(dock, viewer):
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    return dock, review


def names(control: QWidget) -> set[str]:
    """What the window calls a control: its words or those in it, what stands before it, what a screen reader says."""
    text = control.text() if isinstance(control, QAbstractButton) else ""
    hint = control.placeholderText() if isinstance(control, QLineEdit) else ""
    spoken = control.accessibleName()
    called = {text, hint, spoken, spoken.partition(": ")[2], _label(control)}
    return {plain(one) for one in called} - {""}


def plain(text: str) -> str:
    """Its words without signs, numbers, capitals and the letter of what is kept; the arrows of undo are words."""
    words = re.sub(r"[^\w↶↷]+|[\d_]+", " ", re.sub(r"([↶↷])|\[(\w)\](?=\w)| [A-D]$", r" \1\2", text))
    return " ".join(words.split()).casefold()


def _label(control: QWidget) -> str:
    """The words before it, in a form or in a row."""
    parent = control.parentWidget()
    layouts = [parent.layout(), *parent.findChildren(QLayout)] if parent is not None else []
    for layout in filter(None, layouts):
        at = layout.indexOf(control)
        before = layout.labelForField(control) if isinstance(layout, QFormLayout) else None
        if before is None and at > 0:
            before = layout.itemAt(at - 1).widget()
        if isinstance(before, QLabel):
            return before.text()
    return ""


def parts(dock: QWidget, pages: dict[str, tuple[str, ...]]) -> dict[str, list[QWidget]]:
    """The controls of each section, without the inner parts of a control and the buttons of a notice."""
    found: dict[str, list[QWidget]] = {title: [] for title in pages}
    whole = (*CONTROLS, Notice, QTabBar)
    for control in dock.findChildren(QWidget):
        around, title, inner = control.parentWidget(), "", False
        while around is not None and around is not dock:
            inner = inner or isinstance(around, whole)
            title = next((name for name, section in dock.sections.items() if section is around), title)
            around = around.parentWidget()
        if isinstance(control, CONTROLS) and not inner and names(control):
            found[title].append(control)
    return found


@pytest.mark.parametrize(("which", "pages"), [(0, WORKBENCH), (1, REVIEW)], ids=["workbench", "review"])
def test_each_control_stands_on_the_page_of_its_part(docks, which, pages):
    dock = docks[which]
    assert set(dock.sections) == set(pages) - {""}, "a section without a page"
    missing = []
    for title, controls in parts(dock, pages).items():
        text = "\n".join((DOCS / f"{page}.md").read_text(encoding="utf-8") for page in pages[title])
        words = f" {plain(text)} "
        assert len(controls) >= 3, title
        missing += [
            f"{title}: {sorted(called)}"
            for called in map(names, controls)
            if not any(f" {name} " in words for name in called)
        ]
    assert not missing, "\n".join(missing)


def test_each_choice_of_a_setting_stands_on_its_page(dock):
    forms: dict[str, SettingsForm] = {
        "image": dock.controls.tiling,
        "model": dock.controls.tower,
        "scoring": dock.controls.scoring.form,
        "adaptation": dock.controls.adaptation.form,
        "mutual": dock.controls.mutual.form,
    }
    missing = []
    for page, form in forms.items():
        text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
        for box in form.native.findChildren(QComboBox):
            shown = [box.itemText(row) for row in range(box.count())]
            missing += [f"{page}: {box.accessibleName()}: {words}" for words in shown if words not in text]
    assert not missing, "\n".join(missing)

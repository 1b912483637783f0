"""Pictures of single parts of both docks, as large as on the screen: what the page of each part shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.settings import get_plugin_settings
from qtpy.QtCore import QPoint, QRect
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QScrollArea, QWidget

from benchmarks.waiting import wait_until
from docs import review_screenshots
from napari_anoclip.plugin import preferences

if TYPE_CHECKING:
    from docs.screenshots import Desk

MARGIN = 4
"""Pixels left above and below a part: less than there are between rows."""
LAST = 6
"""Plane up to which a range goes."""
CLAIMED = "{} with rust"
"""What the folder's defects are; as a prompt it raises false alarms, which the review then shows."""


def workbench_parts(desk: Desk) -> dict[str, QPixmap]:
    """Rows and sections of the AnoCLIP dock, after a run on a sample."""
    dock, controls = desk.dock, desk.controls
    page = getattr(get_plugin_settings(preferences.PLUGIN), preferences.PAGE)
    page.models_folder = "/data/models"  # not the folder of whoever makes the pictures
    desk.score("leather")
    taken = {
        "part_prompts": _part(dock, controls.prompts.object_row, controls.prompts.preset_row),
        "part_model": _part(dock, controls.model.row),
        "part_run": _part(dock, controls.adapt, dock.run_bar),
    }
    sections = {
        "section_states": "Prompts",
        "section_scoring": "Scoring and colours",
        "section_tiling": "Tiling",
        "section_model": "Model and memory",
    }
    for name, title in sections.items():
        taken[name] = _section(desk, title)
    taken["section_prompts_all"] = _all_prompts(desk)
    dock.run_bar.why_button.click()
    taken["section_probe"] = _section(desk, "Probe")
    taken["section_compare"] = _compared(desk)
    taken["section_adaptation"] = _adapted(desk)
    page.reset()
    return taken


def stack_parts(desk: Desk) -> dict[str, QPixmap]:
    """What the AnoCLIP dock shows for a grey stack, and for a pyramid."""
    controls = desk.controls
    desk.open("buttons")
    desk.look_at(planes="range", first=0, last=LAST)
    desk.settle()
    taken = {"part_stack": _part(desk.dock, controls.image.image_row, controls.image.look_row)}
    desk.look_at(planes="all")
    controls.mutual.on.click()
    taken["section_others"] = _section(desk, "Other images")
    side = 4096
    slope = np.linspace(0, 4000, side, dtype=np.uint16)
    full = np.broadcast_to(slope, (side, side))
    desk.viewer.add_image([full, full[::2, ::2], full[::4, ::4]], multiscale=True, name="large scan")
    desk.settle()
    taken["part_pyramid"] = _part(desk.dock, controls.image.image_row, controls.image.look_row)
    return taken


def review_parts(desk: Desk) -> dict[str, QPixmap]:
    """Rows and sections of the review dock, with a folder that is judged in part."""
    review = review_screenshots.judged_folder(desk, also=CLAIMED)
    reviewer = review.reviewer
    reviewer.select(reviewer.regions[0].id)
    taken = {"part_queue": _part(review, review.queue)}
    review.rows.section.open()
    desk.settle()
    taken["part_regions"] = _part(review, review.rows, review.list)
    review.rows.section.open(False)
    taken["part_verdicts"] = _part(review, review.verdicts)
    review_screenshots.show(desk, review, "How good is it?")
    wait_until(lambda: not review.figures._settled.isActive())  # what comes now is another edit
    states = desk.controls.editor.columns["abnormal_states"].list
    states.entries.remove([states.entries.rowCount() - 1])
    wait_until(lambda: review.figures.sentence != "")
    for section in review.figures.findChildren(type(review.sections["How good is it?"])):
        section.open()
    for name, title in (
        ("section_figures", "How good is it?"),
        ("section_blame", "Which prompt is to blame?"),
        ("section_learn", "Learn from false positives"),
        ("section_session", "Session and export"),
    ):
        review_screenshots.show(desk, review, title)
        desk.settle()
        taken[name] = _part(review, review.sections[title])
    return taken


def _part(dock: QWidget, *widgets: QWidget) -> QPixmap:
    """A dock's full width, from the top of some widgets to their bottom, however far it is scrolled."""
    page = dock.findChild(QScrollArea).widget()
    boxes = [QRect(widget.mapTo(page, QPoint()), widget.size()) for widget in widgets]
    top = max(0, min(box.top() for box in boxes) - MARGIN)
    bottom = min(page.height(), max(box.bottom() for box in boxes) + MARGIN)
    return page.grab(QRect(0, top, page.width(), bottom - top))


def _section(desk: Desk, title: str) -> QPixmap:
    desk.show(title)
    desk.settle()
    return _part(desk.dock, desk.dock.sections[title])


def _all_prompts(desk: Desk) -> QPixmap:
    desk.controls.editor.open_page("All")
    return _section(desk, "Prompts")


def _adapted(desk: Desk) -> QPixmap:
    desk.controls.adapt.setChecked(True)
    desk.run()
    return _section(desk, "Adaptation")


def _compared(desk: Desk) -> QPixmap:
    compare = desk.dock.compare
    desk.show("Compare")
    compare.keep.click()
    desk.controls.scoring.form.control("smooth").value = False
    compare.keep.click()
    compare.start.click()
    desk.settle()
    compare.view.ways["swipe"].click()
    taken = _section(desk, "Compare")
    compare.close_comparison()
    desk.controls.scoring.form.control("smooth").value = True
    desk.settle()
    return taken


MAKERS = (workbench_parts, stack_parts, review_parts)
"""Each makes several pictures, by their names."""

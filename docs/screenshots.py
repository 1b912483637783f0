"""Make the pictures of the documentation, in a real window that is used as a person would.

``python -m docs.screenshots [NAME ...]`` makes all of them or those that are named (needs a display, a virtual one will
do). A picture is called after the function that makes it; a function that makes several names each of them. The user's
own napari and dock are neither read nor changed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["NAPARI_CONFIG"] = ""  # keeps the settings of napari and its plugins in memory, the default ones

import numpy as np
from napari.layers import Image as ImageLayer
from napari.settings import get_plugin_settings
from PIL import Image
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton, QScrollArea

from benchmarks.desk import idle, open_desk, picture
from benchmarks.waiting import wait_until
from docs import batch_screenshots, part_screenshots, review_screenshots
from napari_anoclip.plugin import preferences, results
from napari_anoclip.plugin.contour import find_contour

IMAGES = Path(__file__).parent / "images"

DOCK_WIDTH = 400

PALETTE = 256
"""Colours a picture: enough to look right, few enough to stay under 300 kB."""

PLANE_WITH_A_DEFECT = 5
"""Of the sample with buttons."""

SETTLING = 0.3
"""Seconds for the window to draw what is there."""


class Desk:
    """A window with the dock in it, and what a person does in most pictures."""

    def __init__(self) -> None:
        self.viewer, self.dock = open_desk()
        self.controls = self.dock.controls
        self.also_busy: Callable[[], bool] = lambda: False
        window, around = self.viewer.window._qt_window, self.dock.parentWidget()
        while not around.isWindow() and around.parentWidget() is not window:
            around = around.parentWidget()
        window.resizeDocks([around], [DOCK_WIDTH], Qt.Orientation.Horizontal)
        self.settle()

    def open(self, sample: str) -> ImageLayer:
        """Open a sample from the File menu; its image is selected."""
        image = self.viewer.open_sample("napari-anoclip", sample)[0]
        self.viewer.layers.selection.active = image
        self.settle()
        self.viewer.reset_view()
        return image

    def run(self) -> None:
        """Press Run and wait for the heatmap."""
        self.dock.run_bar.run_button.click()
        self.settle()

    def score(self, sample: str) -> ImageLayer:
        """Open a sample and run."""
        image = self.open(sample)
        self.run()
        return image

    def look_at(self, **choice: object) -> None:
        """Choose what of the image is looked at."""
        self.controls.image.choice = {**self.controls.image.choice, **choice}

    def show(self, title: str) -> None:
        """Open one section of the dock, fold the others away, and scroll to it."""
        for name, section in self.dock.sections.items():
            section.open(name == title)
        self.settle()
        scroll = self.dock.findChild(QScrollArea)
        top = self.dock.sections[title].mapTo(scroll.widget(), QPoint()).y()
        scroll.verticalScrollBar().setValue(top)

    def settle(self) -> None:
        """Wait until nothing is under way and everything is drawn."""
        wait_until(self._quiet)
        end = time.monotonic() + SETTLING
        wait_until(lambda: time.monotonic() > end and self._quiet())

    def window(self) -> QPixmap:
        """The whole window as it is now, once it is at rest."""
        self.settle()
        return self.viewer.window._qt_window.grab()

    def _quiet(self) -> bool:
        dock, document = self.dock, self.controls.document
        jobs = (dock.probe.job, dock.compare.job, dock.model_panel.look_job)
        checked = document.check.report is not None and document.check.report.prompts == document.value
        return idle(dock) and checked and not any(job.busy for job in jobs) and not self.also_busy()


def demo(desk: Desk) -> QPixmap:
    desk.score("leather")
    return desk.window()


def demo_light(desk: Desk) -> QPixmap:
    desk.viewer.theme = "light"
    desk.score("leather")
    return desk.window()


def circuit_board(desk: Desk) -> QPixmap:
    desk.score("circuit_board")
    return desk.window()


def stack(desk: Desk) -> QPixmap:
    desk.open("buttons")
    desk.viewer.dims.set_current_step(0, PLANE_WITH_A_DEFECT)
    desk.run()
    return desk.window()


def image_region(desk: Desk) -> QPixmap:
    image = desk.open("leather")
    height, width = image.data.shape[:2]
    corners = np.array([(0.10, 0.15), (0.05, 0.75), (0.60, 0.95), (0.90, 0.55), (0.55, 0.10)]) * (height, width)
    desk.viewer.add_shapes(
        [corners], shape_type="polygon", name="region", face_color="transparent", edge_color="white", edge_width=3
    )
    desk.look_at(region="shape", shape_layer="region")
    desk.run()
    return desk.window()


def model_memory(desk: Desk) -> QPixmap:
    page = getattr(get_plugin_settings(preferences.PLUGIN), preferences.PAGE)
    page.models_folder = "/data/models"  # not the folder of whoever makes the pictures
    desk.score("leather")
    desk.show("Model and memory")
    taken = desk.window()
    page.reset()
    return taken


def prompt_editor(desk: Desk) -> QPixmap:
    desk.score("leather")
    desk.controls.live.setChecked(False)  # leaves the new prompts new
    desk.show("Prompts")
    states = desk.controls.editor.columns["abnormal_states"]
    for entry in ("{} with crack", "{} with hol", "{} with flaw"):
        QTest.keyClicks(states.add_line, entry)
        QTest.keyClick(states.add_line, Qt.Key.Key_Return)
    desk.settle()
    entries = [entry.text for entry in states.list.entries.entries]
    states.list.go_to(entries.index("{} with hol"))
    return desk.window()


def adaptation_loss(desk: Desk) -> QPixmap:
    desk.open("leather")
    desk.controls.adapt.setChecked(True)
    desk.run()
    desk.show("Adaptation")
    return desk.window()


def mutual(desk: Desk) -> QPixmap:
    desk.open("buttons")
    desk.viewer.dims.set_current_step(0, PLANE_WITH_A_DEFECT)
    desk.look_at(planes="all")
    desk.show("Other images")
    desk.controls.mutual.on.click()
    desk.run()
    return desk.window()


def scoring_histogram(desk: Desk) -> QPixmap:
    image = desk.score("leather")
    desk.show("Scoring and colours")
    panel = desk.controls.scoring
    panel.contour.setChecked(True)
    dragged_to = QPoint(round(panel.histogram.x_of(0.4)), panel.histogram.height() // 2)
    QTest.mouseClick(panel.histogram, Qt.MouseButton.LeftButton, pos=dragged_to)
    layers = desk.viewer.layers
    wait_until(lambda: find_contour(layers, results.find(layers, image)) is not None)
    return desk.window()


def stack_range(desk: Desk) -> QPixmap:
    desk.open("buttons")
    desk.viewer.dims.set_current_step(0, PLANE_WITH_A_DEFECT)
    desk.look_at(planes="all")
    desk.run()
    desk.controls.live.setChecked(False)
    desk.look_at(planes="range", first=2, last=6)
    return desk.window()


def run_progress(desk: Desk) -> QPixmap:
    desk.viewer.add_image(picture(4096), rgb=True, name="large sheet")
    desk.controls.tiling.control("mode").value = "tiles"
    bar = desk.dock.run_bar
    bar.run_button.click()
    wait_until(lambda: "s left" in bar.stage)
    return desk.dock.grab()


def results_restore(desk: Desk) -> QPixmap:
    image = desk.score("leather")
    desk.controls.live.setChecked(False)
    desk.controls.adapt.setChecked(True)
    desk.dock.run_bar.keep_button.click()
    desk.settle()
    first, _ = results.results_of(desk.viewer.layers, image)
    desk.viewer.layers.selection.active = first
    return desk.window()


def results_stale(desk: Desk) -> QPixmap:
    image = desk.score("leather")
    desk.controls.live.setChecked(False)
    image.data = np.rot90(image.data).copy()
    wait_until(lambda: results.find(desk.viewer.layers, image).name.endswith(results.STALE_MARK))
    return desk.window()


def probe_why(desk: Desk) -> QPixmap:
    _hold_the_hottest(desk)
    return desk.window()


def probe_where_else(desk: Desk) -> QPixmap:
    _hold_the_hottest(desk)
    desk.dock.probe.tabs.setCurrentIndex(1)
    desk.settle()
    desk.dock.probe.as_layer.setChecked(True)
    return desk.window()


def compare_side_by_side(desk: Desk) -> QPixmap:
    _compare_two(desk)
    return desk.window()


def compare_difference(desk: Desk) -> QPixmap:
    _compare_two(desk)
    desk.dock.compare.view.ways["difference"].click()
    return desk.window()


def keys(desk: Desk) -> QPixmap:
    buttons = desk.dock.findChildren(QPushButton)
    next(button for button in buttons if button.accessibleName() == "List of keys").click()
    wait_until(lambda: QApplication.activePopupWidget() is not None)
    popup = QApplication.activePopupWidget()
    taken = popup.grab()
    popup.close()
    return taken


def preferences_page(desk: Desk) -> QPixmap:
    dialog = desk.viewer.window._open_preferences_dialog()
    pages = [dialog._list.item(row).text() for row in range(dialog._list.count())]
    dialog._list.setCurrentRow(pages.index("AnoCLIP"))
    desk.settle()
    taken = dialog.grab()
    dialog.close()
    return taken


def _hold_the_hottest(desk: Desk) -> None:
    desk.score("leather")
    desk.dock.run_bar.why_button.click()
    desk.show("Probe")


def _compare_two(desk: Desk) -> None:
    """The preset's seven abnormal states, and the one state that names the defect."""
    desk.score("leather")
    desk.show("Compare")
    compare = desk.dock.compare
    compare.keep.click()
    desk.controls.document.edit(lambda prompts: prompts.with_entries("abnormal_states", ["{} with stain"]))
    compare.keep.click()
    compare.rows[1].title.setText("only “stain”")
    compare.start.click()
    desk.settle()


PICTURES: dict[str, Callable[[Desk], QPixmap | dict[str, QPixmap]]] = {
    make.__name__: make
    for make in (
        demo,
        demo_light,
        circuit_board,
        stack,
        image_region,
        model_memory,
        prompt_editor,
        adaptation_loss,
        mutual,
        scoring_histogram,
        stack_range,
        run_progress,
        results_restore,
        results_stale,
        probe_why,
        probe_where_else,
        compare_side_by_side,
        compare_difference,
        keys,
        preferences_page,
        *part_screenshots.MAKERS,
        *review_screenshots.MAKERS,
        *batch_screenshots.MAKERS,
    )
}


def save(taken: QPixmap, file: Path) -> None:
    """Save with few colours, which is small; dithered, or the heatmap's would stand in steps."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.png"
        taken.save(str(large))
        with Image.open(large) as image:
            colours = image.convert("RGB")
    palette = colours.quantize(PALETTE, Image.Quantize.FASTOCTREE)
    colours.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)


def main(names: list[str]) -> None:
    IMAGES.mkdir(exist_ok=True)
    for name in names or PICTURES:
        desk = Desk()
        taken = PICTURES[name](desk)
        for called, pixels in (taken if isinstance(taken, dict) else {name: taken}).items():
            file = IMAGES / f"{called}.png"
            save(pixels, file)
            print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")
        desk.viewer.close()


if __name__ == "__main__":
    main(sys.argv[1:])

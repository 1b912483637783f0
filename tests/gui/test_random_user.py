"""A user who does a hundred things at random: nothing breaks, nothing leaks, and the dock still works."""

from __future__ import annotations

import gc
import itertools
import logging
import random
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from gui.conftest import PROMPTS
from gui.probing import Mouse
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QDesktopServices, QKeySequence
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QHeaderView,
    QLineEdit,
    QScrollBar,
    QWidget,
)
from skimage.io import imsave

from napari_anoclip.engine.detector import AnoCLIP
from napari_anoclip.engine.errors import DeviceError, DownloadError
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.plugin import model_download, results
from napari_anoclip.plugin.models import ModelChoice

ACTIONS = 100
WORDS = ("plate", "", "   ", "screw {", "Schraube aus Öl", "螺丝", "worn {} by {domain}", "x" * 300, "builtin", "0.3")
KEYS = ("Ctrl+Return", "Ctrl+Shift+Return", "Esc", "Ctrl+Z", "Ctrl+Shift+Z", "Tab", "Del", "Space", "F1", "Ctrl+V")
PAUSES = (0, 0, 0, 20, 180)
"""Milliseconds: mostly none; the last is longer than what waits for quiet."""

Action = tuple[str, Callable[[], object]]


class RandomUser:
    """Draws what to do next from all that can be done now.

    Parameters
    ----------
    dock, viewer
        What is used.
    seed : int
        Of the draws.
    """

    def __init__(self, dock, viewer, seed: int) -> None:
        self._dock = dock
        self._viewer = viewer
        self._random = random.Random(seed)
        self._names = itertools.count()
        self._mouse = Mouse(viewer)
        self.seen: dict[int, tuple[str, weakref.ref]] = {}

    def turn_to(self, dock) -> None:
        """Use another dock from now on."""
        self._dock = dock

    def act(self) -> str:
        """Do one thing; give its name."""
        kinds = [self._control] * 10 + [self._menu, self._section, self._key, self._row] + [self._in_the_viewer] * 5
        name, do = self._random.choice(kinds)()
        print(name)  # shown by pytest where a test fails
        do()
        for popup in iter(QApplication.activePopupWidget, None):
            popup.close()
        for layer in self._viewer.layers:
            self.seen[id(layer)] = layer.name, weakref.ref(layer)
        return name

    def _visible(self, *kinds: type[QWidget]) -> list[QWidget]:
        return [
            widget
            for kind in kinds
            for widget in self._dock.findChildren(kind)
            if widget.isVisibleTo(self._dock) and widget.isEnabledTo(self._dock)
        ]

    def _control(self) -> Action:
        parts = QAbstractSpinBox, QComboBox, QAbstractItemView  # whose inner widgets are used through them
        widgets = [
            widget
            for widget in self._visible(QAbstractButton, QComboBox, QAbstractSpinBox, QLineEdit, QAbstractSlider)
            if not isinstance(widget.parent(), parts) and not isinstance(widget, QScrollBar)
        ]
        widget = self._random.choice(widgets)
        called = widget.accessibleName() or getattr(widget, "text", lambda: "")() or widget.objectName()
        return f"{type(widget).__name__} “{called}”", lambda: self._use(widget)

    def _use(self, widget: QWidget) -> None:
        draw = self._random
        if isinstance(widget, QAbstractButton):
            if _menu_of(widget) is None or hasattr(widget, "popupMode"):
                widget.click()  # a click on a push button with a menu would open it and wait
            else:
                self._take_from(widget)
        elif isinstance(widget, QComboBox):
            index = draw.randrange(max(widget.count(), 1))
            widget.setCurrentIndex(index)
            widget.activated.emit(index)
        elif isinstance(widget, QAbstractSpinBox):
            if draw.random() < 0.7:
                widget.stepBy(draw.randint(-5, 5))
            else:
                widget.setValue(draw.choice([widget.minimum(), min(2 * widget.value(), widget.maximum())]))
        elif isinstance(widget, QAbstractSlider):
            widget.setValue(draw.randint(widget.minimum(), widget.maximum()))
        else:
            widget.setText(draw.choice(WORDS))
            QTest.keyClick(widget, Qt.Key.Key_Return)

    def _menu(self) -> Action:
        buttons = [button for button in self._visible(QAbstractButton) if _menu_of(button) is not None]
        if not buttons:
            return self._section()
        button = self._random.choice(buttons)
        return f"menu of “{button.accessibleName()}”", lambda: self._take_from(button)

    def _take_from(self, button: QAbstractButton) -> None:
        menu = _menu_of(button)
        menu.aboutToShow.emit()
        actions = [action for action in menu.actions() if action.isEnabled()]
        if actions:
            self._random.choice(actions).trigger()

    def _section(self) -> Action:
        title = self._random.choice(list(self._dock.sections))
        section = self._dock.sections[title]
        return f"section “{title}”", lambda: section.open(not section.is_open)

    def _key(self) -> Action:
        keys = self._random.choice(KEYS)
        widgets = self._visible(QAbstractButton, QLineEdit, QAbstractItemView)
        widget = self._random.choice(widgets)

        def press() -> None:
            widget.setFocus()
            QTest.keySequence(widget, QKeySequence(keys))

        return f"key {keys} on {type(widget).__name__} “{widget.accessibleName()}”", press

    def _row(self) -> Action:
        """Point at a row of a list or table."""
        views = [view for view in self._visible(QAbstractItemView) if not isinstance(view, QHeaderView)]
        views = [view for view in views if view.model() and view.model().rowCount()]
        if not views:
            return self._section()
        view = self._random.choice(views)
        index = view.model().index(self._random.randrange(view.model().rowCount()), 0)

        def click() -> None:
            view.scrollTo(index)
            centre = view.visualRect(index).center()
            QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, centre)

        return f"row {index.row()} of “{view.accessibleName()}”", click

    def _in_the_viewer(self) -> Action:
        deeds: list[Callable[[], Action]] = [self._add, self._slide, self._point, self._switch]
        if len(self._viewer.layers):
            deeds += [self._select, self._select, self._rename, self._remove, self._alter]
        return self._random.choice(deeds)()

    def _add(self) -> Action:
        viewer, name = self._viewer, f"layer {next(self._names)}"
        picture = np.full((48, 60), 40, np.uint8)
        row, column = self._random.randrange(30), self._random.randrange(40)
        picture[row : row + 12, column : column + 12] = 230
        corners = np.array([[5, 5], [5, 40], [40, 40], [40, 5]])
        added: dict[str, Callable[[], object]] = {
            "grey": lambda: viewer.add_image(picture, name=name),
            "RGB": lambda: viewer.add_image(np.stack([picture] * 3, axis=-1), name=name, scale=(2, 0.5)),
            "stack": lambda: viewer.add_image(np.stack([picture, picture[::-1]] * 2), name=name),
            "float": lambda: viewer.add_image(picture / np.float32(100) - 1, name=name),
            "pyramid": lambda: viewer.add_image([picture, picture[::2, ::2]], name=name, multiscale=True),
            "labels": lambda: viewer.add_labels((picture > 100).astype(int), name=name),
            "shapes": lambda: viewer.add_shapes([corners], shape_type="polygon", name=name),
        }
        kind = self._random.choice(list(added))
        return f"add {kind} as “{name}”", added[kind]

    def _some_layer(self) -> int:
        return self._random.randrange(len(self._viewer.layers))

    def _select(self) -> Action:
        layers, at = self._viewer.layers, self._some_layer()
        return f"select “{layers[at].name}”", lambda: setattr(layers.selection, "active", layers[at])

    def _rename(self) -> Action:
        layers, at = self._viewer.layers, self._some_layer()
        return f"rename “{layers[at].name}”", lambda: setattr(layers[at], "name", f"renamed {next(self._names)}")

    def _remove(self) -> Action:
        layers, at = self._viewer.layers, self._some_layer()
        return f"remove “{layers[at].name}”", lambda: layers.pop(at) and None

    def _alter(self) -> Action:
        """Move a layer, or hide it."""
        layers, at, draw = self._viewer.layers, self._some_layer(), self._random
        if draw.random() < 0.5:
            scale = [draw.choice([0.5, 1, 3])] * layers[at].ndim
            return f"rescale “{layers[at].name}”", lambda: setattr(layers[at], "scale", scale)
        return f"hide or show “{layers[at].name}”", lambda: setattr(layers[at], "visible", not layers[at].visible)

    def _slide(self) -> Action:
        to = self._random.randrange(5)
        return f"slider to {to}", lambda: self._viewer.dims.set_current_step(0, to)

    def _switch(self) -> Action:
        viewer = self._viewer
        deeds: dict[str, Callable[[], object]] = {
            "light": lambda: setattr(viewer, "theme", "light"),
            "dark": lambda: setattr(viewer, "theme", "dark"),
            "roll the axes": viewer.dims.roll,
            "2D or 3D": lambda: setattr(viewer.dims, "ndisplay", 5 - viewer.dims.ndisplay),
        }
        deed = self._random.choice(list(deeds))
        return deed, deeds[deed]

    def _point(self) -> Action:
        at = [0.0] * self._viewer.dims.ndim
        at[-2:] = self._random.randrange(60), self._random.randrange(60)
        deed = self._random.choice([self._mouse.move, self._mouse.click])
        return f"{deed.__name__} at {at}", lambda: deed(at)


def _menu_of(button: QAbstractButton):
    return button.menu() if hasattr(button, "menu") else None


@pytest.fixture
def away(monkeypatch, tmp_path, bright_is_bad):
    """No dialog, no file manager, no network; of models only the hand-set one."""
    chosen = itertools.cycle(["", str(tmp_path / "mine.yaml"), str(tmp_path / "missing.yaml")])
    PROMPTS.save(tmp_path / "mine.yaml")
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_, **__: (next(chosen), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: True)

    def ask_hub(*_):
        raise DownloadError("There is no network. Try again later.")

    def load(name, *, device="auto", **_):
        if name != "builtin":
            raise DownloadError(f"The model {name} is not on this machine, and there is no network.")
        if device not in ("auto", "cpu"):
            raise DeviceError(f"There is no {device} here. Choose another device.")
        return bright_is_bad

    monkeypatch.setattr(model_download, "ask_hub", ask_hub)
    monkeypatch.setattr(AnoCLIP, "load", load)


@pytest.fixture
def no_slip(caplog) -> Iterator[None]:
    """Nothing went wrong in a worker that nobody foresaw: that is in the log."""
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR and "anoclip" in r.name] == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_hundred_things_at_random(seed, dock, viewer, use_model, bright_is_bad, picture, run, away, no_slip, qtbot):
    use_model(bright_is_bad)
    print(f"seed {seed}")
    window = viewer.window._qt_window
    # Mesa's software drawing crashes now and then in 3D, with napari alone too.
    viewer.window._qt_viewer.canvas.native.hide()
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    viewer.add_image(picture[:, :, 0].copy(), name="plate")
    user = RandomUser(dock, viewer, seed)
    draw = random.Random(seed)
    for _ in range(ACTIONS):
        user.act()
        qtbot.wait(draw.choice(PAUSES))
    assert window.isVisible()
    is_alive_and_works(dock, viewer, picture, run, qtbot)
    lets_go_of_every_layer(user, viewer, qtbot)
    viewer.window.remove_dock_widget(dock)
    assert [thread.name for thread in threading.enumerate() if thread.name == "anoclip-run"] == []


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_hundred_things_at_random_in_a_review(
    seed, dock, viewer, use_model, bright_is_bad, picture, run, away, no_slip, tmp_path, monkeypatch, qtbot
):
    use_model(bright_is_bad)
    folders = itertools.cycle(["", str(tmp_path / "missing"), str(pictures(tmp_path / "line 3", picture)), ""])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: next(folders))
    print(f"seed {seed}")
    viewer.window._qt_viewer.canvas.native.hide()
    window = viewer.window._qt_window
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    viewer.add_image(picture[:, :, 0].copy(), name="plate")
    _, review = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP Review")
    run(dock)
    values = results.find(viewer.layers, viewer.layers["plate"]).data
    qtbot.waitUntil(lambda: review.reviewer.result is not None)
    review.reviewer.set_threshold(float(values.min() + values.max()) / 2)
    user = RandomUser(dock, viewer, seed)
    draw = random.Random(seed)
    for _ in range(ACTIONS):
        user.turn_to(review if draw.random() < 0.8 else dock)
        user.act()
        qtbot.wait(draw.choice(PAUSES))
    assert window.isVisible()
    viewer.window.remove_dock_widget(review)
    is_alive_and_works(dock, viewer, picture, run, qtbot)
    lets_go_of_every_layer(user, viewer, qtbot)
    viewer.window.remove_dock_widget(dock)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("anoclip")] == []


def pictures(folder, picture):
    """A folder of three pictures, one of them damaged."""
    folder.mkdir()
    for name in ("part_1.png", "part_2.png"):
        imsave(folder / name, np.roll(picture, len(list(folder.iterdir())) * 7, axis=1), check_contrast=False)
    (folder / "part_3.png").write_bytes(b"no picture")
    return folder


def is_alive_and_works(dock, viewer, picture, run, qtbot):
    timer = QTimer()
    with qtbot.waitSignal(timer.timeout, timeout=1000):
        timer.start(0)
    timer.stop()
    dock.controls.live.setChecked(False)
    dock.compare.close_comparison()
    dock.job.cancel()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=10_000)
    viewer.dims.ndisplay = 2
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    dock.settings = AnoCLIPSettings()
    dock.controls.model.choice = ModelChoice()
    dock.controls.image.choice = {}
    dock.controls.document.value = PROMPTS
    dock.controls.prompts._object.setText(PROMPTS.object)  # what was typed may be no name
    image = viewer.add_image(picture, rgb=True, name="good")
    dock.notice.clear()
    run(dock)
    assert results.find(viewer.layers, image) is not None


def lets_go_of_every_layer(user, viewer, qtbot):
    viewer.layers.clear()
    qtbot.wait(500)  # what waits for quiet or draws
    gc.collect()
    assert [name for name, layer in user.seen.values() if layer() is not None] == []

"""A user who does anything at random: nothing breaks, nothing leaks, and the docks still work.

In `make test` that is a few dozen things with one dock or both. With ``--thorough``, as in `make faults`, it is a
thousand things for each of five seeds, over the whole plugin: docks are closed and opened again, folders and sessions
dropped. A failure shows the seed and what was done until then.
"""

from __future__ import annotations

import gc
import itertools
import logging
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gui.conftest import PROMPTS
from gui.probing import Mouse
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QKeySequence
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
from napari_anoclip.review.session import Session

QUICK, THOROUGH = (40, 2), (1000, 5)
"""How many things are done, for how many seeds."""

WORDS = ("plate", "", "   ", "screw {", "Schraube aus Öl", "螺丝", "worn {} by {domain}", "x" * 300, "builtin", "0.3")
KEYS = ("Ctrl+Return", "Ctrl+Shift+Return", "Esc", "Ctrl+Z", "Ctrl+Shift+Z", "Tab", "Del", "Space", "F1", "Ctrl+V")
REVIEW_KEYS = (*"DFUNPGEM123", "Z", "Z", "Shift+Z", "Esc", "PgDown", "PgUp")
DOCKS = ("AnoCLIP", "AnoCLIP Review")
PAUSES = (0, 0, 0, 20, 180)
"""Milliseconds: mostly none; the last is longer than what waits for quiet."""

Action = tuple[str, Callable[[], object]]


class RandomUser:
    """Draws what to do next from all that can be done now.

    Parameters
    ----------
    viewer
        What is used.
    docks : dict
        The open docks by their name.
    seed : int
        Of the draws.
    home : Path, optional
        A folder of pictures and sessions that may be dropped; with it, docks are closed and opened, too.
    """

    def __init__(self, viewer, docks: dict[str, QWidget], seed: int, home: Path | None = None) -> None:
        self._viewer = viewer
        self.docks = docks
        self._random = random.Random(seed)
        self._names = itertools.count()
        self._mouse = Mouse(viewer)
        self._home = home
        self._dock = next(iter(docks.values()))
        self.seen: dict[int, tuple[str, weakref.ref]] = {}

    def act(self) -> str:
        """Do one thing; give its name."""
        kinds = [self._control] * 10 + [self._menu, self._section, self._key, self._row] + [self._in_the_viewer] * 5
        if "AnoCLIP Review" in self.docks:
            kinds += [self._review_key] * 2
        if self._home is not None:
            kinds += [self._drop, self._come_and_go] if self._random.random() < 0.3 else []
        names = list(self.docks)
        self._dock = self.docks[self._random.choices(names, [4 if "Review" in name else 1 for name in names])[0]]
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

    def _review_key(self) -> Action:
        """A key of the review, on the canvas or in its dock."""
        keys = self._random.choice(REVIEW_KEYS)
        canvas = self._viewer.window._qt_window.centralWidget()
        widget = self._random.choice([canvas, self.docks["AnoCLIP Review"]])

        def press() -> None:
            widget.setFocus()
            QTest.keySequence(widget, QKeySequence(keys))

        return f"key {keys} on {type(widget).__name__}", press

    def _drop(self) -> Action:
        """Drop a folder of pictures, a picture, a session, or something else on a dock."""
        paths = [self._home, *self._home.iterdir()]
        path = self._random.choice(paths)
        return f"drop {path.name} on {type(self._dock).__name__}", lambda: drop(self._dock, path)

    def _come_and_go(self) -> Action:
        """Close a dock, or open the one that is closed; the last one stays."""
        closed = [name for name in DOCKS if name not in self.docks]
        if closed:
            return f"open {closed[0]}", lambda: self.docks.update({closed[0]: opened(self._viewer, closed[0])})
        name = self._random.choice(DOCKS)
        return f"close {name}", lambda: self._viewer.window.remove_dock_widget(self.docks.pop(name))

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A few short users, or a few long ones of everything."""
    thorough = metafunc.config.getoption("--thorough")
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range((THOROUGH if thorough else QUICK)[1]))
        metafunc.parametrize("docks", ["everything"] if thorough else ["the workbench", "both docks"])


@pytest.mark.timeout(1200)
@pytest.mark.fault(
    "GUI lifetimes",
    "a user who does anything at random, with {docks} (a thousand things, five times, by `make faults`)",
    "the window; the next run works, every layer is let go of and no thread is left",
    sees="the docks, which still work",
)
def test_anything_at_random(
    seed,
    docks,
    dock,
    viewer,
    use_model,
    bright_is_bad,
    picture,
    run,
    away,
    no_slip,
    tmp_path,
    monkeypatch,
    qtbot,
    thorough,
):
    use_model(bright_is_bad)
    home = pictures(tmp_path / "line 3", picture)
    folders = itertools.cycle(["", str(tmp_path / "missing"), str(home), ""])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: next(folders))
    print(f"seed {seed}, {docks}")
    # Mesa's software drawing crashes now and then in 3D, with napari alone too.
    viewer.window._qt_viewer.canvas.native.hide()
    window = viewer.window._qt_window
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    viewer.add_image(picture[:, :, 0].copy(), name="plate")
    used = {"AnoCLIP": dock}
    if docks != "the workbench":
        used["AnoCLIP Review"] = review = opened(viewer, "AnoCLIP Review")
        run(dock)
        values = results.find(viewer.layers, viewer.layers["plate"]).data
        qtbot.waitUntil(lambda: review.reviewer.result is not None)
        review.reviewer.set_threshold(float(values.min() + values.max()) / 2)
    user = RandomUser(viewer, used, seed, home if docks == "everything" else None)
    draw = random.Random(seed)
    for _ in range((THOROUGH if thorough else QUICK)[0]):
        user.act()
        qtbot.wait(draw.choice(PAUSES))
    assert window.isVisible()
    if "AnoCLIP Review" in used:
        viewer.window.remove_dock_widget(used["AnoCLIP Review"])
    workbench = used.get("AnoCLIP") or opened(viewer, "AnoCLIP")
    is_alive_and_works(workbench, viewer, picture, run, qtbot)
    lets_go_of_every_layer(user, viewer, qtbot)
    viewer.window.remove_dock_widget(workbench)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("anoclip")] == []


def opened(viewer, name):
    """A dock, as from the Plugins menu."""
    return viewer.window.add_plugin_dock_widget("napari-anoclip", name)[1]


def drop(widget: QWidget, path: Path) -> None:
    """Drop a file or folder on a widget, if that would take it."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    no = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, *no)
    enter.ignore()
    QApplication.sendEvent(widget, enter)
    if enter.isAccepted():
        QApplication.sendEvent(widget, QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, *no))


def pictures(folder, picture):
    """A folder of three pictures, one of them damaged."""
    folder.mkdir()
    Session.open(folder / "theirs.anoclip").close()
    (folder / "notes.txt").write_text("nothing to see")
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
    # What napari does to a layer when a key is let go of, and that was elsewhere.
    viewer.window._qt_viewer.canvas._key_map_handler._key_release_generators.clear()
    held = ["?"]
    for _ in range(20):
        qtbot.wait(500)  # what waits for quiet or draws, which takes its time on a busy machine
        gc.collect()
        held = [name for name, layer in user.seen.values() if layer() is not None]
        if not held:
            break
    assert held == []

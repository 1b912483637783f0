"""A film of a real window: what a hand does in it, with pointer, keys and captions, as a moving picture."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from qtpy.QtCore import QBuffer, QIODevice, QPoint, QPointF, QRect, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPixmap, QPolygonF
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QApplication, QMainWindow, QMenu, QRadioButton, QWidget

from benchmarks.waiting import wait_until

STRIP = 60
"""Pixels of height below the window, for captions."""
EVERY = 0.12
"""Seconds between frames while something moves."""
STEPS = 5
"""Frames in which the pointer gets from one place to another."""
QUALITY = 70
"""Of the lossy compression; text stays sharp from about here."""

_ARROW = [(0, 0), (0, 19), (5, 15), (9, 23), (12, 21), (9, 14), (15, 14)]
_INK, _PAPER, _SPOT = QColor("#f4f4f4"), QColor("#16181d"), QColor(255, 200, 0, 150)


class Film:
    """Frames of a window that is used by hand.

    Parameters
    ----------
    window : QMainWindow
        What is filmed, with the menus that are open over it.
    width : int
        Of the film, in pixels.

    Attributes
    ----------
    frames : list of (PIL.Image.Image, int)
        Pictures, and how many milliseconds each stands.
    """

    def __init__(self, window: QMainWindow, width: int) -> None:
        self.frames: list[tuple[Image.Image, int]] = []
        self._window = window
        self._width = width
        self._at = QPointF(window.width() * 0.45, window.height() * 0.7)
        self._pressed = False
        self._caption = ""
        self._key = ""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return sum(lasts for _, lasts in self.frames) / 1000

    def say(self, caption: str) -> None:
        """What stands below the window from now on."""
        self._caption = caption

    def hold(self, seconds: float) -> None:
        """Stand still on what is there now."""
        QApplication.processEvents()
        frame, lasts = self._frame(), round(seconds * 1000)
        if self.frames and self.frames[-1][0].tobytes() == frame.tobytes():
            frame, before = self.frames.pop()
            lasts += before
        self.frames.append((frame, lasts))

    def follow(self, done: Callable[[], bool], most: float) -> None:
        """Film until something is so. Waiting beyond some seconds is left out: machines differ, the story does not."""
        began = time.monotonic()
        while not done():
            due = time.monotonic() + EVERY
            if time.monotonic() - began < most:
                self.hold(EVERY)
            wait_until(lambda due=due: time.monotonic() >= due or done())
        self.hold(EVERY)

    def click(self, widget: QWidget, at: QPoint | None = None) -> None:
        """Move the pointer to a widget, to its middle or a place in it, and press."""
        place = at or (QPoint(12, widget.height() // 2) if isinstance(widget, QRadioButton) else widget.rect().center())
        self._go_to(QPointF(widget.mapTo(self._window, place)))
        self._pressed = True
        self.hold(0.25)
        if isinstance(widget, QAbstractButton):
            widget.click()
        else:
            QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=place)
        self._pressed = False

    def press(self, widget: QWidget, key: str, seconds: float) -> None:
        """Press one key, and show it for some seconds beside the caption."""
        self._key = key
        self.hold(seconds)
        QTest.keyClick(widget, key.lower())
        self._key = ""

    def type(self, widget: QWidget, text: str) -> None:
        """Type into a field, some letters a frame, and press Enter."""
        for start in range(0, len(text), 3):
            QTest.keyClicks(widget, text[start : start + 3])
            self.hold(EVERY)
        self._key = "Enter"
        self.hold(0.4)
        QTest.keyClick(widget, Qt.Key.Key_Return)
        self._key = ""

    def choose(self, *path: str) -> None:
        """Choose from the menus, which open one beside the other."""
        bar = self._window.menuBar()
        entry = next(action for action in bar.actions() if _called(action.text()) == path[0])
        menu, opened = entry.menu(), []
        corner = bar.mapTo(self._window, bar.actionGeometry(entry).bottomLeft())
        for name in path[1:]:
            menu.popup(self._window.mapToGlobal(corner))
            wait_until(menu.isVisible)
            opened.append(menu)
            action = next(one for one in menu.actions() if _called(one.text()) == name)
            box: QRect = menu.actionGeometry(action)
            menu.setActiveAction(action)
            self._go_to(QPointF(corner + box.center()))
            self.hold(0.3)
            corner, menu = corner + box.topRight(), action.menu()
        for one in reversed(opened):
            one.close()
        action.trigger()

    def save(self, file: Path) -> None:
        """Write all frames into one file, which begins again at its end."""
        pictures = [frame for frame, _ in self.frames]
        pictures[0].save(
            file, save_all=True, append_images=pictures[1:], duration=[lasts for _, lasts in self.frames],
            loop=0, quality=QUALITY, method=5, minimize_size=True,
        )  # fmt: skip

    def _go_to(self, place: QPointF) -> None:
        start = self._at
        for step in range(1, STEPS + 1):
            way = step / STEPS
            self._at = start + (place - start) * (way * way * (3 - 2 * way))
            self.hold(EVERY / 2)

    def _frame(self) -> Image.Image:
        window = self._window.grab()
        canvas = QPixmap(window.width(), window.height() + STRIP)
        canvas.fill(_PAPER)
        painter = QPainter(canvas)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, window)
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QMenu) and widget.isVisible():
                painter.drawPixmap(self._window.mapFromGlobal(widget.pos()), widget.grab())
        if self._pressed:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_SPOT)
            painter.drawEllipse(self._at, 16, 16)
        painter.setPen(QColor("black"))
        painter.setBrush(QColor("white"))
        painter.drawPolygon(QPolygonF([self._at + QPointF(*point) for point in _ARROW]))
        self._write(painter, QRect(24, window.height(), window.width() - 48, STRIP))
        painter.end()
        return _as_image(canvas.scaledToWidth(self._width, Qt.TransformationMode.SmoothTransformation))

    def _write(self, painter: QPainter, strip: QRect) -> None:
        font = QFont(painter.font())
        font.setPixelSize(26)
        painter.setFont(font)
        painter.setPen(_INK)
        painter.drawText(strip, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self._caption)
        if self._key:
            wide = painter.fontMetrics().horizontalAdvance(self._key) + 32
            cap = QRect(strip.right() - wide, strip.top() + 8, wide, STRIP - 16)
            painter.setBrush(_INK)
            painter.drawRoundedRect(cap, 6, 6)
            painter.setPen(_PAPER)
            painter.drawText(cap, Qt.AlignmentFlag.AlignCenter, self._key)


def _called(text: str) -> str:
    """An entry's words without the mark of its letter and without dots."""
    return text.replace("&", "").rstrip("….")


def _as_image(pixmap: QPixmap) -> Image.Image:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "BMP")
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGB")

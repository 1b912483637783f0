"""The keys of the review: single letters while the canvas or the dock has the focus; a text field types as ever."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_anoclip.plugin import keys
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.verdicts import MAX_KINDS

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer
    from napari_anoclip.plugin.shape_editor import ShapeEditor


class ReviewKeys(QObject):
    """Binds the keys to a widget, and to the canvas of the window that it is in.

    Parameters
    ----------
    reviewer : Reviewer
        What they act on.
    editor : ShapeEditor
        Ended by Esc.
    turn : callable
        Called with 1 or -1 to go to another image of the folder.
    """

    def __init__(self, reviewer: Reviewer, editor: ShapeEditor, turn: Callable[[int], None]) -> None:
        super().__init__(reviewer)
        self._editor = editor
        self._bound: list[QShortcut] = []
        self._escapes: list[QShortcut] = []
        self._verbs: tuple[tuple[keys.Key, Callable[[], None]], ...] = (
            (keys.DEFECT, partial(reviewer.judge, Verdict.DEFECT)),
            (keys.FALSE, partial(reviewer.judge, Verdict.FALSE)),
            (keys.UNSURE, partial(reviewer.judge, Verdict.UNSURE)),
            (keys.NEXT, reviewer.next),
            (keys.PREVIOUS, reviewer.previous),
            (keys.GOOD, reviewer.good),
            (keys.EDIT, reviewer.edit_shape),
            (keys.MISSED, reviewer.add_missed),
            (keys.REVIEW_UNDO, reviewer.undo),
            (keys.REVIEW_REDO, reviewer.redo),
            (keys.NEXT_IMAGE, partial(turn, 1)),
            (keys.PREVIOUS_IMAGE, partial(turn, -1)),
        )
        self._kinds = tuple((str(number), partial(reviewer.set_kind, number)) for number in range(1, MAX_KINDS + 1))
        editor.hinted.connect(self._on_hint)

    def bind(self, dock: QWidget) -> None:
        """Make the keys work in a dock and in the canvas beside it; again after it moved to another window."""
        self.release()
        places = [dock]
        window = _main_window(dock)
        if window is not None and window.centralWidget() is not None:
            places.append(window.centralWidget())
        for place in places:
            for key, do in self._verbs:
                self._bind(place, key.keys, do)
            for text, do in self._kinds:
                self._bind(place, text, do)
            self._escapes.append(self._bind(place, "Esc", self._editor.stop))
        self._on_hint("")

    def release(self) -> None:
        """Unbind all keys."""
        for shortcut in self._bound:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._bound.clear()
        self._escapes.clear()

    def _bind(self, place: QWidget, sequence: str, do: Callable[[], None]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(sequence), place)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(do)
        self._bound.append(shortcut)
        return shortcut

    def _on_hint(self, _: str) -> None:
        """Esc means something else to others while nothing is drawn."""
        for shortcut in self._escapes:
            shortcut.setEnabled(self._editor.drawing)


def _main_window(widget: QWidget) -> QMainWindow | None:
    """The main window around a widget, also where its dock floats."""
    around: QObject | None = widget
    while around is not None and not isinstance(around, QMainWindow):
        around = around.parent()
    return around

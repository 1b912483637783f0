"""Every key of the plugin in one table: what they do in the dock's help and in the documentation comes from here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QWidget


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes
    ----------
    keys : str
        As Qt writes it; alternatives with a comma and a space between.
    where : str
        What must have the focus.
    does : str
        What it does, as a sentence without its full stop.
    """

    keys: str
    where: str
    does: str


RUN = Key("Ctrl+Return, Ctrl+Enter", "dock", "Score the image")
KEEP = Key("Ctrl+Shift+Return, Ctrl+Shift+Enter", "dock", "Score the image into a new result, keep the one there is")
CANCEL = Key("Esc", "dock", "Cancel what is under way")
HELP = Key("F1", "dock", "Show this list")
UNDO = Key("Ctrl+Z", "prompt editor", "Undo the last change of the prompts")
REDO = Key("Ctrl+Shift+Z", "prompt editor", "Redo it")
SAVE = Key("Ctrl+S", "prompt editor", "Save the prompts to their file")
MOVE_UP = Key("Alt+Up", "prompt list", "Move the chosen entries up")
MOVE_DOWN = Key("Alt+Down", "prompt list", "Move the chosen entries down")
PASTE = Key("Ctrl+V", "prompt list", "Paste lines, each as an entry")
REMOVE = Key("Del", "prompt list", "Remove the chosen entries")
THRESHOLD = Key("Left, Right", "histogram", "Move the threshold a little, with Shift more")
BEFORE = Key("Space", "“Hold to see before”", "Show the map without adaptation for as long as it is held")
UNPIN = Key("Esc", "canvas", "Let go of the pixel that the probe holds")

DEFECT = Key("D", "canvas or review dock", "Judge the region a defect and go on to the next one that is not judged")
FALSE = Key("F", "canvas or review dock", "Judge it a false positive and go on")
UNSURE = Key("U", "canvas or review dock", "Judge it unsure and go on")
NEXT = Key("N", "canvas or review dock", "Next region of the list")
PREVIOUS = Key("P", "canvas or review dock", "Previous region of the list")
GOOD = Key("G", "canvas or review dock", "The image is good: all its regions are false positives")
KIND = Key("1 … 9", "canvas or review dock", "Judge the region a defect of this kind")
EDIT = Key("E", "canvas or review dock", "Paint or erase the shape of the region, press again to end")
MISSED = Key("M", "canvas or review dock", "Draw a defect that was missed, press again to change how, Esc to stop")
REVIEW_UNDO = Key("Z", "canvas or review dock", "Undo the last verdict, kind, note or shape")
REVIEW_REDO = Key("Shift+Z", "canvas or review dock", "Redo it")
NEXT_IMAGE = Key("PgDown", "canvas or review dock", "Next image of the folder")
PREVIOUS_IMAGE = Key("PgUp", "canvas or review dock", "Previous image of the folder")

WORKBENCH = (RUN, KEEP, CANCEL, HELP, UNDO, REDO, SAVE, MOVE_UP, MOVE_DOWN, PASTE, REMOVE, THRESHOLD, BEFORE, UNPIN)
REVIEW = (
    *(DEFECT, FALSE, UNSURE, KIND, GOOD, NEXT, PREVIOUS, EDIT, MISSED),
    *(REVIEW_UNDO, REVIEW_REDO, NEXT_IMAGE, PREVIOUS_IMAGE, HELP),
)
KEYS = tuple(dict.fromkeys((*WORKBENCH, *REVIEW)))


def bind(key: Key, widget: QWidget, do: Callable[[], object]) -> None:
    """Make a key work wherever in a widget the focus is."""
    for sequence in key.keys.split(", "):
        shortcut = QShortcut(QKeySequence(sequence), widget)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(do)


def as_table(keys: tuple[Key, ...] = KEYS) -> str:
    """The table in Markdown."""
    rows = [f"| {key.keys.replace(', ', ' or ')} | {key.where} | {key.does} |" for key in keys]
    return "\n".join(["| key | where the focus is | what it does |", "|---|---|---|", *rows])

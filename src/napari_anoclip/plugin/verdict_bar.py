"""The buttons of the review: verdicts, the way through the queue, kinds, and a note; each says its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.plugin import keys
from napari_anoclip.plugin.kind_row import KindRow
from napari_anoclip.plugin.region_columns import note_of
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.plugin.keys import Key
    from napari_anoclip.plugin.reviewer import Reviewer

_WAYS = ("lasso", "polygon", "brush")
"""To draw what was missed."""


class VerdictBar(QWidget):
    """Buttons that do what the keys do, enabled as they fit.

    Parameters
    ----------
    reviewer : Reviewer
        Whose verbs are called.

    Attributes
    ----------
    kinds : KindRow
        Kinds of defect.
    note : QLineEdit
        The note of the current region.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._noted: int | None = None
        self.defect = self._button("[D]efect", keys.DEFECT, lambda: reviewer.judge(Verdict.DEFECT))
        self.false = self._button("[F]alse positive", keys.FALSE, lambda: reviewer.judge(Verdict.FALSE))
        self.unsure = self._button("[U]nsure", keys.UNSURE, lambda: reviewer.judge(Verdict.UNSURE))
        self.next = self._button("[N]ext", keys.NEXT, reviewer.next)
        self.previous = self._button("[P]revious", keys.PREVIOUS, reviewer.previous)
        self.edit = self._button("[E]dit shape", keys.EDIT, reviewer.edit_shape)
        self.missed = self._button("[M]issed", keys.MISSED, reviewer.add_missed)
        self.good = self._button("[G]ood image", keys.GOOD, reviewer.good)
        self.undo = self._button("↶", keys.REVIEW_UNDO, reviewer.undo, "Undo")
        self.redo = self._button("↷", keys.REVIEW_REDO, reviewer.redo, "Redo")
        self._verdicts = {Verdict.DEFECT: self.defect, Verdict.FALSE: self.false, Verdict.UNSURE: self.unsure}
        for button in self._verdicts.values():
            button.setCheckable(True)
        self.missed.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        for way in _WAYS:
            action = QAction(f"Draw with the {way}", self.missed)
            action.triggered.connect(lambda _=False, way=way: reviewer.add_missed(way))
            self.missed.addAction(action)
        self.kinds = KindRow(reviewer)
        self.note = QLineEdit()
        self.note.setAccessibleName("Note on the region")
        self.note.setToolTip("Words to the current region: kept with Enter, or when you go on.")
        self.note.editingFinished.connect(self.commit_note)
        self._lay_out()
        reviewer.changed.connect(self.follow)
        reviewer.current_changed.connect(self.follow)
        reviewer.image_changed.connect(self.follow)
        reviewer.session_changed.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Show what can be done now, what was said of the current region, and its note."""
        reviewer = self._reviewer
        region, known = reviewer.current, reviewer.entry is not None
        for verdict, button in self._verdicts.items():
            button.setEnabled(region is not None)
            button.setChecked(region is not None and region.verdict is verdict)
        self.edit.setEnabled(region is not None)
        self.next.setEnabled(bool(reviewer.regions))
        self.previous.setEnabled(bool(reviewer.regions))
        self.missed.setEnabled(known)
        self.good.setEnabled(known)
        for button, key, step in (
            (self.undo, keys.REVIEW_UNDO, reviewer.review.to_undo),
            (self.redo, keys.REVIEW_REDO, reviewer.review.to_redo),
        ):
            button.setEnabled(step is not None)
            does = button.accessibleName()
            button.setToolTip(f"{does}: {f'nothing to {does.lower()}' if step is None else step.what} ({key.keys}).")
        self._follow_note()

    def commit_note(self) -> None:
        """Keep the note that was written, with the region that it was written for."""
        reviewer, number, text = self._reviewer, self._noted, self.note.text().strip()
        region = None if number is None else reviewer.region(number)
        if region is None or not self.note.isModified():
            return
        self.note.setModified(False)
        if text != note_of(region):
            current = reviewer.current
            reviewer.select(number)
            reviewer.set_note(text)
            reviewer.select(None if current is None else current.id)

    def _follow_note(self) -> None:
        region = self._reviewer.current
        if region is None or region.id != self._noted:
            self.commit_note()
            self._noted = None if region is None else region.id
            self.note.setModified(False)
        self.note.setEnabled(region is not None)
        if not self.note.isModified():
            self.note.setText("" if region is None else note_of(region))

    def _button(self, text: str, key: Key, do: Callable[[], None], name: str = "") -> QPushButton:
        button = QPushButton(text)
        button.setAccessibleName(name or text.replace("[", "").replace("]", ""))
        button.setToolTip(f"{key.does} ({key.keys}).")
        button.clicked.connect(lambda *_: self._do(do))
        return button

    def _do(self, do: Callable[[], None]) -> None:
        """Keep the note first: not every system gives a button the focus."""
        self.commit_note()
        do()
        self.follow()  # where nothing could be judged, the button goes back

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for buttons in (
            (self.defect, self.false, self.unsure),
            (self.next, self.previous, self.edit),
            (self.missed, self.good, self.undo, self.redo),
        ):
            row = QHBoxLayout()
            row.setSpacing(4)
            for button in buttons:
                row.addWidget(button, 1 if button.text().startswith("[") else 0)
            layout.addLayout(row)
        layout.addWidget(self.kinds)
        note = QHBoxLayout()
        note.addWidget(QLabel("note"))
        note.addWidget(self.note, 1)
        layout.addLayout(note)

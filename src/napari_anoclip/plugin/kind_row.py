"""The kinds of defect, each a button with its digit; the list is the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QKeyEvent
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_anoclip.plugin.region_columns import kind_of
from napari_anoclip.review.verdicts import MAX_KINDS

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer

_ACROSS = 3
_LONGEST = 10
"""Letters of a kind that have room on its button."""


class KindRow(QWidget):
    """Buttons that call the current region a defect of a kind, and what edits the list of kinds.

    Parameters
    ----------
    reviewer : Reviewer
        Whose region is judged, and whose review has the kinds.

    Attributes
    ----------
    buttons : dict
        By kind.
    name : QLineEdit
        Where a new kind, or another name, is written; hidden otherwise.
    """

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._renamed: str | None = None
        self.buttons: dict[str, QPushButton] = {}
        self._grid = QGridLayout()
        self._grid.setSpacing(4)
        for column in range(_ACROSS):
            self._grid.setColumnStretch(column, 1)
        self.add_button = QToolButton()
        self.add_button.setText("+")
        self.add_button.setAccessibleName("Add a kind of defect")
        self.add_button.clicked.connect(lambda *_: self.ask_name())
        self.name = _Name(self._stop_asking)
        self.name.setAccessibleName("Name of the kind of defect")
        self.name.returnPressed.connect(self._on_name)
        self.name.editingFinished.connect(self._stop_asking)  # after Enter too, and when the focus goes
        self.name.hide()
        row = QHBoxLayout()
        row.addWidget(QLabel("kind"), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(self._grid, 1)
        row.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.name)
        reviewer.changed.connect(self.follow)
        reviewer.current_changed.connect(self.follow)
        reviewer.session_changed.connect(self.follow)
        self.follow()

    def follow(self) -> None:
        """Show the kinds that there are, and which one the current region has."""
        kinds = self._reviewer.review.kinds
        if tuple(self.buttons) != kinds:
            self._make_buttons(kinds)
        region = self._reviewer.current
        for kind, button in self.buttons.items():
            button.setEnabled(region is not None)
            button.setChecked(region is not None and kind_of(region) == kind)
        full = len(kinds) >= MAX_KINDS
        self.add_button.setEnabled(not full)
        self.add_button.setToolTip(
            f"There are {MAX_KINDS} kinds, one for each digit. Remove one first." if full else "Add a kind of defect."
        )

    def ask_name(self, renamed: str | None = None) -> None:
        """Have the name of a new kind written, or another one for a kind."""
        self._renamed = renamed
        self.name.setText(renamed or "")
        self.name.selectAll()
        self.name.setPlaceholderText("new kind…")
        self.name.setToolTip(
            "Write a kind of defect and press Enter, or Esc to leave it."
            if renamed is None
            else f"Write another name for “{renamed}” and press Enter. What was judged keeps the old one."
        )
        self.name.show()
        self.name.setFocus()

    def remove(self, kind: str) -> None:
        """Take a kind off the list. Regions that have it keep it."""
        self._set_kinds(one for one in self._reviewer.review.kinds if one != kind)

    def _make_buttons(self, kinds: tuple[str, ...]) -> None:
        for button in self.buttons.values():
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {kind: self._button(number, kind) for number, kind in enumerate(kinds, start=1)}
        for place, button in enumerate(self.buttons.values()):
            self._grid.addWidget(button, *divmod(place, _ACROSS))

    def _button(self, number: int, kind: str) -> QPushButton:
        short = kind if len(kind) <= _LONGEST else f"{kind[: _LONGEST - 1]}…"
        button = QPushButton(f"{number} {short}".replace("&", "&&"))
        button.setCheckable(True)
        button.setMinimumWidth(20)
        button.setAccessibleName(f"Defect of kind {number}, {kind}")
        button.setToolTip(
            f"Judge the region a defect of the kind “{kind}” ({number}). Right click to rename or remove."
        )
        button.clicked.connect(partial(self._choose, number))
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        for title, do in ((f"Rename “{kind}”…", self.ask_name), (f"Remove “{kind}” from the list", self.remove)):
            action = QAction(title.replace("&", "&&"), button)
            action.triggered.connect(lambda _=False, do=do: do(kind))
            button.addAction(action)
        return button

    def _choose(self, number: int, *_: object) -> None:
        self._reviewer.set_kind(number)
        self.follow()  # where nothing could be judged, the button goes back

    def _on_name(self) -> None:
        name, kinds = self.name.text().strip(), self._reviewer.review.kinds
        if name and self._renamed is None:
            self._set_kinds((*kinds, name))
        elif name:
            self._set_kinds(name if one == self._renamed else one for one in kinds)

    def _stop_asking(self) -> None:
        self._renamed = None
        self.name.hide()

    def _set_kinds(self, kinds: Iterable[str]) -> None:
        self._reviewer.review.kinds = kinds
        self.follow()


class _Name(QLineEdit):
    """A line that Esc leaves."""

    def __init__(self, leave: Callable[[], None]) -> None:
        super().__init__()
        self._leave = leave

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt names it)
        """Leave it as if nothing had been written."""
        if event.key() == Qt.Key.Key_Escape:
            self._leave()
        else:
            super().keyPressEvent(event)

"""The prompt editor: states, frames, domains, whole prompts, and all that comes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QButtonGroup, QHBoxLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from napari_anoclip.engine.lint import Remark
from napari_anoclip.engine.prompts import PLACEHOLDERS, Entry, Side
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.prompt_check import WHOLE
from napari_anoclip.plugin.prompt_document import PromptDocument
from napari_anoclip.plugin.prompt_list import PromptColumn, PromptList
from napari_anoclip.plugin.prompt_table import PromptTable
from napari_anoclip.plugin.prompt_tools import PromptFileDrop, PromptTools
from napari_anoclip.plugin.style import muted

SIDE_BY_SIDE = 360
"""Pixels of width from which the two sides stand beside each other."""

TAB_LOOK = """
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 2px; padding: 1px 0px; }
QToolButton:checked { border: 1px solid palette(mid); text-decoration: underline; }
QToolButton:focus { border: 1px dotted palette(mid); }
"""
"""The page that is open is underlined and framed, so that it shows in any colours."""

ALL = "All"
PAGES: dict[str, dict[str, tuple[str, str]]] = {
    "States": {"normal_states": ("normal", "flawless {}"), "abnormal_states": ("abnormal", "{} with crack")},
    "Frames": {"frames": ("frames", "a close-up {domain} of the {}")},
    "Domains": {"domains": ("domains", "photo for visual inspection")},
    "Whole": {
        "normal_prompts": ("whole prompts, normal", "a photo of a new {}"),
        "abnormal_prompts": ("whole prompts, abnormal", "a photo of a broken {}"),
    },
}
"""The lists on each page: their heading, and an example of an entry."""

TIPS = {
    "States": "What a good and a bad object are like; {} stands for the object.",
    "Frames": "The picture around the state; {} stands for the state with its object, {domain} for each domain.",
    "Domains": "What kind of picture the frames speak of.",
    "Whole": "Whole prompts that are used as they are; {} may stand for the object.",
    ALL: "All finished prompts, to switch off single ones.",
}


class Sides(QWidget):
    """Columns beside each other where there is room, below each other where not."""

    def __init__(self, columns: list[PromptColumn]) -> None:
        super().__init__()
        self._box = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._box.setContentsMargins(0, 0, 0, 0)
        for column in columns:
            self._box.addWidget(column, 1)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 (Qt names it)
        """Turn the columns."""
        wide = self.width() >= SIDE_BY_SIDE
        self._box.setDirection(QBoxLayout.Direction.LeftToRight if wide else QBoxLayout.Direction.TopToBottom)
        super().resizeEvent(event)


class PromptEditor(QWidget):
    """All that can be edited of a prompt set.

    Parameters
    ----------
    document : PromptDocument
        What is edited.
    """

    def __init__(self, document: PromptDocument, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._next_remark = 0
        self._pointed: PromptList | PromptTable | None = None
        self.tools = PromptTools(document, self)
        self.notice = Notice()
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter…")
        self.filter.setClearButtonEnabled(True)
        self.filter.setAccessibleName("Filter the entries")
        self.filter.setToolTip("Show only entries and prompts that have this in them.")
        self.columns = {
            field: PromptColumn(document, field, *words) for lists in PAGES.values() for field, words in lists.items()
        }
        self.table = PromptTable(document)
        self._pages: dict[str, QWidget] = {
            name: Sides([self.columns[field] for field in lists]) for name, lists in PAGES.items()
        } | {ALL: self.table}
        self._sentence, self._example, self._summary = QLabel(), QLabel(), QLabel()
        self._effect = QLabel()
        self._effect.setWordWrap(True)
        self._effect.setAccessibleName("What the last edit did on judged images")
        self._effect.setToolTip("Counted on the images that were judged in the review dock.")
        self._effect.hide()
        self._lay_out()
        self._connect()
        PromptFileDrop(document, self)
        self.open_page("States")
        self._refresh()

    @property
    def summary(self) -> str:
        """How many prompts, and how many of them are new to the model, as it is shown."""
        return self._summary.text()

    @property
    def sentence(self) -> str:
        """What is said about the current row and the whole set."""
        return self._sentence.text()

    @property
    def example(self) -> str:
        """A finished prompt with the current entry in it, as it is shown."""
        return self._example.text()

    @property
    def effect(self) -> str:
        """What the last edit did on judged images, as it is shown."""
        return self._effect.text()

    def show_effect(self, words: str) -> None:
        """Say what the last edit did on judged images; nothing hides the line."""
        self._effect.setText(f"On judged images: {words}" if words else "")
        self._effect.setVisible(bool(words))

    def open_page(self, name: str) -> None:
        """Show one of the pages."""
        self._tabs[name].setChecked(True)
        for page, widget in self._pages.items():
            widget.setVisible(page == name)
        self._refresh()

    def show_remark(self) -> None:
        """Go to the next remark, where it belongs."""
        report = self._document.check.report
        if report is not None and report.remarks:
            self._next_remark %= len(report.remarks)
            self._go_to(report.remarks[self._next_remark])
            self._next_remark += 1

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt names it)
        """From now on, notices are shown here."""
        self._document.attended = True
        super().showEvent(event)

    def hideEvent(self, event: Any) -> None:  # noqa: N802 (Qt names it)
        """From now on, notices are shown where the preset is chosen."""
        self._document.attended = False
        super().hideEvent(event)

    def _lay_out(self) -> None:
        self._tabs: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        bar = QWidget()
        bar.setStyleSheet(TAB_LOOK)
        tabs = QHBoxLayout(bar)
        tabs.setContentsMargins(0, 0, 0, 0)
        tabs.setSpacing(0)
        for name in self._pages:
            tab = QToolButton()
            tab.setText(name)
            tab.setToolTip(TIPS[name])
            tab.setCheckable(True)
            tab.setMinimumWidth(30)  # in the narrowest dock they give up their margins
            group.addButton(tab)
            tabs.addWidget(tab)
            self._tabs[name] = tab
        tabs.addStretch()
        self._sentence.setWordWrap(True)
        self._sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(4)
        layout.addWidget(self.tools)
        layout.addWidget(self.notice)
        layout.addWidget(self._effect)
        layout.addWidget(self.filter)
        layout.addWidget(bar)
        for widget in (*self._pages.values(), self._sentence, muted(self._example), muted(self._summary)):
            layout.addWidget(widget)

    def _connect(self) -> None:
        document = self._document
        for name, tab in self._tabs.items():
            tab.clicked.connect(lambda _, name=name: self.open_page(name))
        for column in self.columns.values():
            self.filter.textChanged.connect(column.list.filter_by)
            column.list.pointed.connect(self._on_pointed(column.list))
        self.filter.textChanged.connect(self.table.prompts.filter_by)
        self.table.pointed.connect(self._on_pointed(self.table))
        document.noticed.connect(self._on_noticed)
        document.changed.connect(self._refresh)
        document.check.checked.connect(self._refresh)

    def _on_pointed(self, where: PromptList | PromptTable) -> Callable[[], None]:
        def point() -> None:
            self._pointed = where
            self._refresh()

        return point

    def _on_noticed(self, sentence: str, action: str, do: Callable[[], None] | None) -> None:
        if not sentence:
            self.notice.clear()
        elif self._document.attended:
            self.notice.say(sentence, action, do)

    def _go_to(self, remark: Remark) -> None:
        field = remark.where.partition("[")[0]
        if field not in self.columns:
            self.open_page("States")
            return
        self.filter.clear()
        self.open_page(next(page for page, lists in PAGES.items() if field in lists))
        column = self.columns[field].list
        rows = [row for row, entry in enumerate(column.entries.entries) if entry.text == remark.text]
        if rows:
            self._pointed = column
            column.go_to(rows[0])
            column.setFocus()
        self._refresh()

    def _refresh(self) -> None:
        """Say what there is to say about the set as it is now, and about the current row."""
        value, report = self._document.value, self._document.check.report
        normal, abnormal = len(value.normal), len(value.abnormal)
        self._tabs[ALL].setText(f"{ALL} {normal + abnormal}")
        new = report.to_encode if report is not None and report.prompts == value else None
        self._summary.setText(f"{normal} + {abnormal}" + (f", {new} new to encode" if new else ""))
        general = [f"⚠ {remark.sentence}" for remark in report.remarks if remark.where in _GENERAL] if report else []
        sentences = [*self._about_row(), *general]
        self._sentence.setText("\n".join(sentences))
        self._sentence.setVisible(bool(sentences))
        example = self._finished()
        self._example.setText(f"example  {example}" if example else "")

    def _row(self) -> int | None:
        """The current row of what was pointed at last, if it is in view."""
        pointed = self._pointed
        if pointed is None or not pointed.isVisibleTo(self) or not pointed.currentIndex().isValid():
            return None
        return pointed.currentIndex().row()

    def _about_row(self) -> list[str]:
        row = self._row()
        if row is None or self._pointed is None:
            return []
        told = self._pointed.about(row)
        return [f"{sentence} · row {row + 1}" for sentence in told.splitlines()]

    def _finished(self) -> str:
        """A finished prompt with the current entry in it; else some prompt of the abnormal side."""
        value, row = self._document.value, self._row()
        if isinstance(self._pointed, PromptTable) and row is not None:
            return self._pointed.prompts.prompt_at(row)
        side: Side = "abnormal"
        if isinstance(self._pointed, PromptList) and row is not None:
            model = self._pointed.entries
            side = "normal" if model.field.startswith("normal") else "abnormal"
            alone: dict[str, tuple[Entry, ...]] = dict.fromkeys(WHOLE, ())
            if model.field in WHOLE:
                alone = dict.fromkeys(PLACEHOLDERS, ())
            alone[model.field] = (Entry(text=model.entries[row].text),)
            value = value.model_copy(update=alone)
        composed = value.composed(side)
        return composed[len(composed) // 2] if composed else ""


_GENERAL = ("object", "normal", "abnormal")
"""Where remarks are that belong to no entry."""

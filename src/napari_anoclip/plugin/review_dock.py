"""The review dock: region after region, what is a defect and what is not; and what that says about the prompts."""

from __future__ import annotations

from collections.abc import Callable

import napari.viewer
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QDockWidget, QFrame, QLabel, QMainWindow, QPushButton, QVBoxLayout, QWidget

from napari_anoclip.plugin import keys
from napari_anoclip.plugin.blame_panel import BlamePanel
from napari_anoclip.plugin.dock_layout import scrolling, stacked
from napari_anoclip.plugin.export_panel import ExportPanel
from napari_anoclip.plugin.figures_panel import FiguresPanel
from napari_anoclip.plugin.key_help import KeyHelp
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.learn_panel import LearnPanel
from napari_anoclip.plugin.leaving import LeavingWidget
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.queue_panel import QueuePanel
from napari_anoclip.plugin.region_layer import RegionLayer
from napari_anoclip.plugin.region_rows import RegionRows
from napari_anoclip.plugin.region_table import RegionList
from napari_anoclip.plugin.review_keys import ReviewKeys
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.plugin.session_panel import SessionPanel
from napari_anoclip.plugin.session_reader import SessionDrop
from napari_anoclip.plugin.shape_editor import ShapeEditor
from napari_anoclip.plugin.style import Section, muted
from napari_anoclip.plugin.suggest_panel import SuggestPanel
from napari_anoclip.plugin.verdict_bar import VerdictBar

ROOM_FOR_TWO = 1300
"""Width of a window from which on both docks stand beside each other; in a narrower one they are tabs."""


class ReviewDock(LeavingWidget):
    """Regions and verdicts above, what they are good for below.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose images are reviewed. The workbench is opened beside.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reviewer = Reviewer(napari_viewer)
        self.layer = RegionLayer(self.reviewer)
        self.editor = ShapeEditor(self.reviewer)
        self.queue = QueuePanel(self.reviewer)
        self.rows = RegionRows(self.reviewer)
        self.list = RegionList(self.reviewer)
        self.verdicts = VerdictBar(self.reviewer)
        self.notice = Notice()
        self.hint = muted(QLabel())
        self.hint.setAccessibleName("What can be drawn now")
        self.hint.hide()
        self.figures = FiguresPanel(self.reviewer)
        self.blame = BlamePanel(self.reviewer)
        self.suggest = SuggestPanel(self.reviewer)
        self.learn = LearnPanel(self.reviewer)
        self.session = SessionPanel(self.reviewer)
        self.export = ExportPanel(self.reviewer, lambda: self.figures.figures)
        self.help_button = QPushButton("?")
        self.help_button.setFixedWidth(28)
        self.help_button.setToolTip("Keys of the review.")
        self.help_button.setAccessibleName("List of keys")
        self.sections = {
            title: Section(title, content)
            for title, content in (
                ("How good is it?", self.figures),
                ("Which prompt is to blame?", stacked(self.blame, self.suggest)),
                ("Learn from false positives", self.learn),
                ("Session and export", stacked(self.session, self.export)),
            )
        }
        self._drop = SessionDrop(self)
        self._keys = ReviewKeys(self.reviewer, self.editor, self._turn)
        self._lay_out()
        self.queue.take_drops_on(self)
        self.help_button.clicked.connect(self._show_keys)
        keys.bind(keys.HELP, self, self._show_keys)
        self._to_notice = later(self, lambda: self._scroll.ensureWidgetVisible(self.notice))
        self.reviewer.said.connect(self._say)
        self.queue.walk.opened.connect(self.notice.clear)
        self._drop.dropped.connect(self.reviewer.open_session)
        self.reviewer.leaving.connect(self.verdicts.commit_note)
        self.editor.hinted.connect(self._on_hint)
        for title, panel in (
            ("How good is it?", self.figures),
            ("Which prompt is to blame?", self.blame),
            ("Learn from false positives", self.learn),
        ):
            self.sections[title].toggled.connect(panel.switch)
        self.figures.compared.connect(self._show_effect)

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt names it)
        """As wide as the workbench."""
        return QSize(380, super().sizeHint().height())

    def let_go(self) -> None:
        """Save what was judged, and let go of the viewer, before this dock or the viewer goes."""
        self.verdicts.commit_note()
        self._keys.release()
        for part in (
            *(self.editor, self.layer, self.queue, self.figures, self.blame, self.suggest),
            *(self.learn, self.export, self.session, self._drop, self.reviewer),
        ):
            part.close_down()

    def placed(self) -> None:
        """Bind the keys, and stand beside the workbench where there is room."""
        self._keys.bind(self)
        self._drop.watch(self.window())
        mine, other = _dock_around(self), _dock_around(self.reviewer.desk)
        window = self.window()
        if mine is None or other is None or not isinstance(window, QMainWindow) or mine.isFloating():
            return
        if window.width() >= ROOM_FOR_TWO:
            window.splitDockWidget(other, mine, Qt.Orientation.Horizontal)
        else:
            window.tabifyDockWidget(other, mine)
            later(self, mine.raise_).start()  # once the tabs have their places

    def _say(self, sentence: str, action: str, do: Callable[[], None] | None) -> None:
        """Say it where it is seen, also in a low window."""
        self.notice.say(sentence, action, do)
        self._to_notice.start()

    def _turn(self, by: int) -> None:
        if by > 0:
            self.queue.next()
        else:
            self.queue.previous()

    def _show_effect(self, words: str) -> None:
        """Say beside the prompts what their last edit did."""
        desk = self.reviewer.open_desk
        if desk is not None:
            desk.controls.editor.show_effect(words)

    def _on_hint(self, sentence: str) -> None:
        self.hint.setText(sentence)
        self.hint.setVisible(bool(sentence))

    def _show_keys(self) -> None:
        KeyHelp(self, keys.REVIEW).show_over(self)

    def _lay_out(self) -> None:
        self.rows.head.addWidget(self.help_button)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setSpacing(8)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.queue)
        layout.addWidget(_line())
        for widget in (
            self.rows,
            self.list,
            self.verdicts,
            self.hint,
            self.notice,
            *self.sections.values(),
        ):
            layout.addWidget(widget)
        layout.addStretch()
        self._scroll = scrolling(self, page)


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    return line


def _dock_around(widget: QWidget) -> QDockWidget | None:
    around = widget.parentWidget()
    while around is not None and not isinstance(around, QDockWidget):
        around = around.parentWidget()
    return around

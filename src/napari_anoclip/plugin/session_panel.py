"""Where the review is kept, whether it is saved, and how to open another one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.notice import Notice
from napari_anoclip.plugin.session_reader import session_in
from napari_anoclip.plugin.style import breakable, muted, push_button
from napari_anoclip.review.session import ENDING, Session

if TYPE_CHECKING:
    from napari_anoclip.plugin.reviewer import Reviewer

_WARNING = "⚠ "

NO_SESSION = "No session yet. The first verdict begins one beside its image."


class SessionPanel(QWidget):
    """Says where verdicts go and whether all is saved; opens, saves and copies.

    Parameters
    ----------
    reviewer : Reviewer
        Whose session it is.
    """

    _troubled = Signal()

    def __init__(self, reviewer: Reviewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self._session: Session | None = None
        self.job = Job()
        self.job.succeeded.connect(lambda then: then())
        self.job.failed.connect(self._on_failed)
        self.job.state_changed.connect(lambda _: self._refresh())
        self._lay_out()
        # A session may be in trouble in any thread; widgets are touched in the GUI's only.
        self._troubled.connect(self._refresh, Qt.ConnectionType.QueuedConnection)
        reviewer.session_changed.connect(self._on_session)
        reviewer.changed.connect(self._refresh)
        self._on_session()
        self._refresh()

    @property
    def state(self) -> str:
        """Whether all is saved, in words."""
        return self._state.text()

    @property
    def trouble(self) -> str:
        """What is in the way of saving, in words."""
        return self._trouble.text().removeprefix(_WARNING).replace("\u200b", "")

    def open(self, folder: Path, take_over: bool = False) -> None:
        """Open the session in a folder, or begin one there."""
        self.notice.clear()
        self._reviewer.open_session(folder, take_over)

    def save(self) -> None:
        """Save now, in a thread."""
        session = self._reviewer.session
        if session is not None:
            snapshot = session.snapshot()
            self._start(lambda: session.write(snapshot), self._refresh)

    def save_copy(self, folder: Path) -> None:
        """Write a copy to another folder, in a thread; the review goes on where it is."""
        session = self._reviewer.session
        if session is not None:
            snapshot = session.snapshot()
            told = partial(
                self.notice.say, breakable(f"A copy is in {folder}. The review goes on in {session.folder}.")
            )
            self._start(lambda: session.copy_to(folder, snapshot), told)

    def close_down(self) -> None:
        """Let go of the reviewer and its session, before the dock or the viewer goes."""
        self.job.close()
        self._reviewer.session_changed.disconnect(self._on_session)
        self._reviewer.changed.disconnect(self._refresh)
        self._follow(None)

    def _lay_out(self) -> None:
        self.name = QLabel()
        self.name.setStyleSheet("font-weight: bold;")
        self.name.setWordWrap(True)
        self._state = muted(QLabel())
        self._trouble = QLabel()
        self._trouble.setWordWrap(True)
        self._trouble.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._trouble.setAccessibleName("What is in the way of saving")
        self.open_button = push_button(
            "Open or new…",
            "Choose the folder of a session, or a folder in which to begin one.",
            self._ask_what_to_open,
            "Open or begin a session",
        )
        self.save_button = push_button(
            "Save now",
            "Write session.json and masks at once. Each verdict is in the journal already.",
            self.save,
            "Save the session now",
        )
        self.copy_button = push_button(
            "Save a copy…",
            "Write all of the session, with what can be undone, to another folder.",
            self._ask_where_to_copy,
            "Save a copy of the session",
        )
        self.take_over_button = push_button(
            "Take over",
            "Write to it from here again; the other window writes no more.",
            self._take_back,
            "Take the session over",
        )
        self.notice = Notice()
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (self.open_button, self.save_button, self.copy_button):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.name, self._state, self._trouble, self.take_over_button):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(self.notice)

    def _on_session(self) -> None:
        before, session = self._session, self._reviewer.session
        if session is before:
            return
        # What could not be saved where it was went elsewhere when it was closed.
        left = before.trouble if before is not None and before.trouble != self.trouble else ""
        self._follow(session)
        self.notice.clear()
        if left:
            self.notice.say(breakable(left))
        self._refresh()

    def _follow(self, session: Session | None) -> None:
        """Listen to another session."""
        if self._session is not None:
            self._session.troubled.disconnect(self._on_troubled, missing_ok=True)
        self._session = session
        if session is not None:
            session.troubled.connect(self._on_troubled)

    def _on_troubled(self) -> None:
        """In whichever thread found it."""
        self._troubled.emit()

    def _refresh(self) -> None:
        session = self._session
        there = session is not None
        self.save_button.setEnabled(there and not self.job.busy)
        self.copy_button.setEnabled(there and not self.job.busy)
        self.name.setVisible(there)
        self.name.setText("" if session is None else breakable(session.folder.name))
        self.name.setToolTip("" if session is None else str(session.folder))
        self.name.setAccessibleName("" if session is None else f"Session {session.folder.name}")
        self._state.setText(NO_SESSION if session is None else state_of(session))
        trouble = "" if session is None else session.trouble
        self._trouble.setVisible(bool(trouble))
        self._trouble.setText(_WARNING + breakable(trouble) if trouble else "")
        self.take_over_button.setVisible(session is not None and bool(trouble) and session.taken_over)

    def _take_back(self) -> None:
        if self._session is not None:
            self.open(self._session.folder, take_over=True)

    def _start(self, work: Callable[[], None], then: Callable[[], None]) -> None:
        """Do something in a thread, and something else here once it has ended well."""

        def job(*_: object) -> Callable[[], None]:
            work()
            return then

        if self.job.start(job):
            self.notice.clear()

    def _on_failed(self, error: AnoCLIPError) -> None:
        self._refresh()
        if str(error) != self.trouble:  # which is shown for as long as it lasts
            self.notice.say(breakable(str(error)))

    def _ask_what_to_open(self) -> None:
        start = "" if self._session is None else str(self._session.folder.parent)
        chosen = QFileDialog.getExistingDirectory(self, "Open a session, or begin one in a folder", start)
        if chosen:
            self.open(session_in(Path(chosen)))

    def _ask_where_to_copy(self) -> None:
        session = self._session
        if session is None:
            return
        name = session.folder.with_name(f"{session.folder.stem} copy{ENDING}")
        # Whether the name is free is said by the session, in one sentence.
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            "Save a copy of the session",
            str(name),
            f"Sessions (*{ENDING})",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if chosen:
            self.save_copy(Path(chosen if chosen.endswith(ENDING) else chosen + ENDING))


def state_of(session: Session) -> str:
    """Whether all of a session is saved, in words: "saved 12:03:11"."""
    if not session.unsaved:
        return "saved" if session.saved_at is None else f"saved {_at(session.saved_at)}"
    count = session.unsaved_lines
    changes = f": {count} change{'s' * (count != 1)}" if count else ""
    return f"not saved yet{changes}" + ("" if session.trouble or not count else ", in the journal")


def _at(moment: datetime) -> str:
    """A time as it is said today."""
    local = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone()
    today = local.date() == datetime.now().astimezone().date()
    return f"{local:%H:%M:%S}" if today else f"{local:%d %B %Y, %H:%M}"

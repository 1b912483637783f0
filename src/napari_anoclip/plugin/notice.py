"""One sentence for the user, in the dock itself: what happened, what to do, and a button where one helps."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget


class Notice(QFrame):
    """A sentence with up to one action; hidden while there is nothing to say."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("anoclip-notice")
        self.setStyleSheet("#anoclip-notice { border: 1px solid #d9822b; border-radius: 3px; }")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._act = QPushButton()
        self._dismiss = QPushButton("Not now")
        self._action: Callable[[], None] | None = None
        self._act.clicked.connect(self.act)
        self._dismiss.clicked.connect(self.clear)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self._act)
        buttons.addWidget(self._dismiss)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addWidget(self._text)
        layout.addLayout(buttons)
        self.clear()

    @property
    def text(self) -> str:
        """The sentence that is shown, or nothing."""
        return self._text.text()

    @property
    def action(self) -> str:
        """The label of the button that is offered, or nothing."""
        return self._act.text() if self._action is not None else ""

    def say(self, sentence: str, action: str = "", do: Callable[[], None] | None = None) -> None:
        """Show a sentence; with `action`, the label of a button that calls `do`."""
        self._text.setText(sentence)
        self._act.setText(action)
        self._action = do
        self._act.setVisible(do is not None)
        self._dismiss.setText("Close" if do is None else "Not now")
        self.show()

    def clear(self) -> None:
        """Say nothing."""
        self._text.clear()
        self._action = None
        self.hide()

    def act(self) -> None:
        """Do what is offered."""
        action = self._action
        self.clear()
        if action is not None:
            action()

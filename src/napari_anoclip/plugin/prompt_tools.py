"""Load, save, undo, redo and reset the prompts; and prompt files dropped on a widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent, QKeyEvent, QKeySequence, QShortcut
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QToolButton, QWidget

from napari_anoclip.plugin.prompt_document import PromptDocument

FILES = "Prompt files (*.yaml *.yml)"
SUFFIXES = (".yaml", ".yml")


class PromptTools(QWidget):
    """The row of buttons above the editor, each with the less usual of its kind in a menu.

    Parameters
    ----------
    document : PromptDocument
        What is edited.
    keys : QWidget
        Within which Ctrl+Z and Ctrl+Shift+Z undo and redo, and Ctrl+S saves.
    """

    def __init__(self, document: PromptDocument, keys: QWidget) -> None:
        super().__init__()
        self._document = document
        self.setStyleSheet("QToolButton { padding: 2px 3px; } QToolButton[popupMode='1'] { padding-right: 17px; }")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._recent = QMenu(self)
        self._recent.aboutToShow.connect(self._fill_recent)
        more_saving, more_resetting = QMenu(self), QMenu(self)
        self.save_as_action = more_saving.addAction("Save as…", self._ask_where_to_save)
        self.revert_action = more_resetting.addAction("Revert to what was saved", document.revert)
        more_resetting.addAction("Reset to the preset", document.reset)
        self.load = self._button(
            "Load", "Load", "Open a prompt file, or drop one here.", self._ask_what_to_load, self._recent
        )
        self.save = self._button("Save", "Save", "Save the prompts to their file.", self._save, more_saving)
        self.undo = self._button("↶", "Undo", "Undo: take the last change back (Ctrl+Z).", document.undo)
        self.redo = self._button("↷", "Redo", "Redo: do again what was taken back (Ctrl+Shift+Z).", document.redo)
        back = "Go back to the preset; Undo brings it all back."
        self.reset = self._button("Reset", "Reset", back, document.reset, more_resetting)
        layout.addStretch()
        for standard, slot in (
            (QKeySequence.StandardKey.Undo, document.undo),
            (QKeySequence.StandardKey.Redo, document.redo),
        ):
            shortcut = QShortcut(QKeySequence(standard), keys)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)
        keys.installEventFilter(self)
        document.state_changed.connect(self._follow)
        self._follow()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt names it)
        """Take Ctrl+S before the window, where it saves layers: a shortcut would be ambiguous, and do nothing."""
        if not isinstance(event, QKeyEvent) or not event.matches(QKeySequence.StandardKey.Save):
            return super().eventFilter(watched, event)
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            self._save()
        return True

    def _button(self, text: str, name: str, tip: str, do: Callable[[], None], menu: QMenu | None = None) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(f"{name} prompts")
        button.clicked.connect(lambda *_: do())
        if menu is not None:
            button.setMenu(menu)
            button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        layout = self.layout()
        assert layout is not None
        layout.addWidget(button)
        return button

    def _follow(self) -> None:
        document = self._document
        self.undo.setEnabled(document.can_undo)
        self.redo.setEnabled(document.can_redo)
        self.revert_action.setEnabled(document.edited)
        self.revert_action.setText(f"Revert to {document.title}")

    def _fill_recent(self) -> None:
        self._recent.clear()
        for path in self._document.recent:
            action = self._recent.addAction(Path(path).name, lambda path=path: self._document.load(path))
            action.setToolTip(path)
        if not self._document.recent:
            self._recent.addAction("No recent files").setEnabled(False)

    def _ask_what_to_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load prompts", self._folder, FILES)
        if path:
            self._document.load(path)

    def _save(self) -> None:
        if self._document.source.path is None:
            self._ask_where_to_save()
        else:
            self._document.save()

    def _ask_where_to_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save prompts", self._folder, FILES)
        if path:
            # The dialog asked about the very name that was typed, and about no other.
            complete = path.lower().endswith(SUFFIXES)
            self._document.save(path if complete else f"{path}.yaml", replace=complete)

    @property
    def _folder(self) -> str:
        """Where the file is, or the last one was."""
        path = self._document.source.path
        places = [str(path)] if path is not None else self._document.recent
        return str(Path(places[0]).parent) if places else ""


class PromptFileDrop(QObject):
    """Lets a prompt file be dropped anywhere on a widget and what is in it."""

    def __init__(self, document: PromptDocument, widget: QWidget) -> None:
        super().__init__(widget)
        self._document = document
        for part in (widget, *widget.findChildren(QWidget)):
            part.installEventFilter(self)
        widget.setAcceptDrops(True)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 (Qt names it)
        """Take prompt files; everything else goes its way."""
        if not isinstance(event, QDropEvent) or not (paths := _prompt_files(event)):
            return super().eventFilter(watched, event)
        event.acceptProposedAction()
        if event.type() == QEvent.Type.Drop:
            self._document.load(paths[0])
        return True


def _prompt_files(event: QDropEvent) -> list[str]:
    mime = event.mimeData()
    urls = mime.urls() if mime is not None else []
    return [url.toLocalFile() for url in urls if url.toLocalFile().lower().endswith(SUFFIXES)]

"""The prompt set being edited: its history, its file and what is to be said about it.

Widgets read and set `PromptDocument.value`; nothing that is edited is ever lost without a word: whatever replaces it
is a step that Undo takes back, and a file that somebody else changed meanwhile is asked about before it is replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.prompts import PromptSet, preset_names
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.prompt_check import PromptCheck
from napari_anoclip.plugin.prompt_files import PromptFiles
from napari_anoclip.plugin.prompt_history import PromptHistory, Source, Step, packaged

DEFAULT_PRESET = "paper-texture"
TYPING_PAUSE = 700
"""Milliseconds after which typing goes on as a new undo step."""

RECENT_KEPT = 8
EDITS_KEPT = "Your edits are kept: Undo brings them back."


class PromptDocument(QObject):
    """One prompt set as it is edited.

    Attributes
    ----------
    changed : Signal
        The prompt set is another one now.
    state_changed : Signal
        The title, the unsaved mark, or what can be undone changed.
    recent_changed : Signal
        A file was opened or saved.
    noticed : Signal
        (sentence, label of a button or "", what the button does or None): to be shown inline; "" takes it away.
    check : PromptCheck
        Remarks, token counts and what has yet to be encoded, of the set as it is now.
    attended : bool
        Whether an editor is in view, where notices belong then.
    """

    changed = Signal()
    state_changed = Signal()
    recent_changed = Signal()
    noticed = Signal(str, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        preset = packaged(DEFAULT_PRESET)
        self._history = PromptHistory(Step(preset, Source(preset, DEFAULT_PRESET)))
        self._recent: list[str] = []
        self.attended = False
        self.check = PromptCheck(self)
        self._files = PromptFiles(self)
        self._files.failed.connect(self.say)
        self._files.changed_on_disk.connect(self._on_changed_on_disk)
        self._typing = later(self, lambda: self._history.pause(), TYPING_PAUSE)
        self.check.look_at(self.value)

    @property
    def value(self) -> PromptSet:
        """The prompt set as it is now; setting it is one undo step."""
        return self._history.now.value

    @value.setter
    def value(self, prompts: PromptSet) -> None:
        self.put(prompts)

    @property
    def source(self) -> Source:
        """Where the prompt set came from."""
        return self._history.now.source

    @property
    def edited(self) -> bool:
        """Whether there is anything that is in no file or preset."""
        return self._history.now.edited

    @property
    def title(self) -> str:
        """What to call it: its file, its preset, or its own title."""
        source = self.source
        return source.path.name if source.path is not None else source.saved.title or source.saved.name

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back."""
        return self._history.can_redo

    @property
    def recent(self) -> list[str]:
        """Paths of files opened or saved, newest first."""
        return list(self._recent)

    @recent.setter
    def recent(self, paths: list[str]) -> None:
        self._recent = list(dict.fromkeys(paths))[:RECENT_KEPT]
        self.recent_changed.emit()

    @property
    def memory(self) -> dict[str, Any]:
        """What the next start should know, in JSON's types; setting it begins the history anew."""
        return {**self._history.now.to_json(), "recent": self.recent}

    @memory.setter
    def memory(self, told: Mapping[str, Any]) -> None:
        self.recent = [path for path in told.get("recent", []) if isinstance(path, str)]
        try:
            self._history = PromptHistory(Step.from_json(told))
        except PromptError:
            return  # what is there now is as good a beginning
        self._tell()
        self._files.look()

    def put(self, prompts: PromptSet, typing: str = "") -> None:
        """Go on to another prompt set.

        Parameters
        ----------
        prompts : PromptSet
            The new one.
        typing : str
            Where it is being typed: steps typed there without a pause are undone together.
        """
        if prompts == self.value:
            return
        same = prompts.name == self.source.saved.name
        self._go(Step(prompts, self.source if same else _source_of(prompts)), typing)

    def edit(self, change: Callable[[PromptSet], PromptSet]) -> bool:
        """Apply a change; if it cannot be made, say why and return False."""
        try:
            self.put(change(self.value))
        except PromptError as error:
            self.say(str(error))
            return False
        return True

    def choose(self, preset: str, name: str | None = None) -> None:
        """Go on to a preset, of the object `name`, or of the one that was named before.

        Raises
        ------
        PromptError
            If there is no such preset or the name cannot be used.
        """
        now = self._history.now
        own = packaged(preset)
        if name is None and (now.source.path is not None or now.value.object != now.source.saved.object):
            name = now.value.object
        self._replace(Step(own if name is None else own.with_object(name), Source(own, preset)))

    def undo(self) -> None:
        """Take the last step back."""
        self._move(-1)

    def redo(self) -> None:
        """Do again what was taken back."""
        self._move(1)

    def revert(self) -> None:
        """Go back to what the file or preset says; a preset keeps the object's name."""
        source = self.source
        self.put(source.saved if source.path is not None else source.saved.with_object(self.value.object))

    def reset(self) -> None:
        """Go back to the preset that it all began with."""
        self.choose(self.source.preset)

    def load(self, path: str | Path) -> None:
        """Read a file, in a thread; what is wrong with it is said, with its line."""
        path = Path(path).absolute()
        self._files.read(path, partial(self._on_loaded, path))

    def save(self, path: str | Path | None = None, replace: bool = False) -> None:
        """Write to a file, in a thread, complete or not at all.

        Parameters
        ----------
        path : path, optional
            A new file; the one it came from otherwise.
        replace : bool
            Whether to write also over another file, or over what another program put there since it was read.
        """
        source = self.source
        target = Path(path).absolute() if path is not None else source.path
        if target is None:
            self.say("These prompts have no file yet. Use Save as to choose one.")
            return
        own_file = target == source.path
        name = {} if own_file else {"name": target.stem, "title": target.stem}
        prompts = self.value.model_copy(update=name)
        self._files.write(
            target,
            prompts,
            known=None if replace else source.fingerprint if own_file else "",
            done=lambda fingerprint: self._on_saved(source, Source(prompts, source.preset, target, fingerprint), name),
            refused=partial(self._ask_to_replace, target, own_file),
        )

    def say(self, sentence: str, action: str = "", do: Callable[[], None] | None = None) -> None:
        """Say something inline, perhaps with a button."""
        self.noticed.emit(sentence, action, do)

    def close_down(self) -> None:
        """Stop whatever is under way, before the widgets go."""
        self._typing.stop()
        self.check.close_down()
        self._files.close_down()

    def _go(self, step: Step, typing: str = "") -> None:
        self._history.add(step, typing)
        if typing:
            self._typing.start()
        self._tell()

    def _replace(self, step: Step) -> None:
        """Go on to another source; edits that go out of sight are pointed at."""
        edited = self.edited
        if step == self._history.now:
            return
        self._go(step)
        if edited:
            self.say(EDITS_KEPT, "Undo", self.undo)

    def _move(self, by: int) -> None:
        if self._history.move(by):
            self._tell()

    def _tell(self) -> None:
        self.say("")
        self._files.watch(self.source.path, self.source.fingerprint)
        self.check.look_at(self.value)
        self.state_changed.emit()
        self.changed.emit()

    def _on_loaded(self, path: Path, prompts: PromptSet, fingerprint: str) -> None:
        self._replace(Step(prompts, Source(prompts, _source_of(prompts).preset, path, fingerprint)))
        self.recent = [str(path), *self._recent]

    def _on_saved(self, old: Source, new: Source, name: dict[str, str]) -> None:
        self._history.rebase(old, new, **name)
        self._files.watch(self.source.path, self.source.fingerprint)
        self.say("")
        self.state_changed.emit()
        self.recent = [str(new.path), *self._recent]

    def _on_changed_on_disk(self, path: Path) -> None:
        self.say(f"{path.name} was changed by another program.", "Read it again", lambda: self.load(path))

    def _ask_to_replace(self, target: Path, own_file: bool) -> None:
        why = "was changed by another program since it was read" if own_file else "is there already"
        self.say(f"{target.name} {why}, so nothing was saved.", "Replace it", lambda: self.save(target, replace=True))


def _source_of(prompts: PromptSet) -> Source:
    """The preset of a set's name, or the set itself."""
    if prompts.name in preset_names():
        return Source(packaged(prompts.name), prompts.name)
    return Source(prompts, "paper-texture" if prompts.kind == "texture" else "paper-object")

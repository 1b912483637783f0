"""Going through the pictures of a queue: which one is shown, what was judged, and when to go on. Has no widget."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin import queue_words
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.picture_loader import PictureLoader
from napari_anoclip.plugin.picture_queue import PictureQueue, Show
from napari_anoclip.plugin.queue_canvas import QueueCanvas
from napari_anoclip.plugin.queue_going_on import GoingOn
from napari_anoclip.plugin.queue_scoring import QueueScoring

if TYPE_CHECKING:
    from napari_anoclip.plugin.picture_loader import Pixels
    from napari_anoclip.plugin.queue_listing import Listed
    from napari_anoclip.plugin.reviewer import Reviewer

SESSION_WAIT = 5_000
"""Milliseconds that the session of a folder may take to open before pictures are shown without it."""

_QUIET = 30
"""Milliseconds in which changes of the review are gathered."""


class QueueWalk(QObject):
    """Shows one picture after the other.

    Parameters
    ----------
    reviewer : Reviewer
        What judges them.

    Attributes
    ----------
    queue : PictureQueue
        The pictures.
    loader : PictureLoader
        What reads them.
    canvas : QueueCanvas
        Where they are shown.
    """

    opened = Signal()
    """There are other pictures."""
    moved = Signal()
    """Another picture is shown, or about to be."""
    learned = Signal(list)
    """Of the pictures at these places something else is known."""
    said = Signal(str, str, object)
    """A sentence, with the label of a button and what it does where one helps."""

    def __init__(self, reviewer: Reviewer, parent: QObject) -> None:
        super().__init__(parent)
        self._reviewer = reviewer
        self.queue = PictureQueue()
        self._listed: Listed | None = None
        self.canvas = QueueCanvas(reviewer.viewer)
        self._scoring = QueueScoring(reviewer, self.canvas, self)
        self.loader = PictureLoader(lambda: reviewer.models, self._scoring.ahead, self)
        self._shown: int | None = None
        self._step = 0
        self._failed: list[tuple[str, str]] = []
        self._count = 0
        self._touched = self._was_done = False
        self._going_on = GoingOn(reviewer, self)
        self._passing = later(self, self._pass_over)
        self._learning = later(self, self._learn, _QUIET)
        self._waiting = later(self, self._begin, SESSION_WAIT)
        self._heard: tuple[tuple[Any, Callable[..., None]], ...] = (
            (reviewer.changed, self._on_changed),
            (reviewer.session_changed, self._on_session),
            (reviewer.image_changed, self._on_image),
            (reviewer.image_done, self._on_done),
            (reviewer.said, self._on_said),
        )
        self._connect()

    @property
    def shown(self) -> int | None:
        """Place of the picture that is in the viewer."""
        return self._shown if self.canvas.layer is not None else None

    def open(self, listed: Listed) -> None:
        """Go through other pictures; the session of their folder is opened first, so that it says what is done."""
        self._going_on.stop()
        self._waiting.stop()
        self.loader.forget()
        self.canvas.clear()
        self._listed, self._shown, self._failed = listed, None, []
        self.queue = PictureQueue(listed.paths, show=self.queue.show)
        self._learn()
        self.opened.emit()
        reviewer = self._reviewer
        reviewer.go_through(listed.folder)
        session = listed.sessions[0] if len(listed.sessions) == 1 else None
        if session is None or (reviewer.session is not None and reviewer.session.folder == session):
            self._begin()
        elif reviewer.session is None and not reviewer.review.count:
            self._waiting.start()
            reviewer.open_session(session)
        else:
            self._begin()
            what = f"There is a review in this folder, “{session.name}”. Verdicts go on to be kept where they are now."
            self.said.emit(what, "Open that review", partial(reviewer.open_session, session))

    def go(self, step: int) -> None:
        """Go to the next picture that is gone through (1), or to the one before (-1)."""
        self._going_on.stop()
        if not len(self.queue):
            self.said.emit("No folder is open yet. Choose a folder of pictures, or drop one here.", "", None)
            return
        place = self.queue.next(step)
        if place is None:
            self._say(queue_words.end(self.queue, step))
        else:
            self._load(place, step)

    def choose(self, place: int) -> None:
        """Go to a picture, whether or not it is one of those that are gone through."""
        self._going_on.stop()
        self._load(place, 0)

    def set_show(self, show: Show) -> None:
        """Go through other pictures; the one that is shown stays if it is among them."""
        self.queue.show = show
        at = self.queue.at
        if not len(self.queue) or self._waiting.isActive():
            return
        if at is not None and self.queue[at].passes(show):
            self._look_ahead()
            return
        place = self.queue.next(1) if at is None else self._next_around(at)
        if place is None:
            self._say(queue_words.end(self.queue, 0))
        else:
            self._going_on.stop()
            self._load(place, 1)

    def close_down(self) -> None:
        """Stop what is under way, before the dock or the viewer goes. The picture stays where it is."""
        for timer in (self._passing, self._learning, self._waiting):
            timer.stop()
        for signal, slot in self._heard:
            signal.disconnect(slot)
        self._heard = ()
        self._going_on.close_down()
        self._scoring.close_down()
        self.loader.close_down()

    def _connect(self) -> None:
        self.loader.loaded.connect(self._on_loaded)
        self.loader.failed.connect(self._on_failed)
        self._scoring.began.connect(self.loader.encoding.cancel)
        self._scoring.rested.connect(self.loader.encode_ahead)
        self._going_on.due.connect(self._go_on)
        for signal, slot in self._heard:
            signal.connect(slot)

    def _begin(self) -> None:
        """Show the first picture that is gone through."""
        self._waiting.stop()
        self._learn()
        self.go(1)

    # Pictures come

    def _load(self, place: int, step: int) -> None:
        self._waiting.stop()
        self.queue.at, self._step = place, step
        self.moved.emit()
        self.loader.load(self.queue.paths[place])

    def _on_loaded(self, path: Path, pixels: Pixels) -> None:
        place = self.queue.place_of(path)
        if place is None or place != self.queue.at:
            return
        if self.queue[place].problem:
            self.queue.mark(place, "")
            self.learned.emit([place])
        self._shown, self._touched = place, False
        self._was_done = self.queue[place].done
        self.canvas.show(path, pixels)
        self._scoring.score(self.queue.paths)
        self._reviewer.look()  # at once: the next key must not be about a region of the picture before
        self._look_ahead()
        self._say("")
        self.moved.emit()

    def _on_failed(self, path: Path, sentence: str) -> None:
        """Pass over a picture that cannot be read; with the whole folder gone, nothing is held against the picture."""
        place = self.queue.place_of(path)
        folder = None if self._listed is None else self._listed.folder
        if place is None or place != self.queue.at:
            return
        if folder is not None and not folder.is_dir():
            self._stay()
            self._say(f"The folder “{folder.name}” is not there any more. Put it back, or open another one.")
            return
        self._failed.append((path.name, sentence))
        self.queue.mark(place, sentence)
        self.learned.emit([place])
        following = self.queue.next(self._step) if self._step else None
        if following is not None:
            self._load(following, self._step)
            return
        step = self._step
        self._stay()
        self._say(queue_words.end(self.queue, step) if step else "")

    def _stay(self) -> None:
        """Be where the picture is that is in the viewer."""
        self.queue.at = self.shown
        self.moved.emit()

    def _look_ahead(self) -> None:
        step = self._step or 1
        places = (self.queue.next(step), self.queue.next(-step))
        self.loader.look_ahead([self.queue.paths[place] for place in places if place is not None])

    # Verdicts come

    def _learn(self) -> None:
        """Take in what was judged."""
        self._learning.stop()
        session = self._reviewer.session
        base = Path() if session is None else session.folder
        self.learned.emit(self.queue.learn(self._reviewer.review.images.values(), base))

    @property
    def _is_reviewed(self) -> bool:
        """Whether the image under review is the picture that is shown, and no other is on its way."""
        image, layer = self._reviewer.image, self.canvas.layer
        return layer is not None and image is not None and image == layer and self._shown == self.queue.at

    def _on_changed(self) -> None:
        count = self._reviewer.review.count
        self._touched |= count != self._count
        self._count = count
        if not self._learning.isActive():
            self._learning.start()

    def _on_session(self) -> None:
        self._count = self._reviewer.review.count  # of another review: nobody judged anything for that
        self._learn()
        if self._waiting.isActive():
            self._begin()

    def _on_said(self) -> None:
        """The session could not be opened, or only so that there is something to say about it."""
        if self._waiting.isActive() and self._reviewer.session is None:
            self._begin()

    def _on_image(self) -> None:
        """Recognise a picture by its pixels, and pass it over if it was judged under another name."""
        entry, place = self._reviewer.entry, self._shown
        if entry is None or place is None or not self._is_reviewed:
            return
        self.queue.tie(place, entry.key)
        self._learn()
        if not self._touched:
            self._was_done = self.queue[place].done
            if self._was_done and self._step and self.queue.show is Show.LEFT:
                self._passing.start()  # not within the signals of who reviews it

    def _pass_over(self) -> None:
        if self._is_reviewed:
            self.go(self._step)

    def _on_done(self) -> None:
        """Go on in a moment; not where somebody came back to change a verdict."""
        if self._is_reviewed and not self._was_done:
            self._going_on.begin()

    def _go_on(self) -> None:
        self._learn()
        at = self._shown
        if at is None or not self._is_reviewed:
            return  # somebody turned to another image
        place = self._next_around(at) if self.queue.show is Show.LEFT else self.queue.next(1)
        if place is None:
            self._was_done = True
            self._say(queue_words.end(self.queue, 1))
        else:
            self._load(place, 1)

    def _next_around(self, at: int) -> int | None:
        """The next picture that is gone through, from the beginning again after the last one."""
        place = self.queue.next(1, at)
        place = self.queue.next(1, -1) if place is None else place
        return None if place == at else place

    def _say(self, sentence: str) -> None:
        """Say something, and with it which pictures were passed over since something was said last."""
        failed, self._failed = self._failed, []
        sentence = f"{queue_words.passed_over(failed)} {sentence}".strip()
        if sentence:
            self.said.emit(sentence, "", None)

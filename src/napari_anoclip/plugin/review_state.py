"""What is under review: the chosen image, its regions with their verdicts, and which region is current.

Everything here follows: the workbench (image, map, threshold), the session (verdicts), and the worker that finds
regions. What a person does is in `reviewer`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin import judging
from napari_anoclip.plugin.desk import Desk
from napari_anoclip.plugin.disagreement import Disagreement
from napari_anoclip.plugin.later import later
from napari_anoclip.plugin.region_finder import Finding, RegionFinder, Wanted
from napari_anoclip.plugin.review_identity import Identity
from napari_anoclip.plugin.review_store import ReviewStore
from napari_anoclip.plugin.review_subject import file_of
from napari_anoclip.plugin.reviewed_pixels import path_of, picture_of_file, pixels_of_layer
from napari_anoclip.plugin.shown_regions import Show, next_open
from napari_anoclip.plugin.top_prompts import TopPrompts
from napari_anoclip.review.order import Order

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image

    from napari_anoclip.plugin.dock import AnoCLIPDock
    from napari_anoclip.plugin.models import ModelHolder
    from napari_anoclip.plugin.review_subject import Subject
    from napari_anoclip.review.judgement import ImageReview, Judgement
    from napari_anoclip.review.matching import Matched
    from napari_anoclip.review.regions import RegionSettings
    from napari_anoclip.review.session import Session
    from napari_anoclip.review.verdicts import Change, Review

NO_IMAGE = "There is no image yet. Open one, or a sample from File > Open Sample > AnoCLIP."
NO_MAP = "Press Run in the AnoCLIP dock first: regions come from its map."
NO_REGION = "Nothing lies above the threshold. Lower it, press G if the image is good, or M to add what was missed."
WAIT = "The image is being read. Try again in a moment."

_QUIET = 30
"""Milliseconds in which changes of map and threshold are gathered."""
_QUIET_IN_RUN = 300
"""The same while a run brings plane after plane."""


class ReviewState(QObject):
    """Knows the image under review, its regions and their verdicts, and which region is current.

    Parameters
    ----------
    viewer : ViewerModel
        Whose images are reviewed. The workbench dock of its window is opened if it is not.

    Attributes
    ----------
    regions : list of Matched
        Of the image, in the order of the queue.
    vanished : list of Judgement
        What no region meets at this threshold: kept, and shown again when one does.
    """

    changed = Signal()
    """Regions, verdicts or what the session holds changed: read anew."""
    current_changed = Signal()
    """Another region is current, or none."""
    image_changed = Signal()
    """Another image, or none, is reviewed; or it is known by now what was said about it."""
    leaving = Signal()
    """Another image comes: the last moment to say something of this one."""
    session_changed = Signal()
    """Another session is open."""
    said = Signal(str, str, object)
    """A sentence, with the label of a button and what it does where one helps."""

    def __init__(self, viewer: ViewerModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.regions: list[Matched] = []
        self.vanished: list[Judgement] = []
        self._subject: Subject | None = None
        self._current: int | None = None
        self._found = False
        self._order, self._show = Order.HIGHEST, Show.ALL
        self._desk = Desk(viewer, self)
        self._store = ReviewStore(self)
        self._identity = Identity(self)
        self._finder = RegionFinder(self)
        self._disagreement = Disagreement(self)
        self._top = TopPrompts(self)
        self._soon = later(self, self.look)
        self._desk.changed.connect(self._look_soon)
        self._desk.touched.connect(self._identity.forget)
        self._identity.known.connect(self._on_known)
        self._finder.found.connect(self._on_found)
        for part in (self._identity, self._finder):
            part.failed.connect(lambda sentence: self.said.emit(sentence, "", None))
        self._disagreement.known.connect(self._find)
        self._disagreement.said.connect(self.said)
        self._top.known.connect(self.changed)
        self._store.changed.connect(self._on_change)
        self._store.touched.connect(self.changed)
        self._store.opened.connect(self._on_opened)
        self._store.said.connect(self.said)
        self._desk.open()
        self.look()

    @property
    def viewer(self) -> ViewerModel:
        """The viewer whose images are reviewed."""
        return self._viewer

    @property
    def desk(self) -> AnoCLIPDock:
        """The workbench of this window; opened if it is not."""
        return self._desk.dock

    @property
    def open_desk(self) -> AnoCLIPDock | None:
        """The workbench of this window, while it is open."""
        return self._desk.current

    @property
    def models(self) -> ModelHolder:
        """The workbench's models."""
        return self.desk.models

    @property
    def session(self) -> Session | None:
        """Where verdicts are written to; None before the first one."""
        return self._store.session

    @property
    def review(self) -> Review:
        """All images with their judgements: the session's, or kept in memory while there is none."""
        return self._store.review

    @property
    def subject(self) -> Subject | None:
        """The image with its map and its place in the world."""
        return self._subject

    @property
    def image(self) -> Image | None:
        """The layer under review."""
        return None if self._subject is None else self._subject.image

    @property
    def result(self) -> Image | None:
        """Its newest heatmap."""
        return None if self._subject is None else self._subject.result

    @property
    def entry(self) -> ImageReview | None:
        """What is known of the image; None until it was read. It may not be in `review` yet."""
        described = self._identity.entry
        return None if described is None else self.review.images.get(described.key, described)

    @property
    def current(self) -> Matched | None:
        """The region that the next verdict is about."""
        return None if self._current is None else self.region(self._current)

    @property
    def threshold(self) -> float:
        """Probability above which a pixel belongs to a region."""
        return self._desk.threshold if self._subject is None else self._subject.threshold(self._desk.threshold)

    @property
    def order(self) -> Order:
        """In which order regions are judged."""
        return self._order

    @property
    def show(self) -> Show:
        """Which regions are listed, and visited by `next` and `previous`."""
        return self._show

    @property
    def settings(self) -> RegionSettings:
        """What makes a region of pixels."""
        return self._store.settings

    @property
    def problem(self) -> str:
        """Why there is nothing to judge, as a sentence; nothing if there is something."""
        if self._subject is None:
            return NO_IMAGE
        if self.regions:
            return ""
        if self._identity.entry is None or not self._found:
            return WAIT
        return NO_MAP if self._subject.result is None else NO_REGION

    def region(self, number: int) -> Matched | None:
        """A region by its number."""
        return next((region for region in self.regions if region.id == number), None)

    def top_prompt(self, region: Matched) -> str:
        """The prompt that speaks loudest in a region; nothing while that is not known."""
        return self._top.of(region)

    def picture_of(self, image: ImageReview) -> Any | None:
        """The pixels of a reviewed image, hidden axes first and colours last; read when they are asked for.

        Parameters
        ----------
        image : ImageReview
            Of this review.

        Returns
        -------
        array-like or None
            Of its layer in the viewer, or of its file; None where neither is there.
        """
        layer = self._identity.layer_of(image.key)
        if layer is not None and layer in self._viewer.layers:
            return pixels_of_layer(layer, image, self._subject)
        return picture_of_file(self.path_of(image))

    def path_of(self, image: ImageReview) -> Path | None:
        """The file of a reviewed image, if it is where it was."""
        return path_of(image, self.session)

    def select(self, region: int | None) -> None:
        """Make a region current."""
        if region != self._current:
            self._current = region
            self.current_changed.emit()

    def look(self) -> None:
        """Look anew at what is chosen and at its map."""
        before, now = self._subject, self._desk.subject()
        if now is None or before is None or not now.same_place(before):
            self.leaving.emit()
            self._subject = now
            self._forget_image()
            self._identity.ask(self._subject)
            self.image_changed.emit()
            self.changed.emit()
            return
        self._subject = now
        if self._identity.entry is None and not self._identity.job.busy:
            self._identity.ask(self._subject)
        else:
            self._find()

    def close_down(self) -> None:
        """Save, and let go of the viewer and of threads, before the dock or the viewer goes."""
        self._soon.stop()
        for part in (self._desk, self._identity, self._finder, self._disagreement, self._top, self._store):
            part.close_down()
        self._subject = None

    def _look_soon(self) -> None:
        if not self._soon.isActive():
            self._soon.start(_QUIET_IN_RUN if self._desk.busy else _QUIET)

    def _forget_image(self) -> None:
        self.regions, self.vanished, self._found = [], [], False
        self._finder.forget()
        self._disagreement.forget()
        self._top.forget()
        self.select(None)

    def _on_known(self) -> None:
        """The image is identified: what was said about it before is looked up."""
        if self.session is None and self._subject is not None:
            self._store.open_beside(file_of(self._subject.image))
        self.image_changed.emit()
        self._find()

    def _find(self) -> None:
        """Bring the regions up to date, in a worker."""
        entry, subject = self.entry, self._subject
        if entry is None or subject is None:
            return
        self._finder.find(
            Wanted(
                subject,
                self.threshold,
                self.settings,
                tuple(entry.judgements.values()),
                tuple(self.regions),
                self._order,
                self._disagreement.maps,
            )
        )

    def _on_found(self, finding: Finding) -> None:
        self.regions, self.vanished, self._found = finding.regions, finding.vanished, True
        if self.current is None:
            first = next_open(self.regions, None) or next(iter(self.regions), None)
            self.select(None if first is None else first.id)
        self.changed.emit()
        if self._subject is not None and self.open_desk is not None:  # who closed it does not want it back
            self._top.ask(self._subject, self.regions, self.models)

    def _on_change(self, change: Change) -> None:
        entry = self.entry
        if entry is not None and change.image == entry.key:
            self.regions = judging.patched(self.regions, change.after)
            if self.current is None:
                self.select(next((region.id for region in self.regions), None))
            self._find()
        self.changed.emit()

    def _on_opened(self) -> None:
        """Another session: regions stay until those that match its judgements are there, a moment later."""
        self.session_changed.emit()
        threshold = None if self.session is None else self.session.settings.threshold
        if threshold is not None:
            self._desk.set_threshold(threshold, self.result)
        self.image_changed.emit()
        self._find()
        self.changed.emit()

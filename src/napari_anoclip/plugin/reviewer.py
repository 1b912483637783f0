"""What a person does in a review: the one controller that all panels of the review dock talk to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import Signal

from napari_anoclip.plugin import judging
from napari_anoclip.plugin.review_state import WAIT, ReviewState
from napari_anoclip.plugin.review_subject import file_of
from napari_anoclip.plugin.shown_regions import Show, neighbour, next_open
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.order import Order
from napari_anoclip.review.regions import RegionSettings

if TYPE_CHECKING:
    from napari_anoclip.plugin.judging import Step
    from napari_anoclip.review.matching import Matched
    from napari_anoclip.review.region_mask import RegionMask
    from napari_anoclip.review.verdicts import Change

Drawing = Literal["", "lasso", "polygon", "brush"]


class Reviewer(ReviewState):
    """Takes what a person says about regions, and writes it down. See `ReviewState` for what can be read and heard."""

    image_done = Signal()
    """A verdict left no region of the image to judge."""
    edit_wanted = Signal()
    """The shape of the current region is to be painted, or no longer."""
    drawing_wanted = Signal(str)
    """A missed defect is to be drawn: lasso, polygon or brush, or nothing for whichever comes next."""

    def judge(self, verdict: Verdict) -> None:
        """Give the current region a verdict, and go on to the next one that has none."""
        self._step(lambda entry, region: judging.verdict(entry, region, verdict, self.threshold), go_on=True)

    def good(self) -> None:
        """Call the image good: all its regions are false, and it is known as a whole."""
        entry = self.entry
        if entry is None:
            self.said.emit(self.problem or WAIT, "", None)
            return
        self._take(judging.good(entry, self.regions, self.threshold))
        self.image_done.emit()

    def set_kind(self, kind: int | str) -> None:
        """Call the current region a defect of a kind, by its name or its place from 1."""
        kinds = self.review.kinds
        if isinstance(kind, int):
            if not 1 <= kind <= len(kinds):
                self.said.emit(f"There is no kind {kind} yet. Add it to the list of kinds.", "", None)
                return
            kind = kinds[kind - 1]
        current = self.current
        judged = current is not None and current.verdict is Verdict.DEFECT
        self._step(lambda entry, region: judging.kind(entry, region, kind, self.threshold), go_on=not judged)

    def set_note(self, text: str) -> None:
        """Put words to the current region."""
        self._step(lambda entry, region: judging.note(entry, region, text.strip(), self.threshold))

    def set_shape(self, region: int, mask: RegionMask | None) -> None:
        """Give a region other pixels; None takes it away."""
        entry = self.entry
        matched = self.region(region)
        if entry is not None and matched is not None:
            values = None if self._subject is None else self._subject.values_of(matched.plane)
            self._take(judging.shape(entry, matched, mask, values, self.threshold))

    def add_region(self, mask: RegionMask, plane: tuple[int, ...]) -> None:
        """Take in a defect that was drawn by hand, as the current region."""
        entry = self.entry
        if entry is not None:
            values = None if self._subject is None else self._subject.values_of(plane)
            step = judging.drawn(entry, self.regions, mask, plane, values, self.threshold)
            self._take(step)
            self.select(next(iter(step.judgements)))

    def edit_shape(self) -> None:
        """Begin to paint the shape of the current region, or end it."""
        self.edit_wanted.emit()

    def add_missed(self, how: Literal["", "lasso", "polygon", "brush"] = "") -> None:
        """Draw a defect that has no region."""
        self.drawing_wanted.emit(how)

    def undo(self) -> None:
        """Take back the last step, whatever it was."""
        self._again(self.review.undo(), "undo")

    def redo(self) -> None:
        """Repeat what was undone last."""
        self._again(self.review.redo(), "redo")

    def next(self) -> None:
        """Go to the next region that is listed."""
        self._go(1)

    def previous(self) -> None:
        """Go to the one before."""
        self._go(-1)

    def set_order(self, order: Order) -> None:
        """Put the regions into another order."""
        self._order = order
        if order is Order.TELLING:
            self._disagreement.compute(self.desk, self._subject, self.session)
        self._find()

    def set_show(self, show: Show) -> None:
        """List other regions."""
        self._show = show
        self.changed.emit()

    def set_threshold(self, threshold: float) -> None:
        """Set the threshold of the map, as in the workbench."""
        self._desk.set_threshold(threshold, self.result)

    def set_settings(self, settings: RegionSettings) -> None:
        """Make regions in another way."""
        if settings != self.settings:
            self._store.settings = settings
            self._look_soon()

    def open_session(self, folder: Path | str, take_over: bool = False) -> None:
        """Open a session, made if it is not there; what was judged before goes into it."""
        self._store.open(Path(folder), take_over)

    def go_through(self, folder: Path | None) -> None:
        """Keep what is judged of the pictures of a folder in it; None where they are of no one folder."""
        self._store.folder = folder

    def _step(self, make: Callable[[ImageReview, Matched], Step], go_on: bool = False) -> None:
        """Take a step about the current region, or say why there is none."""
        entry, region = self.entry, self.current
        if entry is None or region is None:
            self.said.emit(self.problem or "No region is chosen. Press N to go to the next one.", "", None)
            return
        step = make(entry, region)
        following = next_open(self.regions, region) if go_on else None
        last = go_on and following is None and step.verdict is not None
        whole = last and not entry.complete and self._finder.covered
        self._take(step.completing() if whole else step)
        if following is not None:
            self.select(following.id)
        if last:
            self.image_done.emit()

    def _take(self, step: Step) -> None:
        """Write a step down; the first one of all opens a session, so that this one can be undone in it too."""
        entry, subject = self.entry, self._subject
        if entry is None or subject is None:
            return
        self._store.begin(file_of(subject.image))
        self._store.keep_threshold(self._desk.threshold_by_hand)
        self.review.add(self._described() or entry)
        judgements = {number: self._with_prompt(judgement) for number, judgement in step.judgements.items()}
        self.review.judge(entry.key, step.what, judgements, step.complete)

    def _with_prompt(self, judgement: Judgement | None) -> Judgement | None:
        """A judgement with the prompt that speaks loudest in its region, as far as that is known."""
        region = None if judgement is None or judgement.top_prompt else self.region(judgement.id)
        prompt = "" if region is None else self.top_prompt(region)
        return judgement.model_copy(update={"top_prompt": prompt}) if judgement is not None and prompt else judgement

    def _described(self) -> ImageReview | None:
        """The image as it is now, its contrast for one, with its path as the session has paths."""
        identified, subject = self._identity.entry, self._subject
        if identified is None or subject is None:
            return identified
        described = subject.describe(identified.fingerprint)
        if described.path is None or self.session is None:
            return described
        return described.model_copy(update={"path": self.session.relative(described.path)})

    def _again(self, change: Change | None, does: str) -> None:
        if change is None:
            self.said.emit(f"There is nothing to {does}.", "", None)
            return
        entry = self.entry
        if entry is None or change.image != entry.key:
            name = self.review.images[change.image].name
            self.said.emit(f"{does.capitalize()}: {change.what}, in “{name}”.", "", None)
            return
        touched = next((number for number in change.after if self.region(number) is not None), None)
        if touched is not None:
            self.select(touched)

    def _go(self, by: int) -> None:
        region = neighbour(self.regions, self.current, self._show, by)
        if region is None:
            self.said.emit(self.problem or f"There is no region to show: the list shows those {self._show}.", "", None)
        else:
            self.select(region.id)

"""From a session's folder to what was judged: the journal is replayed; what is damaged is made up for by the rest.

The journal alone gives everything, with all that can be undone. Where lines of it are missing, `session.json` with its
masks gives what was saved, and the lines after that what came later; what can be undone begins anew then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from napari_anoclip.engine.words import counted, first_line
from napari_anoclip.review import journal, session_file
from napari_anoclip.review.journal import Entry, Journaled
from napari_anoclip.review.judgement import ImageReview, Judgement
from napari_anoclip.review.lock import SessionError
from napari_anoclip.review.migrate import SCHEMA
from napari_anoclip.review.session_file import Saved, SessionSettings
from napari_anoclip.review.trials import Trial
from napari_anoclip.review.verdicts import DEFAULT_KINDS, Change, Review


class TrialAt(BaseModel):
    """A line of the journal: the trial at a place of the history; None ends the history there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    trial: Trial | None


class Kinds(BaseModel):
    """A line of the journal: the kinds of defect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: tuple[str, ...]


Record = ImageReview | Kinds | SessionSettings | TrialAt | Change

_KINDS: dict[str, type[Record]] = {
    "image": ImageReview,
    "kinds": Kinds,
    "settings": SessionSettings,
    "trial": TrialAt,
    "change": Change,
}


def as_line(record: Record) -> tuple[str, str]:
    """A record as a line of the journal: what it is, and JSON."""
    return next(name for name, kind in _KINDS.items() if isinstance(record, kind)), record.model_dump_json()


@dataclass
class State:
    """What a session holds at a moment, but for what can be undone."""

    images: dict[str, ImageReview] = field(default_factory=dict)
    kinds: tuple[str, ...] = DEFAULT_KINDS
    settings: SessionSettings = field(default_factory=SessionSettings)
    trials: list[Trial] = field(default_factory=list)

    def records(self) -> Iterator[Record]:
        """What a new journal begins with."""
        yield Kinds(kinds=self.kinds)
        yield self.settings
        yield from self.images.values()
        for index, trial in enumerate(self.trials):
            yield TrialAt(index=index, trial=trial)

    def take(self, record: Record) -> None:
        """Do what a line says; a change of an image that is not known is an error (KeyError)."""
        match record:
            case ImageReview():
                known = self.images.get(record.key)
                if known is not None:
                    record = record.model_copy(update={"judgements": known.judgements, "complete": known.complete})
                self.images[record.key] = record
            case Change():
                image = self.images[record.image]
                kept = {n: one for n, one in (image.judgements | record.after).items() if one is not None}
                update = {"judgements": dict(sorted(kept.items())), "complete": record.complete[1]}
                self.images[record.image] = image.model_copy(update=update)
            case Kinds():
                self.kinds = record.kinds
            case SessionSettings():
                self.settings = record
            case TrialAt():
                self.trials[record.index :] = [] if record.trial is None else [record.trial]


@dataclass(frozen=True)
class Restored:
    """A session as it was found.

    Attributes
    ----------
    review : Review
        Images, judgements, kinds, and what can be undone.
    settings, trials
        Of the session.
    journaled : Journaled or None
        The journal that goes on; None if one has to be begun.
    saved : Saved or None
        What `session.json` says; None if there is none, or none that can be used.
    later : set of str
        Keys of images that changed after that.
    sentence : str
        What was damaged, missing or old, and what became of it; "" if all was well.
    aside : list of str
        Names of the files that were damaged or of an older form, to be kept under another name.
    """

    review: Review
    settings: SessionSettings
    trials: list[Trial]
    journaled: Journaled | None
    saved: Saved | None
    later: set[str]
    sentence: str
    aside: list[str]

    @classmethod
    def nothing(cls) -> Restored:
        """A session that begins."""
        return cls(Review(), SessionSettings(), [], None, None, set(), "", [])


def restore(folder: Path) -> Restored:
    """Read a session. Nothing is written.

    Raises
    ------
    SessionError
        If nothing of it can be read, or a newer version wrote it.
    """
    saved, saved_fault = _saved(folder)
    found, journal_fault = _journal(folder)
    aside = [session_file.FILE] if saved_fault and (folder / session_file.FILE).exists() else []
    said = [f"session.json {saved_fault} and was made anew from the journal."] if saved_fault else []
    if found is not None and found.whole and not _stops_before(found, saved):
        try:
            records = [_record(entry) for entry in found.entries]
            review, state = _replayed(records)
        except (ValidationError, KeyError, ValueError) as error:
            journal_fault = f"does not fit together ({_why(error)})"
        else:
            later = records[_known(found, saved) :]
            if len(later) < len(records) and later and saved and saved.at:
                said.append(f"{counted(len(later), 'change')} after the last save ({_local(saved.at)}) came back.")
            if saved is not None and saved.schema != SCHEMA:
                said.append(_older(saved))
            elif saved is not None and saved.edited:
                said.append("session.json was edited while journal.jsonl was beside it: what the journal says counts.")
            if saved is not None and (saved.schema != SCHEMA or saved.edited):
                saved = None
                aside.append(session_file.FILE)
            sentence = _sentence(said, aside)
            return Restored(review, state.settings, state.trials, found, saved, _touched(later), sentence, aside)
    if saved is None and (found is None or not found.entries):
        raise SessionError(
            f"The session {folder.name} cannot be opened: session.json {saved_fault}, and journal.jsonl "
            f"{journal_fault or 'is empty'}. Nothing was changed; docs/session-format.md says what can be done."
        )
    return _put_together(folder, saved, found, journal_fault or "has lines missing", said, aside)


def _put_together(
    folder: Path, saved: Saved | None, found: Journaled | None, fault: str, said: list[str], aside: list[str]
) -> Restored:
    """Make the best of what was saved and the lines that came after."""
    state, lost = State(), 0
    if saved is not None:
        state.images, lost = saved.images()
        state.kinds, state.settings = saved.kinds, saved.settings
        state.trials, unread = saved.trials()
        if unread:
            said.append(f"{counted(unread, 'prompt set')} of the history cannot be read.")
    known = 0 if found is None else _known(found, saved)
    later = [] if found is None else [entry for entry in found.entries if entry.line > known]
    skipped = (later[-1].line - known - len(later)) if later else 0
    for entry in later:
        try:
            state.take(_record(entry))
        except (ValidationError, KeyError, ValueError):
            skipped += 1
    for key, image in state.images.items():
        kept = {number: one for number, one in image.judgements.items() if image.holds(one.mask)}
        lost += len(image.judgements) - len(kept)
        state.images[key] = image.model_copy(update={"judgements": kept})
    if saved is None or saved.schema == SCHEMA:
        said.append(f"journal.jsonl {fault}: the history of what can be undone begins anew.")
    else:
        said.append(_older(saved))
        aside.append(session_file.FILE)
    if skipped:
        said.append(f"{counted(skipped, 'line')} of the journal cannot be read.")
    if lost:
        said.append(f"The pixels of {counted(lost, 'judgement')} cannot be read: they are left out.")
    if (folder / journal.FILE).exists():
        aside.append(journal.FILE)
    review = Review(state.images.values(), state.kinds)
    return Restored(review, state.settings, state.trials, None, None, set(), _sentence(said, aside), aside)


def _replayed(records: Sequence[Record]) -> tuple[Review, State]:
    """Do everything again, in order, with what can be undone."""
    state = State()
    review = Review((), DEFAULT_KINDS)
    for record in records:
        match record:
            case ImageReview():
                review.add(record)
            case Change():
                review.apply(record)
            case Kinds():
                review.kinds = record.kinds
            case _:
                state.take(record)
    for record in records:
        match record:
            case ImageReview():
                said: Iterable[Judgement | None] = record.judgements.values()
                image = review.images[record.key]
            case Change():
                said = (*record.before.values(), *record.after.values())
                image = review.images[record.image]
            case _:
                continue
        if not all(one is None or image.holds(one.mask) for one in said):
            raise ValueError(f"a region lies beside the map of {image.name}")
    return review, state


def _saved(folder: Path) -> tuple[Saved | None, str]:
    try:
        return Saved(folder), ""
    except FileNotFoundError:
        return None, "was missing"
    except (OSError, ValueError) as error:
        return None, f"was damaged ({_why(error)})"


def _journal(folder: Path) -> tuple[Journaled | None, str]:
    try:
        found = journal.read(folder / journal.FILE)
    except FileNotFoundError:
        return None, "was missing"
    except OSError as error:
        return None, f"could not be read ({error.strerror})"
    if found.format > journal.FORMAT:
        raise SessionError(
            f"The session {folder.name} was written by a newer version of napari-anoclip. Update the plugin to open it."
        )
    return found, ""


def _stops_before(found: Journaled, saved: Saved | None) -> bool:
    """Whether the end of the journal is missing: more of it was saved than is there, or none of what was saved."""
    if saved is None:
        return False
    return saved.lines > found.last if saved.journal == found.identity else not found.entries


def _known(found: Journaled, saved: Saved | None) -> int:
    """Lines of the journal that are in `session.json`."""
    return saved.lines if saved is not None and saved.journal == found.identity else 0


def _record(entry: Entry) -> Record:
    if entry.kind not in _KINDS:
        raise ValueError(f"line {entry.line} is {entry.kind!r}")
    return _KINDS[entry.kind].model_validate_json(entry.text)


def _touched(records: Sequence[Record]) -> set[str]:
    images = {record.key for record in records if isinstance(record, ImageReview)}
    return images | {record.image for record in records if isinstance(record, Change)}


def _sentence(said: Sequence[str], aside: Sequence[str]) -> str:
    return " ".join([*said, "The files as they were are kept beside the new ones."] if aside else said)


def _older(saved: Saved) -> str:
    return f"The session was of an older form ({saved.schema}) and is now of form {SCHEMA}."


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return first_line(error)


def _local(at: datetime) -> str:
    return f"{at.replace(tzinfo=at.tzinfo or UTC).astimezone():%d %B, %H:%M:%S}"

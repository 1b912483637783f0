"""What is in a session's folder besides the journal: `session.json`, and the masks and prompt sets it names.

`session.json` is text that a person reads: one line a judgement. Together with the masks it holds all but the history
of changes, and so does the journal: each makes up for damage to the other.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_anoclip.engine import atomic
from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.foreign import json_of, within
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import ReferenceSettings
from napari_anoclip.review import mask_file
from napari_anoclip.review.judgement import ImageReview, Judgement
from napari_anoclip.review.metrics import Figures
from napari_anoclip.review.migrate import SCHEMA, migrated
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings
from napari_anoclip.review.trials import Trial
from napari_anoclip.review.verdicts import DEFAULT_KINDS

FILE = "session.json"
MASKS = "masks"
PROMPTS = "prompts"

FORMAT = "napari-anoclip session"

_SUM = b',\n "sum": "%08x"'
"""Stands at the end of the file: the CRC-32 of all before it."""

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{n}" for name in ("com", "lpt") for n in range(10))}
"""Names that Windows keeps for itself."""


class SessionSettings(BaseModel):
    """What is set for a session.

    Attributes
    ----------
    regions : RegionSettings
        What counts as a region.
    references : ReferenceSettings
        How regions judged false lower what is like them.
    threshold : float or None
        Probability above which regions are looked for; None where that is left to each result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: RegionSettings = RegionSettings()
    references: ReferenceSettings = ReferenceSettings()
    threshold: float | None = Field(None, ge=0, le=1)


@dataclass(frozen=True)
class Snapshot:
    """A session at one moment, to be written by any thread.

    Attributes
    ----------
    images : mapping
        `ImageReview` by key, in their order.
    kinds, settings, trials
        As in the session.
    changes : int
        Number of the last change.
    journal : str
        Identity of the journal.
    lines : int
        Lines of that journal that are in this.
    """

    images: Mapping[str, ImageReview]
    kinds: tuple[str, ...]
    settings: SessionSettings
    trials: tuple[Trial, ...]
    changes: int
    journal: str
    lines: int


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Masks(_Read):
    """A mask file as it was written: its name in the folder, bytes and CRC-32."""

    file: str
    bytes: int
    crc32: int


class _Journal(_Read):
    id: str
    lines: int


class _Image(_Read):
    key: str
    masks: Masks | None = None
    judgements: list[dict[str, Any]] = []


class _Trial(_Read):
    at: datetime
    prompts: str
    figures: Figures
    words: str = ""


class _Session(_Read):
    format: str
    schema_: int = Field(alias="schema")
    saved_at: datetime | None = None
    journal: _Journal | None = None
    kinds: tuple[str, ...] = DEFAULT_KINDS
    settings: SessionSettings = SessionSettings()
    trials: list[_Trial] = []
    images: list[_Image] = []


class Saved:
    """A `session.json` that was read; masks and prompt sets are read when they are asked for.

    Parameters
    ----------
    folder : Path
        The session's.

    Attributes
    ----------
    schema : int
        Its form, before it was brought to the present one.
    edited : bool
        Whether it is another than it was written.

    Raises
    ------
    OSError
        If there is none, or it cannot be read.
    ValueError
        If it is damaged.
    SessionError
        If a newer version wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        data = (folder / FILE).read_bytes()
        found = json_of(data)
        if not isinstance(found, dict):
            raise ValueError("no session")
        self.schema = found.get("schema", 0)
        self.edited = _SUM % zlib.crc32(data.rpartition(b',\n "sum"')[0]) not in data[-40:]
        content = migrated(found, folder.name)
        try:
            self._session = _Session.model_validate(content)
            # All but the masks is checked here, so that damage is known before anything rests on it.
            self._images = [
                ImageReview.model_validate({k: v for k, v in image.items() if k not in ("masks", "judgements")})
                for image in content.get("images", [])
            ]
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
        if self._session.format != FORMAT:
            raise ValueError(f"its format is {self._session.format!r}")

    @property
    def at(self) -> datetime | None:
        """When it was saved, UTC."""
        return self._session.saved_at

    @property
    def journal(self) -> str:
        """Identity of the journal whose lines it counts."""
        return self._session.journal.id if self._session.journal else ""

    @property
    def lines(self) -> int:
        """Lines of the journal that are in it."""
        return self._session.journal.lines if self._session.journal else 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of defect."""
        return self._session.kinds

    @property
    def settings(self) -> SessionSettings:
        """Settings."""
        return self._session.settings

    @property
    def masks(self) -> dict[str, Masks | None]:
        """Mask file by the image's key; None where there is none."""
        return {image.key: image.masks for image in self._session.images}

    def trials(self) -> tuple[list[Trial], int]:
        """The history of prompt sets; also how many entries cannot be read."""
        trials = []
        for one in self._session.trials:
            try:
                prompts = PromptSet.load(_file_within(self._folder, one.prompts))
                trials.append(Trial(at=one.at, prompts=prompts, figures=one.figures, words=one.words))
            except (PromptError, OSError, ValueError):
                continue
        return trials, len(self._session.trials) - len(trials)

    def images(self) -> tuple[dict[str, ImageReview], int]:
        """Images with their judgements; also how many judgements have no readable mask and were left out."""
        images, lost = {}, 0
        for described, image in zip(self._session.images, self._images, strict=True):
            masks = self._masks(described.masks)
            judgements = {}
            for one in described.judgements:
                try:
                    judgement = _judgement(one, masks)
                    judgements[judgement.id] = judgement
                except (ValidationError, KeyError, TypeError):
                    lost += 1
            images[image.key] = image.model_copy(update={"judgements": judgements})
        return images, lost

    def _masks(self, masks: Masks | None) -> dict[int, tuple[tuple[int, ...], RegionMask]]:
        try:
            return {} if masks is None else mask_file.read(_file_within(self._folder, masks.file))
        except (OSError, ValueError):
            return {}


class SessionFiles:
    """Writes snapshots into a folder; what is there already as it should be is not written again.

    Not thread-safe: one writes at a time.

    Parameters
    ----------
    folder : Path
        The session's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._masks: dict[str, tuple[ImageReview, Masks | None]] = {}
        self._texts: dict[str, tuple[ImageReview, Masks | None, str]] = {}
        self._prompts: dict[PromptSet, str] = {}

    def trust(self, images: Iterable[ImageReview], masks: Mapping[str, Masks | None]) -> list[str]:
        """Take the mask files that are there for those of images; gives the keys of images whose file is damaged."""
        damaged = []
        for image in images:
            if image.key in masks:
                if (found := masks[image.key]) == _described(self._folder, found):
                    self._masks[image.key] = image, found
                else:
                    damaged.append(image.key)
        return damaged

    def write(self, snapshot: Snapshot) -> datetime:
        """Write what changed; `session.json` last, in one step.

        Returns
        -------
        datetime
            When, as it stands in the file.

        Raises
        ------
        OSError
            If something cannot be written. What was saved before can be read still.
        """
        at = datetime.now(UTC)
        masks = {image.key: self._mask_file(image) for image in snapshot.images.values()}
        trials = [self._trial(trial) for trial in snapshot.trials]
        head = {
            "format": FORMAT,
            "schema": SCHEMA,
            "saved_at": at.isoformat(),
            "journal": {"id": snapshot.journal, "lines": snapshot.lines},
            "changes": snapshot.changes,
            "kinds": snapshot.kinds,
            "settings": snapshot.settings.model_dump(mode="json"),
        }
        lines = [f" {_json(name)}: {_json(value)}," for name, value in head.items()]
        images = (self._image(image, masks[image.key]) for image in snapshot.images.values())
        text = "\n".join(["{", *lines, _list("trials", trials) + ",", _list("images", images)]).encode()
        atomic.write(self._folder / FILE, text + _SUM % zlib.crc32(text) + b"\n}\n", durable=True)
        self._clear_away({found.file for found in masks.values() if found is not None})
        return at

    def _mask_file(self, image: ImageReview) -> Masks | None:
        """Write an image's masks, if they are not there as they are."""
        known, masks = self._masks.get(image.key, (None, None))
        if known is None or not _same_pixels(known, image):
            masks = None
            if image.judgements:
                path = self._own(MASKS) / f"{safe_name(image.key)}.tif"
                mask_file.write(path, image.map_shape, image.judgements.values())
                masks = _described(self._folder, Masks(file=f"{MASKS}/{path.name}", bytes=0, crc32=0))
        self._masks[image.key] = image, masks
        return masks

    def _image(self, image: ImageReview, masks: Masks | None) -> str:
        known = self._texts.get(image.key)
        if known is None or known[0] is not image or known[1] != masks:
            head = image.model_dump(mode="json", exclude={"judgements"})
            lines = [f"   {_json(name)}: {_json(value)}," for name, value in head.items()]
            lines.append(f"   {_json('masks')}: {_json(masks and masks.model_dump())},")
            judgements = (
                f"    {_json(one.model_dump(mode='json', exclude={'mask'}))}" for one in image.judgements.values()
            )
            text = "\n".join(["  {", *lines, _list("judgements", judgements, indent="   "), "  }"])
            known = self._texts[image.key] = image, masks, text
        return known[2]

    def _trial(self, trial: Trial) -> str:
        described = trial.model_dump(mode="json", exclude={"prompts"}) | {"prompts": self._prompt_file(trial.prompts)}
        return f"  {_json(described)}"

    def _prompt_file(self, prompts: PromptSet) -> str:
        """Name of the file of a prompt set; the same one for the same set."""
        if prompts not in self._prompts:
            folder = self._own(PROMPTS)
            text = prompts.to_yaml()
            for number in count(1):
                path = folder / f"{number:03}.yaml"
                if not path.exists():
                    atomic.write(path, text, durable=True)
                    break
                if path.read_bytes() == text.encode():
                    break
            self._prompts[prompts] = f"{PROMPTS}/{path.name}"
        return self._prompts[prompts]

    def _own(self, name: str) -> Path:
        """A folder in the session's, made if it is not there; a link to elsewhere is none to write into (OSError)."""
        try:
            folder = within(self._folder, name)
        except ValueError as error:
            raise OSError(f"its folder {name} is a link to elsewhere") from error
        folder.mkdir(exist_ok=True)
        return folder

    def _clear_away(self, used: set[str]) -> None:
        """Remove masks of judgements that were all taken back."""
        for path in (self._folder / MASKS).glob("*.tif"):
            if f"{MASKS}/{path.name}" not in used:
                # What is left over does no harm, and what lies behind a link belongs to somebody else.
                with suppress(OSError, ValueError):
                    within(self._folder, f"{MASKS}/{path.name}").unlink(missing_ok=True)


def safe_name(key: str) -> str:
    """A file name, without ending, that every system takes and that no other key has."""
    if key and len(key) <= 64 and _SAFE.issuperset(key) and key not in _DEVICES:
        return key
    plain = "".join(letter if letter in _SAFE else "_" for letter in key.lower())[:40]
    return f"{plain}_{zlib.crc32(key.encode()):08x}"


def _judgement(described: dict[str, Any], masks: Mapping[int, tuple[tuple[int, ...], RegionMask]]) -> Judgement:
    """Put a judgement together with its mask; that of form 0 has its own."""
    mask = described.get("mask") or masks[described["id"]][1]
    return Judgement.model_validate({**described, "mask": mask})


def _same_pixels(one: ImageReview, other: ImageReview) -> bool:
    """Whether two states of an image have the same mask file."""
    if one.judgements is other.judgements and one.map_shape == other.map_shape:
        return True
    pixels = ({n: (j.plane, j.mask) for n, j in image.judgements.items()} for image in (one, other))
    return one.map_shape == other.map_shape and next(pixels) == next(pixels)


def _described(folder: Path, masks: Masks | None) -> Masks | None:
    """What a mask file is now."""
    if masks is None:
        return None
    try:
        data = _file_within(folder, masks.file).read_bytes()
    except (OSError, ValueError):
        data = b""
    return Masks(file=masks.file, bytes=len(data), crc32=zlib.crc32(data))


def _file_within(folder: Path, name: str) -> Path:
    """A file that a session names. One that leads out of its folder, by itself or by a link, is none (ValueError)."""
    path = within(folder, name)
    if path.exists() and not path.is_file():
        raise ValueError(f"{name!r} is no file")
    return path


_json = partial(json.dumps, ensure_ascii=False)


def _list(name: str, lines: Iterable[str], indent: str = " ") -> str:
    inside = ",\n".join(lines)
    return f"{indent}{_json(name)}: [\n{inside}\n{indent}]" if inside else f"{indent}{_json(name)}: []"

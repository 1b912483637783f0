"""The other images of a batch, and what was seen of them, kept for the next plane, picture or prompt.

`OtherImages` is made in the GUI thread, and holds no pixels. A worker reads them, one after the other.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_anoclip.engine.errors import AnoCLIPError, ImageError
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.engine.words import named
from napari_anoclip.plugin.others import OtherPlane

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.engine.mutual import Others
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.engine.settings import MutualSettings
    from napari_anoclip.plugin.others import OtherImage
    from napari_anoclip.plugin.planes import Plane

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class OtherImages:
    """Images that judge each other, the one that is looked at among them.

    Attributes
    ----------
    kind : {"planes", "pictures", "layers"}
        What they have in common: the stack, the folder, or the viewer.
    noun, where : str
        What one of them is called, and what tells them from others: "picture", " of the folder".
    count : int
        How many.
    others : int
        How many without the one that is looked at.
    which : tuple
        The same as long as they are the same images, looked at in the same way.
    get : callable
        Takes a number from 0 and gives an `OtherImage`.
    bank : Bank
        What keeps what was seen of them.
    """

    kind: Literal["planes", "pictures", "layers"]
    noun: str
    where: str
    count: int
    others: int
    which: tuple[Hashable, ...] = field(repr=False)
    get: Callable[[int], OtherImage] = field(repr=False)
    bank: Bank = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherImages) and self.which == other.which

    def __hash__(self) -> int:
        return hash(self.which)

    @property
    def counted(self) -> str:
        """How many others there are: "119 other pictures of the folder"."""
        number = f"{self.others:,}" if self.others else "no"
        return f"{number} other {self.noun}{'s' * (self.others != 1)}{self.where}"

    def some(self, settings: MutualSettings) -> list[OtherImage]:
        """Those that are looked at: all, or of more than the settings allow a seeded sample.

        The engine draws one too, by pixels, for which it has to read all: a folder can hold more than a person waits
        for.
        """
        numbers: Sequence[int] = range(self.count)
        if self.count > settings.references:
            draw = np.random.default_rng(settings.seed)
            numbers = np.sort(draw.choice(self.count, settings.references, replace=False)).tolist()
        return [self.get(number) for number in numbers]

    def gathered(
        self, model: AnoCLIP, settings: AnoCLIPSettings, on_progress: ProgressCallback, cancel: CancelFlag
    ) -> Others:
        """What was seen of them; looked at now if that was not done yet. In a worker that has borrowed the model."""
        return self.bank.of(self, model, settings, on_progress, cancel)


@dataclass(frozen=True, eq=False)
class Gathered:
    """What was seen of the other images.

    Attributes
    ----------
    others : Others
        For `AnoCLIP.detect`.
    digests : dict
        By key, what was read of each.
    sentence : str
        About those that could not be read; nothing if all could.
    """

    others: Others
    digests: dict[Hashable, str] = field(repr=False)
    sentence: str = ""


class Bank:
    """Keeps what was gathered last, and no more, as long as the model is in memory.

    All but `is_gathering` is for workers that have borrowed the model: there is one borrower at a time, so that nothing
    here needs a lock.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[Hashable, ...], weakref.ref[AnoCLIP], Gathered] | None = None
        self._under_way: tuple[OtherImages, AnoCLIPSettings] | None = None
        self._told = True

    def of(
        self,
        images: OtherImages,
        model: AnoCLIP,
        settings: AnoCLIPSettings,
        on_progress: ProgressCallback,
        cancel: CancelFlag,
    ) -> Others:
        """Give what was seen of images, or look at them.

        Parameters
        ----------
        images : OtherImages
            Which.
        model : AnoCLIP
            Whose tokens.
        settings : AnoCLIPSettings
            Tiling, V-V blocks, and how images are compared.
        on_progress, cancel
            Told and asked after each image and each comparison.

        Returns
        -------
        Others
            For `AnoCLIP.detect`.

        Raises
        ------
        AnoCLIPError
            As for `Others.gather`; those that cannot be read are left out.
        """
        chosen = images.some(settings.mutual)
        key = (images.which, _seen_by(settings), tuple(one.version for one in chosen))
        kept = self._kept
        if kept is None or kept[0] != key or kept[1]() is not model:
            self._kept = kept = None  # two of them might not fit into memory
            self._under_way = images, settings
            try:
                found = _gather(chosen, model, settings, on_progress, cancel)
            finally:
                self._under_way = None
            self._kept = kept = key, weakref.ref(model, self._on_unloaded), found
            self._told = not found.sentence
        return kept[2].others

    def is_gathering(self, images: OtherImages, settings: AnoCLIPSettings) -> bool:
        """Whether just these are being looked at just so: who waits has them sooner than who cancels."""
        now = self._under_way
        return now is not None and now[0] == images and _seen_by(now[1]) == _seen_by(settings)

    def again(self, provenance: Mapping[str, Any]) -> Others | None:
        """What was gathered last, if it is what a detection of this provenance was made with."""
        made_with = provenance.get("others")
        kept = None if self._kept is None else self._kept[2].others
        return kept if kept is not None and made_with == kept.provenance else None

    def compare(self, plane: Plane, digest: str) -> None:
        """Compare a plane that was read just now with what was seen of it; where it changed, all is looked at anew."""
        if self._kept is not None and self._kept[2].digests.get(OtherPlane(plane).key, digest) != digest:
            self._kept = None

    def news(self) -> str:
        """What is to be told of the last gathering, once: a sentence if some could not be read."""
        told, self._told = self._told, True
        return "" if told or self._kept is None else self._kept[2].sentence

    def _on_unloaded(self, model: weakref.ref[AnoCLIP]) -> None:
        if self._kept is not None and self._kept[1] is model:
            self._kept = None


def _gather(
    chosen: Sequence[OtherImage],
    model: AnoCLIP,
    settings: AnoCLIPSettings,
    on_progress: ProgressCallback,
    cancel: CancelFlag,
) -> Gathered:
    from napari_anoclip.engine.mutual import Others

    sources = _Sources(chosen)
    try:
        others = Others.gather(model, sources, settings, on_progress=on_progress, cancel=cancel)
    except ImageError as error:  # no fault of the plane that is scored: with the next one it would be the same
        raise AnoCLIPError(f"{error} {_left_out(sources.broken)}".strip()) from error
    return Gathered(others, sources.digests, _left_out(sources.broken))


class _Sources:
    """Reads one image after the other, so that the pixels of no more than one are in memory."""

    def __init__(self, chosen: Sequence[OtherImage]) -> None:
        self._chosen = chosen
        self.digests: dict[Hashable, str] = {}
        self.broken: list[tuple[str, str]] = []

    def __length_hint__(self) -> int:
        return len(self._chosen)

    def __iter__(self) -> Iterator[ImageSource]:
        for one in self._chosen:
            try:
                source = one.read()
            except AnoCLIPError as error:
                _log.warning("%s", error)
                self.broken.append((one.name, str(error)))
                continue
            self.digests[one.key] = source.digest
            yield source


def _left_out(broken: Sequence[tuple[str, str]]) -> str:
    """Say which other images do not count, and why the first of them does not; nothing if all do."""
    if not broken:
        return ""
    count = len(broken)
    were = "other image was" if count == 1 else "other images were"
    return f"{count} {were} left out: {named(name for name, _ in broken)}. {broken[0][1]}"


def _seen_by(settings: AnoCLIPSettings) -> AnoCLIPSettings:
    """Settings without those that make no other tokens nor other distances."""
    neither = AnoCLIPSettings()
    mutual = settings.mutual.model_copy(update={"enabled": True, "weight": neither.mutual.weight})
    names = "scoring", "adaptation", "references"
    return settings.model_copy(update={"mutual": mutual} | {name: getattr(neither, name) for name in names})

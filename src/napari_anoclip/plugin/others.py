"""The other images of a batch, which judge the one that is looked at: which they are, as plain values.

`OtherImages` is made in the GUI thread, and holds no pixels. A worker reads them, one after the other.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.picture_loader import file_version, read_pixels
from napari_anoclip.plugin.run_request import read_source

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.engine.mutual import Others
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback
    from napari_anoclip.engine.settings import AnoCLIPSettings, MutualSettings
    from napari_anoclip.plugin.others_bank import Bank
    from napari_anoclip.plugin.planes import ImageChoice, Plane

FEWEST = 3
"""As `engine.mutual.FEWEST`, which cannot be asked for without loading torch."""


class OtherImage(Protocol):
    """One of them, not read yet."""

    @property
    def key(self) -> Hashable:
        """Which it is."""

    @property
    def name(self) -> str:
        """What it is called, where it cannot be read."""

    @property
    def version(self) -> Hashable:
        """What is another after it changed, where that can be told without reading it."""

    def read(self) -> ImageSource:
        """Read it, in a worker; raises an `ImageError` where it is no image that can be scored."""


@dataclass(frozen=True)
class OtherPlane:
    """A plane of an image layer."""

    plane: Plane

    @property
    def key(self) -> Hashable:
        """The layer, and the place in its stack."""
        return str(self.plane.layer.unique_id), self.plane.hidden

    @property
    def name(self) -> str:
        """The plane's, or of a flat image the layer's."""
        return self.plane.name or self.plane.layer.name

    @property
    def version(self) -> Hashable:
        """Nothing: what is written into an array is seen once that plane is scored."""
        return None

    def read(self) -> ImageSource:
        """Read it as a run does."""
        return read_source(self.plane)


@dataclass(frozen=True)
class OtherPicture:
    """A picture in a file.

    Attributes
    ----------
    path : Path
        The file.
    like : Plane
        How the picture that is shown is looked at: through the same window if that is not all of it.
    choice : ImageChoice
        Whether there is a window, and what is black and white.
    """

    path: Path
    like: Plane
    choice: ImageChoice

    @property
    def key(self) -> Hashable:
        """Its path."""
        return self.path

    @property
    def name(self) -> str:
        """The file's."""
        return self.path.name

    @property
    def version(self) -> Hashable:
        """When the file was changed last, and its size."""
        return file_version(self.path)

    def read(self) -> ImageSource:
        """Read it as a run would if it were the one that is shown."""
        from napari_anoclip.engine.image_source import ImageSource

        pixels = read_pixels(self.path)
        data, (low, high) = pixels.data, pixels.contrast_limits
        rgb = data.ndim == 3 and data.shape[2] in (3, 4)
        if data.ndim != 2 and not rgb:
            raise ImageError(f"The picture {self.name} holds more than one plane.")
        if self.choice.region != "whole":
            if data.shape[:2] != self.like.data.shape[:2]:
                raise ImageError(
                    f"The picture {self.name} is of another size, so the region is not that of the others."
                )
            data = data[self.like.window]
        fixed = rgb or data.dtype in (np.uint8, bool) or self.choice.contrast == "data"
        return ImageSource.of(data, None if fixed or not low < high else (low, high))


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


class Same:
    """An object as a part of a key: equal to itself only, and not kept alive."""

    def __init__(self, thing: Any) -> None:
        self._id = id(thing)
        try:
            self._thing: Callable[[], Any] = weakref.ref(thing)
        except TypeError:  # then it is kept
            self._thing = lambda: thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self._thing() is not None and self._thing() is other._thing()

    def __hash__(self) -> int:
        return self._id

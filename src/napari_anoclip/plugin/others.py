"""One of the other images of a batch, which judge the one that is looked at: a plane or a picture, not read yet."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.picture_loader import read_pixels
from napari_anoclip.plugin.reading import read_source
from napari_anoclip.review.pictures import file_version

if TYPE_CHECKING:
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.plugin.planes import ImageChoice, Plane


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

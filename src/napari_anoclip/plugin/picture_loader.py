"""Pictures read off the GUI thread, and the neighbours of the one that is shown read and encoded ahead.

What is held: the picture that is shown and its two neighbours, however many there are. Tokens are in the model's own
cache, which is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.layers.utils.layer_utils import calc_data_range
from qtpy.QtCore import QObject, Signal

from napari_anoclip.engine.errors import AnoCLIPError, ImageError
from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.reading import read_source
from napari_anoclip.review.pictures import file_version, read_picture

if TYPE_CHECKING:
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.engine.settings import AnoCLIPSettings
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.models import ModelChoice, ModelHolder
    from napari_anoclip.plugin.plane import Plane


@dataclass(frozen=True, eq=False)
class Pixels:
    """A picture in memory.

    Attributes
    ----------
    data : ndarray
        As it is in the file.
    contrast_limits : tuple of float
        As napari chooses them, found here so that no layer has to look at all pixels in the GUI thread.
    version : tuple of int or None
        Of the file: when it was changed last, and its size. Empty where that is not known.
    """

    data: np.ndarray
    contrast_limits: tuple[float, float]
    version: tuple[int, int] | None = None


@dataclass(frozen=True)
class Ahead:
    """What to encode ahead: planes as the next runs will read them."""

    planes: tuple[Plane, ...]
    settings: AnoCLIPSettings
    model: ModelChoice

    def encode(self, models: ModelHolder, channel: Channel, cancel: CancelFlag) -> None:
        """Have the model see the planes, so that their tokens are kept; what is wrong with one is told in its run."""
        with models.borrow(self.model, channel, cancel) as model:
            for plane in self.planes:
                with suppress(ImageError):
                    model.tokens(read_source(plane), self.settings, cancel=cancel)


class PictureLoader(QObject):
    """Reads the picture that is wanted now, and others ahead.

    Parameters
    ----------
    models : callable
        Gives the `ModelHolder` to encode with.
    ask : callable
        Takes pictures that were read ahead, and gives the `Ahead` to encode, or None where it is not the time for it.
    """

    loaded = Signal(object, object)
    """(path, `Pixels`) of the picture that was wanted."""
    failed = Signal(object, str)
    """(path, sentence) It cannot be read."""

    def __init__(
        self, models: Callable[[], ModelHolder], ask: Callable[[Sequence[Pixels]], Ahead | None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._models, self._ask = models, ask
        self._kept: dict[Path, Pixels] = {}
        self._wanted: Path | None = None
        self._neighbours: tuple[Path, ...] = ()
        self.job, self.ahead, self.encoding = Job(), Job(), Job()
        self.job.succeeded.connect(self._on_read)
        self.job.failed.connect(self._on_failed)
        self.ahead.published.connect(self._on_read_ahead)
        self.ahead.succeeded.connect(lambda _: self.encode_ahead())

    @property
    def kept(self) -> tuple[Path, ...]:
        """Pictures in memory."""
        return tuple(self._kept)

    def load(self, path: Path) -> None:
        """Read a picture; `loaded` tells, at once where it was read ahead and its file is as it was."""
        self._wanted = path
        kept = self._kept.get(path)
        if kept is not None and kept.version == file_version(path):
            self.job.cancel()
            self.loaded.emit(path, kept)
            return
        self._kept.pop(path, None)
        self.ahead.cancel()
        self.encoding.cancel()
        self.job.start(lambda *_: (path, read_pixels(path)), newest=True)

    def look_ahead(self, paths: Iterable[Path]) -> None:
        """Read and encode pictures that may be wanted next, the likeliest first, and forget all others."""
        self._neighbours = tuple(paths)
        self._forget_others()
        self.encoding.cancel()
        missing = [path for path in self._neighbours if path not in self._kept]
        self.ahead.start(lambda channel, cancel: _read_all(missing, channel, cancel), newest=True)

    def encode_ahead(self) -> None:
        """Encode what was read ahead, if `ask` says that it is the time; it needs the GUI thread to say how."""
        pixels = [self._kept[path] for path in self._neighbours if path in self._kept]
        request = self._ask(pixels) if pixels else None
        if request is not None:
            models = self._models()
            self.encoding.start(lambda channel, cancel: request.encode(models, channel, cancel), newest=True)

    def forget(self) -> None:
        """Stop what is under way and hold nothing."""
        self._wanted, self._neighbours = None, ()
        for job in (self.job, self.ahead, self.encoding):
            job.cancel()
        self._kept.clear()

    def close_down(self) -> None:
        """The same for good, and no thread is left."""
        for job in (self.job, self.ahead, self.encoding):
            job.close()
        self._kept.clear()

    def _forget_others(self) -> None:
        needed = {self._wanted, *self._neighbours}
        self._kept = {path: pixels for path, pixels in self._kept.items() if path in needed}

    def _on_read(self, read: tuple[Path, Pixels]) -> None:
        path, pixels = read
        if path == self._wanted:
            self._neighbours = ()  # of another picture; new ones are said as soon as this one is shown
            self._forget_others()
            self._kept[path] = pixels
            self.loaded.emit(path, pixels)

    def _on_failed(self, error: AnoCLIPError) -> None:
        self.failed.emit(self._wanted, str(error))

    def _on_read_ahead(self, read: tuple[Path, Pixels]) -> None:
        path, pixels = read
        if path in self._neighbours:
            self._kept[path] = pixels


def read_pixels(path: Path) -> Pixels:
    """Read a picture; an `ImageError` says why it cannot be."""
    if not path.parent.is_dir():
        raise ImageError(f"The folder “{path.parent.name}” is not there any more. Put it back, or open another one.")
    version = file_version(path)
    data = read_picture(path)
    rgb = data.ndim >= 3 and data.shape[-1] in (3, 4)
    low, high = calc_data_range(data, rgb=rgb)
    return Pixels(data, (float(low), float(high)), version)


def _read_all(paths: Sequence[Path], channel: Channel, cancel: CancelFlag) -> None:
    """Read pictures; one that cannot be read is told about when it is wanted."""
    for path in paths:
        if cancel.is_set():
            return
        with suppress(AnoCLIPError):
            channel.publish((path, read_pixels(path)))

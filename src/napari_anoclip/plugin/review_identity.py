"""Which image of a review a layer is, told by its pixels: so verdicts are found again wherever the file went."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_anoclip.plugin.job import Job
from napari_anoclip.plugin.models import start_engine
from napari_anoclip.plugin.plane import levels

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_anoclip.engine.errors import AnoCLIPError
    from napari_anoclip.engine.progress import CancelFlag
    from napari_anoclip.plugin.job import Channel
    from napari_anoclip.plugin.plane import Plane
    from napari_anoclip.plugin.review_subject import Subject
    from napari_anoclip.review.judgement import ImageReview


class Identity(QObject):
    """Reads an image in a worker and says which one it is. Each image is read once, until its pixels change."""

    known = Signal()
    """`entry` is there."""
    failed = Signal(str)
    """The image cannot be read: a sentence."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._subject: Subject | None = None
        self._fingerprints: weakref.WeakKeyDictionary[Image, tuple[int, str]] = weakref.WeakKeyDictionary()
        self._layers: weakref.WeakValueDictionary[str, Image] = weakref.WeakValueDictionary()
        self._entry: ImageReview | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_read)
        self.job.failed.connect(self._on_failed)

    @property
    def entry(self) -> ImageReview | None:
        """The image as a review describes it; None until it was read."""
        return self._entry

    def ask(self, subject: Subject | None) -> None:
        """Find out which image it is; `known` tells, at once where it was read before."""
        self._subject, self._entry = subject, None
        if subject is None:
            self.job.cancel()
            return
        read = self._fingerprints.get(subject.image)
        if read is not None and read[0] == id(levels(subject.image)[0]):
            self.job.cancel()
            self._know(read[1])
            return
        # All of the finest level in the first plane: whatever window of whatever level is scored, it is this image.
        whole = _whole(subject.plane)
        self.job.start(lambda channel, cancel: _fingerprint(whole, channel, cancel), newest=True)

    def forget(self, image: Image) -> None:
        """The pixels of an image were changed."""
        self._fingerprints.pop(image, None)

    def layer_of(self, key: str) -> Image | None:
        """The layer of an image that was identified, while there is one."""
        return self._layers.get(key)

    def close_down(self) -> None:
        """Stop reading."""
        self.job.close()
        self._subject = None

    def _on_read(self, fingerprint: str) -> None:
        if self._subject is not None:
            image = self._subject.image
            self._fingerprints[image] = id(levels(image)[0]), fingerprint
            self._know(fingerprint)

    def _on_failed(self, error: AnoCLIPError) -> None:
        self.failed.emit(str(error))

    def _know(self, fingerprint: str) -> None:
        assert self._subject is not None
        self._entry = self._subject.describe(fingerprint)
        self._layers[self._entry.key] = self._subject.image
        self.known.emit()


def _whole(plane: Plane) -> Any:
    """What reads all of the finest level of a plane, without touching the layer."""
    from napari_anoclip.plugin.plane_pixels import PlanePixels

    finest = levels(plane.layer)[0]
    rows, columns = (slice(0, finest.shape[axis]) for axis in plane.axes)
    return PlanePixels(finest, plane.index, plane.axes, (rows, columns), plane.layer.name)


def _fingerprint(pixels: Any, _channel: Channel, _cancel: CancelFlag) -> str:
    start_engine()
    from napari_anoclip.engine.imaging import fingerprint

    return fingerprint(pixels)

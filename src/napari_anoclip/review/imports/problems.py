"""Why judgements cannot be imported, as types. Of an image, all of it is imported or nothing."""

from __future__ import annotations

from napari_anoclip.engine.errors import AnoCLIPError


class AnnotationError(AnoCLIPError):
    """An image, or all that was to be read, cannot be imported: the sentence says why and what to do."""


class WrongFolder(AnnotationError):
    """The folder is laid out in another way, or lacks files."""


class DamagedFile(AnnotationError):
    """A file is no JSON, or not of the form that it should have."""


class UnknownImage(AnnotationError):
    """A picture that is spoken of is not there."""


class UnsafeName(AnnotationError):
    """A name leads to where no picture of the data set can be."""


class WrongSize(AnnotationError):
    """A mask does not fit the picture that it belongs to."""

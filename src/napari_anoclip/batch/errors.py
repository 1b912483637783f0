"""What can go wrong with a whole batch, as types; what goes wrong with one image is said in its record."""

from __future__ import annotations

from napari_anoclip.engine.errors import AnoCLIPError


class BatchError(AnoCLIPError):
    """The batch cannot begin or go on; what was finished stays."""


class InputError(BatchError):
    """There is nothing to be read where the images should be."""


class OutputError(BatchError):
    """Results cannot be written: the disk is full, the folder is in use, a library is missing."""

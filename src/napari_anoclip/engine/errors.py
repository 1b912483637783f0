"""What can go wrong, as types. Each message is one sentence for a person: what happened and what to do."""

from __future__ import annotations


class AnoCLIPError(Exception):
    """Base of every error that is raised on purpose."""


class ImageError(AnoCLIPError):
    """The image cannot be scored: its shape, type or content does not allow it."""


class PromptError(AnoCLIPError):
    """The prompts cannot be used: a side is empty, a template has no place for the object, and the like."""


class PromptFileError(PromptError):
    """A prompt file cannot be read; ``line`` (counted from 1) says where, if that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class ModelError(AnoCLIPError):
    """The model cannot be used: unknown, of another architecture, or its file is damaged or unsafe."""


class DownloadError(ModelError):
    """The model is not on this machine and could not be, or was not asked to be, downloaded."""


class DeviceError(AnoCLIPError):
    """The device or its precision is not to be had on this machine."""


class DeviceMemoryError(AnoCLIPError):
    """Memory ran out even for a single image."""


class Cancelled(AnoCLIPError):
    """The caller's cancel flag was seen; nothing was changed."""

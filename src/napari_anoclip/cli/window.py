"""What has to be there before a window of napari is opened: Qt itself ends the process where it is not."""

from __future__ import annotations

from napari_anoclip.cli import checkup
from napari_anoclip.engine.errors import AnoCLIPError


class WindowError(AnoCLIPError):
    """A window cannot be opened, or what it was opened for failed."""


def require_window() -> None:
    """Make sure that a window can be opened.

    Raises
    ------
    WindowError
        If there is no display or no Qt.
    """
    lack = checkup.window_lack()
    if lack is not None:
        raise WindowError(f"{lack[0]}, so napari cannot open its window. {lack[1]}")

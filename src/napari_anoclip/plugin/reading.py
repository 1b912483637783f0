"""A plane's pixels for the engine, in a worker."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from napari_anoclip.engine.errors import AnoCLIPError, ImageError
from napari_anoclip.plugin.models import start_engine

if TYPE_CHECKING:
    from napari_anoclip.engine.image_source import ImageSource
    from napari_anoclip.plugin.plane import Plane

_log = logging.getLogger(__name__)


def read_source(plane: Plane) -> ImageSource:
    """Read a plane for the engine, whatever its array does when it is read.

    Raises
    ------
    ImageError
        If it cannot be read, or is no image that can be scored.
    """
    start_engine()
    from napari_anoclip.engine.image_source import ImageSource

    try:
        return ImageSource.of(plane.read(), plane.contrast_limits)
    except AnoCLIPError:
        raise
    except Exception as error:  # lazy arrays run other people's code, which raises what it likes
        _log.exception("a plane could not be read")
        raise ImageError(
            f"The image's data could not be read ({type(error).__name__}: {error}). Check the file that it comes from."
        ) from error

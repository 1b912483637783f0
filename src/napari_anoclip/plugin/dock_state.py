"""What a dock remembers between starts, in a file of our own; never a layer, for the next viewer has others.

The file is replaced as a whole, so that two docks or processes that write at once leave one of the two states, never a
mixture. It is a help, never a need: where it cannot be read or written, that is logged and the dock goes on.
"""

from __future__ import annotations

import logging
from pathlib import Path

import platformdirs
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from napari_anoclip.engine import atomic
from napari_anoclip.engine.settings import AnoCLIPSettings, DisplaySettings

VERSION = 1

_log = logging.getLogger(__name__)


class DockState(BaseModel):
    """A dock as it was left.

    Attributes
    ----------
    version : int
        Of the file's format.
    settings, display
        As they were set.
    prompts : dict
        The prompt document's memory; empty for none.
    model : dict
        ``asdict`` of the ``ModelChoice``.
    live : bool
        The switch.
    open_sections : list of str
        Titles.
    preferred : dict
        The preferences then: what was changed there since counts.
    image_choice : dict
        What of an image is looked at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = VERSION
    settings: AnoCLIPSettings = AnoCLIPSettings()
    display: DisplaySettings = DisplaySettings()
    prompts: dict[str, JsonValue] = {}
    model: dict[str, JsonValue] = {}
    live: bool = True
    open_sections: list[str] = []
    preferred: dict[str, JsonValue] = {}
    image_choice: dict[str, JsonValue] = {}


class _Versioned(BaseModel):
    """The part of any version that can be relied on."""

    model_config = ConfigDict(extra="ignore")

    version: int


def state_file() -> Path:
    """Where the state is kept: the platform's folder for user configuration."""
    return Path(platformdirs.user_config_dir("napari-anoclip", appauthor=False)) / "dock.json"


def load() -> DockState | None:
    """The state that was saved last; None if there is none that can be used.

    A file that is damaged, or from a newer version of the plugin, is put aside beside its place.
    """
    file = state_file()
    try:
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        _put_aside(file, f"cannot be read ({error})")
        return None
    try:
        version = _Versioned.model_validate_json(content).version
        if version != VERSION:
            _put_aside(file, f"is of version {version}, and this plugin writes {VERSION}")
            return None
        return DockState.model_validate_json(content)
    except ValidationError as error:
        _put_aside(file, f"is damaged ({error.error_count()} errors)")
        return None


def save(state: DockState) -> None:
    """Replace the saved state, in one step."""
    file = state_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(file, state.model_dump_json(indent=1))
    except OSError as error:
        _log.warning("the dock's state could not be saved in %s: %s", file, error)


def _put_aside(file: Path, why: str) -> None:
    backup = file.with_name(f"{file.stem}-unused{file.suffix}")
    _log.warning("the dock's saved state %s; it is kept as %s and the dock starts afresh", why, backup)
    try:
        file.replace(backup)
    except OSError as error:
        _log.warning("it could not be put aside: %s", error)

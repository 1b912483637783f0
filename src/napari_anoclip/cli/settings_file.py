"""Settings in a file: YAML with the names of `AnoCLIPSettings`, as many of them as one wants to set."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from napari_anoclip.cli.options import message_of
from napari_anoclip.engine.errors import AnoCLIPError
from napari_anoclip.engine.foreign import NotYAML, yaml_of
from napari_anoclip.engine.settings import AnoCLIPSettings

MAX_BYTES = 100_000
"""More than this is another file."""


class SettingsFileError(AnoCLIPError):
    """A settings file cannot be used; the message names it and what is wrong."""


def over(base: AnoCLIPSettings, path: Path) -> AnoCLIPSettings:
    """Put what a file sets over other settings.

    Parameters
    ----------
    base : AnoCLIPSettings
        What counts where the file says nothing.
    path : Path
        YAML: ``scoring: {temperature: 1}``, and so on.

    Returns
    -------
    AnoCLIPSettings

    Raises
    ------
    SettingsFileError
        If the file cannot be read, names a setting that there is not, or gives one a value that it cannot have.
    """
    values = _read(path)
    _refuse_unknown(values, AnoCLIPSettings, path.name)
    try:
        return AnoCLIPSettings.model_validate(_merged(base.model_dump(), values))
    except ValidationError as error:
        raise SettingsFileError(f"{path.name}: {message_of(error)}.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SettingsFileError(f"{path.name} is too large for a file of settings: choose another one.")
        content = yaml_of(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsFileError(f"The settings {path} cannot be read ({error.strerror}): give another file.") from error
    except UnicodeDecodeError as error:
        raise SettingsFileError(f"{path.name} is not UTF-8 text; save the file as UTF-8.") from error
    except NotYAML as error:
        where = "" if error.line is None else f", line {error.line}"
        raise SettingsFileError(f"{path.name}{where}: this is not YAML ({error}).") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsFileError(f"{path.name}: names with values, such as 'vv_blocks: 12', were expected.")
    return content


def _refuse_unknown(values: Mapping[Any, Any], model: type[BaseModel], place: str) -> None:
    known = model.model_fields
    for name, value in values.items():
        if name not in known:
            near = get_close_matches(str(name), known, 1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise SettingsFileError(f"{place}: there is no setting {name!r}.{guess} Known are: {', '.join(known)}.")
        inner = known[name].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if not isinstance(value, Mapping):
                raise SettingsFileError(f"{place}: {name!r} holds several settings: give them below it, indented.")
            _refuse_unknown(value, inner, f"{place}, {name}")


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values over others, within tables, too."""
    return {
        name: _merged(before, values[name]) if name in values and isinstance(before, dict) else values.get(name, before)
        for name, before in base.items()
    }

"""What a user prefers in every dock, set in napari's own preferences dialog, which stores it.

The fields below are the declaration; the manifest's ``configurations`` block, from which napari makes the page, repeats
them, and a test holds the two together. napari before 0.9.2 has no pages for plugins: the defaults count there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_anoclip.engine.prompts import preset_names

PLUGIN = "napari-anoclip"
PAGE = "dock"
"""Key of the page in the manifest, and of its values in napari's file."""

_log = logging.getLogger(__name__)


class Preferences(BaseModel):
    """What every dock starts from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", title="Device", description="Where models run; auto takes a GPU if there is one."
    )
    token_cache_mb: int = Field(
        1000,
        ge=0,
        le=100_000,
        title="Kept tokens (MB)",
        description="Memory for what a model saw in recent images, so that new prompts are answered at once.",
    )
    models_folder: str = Field(
        "",
        title="Models folder (empty: your own)",
        description="Where downloaded models go; empty uses your own data folder.",
    )
    live: bool = Field(True, title="Live", description="Score again by itself when a prompt or setting changes.")
    default_preset: str = Field(
        "paper-texture",
        title="Default preset",
        description="Prompts that a new dock starts with.",
        json_schema_extra={"enum": [*preset_names()]},
    )

    @property
    def token_cache_bytes(self) -> int:
        """Bound on the tokens that a model keeps."""
        return self.token_cache_mb * 10**6

    @property
    def models_path(self) -> Path | None:
        """The models folder; None leaves it to the platform."""
        return Path(self.models_folder).expanduser() if self.models_folder.strip() else None


def preferences() -> Preferences:
    """What is preferred now; a value that cannot be used is logged, and its default counts."""
    page = _page()
    values: dict[str, Any] = {} if page is None else page.model_dump()
    if values.get("default_preset") not in preset_names():
        values.pop("default_preset", None)
    try:
        return Preferences(**values)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors()}
        _log.warning("preferences that cannot be used: %s", ", ".join(map(str, sorted(wrong))))
        return Preferences(**{name: value for name, value in values.items() if name not in wrong})


def watch(changed: Callable[..., None]) -> None:
    """Call a function or method whenever a preference changes, in the thread that changes it."""
    page = _page()
    if page is not None:
        page.events.connect(changed)


def unwatch(changed: Callable[..., None]) -> None:
    """Undo `watch`."""
    page = _page()
    if page is not None:
        page.events.disconnect(changed)


def _page() -> Any:
    """The values of our page as napari keeps them; None where this napari has no such pages."""
    try:
        from napari.settings import get_plugin_settings
    except ImportError:
        return None
    return getattr(get_plugin_settings().get(PLUGIN), PAGE, None)

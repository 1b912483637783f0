"""`session.json` of older versions, brought to the present form step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from napari_anoclip.review.lock import SessionError

SCHEMA = 1
"""Of what is written now."""


def migrated(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Bring what a `session.json` holds to the present form.

    Parameters
    ----------
    found : mapping
        The parsed file; its "schema" says which form it has, 0 where it says nothing.
    name : str
        Of the session, for an error.

    Returns
    -------
    dict
        In the form of `SCHEMA`; `found` is left as it is.

    Raises
    ------
    SessionError
        If a newer version wrote it.
    ValueError
        If it is no session's.
    """
    schema = found.get("schema", 0)
    if not isinstance(schema, int) or schema < 0:
        raise ValueError(f"schema {schema!r} is none")
    if schema > SCHEMA:
        raise SessionError(
            f"The session {name} was written by a newer version of napari-anoclip. Update the plugin to open it."
        )
    content = dict(found)
    for step in _STEPS[schema:]:
        content = step(content)
    return content


def _from_0(found: dict[str, Any]) -> dict[str, Any]:
    """Form 0, before the first release: one file, images by key, masks as runs in it; threshold and regions on top."""
    try:
        images = [{**image, "key": key} for key, image in found["images"].items()]
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"no session of form 0: {error}") from error
    settings = {name: found[name] for name in ("threshold", "regions") if name in found}
    kinds = {"kinds": found["kinds"]} if "kinds" in found else {}
    return {"format": "napari-anoclip session", "schema": 1, **kinds, "settings": settings, "images": images}


_STEPS: tuple[Callable[[dict[str, Any]], dict[str, Any]], ...] = (_from_0,)

"""Pretrained open_clip weights on this machine, and their download when it is asked for."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import Any

import huggingface_hub
import open_clip
import platformdirs

from napari_anoclip.engine.errors import Cancelled, DownloadError, ModelError
from napari_anoclip.engine.progress import Reporter

_WEIGHTS_NAME = "open_clip_model.safetensors"
_CHUNK_BYTES = 1 << 20


def default_models_folder() -> Path:
    """Where models are kept: the platform's folder for user data.

    Returns
    -------
    Path
    """
    return Path(platformdirs.user_data_dir("napari-anoclip", appauthor=False)) / "models"


def pretrained_config(architecture: str, tag: str) -> dict[str, Any]:
    """open_clip's entry for pretrained weights.

    Parameters
    ----------
    architecture, tag : str
        Such as "ViT-B-16-plus-240" and "laion400m_e32".

    Returns
    -------
    dict
        With ``hf_hub``, ``mean``, ``std`` and, for some, ``quick_gelu``.

    Raises
    ------
    ModelError
        If open_clip knows no such weights, or not on the hub.
    """
    entry: dict[str, Any] = open_clip.get_pretrained_cfg(architecture, tag)
    if not entry:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelError(f"open_clip knows no weights '{tag}' of {architecture}; it knows: {tags}.")
    if not entry.get("hf_hub"):
        raise ModelError(f"The weights '{tag}' of {architecture} must be fetched by hand: give the path of the file.")
    return entry


def local_or_downloaded(
    entry: dict[str, Any], name: str, *, download: bool, models_folder: Path | None, reporter: Reporter
) -> Path:
    """Path of pretrained weights, fetched only when that is asked for.

    Weights that open_clip itself has fetched before, into the hub client's own cache, are used where they are.

    Parameters
    ----------
    entry : dict
        From `pretrained_config`.
    name : str
        How to call the model in messages.
    download : bool
        Whether the network may be used.
    models_folder : Path, optional
        Where models are kept; `default_models_folder` otherwise.
    reporter : Reporter
        Progress in bytes, and cancel. A download that is cancelled or fails leaves nothing behind.

    Returns
    -------
    Path

    Raises
    ------
    DownloadError
        If the weights are not here and may not, or cannot, be downloaded.
    Cancelled
        If the flag is set.
    """
    repository, filename = os.path.split(entry["hf_hub"])
    filename = filename or _WEIGHTS_NAME
    target: Path = Path(models_folder or default_models_folder()) / repository.replace("/", "--") / filename
    if target.is_file():
        return target
    shared = huggingface_hub.try_to_load_from_cache(repository, filename)
    if isinstance(shared, str):
        return Path(shared)
    if not download:
        raise DownloadError(
            f"The model {name} is not on this machine. Ask for its download, or give the path of a file that you have."
        )
    try:
        _fetch(f"{repository}/{filename}", target, reporter)
    except Cancelled:
        raise
    except Exception as error:  # the hub's client raises its own, its transport's and the system's errors
        raise DownloadError(
            f"The model {name} could not be downloaded ({type(error).__name__}). Check the network and the space in "
            f"{target.parent}, or give the path of a file that you have."
        ) from error
    return target


def _fetch(source: str, target: Path, reporter: Reporter) -> None:
    """Stream a file of the hub to a temporary file beside its target, check it, and rename it."""
    reporter("downloading model", 0, 0)
    # A stream of our own, because the client's download function cannot be stopped in every version and transport.
    hub = huggingface_hub.HfFileSystem()
    about = hub.info(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")  # no other process has this one
    digest = hashlib.sha256()
    try:
        with partial.open("xb") as local, hub.open(source, "rb", block_size=0) as remote:
            while chunk := remote.read(_CHUNK_BYTES):
                local.write(chunk)
                digest.update(chunk)
                reporter("downloading model", local.tell(), about["size"])
        if partial.stat().st_size != about["size"] or (about["lfs"] and about["lfs"].sha256 != digest.hexdigest()):
            raise OSError("the file that arrived is not the one that was sent")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

"""Pretrained open_clip weights on this machine, and their download when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import huggingface_hub
import open_clip
import platformdirs
from tqdm import tqdm

from napari_anoclip.engine.errors import Cancelled, DownloadError, ModelError
from napari_anoclip.engine.progress import Reporter

_WEIGHTS_NAME = "open_clip_model.safetensors"


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
        Progress in bytes, and cancel. What a cancelled download has fetched is kept and continued next time.

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
    folder = models_folder or default_models_folder()
    repository, filename = os.path.split(entry["hf_hub"])
    filename = filename or _WEIGHTS_NAME
    known = huggingface_hub.try_to_load_from_cache(repository, filename, cache_dir=folder)
    if isinstance(known, str):
        return Path(known)
    if not download:
        raise DownloadError(
            f"The model {name} is not on this machine. Ask for its download, or give the path of a file that you have."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(
            huggingface_hub.hf_hub_download(
                repository, filename, cache_dir=folder, tqdm_class=_progress_bar(reporter)
            )
        )
    except Cancelled:
        raise
    except Exception as error:  # the hub's client raises its own, its transport's and the system's errors
        raise DownloadError(
            f"The model {name} could not be downloaded ({type(error).__name__}). Check the network and the space in "
            f"{folder}, or give the path of a file that you have."
        ) from error


def _progress_bar(reporter: Reporter) -> type[tqdm[Any]]:
    """A progress bar that draws nothing and tells the reporter, which raises when the caller cancels."""

    class ReportingBar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            kwargs["file"] = _Silent()
            kwargs["disable"] = False
            super().__init__(*args, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            reporter("downloading model", int(self.n), int(self.total or 0))
            return shown

    return ReportingBar


class _Silent:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        return

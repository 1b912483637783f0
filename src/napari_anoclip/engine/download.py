"""Pretrained open_clip weights on this machine, and their download when it is asked for."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import huggingface_hub
import platformdirs

from napari_anoclip.engine import architecture, atomic, checkpoint
from napari_anoclip.engine.clip_library import open_clip
from napari_anoclip.engine.errors import Cancelled, DownloadError, ModelError
from napari_anoclip.engine.progress import Reporter

_WEIGHTS_NAME = "open_clip_model.safetensors"
_CHUNK_BYTES = 1 << 20


class LocalModel(NamedTuple):
    """A model on this machine.

    Attributes
    ----------
    name : str
        By which it is loaded: ARCHITECTURE:TAG, or the path of a file that the registry does not know.
    path : Path
        Its weights.
    bytes : int
        Their size.
    """

    name: str
    path: Path
    bytes: int


class RemoteModel(NamedTuple):
    """A model that can be fetched.

    Attributes
    ----------
    name : str
        ARCHITECTURE:TAG.
    source : str
        Repository and file on the hub.
    path : Path
        Where it would go on this machine.
    bytes : int
        Its size.
    """

    name: str
    source: str
    path: Path
    bytes: int


def default_models_folder() -> Path:
    """Where models are kept: the platform's folder for user data.

    Returns
    -------
    Path
    """
    return Path(platformdirs.user_data_dir("napari-anoclip", appauthor=False)) / "models"


def local_models(models_folder: Path | None = None) -> list[LocalModel]:
    """Models on this machine: what was fetched, also by open_clip itself, and what the user put into the folder.

    Parameters
    ----------
    models_folder : Path, optional
        Where models are kept; `default_models_folder` otherwise. Its folders are looked into, but not theirs.

    Returns
    -------
    list of LocalModel
        Each file once, those that the registry knows first, by name. A folder that cannot be read holds none.
    """
    folder = models_folder or default_models_folder()
    known: dict[Path, str] = {}
    for name, entry in _suitable():
        file = _here(entry, folder)
        if file is not None:
            known.setdefault(file, name)
    inside: list[Path] = []
    with suppress(OSError):
        inside = [*folder.glob("*"), *folder.glob("*/*")]
    files = [file for file in inside if file.suffix in checkpoint.SUFFIXES and file.is_file()]
    own = {file: str(file) for file in files if file not in known}
    return [
        LocalModel(name, file, file.stat().st_size)
        for group in (known, own)
        for file, name in sorted(group.items(), key=lambda item: item[1].lower())
    ]


def fetchable_models() -> list[str]:
    """Models that the hub has and that the method works on, whether they are on this machine or not.

    Returns
    -------
    list of str
        Each ARCHITECTURE:TAG, sorted; the hub is not asked.
    """
    return sorted((name for name, _ in _suitable()), key=str.lower)


def remote_model(name: str, models_folder: Path | None = None) -> RemoteModel:
    """Ask the hub about a model, without fetching it.

    Parameters
    ----------
    name : str
        ARCHITECTURE:TAG.
    models_folder : Path, optional
        Where models are kept; `default_models_folder` otherwise.

    Returns
    -------
    RemoteModel

    Raises
    ------
    ModelError
        If there is no such model, or it does not suit the method.
    DownloadError
        If the hub does not answer.
    """
    _, entry = registered(name)
    repository, filename = _source(entry)
    target = _target(entry, models_folder)
    source = f"{repository}/{filename}"
    try:
        size = int(huggingface_hub.HfFileSystem().info(source)["size"])
    except Exception as error:  # the hub's client raises its own, its transport's and the system's errors
        raise DownloadError(
            f"The model hub does not answer about {name} ({type(error).__name__}). Check the network, or get "
            f"{filename} of {repository} another way and give the path of the file."
        ) from error
    return RemoteModel(name, source, target, size)


def registered(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Find a model in open_clip's registry.

    Parameters
    ----------
    name : str
        ARCHITECTURE:TAG.

    Returns
    -------
    config, entry : dict
        The model's configuration, checked, and `pretrained_config` of its weights.

    Raises
    ------
    ModelError
        If there is no such model, or it does not suit the method.
    """
    match = re.fullmatch(r"([^:/\\]+):([^:/\\]+)", name)
    if match is None:
        architecture.registry_config(name)  # an unknown or unsuitable name gets its own sentence first
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none, so give the path of a file"
        raise ModelError(f"'{name}' needs the name of its weights, as in '{name}:TAG'; open_clip knows: {tags}.")
    registry_name, tag = match.groups()
    config = architecture.registry_config(registry_name)
    entry = pretrained_config(registry_name, tag)
    if entry.get("quick_gelu"):  # these weights were trained with it, whatever the architecture's default
        config = {**config, "quick_gelu": True}
    return config, entry


def pretrained_config(architecture_name: str, tag: str) -> dict[str, Any]:
    """open_clip's entry for pretrained weights.

    Parameters
    ----------
    architecture_name, tag : str
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
    entry: dict[str, Any] = open_clip.get_pretrained_cfg(architecture_name, tag)
    if not entry:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture_name)) or "none"
        raise ModelError(f"open_clip knows no weights '{tag}' of {architecture_name}; it knows: {tags}.")
    if not entry.get("hf_hub"):
        raise ModelError(
            f"The weights '{tag}' of {architecture_name} must be fetched by hand: give the path of the file."
        )
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
    here = _here(entry, models_folder)
    if here is not None:
        return here
    target = _target(entry, models_folder)
    if not download:
        raise DownloadError(
            f"The model {name} is not on this machine. Ask for its download, or give the path of a file that you have; "
            f"in a terminal, “anoclip models get {name}” fetches it."
        )
    try:
        _fetch("/".join(_source(entry)), target, reporter)
    except Cancelled:
        raise
    except Exception as error:  # the hub's client raises its own, its transport's and the system's errors
        raise DownloadError(
            f"The model {name} could not be downloaded ({_why(error)}). Check the network and the space in "
            f"{target.parent}, or give the path of a file that you have."
        ) from error
    return target


def _suitable() -> list[tuple[str, dict[str, Any]]]:
    """Names and entries of all weights on the hub that work, the plainest name of the same weights first."""
    names = [
        (architecture_name, tag)
        for architecture_name in sorted(architecture.supported_architectures(), key=len)
        for tag in sorted(open_clip.list_pretrained_tags_by_model(architecture_name), reverse=True)
    ]
    entries = [(f"{name}:{tag}", open_clip.get_pretrained_cfg(name, tag)) for name, tag in names]
    return [(name, entry) for name, entry in entries if entry.get("hf_hub")]


def _source(entry: dict[str, Any]) -> tuple[str, str]:
    """Repository and file name on the hub."""
    repository, filename = os.path.split(entry["hf_hub"])
    return repository, filename or _WEIGHTS_NAME


def _target(entry: dict[str, Any], models_folder: Path | None) -> Path:
    repository, filename = _source(entry)
    return Path(models_folder or default_models_folder()) / repository.replace("/", "--") / filename


def _here(entry: dict[str, Any], models_folder: Path | None) -> Path | None:
    """The weights on this machine: in the models folder, or in the hub client's own cache."""
    target = _target(entry, models_folder)
    if target.is_file():
        return target
    shared = huggingface_hub.try_to_load_from_cache(*_source(entry))
    return Path(shared) if isinstance(shared, str) else None


def _why(error: Exception) -> str:
    """What the system says, such as that the disk is full; of all else, which is for experts, the name."""
    if isinstance(error, OSError) and (error.strerror or type(error) is OSError):
        return atomic.reason(error)
    return type(error).__name__


def _fetch(source: str, target: Path, reporter: Reporter) -> None:
    """Stream a file of the hub to a temporary file beside its target, check it, and rename it."""
    reporter("downloading model", 0, 0)
    # A stream of our own, because the client's download function cannot be stopped in every version and transport.
    hub = huggingface_hub.HfFileSystem()
    about = hub.info(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with atomic.replacing(target) as partial:
        with partial.open("xb") as local, hub.open(source, "rb", block_size=0) as remote:
            while chunk := remote.read(_CHUNK_BYTES):
                local.write(chunk)
                digest.update(chunk)
                reporter("downloading model", local.tell(), about["size"])
        if partial.stat().st_size != about["size"] or (about["lfs"] and about["lfs"].sha256 != digest.hexdigest()):
            raise OSError("the file that arrived is not the one that was sent")

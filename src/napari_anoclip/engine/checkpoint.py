"""Weights from a file, without ever running code that a file may carry."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_anoclip.engine.architecture import check_config, registry_config
from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.foreign import json_of

CONFIG_NAME = "open_clip_config.json"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def find_checkpoint(path: Path) -> tuple[Path, Path | None]:
    """Find the weights and the configuration that belong to a path.

    Parameters
    ----------
    path : Path
        A checkpoint, or a folder that holds one.

    Returns
    -------
    weights : Path
        The checkpoint.
    config : Path or None
        `CONFIG_NAME` beside it, or a JSON file of the checkpoint's own name.

    Raises
    ------
    ModelError
        If there is no such file, or a folder holds none or several.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        if len(files) != 1:
            found = ", ".join(file.name for file in files) or "none"
            raise ModelError(
                f"The folder {path} should hold one checkpoint ({', '.join(SUFFIXES)}), but holds: {found}; give the "
                "path of the file itself."
            )
        path = files[0]
    if not path.is_file():
        raise ModelError(f"There is no model file {path}.")
    if path.suffix not in SUFFIXES:
        raise ModelError(f"{path.name} is no checkpoint: give a file that ends in {', '.join(SUFFIXES)}.")
    candidates = (path.with_suffix(".json"), path.parent / CONFIG_NAME)
    return path, next((file for file in candidates if file.is_file()), None)


def read_config(file: Path | None, weights: Path, architecture: str | None) -> dict[str, Any]:
    """Read the open_clip configuration that belongs to a checkpoint.

    Parameters
    ----------
    file : Path or None
        A JSON file: open_clip's model configuration, or the one of a model folder, with ``model_cfg`` in it.
    weights : Path
        The checkpoint, for the message.
    architecture : str or None
        A name in open_clip's registry, which wins over the file.

    Returns
    -------
    dict
        ``model_cfg`` and ``preprocess_cfg``, checked.

    Raises
    ------
    ModelError
        If there is no configuration, it cannot be read, or it describes a model that does not work.
    """
    if architecture is not None:
        return {"model_cfg": registry_config(architecture), "preprocess_cfg": {}}
    if file is None:
        raise ModelError(
            f"{weights.name} comes without its configuration: put open_clip's {CONFIG_NAME} beside it, or name its "
            "architecture, such as ViT-B-16-plus-240."
        )
    try:
        content = json_of(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The configuration {file.name} cannot be read: {error}.") from error
    whole = content if isinstance(content, dict) and "model_cfg" in content else {"model_cfg": content}
    config = {"model_cfg": whole["model_cfg"], "preprocess_cfg": whole.get("preprocess_cfg") or {}}
    if not all(isinstance(part, dict) for part in config.values()):
        raise ModelError(f"The configuration {file.name} is not one of open_clip: its parts should be tables.")
    check_config(config["model_cfg"], weights.stem)
    return config


def load_weights(model: nn.Module, file: Path) -> None:
    """Load a checkpoint into a model, every weight of it and nothing else.

    Parameters
    ----------
    model : Module
        open_clip's model, built from the checkpoint's configuration.
    file : Path
        ``.safetensors``, or a PyTorch file that holds tensors only.

    Raises
    ------
    ModelError
        If the file is damaged, holds code, or belongs to another architecture.
    """
    state = _read_state(file)
    expected = model.state_dict()
    if "logit_scale" in state and state["logit_scale"].numel() == 1:  # stored as (1,) by some trainers
        state["logit_scale"] = state["logit_scale"].reshape(())
    missing = sorted(expected.keys() - state.keys())
    extra = sorted(state.keys() - expected.keys())
    differing = [key for key in expected.keys() & state.keys() if expected[key].shape != state[key].shape]
    if missing or extra or differing:
        example = (sorted(differing) or missing or extra)[0]
        raise ModelError(
            f"The weights in {file.name} belong to another architecture than its configuration says: {len(missing)} "
            f"are missing, {len(extra)} are unknown, {len(differing)} have another shape (such as {example})."
        )
    model.load_state_dict(state)


def checksum(model: nn.Module) -> str:
    """Hash of a model's weights: its identity in caches and provenance.

    Parameters
    ----------
    model : Module
        Any model.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = hashlib.blake2b(digest_size=16)
    for key, value in sorted(model.state_dict().items()):
        digest.update(f"{key} {tuple(value.shape)} {value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _holds_code(file: Path, error: Exception) -> bool:
    """Whether a file was refused for what it holds, and not because it is damaged."""
    if "GLOBAL" in str(error) or "TorchScript" in str(error):
        return True
    with file.open("rb") as stream:  # a plain pickle of a protocol newer than torch's own names nothing
        return isinstance(error, pickle.UnpicklingError) and stream.read(1) == pickle.PROTO


def _read_state(file: Path) -> dict[str, Tensor]:
    damaged = f"The model file {file.name} is damaged or incomplete: get it again."
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                size = sum(part.file_size for part in archive.infolist())
            if size > file.stat().st_size:  # torch packs nothing, and unpacks whatever is claimed
                raise ModelError(damaged)
        content = torch.load(file, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except PermissionError as error:
        raise ModelError(f"The model file {file.name} may not be read: ask for the right to.") from error
    except Exception as error:  # a damaged file can break its reader anywhere
        if not _holds_code(file, error):
            raise ModelError(damaged) from error
        raise ModelError(
            f"The model file {file.name} holds more than weights, and that could run code: it was not opened. Use a "
            ".safetensors file, or one saved from a state_dict."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items()
    ):
        raise ModelError(f"The model file {file.name} holds no plain table of weights (a state_dict).")
    return {key.removeprefix("module."): value for key, value in content.items()}

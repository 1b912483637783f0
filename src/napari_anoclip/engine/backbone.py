"""One frozen CLIP on one device: where it comes from, what it is called, and how pictures are prepared for it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from napari_anoclip.engine import architecture, checkpoint
from napari_anoclip.engine.batching import is_out_of_memory
from napari_anoclip.engine.clip_library import QuickGELU, open_clip
from napari_anoclip.engine.download import local_or_downloaded, registered
from napari_anoclip.engine.errors import DeviceError, DeviceMemoryError, ModelError
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.text import Tokenizer

Precision = Literal["fp32", "bf16", "fp16"]

BUILTIN = "builtin"
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Backbone:
    """A loaded model.

    Attributes
    ----------
    model : Module
        open_clip's CLIP, frozen and in evaluation mode.
    tokenizer : callable
        Texts to (n, context length) token ids.
    name : str
        What the user called it.
    model_id : str
        Hash of its weights and the precision it runs in; and of its activation, heads and normalisation, where these
        are not CLIP's usual ones: with the same weights, it is another model.
    device : torch.device
    precision : {"fp32", "bf16", "fp16"}
    mean, std : tuple of float
        Of the RGB channels, for normalisation.
    """

    model: nn.Module
    tokenizer: Tokenizer
    name: str
    model_id: str
    device: torch.device
    precision: Precision
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: str = "auto",
        precision: Precision = "fp32",
        architecture_name: str | None = None,
        download: bool = False,
        models_folder: Path | None = None,
        reporter: Reporter | None = None,
    ) -> Backbone:
        """Load a model by name; see `napari_anoclip.engine.AnoCLIP.load` for what a name can be.

        Raises
        ------
        ModelError, DownloadError, DeviceError, Cancelled
            As there.
        DeviceMemoryError
            If the weights do not fit into the device's memory.
        """
        report = reporter or Reporter()
        place = choose_device(device)
        check_precision(precision, place)
        report("loading model", 0, 1)
        weights, config = _locate(name, architecture_name, download, models_folder, report)
        model, tokenizer = architecture.build(config["model_cfg"])
        checkpoint.load_weights(model, weights)
        _move(model, place, _DTYPES[precision])
        preprocess = config["preprocess_cfg"]
        backbone = cls.wrap(model, tokenizer, name=name, mean=preprocess.get("mean"), std=preprocess.get("std"))
        report("loading model", 1, 1)
        return backbone

    @classmethod
    def wrap(
        cls,
        model: nn.Module,
        tokenizer: Tokenizer,
        *,
        name: str,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> Backbone:
        """Take a model that is in memory, on whatever device and in whatever precision it is.

        Parameters
        ----------
        model : Module
            open_clip's CLIP with a plain VisionTransformer. It is put into evaluation mode and frozen.
        tokenizer : callable
            Texts to token ids.
        name : str
            How to call it in provenance.
        mean, std : sequence of float, optional
            Of the RGB channels, for normalisation; otherwise what open_clip has noted on the model, else CLIP's own.

        Raises
        ------
        ModelError
            If the method does not work on it, its weights are of several types or of none that is known, or the
            normalisation is not three numbers a part.
        """
        architecture.check_model(model)
        model.eval().requires_grad_(False)
        types = {value.dtype for key, value in model.named_parameters() if key != "logit_scale"}
        precision = next((key for key, dtype in _DTYPES.items() if types == {dtype}), None)
        if precision is None:
            found = ", ".join(sorted(map(str, types)))
            raise ModelError(f"The model's weights are {found}: convert all to float32, bfloat16 or float16.")
        mean = getattr(model.visual, "image_mean", None) if mean is None else mean
        std = getattr(model.visual, "image_std", None) if std is None else std
        centre = _triple(open_clip.OPENAI_DATASET_MEAN if mean is None else mean)
        spread = _triple(open_clip.OPENAI_DATASET_STD if std is None else std, above=0.0)
        return cls(
            model=model,
            tokenizer=tokenizer,
            name=name,
            model_id=f"{checkpoint.checksum(model)}-{precision}{_unusual(model, centre, spread)}",
            device=next(model.parameters()).device,
            precision=cast("Precision", precision),
            mean=centre,
            std=spread,
        )

    @property
    def visual(self) -> Any:
        """The image tower, open_clip's VisionTransformer."""
        return self.model.visual

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return _DTYPES[self.precision]

    @property
    def patch_size(self) -> int:
        """Side of a patch in model pixels."""
        return int(self.visual.patch_size[0])

    @property
    def image_size(self) -> int:
        """Side of the model's own square, in pixels."""
        return int(self.visual.image_size[0])

    @cached_property
    def temperature(self) -> float:
        """CLIP's own softmax temperature, 1 / exp(logit_scale)."""
        return math.exp(-float(self.model.logit_scale))  # type: ignore[arg-type]

    @cached_property
    def known_token_ids(self) -> frozenset[int] | None:
        """Tokens that training saw: rows of the embedding that are not all zero; None where no row is zero."""
        seen = self.model.token_embedding.weight.detach().ne(0).any(dim=1)  # type: ignore[union-attr,operator]
        return None if bool(seen.all()) else frozenset(seen.nonzero().flatten().tolist())

    @property
    def memory_bytes(self) -> int:
        """Bytes of the weights."""
        return sum(p.numel() * p.element_size() for p in self.model.parameters())

    def normalise(self, rgb: Tensor) -> Tensor:
        """(..., 3, H, W) RGB between 0 and 1 to the model's input, on its device and in its type."""
        mean, std = (torch.tensor(x, device=rgb.device)[:, None, None] for x in (self.mean, self.std))
        return ((rgb - mean) / std).to(self.device, self.dtype)


def choose_device(device: str) -> torch.device:
    """Turn a wish into a device that is there.

    Parameters
    ----------
    device : str
        "auto" (CUDA, else Apple's MPS, else CPU), "cpu", "cuda", "cuda:1", "mps".

    Returns
    -------
    torch.device

    Raises
    ------
    DeviceError
        If this machine has no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise DeviceError(f"'{device}' is no device: use auto, cpu, cuda or mps.") from error
    available: dict[str, Callable[[], bool]] = {
        "cpu": lambda: True,
        "cuda": lambda: torch.cuda.is_available() and (chosen.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available,
    }
    if not available.get(chosen.type, lambda: False)():
        raise DeviceError(f"This machine has no usable device '{device}': use auto or cpu.")
    return chosen


def check_precision(precision: str, device: torch.device) -> None:
    """Check that a device computes in a precision.

    Raises
    ------
    DeviceError
        If it does not.
    """
    if precision not in _DTYPES:
        raise DeviceError(f"'{precision}' is no precision: use {', '.join(_DTYPES)}.")
    lacking = (device.type == "cpu" and precision == "fp16") or (
        device.type == "cuda" and precision == "bf16" and not torch.cuda.is_bf16_supported()
    )
    if lacking:
        raise DeviceError(f"The device '{device}' does not compute in {precision}: use fp32.")


def _locate(
    name: str, architecture_name: str | None, download: bool, models_folder: Path | None, reporter: Reporter
) -> tuple[Path, dict[str, Any]]:
    """Weights file and checked configuration of a model by name."""
    if name == BUILTIN:
        folder = Path(str(resources.files("napari_anoclip") / "builtin"))
        weights, config_file = checkpoint.find_checkpoint(folder / "model.safetensors")
        return weights, checkpoint.read_config(config_file, weights, None)
    if Path(name).exists() or Path(name).suffix in checkpoint.SUFFIXES:
        weights, config_file = checkpoint.find_checkpoint(Path(name))
        return weights, checkpoint.read_config(config_file, weights, architecture_name)
    config, entry = registered(name)
    weights = local_or_downloaded(entry, name, download=download, models_folder=models_folder, reporter=reporter)
    return weights, {"model_cfg": config, "preprocess_cfg": entry}


def _move(model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Put a model on a device in a precision; the temperature stays in float32, as all scores do."""
    logit_scale = model.logit_scale.detach().float()  # type: ignore[operator]
    try:
        model.to(device, dtype)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceMemoryError(
            f"The model does not fit into the memory of '{device}': close other programs, or choose a smaller model "
            "or the CPU."
        ) from error
    model.logit_scale = nn.Parameter(logit_scale.to(device))


def _unusual(model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """What a model does with its weights, as the end of its identity; empty where that is what CLIP usually does."""
    activations = sorted({repr(part) for part in model.modules() if isinstance(part, nn.GELU | QuickGELU)})
    heads = sorted({part.head_dim for part in model.modules() if isinstance(part, nn.MultiheadAttention)})
    ways = [activations, heads, mean, std]
    if ways == [[repr(nn.GELU())], [64], open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD]:
        return ""
    return f"-{hashlib.blake2b(json.dumps(ways).encode(), digest_size=4).hexdigest()}"


def _triple(values: Any, above: float = -math.inf) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(value) for value in values)
    except (TypeError, ValueError):
        red = green = blue = math.nan
    if not all(above < value < math.inf for value in (red, green, blue)):
        raise ModelError(f"The model's configuration normalises by {values!r}: give a mean and a std of three numbers.")
    return red, green, blue

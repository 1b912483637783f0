"""The recorded arrays in tests/data/golden and the two small models that they belong to."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip import SimpleTokenizer
from open_clip.model import CLIP

FOLDER = Path(__file__).parents[1] / "data" / "golden"

DEEP14_SEED = 17
DEEP14_STD = 0.2
DEEP14_LOGIT_SCALE = 4.6052


@cache
def tiny_arrays() -> dict[str, np.ndarray]:
    """Weights, inputs and outputs of the tiny model; do not write into them."""
    return _arrays("tiny.npz")


@cache
def deep14_arrays() -> dict[str, np.ndarray]:
    """Inputs and outputs of the 14-block model; do not write into them."""
    return _arrays("deep14.npz")


@cache
def prompts() -> dict[str, dict[str, list[str]]]:
    """Reference prompts: object name, then "normal" or "abnormal", to 462 prompts in order."""
    loaded: dict[str, dict[str, list[str]]] = json.loads((FOLDER / "tiny_prompts.json").read_text("utf-8"))
    return loaded


def config(name: str) -> dict[str, Any]:
    """The open_clip configuration of "tiny" or "deep14"."""
    loaded: dict[str, Any] = json.loads((FOLDER / "configs" / f"ViT-{name}-anovl.json").read_text("utf-8"))
    return loaded


def tiny_model() -> CLIP:
    """A fresh copy of the tiny model with the recorded weights, in eval mode."""
    arrays = tiny_arrays()
    model = CLIP(**config("tiny"))
    state = {key.removeprefix("w/"): torch.tensor(value) for key, value in arrays.items() if key.startswith("w/")}
    table = torch.zeros_like(model.token_embedding.weight)
    table[torch.tensor(arrays["token_embedding_ids"])] = torch.tensor(arrays["token_embedding_rows"])
    state["token_embedding.weight"] = table
    model.load_state_dict(state, strict=True)
    return model.eval()


def deep14_model() -> CLIP:
    """A fresh copy of the 14-block model, its weights drawn by the recorded recipe and checked, in eval mode."""
    model = CLIP(**config("deep14"))
    generator = torch.Generator().manual_seed(DEEP14_SEED)
    state = model.state_dict()
    for key in sorted(state):
        if key == "logit_scale":
            state[key] = torch.tensor(DEEP14_LOGIT_SCALE)
            continue
        drawn = DEEP14_STD * torch.empty(state[key].shape).normal_(generator=generator)
        is_norm_weight = key.endswith(".weight") and key.split(".")[-2].startswith("ln_")
        state[key] = 1 + drawn if is_norm_weight else drawn
    for key, recorded in json.loads(str(deep14_arrays()["weight_checksums_json"])).items():
        np.testing.assert_allclose(_checksum(state[key]), recorded, rtol=1e-6, atol=1e-6, err_msg=key)
    model.load_state_dict(state, strict=True)
    return model.eval()


def tokenizer() -> SimpleTokenizer:
    """CLIP's own tokenizer, as both models use it."""
    return SimpleTokenizer()


def _arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / name, allow_pickle=False) as stored:
        return {key: stored[key] for key in stored.files}


def _checksum(weight: torch.Tensor) -> list[float]:
    flat = weight.double().flatten()
    return [flat.numel(), flat.sum().item(), flat.abs().sum().item(), flat[0].item(), flat[-1].item()]

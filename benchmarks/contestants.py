"""One method on one set of pictures, in a process of its own: what `benchmarks.rivals` compares.

    python -m benchmarks.contestants NAME FOLDER BEGAN SECONDS

The folder holds ``weights.safetensors`` and ``pictures.npy``; what was measured is printed as one line of JSON. This
also runs where nothing of ours is installed: each contestant imports what it needs, and no more, in its own function.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.peak import own_peak

ARCHITECTURE, SIDE = "ViT-B-16-plus-240", 240
OBJECT = "carpet"

Score = Callable[[Any], Any]
"""Takes a picture, (SIDE, SIDE, 3) uint8, and gives its map."""

Contestant = tuple[Score, Score, int]
"""How it scores a picture, the class token that it sees there, (C,), and how many prompts it encodes."""


def plain(folder: Path) -> Contestant:
    """open_clip alone: a picture and two prompts, and no map."""
    import open_clip
    import torch

    model, _, _ = open_clip.create_model_and_transforms(ARCHITECTURE, pretrained=str(folder / "weights.safetensors"))
    model.eval()
    tokens = open_clip.get_tokenizer(ARCHITECTURE)([f"a photo of a {state} {OBJECT}" for state in ("good", "bad")])

    def see(picture: Any) -> Any:
        with torch.inference_mode():
            return model.encode_image(prepared(picture))[0]

    with torch.inference_mode():
        text = model.encode_text(tokens)
    return lambda picture: (see(picture) @ text.T).softmax(dim=-1), see, len(tokens)


def winclip(folder: Path) -> Contestant:
    """anomalib's WinCLIP, zero-shot, with its own prompts."""
    import torch
    from anomalib.models.image.winclip import torch_model

    torch_model.PRETRAINED = str(folder / "weights.safetensors")  # else it is downloaded
    prompts = torch_model.create_prompt_ensemble(OBJECT)
    model = torch_model.WinClipModel(class_name=OBJECT).eval()

    def see(picture: Any) -> Any:
        with torch.inference_mode():
            return model.clip.encode_image(prepared(picture))[0][0]

    return lambda picture: model(prepared(picture)).anomaly_map, see, sum(map(len, prompts))


def ours(folder: Path, adapt: bool = False, paper: bool = False) -> Contestant:
    """AnoCLIP with the prompts of the paper; one view or the 22 of the paper, adapted to the picture or not."""
    from napari_anoclip import AnoCLIP, AnoCLIPSettings, PromptSet
    from napari_anoclip.engine.settings import AdaptationSettings

    settings = AnoCLIPSettings.paper() if paper else AnoCLIPSettings(adaptation=AdaptationSettings(enabled=adapt))
    prompts = PromptSet.paper(OBJECT, kind="texture")
    model = AnoCLIP.load(
        str(folder / "weights.safetensors"), architecture=ARCHITECTURE, device="cpu", cache_folder=folder / "cache"
    )
    new = model.prompts_to_encode(prompts)

    def see(picture: Any) -> Any:
        return model.encode_image(prepared(picture)).cls[0]

    return lambda picture: model.detect(picture, prompts, settings), see, new


CONTESTANTS: dict[str, Callable[[Path], Contestant]] = {
    "plain": plain,
    "winclip": winclip,
    "ours": ours,
    "ours again": ours,
    "ours, adapted": lambda folder: ours(folder, adapt=True),
    "ours, paper": lambda folder: ours(folder, paper=True),
}


def prepared(picture: Any) -> Any:
    """(SIDE, SIDE, 3) uint8 to (1, 3, SIDE, SIDE), as CLIP was trained to see it."""
    import open_clip
    import torch

    mean, std = (torch.tensor(x) for x in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    return ((torch.from_numpy(picture) / 255 - mean) / std).permute(2, 0, 1)[None].contiguous()


def main(name: str, folder: Path, began: float, seconds: float) -> dict[str, Any]:
    """Score the pictures until they or the seconds are over; the first is not counted among the others."""
    import numpy as np

    score, see, prompts = CONTESTANTS[name](folder)
    pictures = np.load(folder / "pictures.npy")
    ready = time.time()
    score(pictures[0])
    first = time.time()
    taken: list[float] = []
    for picture in pictures[1:]:
        started = time.perf_counter()
        score(picture)
        taken.append(time.perf_counter() - started)
        if sum(taken) > seconds:
            break

    import torch

    return {
        "cold": first - began,
        "first": first - ready,
        "seconds": taken,
        "prompts": prompts,
        "seen": see(pictures[0])[:8].tolist(),
        "peak": own_peak() if sys.platform == "linux" else None,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:]))))

"""Put the image tower's averaged weights and the text tower into the package: open_clip's format, half precision."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file

from .model import MEAN, MODEL_CONFIG, STD, UNKNOWN
from .sources import work_folder

BUILTIN = Path(__file__).resolve().parents[1] / "src" / "napari_anoclip" / "builtin"
TOKEN_SCALE = 32.0
"""Factor on the projection of image tokens. Cosines do not see it, but test-time adaptation does: it adds a sum over
all prompts, which here all point the same two ways and would drown tokens of the length that training leaves. Measured
on 40 validation scenes, AUROC of the patch grid 0.944; with TTA 0.30 at a factor of 1, 0.87 at 4, 0.939 at 16, 0.942 at
32."""
CONFIG = {
    "model_cfg": MODEL_CONFIG,
    "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bilinear", "resize_mode": "squash"},
}


def export(image_tower: Path, text_tower: Path, folder: Path = BUILTIN) -> Path:
    """Write ``model.safetensors`` and ``open_clip_config.json``; each by a temporary file and a rename.

    Parameters
    ----------
    image_tower, text_tower : Path
        What ``training.train`` and ``training.train_text`` saved.
    folder : Path
        Where to.

    Returns
    -------
    Path
        The weights.
    """
    state = torch.load(image_tower, weights_only=True)["average"] | torch.load(text_tower, weights_only=True)
    state["token_embedding.weight"][UNKNOWN] = 0
    state["visual.proj"] = state["visual.proj"] * TOKEN_SCALE
    open_clip.CLIP(**MODEL_CONFIG).load_state_dict(state, strict=True)
    folder.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.half().contiguous() for name, tensor in state.items() if name != "attn_mask"}
    part = folder / "model.safetensors.part"
    save_file(halves, part, metadata={"format": "pt"})
    part.chmod(0o644)
    part.replace(folder / "model.safetensors")
    part = folder / "open_clip_config.json.part"
    part.write_text(json.dumps(CONFIG, indent=2) + "\n")
    part.replace(folder / "open_clip_config.json")
    return folder / "model.safetensors"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image-tower", default="run", help="name of the image tower's checkpoint")
    parser.add_argument("--text-tower", default="text", help="name of the text tower's checkpoint")
    options = parser.parse_args()
    path = export(work_folder() / f"{options.image_tower}.pt", work_folder() / f"{options.text_tower}.pt")
    print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

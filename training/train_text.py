"""Train the text tower of the built-in model: captions of good and bad parts and of each defect, to their anchors."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor

from . import captions
from .anchors import Anchors
from .defects import TRAINED_KINDS
from .model import UNKNOWN, encode_captions, new_model, tokenize
from .runs import DEFAULT_RUN, Run

BATCH = 192
STEPS = 900
IMAGE_SIDE = ("visual.", "logit_scale")
"""Names of what belongs to the image side; the rest is the text tower."""


def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Captions (N, T) and which anchor each belongs to: 0 normal, 1 abnormal, 2 + kind."""
    labels = np.concatenate(
        [
            np.zeros(BATCH * 3 // 8, int),
            np.ones(BATCH * 3 // 8, int),
            2 + rng.integers(0, len(TRAINED_KINDS), BATCH // 4),
        ]
    )
    texts = [
        captions.normal(rng)
        if label == 0
        else captions.abnormal(rng)
        if label == 1
        else captions.of_kind(rng, TRAINED_KINDS[label - 2])
        for label in labels
    ]
    return tokenize(texts), torch.from_numpy(labels)


def train(steps: int, seed: int, lr: float = 2e-3) -> open_clip.CLIP:
    """Train from nothing; returns the whole model, its image tower untouched.

    The loss is the squared distance of the un-normalised embedding to its anchor, so that the mean of many prompts
    (method, section 4) is not pulled by a few long ones, and the cosine in whole.
    """
    torch.manual_seed(seed)
    model = new_model()
    anchors = Anchors.new()
    targets = torch.cat([anchors.normal[None], anchors.abnormal[None], anchors.kinds])
    trained = [p for n, p in model.named_parameters() if not n.startswith(IMAGE_SIDE)]
    optimizer = torch.optim.AdamW(trained, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    rng = np.random.default_rng([seed, 2])
    running = 0.0
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 50) * (1 - step / steps)
        tokens, labels = draw(rng)
        embeddings = encode_captions(model, tokens)
        goal = targets[labels]
        loss = (embeddings - goal).square().sum(1).mean() + (1 - F.cosine_similarity(embeddings, goal)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            model.token_embedding.weight[UNKNOWN] = 0
        running += loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}  loss {running / 100:.4f}", flush=True)
            running = 0.0
    return model


def train_and_save(path: Path, steps: int = STEPS, seed: int = 1) -> None:
    """Train and write the text tower's weights."""
    save(train(steps, seed).state_dict(), path)


def save(state: Mapping[str, Tensor], path: Path) -> None:
    """Write the text tower's part of a model's weights, whole or not at all."""
    part = path.with_suffix(".part")
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith(IMAGE_SIDE)}, part)
    part.replace(path)


def main() -> None:
    """Train and save the text tower beside the image tower's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", default=DEFAULT_RUN, help="name of the run")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    run = Run.named(options.run)
    run.folder.mkdir(parents=True, exist_ok=True)
    train_and_save(run.text_tower, options.steps, options.seed)


if __name__ == "__main__":
    main()

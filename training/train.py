"""Train the image tower of the built-in model: seeded, within a budget of hours, resumable from its last checkpoint.

The forward pass is the engine's own (``napari_anoclip.engine.vision``), so what is trained is what is run.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import open_clip
import torch
import torch.nn.functional as F

from napari_anoclip.engine import vision

from .anchors import Anchors
from .batches import Pool
from .export import export
from .losses import WEIGHTS, losses
from .model import new_model
from .muon import Muon
from .pool import make_shard
from .sources import prepare, work_folder
from .train_text import train_and_save
from .validate import validate

TOKENS_A_BATCH = 2400
ADAMW_SHARE = 0.25
SIDES = (80, 112, 176, 240)
FIRST_SHARDS = 6


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="budget, counted over all resumed runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--name", default="run", help="name of the checkpoint")
    parser.add_argument("--pid-file", type=Path)
    parser.add_argument("--no-generator", action="store_true", help="use the scenes that are there, make no new ones")
    return parser.parse_args()


def optimizers_of(model: open_clip.CLIP, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices; AdamW for the rest of the image tower and the logit scale."""
    named = dict(model.visual.named_parameters())
    matrices = [p for name, p in named.items() if "resblocks" in name and p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in (*named.values(), model.logit_scale) if id(p) not in chosen]
    return [
        Muon(matrices, lr=lr),
        torch.optim.AdamW(rest, lr=lr * ADAMW_SHARE, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def rate(step: int, progress: float) -> float:
    """Share of the full learning rate: warm-up, constant, cosine over the last 40 % of the budget."""
    warm = min(1.0, (step + 1) / 100)
    late = max(0.0, (progress - 0.6) / 0.4)
    return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, late))))


def side_of(rng: np.random.Generator, progress: float) -> int:
    """Image side of a step: many small crops at first, for they hold the most different defects; whole scenes later."""
    early = max(0.0, 1 - progress / 0.7)
    shares = np.array([0.7, 0.2, 0.05, 0.05]) * early + np.array([0.15, 0.35, 0.2, 0.3]) * (1 - early)
    return int(rng.choice(SIDES, p=shares))


class Trainer:
    """One run: model, moving average, optimisers, and where they are saved."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.folder = work_folder()
        self.path = self.folder / f"{options.name}.pt"
        self.model = new_model()
        self.average = new_model().requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self.optimizers = optimizers_of(self.model, options.lr)
        self.step, self.spent = 0, 0.0
        if self.path.exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.spent = state["step"], state["spent"]
        print(f"resumed at step {self.step}, {self.spent / 3600:.2f} h", flush=True)

    def save(self, spent: float) -> None:
        """Write the checkpoint so that a crash leaves the old one or the new one."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "spent": spent,
        }
        part = self.path.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.path)

    def run(self) -> None:
        """Train until the budget is spent."""
        options, budget = self.options, self.options.hours * 3600
        pool = Pool(self.folder, options.seed)
        scenes, anchors = pool.refresh(), Anchors.new()
        start = last_save = last_log = last_look = time.monotonic()
        sums: dict[str, float] = defaultdict(float)
        images_seen = logged_steps = 0

        def prepare_step(step: int, progress: float):  # type: ignore[no-untyped-def]
            rng = np.random.default_rng([options.seed, step])
            side = side_of(rng, progress)
            count = round(TOKENS_A_BATCH / (side // 16) ** 2)
            return pool.draw((options.seed + 1000, step), count, side)

        with ThreadPoolExecutor(1) as ahead:
            waiting = ahead.submit(prepare_step, self.step, self.spent / budget)
            while (spent := self.spent + time.monotonic() - start) < budget:
                progress = spent / budget
                batch = waiting.result()
                if self.step % 200 == 0:
                    scenes = pool.refresh()
                waiting = ahead.submit(prepare_step, self.step + 1, progress)
                factor = rate(self.step, progress)
                for optimizer, share in zip(self.optimizers, (1.0, ADAMW_SHARE), strict=True):
                    for group in optimizer.param_groups:
                        group["lr"] = options.lr * share * factor
                seen = vision.encode(self.model.visual, batch.images)
                patches, cls = (F.normalize(x, dim=-1) for x in (seen.patches, seen.cls))
                parts = losses(patches, cls, self.model.logit_scale.exp(), anchors, batch.coverage)
                total = sum(WEIGHTS[name] * part for name, part in parts.items())
                total.backward()
                torch.nn.utils.clip_grad_norm_(self.model.visual.parameters(), 1.0)
                for optimizer in self.optimizers:
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                with torch.no_grad():
                    self.model.logit_scale.clamp_(math.log(5), math.log(60))
                    decay = min(0.998, (self.step + 1) / (self.step + 20))
                    self._average(decay)
                self.step += 1
                images_seen += len(batch.images)
                logged_steps += 1
                for name, part in parts.items():
                    sums[name] += part.item()
                now = time.monotonic()
                if now - last_log > 60:
                    shown = "  ".join(f"{name} {value / logged_steps:.3f}" for name, value in sums.items())
                    pace = images_seen / (now - last_log)
                    scale = self.model.logit_scale.exp().item()
                    print(
                        f"{time.strftime('%H:%M:%S')} step {self.step}  {progress:.1%}  {shown}  scale {scale:.1f}  "
                        f"{pace:.0f} images/s  {logged_steps / (now - last_log):.2f} steps/s  pool {scenes}",
                        flush=True,
                    )
                    sums.clear()
                    images_seen = logged_steps = 0
                    last_log = now
                if now - last_save > 180:
                    self.save(spent)
                    last_save = now
                if now - last_look > 1800:
                    self.look()
                    last_look = last_log = time.monotonic()
        self.save(budget)
        self.look()

    def _average(self, decay: float) -> None:
        """Move the average towards the model."""
        for mean, mine in zip(self.average.visual.parameters(), self.model.visual.parameters(), strict=True):
            mean.lerp_(mine, 1 - decay)
        self.average.logit_scale.copy_(self.model.logit_scale)

    def look(self) -> None:
        """Print figures of the moving average on the validation scenes."""
        self.average.eval()
        figures = validate(self.average.visual, Anchors.new(), self.folder)
        print("validation  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()), flush=True)


def main() -> None:
    """Prepare sources and first shards, start the generator beside, train both towers, put them into the package."""
    options = arguments()
    if options.pid_file:
        options.pid_file.write_text(str(os.getpid()))
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    folder = work_folder()
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder)
    for index in range(FIRST_SHARDS):
        make_shard(folder, options.seed, index)
    generator = None
    if not options.no_generator:
        command = [sys.executable, "-m", "training.pool", "--seed", str(options.seed), "--count", "60"]
        generator = subprocess.Popen(["nice", "-n", "19", *command])
    text_tower = folder / "text.pt"
    if not text_tower.exists():
        train_and_save(text_tower, seed=options.seed)
    try:
        Trainer(options).run()
        export(folder / f"{options.name}.pt", text_tower)
    finally:
        if generator:
            generator.terminate()


if __name__ == "__main__":
    main()

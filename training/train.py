"""Train the image tower of the built-in model: seeded, within a budget of hours, resumable from its last checkpoint.

The forward pass is the engine's own (``napari_anoclip.engine.vision``), so what is trained is what is run. Nothing is
put into the package: that is what ``training.export`` does.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import sys
import time
from collections import defaultdict
from types import FrameType

import cv2
import numpy as np
import open_clip
import torch
import torch.nn.functional as F

from napari_anoclip.engine import vision

from .anchors import Anchors
from .export import exported
from .losses import WEIGHTS, losses
from .model import new_model
from .muon import Muon
from .pool import FIRST, Pool
from .runs import DEFAULT_RUN, Run
from .scenes import Recipe
from .sources import prepare, work_folder
from .train_text import save, train_and_save
from .validate import validate

TOKENS_A_BATCH = 2400
SCENES_A_STEP = 5
ADAMW_SHARE = 0.25
SIDES = (80, 112, 176, 240)
EARLY_SIDES = np.array([0.7, 0.2, 0.05, 0.05])
LATE_SIDES = np.array([0.15, 0.35, 0.2, 0.3])
RECIPE = Recipe(thin=0.2, structure=0.15)
"""What training looks at: more of what the first round was weak at than the evaluation draws."""
LOG_SECONDS, SAVE_SECONDS, LOOK_SECONDS = 60, 180, 1800


def arguments() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=8.0, help="budget of processor time, over all resumed runs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--bf16", action="store_true", help="half precision, for processors that are faster with it")
    parser.add_argument("--run", default=DEFAULT_RUN, help="name of the run; one that is there is gone on with")
    parser.add_argument(
        "--from", dest="start", choices=("nothing", "builtin"), default="nothing", help="what a new run starts from"
    )
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


class Trainer:
    """One run: model, moving average, optimisers, scenes, and where they are saved."""

    def __init__(self, options: argparse.Namespace, run: Run) -> None:
        torch.manual_seed(options.seed)
        self.options, self.run = options, run
        self.model, self.average = new_model(), new_model().requires_grad_(False)
        self.optimizers = optimizers_of(self.model, options.lr)
        self.step, self.spent, self.start, drawn = 0, 0.0, options.start, 0
        self._stopped = False
        if run.checkpoint.exists():
            drawn = self._resume()
        elif self.start == "builtin":
            self.model.load_state_dict(exported())
            self.average.load_state_dict(self.model.state_dict())
        else:
            self.average.load_state_dict(self.model.state_dict())
        self.pool = Pool(run.pool, options.seed, RECIPE, drawn)
        self.pool.renew(max(0, FIRST - len(self.pool)))

    def _resume(self) -> int:
        state = torch.load(self.run.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.spent, self.start = state["step"], state["spent"], state["start"]
        self.log(f"resumed at step {self.step}, {self.spent / 3600:.2f} h")
        return int(state["drawn"])

    def save(self) -> None:
        """Write the checkpoint so that a crash leaves the old one or the new one."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "spent": self.spent,
            "start": self.start,
            "drawn": self.pool.drawn,
        }
        part = self.run.checkpoint.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.run.checkpoint)

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """End after this step; a signal's handler."""
        self._stopped = True

    def log(self, line: str) -> None:
        """Print a line and keep it beside the checkpoint."""
        print(line, flush=True)
        with self.run.log.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def train(self) -> bool:
        """Train until the budget is spent or a signal asks to stop; what was learnt is saved. Whether it was spent."""
        before, started = self.spent, time.process_time()
        last_log = last_save = last_look = time.monotonic()
        sums: dict[str, float] = defaultdict(float)
        steps = 0
        while self.spent < self.options.hours * 3600 and not self._stopped:
            for name, value in self._step().items():
                sums[name] += value
            steps += 1
            self.spent = before + time.process_time() - started
            now = time.monotonic()
            if now - last_log > LOG_SECONDS:
                shown = "  ".join(f"{name} {value / steps:.3f}" for name, value in sums.items())
                self.log(
                    f"step {self.step}  {self._progress:.1%}  {shown}  scale {self.model.logit_scale.exp().item():.1f}"
                    f"  {(now - last_log) / steps:.1f} s/step  {self.pool.drawn} scenes"
                )
                sums.clear()
                steps, last_log = 0, now
            if now - last_save > SAVE_SECONDS:
                self.save()
                last_save = now
            if now - last_look > LOOK_SECONDS:
                self.look()
                last_look = last_log = time.monotonic()
        self.save()
        self.log(f"{'stopped' if self._stopped else 'budget spent'} at step {self.step}, {self.spent / 3600:.2f} h")
        if not self._stopped:
            self.look()
        return not self._stopped

    @property
    def _progress(self) -> float:
        return self.spent / (self.options.hours * 3600)

    def _side(self, rng: np.random.Generator) -> int:
        """Image side of a step: many small crops at first, for they hold the most different defects; scenes later."""
        early = max(0.0, 1 - self._progress / 0.7) if self.start == "nothing" else 0.0
        return int(rng.choice(SIDES, p=EARLY_SIDES * early + LATE_SIDES * (1 - early)))

    def _step(self) -> dict[str, float]:
        """One step; the parts of its loss."""
        side = self._side(np.random.default_rng([self.options.seed, self.step]))
        self.pool.renew(SCENES_A_STEP)
        count = round(TOKENS_A_BATCH / (side // 16) ** 2)
        batch = self.pool.draw((self.options.seed + 1000, self.step), count, side)
        factor = rate(self.step, self._progress)
        for optimizer, share in zip(self.optimizers, (1.0, ADAMW_SHARE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = self.options.lr * share * factor
        with torch.autocast("cpu", torch.bfloat16, enabled=self.options.bf16):
            seen = vision.encode(self.model.visual, batch.images)
        patches, cls = (F.normalize(x.float(), dim=-1) for x in (seen.patches, seen.cls))
        parts = losses(patches, cls, self.model.logit_scale.exp(), Anchors.new(), batch.coverage)
        torch.stack([WEIGHTS[name] * part for name, part in parts.items()]).sum().backward()
        torch.nn.utils.clip_grad_norm_(self.model.visual.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            self.model.logit_scale.clamp_(math.log(5), math.log(60))
            self._follow(min(0.998, (self.step + 1) / (self.step + 20)))
        self.step += 1
        return {name: part.item() for name, part in parts.items()}

    def _follow(self, decay: float) -> None:
        """Move the average towards the model."""
        for mean, mine in zip(self.average.visual.parameters(), self.model.visual.parameters(), strict=True):
            mean.lerp_(mine, 1 - decay)
        self.average.logit_scale.copy_(self.model.logit_scale)

    def look(self) -> None:
        """Log figures of the moving average on the validation scenes."""
        self.average.eval()
        figures = validate(self.average.visual, Anchors.new(), work_folder())
        self.log("validation  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


def main() -> None:
    """Prepare the sources, train both towers or go on from what there is, stop when told."""
    options = arguments()
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    run = Run.named(options.run)
    run.folder.mkdir(parents=True, exist_ok=True)
    prepare(work_folder())
    if not run.text_tower.exists():
        if options.start == "builtin":
            save(exported(), run.text_tower)
        else:
            train_and_save(run.text_tower, seed=options.seed)
    trainer = Trainer(options, run)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, trainer.stop)
    if trainer.step == 0:
        trainer.look()
    if not trainer.train():
        sys.exit("Stopped before the budget was spent; the same command goes on.")  # so that make exports nothing


if __name__ == "__main__":
    main()

"""Print the engine's cost as ratios to plain open_clip, measured in one run.

Ratios of medians hold when a machine's speed drifts, because both sides of each are timed in turn. The towers have
the shape of ViT-B-16-plus-240 and random weights: speed does not depend on what the weights are.

    python -m benchmarks.engine [--rounds 7] [--only TTA]
"""

from __future__ import annotations

import argparse
import logging
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import torch

from benchmarks.peak import peak_megabytes
from benchmarks.report import heading, line
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings
from napari_anoclip.engine.text import CPU_BATCH_SIZE, encode_texts

ARCHITECTURE = "ViT-B-16-plus-240"
PROMPTS = PromptSet.paper("carpet", kind="texture")
Work = Callable[[], object]


class Bench:
    """Times pairs of works in turn and prints one line for each ratio."""

    def __init__(self, device: str, rounds: int, only: str) -> None:
        logging.disable(logging.WARNING)
        self.rounds, self.only = rounds, only
        self.model, _, _ = open_clip.create_model_and_transforms(ARCHITECTURE, device=device)
        self.model.eval()
        self.tokenizer = open_clip.get_tokenizer(ARCHITECTURE)
        self.folder = tempfile.TemporaryDirectory()
        self.ano = self.fresh()
        self.device = device

    def fresh(self) -> AnoCLIP:
        """An engine that remembers nothing, on the same weights."""
        folder = Path(tempfile.mkdtemp(dir=self.folder.name))
        return AnoCLIP.from_open_clip(self.model, self.tokenizer, cache_folder=folder)

    def seconds(self, *works: Work) -> list[list[float]]:
        """Wall seconds of each work, round by round in turn, after one round to warm up.

        Works that take less than a second get thrice the rounds: they cost little and scatter most.
        """
        times: list[list[float]] = [[] for _ in works]
        for lap in range(3 * self.rounds + 1):
            if lap > self.rounds and sum(map(statistics.median, times)) > 1:
                break
            for index, work in enumerate(works):
                self.wait()
                started = time.perf_counter()
                work()
                self.wait()
                if lap:
                    times[index].append(time.perf_counter() - started)
        return times

    def wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def ratio(self, name: str, target: float, work: Work, against: Work, *, times: float = 1.0) -> None:
        """Time `work` and `against`, and print the median of the ratios of each round."""
        if self.only not in name:
            return
        ours, theirs = self.seconds(work, against)
        ratios = [mine / (times * other) for mine, other in zip(ours, theirs, strict=True)]
        line(name, statistics.median(ratios), target, f"{ms(ours)} against {times:g} × {ms(theirs)}")


def ms(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="measure only the ratios whose name contains this")
    options = parser.parse_args()
    print(f"{ARCHITECTURE} shape, random weights, on {options.device}\n")
    heading("ratio", "medians")
    bench = Bench(options.device, options.rounds, options.only)
    vision(bench)
    text(bench)
    cached(bench)
    adaptation(bench)
    tiles(bench)
    import_time(bench)


def vision(bench: Bench) -> None:
    for size in (1, 8):
        batch = torch.randn(size, 3, 240, 240, device=bench.device)
        bench.ratio(
            f"V-V one pass / encode_image, batch {size}",
            1.10,
            lambda batch=batch: bench.ano.encode_image(batch),
            lambda batch=batch: encode_image(bench, batch),
        )


@torch.inference_mode()
def encode_image(bench: Bench, batch: torch.Tensor) -> torch.Tensor:
    return bench.model.encode_image(batch)


@torch.inference_mode()
def encode_text(bench: Bench, ids: torch.Tensor) -> torch.Tensor:
    return torch.cat([bench.model.encode_text(part) for part in ids.split(CPU_BATCH_SIZE)])


def text(bench: Bench) -> None:
    """924 prompts take tens of seconds untrimmed: fewer rounds are enough."""
    rounds, bench.rounds = bench.rounds, min(bench.rounds, 3)
    prompts = PROMPTS.normal + PROMPTS.abnormal
    ids = bench.tokenizer(prompts).to(bench.device)
    bench.ratio(
        "924 prompts trimmed / at 77 tokens",
        0.18,
        lambda: encode_texts(bench.model, ids, batch_size=CPU_BATCH_SIZE),
        lambda: encode_text(bench, ids),
    )
    warm = bench.fresh()
    warm.encode_prompts(PROMPTS)
    bench.ratio(
        "924 prompts again, from memory / first time",
        0.005,
        lambda: warm.encode_prompts(PROMPTS),
        lambda: bench.fresh().encode_prompts(PROMPTS),
    )
    whole_side = PROMPTS.model_copy(update={"normal_states": PROMPTS.normal_states[:1]})
    edits = iter(range(1000))
    bench.ratio(
        "one state of 7 edited / whole side",
        1 / 7 * 1.05,
        lambda: warm.encode_prompts(edited(PROMPTS, next(edits))),
        lambda: encode_side(bench, whole_side),
    )
    bench.rounds = rounds


def edited(prompts: PromptSet, number: int) -> PromptSet:
    """The set with its last abnormal state replaced by one that was never seen."""
    entry = prompts.abnormal_states[-1].model_copy(update={"text": f"{{}} with mark {number}"})
    return prompts.model_copy(update={"abnormal_states": (*prompts.abnormal_states[:-1], entry)})


def encode_side(bench: Bench, prompts: PromptSet) -> object:
    return bench.fresh()._text.embeddings(prompts.abnormal)


def cached(bench: Bench) -> None:
    image = np.random.default_rng(0).integers(0, 255, (1024, 1024, 3), dtype=np.uint8)
    bench.ano.encode_prompts(PROMPTS)
    numbers = iter(range(1_000_000))
    default = AnoCLIPSettings()

    def fully() -> object:
        image.flat[0:3] = [next(numbers) % 251, next(numbers) % 241, next(numbers) % 239]
        return bench.ano.detect(image, PROMPTS, default)

    def switched_off() -> PromptSet:
        kept = list(PROMPTS.abnormal_states)
        del kept[next(numbers) % len(kept)]
        return PROMPTS.model_copy(update={"abnormal_states": tuple(kept)})

    def scored(**options: object) -> object:
        settings = default.model_copy(update={"scoring": ScoringSettings.model_validate(options)})
        return bench.ano.detect(image, PROMPTS, settings)

    changes: dict[str, Work] = {
        "prompts switched off": lambda: bench.ano.detect(image, switched_off(), default),
        "temperature changed": lambda: scored(temperature=0.01 + next(numbers) % 97 / 100),
        "smoothing changed": lambda: scored(smooth=False),
    }
    for name, work in changes.items():
        bench.ratio(f"{name}, tokens cached / full run", 0.02, work, fully)


def adaptation(bench: Bench) -> None:
    batch = torch.randn(1, 3, 240, 240, device=bench.device)
    features = bench.ano.encode_prompts(PROMPTS)
    tokens = bench.ano.encode_image(batch)
    adapting = AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True))
    bench.ratio(
        "TTA 5 steps / encode_image",
        0.28,
        lambda: bench.ano.adapt(tokens.patches, features, adapting),
        lambda: encode_image(bench, batch),
    )
    image = np.random.default_rng(1).integers(0, 255, (240, 240, 3), dtype=np.uint8)
    numbers = iter(range(1_000_000))

    def paper() -> object:
        image.flat[0] = next(numbers) % 251
        return bench.ano.detect(image, PROMPTS, AnoCLIPSettings.paper())

    bench.ratio(
        "paper preset (22 views, TTA) / 22 × encode_image", 1.05, paper, lambda: encode_image(bench, batch), times=22
    )


def tiles(bench: Bench) -> None:
    """Time and memory over the number of tiles; each memory figure is the peak of a process of its own."""
    if bench.only not in "n tiles":
        return
    settings = AnoCLIPSettings(tiling=TilingSettings(mode="tiles", overlap=0.0))
    counts = (1, 4, 16, 36)
    images = [np.zeros((240 * math.isqrt(n), 240 * math.isqrt(n), 3), np.uint8) for n in counts]
    numbers = iter(range(1_000_000))

    def run(image: np.ndarray) -> Work:
        def work() -> object:
            image.flat[0] = next(numbers) % 251
            return bench.ano.detect(image, PROMPTS, settings)

        return work

    rounds, bench.rounds = bench.rounds, min(bench.rounds, 3)
    medians = [statistics.median(times) for times in bench.seconds(*map(run, images))]
    bench.rounds = rounds
    # From one batch on: below it, a tile alone cannot fill the cores.
    slope = np.polyfit(np.log(counts[1:]), np.log(medians[1:]), 1)[0]
    remark = ", ".join(f"{n}: {1000 * s:.0f} ms" for n, s in zip(counts, medians, strict=True))
    line("n tiles / 1 tile, exponent over n = 4, 16, 36", float(slope), 1.05, remark)
    peaks = [peak_of_tiles(n) for n in (16, 36, 100)]
    line("peak memory, 100 tiles / 16 tiles", peaks[2] / peaks[0], 1.05, ", ".join(f"{p:.0f} MB" for p in peaks))


def peak_of_tiles(count: int) -> float:
    """Peak memory, in MB, of a process that runs one image of so many tiles."""
    return peak_megabytes(
        "import numpy as np, benchmarks.engine as b; bench = b.Bench('cpu', 1, '')\n"
        f"side = 240 * {math.isqrt(count)}\n"
        "from napari_anoclip.engine.settings import AnoCLIPSettings, TilingSettings\n"
        "short = b.PromptSet.preset('short', 'carpet')\n"
        "bench.ano.detect(np.zeros((side, side, 3), np.uint8), short, "
        "AnoCLIPSettings(tiling=TilingSettings(mode='tiles', overlap=0.0)))\n"
    )


def import_time(bench: Bench) -> None:
    if bench.only not in "import napari_anoclip, seconds":
        return
    code = (
        "import sys, time; started = time.perf_counter(); import napari_anoclip; "
        "print(time.perf_counter() - started, 'torch' in sys.modules or 'qtpy' in sys.modules)"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(bench.rounds)
    ]
    heavy = any(loaded == "True" for _, loaded in runs)
    seconds = statistics.median(float(taken) for taken, _ in runs)
    line("import napari_anoclip, seconds", seconds, 0.1, "torch or Qt LOADED" if heavy else "without torch and Qt")


if __name__ == "__main__":
    main()

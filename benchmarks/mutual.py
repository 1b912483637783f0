"""What the other images of an unlabelled batch are worth: AUPRO of the text's map alone, and with mutual scoring.

For every material (never trained on, see `benchmarks.materials`) and seed, a batch of pictures, half of them bad,
judges itself: nothing is known of any of them. Both sets of tokens are measured; and of the image score, the AUROC of
each maximum of a map, alone and re-scored by neighbours.

The default weight was chosen on seeds from 101 on; the figures are of seeds 1 to 3.

    python -m benchmarks.mutual [--seeds 3] [--first-seed 1] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.materials import KEPT, MATERIALS, Material
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.mutual import Others, rescore
from napari_anoclip.engine.settings import MutualSettings, MutualTokens
from training.metrics import aupro, auroc
from training.sources import prepare, work_folder

BATCHES = (24, 32, 40)
"""Pictures of a batch, seed after seed."""

PROMPTS = PromptSet.preset("surface", "surface")
GAIN = 0.10
VARIANTS: dict[str, MutualTokens | None] = {"text alone": None, "text + V-V": "vv", "text + layers": "layers"}


@dataclass(frozen=True)
class Result:
    """One variant on one batch."""

    material: str
    seed: int
    pictures: int
    variant: str
    aupro: float
    images: float
    rescored: float
    seconds: float


def measure(model: AnoCLIP, name: str, seed: int, count: int, mutual: MutualSettings) -> list[Result]:
    """Score a batch with each variant."""
    material = Material.of(name, seed)
    pictures = [material.picture(KEPT, number) for number in range(count)]
    masks = [one.mask for one in pictures]
    sources = [ImageSource.of(one.image) for one in pictures]
    classes = torch.cat([model.tokens(source)[0].cls for source in sources]).cpu().numpy()
    results = []
    for variant, tokens in VARIANTS.items():
        started = time.perf_counter()
        settings, others = AnoCLIPSettings(), None
        if tokens is not None:
            chosen = mutual.model_copy(update={"enabled": True, "tokens": tokens})
            settings = AnoCLIPSettings(mutual=chosen)
            others = Others.gather(model, sources, settings)
        found = [model.detect(source, PROMPTS, settings, others=others) for source in sources]
        seconds = time.perf_counter() - started
        bad = np.array([mask.any() for mask in masks])
        scores = np.array([float(one.grid.max()) for one in found])
        results.append(
            Result(
                name,
                seed,
                count,
                variant,
                aupro(masks, [one.map for one in found]),
                auroc(bad, scores),
                auroc(bad, rescore(scores, classes)),
                seconds / count,
            )
        )
    model.forget_tokens()
    return results


def table(results: Sequence[Result]) -> str:
    """AUPRO of each material: mean over seeds, and what mutual scoring adds, ± its standard deviation over seeds."""
    names = list(VARIANTS)
    lines = [
        "| material | " + " | ".join(f"{name}: AUPRO" for name in names) + " | gain V-V | gain layers |",
        "|---" * (3 + len(names)) + "|",
    ]
    for material in MATERIALS:
        per = [_of(results, name, material) for name in names]
        cells = [f"{one.mean():.3f}" for one in per]
        cells += [
            f"{(one - per[0]).mean():+.3f} ± {(one - per[0]).std(ddof=min(1, len(one) - 1)):.3f}" for one in per[1:]
        ]
        lines.append(f"| {material} | " + " | ".join(cells) + " |")
    means = [_of(results, name).mean() for name in names]
    cells = [f"{mean:.3f}" for mean in means] + [f"{mean - means[0]:+.3f}" for mean in means[1:]]
    return "\n".join([*lines, "| mean | " + " | ".join(cells) + " |"])


def targets(results: Sequence[Result]) -> str:
    """What was to be reached, and whether it was; and the image score, which has no target."""
    alone = _of(results, "text alone").mean()
    lines = ["| figure | measured | target | met |", "|---|---|---|---|"]
    for name in list(VARIANTS)[1:]:
        gain = _of(results, name).mean() - alone
        lines.append(f"| AUPRO gained, {name} | {gain:+.3f} | ≥ {GAIN:+.2f} | {'yes' if gain >= GAIN else 'NO'} |")
    for name in VARIANTS:
        images, rescored, seconds = (_of(results, name, figure=key).mean() for key in ("images", "rescored", "seconds"))
        lines.append(
            f"| image AUROC, {name} → re-scored | {images:.3f} → {rescored:.3f} | | {seconds:.2f} s an image |"
        )
    return "\n".join(lines)


def _of(results: Sequence[Result], variant: str, material: str | None = None, figure: str = "aupro") -> np.ndarray:
    return np.array(
        [getattr(one, figure) for one in results if one.variant == variant and material in (None, one.material)]
    )


def main() -> None:
    """Measure, and print what it gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="seeds a material")
    parser.add_argument("--first-seed", type=int, default=1, help="others than the usual ones, to choose with")
    parser.add_argument("--weight", type=float, help="another weight than the default, to choose with")
    parser.add_argument("--json", type=Path, help="file for every single result")
    options = parser.parse_args()
    mutual = MutualSettings() if options.weight is None else MutualSettings(weight=options.weight)
    started = time.perf_counter()
    work_folder().mkdir(parents=True, exist_ok=True)
    prepare(work_folder())
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        model = AnoCLIP.load(cache_folder=Path(folder))
        for name in MATERIALS:
            for place in range(options.seeds):
                results += measure(model, name, options.first_seed + place, BATCHES[place % len(BATCHES)], mutual)
    batches = ", ".join(str(BATCHES[place % len(BATCHES)]) for place in range(options.seeds))
    print(f"{len(MATERIALS)} materials × batches of {batches} pictures, weight {mutual.weight:g}, built-in model\n")
    print("\n\n".join([table(results), targets(results)]))
    print(f"\n{time.perf_counter() - started:.0f} s on {torch.get_num_threads()} threads")
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in results], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

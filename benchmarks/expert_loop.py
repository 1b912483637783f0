"""What an expert's judgements are worth: false alarms before and after, on pictures that the expert never saw.

For every material (never trained on, see `benchmarks.materials`) and seed, a simulated expert who knows the masks
lowers the model's threshold until four of five defects of the first n pictures are found, and judges these pictures as
a whole: found regions without a masked pixel are false, defects that were missed are drawn. Prompts are then suggested
from the judgements (taken over only where the suggestion calls itself reliable) and references gathered from them.

Measured on other pictures of the same material, at thresholds at which every variant finds the same share of the
defects: false regions an image; and AUPRO, which needs no threshold.

    python -m benchmarks.expert_loop [--seeds 3] [--plot FILE] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from skimage.measure import label

from benchmarks.materials import JUDGED, KEPT, MATERIALS, Material, Picture
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.reference_memory import ReferenceMemory
from napari_anoclip.engine.settings import ReferenceSettings
from napari_anoclip.review.exam import Question
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.references import gather
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings, find_regions
from napari_anoclip.review.suggest import suggest
from training.metrics import aupro
from training.sources import prepare, work_folder

JUDGED_COUNTS = (0, 2, 5, 10, 20)
KEPT_COUNT = 24
FIRST_SEED = 1
RECALL = 0.8
AT = 10
"""Judged pictures at which the targets hold."""

VARIANTS = ("nothing", "suggestions", "references", "both")
PROMPTS = PromptSet.preset("surface", "surface")
REGIONS = RegionSettings()
ON = AnoCLIPSettings(references=ReferenceSettings(enabled=True))

DEFECT_SHARE, MET_SHARE = 0.1, 0.25
"""A found region is a defect if so much of it is masked, or it has so much of one; touching less leaves it unsure."""


@dataclass(frozen=True)
class Result:
    """One variant after n judged pictures of a material."""

    material: str
    seed: int
    judged: int
    variant: str
    false_regions: float
    aupro: float


class Bench:
    """One material under one seed: its pictures, and the model that looks at them."""

    def __init__(self, model: AnoCLIP, material: Material) -> None:
        self._model = model
        self._name = material.name
        self._judged = [_sourced(material.picture(JUDGED, number)) for number in range(max(JUDGED_COUNTS))]
        self._kept = [_sourced(material.picture(KEPT, number)) for number in range(KEPT_COUNT)]

    def results(self, seed: int, judged: int) -> list[Result]:
        """Judge some pictures and measure all variants."""
        asked = self._questions(judged)
        suggested, memory = PROMPTS, None
        if asked:
            threshold = self._expert_threshold(judged)
            found = suggest(self._model, PROMPTS, asked, threshold=threshold)
            suggested = found.prompts if found.reliable and found.prompts is not None else PROMPTS
            memory = gather(self._model, asked, ON)
        variants = zip(
            VARIANTS, [(PROMPTS, None), (suggested, None), (PROMPTS, memory), (suggested, memory)], strict=True
        )
        measured: dict[tuple[str, bool], tuple[float, float]] = {}
        results = []
        for name, (prompts, references) in variants:
            same = prompts.digest, references is not None
            if same not in measured:
                measured[same] = self._measure(prompts, references)
            results.append(Result(self._name, seed, judged, name, *measured[same]))
        return results

    def _measure(self, prompts: PromptSet, memory: ReferenceMemory | None) -> tuple[float, float]:
        maps = [self._model.detect(source, prompts, ON, memory=memory).map for source, _ in self._kept]
        masks = [mask for _, mask in self._kept]
        threshold = _threshold_for(maps, masks)
        false = [
            region
            for values, mask in zip(maps, masks, strict=True)
            for region in find_regions(values, threshold, REGIONS)
            if not region.mask.of_map(mask).any()
        ]
        return len(false) / len(maps), aupro(masks, maps)

    def _expert_threshold(self, judged: int) -> float:
        """The model's own, lowered until most defects are found."""
        pictures = self._judged[:judged]
        maps = [self._model.detect(source, PROMPTS).map for source, _ in pictures]
        own = self._model.display_range(PROMPTS).threshold
        return min(own, _threshold_for(maps, [mask for _, mask in pictures]))

    def _questions(self, judged: int) -> list[Question]:
        asked = []
        for number, (source, mask) in enumerate(self._judged[:judged]):
            values = self._model.detect(source, PROMPTS).map
            verdicts = _verdicts(values, mask, self._expert_threshold(judged))
            name = f"{self._name}_{number:02d}"
            image = ImageReview(
                key=name,
                name=name,
                fingerprint=name,
                map_shape=mask.shape,
                judgements={
                    place: Judgement(id=place, mask=region, verdict=verdict)
                    for place, (region, verdict) in enumerate(verdicts, start=1)
                },
                complete=True,
            )
            asked.append(Question(source, image))
        return asked


def _sourced(picture: Picture) -> tuple[ImageSource, np.ndarray]:
    return ImageSource.of(picture.image), picture.mask


def _defects(mask: np.ndarray) -> list[RegionMask]:
    """The marked defects, without specks that no found region could be."""
    numbers = label(mask, connectivity=2)
    found = [RegionMask.of(numbers == number) for number in range(1, numbers.max() + 1)]
    return [one for one in found if one.area >= REGIONS.min_area]


def _threshold_for(maps: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
    """The highest threshold at which `RECALL` of the defects are found."""
    peaks = [defect.of_map(values).max() for values, mask in zip(maps, masks, strict=True) for defect in _defects(mask)]
    if not peaks:
        return 1.0
    return float(np.nextafter(sorted(peaks, reverse=True)[math.ceil(RECALL * len(peaks)) - 1], np.float32(0)))


def _verdicts(values: np.ndarray, mask: np.ndarray, threshold: float) -> list[tuple[RegionMask, Verdict]]:
    """What somebody who knows the mask says about the regions found, and the defects that were missed."""
    defects = _defects(mask)
    verdicts = []
    for found in find_regions(values, threshold, REGIONS):
        masked = np.count_nonzero(found.mask.of_map(mask))
        met = any(found.mask.overlap(defect) >= MET_SHARE * defect.area for defect in defects)
        if not masked:
            verdict = Verdict.FALSE
        else:
            verdict = Verdict.DEFECT if met or masked >= DEFECT_SHARE * found.mask.area else Verdict.UNSURE
        verdicts.append((found.mask, verdict))
    missed = [one for one in defects if not any(one.overlap(region) for region, _ in verdicts)]
    return verdicts + [(one, Verdict.DEFECT) for one in missed]


def table(results: Sequence[Result]) -> str:
    """Means over materials and seeds."""
    lines = [
        "| judged | "
        + " | ".join(f"{name}: false regions" for name in VARIANTS)
        + " | "
        + " | ".join(f"{name}: AUPRO" for name in VARIANTS)
        + " |",
        "|---" * (1 + 2 * len(VARIANTS)) + "|",
    ]
    for judged in JUDGED_COUNTS:
        means = [
            np.mean([getattr(one, figure) for one in results if (one.judged, one.variant) == (judged, name)])
            for figure in ("false_regions", "aupro")
            for name in VARIANTS
        ]
        cells = [f"{value:.2f}" for value in means[: len(VARIANTS)]] + [
            f"{value:.3f}" for value in means[len(VARIANTS) :]
        ]
        lines.append(f"| {judged} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def by_material(results: Sequence[Result], seeds: Sequence[int]) -> str:
    """What both together change at `AT` judged pictures: mean over seeds, ± their standard deviation."""
    lines = ["| material | false regions an image | change | AUPRO | change |", "|---|---|---|---|---|"]
    for name in MATERIALS:
        cells = [name]
        for figure, form in (("false_regions", ".2f"), ("aupro", ".3f")):
            before, after = (_per_seed(results, name, seeds, variant, figure) for variant in ("nothing", "both"))
            change = after - before
            cells += [
                f"{before.mean():{form}} → {after.mean():{form}}",
                f"{change.mean():+{form}} ± {change.std(ddof=1) if len(change) > 1 else math.nan:{form}}",
            ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def targets(results: Sequence[Result], seeds: Sequence[int]) -> str:
    """What was to be reached at `AT` judged pictures, and whether it was."""
    means = {
        (figure, variant): float(
            np.mean([_per_seed(results, name, seeds, variant, figure).mean() for name in MATERIALS])
        )
        for figure in ("false_regions", "aupro")
        for variant in ("nothing", "both")
    }
    left = means["false_regions", "both"] / max(means["false_regions", "nothing"], 1e-9)
    gain = means["aupro", "both"] - means["aupro", "nothing"]
    worse = []
    for name in MATERIALS:
        for figure, sign in (("false_regions", 1), ("aupro", -1)):
            before, after = (_per_seed(results, name, seeds, variant, figure) for variant in ("nothing", "both"))
            change = sign * (after - before)
            if len(change) > 1 and change.mean() > change.std(ddof=1):
                worse.append(f"{name} ({figure.replace('_', ' ')})")
    lines = [
        f"| false regions left, both | {left:.2f} | ≤ 0.5 | {_met(left <= 0.5)} |",
        f"| AUPRO gained, both | {gain:+.3f} | ≥ +0.05 | {_met(gain >= 0.05)} |",
        f"| materials worse by more than their spread | {', '.join(worse) or 'none'} | none | {_met(not worse)} |",
    ]
    return "\n".join([f"| at {AT} judged pictures | measured | target | met |", "|---|---|---|---|", *lines])


def plot(results: Sequence[Result], file: Path) -> None:
    """Draw both figures against the number of judged pictures."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    styles = {"nothing": ":", "suggestions": "--", "references": "-.", "both": "-"}
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    names = {"false_regions": f"false regions an image, {RECALL:.0%} of defects found", "aupro": "AUPRO (0.3)"}
    for axis, (key, title) in zip(axes, names.items(), strict=True):
        for variant, style in styles.items():
            means = [
                np.mean([getattr(one, key) for one in results if (one.judged, one.variant) == (judged, variant)])
                for judged in JUDGED_COUNTS
            ]
            axis.plot(JUDGED_COUNTS, means, style, marker="o", markersize=4, label=variant)
        axis.set(xlabel="judged pictures", title=title, xticks=JUDGED_COUNTS)
        axis.grid(alpha=0.3)
    axes[0].set_ylim(bottom=0)
    axes[0].legend(frameon=False)
    figure.savefig(file, dpi=150)


def _per_seed(results: Sequence[Result], material: str, seeds: Sequence[int], variant: str, figure: str) -> np.ndarray:
    wanted = {
        (one.seed): getattr(one, figure)
        for one in results
        if (one.material, one.judged, one.variant) == (material, AT, variant)
    }
    return np.array([wanted[seed] for seed in seeds])


def _met(met: bool) -> str:
    return "yes" if met else "NO"


def main() -> None:
    """Run the loop and print what it gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="seeds a material")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED, help="others than the usual ones, to choose with")
    parser.add_argument("--plot", type=Path, help="picture to write")
    parser.add_argument("--json", type=Path, help="file for every single result")
    options = parser.parse_args()
    started = time.perf_counter()
    work_folder().mkdir(parents=True, exist_ok=True)
    prepare(work_folder())
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        model = AnoCLIP.load(cache_folder=Path(folder))
        for name in MATERIALS:
            for seed in seeds:
                bench = Bench(model, Material.of(name, seed))
                for judged in JUDGED_COUNTS:
                    results += bench.results(seed, judged)
                model.forget_tokens()
    print(f"{len(MATERIALS)} materials × {options.seeds} seeds, {KEPT_COUNT} kept pictures each, built-in model\n")
    print("\n\n".join([table(results), by_material(results, seeds), targets(results, seeds)]))
    print(f"\n{time.perf_counter() - started:.0f} s on {torch.get_num_threads()} threads")
    if options.plot:
        plot(results, options.plot)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in results], indent=1))


if __name__ == "__main__":
    main()

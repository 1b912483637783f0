"""Evaluate a model through the public engine, on freshly drawn scenes; or two side by side, on the same ones.

Prints pixel AUROC (pooled over all pixels of a set), image AUROC and AUPRO (to a false-positive rate of 0.3) for
scenes that training could have drawn, for materials and objects it never saw, and for kinds of defect it never saw; how
well a prompt that names one kind ranks that kind's patches above another kind's in the same picture; and how calm good
pictures stay at the default threshold.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, vision
from napari_anoclip.engine.prompts import preset_names
from napari_anoclip.engine.settings import AdaptationSettings

from .batches import normalised, patch_coverage
from .calm import print_calm
from .captions import KIND_WORDS
from .defects import KINDS
from .evaluation_sets import SETS, Pictures, prompts_of
from .export import export
from .metrics import aupro, auroc
from .runs import Run
from .scenes import Recipe
from .sources import prepare, work_folder

HEAD = """| set | variant | pixel AUROC | image: map | image: class token | image: both | AUPRO (0.3) |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Figures:
    """What is printed of one set."""

    pixel: float
    by_map: float
    by_class: float
    by_both: float
    overlap: float

    @classmethod
    def of(cls, pictures: Pictures, maps: list[np.ndarray], by_map: list[float], by_class: list[float]) -> Figures:
        """Compare maps and scores with the label maps."""
        masks = pictures.kinds > 0
        bad = masks.any((1, 2))
        heat = np.stack(maps)
        both = (np.array(by_map) + np.array(by_class)) / 2
        return cls(
            auroc(masks, heat), auroc(bad, by_map), auroc(bad, by_class), auroc(bad, both), aupro(list(masks), maps)
        )


def figures(ano: AnoCLIP, pictures: Pictures, settings: AnoCLIPSettings, preset: str | None = None) -> Figures:
    """Run the engine over a set."""
    maps, by_map, by_class = [], [], []
    by_token = settings.model_copy(
        update={"scoring": settings.scoring.model_copy(update={"image_score": "class_token"})}
    )
    sets = {texture: prompts_of(preset, texture) for texture in (True, False)}
    for image, texture in zip(pictures.images, pictures.texture, strict=True):
        found = ano.detect(image, sets[texture], settings)
        maps.append(found.map)
        by_map.append(float(found.grid.max()))
        plain = by_token.model_copy(update={"adaptation": AdaptationSettings()})
        by_class.append(ano.detect(image, sets[texture], plain).score)
    return Figures.of(pictures, maps, by_map, by_class)


def plain_tokens(ano: AnoCLIP, pictures: Pictures) -> Figures:
    """The same maps from the original path's patch tokens, for comparison: what V-V attention is worth."""
    visual = ano._backbone.model.visual
    maps, by_map, by_class = [], [], []
    sides = {texture: ano.encode_prompts(prompts_of(None, texture)).sides for texture in (True, False)}
    for image, texture in zip(pictures.images, pictures.texture, strict=True):
        with torch.inference_mode():
            _, original = vision.two_paths(visual, normalised(image[None]), original_patches=True)
            tokens = F.normalize(vision.project(visual, original)[0], dim=1)
            score = torch.sigmoid((tokens @ (sides[texture][1] - sides[texture][0])) / ano.temperature)
            side = round((len(score) - 1) ** 0.5)
            grid = F.avg_pool2d(F.pad(score[1:].view(1, 1, side, side), (1, 1, 1, 1), mode="replicate"), 3, 1)
            heat = F.interpolate(grid, size=image.shape[:2], mode="bilinear")[0, 0]
        maps.append(heat.numpy())
        by_map.append(float(grid.max()))
        by_class.append(float(score[0]))
    return Figures.of(pictures, maps, by_map, by_class)


def named_kinds(ano: AnoCLIP, pictures: Pictures) -> tuple[float, int]:
    """Mean AUROC of "… with kind": the kind's patches above another kind's in the same picture; and how many pairs."""
    values = []
    features: dict[int, torch.Tensor] = {}
    for image, kinds in zip(pictures.images, pictures.kinds, strict=True):
        coverage = patch_coverage(kinds[None], len(KINDS))[0]
        found = [k for k in range(len(KINDS)) if (coverage[:, k] > 0.5).any()]
        if len(found) < 2:
            continue
        patches = F.normalize(ano.encode_image(normalised(image[None])).patches[0], dim=1)
        for kind in found:
            if kind not in features:
                base = prompts_of(None, texture=False)
                states = [f"{{}} with {KIND_WORDS[KINDS[kind]][0]}"]
                named = PromptSet.compose(
                    object="object",
                    normal_states=[entry.text for entry in base.normal_states],
                    abnormal_states=states,
                    frames=[entry.text for entry in base.frames],
                    domains=[entry.text for entry in base.domains],
                )
                features[kind] = ano.encode_prompts(named).sides
            normal, abnormal = features[kind]
            score = patches @ (abnormal - normal)
            for other in found:
                if other != kind:
                    mine, its = coverage[:, kind] > 0.5, coverage[:, other] > 0.5
                    truth = np.r_[np.ones(int(mine.sum())), np.zeros(int(its.sum()))]
                    values.append(auroc(truth, torch.cat([score[mine], score[its]]).numpy()))
    return float(np.mean(values)), len(values)


def row(name: str, variant: str, result: Figures) -> str:
    """One line of the table."""
    return (
        f"| {name} | {variant} | {result.pixel:.3f} | {result.by_map:.3f} | {result.by_class:.3f} | "
        f"{result.by_both:.3f} | {result.overlap:.3f} |"
    )


def print_variants(ano: AnoCLIP, drawn: Mapping[str, Pictures]) -> None:
    """What V-V attention, test-time adaptation and the prompts are worth to one model."""
    default = AnoCLIPSettings()
    adapted = default.model_copy(update={"adaptation": AdaptationSettings(enabled=True)})
    gentle = default.model_copy(update={"adaptation": AdaptationSettings(enabled=True, start="zero")})
    print(f"\nvariants of the method:\n\n{HEAD}")
    for name, pictures in drawn.items():
        print(row(name, "plain patch tokens", plain_tokens(ano, pictures)), flush=True)
        print(row(name, "V-V + TTA", figures(ano, pictures, adapted)), flush=True)
        print(row(name, "V-V + TTA from zero", figures(ano, pictures, gentle)), flush=True)
    first = next(iter(drawn))
    print(f"\nprompt presets, V-V:\n\n{HEAD}")
    for preset in preset_names():
        print(row(first, preset, figures(ano, drawn[first], default, preset)), flush=True)


def load(options: argparse.Namespace) -> dict[str, AnoCLIP]:
    """The models by what they are called: the one that is evaluated, and the one it is held against."""
    models = {}
    if options.run is None:
        models[options.model] = AnoCLIP.load(options.model)
    else:
        with TemporaryDirectory() as folder:
            export(Run.named(options.run), Path(folder))
            models[options.run] = AnoCLIP.load(folder)
    if options.against is not None:
        models[options.against] = AnoCLIP.load(options.against)
    return models


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="pictures a set")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="a new one every time, unless given")
    parser.add_argument("--model", default="builtin", help="what AnoCLIP.load takes")
    parser.add_argument("--run", help="evaluate the checkpoint of this run of training instead")
    parser.add_argument("--against", help="another model on the same pictures; leaves out variants and presets")
    options = parser.parse_args()
    work_folder().mkdir(parents=True, exist_ok=True)
    prepare(work_folder())
    models = load(options)
    print(f"seed {options.seed}, {options.count} pictures a set, half of them good, 240 x 240 pixels\n\n{HEAD}")
    drawn = {}
    for index, (name, recipe) in enumerate(SETS.items()):
        drawn[name] = Pictures.draw(recipe, options.seed * 10 + index, options.count)
        for model, ano in models.items():
            print(row(name, f"{model}, V-V", figures(ano, drawn[name], AnoCLIPSettings())), flush=True)
    two = Pictures.draw(Recipe(bad=1.0, two=1.0), options.seed * 10 + 7, options.count)
    print("\ndefect named in the prompt against another in the same picture, patch AUROC:\n")
    for model, ano in models.items():
        value, pairs = named_kinds(ano, two)
        print(f"- {model}: {value:.3f} ({pairs} pairs)", flush=True)
    print("\nwhat a user meets first: good pictures at the default threshold, and defects\n")
    print_calm(models, options.seed, options.count)
    if options.against is None:
        print_variants(next(iter(models.values())), drawn)


if __name__ == "__main__":
    main()

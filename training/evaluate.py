"""Evaluate the packaged model through the public engine, on freshly drawn scenes.

Prints pixel AUROC (pooled over all pixels of a set), image AUROC and AUPRO (to a false-positive rate of 0.3) for
scenes that training could have drawn, for materials and objects it never saw, and for kinds of defect it never saw; and
how well a prompt that names one kind ranks that kind's patches above another kind's in the same picture.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, vision
from napari_anoclip.engine.prompts import preset_names
from napari_anoclip.engine.settings import AdaptationSettings

from .batches import normalised, patch_coverage
from .captions import KIND_WORDS
from .defects import KINDS
from .metrics import aupro, auroc
from .scenes import Recipe, scene
from .sources import prepare, work_folder

SETS = {
    "materials and objects seen": Recipe(),
    "materials and objects never trained on": Recipe(held_out=True),
    "defect kinds never trained on": Recipe(new_kinds=True),
}


@dataclass(frozen=True)
class Pictures:
    """One set: images (N, S, S, 3) uint8, label maps (N, S, S) and which scenes are textures."""

    images: np.ndarray
    kinds: np.ndarray
    texture: list[bool]

    @classmethod
    def draw(cls, recipe: Recipe, seed: int, count: int, side: int = 240) -> Pictures:
        """Draw fresh scenes."""
        drawn = [scene(np.random.default_rng([seed, index]), recipe) for index in range(count)]
        images = np.stack([cv2.resize(s.image, (side, side), interpolation=cv2.INTER_AREA) for s in drawn])
        kinds = np.stack([cv2.resize(s.kinds, (side, side), interpolation=cv2.INTER_NEAREST) for s in drawn])
        return cls(images, kinds, [s.family == "texture" for s in drawn])


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


def prompts_of(preset: str | None, texture: bool) -> PromptSet:
    """The paper's prompts for a scene, or a preset by name; the object is not named."""
    if preset is None:
        return PromptSet.paper("surface" if texture else "object", kind="texture" if texture else "object")
    return PromptSet.preset(preset, "object")


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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="pictures a set")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="a new one every time, unless given")
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--sets-only", action="store_true", help="leave out the presets")
    options = parser.parse_args()
    work_folder().mkdir(parents=True, exist_ok=True)
    prepare(work_folder())
    ano = AnoCLIP.load(options.model)
    default = AnoCLIPSettings()
    adapted = default.model_copy(update={"adaptation": AdaptationSettings(enabled=True)})
    gentle = default.model_copy(update={"adaptation": AdaptationSettings(enabled=True, start="zero")})
    variants: dict[str, Callable[[Pictures], Figures]] = {
        "V-V": lambda p: figures(ano, p, default),
        "plain patch tokens": lambda p: plain_tokens(ano, p),
        "V-V + TTA": lambda p: figures(ano, p, adapted),
        "V-V + TTA from zero": lambda p: figures(ano, p, gentle),
    }
    print(f"seed {options.seed}, {options.count} pictures a set, half of them good, 240 x 240 pixels\n")
    print("| set | variant | pixel AUROC | image: map | image: class token | image: both | AUPRO (0.3) |")
    print("|---|---|---|---|---|---|---|")
    drawn = {}
    for index, (name, recipe) in enumerate(SETS.items()):
        drawn[name] = Pictures.draw(recipe, options.seed * 10 + index, options.count)
        for variant, run in variants.items():
            print(row(name, variant, run(drawn[name])), flush=True)
    two = Pictures.draw(Recipe(bad=1.0, two=1.0), options.seed * 10 + 7, options.count)
    value, pairs = named_kinds(ano, two)
    print(f"\ndefect named in the prompt against another in the same picture: patch AUROC {value:.3f} ({pairs} pairs)")
    if not options.sets_only:
        print("\nper prompt preset, materials and objects seen, V-V:\n")
        for preset in preset_names():
            print(row(next(iter(SETS)), preset, figures(ano, drawn[next(iter(SETS))], default, preset)), flush=True)


if __name__ == "__main__":
    main()

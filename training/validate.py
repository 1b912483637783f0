"""A quick look at a model while it trains, on scenes of its own that neither training nor the evaluation uses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer

from napari_anoclip.engine import vision

from .anchors import Anchors
from .batches import normalised, patch_coverage
from .defects import TRAINED_KINDS
from .metrics import auroc
from .scenes import Recipe, scene

SEED = 900
SETS = {"seen": Recipe(), "unseen": Recipe(held_out=True), "new kinds": Recipe(new_kinds=True)}


def pictures_of(name: str, count: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 240, 240, 3) and label maps (N, 240, 240) of one set, made once."""
    path = folder / f"validation-{name.replace(' ', '-')}-{count}.npz"
    if not path.exists():
        drawn = [scene(np.random.default_rng([SEED, list(SETS).index(name), i]), SETS[name]) for i in range(count)]
        images = np.stack([cv2.resize(s.image, (240, 240), interpolation=cv2.INTER_AREA) for s in drawn])
        kinds = np.stack([cv2.resize(s.kinds, (240, 240), interpolation=cv2.INTER_NEAREST) for s in drawn])
        np.savez(path, images=images, kinds=kinds)
    data = np.load(path)
    return data["images"], data["kinds"]


@torch.inference_mode()
def validate(visual: VisionTransformer, sides: Anchors, folder: Path, count: int = 100) -> dict[str, float]:
    """Pixel AUROC (pooled), image AUROC by class token and by the hottest patches, and AUROC of named kinds."""
    figures: dict[str, float] = {}
    for name in SETS:
        images, kinds = pictures_of(name, count, folder)
        maps, by_class, by_map, named = [], [], [], []
        for start in range(0, len(images), 20):
            pixels = normalised(images[start : start + 20])
            tokens = vision.encode(visual, pixels)
            patches, cls = F.normalize(tokens.patches, dim=2), F.normalize(tokens.cls, dim=1)
            score = patches @ (sides.abnormal - sides.normal)
            by_class += (cls @ (sides.abnormal - sides.normal)).tolist()
            by_map += score.topk(5, dim=1).values.mean(1).tolist()
            grid = F.avg_pool2d(F.pad(score.view(-1, 1, 15, 15), (1, 1, 1, 1), mode="replicate"), 3, 1)
            maps.append(F.interpolate(grid, size=(240, 240), mode="bilinear")[:, 0].numpy())
            coverage = patch_coverage(
                np.where(kinds[start : start + 20] > len(TRAINED_KINDS), 0, kinds[start : start + 20])
            )
            for share, similarity in zip(coverage, patches @ sides.kinds.T, strict=True):
                found = [k for k in range(share.shape[1]) if (share[:, k] > 0.5).any()]
                for k in found:
                    for other in found:
                        if k != other:
                            mine, its = share[:, k] > 0.5, share[:, other] > 0.5
                            truth = torch.cat([torch.ones(int(mine.sum())), torch.zeros(int(its.sum()))])
                            named.append(
                                auroc(truth.numpy(), torch.cat([similarity[mine, k], similarity[its, k]]).numpy())
                            )
        heat = np.concatenate(maps)
        bad = (kinds > 0).any((1, 2))
        figures[f"{name}: pixel"] = auroc(kinds[:, ::4, ::4] > 0, heat[:, ::4, ::4])
        figures[f"{name}: image by class"] = auroc(bad, np.array(by_class))
        figures[f"{name}: image by map"] = auroc(bad, np.array(by_map))
        if named:
            figures[f"{name}: named kind"] = float(np.mean(named))
    return figures

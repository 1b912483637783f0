"""What is asked of the model: patches on the right side of the prompts, pictures too, and kinds told apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .anchors import Anchors

CLEARLY_BAD = 0.3
"""Share of a patch from which on it is wholly a defect patch."""


def _weighted(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum() / weight.sum().clamp(
        min=1
    )


def _balanced(target: Tensor) -> Tensor:
    """Weights that make good and bad patches count alike; else all tokens drift to the normal side."""
    bad = target.sum()
    return 1 + target * (((target.numel() - bad) / bad.clamp(min=1)).clamp(1, 15) - 1)


def _apart(good: Tensor, bad: Tensor) -> Tensor:
    """Every good logit below every bad one of the batch: BCE does not ask for it, one threshold for all needs it."""
    if not len(good) or not len(bad):
        return (good.sum() + bad.sum()) * 0
    return F.softplus(1 + good[:, None] - bad).mean()


def losses(patches: Tensor, cls: Tensor, scale: Tensor, sides: Anchors, coverage: Tensor) -> dict[str, Tensor]:
    """All parts of the loss.

    Parameters
    ----------
    patches, cls : Tensor
        (N, L, C) and (N, C), unit length.
    scale : Tensor
        exp(logit_scale).
    sides : Anchors
        Where the text tower puts normal, abnormal and each kind.
    coverage : Tensor
        (N, L, K) share of each patch that each kind covers.

    Returns
    -------
    dict
        ``dense`` (patch against mask), ``cls`` (class token), ``top`` (hottest patches), ``apart`` (good pictures below
        defects of other pictures), ``kind`` (which defect) and ``named`` (the map of a prompt that names one kind).
    """
    target = (coverage.sum(2) / CLEARLY_BAD).clamp(max=1)
    direction = sides.abnormal - sides.normal
    logits = scale * (patches @ direction)
    parts = {"dense": _weighted(logits, target, _balanced(target))}

    worst = target.amax(1)
    clear = ((worst == 0) | (worst > 0.6)).float()
    bad = (worst > 0.6).float()
    by_class = scale * (cls @ direction)
    parts["cls"] = _weighted(by_class, bad, clear)
    hottest = logits.topk(3, dim=1).values.mean(1)
    parts["top"] = _weighted(hottest, bad, clear)
    inside = (target == 1).float()
    defects = ((logits * inside).sum(1) / inside.sum(1).clamp(min=1))[inside.any(1)]
    parts["apart"] = _apart(hottest[worst == 0], defects) + _apart(by_class[worst == 0], by_class[bad > 0])

    similarity = patches @ sides.kinds.T
    pure = (coverage.amax(2) > CLEARLY_BAD) & ((coverage > 0.02).sum(2) == 1)
    if pure.any():
        kind = coverage.argmax(2)[pure]
        parts["kind"] = F.cross_entropy(scale * similarity[pure], kind)
    else:
        parts["kind"] = logits.sum() * 0

    present = coverage.sum(1)
    asked = torch.where(
        present.amax(1) > 0,
        (present * (0.2 + torch.rand_like(present))).argmax(1),
        torch.randint(present.shape[1], (len(present),)),
    )
    of_asked = coverage.gather(2, asked[:, None, None].expand(-1, coverage.shape[1], 1)).squeeze(2)
    wanted = (of_asked / CLEARLY_BAD).clamp(max=1)
    named = scale * ((patches * sides.kinds[asked][:, None]).sum(2) - patches @ sides.normal)
    parts["named"] = _weighted(named, wanted, _balanced(torch.maximum(wanted, target)))
    return parts


WEIGHTS = {"dense": 2.0, "cls": 0.4, "top": 0.2, "apart": 0.2, "kind": 0.5, "named": 0.6}

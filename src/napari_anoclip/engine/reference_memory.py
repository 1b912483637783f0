"""Patches that a person called normal, kept to lower the score of patches that look like them.

Nearest published thing: WinCLIP's few-shot association (Jeong et al., CVPR 2023, arXiv 2303.14814), which adds to a
score how far a patch is from the nearest patch of a few normal images. Ours only ever takes off, by a bounded amount,
and patches that were judged defects speak against it. The formula and how it was chosen are in docs/references.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anoclip.engine.errors import ModelError

REACH = 10.0
"""Logits, at the model's own temperature, that a patch like a normal reference is lowered by at strength 1."""

FAR = 1.5
"""Distance to the nearest normal reference, in widths, at which the lowering has fallen to 1/e of it.

A bell curve: on the benchmark's materials, a lowering that ends at an edge leaves more false alarms.
"""

_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, eq=False)
class ReferenceMemory:
    """Patch tokens that were judged; made by `of`.

    Attributes
    ----------
    model_id : str
        Identity of the model that the tokens come from.
    normal : Tensor
        (n, C) unit tokens of what is normal.
    labels : tuple of str
        (n,) where each normal one comes from, in words: "region 12 in leather_04, judged false".
    defect : Tensor
        (m, C) unit tokens of defects, the counter-examples; m may be 0.
    width : float
        Distance of unit tokens within which patches count as alike.
    digest : str
        Hash of all that: two memories with the same one do the same.
    """

    model_id: str
    normal: Tensor = field(repr=False)
    labels: tuple[str, ...] = field(repr=False)
    defect: Tensor = field(repr=False)
    width: float
    digest: str

    @classmethod
    def of(
        cls, model_id: str, normal: Tensor, labels: Sequence[str], width: float, defect: Tensor | None = None
    ) -> ReferenceMemory:
        """Keep tokens as references.

        Parameters
        ----------
        model_id : str
            `AnoCLIP.model_id` of the model that they come from.
        normal : Tensor
            (n, C) patch tokens of what is normal, not necessarily of unit length.
        labels : sequence of str
            (n,) where each comes from.
        width : float
            Distance of unit tokens within which patches count as alike, such as `typical_distance` gives.
        defect : Tensor, optional
            (m, C) patch tokens of defects.

        Returns
        -------
        ReferenceMemory

        Raises
        ------
        ValueError
            If there is no normal token, not one label for each, or the width is not a positive number.
        """
        if not len(normal) or len(labels) != len(normal) or not 0 < width < math.inf:
            raise ValueError("a memory needs normal tokens, a label for each, and a width above 0")
        good = F.normalize(normal.detach().float(), dim=-1)
        bad = good[:0] if defect is None else F.normalize(defect.detach().float(), dim=-1)
        digest = hashlib.blake2b(json.dumps([model_id, *labels, width]).encode(), digest_size=16)
        for part in (good, bad):
            digest.update(part.cpu().numpy().tobytes())
        return cls(model_id, good, tuple(labels), bad, width, digest.hexdigest())

    @property
    def counts(self) -> tuple[int, int]:
        """How many references are normal, and how many are counter-examples."""
        return len(self.normal), len(self.defect)

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """What a result says of it, in JSON's types."""
        normal, defect = self.counts
        return {"digest": self.digest, "normal": normal, "defect": defect, "width": self.width}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ReferenceMemory):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def to(self, device: torch.device) -> ReferenceMemory:
        """The same on a device."""
        return replace(self, normal=self.normal.to(device), defect=self.defect.to(device))

    def check(self, model_id: str) -> None:
        """Make sure that the references come from a model.

        Raises
        ------
        ModelError
            If they come from another one.
        """
        if model_id != self.model_id:
            raise ModelError(
                "The normal references were gathered with another model: gather them again with this one, or switch "
                "references off."
            )

    def lowering(self, tokens: Tensor, strength: float, temperature: float) -> Tensor:
        """By how much patches are lowered.

        ``strength * REACH * temperature * near * alone``, with ``near`` the bell curve ``exp(-(d / (FAR * width))**2)``
        of the distance d to the nearest normal reference, and ``alone`` the distance to the nearest counter-example
        over d, at most 1.

        Parameters
        ----------
        tokens : Tensor
            (..., C) projected patch tokens as they come from the model, not necessarily of unit length.
        strength : float
            0 to 1.
        temperature : float
            The model's own softmax temperature: it says what differences of cosines mean to the model.

        Returns
        -------
        Tensor
            (...) at least 0, to be taken off cos_abnormal - cos_normal.
        """
        normal, _ = nearest(tokens, self.normal)
        near = torch.exp(-((normal / (FAR * self.width)) ** 2))
        if len(self.defect):
            counter, _ = nearest(tokens, self.defect)
            near = near * (counter / normal.clamp_min(1e-6)).clamp_max(1)
        return strength * REACH * temperature * near

    def label(self, token: Tensor) -> str:
        """Where the normal reference comes from that a token (C,) is most like."""
        return self.labels[int(nearest(token, self.normal)[1])]


def nearest(tokens: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nearest reference of each token.

    Parameters
    ----------
    tokens : Tensor
        (..., C), not necessarily of unit length.
    references : Tensor
        (n, C) unit, n > 0.

    Returns
    -------
    distances : Tensor
        (...) Euclidean, between unit vectors: 0 to 2.
    rows : Tensor
        (...) which reference it is.
    """
    flat = F.normalize(tokens.float(), dim=-1).reshape(-1, tokens.shape[-1])
    rows = max(1, _CHUNK_BYTES // (references.shape[0] * references.element_size()))
    found = [(part @ references.T).max(dim=-1) for part in flat.split(rows)]
    cosines = torch.cat([one.values for one in found])
    shape = tokens.shape[:-1]
    distances = (2 - 2 * cosines).clamp_min(0).sqrt()
    return distances.reshape(shape), torch.cat([one.indices for one in found]).reshape(shape)


def typical_distance(tokens: Sequence[Tensor], share: float = 0.9) -> float:
    """Distance within which most patches of a material find one like them in another image.

    Parameters
    ----------
    tokens : sequence of Tensor
        (n, C) patch tokens of each image, not necessarily of unit length. Of a single image, each patch is compared
        with the others of that image.
    share : float
        How many patches are to find one.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there are not two patches to compare.
    """
    unit = [F.normalize(one.detach().float(), dim=-1) for one in tokens if len(one)]
    if len(unit) == 1 and len(unit[0]) > 1:
        cosines = (unit[0] @ unit[0].T).fill_diagonal_(-1).amax(-1)
        distances = [(2 - 2 * cosines).clamp_min(0).sqrt()]
    elif len(unit) > 1:
        distances = [nearest(one, torch.cat([*unit[:place], *unit[place + 1 :]]))[0] for place, one in enumerate(unit)]
    else:
        raise ValueError("a distance needs two patches")
    # Images that are the same to the pixel would leave no room at all.
    return max(float(torch.cat(distances).quantile(share)), 1e-3)


def spread(tokens: Tensor, count: int, begin: Sequence[int] = ()) -> list[int]:
    """Choose tokens so that all others are near a chosen one: greedy k-centre.

    Source: Gonzalez, "Clustering to minimize the maximum intercluster distance", 1985; PatchCore (arXiv 2106.08265)
    thins its memory out in the same way.

    Parameters
    ----------
    tokens : Tensor
        (n, C), not necessarily of unit length.
    count : int
        How many to choose at most.
    begin : sequence of int
        Rows that are chosen already; they count.

    Returns
    -------
    list of int
        Rows, those to begin with first; then, each time, the one farthest from all that are chosen.
    """
    if len(tokens) <= count:
        return list(dict.fromkeys([*begin, *range(len(tokens))]))
    unit = F.normalize(tokens.detach().float(), dim=-1)
    chosen = list(begin) or [int((unit @ unit.mean(dim=0)).argmax())]
    alike = (unit @ unit[chosen].T).amax(-1)
    alike[chosen] = math.inf  # so that none is chosen twice where many are equal
    while len(chosen) < count:
        row = int(alike.argmin())
        chosen.append(row)
        alike = torch.maximum(alike, unit @ unit[row])
        alike[row] = math.inf
    return chosen

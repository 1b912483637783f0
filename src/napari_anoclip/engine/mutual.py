"""Images that judge each other: a patch that the other images do not show is strange, whatever the prompts say.

Source of the formulae: Li et al., "MuSc: Zero-Shot Industrial Anomaly Classification and Segmentation with Mutual
Scoring of the Unlabeled Images", ICLR 2024, arXiv 2401.16753. The comparison itself is in `mutual_distance`; here is
what is gathered for it, and the re-scoring of images by their neighbours.

Every image is compared with every other: the work grows with the square of the number of images, and with the square of
the number of patches. `Others` bounds the first by a sample of the images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import length_hint
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_anoclip.engine.errors import ImageError, ModelError
from napari_anoclip.engine.image_source import as_source
from napari_anoclip.engine.mutual_distance import OthersAtScale
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.engine.settings import FEWEST_OTHERS, AnoCLIPSettings
from napari_anoclip.engine.token_cache import TokenCache

if TYPE_CHECKING:
    from napari_anoclip.engine.frozen_clip import FrozenCLIP

_CHUNK_BYTES = 64 << 20
_RECENT_BYTES = 16 << 20
_DTYPES = {"fp16": torch.float16, "fp32": torch.float32}


def rescore(scores: ArrayLike, class_tokens: ArrayLike, neighbours: Sequence[int] = (1, 2, 3)) -> NDArray[np.float64]:
    """Draw each image's score towards the scores of the images most like it.

    For each k, an image's score becomes the mean of the scores of its k nearest images, itself among them, weighted by
    the cosine of their class tokens (MuSc, section 3.4; a cosine below 0 weighs nothing). What comes out is the mean
    over the ks: k = 1 leaves scores as they are. An image alone among defective ones thus rises, and one that is only
    noisy falls. Needs rows of the N × N similarities, but never all of them at once.

    Parameters
    ----------
    scores : array-like
        (N,) such as each map's maximum.
    class_tokens : array-like
        (N, C) not necessarily of unit length.
    neighbours : sequence of int
        The ks, at least 1; one above N counts as N.

    Returns
    -------
    ndarray
        (N,) within the range of the scores.

    Raises
    ------
    ValueError
        If there is not one class token for each score, or no k, or one below 1.
    """
    values = np.asarray(scores, np.float64)
    tokens = torch.as_tensor(np.asarray(class_tokens), dtype=torch.float64)
    if values.ndim != 1 or tokens.ndim != 2 or len(tokens) != len(values) or not neighbours or min(neighbours) < 1:
        raise ValueError("re-scoring needs one class token for each score, and numbers of neighbours from 1 on")
    if not len(values):
        return values
    unit = F.normalize(tokens, dim=-1)
    told = torch.from_numpy(values)
    rows = max(1, _CHUNK_BYTES // (len(unit) * unit.element_size()))
    out = []
    for start in range(0, len(unit), rows):
        alike = unit[start : start + rows] @ unit.T
        own = torch.arange(len(alike))
        alike[own, own + start] = torch.inf  # itself first, even before its copies
        weights, where = alike.topk(min(max(neighbours), len(unit)), dim=1)
        weights[:, 0] = 1
        weights = weights.clamp_min(0)
        sums = (weights * told[where]).cumsum(dim=1) / weights.cumsum(dim=1)
        out.append(torch.stack([sums[:, min(k, len(unit)) - 1] for k in neighbours]).mean(dim=0))
    rescored: NDArray[np.float64] = torch.cat(out).numpy()
    return rescored


@dataclass(frozen=True, eq=False)
class Others:
    """Tokens of a batch of unlabelled images, for each image to be compared with the others; made by `gather`.

    It pickles, with the tokens: at 225 patches of 640 numbers in half precision, 0.3 MB an image.

    Attributes
    ----------
    model_id : str
        Identity of the model that the tokens come from.
    made_with : str
        Identity of the settings that they depend on, as `basis` gives it.
    images : tuple of str
        Digests of the images that are kept.
    seen : int
        Different images that were looked at; more than are kept where a sample was drawn.
    scales : tuple of OthersAtScale
        As the tiling asks for them, the finest last.
    digest : str
        Hash of all that: two with the same one do the same.
    """

    model_id: str
    made_with: str
    images: tuple[str, ...] = field(repr=False)
    seen: int
    scales: tuple[OthersAtScale, ...] = field(repr=False)
    digest: str

    @classmethod
    def gather(
        cls,
        model: FrozenCLIP,
        images: Iterable[Any],
        settings: AnoCLIPSettings,
        *,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> Others:
        """Take the tokens of images, and compare each image with all others.

        Of more than ``settings.mutual.references`` images, those are kept whose digests hash lowest together with the
        seed: the same ones in whatever order they come. Images are taken one after the other and let go of, so that
        those of a generator need not fit into memory; n of N are kept, and about ``n * (1 + log(N / n))`` are encoded.

        The comparison takes n² products of all patches of two images, for each degree and set of tokens.

        Parameters
        ----------
        model : FrozenCLIP
            The model. Images whose tokens it has kept are not encoded again.
        images : iterable of array-like or ImageSource
            All images of the batch, the one to be scored may be among them; equal ones count once.
        settings : AnoCLIPSettings
            Its tiling, V-V blocks and mutual scoring, whether enabled or not.
        on_progress, cancel : optional
            As for `AnoCLIP.detect`.

        Returns
        -------
        Others

        Raises
        ------
        ImageError
            If there are not more than `FEWEST_OTHERS` different images, one is no image, or one is so large that its
            tokens cannot be held.
        DeviceMemoryError
            If memory runs out even for one tile.
        Cancelled
            If the flag is set.
        """
        report, quiet = Reporter(on_progress, cancel), Reporter(cancel=cancel)
        kept, seen = _sample(model, images, settings, report, cancel)
        if len(kept) <= FEWEST_OTHERS:
            raise ImageError(
                f"To judge each other, images must be {FEWEST_OTHERS + 1} different ones at least, and there "
                f"{'is' if len(kept) == 1 else 'are'} {len(kept)}: take a larger stack or folder, or switch the "
                "comparison with other images off."
            )
        mutual = settings.mutual
        scales = tuple(
            OthersAtScale(tokens, mutual.degrees, mutual.share).compared(report, quiet)
            for tokens in zip(*kept.values(), strict=True)
        )
        made_with = basis(settings)
        digest = _hash(json.dumps([model.model_id, made_with, *kept]))
        return cls(model.model_id, made_with, tuple(kept), seen, scales, digest)

    @property
    def provenance(self) -> dict[str, str | int]:
        """What a result says of it, in JSON's types."""
        return {"digest": self.digest, "count": len(self.images), "of": self.seen}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Others):
            return NotImplemented
        return self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def to(self, device: torch.device) -> Others:
        """The same on a device, so that they need not go there for each image."""
        return replace(self, scales=tuple(scale.to(device) for scale in self.scales))

    def check(self, model_id: str, settings: AnoCLIPSettings | None = None) -> None:
        """Make sure that the tokens come from a model, and are what settings ask for.

        Raises
        ------
        ModelError
            If they come from another model, or were gathered with other settings.
        """
        if model_id != self.model_id:
            raise ModelError(
                "The other images were gathered with another model: gather them again with this one, or switch the "
                "comparison with other images off."
            )
        if settings is not None and basis(settings) != self.made_with:
            raise ModelError(
                "The other images were gathered with other settings of tiling, V-V blocks or mutual scoring: gather "
                "them again with these, or switch the comparison with other images off."
            )

    def known(self, digest: str) -> Sequence[Tensor] | None:
        """What came of comparing an image, if that was done: of each that was gathered, and of some recent others.

        Parameters
        ----------
        digest : str
            The image's, as `ImageSource.digest` says it.

        Returns
        -------
        sequence of Tensor or None
            As from `distances`.
        """
        if digest in self.images:
            place = self.images.index(digest)
            return [scale.own[place] for scale in self.scales]
        return self._recent.get(digest)

    def still_asks(self, settings: AnoCLIPSettings) -> AnoCLIPSettings:
        """What tokens of an image are needed for: where all images were compared already, none to compare it by."""
        if self.seen > len(self.images):
            return settings
        return settings.model_copy(update={"mutual": settings.mutual.model_copy(update={"enabled": False})})

    def distances(self, digest: str, tokens: Sequence[Tensor], report: Reporter) -> Sequence[Tensor]:
        """Compare an image that was not gathered with those that were.

        Parameters
        ----------
        digest : str
            The image's, under which `known` will find what comes of it. One that was gathered is not compared with
            itself.
        tokens : sequence of Tensor
            (T, Gh, Gw, C) at each scale, as `AnoCLIP.lattice_tokens` gives them.
        report : Reporter
            Told before each image that it is compared with.

        Returns
        -------
        sequence of Tensor
            (Gh, Gw) mutual distances at each scale, the finest last.
        """
        without = self.images.index(digest) if digest in self.images else None
        pairs = zip(self.scales, tokens, strict=True)
        found = tuple(scale.distances(one, report, without) for scale, one in pairs)
        self._recent.put(digest, found)
        return found

    def raising(self, distances: Sequence[Tensor], weight: float, temperature: float) -> list[Tensor]:
        """By how much the patches of an image are raised at each scale, by `OthersAtScale.raising`."""
        return [scale.raising(one, weight, temperature) for scale, one in zip(self.scales, distances, strict=True)]

    @cached_property
    def _recent(self) -> TokenCache:
        """So that another prompt does not make an image wait for its comparison again."""
        return TokenCache(_RECENT_BYTES)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all but what is only remembered."""
        return {name: value for name, value in self.__dict__.items() if name != "_recent"}


def basis(settings: AnoCLIPSettings) -> str:
    """Identify what a gathering depends on: neither the weight nor anything about text is part of it."""
    mutual = settings.mutual
    parts = [
        settings.tiling.model_dump(mode="json"),
        settings.vv_blocks if mutual.tokens == "vv" else None,
        mutual.model_dump(mode="json", exclude={"enabled", "weight"}),
    ]
    return _hash(json.dumps(parts, sort_keys=True))


def _sample(
    model: FrozenCLIP, images: Iterable[Any], settings: AnoCLIPSettings, report: Reporter, cancel: CancelFlag | None
) -> tuple[dict[str, list[Tensor]], int]:
    """Tokens at each scale of the images that are kept, in the order of their lots; and how many there were."""
    bound, dtype = settings.mutual.references, _DTYPES[settings.mutual.held]
    expected = length_hint(images)
    seen: set[str] = set()
    kept: dict[str, tuple[str, list[Tensor]]] = {}
    for number, image in enumerate(images):
        report("gathering other images", number, max(expected, number + 1))
        source = as_source(image)
        if source.digest in seen:
            continue
        seen.add(source.digest)
        lot = _hash(f"{settings.mutual.seed} {source.digest}")
        if len(kept) == bound:
            last = max(kept, key=lambda digest: kept[digest][0])
            if lot > kept[last][0]:
                continue
            del kept[last]
        tokens = model.lattice_tokens(source, settings, cancel=cancel)
        kept[source.digest] = lot, [one.to(dtype) for one in tokens]
    ordered = sorted(kept, key=lambda digest: kept[digest][0])
    return {digest: kept[digest][1] for digest in ordered}, len(seen)


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

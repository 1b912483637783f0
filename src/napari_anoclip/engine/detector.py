"""AnoCLIP: an image and prompts in, an anomaly map out.

The pipeline keeps the two costly things: tokens of images and features of prompts. Whatever else changes (prompts,
temperature, adaptation, smoothing), the image tower does not run again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_anoclip._version import __version__
from napari_anoclip.engine import scoring
from napari_anoclip.engine.adaptation import adapt_fields, adapt_tokens
from napari_anoclip.engine.backbone import Backbone
from napari_anoclip.engine.calibration import DisplayRange, RangeStore, reference_pictures
from napari_anoclip.engine.detection import Adaptation, Detection
from napari_anoclip.engine.errors import ImageError, ModelError
from napari_anoclip.engine.field_scoring import FieldScoring
from napari_anoclip.engine.frozen_clip import DEFAULT_TOKEN_CACHE_BYTES, FrozenCLIP
from napari_anoclip.engine.image_source import ImageSource, as_source
from napari_anoclip.engine.mutual import Others
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.range_measuring import RangeMeasuring, fitted
from napari_anoclip.engine.reference_memory import ReferenceMemory
from napari_anoclip.engine.scoring import Explanation
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.engine.similarity import Similarity, similar_patches
from napari_anoclip.engine.text import TextFeatures
from napari_anoclip.engine.tiling import upsample
from napari_anoclip.engine.token_field import TokenField, TokenStream
from napari_anoclip.engine.views import VIEW_COUNT

_DEFAULTS = AnoCLIPSettings()


class AnoCLIP(FrozenCLIP):
    """Zero-shot anomaly maps from a frozen CLIP.

    Make one with `load` or `from_open_clip`. One instance can be used from several threads.

    Parameters
    ----------
    backbone : Backbone
        The model.
    cache_folder : Path, optional
        Where prompt embeddings and display ranges are kept between starts; the platform's cache folder otherwise.
    token_cache_bytes : int
        Bound on the tokens of images kept in memory.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        cache_folder: Path | None = None,
        token_cache_bytes: int = DEFAULT_TOKEN_CACHE_BYTES,
    ) -> None:
        super().__init__(backbone, cache_folder=cache_folder, token_cache_bytes=token_cache_bytes)
        self._ranges = RangeStore(self._cache_folder / "display_ranges.json")

    def detect(
        self,
        image: Any,
        prompts: PromptSet,
        settings: AnoCLIPSettings = _DEFAULTS,
        *,
        contrast_limits: tuple[float, float] | None = None,
        block: int = 1,
        memory: ReferenceMemory | None = None,
        others: Others | None = None,
        on_step: Callable[[int, float], None] | None = None,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> Detection:
        """Find what is abnormal in an image.

        Parameters
        ----------
        image : array-like or ImageSource
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), any real type; or what `ImageSource.of` made of one, which
            need not be hashed again.
        prompts : PromptSet
            What normal and abnormal look like, in words.
        settings : AnoCLIPSettings
            Everything else.
        contrast_limits : tuple of float, optional
            Intensities that are black and white; otherwise the type or robust percentiles decide.
        block : int
            The map has one value for so many pixels squared, for images whose map would not fit into memory.
        memory : ReferenceMemory, optional
            Patches that a person called normal; they count where ``settings.references`` is enabled. The class
            token's part of the image score knows nothing of them.
        others : Others, optional
            The other images of the batch; they count where ``settings.mutual`` is enabled, for the map and what comes
            of it, not for the class token's part of the image score. An image that is among them is not compared with
            itself.
        on_step : callable, optional
            Called with (step from 1, loss before it) while adapting.
        on_progress : callable, optional
            Called with a `Progress` after every batch and step, in this thread.
        cancel : CancelFlag, optional
            Polled between batches and steps.

        Returns
        -------
        Detection

        Raises
        ------
        ImageError
            If the array is no image or holds nothing finite, or is too large to be compared with others.
        PromptError
            If a side of the prompts is empty.
        DeviceMemoryError
            If memory runs out even for one tile.
        ModelError
            If the model computes what is no number, or the references or the other images come from another model, or
            those from other settings.
        Cancelled
            If the flag is set.
        """
        started = time.perf_counter()
        report = Reporter(on_progress, cancel)
        memory = self._in_use(memory, settings)
        others = self._others_in_use(others, settings)
        source = as_source(image, contrast_limits)
        text = self._text.features(prompts, settings.scoring.mean_order, report)
        scored = FieldScoring(text, settings, self.temperature, memory)
        plain = fields = self._images.fields(source, settings.tiling, settings.vv_blocks, report)
        raising = self._raising(source, plain, settings, others, report)
        before: NDArray[np.float32] | None = None
        losses: tuple[float, ...] = ()
        method = settings.scoring.upsampling if settings.tiling.mode == "fit" else "half_pixel"
        if settings.adaptation.enabled:
            fields, losses = adapt_fields(
                plain, text, settings.adaptation, self.temperature, on_step=on_step, reporter=report
            )
            before = upsample(*scored.grid(plain, raising=raising), method, block)
        grid, lattice = scored.grid(fields, plain, raising)
        score = scoring.image_score(
            self._class_probability(source, fields, scored, report), float(grid.max()), settings.scoring.image_score
        )
        if not math.isfinite(score + float(grid.sum())):  # NaN would pass for the hottest of all, or for nothing at all
            raise ModelError(
                "The model found no number for this image: choose precision fp32, and look whether its weights are "
                "damaged."
            )
        return Detection(
            map=upsample(grid, lattice, method, block),
            before=before,
            grid=grid,
            score=score,
            scaling=source.scaling,
            losses=losses,
            seconds=time.perf_counter() - started,
            provenance=self._provenance(source, prompts, settings, memory, others),
        )

    def explain(
        self,
        image: Any,
        prompts: PromptSet,
        at: tuple[int, int],
        settings: AnoCLIPSettings = _DEFAULTS,
        *,
        contrast_limits: tuple[float, float] | None = None,
        memory: ReferenceMemory | None = None,
        others: Others | None = None,
    ) -> Explanation:
        """Say what each prompt contributes at a pixel, from kept tokens where there are any; and what others do to it.

        Parameters
        ----------
        image, prompts, settings, contrast_limits, memory, others
            As for `detect`.
        at : tuple of int
            (row, column) of a pixel.

        Returns
        -------
        Explanation
            Of the patch that covers the pixel; in overlapping tiles, of the one that weighs most there. With both
            scales, of the tiles'.

        Raises
        ------
        ImageError, ModelError
            If the pixel is outside the image, or as for `detect`.
        """
        report = Reporter()
        memory = self._in_use(memory, settings)
        others = self._others_in_use(others, settings)
        source = as_source(image, contrast_limits)
        source.check_pixel(at)
        text = self._text.features(prompts, settings.scoring.mean_order, report)
        plain = fields = self._images.fields(source, settings.tiling, settings.vv_blocks, report)
        if settings.adaptation.enabled:
            fields, _ = adapt_fields(plain, text, settings.adaptation, self.temperature, reporter=report)
        raising = self._raising(source, plain, settings, others, report)
        scored = FieldScoring(text, settings, self.temperature, memory)
        return scored.explanation(at, fields[-1], plain[-1], None if raising is None else raising[-1])

    def similar(
        self,
        image: Any,
        at: tuple[int, int],
        settings: AnoCLIPSettings = _DEFAULTS,
        *,
        contrast_limits: tuple[float, float] | None = None,
    ) -> Similarity:
        """Find where else in an image it looks like at a pixel, by V-V patch tokens as they come from the model.

        Parameters
        ----------
        image, settings, contrast_limits
            As for `detect`.
        at : tuple of int
            (row, column) of a pixel.

        Returns
        -------
        Similarity
            On the finest scale.

        Raises
        ------
        ImageError
            If the pixel is outside the image, or as for `detect`.
        """
        source = as_source(image, contrast_limits)
        source.check_pixel(at)
        finest = self._images.fields(source, settings.tiling, settings.vv_blocks, Reporter())[-1]
        return similar_patches(finest.patches, finest.lattice, finest.lattice.cell_at(at))

    def adapt(
        self,
        patches: Tensor,
        text: TextFeatures,
        settings: AnoCLIPSettings = _DEFAULTS,
        noise: Tensor | None = None,
        init: tuple[Tensor, Tensor] | None = None,
        on_step: Callable[[int, float], None] | None = None,
        *,
        grid: tuple[int, int] | None = None,
        cancel: CancelFlag | None = None,
    ) -> Adaptation:
        """Adapt patch tokens, each image from nothing and on its own.

        Parameters
        ----------
        patches : Tensor
            (N, L, C) projected patch tokens, not normalised.
        text : TextFeatures
            Features of the prompts.
        settings : AnoCLIPSettings
            Its adaptation part, whether enabled or not.
        noise : Tensor, optional
            (steps, N, L, C) recorded noise, standard deviation included, in place of seeded draws.
        init : tuple of Tensor, optional
            (weight, bias) of the adapter, in place of seeded draws.
        on_step : callable, optional
            Called with (step from 1, loss before it).
        grid : tuple of int, optional
            (Gh, Gw); a square otherwise.
        cancel : CancelFlag, optional
            Polled between steps.

        Returns
        -------
        Adaptation

        Raises
        ------
        ImageError
            If the tokens do not fill the grid.
        Cancelled
            If the flag is set.
        """
        shape = grid or (math.isqrt(patches.shape[1]),) * 2
        if shape[0] * shape[1] != patches.shape[1]:
            raise ImageError(f"{patches.shape[1]} tokens do not fill a grid of {shape[0]} × {shape[1]}.")
        adapted = [
            adapt_tokens(
                tokens,
                text,
                settings.adaptation,
                self.temperature,
                noise=None if noise is None else noise[:, index],
                init=init,
                on_step=on_step,
                reporter=Reporter(cancel=cancel),
            )
            for index, tokens in enumerate(patches)
        ]
        tokens = torch.stack([one.tokens for one in adapted])
        with torch.inference_mode():
            probability = FieldScoring(text, settings, self.temperature).probability(tokens)
        return Adaptation(
            tokens=tokens,
            grid=probability.reshape(len(patches), *shape).cpu().numpy(),
            losses=np.array([one.losses for one in adapted]),
        )

    def display_range(
        self,
        prompts: PromptSet,
        settings: AnoCLIPSettings = _DEFAULTS,
        references: Iterable[Any] | None = None,
        *,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> DisplayRange:
        """The one range in which all maps of this model, prompt set and scoring are shown.

        Measured once on normal pictures, which the model sees fitted whole, and kept.

        Parameters
        ----------
        prompts, settings
            As for `detect`; of the tiling, only side and interpolation matter.
        references : iterable of array-like, optional
            The user's own good images; the packaged normal pictures otherwise, every fourth one with adaptation.
        on_progress, cancel : optional
            As for `detect`.

        Returns
        -------
        DisplayRange

        Raises
        ------
        ImageError
            If there is no reference picture, or one is no image.
        Cancelled
            If the flag is set.
        """
        report = Reporter(on_progress, cancel)
        measuring = RangeMeasuring.of(prompts, settings, self._packaged_references, references)
        key = measuring.key(self.model_id)
        known = self._ranges.get(key)
        if known is None:
            text = self._text.features(prompts, settings.scoring.mean_order, report)
            known = measuring.measure(self._images, text, self.temperature, report, cancel)
            self._ranges.put(key, known)
        return known

    def encode_references(self, settings: AnoCLIPSettings = _DEFAULTS, *, cancel: CancelFlag | None = None) -> None:
        """Look at the packaged normal pictures ahead, so that the range of the next prompts is measured at once.

        Parameters
        ----------
        settings : AnoCLIPSettings
            Its side, interpolation and V-V blocks.
        cancel : CancelFlag, optional
            As for `detect`.

        Raises
        ------
        Cancelled
            If the flag is set.
        """
        tiling = fitted(settings.tiling)
        for picture in self._packaged_references:
            self._images.fields(ImageSource.of(picture), tiling, settings.vv_blocks, Reporter(cancel=cancel))

    @cached_property
    def _packaged_references(self) -> list[NDArray[np.uint8]]:
        return list(reference_pictures())

    def _in_use(self, memory: ReferenceMemory | None, settings: AnoCLIPSettings) -> ReferenceMemory | None:
        """The memory, on the model's device, where the settings ask for it."""
        if memory is None or not settings.references.enabled:
            return None
        memory.check(self.model_id)
        return memory.to(self._backbone.device)

    def _others_in_use(self, others: Others | None, settings: AnoCLIPSettings) -> Others | None:
        """The other images, where the settings ask for them."""
        if others is None or not settings.mutual.enabled:
            return None
        others.check(self.model_id, settings)
        return others

    def _raising(
        self,
        source: ImageSource,
        fields: list[TokenField | TokenStream],
        settings: AnoCLIPSettings,
        others: Others | None,
        report: Reporter,
    ) -> list[Tensor] | None:
        """By how much other images raise each cell of each scale, in differences of cosines."""
        if others is None:
            return None
        distances = others.known(source.digest)
        if distances is None:
            tokens = self._lattice_tokens(source, fields, settings, report)
            distances = others.distances(source.digest, tokens, report)
        device = self._backbone.device
        return [one.to(device) for one in others.raising(distances, settings.mutual.weight, self.temperature)]

    def _class_probability(
        self, source: ImageSource, fields: Sequence[TokenField | TokenStream], scored: FieldScoring, report: Reporter
    ) -> float:
        """Abnormal probability of the class token: of the whole image, of its 22 views, or of the worst tile."""
        settings = scored.settings
        if settings.scoring.image_score == "map_max":
            return math.nan
        with torch.inference_mode():
            if settings.scoring.views == VIEW_COUNT:
                return float(scored.probability(self._images.view_tokens(source, settings.tiling, report)).mean())
            return float(scored.probability(fields[0].cls).max())

    def _provenance(
        self,
        source: ImageSource,
        prompts: PromptSet,
        settings: AnoCLIPSettings,
        memory: ReferenceMemory | None,
        others: Others | None,
    ) -> dict[str, Any]:
        return {
            "version": __version__,
            "model": self.name,
            "model_id": self.model_id,
            "device": self.device,
            "precision": self.precision,
            "settings": settings.model_dump(mode="json"),
            "prompts": prompts.model_dump(mode="json"),
            "image": source.digest,
            "scaling": asdict(source.scaling),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "references": None if memory is None else memory.provenance,
            "others": None if others is None else others.provenance,
        }

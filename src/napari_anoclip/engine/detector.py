"""AnoCLIP: an image and prompts in, an anomaly map out.

The pipeline keeps the two costly things: tokens of images and features of prompts. Whatever else changes (prompts,
temperature, adaptation, smoothing), the image tower does not run again.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_anoclip._version import __version__
from napari_anoclip.engine import scoring
from napari_anoclip.engine.adaptation import AdaptedTokens, adapt_tokens
from napari_anoclip.engine.backbone import BUILTIN, Backbone, Precision
from napari_anoclip.engine.calibration import NORMAL_SHARE, DisplayRange, RangeStore, reference_pictures
from napari_anoclip.engine.embedding_cache import EmbeddingCache
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.image_encoder import ImageEncoder, ImageSource, too_many_to_compare
from napari_anoclip.engine.imaging import IntensityScaling
from napari_anoclip.engine.mutual import Others
from napari_anoclip.engine.mutual_distance import on_lattice
from napari_anoclip.engine.prepared import Prepared
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.reference_memory import ReferenceMemory
from napari_anoclip.engine.scoring import Explanation
from napari_anoclip.engine.settings import DEFAULT_VV_BLOCKS, AnoCLIPSettings, MeanOrder
from napari_anoclip.engine.similarity import Similarity, similar_patches
from napari_anoclip.engine.text import TextEncoder, TextFeatures, Tokenizer
from napari_anoclip.engine.tiling import Lattice, resample, upsample
from napari_anoclip.engine.token_field import TokenField, TokenStream
from napari_anoclip.engine.views import VIEW_COUNT
from napari_anoclip.engine.vision import VisualTokens

FloatArray = NDArray[np.float32]

DEFAULT_TOKEN_CACHE_BYTES = 1 << 30
_DEFAULTS = AnoCLIPSettings()


@dataclass(frozen=True)
class Detection:
    """What was found in one image.

    Attributes
    ----------
    map : ndarray
        (H, W) float32, probability of being abnormal, on the image's own pixels, or on blocks of them.
    before : ndarray or None
        The same without adaptation, where adaptation was on.
    grid : ndarray
        (Gh, Gw) float32, the same on the patch lattice, before interpolation.
    score : float
        Probability for the whole image.
    scaling : IntensityScaling
        Which intensities were taken as black and white.
    losses : tuple of float
        Loss before each adaptation step; empty where adaptation is off.
    seconds : float
        Wall time.
    provenance : dict
        Everything needed to make this result again, in JSON's types.
    """

    map: FloatArray
    before: FloatArray | None
    grid: FloatArray
    score: float
    scaling: IntensityScaling
    losses: tuple[float, ...]
    seconds: float
    provenance: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Adaptation:
    """Adapted tokens of a batch of images, each adapted on its own.

    Attributes
    ----------
    tokens : Tensor
        (N, L, C) adapted patch tokens, not normalised.
    grid : ndarray
        (N, Gh, Gw) probabilities of the adapted tokens, not smoothed.
    losses : ndarray
        (N, steps) loss before each step.
    """

    tokens: Tensor
    grid: FloatArray
    losses: NDArray[np.float64]


class AnoCLIP:
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
        folder = cache_folder or Path(platformdirs.user_cache_dir("napari-anoclip", appauthor=False))
        self._backbone = backbone
        self._images = ImageEncoder(backbone, token_cache_bytes)
        self._text = TextEncoder(
            backbone.model, backbone.tokenizer, backbone.model_id, EmbeddingCache(folder), backbone.device
        )
        self._ranges = RangeStore(folder / "display_ranges.json")

    @classmethod
    def load(
        cls,
        name: str = BUILTIN,
        *,
        device: str = "auto",
        precision: Precision = "fp32",
        architecture: str | None = None,
        download: bool = False,
        models_folder: Path | None = None,
        cache_folder: Path | None = None,
        token_cache_bytes: int = DEFAULT_TOKEN_CACHE_BYTES,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> AnoCLIP:
        """Load a model.

        Parameters
        ----------
        name : str
            "builtin"; "ARCHITECTURE:TAG" of open_clip's registry, such as "ViT-B-16-plus-240:laion400m_e32"; or the
            path of a checkpoint (or its folder) with its open_clip configuration beside it.
        device : str
            "auto", "cpu", "cuda" or "mps".
        precision : {"fp32", "bf16", "fp16"}
            Of the towers; scores are always computed in float32.
        architecture : str, optional
            Registry name for a checkpoint without a configuration.
        download : bool
            Whether a model that is not on this machine may be fetched.
        models_folder : Path, optional
            Where downloaded models are kept.
        cache_folder : Path, optional
            Where prompt embeddings and display ranges are kept.
        token_cache_bytes : int
            Bound on the tokens of images kept in memory.
        on_progress : callable, optional
            Called with a `Progress`.
        cancel : CancelFlag, optional
            Polled while downloading.

        Returns
        -------
        AnoCLIP

        Raises
        ------
        ModelError
            If the model is unknown, does not suit the method, or its file is damaged or unsafe.
        DownloadError
            If it is not on this machine and may not or cannot be downloaded.
        DeviceError
            If the device or precision is not to be had.
        DeviceMemoryError
            If the device has no room for it.
        Cancelled
            If the flag is set.
        """
        backbone = Backbone.load(
            str(name),
            device=device,
            precision=precision,
            architecture_name=architecture,
            download=download,
            models_folder=models_folder,
            reporter=Reporter(on_progress, cancel),
        )
        return cls(backbone, cache_folder=cache_folder, token_cache_bytes=token_cache_bytes)

    @classmethod
    def from_open_clip(
        cls,
        model: nn.Module,
        tokenizer: Tokenizer,
        *,
        name: str = "open_clip model",
        cache_folder: Path | None = None,
    ) -> AnoCLIP:
        """Use an open_clip model that is in memory already, where and as it is.

        Parameters
        ----------
        model : Module
            open_clip's CLIP with a plain VisionTransformer. It is put into evaluation mode and frozen.
        tokenizer : callable
            Texts to token ids, such as ``open_clip.get_tokenizer(...)``.
        name : str
            How to call it in provenance.
        cache_folder : Path, optional
            Where prompt embeddings and display ranges are kept.

        Returns
        -------
        AnoCLIP

        Raises
        ------
        ModelError
            If the method does not work on it.
        """
        return cls(Backbone.wrap(model, tokenizer, name=name), cache_folder=cache_folder)

    @property
    def name(self) -> str:
        """What the model was called when it was loaded."""
        return self._backbone.name

    @property
    def model_id(self) -> str:
        """Hash of the weights and the precision: the model's identity in caches and provenance."""
        return self._backbone.model_id

    @property
    def device(self) -> str:
        """Device in use."""
        return str(self._backbone.device)

    @property
    def precision(self) -> Precision:
        """Precision in use."""
        return self._backbone.precision

    @property
    def image_size(self) -> int:
        """Side of the model's square, in pixels."""
        return self._backbone.image_size

    @property
    def patch_size(self) -> int:
        """Side of a patch, in model pixels."""
        return self._backbone.patch_size

    @property
    def temperature(self) -> float:
        """The model's own softmax temperature."""
        return self._backbone.temperature

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, as prompt linting needs it."""
        return self._backbone.tokenizer

    @property
    def known_token_ids(self) -> frozenset[int] | None:
        """Tokens that the model's training saw, where that can be told."""
        return self._backbone.known_token_ids

    @property
    def memory_bytes(self) -> int:
        """Bytes of the weights and of the tokens kept."""
        return self._backbone.memory_bytes + self.token_bytes

    @property
    def token_bytes(self) -> int:
        """Bytes of the tokens kept."""
        return self._images.cached_bytes

    @property
    def token_cache_bytes(self) -> int:
        """Bound on the tokens of images kept in memory; a lower one drops the longest unused at once."""
        return self._images.cache_bytes

    @token_cache_bytes.setter
    def token_cache_bytes(self, bound: int) -> None:
        self._images.cache_bytes = bound

    def forget_tokens(self) -> None:
        """Drop the tokens of all images; they are encoded again when needed."""
        self._images.forget()

    def prompts_to_encode(self, prompts: PromptSet) -> int:
        """Count the different prompts of a set that the text tower has not met."""
        return self._text.missing(prompts)

    def encode_image(self, batch: Tensor, *, vv_blocks: int = DEFAULT_VV_BLOCKS) -> VisualTokens:
        """Encode images that are prepared already.

        Parameters
        ----------
        batch : Tensor
            (N, 3, H, W) normalised; H and W multiples of the patch size.
        vv_blocks : int
            How many of the last blocks the V-V path covers.

        Returns
        -------
        VisualTokens
            float32, on the model's device.

        Raises
        ------
        ImageError
            If the shape does not fit the patches.
        DeviceMemoryError
            If memory runs out even for one image.
        """
        patch = self.patch_size
        if batch.ndim != 4 or batch.shape[1] != 3 or batch.shape[2] % patch or batch.shape[3] % patch or not len(batch):
            raise ImageError(
                f"A batch of shape {tuple(batch.shape)} cannot be encoded: give (N, 3, H, W) with H and W multiples "
                f"of {patch}."
            )
        return self._images.encode(len(batch), lambda start, stop: batch[start:stop], vv_blocks)

    def encode_prompts(
        self,
        prompts: PromptSet,
        mean_order: MeanOrder = "embeddings",
        *,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> TextFeatures:
        """Encode a prompt set; prompts that are cached are not encoded again.

        Parameters
        ----------
        prompts : PromptSet
            Both sides.
        mean_order : {"embeddings", "unit"}
            Mean of raw or of unit embeddings.
        on_progress, cancel : optional
            As for `detect`.

        Returns
        -------
        TextFeatures

        Raises
        ------
        PromptError
            If a side is empty.
        Cancelled
            If the flag is set.
        """
        return self._text.features(prompts, mean_order, Reporter(on_progress, cancel))

    def prepare(self, source: ImageSource, settings: AnoCLIPSettings = _DEFAULTS) -> Prepared:
        """Read and resize an image for `encode_ahead`, in any thread.

        Parameters
        ----------
        source : ImageSource
            The image.
        settings : AnoCLIPSettings
            What `detect` will be called with.

        Returns
        -------
        Prepared
            With nothing to encode where the tokens are kept already, or are so many that `detect` encodes them group
            by group.
        """
        views = settings.scoring.image_score != "map_max" and settings.scoring.views == VIEW_COUNT
        layers = settings.mutual.enabled and settings.mutual.tokens == "layers"
        return self._images.prepare(source, settings.tiling, settings.vv_blocks, views=views, layers=layers)

    def encode_ahead(
        self,
        prepared: Sequence[Prepared],
        *,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> None:
        """Encode tiles of several images in common batches, so that a `detect` soon after finds their tokens kept.

        It changes nothing in what `detect` gives, only when the image tower runs, and in which thread.

        Parameters
        ----------
        prepared : sequence of Prepared
            What `prepare` made, for one or several settings. Their `token_bytes` together must stay well below
            `token_cache_bytes`, or the first ones are dropped again before they are used.
        on_progress, cancel : optional
            As for `detect`.

        Raises
        ------
        DeviceMemoryError, Cancelled
            As for `detect`.
        """
        self._images.encode_ahead(prepared, Reporter(on_progress, cancel))

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
            If the references or the other images come from another model, or those from other settings.
        Cancelled
            If the flag is set.
        """
        started = time.perf_counter()
        report = Reporter(on_progress, cancel)
        memory = self._in_use(memory, settings)
        others = self._others_in_use(others, settings)
        source = _source(image, contrast_limits)
        text = self._text.features(prompts, settings.scoring.mean_order, report)
        plain = fields = self._images.fields(source, settings.tiling, settings.vv_blocks, report)
        raising = self._raising(source, plain, settings, others, report)
        before: FloatArray | None = None
        losses: tuple[float, ...] = ()
        method = settings.scoring.upsampling if settings.tiling.mode == "fit" else "half_pixel"
        if settings.adaptation.enabled:
            fields, losses = self._adapted(plain, text, settings, report, on_step)
            before = upsample(*self._score(plain, text, settings, memory, raising=raising), method, block)
        grid, lattice = self._score(fields, text, settings, memory, plain, raising)
        score = scoring.image_score(
            self._class_probability(source, fields, text, settings, report),
            float(grid.max()),
            settings.scoring.image_score,
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
        source = _source_around(image, contrast_limits, at)
        text = self._text.features(prompts, settings.scoring.mean_order, report)
        plain = fields = self._images.fields(source, settings.tiling, settings.vv_blocks, report)
        if settings.adaptation.enabled:
            fields, _ = self._adapted(plain, text, settings, report)
        finest = fields[-1]
        cell = finest.lattice.cell_at(at)
        lowering, reference = 0.0, ""
        if memory is not None:
            token = plain[-1].token(cell)
            lowering = float(memory.lowering(token, settings.references.strength, self.temperature))
            reference = memory.label(token)
        raising = self._raising(source, plain, settings, others, report)
        return scoring.explain_token(
            finest.token(cell),
            text,
            self._map_temperature(settings),
            cell,
            finest.lattice.box(cell),
            lowering=lowering,
            reference=reference,
            raising=0.0 if raising is None else float(raising[-1][cell]),
        )

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
        source = _source_around(image, contrast_limits, at)
        finest = self._images.fields(source, settings.tiling, settings.vv_blocks, Reporter())[-1]
        return similar_patches(finest.patches, finest.lattice, finest.lattice.cell_at(at))

    def tokens(
        self,
        image: Any,
        settings: AnoCLIPSettings = _DEFAULTS,
        *,
        contrast_limits: tuple[float, float] | None = None,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> list[TokenField | TokenStream]:
        """Give an image's V-V tokens as they come from the model, kept ones where there are any.

        Parameters
        ----------
        image, settings, contrast_limits, on_progress, cancel
            As for `detect`.

        Returns
        -------
        list of TokenField or TokenStream
            At each scale that the tiling asks for, the finest last.

        Raises
        ------
        ImageError, DeviceMemoryError, Cancelled
            As for `detect`.
        """
        source = _source(image, contrast_limits)
        return self._images.fields(source, settings.tiling, settings.vv_blocks, Reporter(on_progress, cancel))

    def lattice_tokens(
        self,
        image: Any,
        settings: AnoCLIPSettings = _DEFAULTS,
        *,
        on_progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> list[Tensor]:
        """Give the tokens by which images are compared with each other, one a cell of the lattice.

        Parameters
        ----------
        image, settings, on_progress, cancel
            As for `detect`. ``settings.mutual.tokens`` says which tokens.

        Returns
        -------
        list of Tensor
            (T, Gh, Gw, C) at each scale that the tiling asks for, the finest last: T sets of tokens, not normalised,
            those of overlapping tiles blended.

        Raises
        ------
        ImageError
            If it is no image, or its tokens are too many to be held.
        DeviceMemoryError, Cancelled
            As for `detect`.
        """
        return self._lattice_tokens(_source(image, None), None, settings, Reporter(on_progress, cancel))

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
            self._adapt_one(
                tokens,
                text,
                settings,
                noise=None if noise is None else noise[:, index],
                init=init,
                on_step=on_step,
                reporter=Reporter(cancel=cancel),
            )
            for index, tokens in enumerate(patches)
        ]
        tokens = torch.stack([one.tokens for one in adapted])
        with torch.inference_mode():
            probability = self._probability(tokens, text, settings)
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
        fitted = settings.model_copy(update={"tiling": settings.tiling.model_copy(update={"mode": "fit"})})
        # Each adapted picture is a training of its own, and somebody who edits a prompt is waiting for it.
        packaged = self._packaged_references[:: 4 if fitted.adaptation.enabled else 1]
        pictures = packaged if references is None else list(references)
        sources = [ImageSource.of(picture) for picture in pictures]
        if not sources:
            raise ImageError("A display range needs at least one normal picture.")
        key = _digest(
            NORMAL_SHARE,
            self.model_id,
            prompts.digest,
            fitted.scoring.model_dump(mode="json", exclude={"upsampling", "image_score", "views"}),
            fitted.adaptation.model_dump(mode="json") if fitted.adaptation.enabled else None,
            fitted.tiling.model_dump(mode="json", include={"side", "interpolation"}),
            fitted.vv_blocks,
            [source.digest for source in sources],
        )
        known = self._ranges.get(key)
        if known is not None:
            return known
        text = self._text.features(prompts, settings.scoring.mean_order, report)
        grids = []
        for index, source in enumerate(sources):
            report("measuring normal pictures", index, len(sources))
            quiet = Reporter(cancel=cancel)
            fields = self._images.fields(source, fitted.tiling, fitted.vv_blocks, quiet)
            if fitted.adaptation.enabled:
                fields, _ = self._adapted(fields, text, fitted, quiet)
            grids.append(self._score(fields, text, fitted)[0])
        report("measuring normal pictures", len(sources), len(sources))
        described = "packaged normal pictures" if references is None else "own good images"
        measured = DisplayRange.of_normal(grids, f"{len(grids)} {described}")
        self._ranges.put(key, measured)
        return measured

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
        fitted = settings.tiling.model_copy(update={"mode": "fit"})
        for picture in self._packaged_references:
            self._images.fields(ImageSource.of(picture), fitted, settings.vv_blocks, Reporter(cancel=cancel))

    @cached_property
    def _packaged_references(self) -> list[NDArray[np.uint8]]:
        return list(reference_pictures())

    def _adapted(
        self,
        fields: list[TokenField | TokenStream],
        text: TextFeatures,
        settings: AnoCLIPSettings,
        report: Reporter,
        on_step: Callable[[int, float], None] | None = None,
    ) -> tuple[list[TokenField | TokenStream], tuple[float, ...]]:
        """Tokens at each scale adapted to their image, and the loss before each step."""
        # One adapter for the whole image: tiles adapted apart would not agree where they overlap.
        tokens = torch.cat([one.patches.flatten(0, 1) for one in fields])
        adapted = self._adapt_one(tokens, text, settings, reporter=report, on_step=on_step)
        parts = adapted.tokens.split([one.patches.shape[0] * one.patches.shape[1] for one in fields])
        return [
            TokenField(one.lattice, part.reshape(one.patches.shape), one.cls)
            for one, part in zip(fields, parts, strict=True)
        ], adapted.losses

    def _adapt_one(
        self, tokens: Tensor, text: TextFeatures, settings: AnoCLIPSettings, **options: Any
    ) -> AdaptedTokens:
        temperature = settings.adaptation.temperature or self.temperature
        return adapt_tokens(tokens, text, settings.adaptation, temperature, **options)

    def _in_use(self, memory: ReferenceMemory | None, settings: AnoCLIPSettings) -> ReferenceMemory | None:
        """The memory, on the model's device, where the settings ask for it."""
        if memory is None or not settings.references.enabled:
            return None
        memory.check(self.model_id)
        return memory.to(self._backbone.device)

    def _score(
        self,
        fields: list[TokenField | TokenStream],
        text: TextFeatures,
        settings: AnoCLIPSettings,
        memory: ReferenceMemory | None = None,
        plain: list[TokenField | TokenStream] | None = None,
        raising: list[Tensor] | None = None,
    ) -> tuple[FloatArray, Lattice]:
        """Probabilities on the finest lattice, the mean over scales, smoothed where that is on.

        A memory is compared with the plain tokens, as they come from the model, where the others are adapted. What
        other images raise is told for each cell of each scale.
        """
        finest = fields[-1].lattice
        grids = []
        for index, (one, unadapted) in enumerate(zip(fields, plain or fields, strict=True)):
            raised = iter(()) if raising is None else iter(one.lattice.cut(raising[index]))
            with torch.inference_mode():
                tiles = [
                    self._probability(part, text, settings, self._lowering(memory, seen, raised, settings))
                    .cpu()
                    .numpy()
                    for part, seen in _together(one, unadapted)
                ]
            shape = one.lattice.rows.tile_cells, one.lattice.columns.tile_cells
            grid = one.lattice.blend(np.concatenate(tiles).reshape(-1, *shape))
            grids.append(grid if one.lattice == finest else resample(grid, one.lattice, finest))
        grid = np.mean(grids, axis=0, dtype=np.float32)
        return (scoring.smooth(grid) if settings.scoring.smooth else grid), finest

    def _probability(
        self, tokens: Tensor, text: TextFeatures, settings: AnoCLIPSettings, lowering: Tensor | None = None
    ) -> Tensor:
        cosines = scoring.cosines(tokens, text.sides)
        return scoring.abnormal_probability(cosines, self._map_temperature(settings), lowering)

    def _lowering(
        self, memory: ReferenceMemory | None, tokens: Tensor, raised: Iterator[Tensor], settings: AnoCLIPSettings
    ) -> Tensor | None:
        """What is taken off the patches (m, l, C) of the next m tiles; less than nothing where they are raised."""
        lowering = None
        if memory is not None:
            lowering = memory.lowering(tokens, settings.references.strength, self.temperature)
        mine = list(islice(raised, len(tokens)))
        if not mine:
            return lowering
        return -torch.stack(mine) if lowering is None else lowering - torch.stack(mine)

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

    def _lattice_tokens(
        self,
        source: ImageSource,
        fields: list[TokenField | TokenStream] | None,
        settings: AnoCLIPSettings,
        report: Reporter,
    ) -> list[Tensor]:
        """Tokens of the cells of each scale, out of the image's fields where those are the tokens that are compared."""
        found: list[tuple[Lattice, Tensor]] = []
        if settings.mutual.tokens == "layers":
            found = self._images.layers(source, settings.tiling, report)
        else:
            for one in fields or self._images.fields(source, settings.tiling, settings.vv_blocks, report):
                if isinstance(one, TokenStream):
                    raise too_many_to_compare(one.lattice)
                found.append((one.lattice, one.patches[None]))
        return [torch.stack([on_lattice(lattice, each) for each in tiles]) for lattice, tiles in found]

    def _map_temperature(self, settings: AnoCLIPSettings) -> float:
        return settings.scoring.temperature or self.temperature

    def _class_probability(
        self,
        source: ImageSource,
        fields: list[TokenField | TokenStream],
        text: TextFeatures,
        settings: AnoCLIPSettings,
        report: Reporter,
    ) -> float:
        """Abnormal probability of the class token: of the whole image, of its 22 views, or of the worst tile."""
        if settings.scoring.image_score == "map_max":
            return math.nan
        with torch.inference_mode():
            if settings.scoring.views == VIEW_COUNT:
                tokens = self._images.view_tokens(source, settings.tiling, report)
                return float(self._probability(tokens, text, settings).mean())
            return float(self._probability(fields[0].cls, text, settings).max())

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


def _source(image: Any, contrast_limits: tuple[float, float] | None) -> ImageSource:
    return image if isinstance(image, ImageSource) else ImageSource.of(image, contrast_limits)


def _source_around(image: Any, contrast_limits: tuple[float, float] | None, at: tuple[int, int]) -> ImageSource:
    source = _source(image, contrast_limits)
    if not (0 <= at[0] < source.size[0] and 0 <= at[1] < source.size[1]):
        raise ImageError(f"Pixel {tuple(at)} is outside the image, which has {source.size[0]} × {source.size[1]}.")
    return source


def _together(one: TokenField | TokenStream, other: TokenField | TokenStream) -> Iterable[tuple[Tensor, Tensor]]:
    """Parts of two fields over the same tiles; the same field is gone through once, for a stream encodes each time."""
    if one is other:
        return ((part, part) for part in one.parts())
    return zip(one.parts(), other.parts(), strict=True)


def _digest(*parts: Any) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

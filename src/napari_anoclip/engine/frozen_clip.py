"""A frozen CLIP, as images and prompts are put to it: both towers, each with the memory of what it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import platformdirs
import torch
from torch import Tensor, nn

from napari_anoclip.engine.backbone import BUILTIN, Backbone, Precision
from napari_anoclip.engine.embedding_cache import EmbeddingCache
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.image_encoder import ImageEncoder
from napari_anoclip.engine.image_source import ImageSource, as_source
from napari_anoclip.engine.mutual_distance import on_lattice
from napari_anoclip.engine.prepared import Prepared
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import DEFAULT_VV_BLOCKS, AnoCLIPSettings, MeanOrder
from napari_anoclip.engine.text import TextEncoder, TextFeatures, Tokenizer
from napari_anoclip.engine.tiling import Lattice
from napari_anoclip.engine.token_field import TokenField, TokenStream, too_many_to_compare
from napari_anoclip.engine.views import VIEW_COUNT
from napari_anoclip.engine.vision import VisualTokens

DEFAULT_TOKEN_CACHE_BYTES = 1 << 30
_DEFAULTS = AnoCLIPSettings()


class FrozenCLIP:
    """A model that is not trained: tokens of images and features of prompts, no one of them made twice.

    Make one with `load` or `from_open_clip`. One instance can be used from several threads.

    Parameters
    ----------
    backbone : Backbone
        The model.
    cache_folder : Path, optional
        Where prompt embeddings are kept between starts; the platform's cache folder otherwise.
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
        self._cache_folder = cache_folder or Path(platformdirs.user_cache_dir("napari-anoclip", appauthor=False))
        self._backbone = backbone
        self._images = ImageEncoder(backbone, token_cache_bytes)
        self._text = TextEncoder(
            backbone.model, backbone.tokenizer, backbone.model_id, EmbeddingCache(self._cache_folder), backbone.device
        )

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
    ) -> Self:
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
        Self

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
    ) -> Self:
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
        Self

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
        """Hash of the weights, the precision and whatever else is unusual: the model's identity, as in `Backbone`."""
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
            As for `tokens`.

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
            As for `tokens`.

        Raises
        ------
        DeviceMemoryError, Cancelled
            As for `tokens`.
        """
        self._images.encode_ahead(prepared, Reporter(on_progress, cancel))

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
        image : array-like or ImageSource
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), any real type.
        settings : AnoCLIPSettings
            Its tiling and V-V blocks.
        contrast_limits : tuple of float, optional
            Intensities that are black and white; otherwise the type or robust percentiles decide.
        on_progress, cancel : optional
            Told of, and polled between, batches.

        Returns
        -------
        list of TokenField or TokenStream
            At each scale that the tiling asks for, the finest last.

        Raises
        ------
        ImageError
            If the array is no image or holds nothing finite.
        DeviceMemoryError
            If memory runs out even for one tile.
        Cancelled
            If the flag is set.
        """
        source = as_source(image, contrast_limits)
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
            As for `tokens`. ``settings.mutual.tokens`` says which tokens.

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
            As for `tokens`.
        """
        return self._lattice_tokens(as_source(image), None, settings, Reporter(on_progress, cancel))

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

"""Images to tokens: which tiles are looked at, in which batches, and which tokens are already known."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_anoclip.engine import vision
from napari_anoclip.engine.backbone import Backbone
from napari_anoclip.engine.batching import run_in_batches
from napari_anoclip.engine.imaging import (
    IntensityScaling,
    check_image,
    fingerprint,
    intensity_scaling,
    read_resized,
)
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.settings import Interpolation, TilingSettings
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.engine.token_cache import TokenCache
from napari_anoclip.engine.token_field import TokenField, TokenStream, tiles_a_group
from napari_anoclip.engine.views import views
from napari_anoclip.engine.vision import VisualTokens

HELD_BYTES = 1 << 30
"""Bound on the tokens of one image that are held at once, unless more may be kept anyway."""

_MAX_BATCH = 64
_CPU_BATCH = 8


@dataclass(frozen=True)
class ImageSource:
    """One image, how its intensities are read, and what identifies both.

    Attributes
    ----------
    image : array-like
        (H, W) or (H, W, 1|3|4).
    size : tuple of int
        (H, W) in pixels.
    scaling : IntensityScaling
        Black and white.
    digest : str
        Hash of the pixels and of the scaling.
    """

    image: Any
    size: tuple[int, int]
    scaling: IntensityScaling
    digest: str

    @classmethod
    def of(cls, image: Any, contrast_limits: tuple[float, float] | None = None) -> ImageSource:
        """Check an image and decide how it is read.

        Raises
        ------
        ImageError
            If it is no image, holds nothing finite, or the limits are no range.
        """
        image = image if hasattr(image, "shape") and hasattr(image, "dtype") else np.asarray(image)
        size = check_image(image)
        scaling = intensity_scaling(image, contrast_limits)
        identity = json.dumps([fingerprint(image), scaling.low, scaling.high])
        return cls(image, size, scaling, hashlib.blake2b(identity.encode(), digest_size=16).hexdigest())


class ImageEncoder:
    """The image tower with its memory: no tile is encoded twice.

    Parameters
    ----------
    backbone : Backbone
        The model.
    cache_bytes : int
        Bound on the tokens kept.
    """

    def __init__(self, backbone: Backbone, cache_bytes: int) -> None:
        self._backbone = backbone
        self._cache = TokenCache(cache_bytes)

    @property
    def cached_bytes(self) -> int:
        """Bytes of the tokens kept."""
        return self._cache.bytes

    @property
    def cache_bytes(self) -> int:
        """Bound on the tokens kept."""
        return self._cache.max_bytes

    @cache_bytes.setter
    def cache_bytes(self, bound: int) -> None:
        self._cache.max_bytes = bound

    def forget(self) -> None:
        """Drop all tokens."""
        self._cache.clear()

    def encode(
        self, count: int, read: Callable[[int, int], Tensor], vv_blocks: int, report: Reporter | None = None
    ) -> VisualTokens:
        """Encode prepared inputs in batches.

        Parameters
        ----------
        count : int
            How many there are.
        read : callable
            Takes (start, stop) and gives (stop - start, 3, H, W) normalised.
        vv_blocks : int
            How many of the last blocks the V-V path covers.
        report : Reporter, optional
            Told after each batch.

        Returns
        -------
        VisualTokens
            float32, on the model's device.

        Raises
        ------
        DeviceMemoryError
            If memory runs out even for one input.
        Cancelled
            Between two batches, if the flag is set.
        """
        on_batch = None if report is None else lambda done, total: report("encoding image", done, total)
        return self._encode(count, read, vv_blocks, on_batch)

    def fields(
        self, source: ImageSource, tiling: TilingSettings, vv_blocks: int, report: Reporter
    ) -> list[TokenField | TokenStream]:
        """Tokens of an image at each scale asked for, coarse first.

        Those of one scale that together are too large for memory are encoded group by group, when they are gone
        through.

        Parameters
        ----------
        source : ImageSource
            The image.
        tiling : TilingSettings
            Fitted whole, in tiles, or both.
        vv_blocks : int
            How many of the last blocks the V-V path covers.
        report : Reporter
            Told after each batch.

        Returns
        -------
        list of TokenField or TokenStream
            The finest scale last.

        Raises
        ------
        DeviceMemoryError, Cancelled
            As for `encode`.
        """
        cells = self._cells(tiling)
        lattices = []
        if tiling.mode in ("fit", "both"):
            lattices.append(_whole(source, cells))
        if tiling.mode in ("tiles", "both"):
            rows, columns = (
                Axis.tiled(length, cells, self._backbone.patch_size, tiling.scale, tiling.overlap)
                for length in source.size
            )
            lattices.append(Lattice(rows, columns))
        return [self._field(source, lattice, tiling.interpolation, vv_blocks, report) for lattice in lattices]

    def view_tokens(self, source: ImageSource, tiling: TilingSettings, report: Reporter) -> Tensor:
        """Class tokens of the 22 views of the whole image.

        Parameters
        ----------
        source : ImageSource
            The image.
        tiling : TilingSettings
            Its side and interpolation.
        report : Reporter
            Told after each batch.

        Returns
        -------
        Tensor
            (22, C) projected, not normalised.

        Raises
        ------
        DeviceMemoryError, Cancelled
            As for `encode`.
        """
        whole = _whole(source, self._cells(tiling))
        key = (source.digest, "views", whole, tiling.interpolation)
        kept = self._cache.get(key)
        if kept is None:
            batch = torch.stack(list(views(self._input(source, whole, (0, 0), tiling.interpolation))))

            def encode(start: int, stop: int) -> Tensor:
                with torch.inference_mode():
                    return vision.class_token(self._backbone.visual, batch[start:stop])

            parts = run_in_batches(
                encode, len(batch), self._batch_size(), lambda done, total: report("encoding views", done, total)
            )
            kept = (torch.cat(parts).float(),)
            self._cache.put(key, kept)
        return kept[0]

    def _cells(self, tiling: TilingSettings) -> int:
        """Patches along a side of the square that the model sees."""
        return max(1, round((tiling.side or self._backbone.image_size) / self._backbone.patch_size))

    def _field(
        self, source: ImageSource, lattice: Lattice, interpolation: Interpolation, vv_blocks: int, report: Reporter
    ) -> TokenField | TokenStream:
        key = (source.digest, lattice, interpolation, vv_blocks)
        kept = self._cache.get(key)
        if kept is not None:
            return TokenField(lattice, *kept)
        tiles = lattice.tiles

        def encode(start: int, stop: int) -> tuple[Tensor, Tensor]:
            def read(first: int, last: int) -> Tensor:
                some = tiles[start + first : start + last]
                return torch.stack([self._input(source, lattice, tile, interpolation) for tile in some])

            def on_batch(done: int, _: int) -> None:
                report("encoding image", start + done, len(tiles))

            tokens = self._encode(stop - start, read, vv_blocks, on_batch)
            return tokens.patches, tokens.cls

        tile_bytes = lattice.rows.tile_cells * lattice.columns.tile_cells * self._backbone.visual.proj.shape[1] * 4
        if len(tiles) * tile_bytes > max(self._cache.max_bytes, HELD_BYTES):
            return TokenStream(lattice, tiles_a_group(tile_bytes), encode)
        kept = encode(0, len(tiles))
        self._cache.put(key, kept)
        return TokenField(lattice, *kept)

    def _encode(
        self,
        count: int,
        read: Callable[[int, int], Tensor],
        vv_blocks: int,
        on_batch: Callable[[int, int], None] | None,
    ) -> VisualTokens:
        """Encode in batches, into one tensor: parts joined at the end would need the memory twice."""
        whole: list[VisualTokens] = []

        def encode(start: int, stop: int) -> None:
            with torch.inference_mode():
                batch = read(start, stop).to(self._backbone.device, self._backbone.dtype)
                part = vision.encode(self._backbone.visual, batch, vv_blocks=vv_blocks)
            # Out of inference mode: adaptation trains on these.
            if not whole:
                patches, cls = (
                    torch.empty((count, *one.shape[1:]), dtype=torch.float32, device=one.device)
                    for one in (part.patches, part.cls)
                )
                whole.append(VisualTokens(patches, cls, part.grid))
            whole[0].patches[start:stop] = part.patches
            whole[0].cls[start:stop] = part.cls

        run_in_batches(encode, count, self._batch_size(), on_batch)
        return whole[0]

    def _input(
        self, source: ImageSource, lattice: Lattice, tile: tuple[int, int], interpolation: Interpolation
    ) -> Tensor:
        """Model input of one tile, (3, S, S) normalised; what lies beyond the image's end is mirrored."""
        rows, beyond_rows = lattice.rows.pixels(tile[0])
        columns, beyond_columns = lattice.columns.pixels(tile[1])
        side = lattice.rows.tile_cells * self._backbone.patch_size
        height, width = rows.stop - rows.start, columns.stop - columns.start
        # Only the last tile reaches beyond the image, by less than a patch.
        inner = (
            max(1, round(side * height / (height + beyond_rows))),
            max(1, round(side * width / (width + beyond_columns))),
        )
        rgb = read_resized(source.image, rows, columns, source.scaling, inner, interpolation)
        if inner != (side, side):
            rgb = nn.functional.pad(rgb[None], (0, side - inner[1], 0, side - inner[0]), mode="reflect")[0]
        return self._backbone.normalise(rgb)

    def _batch_size(self) -> int:
        """Inputs at once: on CUDA by free memory, elsewhere a number beyond which nothing is gained."""
        if self._backbone.device.type != "cuda":
            return _CPU_BATCH
        free, _ = torch.cuda.mem_get_info(self._backbone.device)
        visual = self._backbone.visual
        tokens = math.prod(visual.grid_size) + 1
        width = int(visual.class_embedding.shape[0])
        # Live at the same time in a block: both paths, queries, keys, values, and the MLP's four-fold width.
        input_bytes = tokens * width * 16 * self._backbone.dtype.itemsize
        return max(1, min(_MAX_BATCH, int(free * 0.5 / input_bytes)))


def _whole(source: ImageSource, cells: int) -> Lattice:
    """The whole image as one square of so many patches a side."""
    height, width = source.size
    return Lattice(Axis.fit(height, cells), Axis.fit(width, cells))

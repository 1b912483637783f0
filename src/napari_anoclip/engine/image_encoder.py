"""Images to tokens: which tiles are looked at, in which batches, and which tokens are already known."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_anoclip.engine import prepared, vision
from napari_anoclip.engine.backbone import Backbone
from napari_anoclip.engine.batching import run_in_batches
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.imaging import (
    IntensityScaling,
    check_image,
    fingerprint,
    intensity_scaling,
    read_resized,
)
from napari_anoclip.engine.prepared import Part, Prepared
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.settings import Interpolation, TilingSettings
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.engine.token_cache import TokenCache
from napari_anoclip.engine.token_field import TokenField, TokenStream, tiles_a_group
from napari_anoclip.engine.views import VIEW_COUNT, views
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
        return [
            self._field(source, lattice, tiling.interpolation, vv_blocks, report)
            for lattice in self._lattices(source, tiling)
        ]

    def prepare(
        self,
        source: ImageSource,
        tiling: TilingSettings,
        vv_blocks: int,
        *,
        views: bool = False,
        layers: bool = False,
    ) -> Prepared:
        """Read and resize what `fields` will ask for, in any thread, without encoding it.

        Parameters
        ----------
        source, tiling, vv_blocks
            As for `fields`.
        views, layers : bool
            Whether `view_tokens` and `layers` will be asked for as well.

        Returns
        -------
        Prepared
        """
        side = self._cells(tiling) * self._backbone.patch_size
        parts, token_bytes = [], 0
        for lattice in self._lattices(source, tiling):
            if not self._streams(lattice):
                key = self._key(source, lattice, tiling.interpolation, vv_blocks)
                read = partial(self._inputs, source, lattice, tiling.interpolation)
                parts.append(Part(key, ("tiles", side, vv_blocks), len(lattice.tiles), read))
                token_bytes += len(lattice.tiles) * self._tile_bytes(lattice)
            if layers and self._can_hold(self._layer_bytes(lattice)):
                key = self._layer_key(source, lattice, tiling.interpolation)
                read = partial(self._inputs, source, lattice, tiling.interpolation)
                parts.append(Part(key, ("layers", side, 0), len(lattice.tiles), read))
                token_bytes += self._layer_bytes(lattice)
        if views:
            read = partial(self._view_inputs, source, tiling)
            parts.append(Part(self._view_key(source, tiling), ("views", side, 0), VIEW_COUNT, read))
        missing = [
            part.read_ahead(3 * side * side * self._backbone.dtype.itemsize)
            for part in parts
            if self._cache.get(part.key) is None
        ]
        return Prepared(source, tuple(missing), token_bytes)

    def encode_ahead(self, images: Iterable[Prepared], report: Reporter) -> None:
        """Encode prepared images together and keep their tokens, as far as there is room for them.

        Parameters
        ----------
        images : iterable of Prepared
            Together they should need much less than `cache_bytes`.
        report : Reporter
            Told after each batch.

        Raises
        ------
        DeviceMemoryError, Cancelled
            As for `encode`.
        """
        for group in prepared.groups(images):
            parts = [part for part in group if self._cache.get(part.key) is None]
            if not parts:
                continue
            kind, _, vv_blocks = parts[0].alike
            count, read = sum(part.count for part in parts), prepared.reader(parts)
            tokens: tuple[Tensor, ...]
            if kind == "views":
                tokens = (self._encode_views(count, read, report),)
            elif kind == "layers":
                tokens = (self._encode_layers(count, read, report),)
            else:
                encoded = self.encode(count, read, vv_blocks, report)
                tokens = encoded.patches, encoded.cls
            axis, counts = (1 if kind == "layers" else 0), [part.count for part in parts]
            pieces = zip(*(one.split(counts, axis) for one in tokens), strict=True)
            for part, piece in zip(parts, pieces, strict=True):
                # A piece is a view: it would hold the tokens of all images for as long as it is kept.
                self._cache.put(part.key, piece if len(parts) == 1 else tuple(one.clone() for one in piece))

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
        key = self._view_key(source, tiling)
        kept = self._cache.get(key)
        if kept is None:
            batch = self._view_inputs(source, tiling, 0, VIEW_COUNT)
            kept = (self._encode_views(len(batch), lambda start, stop: batch[start:stop], report),)
            self._cache.put(key, kept)
        return kept[0]

    def layers(self, source: ImageSource, tiling: TilingSettings, report: Reporter) -> list[tuple[Lattice, Tensor]]:
        """Tokens of the original path after several blocks, at each scale asked for: a second look at the image.

        Parameters
        ----------
        source, tiling, report
            As for `fields`.

        Returns
        -------
        list of (Lattice, Tensor)
            The finest scale last; (T, n, l, W) tokens of the n tiles after T blocks (`vision.quarters`), not
            normalised.

        Raises
        ------
        ImageError
            If they are too many to be held.
        DeviceMemoryError, Cancelled
            As for `encode`.
        """
        found = []
        for lattice in self._lattices(source, tiling):
            key = self._layer_key(source, lattice, tiling.interpolation)
            kept = self._cache.get(key)
            if kept is None:
                if not self._can_hold(self._layer_bytes(lattice)):
                    raise too_many_to_compare(lattice)
                read = partial(self._inputs, source, lattice, tiling.interpolation)
                kept = (self._encode_layers(len(lattice.tiles), read, report),)
                self._cache.put(key, kept)
            found.append((lattice, kept[0]))
        return found

    def _layer_key(self, source: ImageSource, lattice: Lattice, interpolation: Interpolation) -> Hashable:
        return source.digest, "layers", lattice, interpolation

    def _layer_bytes(self, lattice: Lattice) -> int:
        """Bytes of what `layers` gives."""
        visual, cells = self._backbone.visual, lattice.rows.tile_cells * lattice.columns.tile_cells
        return len(lattice.tiles) * cells * len(vision.quarters(visual)) * int(visual.class_embedding.shape[0]) * 4

    def _encode_layers(self, count: int, read: Callable[[int, int], Tensor], report: Reporter) -> Tensor:
        def encode(start: int, stop: int) -> Tensor:
            batch = read(start, stop).to(self._backbone.device, self._backbone.dtype)
            with torch.inference_mode():
                return vision.layer_tokens(self._backbone.visual, batch).float()

        def on_batch(done: int, total: int) -> None:
            report("encoding layers", done, total)

        return torch.cat(run_in_batches(encode, count, self._batch_size(), on_batch), dim=1)

    def _view_key(self, source: ImageSource, tiling: TilingSettings) -> Hashable:
        return source.digest, "views", _whole(source, self._cells(tiling)), tiling.interpolation

    def _view_inputs(self, source: ImageSource, tiling: TilingSettings, start: int, stop: int) -> Tensor:
        whole = _whole(source, self._cells(tiling))
        return torch.stack(list(views(self._input(source, whole, (0, 0), tiling.interpolation))))[start:stop]

    def _encode_views(self, count: int, read: Callable[[int, int], Tensor], report: Reporter) -> Tensor:
        def encode(start: int, stop: int) -> Tensor:
            with torch.inference_mode():
                return vision.class_token(self._backbone.visual, read(start, stop))

        def on_batch(done: int, total: int) -> None:
            report("encoding views", done, total)

        return torch.cat(run_in_batches(encode, count, self._batch_size(), on_batch)).float()

    def _lattices(self, source: ImageSource, tiling: TilingSettings) -> list[Lattice]:
        """Where the tiles of each scale lie, the finest scale last."""
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
        return lattices

    def _cells(self, tiling: TilingSettings) -> int:
        """Patches along a side of the square that the model sees."""
        return max(1, round((tiling.side or self._backbone.image_size) / self._backbone.patch_size))

    def _field(
        self, source: ImageSource, lattice: Lattice, interpolation: Interpolation, vv_blocks: int, report: Reporter
    ) -> TokenField | TokenStream:
        key = self._key(source, lattice, interpolation, vv_blocks)
        kept = self._cache.get(key)
        if kept is not None:
            return TokenField(lattice, *kept)
        count = len(lattice.tiles)

        def encode(start: int, stop: int) -> tuple[Tensor, Tensor]:
            def read(first: int, last: int) -> Tensor:
                return self._inputs(source, lattice, interpolation, start + first, start + last)

            def on_batch(done: int, _: int) -> None:
                report("encoding image", start + done, count)

            tokens = self._encode(stop - start, read, vv_blocks, on_batch)
            return tokens.patches, tokens.cls

        if self._streams(lattice):
            return TokenStream(lattice, tiles_a_group(self._tile_bytes(lattice)), encode)
        kept = encode(0, count)
        self._cache.put(key, kept)
        return TokenField(lattice, *kept)

    def _key(self, source: ImageSource, lattice: Lattice, interpolation: Interpolation, vv_blocks: int) -> Hashable:
        return source.digest, lattice, interpolation, vv_blocks

    def _tile_bytes(self, lattice: Lattice) -> int:
        """Bytes of the patch tokens of a tile."""
        return lattice.rows.tile_cells * lattice.columns.tile_cells * int(self._backbone.visual.proj.shape[1]) * 4

    def _streams(self, lattice: Lattice) -> bool:
        """Whether the tokens of all tiles are too many to be held."""
        return not self._can_hold(len(lattice.tiles) * self._tile_bytes(lattice))

    def _can_hold(self, token_bytes: int) -> bool:
        return token_bytes <= max(self._cache.max_bytes, HELD_BYTES)

    def _inputs(
        self, source: ImageSource, lattice: Lattice, interpolation: Interpolation, start: int, stop: int
    ) -> Tensor:
        """Model inputs of some tiles, (stop - start, 3, S, S)."""
        return torch.stack([self._input(source, lattice, tile, interpolation) for tile in lattice.tiles[start:stop]])

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


def too_many_to_compare(lattice: Lattice) -> ImageError:
    """What is said where the tokens of an image cannot be held at once."""
    return ImageError(
        f"The image is cut into {len(lattice.tiles)} tiles, more than can be compared with other images: fit the whole "
        "image, look at a region or a coarser scale, or switch the comparison with other images off."
    )


def _whole(source: ImageSource, cells: int) -> Lattice:
    """The whole image as one square of so many patches a side."""
    height, width = source.size
    return Lattice(Axis.fit(height, cells), Axis.fit(width, cells))

"""Images to tokens: which tiles are looked at, and which of their tokens are already known."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import partial

from torch import Tensor

from napari_anoclip.engine import prepared, vision
from napari_anoclip.engine.backbone import Backbone
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.image_tower import ImageTower, Read
from napari_anoclip.engine.model_inputs import ModelInputs
from napari_anoclip.engine.prepared import Part, Prepared
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.settings import Interpolation, TilingSettings
from napari_anoclip.engine.tiling import Lattice
from napari_anoclip.engine.token_cache import TokenCache
from napari_anoclip.engine.token_field import TokenField, TokenStream, tiles_a_group, too_many_to_compare
from napari_anoclip.engine.views import VIEW_COUNT
from napari_anoclip.engine.vision import VisualTokens

HELD_BYTES = 1 << 30
"""Bound on the tokens of one image that are held at once, unless more may be kept anyway."""


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
        self._inputs = ModelInputs(backbone)
        self._tower = ImageTower(backbone)
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

    def encode(self, count: int, read: Read, vv_blocks: int, report: Reporter | None = None) -> VisualTokens:
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
        return self._tower.encode(count, read, vv_blocks, None if report is None else partial(report, "encoding image"))

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
            for lattice in self._inputs.lattices(source, tiling)
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
        side = self._inputs.side(tiling)
        parts, token_bytes = [], 0
        for lattice in self._inputs.lattices(source, tiling):
            read, count = partial(self._inputs.tiles, source, lattice, tiling.interpolation), len(lattice.tiles)
            if self._can_keep(count * (self._tile_bytes(lattice) + self._token_bytes)):
                key = self._key(source, lattice, tiling.interpolation, vv_blocks)
                parts.append(Part(key, ("tiles", side, vv_blocks), count, read))
                token_bytes += count * self._tile_bytes(lattice)
            if layers and self._can_keep(self._layer_bytes(lattice)):
                key = self._layer_key(source, lattice, tiling.interpolation)
                parts.append(Part(key, ("layers", side, 0), count, read))
                token_bytes += self._layer_bytes(lattice)
        if views and self._can_keep(VIEW_COUNT * self._token_bytes):
            read = partial(self._inputs.views, source, tiling)
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
                tokens = (self._tower.classes(count, read, partial(report, "encoding views")),)
            elif kind == "layers":
                tokens = (self._tower.layers(count, read, partial(report, "encoding layers")),)
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
            batch = self._inputs.views(source, tiling, 0, VIEW_COUNT)
            kept = (
                self._tower.classes(
                    len(batch), lambda start, stop: batch[start:stop], partial(report, "encoding views")
                ),
            )
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
        for lattice in self._inputs.lattices(source, tiling):
            key = self._layer_key(source, lattice, tiling.interpolation)
            kept = self._cache.get(key)
            if kept is None:
                if not self._can_hold(self._layer_bytes(lattice)):
                    raise too_many_to_compare(lattice)
                read = partial(self._inputs.tiles, source, lattice, tiling.interpolation)
                kept = (self._tower.layers(len(lattice.tiles), read, partial(report, "encoding layers")),)
                self._cache.put(key, kept)
            found.append((lattice, kept[0]))
        return found

    def _layer_key(self, source: ImageSource, lattice: Lattice, interpolation: Interpolation) -> Hashable:
        return source.digest, "layers", lattice, interpolation

    def _layer_bytes(self, lattice: Lattice) -> int:
        """Bytes of what `layers` gives."""
        visual, cells = self._backbone.visual, lattice.rows.tile_cells * lattice.columns.tile_cells
        return len(lattice.tiles) * cells * len(vision.quarters(visual)) * int(visual.class_embedding.shape[0]) * 4

    def _view_key(self, source: ImageSource, tiling: TilingSettings) -> Hashable:
        return source.digest, "views", self._inputs.whole(source, tiling), tiling.interpolation

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
                return self._inputs.tiles(source, lattice, interpolation, start + first, start + last)

            def on_batch(done: int, _: int) -> None:
                report("encoding image", start + done, count)

            tokens = self._tower.encode(stop - start, read, vv_blocks, on_batch)
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
        return lattice.rows.tile_cells * lattice.columns.tile_cells * self._token_bytes

    @property
    def _token_bytes(self) -> int:
        """Bytes of a projected token."""
        return int(self._backbone.visual.proj.shape[1]) * 4

    def _streams(self, lattice: Lattice) -> bool:
        """Whether the tokens of all tiles are too many to be held."""
        return not self._can_hold(len(lattice.tiles) * self._tile_bytes(lattice))

    def _can_hold(self, token_bytes: int) -> bool:
        return token_bytes <= max(self._cache.max_bytes, HELD_BYTES)

    def _can_keep(self, token_bytes: int) -> bool:
        """Whether tokens are still there when they are asked for: others would be encoded twice."""
        return token_bytes <= self._cache.max_bytes

"""What the image tower is shown of an image: where its tiles lie, and their pixels as the model takes them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_anoclip.engine.backbone import Backbone
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.imaging import read_resized
from napari_anoclip.engine.settings import Interpolation, TilingSettings
from napari_anoclip.engine.tiling import Axis, Lattice
from napari_anoclip.engine.views import views


class ModelInputs:
    """Inputs of a model, out of images of any size.

    Parameters
    ----------
    backbone : Backbone
        The model.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    def side(self, tiling: TilingSettings) -> int:
        """Side S of an input in model pixels, a multiple of the patch size."""
        return self._cells(tiling) * self._backbone.patch_size

    def lattices(self, source: ImageSource, tiling: TilingSettings) -> list[Lattice]:
        """Where the tiles of each scale lie, the finest scale last."""
        lattices = []
        if tiling.mode in ("fit", "both"):
            lattices.append(self.whole(source, tiling))
        if tiling.mode in ("tiles", "both"):
            rows, columns = (
                Axis.tiled(length, self._cells(tiling), self._backbone.patch_size, tiling.scale, tiling.overlap)
                for length in source.size
            )
            lattices.append(Lattice(rows, columns))
        return lattices

    def whole(self, source: ImageSource, tiling: TilingSettings) -> Lattice:
        """The whole image as one square."""
        cells = self._cells(tiling)
        height, width = source.size
        return Lattice(Axis.fit(height, cells), Axis.fit(width, cells))

    def tiles(
        self, source: ImageSource, lattice: Lattice, interpolation: Interpolation, start: int, stop: int
    ) -> Tensor:
        """Read some tiles of an image.

        Parameters
        ----------
        source : ImageSource
            The image.
        lattice : Lattice
            Where its tiles lie.
        interpolation : str
            By which they are resized.
        start, stop : int
            Which tiles.

        Returns
        -------
        Tensor
            (stop - start, 3, S, S) normalised.
        """
        return torch.stack([self._tile(source, lattice, tile, interpolation) for tile in lattice.tiles[start:stop]])

    def views(self, source: ImageSource, tiling: TilingSettings, start: int, stop: int) -> Tensor:
        """Some of the 22 views of the whole image, (stop - start, 3, S, S) normalised."""
        whole = self._tile(source, self.whole(source, tiling), (0, 0), tiling.interpolation)
        return torch.stack(list(views(whole)))[start:stop]

    def _cells(self, tiling: TilingSettings) -> int:
        """Patches along a side of the square that the model sees."""
        return max(1, round((tiling.side or self._backbone.image_size) / self._backbone.patch_size))

    def _tile(
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

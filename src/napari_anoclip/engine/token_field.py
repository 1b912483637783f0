"""Tokens of all tiles over an image: held at once, or, of an image too large for that, group by group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.tiling import Lattice

GROUP_BYTES = 64 << 20
"""Bound on the tokens that are handed out at once: whoever scores them makes copies."""


@dataclass(frozen=True)
class TokenField:
    """Tokens of all tiles of one lattice over an image.

    Attributes
    ----------
    lattice : Lattice
        Where the tiles lie.
    patches : Tensor
        (n, l, C) projected patch tokens of the n tiles, not normalised.
    cls : Tensor
        (n, C) projected class tokens.
    """

    lattice: Lattice
    patches: Tensor
    cls: Tensor

    def parts(self) -> Iterator[Tensor]:
        """Patch tokens (m, l, C) of a few tiles after the other."""
        yield from self.patches.split(tiles_a_group(self.patches[0].numel() * self.patches.element_size()))

    def token(self, cell: tuple[int, int]) -> Tensor:
        """The token (C,) of a cell of the lattice."""
        return self.lattice.token(self.patches, cell)


class TokenStream:
    """Tokens of so many tiles that they are encoded anew whenever they are gone through, and not kept.

    Parameters
    ----------
    lattice : Lattice
        Where the tiles lie.
    group : int
        Tiles that are encoded and handed out at once.
    encode : callable
        Takes (start, stop) and gives patch tokens (stop - start, l, C) and class tokens (stop - start, C) of tiles.
    """

    def __init__(self, lattice: Lattice, group: int, encode: Callable[[int, int], tuple[Tensor, Tensor]]) -> None:
        self.lattice = lattice
        self._group = group
        self._encode = encode
        self._cls: Tensor | None = None

    @property
    def patches(self) -> Tensor:
        """Never all of them.

        Raises
        ------
        ImageError
            Always: who asks for all tokens at once cannot work on this image.
        """
        raise ImageError(
            f"The image is cut into {len(self.lattice.tiles)} tiles, more than can be adapted or compared as a whole: "
            "turn adaptation off, fit the whole image, or look at a region or a coarser scale."
        )

    @property
    def cls(self) -> Tensor:
        """(n, C) class tokens. They are few, and kept once all tiles have been gone through."""
        if self._cls is None:
            for _ in self.parts():
                pass
        assert self._cls is not None
        return self._cls

    def parts(self) -> Iterator[Tensor]:
        """Patch tokens (m, l, C) of a few tiles after the other, encoded when asked for."""
        count = len(self.lattice.tiles)
        classes = []
        for start in range(0, count, self._group):
            patches, cls = self._encode(start, min(start + self._group, count))
            classes.append(cls)
            yield patches
        self._cls = torch.cat(classes)

    def token(self, cell: tuple[int, int]) -> Tensor:
        """The token (C,) of a cell of the lattice: only its tile is encoded."""
        tile, (row, column) = self.lattice.tile_at(cell)
        patches, _ = self._encode(tile, tile + 1)
        return patches[0, row * self.lattice.columns.tile_cells + column]


def tiles_a_group(tile_bytes: int) -> int:
    """How many tiles are handed out at once, by the bytes of one tile's tokens."""
    return max(1, GROUP_BYTES // tile_bytes)


def too_many_to_compare(lattice: Lattice) -> ImageError:
    """What is said where the tokens of an image cannot be held at once."""
    return ImageError(
        f"The image is cut into {len(lattice.tiles)} tiles, more than can be compared with other images: fit the whole "
        "image, look at a region or a coarser scale, or switch the comparison with other images off."
    )

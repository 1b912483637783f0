"""Image tower: local patch tokens and the class token in one walk over the blocks.

Two paths start from the same embedded tokens. The original path is CLIP's own; the V-V path gathers, block by
block, attention of the original path's values among themselves. Source: arXiv 2308.15939, section on V-V attention,
with the values taken from the original path as the published code does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anoclip.engine.settings import DEFAULT_VV_BLOCKS

if TYPE_CHECKING:
    from napari_anoclip.engine.clip_library import ResidualAttentionBlock, VisionTransformer


@dataclass(frozen=True)
class VisualTokens:
    """What the image tower says about a batch of images.

    Attributes
    ----------
    patches : Tensor
        (N, L, C) projected patch tokens of the V-V path, not normalised, row by row of the grid.
    cls : Tensor
        (N, C) projected class tokens of the original path, not normalised.
    grid : tuple of int
        (Gh, Gw), with L = Gh * Gw.
    """

    patches: Tensor
    cls: Tensor
    grid: tuple[int, int]


def embed(visual: VisionTransformer, images: Tensor) -> Tensor:
    """Embed images as tokens: patches, class token first, positions added, ``ln_pre`` applied.

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    images : Tensor
        (N, 3, H, W) normalised; H and W multiples of the patch size, not necessarily the tower's own image size.

    Returns
    -------
    Tensor
        (N, 1 + L, W) tokens.
    """
    x = visual.conv1(images)
    grid = (x.shape[-2], x.shape[-1])
    x = x.flatten(2).transpose(1, 2)
    cls = visual.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1)
    x = torch.cat([cls, x], dim=1) + positions(visual, grid).to(x.dtype)
    embedded: Tensor = visual.ln_pre(x)
    return embedded


def positions(visual: VisionTransformer, grid: tuple[int, int]) -> Tensor:
    """Position embeddings for a grid of any shape, by bicubic resize of the tower's own.

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    grid : tuple of int
        (Gh, Gw).

    Returns
    -------
    Tensor
        (1 + Gh * Gw, W).
    """
    table: Tensor = visual.positional_embedding
    if grid == tuple(visual.grid_size):
        return table
    cls, patches = table[:1], table[1:]
    square = patches.reshape(1, *visual.grid_size, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(square.float(), size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([cls, resized.flatten(2).transpose(1, 2)[0].to(table.dtype)])


def two_paths(
    visual: VisionTransformer, images: Tensor, *, vv_blocks: int = DEFAULT_VV_BLOCKS, original_patches: bool = False
) -> tuple[Tensor, Tensor]:
    """Walk the blocks once and return the tokens at the end of both paths, before ``ln_post`` and projection.

    With z the original path and u the V-V path,
    ``u_l = u_{l-1} + OutProj_l(softmax(V_l V_l^T / sqrt(d)) V_l)``, V_l the values of ``ln_1(z_{l-1})``
    (arXiv 2308.15939; values of the original path).

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    images : Tensor
        (N, 3, H, W) normalised.
    vv_blocks : int
        How many of the last blocks the V-V path covers; all of them where the tower has fewer.
    original_patches : bool
        Carry the original path's patch tokens through the last block too. Only the class token of that path is
        needed otherwise, which saves most of one block and changes nothing else.

    Returns
    -------
    vv : Tensor
        (N, L, W) patch tokens of the V-V path.
    original : Tensor
        (N, 1, W) class token of the original path, or (N, 1 + L, W) with its patch tokens.
    """
    z = embed(visual, images)
    blocks = visual.transformer.resblocks
    first_vv = max(0, len(blocks) - vv_blocks)
    u = z
    for index, block in enumerate(blocks):
        if index == first_vv:
            u = z
        queries = slice(None) if original_patches or index < len(blocks) - 1 else slice(0, 1)
        z, values = _original_block(block, z, queries)
        if index >= first_vv:
            u = u + _attend_out(block, values, values, values)
    return u[:, 1:], z


def class_token(visual: VisionTransformer, images: Tensor) -> Tensor:
    """Class token of the original path alone, for views that need no map.

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    images : Tensor
        (N, 3, H, W) normalised.

    Returns
    -------
    Tensor
        (N, C) projected, not normalised.
    """
    z = embed(visual, images)
    blocks = visual.transformer.resblocks
    for index, block in enumerate(blocks):
        z, _ = _original_block(block, z, slice(None) if index < len(blocks) - 1 else slice(0, 1))
    return project(visual, z[:, 0])


def quarters(visual: VisionTransformer) -> list[int]:
    """Numbers of the blocks, from 1, at the end of each quarter of the tower: what `layer_tokens` gives."""
    depth = len(visual.transformer.resblocks)
    return sorted({math.ceil(depth * quarter / 4) for quarter in range(1, 5)})


def layer_tokens(visual: VisionTransformer, images: Tensor) -> Tensor:
    """Patch tokens of the original path after several blocks, spread evenly over the tower.

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    images : Tensor
        (N, 3, H, W) normalised; H and W multiples of the patch size.

    Returns
    -------
    Tensor
        (T, N, L, W) tokens after the blocks that `quarters` names, neither projected nor normalised.
    """
    z = embed(visual, images)
    wanted, found = quarters(visual), []
    for number, block in enumerate(visual.transformer.resblocks, start=1):
        z, _ = _original_block(block, z, slice(None))
        if number in wanted:
            found.append(z[:, 1:])
    return torch.stack(found)


def project(visual: VisionTransformer, tokens: Tensor) -> Tensor:
    """Project tokens of either path into the joint space.

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    tokens : Tensor
        (..., W).

    Returns
    -------
    Tensor
        (..., C), not normalised.
    """
    projected: Tensor = visual.ln_post(tokens) @ visual.proj
    return projected


def encode(visual: VisionTransformer, images: Tensor, *, vv_blocks: int = DEFAULT_VV_BLOCKS) -> VisualTokens:
    """Encode images into V-V patch tokens and class tokens in one pass.

    Parameters
    ----------
    visual : VisionTransformer
        open_clip's image tower.
    images : Tensor
        (N, 3, H, W) normalised; H and W multiples of the patch size.
    vv_blocks : int
        How many of the last blocks the V-V path covers.

    Returns
    -------
    VisualTokens
        Projected, not normalised.
    """
    vv, original = two_paths(visual, images, vv_blocks=vv_blocks)
    patch_height, patch_width = visual.patch_size
    grid = (images.shape[-2] // patch_height, images.shape[-1] // patch_width)
    return VisualTokens(project(visual, vv), project(visual, original[:, 0]), grid)


def _original_block(block: ResidualAttentionBlock, z: Tensor, queries: slice) -> tuple[Tensor, Tensor]:
    """CLIP's own block for the chosen query tokens; returns them and the values of all tokens, (N, L, W)."""
    normed = block.ln_1(z)
    width = normed.shape[-1]
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    if queries == slice(None):
        q, k, v = F.linear(normed, weight, bias).chunk(3, dim=-1)
    else:
        q = F.linear(normed[:, queries], weight[:width], bias[:width])
        k, v = F.linear(normed, weight[width:], bias[width:]).chunk(2, dim=-1)
    z = z[:, queries] + _attend_out(block, q, k, v)
    return z + block.ls_2(block.mlp(block.ln_2(z))), v


def _attend_out(block: ResidualAttentionBlock, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Multi-head attention of projected (N, L, W) inputs, through the block's output projection."""
    heads = block.attn.num_heads
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    out: Tensor = block.ls_1(block.attn.out_proj(mixed))
    return out

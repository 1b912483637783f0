"""A real open_clip model whose weights are set by hand so that what it calls abnormal is known: brightness.

The built-in model judges pictures; where a map lands in the world is a question of geometry, and an answer should not
depend on what a trained model thinks of a square. So the image tower here reads the mean brightness of each patch
into one channel, its blocks add nothing, and the projection turns that channel into a move from the normal towards the
abnormal text feature. The text tower is a random one. Everything else (tiles, resampling, scores, caches, text
encoding) is the engine's own path, none of it replaced.
"""

from __future__ import annotations

from pathlib import Path

import torch
from open_clip import SimpleTokenizer
from open_clip.model import CLIP

from napari_anoclip.engine import AnoCLIP, PromptSet

SIDE, PATCH = 96, 8


def brightness_model(prompts: PromptSet, cache_folder: Path) -> AnoCLIP:
    """A model for which a patch is the more abnormal, by the given prompts, the brighter it is."""
    torch.manual_seed(0)
    model = CLIP(
        embed_dim=16,
        vision_cfg={"image_size": SIDE, "layers": 1, "width": 8, "head_width": 4, "patch_size": PATCH},
        text_cfg={"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    ).eval()
    model.requires_grad_(False)
    normal, abnormal = (
        AnoCLIP.from_open_clip(model, SimpleTokenizer(), cache_folder=cache_folder).encode_prompts(prompts).sides
    )
    visual = model.visual
    for block in visual.transformer.resblocks:
        for layer in (block.attn.out_proj, block.mlp.c_proj):
            layer.weight.zero_()
            layer.bias.zero_()
    visual.class_embedding.zero_()
    visual.conv1.weight.zero_()
    visual.conv1.weight[0] = 1 / (3 * PATCH * PATCH)
    # LayerNorm would divide a lone channel by itself: two steady ones give it something to be measured against.
    visual.positional_embedding.zero_()
    visual.positional_embedding[:, 1] = 4
    visual.positional_embedding[:, 2] = -4
    visual.proj.zero_()
    visual.proj[0] = abnormal - normal
    visual.proj[1] = abnormal + normal
    return AnoCLIP.from_open_clip(model, SimpleTokenizer(), cache_folder=cache_folder)

"""The small CLIP: its shape, its start, its text tower on trimmed captions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import open_clip
import torch
import torch.nn.functional as F
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from .captions import UNKNOWN_WORD, vocabulary

MODEL_CONFIG = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 240, "layers": 6, "width": 256, "head_width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 3},
}
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
TOKENIZER = SimpleTokenizer()
UNKNOWN = TOKENIZER.encode(UNKNOWN_WORD)[0]
"""Token whose embedding stays zero, standing for words that the model does not know."""
START, END = TOKENIZER.sot_token_id, TOKENIZER.eot_token_id


def known_tokens() -> Tensor:
    """Token numbers that captions can hold, sorted; all other rows of the table stay zero."""
    tokens = {START, END}
    for text in vocabulary():
        tokens.update(TOKENIZER.encode(text))
    return torch.tensor(sorted(tokens - {UNKNOWN}))


def cosine_patches() -> Tensor:
    """Patch filters to start from: a cosine basis of brightness and of two colour differences, (W, 3, P, P).

    Frequencies are weighted by their distance from zero, as pictures hold less of the high ones; a training of a few
    hours then need not find edges and spots first.
    """
    vision_config = MODEL_CONFIG["vision_cfg"]
    side, width = vision_config["patch_size"], vision_config["width"]
    place = (torch.arange(side) + 0.5) / side
    waves = torch.cos(torch.pi * torch.arange(side)[:, None] * place) * (2 / side) ** 0.5
    waves[0] /= 2**0.5
    colours = F.normalize(torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]]), dim=1)
    order = [(u, v) for u in range(side) for v in range(side)]
    order.sort(key=lambda uv: uv[0] ** 2 + uv[1] ** 2)
    filters = []
    for colour, count in zip(colours, (width - 96, 48, 48), strict=True):
        for u, v in order[:count]:
            plane = torch.outer(waves[u], waves[v]) * (1 + (u * u + v * v) ** 0.5) / side
            filters.append(colour[:, None, None] * plane)
    return torch.stack(filters)


def wave_positions() -> Tensor:
    """Position table to start from: slow sines and cosines along both axes, zero for the class token, (1 + L, W)."""
    vision_config = MODEL_CONFIG["vision_cfg"]
    grid, width = vision_config["image_size"] // vision_config["patch_size"], vision_config["width"]
    speeds = 2 * torch.pi / torch.logspace(math.log10(4), math.log10(4 * grid), width // 4)
    phase = torch.arange(grid)[:, None] * speeds
    line = torch.cat([phase.sin(), phase.cos()], 1)
    square = torch.cat([line[:, None].expand(-1, grid, -1), line[None].expand(grid, -1, -1)], 2)
    return 0.3 * torch.cat([torch.zeros(1, width), square.reshape(grid * grid, width)])


def new_model() -> open_clip.CLIP:
    """A freshly initialised model whose unknown words are zero."""
    model = open_clip.CLIP(**MODEL_CONFIG)
    with torch.no_grad():
        model.visual.conv1.weight.copy_(cosine_patches())
        model.visual.positional_embedding.copy_(wave_positions())
        known = torch.zeros(MODEL_CONFIG["text_cfg"]["vocab_size"], 1)
        known[known_tokens()] = 1
        model.token_embedding.weight.mul_(known)
        model.logit_scale.fill_(float(torch.tensor(14.0).log()))
    return model


def tokenize(captions: Sequence[str]) -> Tensor:
    """Token numbers trimmed to the longest caption, (N, T), padded with zeros."""
    rows = [[START, *TOKENIZER.encode(caption)[:75], END] for caption in captions]
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = torch.tensor(row)
    return tokens


def encode_captions(model: open_clip.CLIP, tokens: Tensor) -> Tensor:
    """Caption embeddings (N, C), not normalised, of tokens (N, T) trimmed at will: the text tower is causal."""
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x[torch.arange(len(tokens)), tokens.argmax(1)])
    embeddings: Tensor = x @ model.text_projection
    return embeddings

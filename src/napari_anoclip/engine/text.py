"""Text tower: prompts to embeddings, embeddings to the features of the two sides.

Source of the features: arXiv 2308.15939 and the method page, section on contrastive state prompts.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_anoclip.engine.batching import run_in_batches
from napari_anoclip.engine.embedding_cache import EmbeddingCache, Vector
from napari_anoclip.engine.errors import ModelError
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import MeanOrder

if TYPE_CHECKING:
    from napari_anoclip.engine.clip_library import ResidualAttentionBlock

STAGE = "encoding prompts"

CPU_BATCH_SIZE = 64
"""Sorted by length, smaller batches waste fewer tokens on padding; larger ones keep few cores no busier."""

ACCELERATOR_BATCH_SIZE = 512

FEATURES_KEPT = 8


class Tokenizer(Protocol):
    """What open_clip's tokenizers do."""

    def __call__(self, texts: list[str]) -> Tensor:
        """Give (n, context length) token ids, 0 after the end."""
        ...


@dataclass(frozen=True)
class TextFeatures:
    """What the text tower says about a prompt set.

    Attributes
    ----------
    sides : Tensor
        (2, C) unit features of the sides, normal first.
    bank : Tensor
        (2K, C) unit embeddings of the prompts, normal side first.
    weights : Tensor
        (2K,) share of each unit embedding in its side: ``sides[s]`` is the sum of ``weights * bank`` over side s.
    counts : tuple of int
        How many prompts each side has, normal first.
    prompts : tuple of str
        The prompts, in the order of the bank.
    """

    sides: Tensor
    bank: Tensor
    weights: Tensor
    counts: tuple[int, int]
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class TextTower:
    """The parts of a causal CLIP text tower, wherever its model keeps them."""

    embedding: nn.Embedding
    positions: Tensor
    blocks: Sequence[ResidualAttentionBlock]
    ln_final: nn.Module
    projection: Tensor | nn.Linear | None
    eos_id: int | None
    """Id of the token that pools; None where it is the highest id of each text."""

    @classmethod
    def of(cls, model: nn.Module) -> TextTower:
        """Find the text tower of an open_clip model.

        Parameters
        ----------
        model : nn.Module
            open_clip ``CLIP`` or ``CustomTextCLIP``.

        Raises
        ------
        ModelError
            If it is not CLIP's causal transformer, pooled at the end of the text: only there may texts be trimmed.
        """
        from napari_anoclip.engine.clip_library import ResidualAttentionBlock

        tower: Any = getattr(model, "text", model)
        pool = getattr(tower, "pool_type", None) or getattr(tower, "text_pool_type", None)
        blocks = getattr(getattr(tower, "transformer", None), "resblocks", None)
        if (
            blocks is None
            or not all(type(block) is ResidualAttentionBlock for block in blocks)
            or getattr(tower, "attn_mask", None) is None
            or getattr(tower, "cls_emb", None) is not None
            or pool not in ("argmax", "eos")
        ):
            raise ModelError(
                "The model's text tower is not CLIP's causal transformer; "
                "choose a CLIP model such as ViT-B-16-plus-240 or ViT-B-32."
            )
        eos_id = getattr(tower, "eos_id", None) or getattr(tower, "text_eos_id", None)
        return cls(
            embedding=tower.token_embedding,
            positions=tower.positional_embedding,
            blocks=blocks,
            ln_final=tower.ln_final,
            projection=tower.text_projection,
            eos_id=eos_id if pool == "eos" else None,
        )

    def ends(self, token_ids: Tensor) -> Tensor:
        """Find the position that pools, (n,), in token ids (n, context length)."""
        if self.eos_id is None:
            return token_ids.argmax(dim=-1)
        return (token_ids == self.eos_id).int().argmax(dim=-1)

    def encode(self, token_ids: Tensor, ends: Tensor) -> Tensor:
        """Encode texts of about one length.

        Parameters
        ----------
        token_ids : Tensor
            (n, L); L at least the highest end + 1.
        ends : Tensor
            (n,) position that pools.

        Returns
        -------
        Tensor
            (n, C), not normalised.
        """
        dtype = self.blocks[0].attn.in_proj_weight.dtype
        x = self.embedding(token_ids).to(dtype) + self.positions[: token_ids.shape[1]].to(dtype)
        for block in self.blocks[:-1]:
            x = _block(block, x)
        pooled: Tensor = self.ln_final(_block_at(self.blocks[-1], x, ends))
        if isinstance(self.projection, nn.Linear):
            return F.linear(pooled, self.projection.weight, self.projection.bias)
        return pooled if self.projection is None else pooled @ self.projection


@torch.inference_mode()
def encode_texts(model: nn.Module, token_ids: Tensor, *, batch_size: int, report: Reporter | None = None) -> Tensor:
    """Encode texts as the model's own ``encode_text`` does, without spending time on padding.

    Batches are sorted by length and trimmed to their longest text. This is exact, because in a causal tower no token
    sees what comes after it.

    Parameters
    ----------
    model : nn.Module
        open_clip ``CLIP`` or ``CustomTextCLIP`` with a causal text tower.
    token_ids : Tensor
        (n, context length) as its tokenizer gives them, on any device.
    batch_size : int
        How many texts to encode at once, if memory allows.
    report : Reporter, optional
        Told after each batch.

    Returns
    -------
    Tensor
        (n, C), not normalised, in the order given, on the model's device.

    Raises
    ------
    ModelError
        If the text tower is not CLIP's causal transformer.
    DeviceMemoryError
        If memory runs out on a single text.
    Cancelled
        If the reporter's cancel flag is set.
    """
    tower = TextTower.of(model)
    token_ids = token_ids.to(tower.positions.device)
    ends = tower.ends(token_ids)
    order = ends.argsort()
    sorted_ids, sorted_ends = token_ids[order], ends[order]

    def encode(start: int, stop: int) -> Tensor:
        length = int(sorted_ends[stop - 1]) + 1
        return tower.encode(sorted_ids[start:stop, :length], sorted_ends[start:stop])

    on_batch = None if report is None else lambda done, total: report(STAGE, done, total)
    batches = run_in_batches(encode, len(order), batch_size, on_batch)
    return torch.cat(batches)[order.argsort()]


def text_features(
    prompts: PromptSet, embeddings_of: Callable[[list[str]], Tensor], mean_order: MeanOrder = "embeddings"
) -> TextFeatures:
    """Encode a prompt set and average its sides.

    A side's feature is the unit mean of its prompts' embeddings as they are (``"embeddings"``, the paper's code) or
    of their unit embeddings (``"unit"``, WinCLIP's order).

    Parameters
    ----------
    prompts : PromptSet
        The prompts.
    embeddings_of : callable
        Gives (n, C) un-normalised embeddings of n finished prompts.
    mean_order : {"embeddings", "unit"}
        What is averaged.

    Returns
    -------
    TextFeatures

    Raises
    ------
    PromptError
        If a side is empty.
    """
    prompts.require_sides()
    normal, abnormal = prompts.normal, prompts.abnormal
    counts = (len(normal), len(abnormal))
    raw = embeddings_of(normal + abnormal)
    norms = raw.norm(dim=-1, keepdim=True)
    bank = raw / norms
    averaged = raw if mean_order == "embeddings" else bank
    means = torch.stack([side.mean(dim=0) for side in averaged.split(counts)])
    lengths = means.norm(dim=-1, keepdim=True)
    shares = norms[:, 0] if mean_order == "embeddings" else torch.ones_like(norms[:, 0])
    weights = torch.cat(
        [side / (count * length) for side, count, length in zip(shares.split(counts), counts, lengths, strict=True)]
    )
    return TextFeatures(means / lengths, bank, weights, counts, (*normal, *abnormal))


class TextEncoder:
    """One model's text tower with its memory: nothing is encoded twice.

    Parameters
    ----------
    model : nn.Module
        open_clip ``CLIP`` or ``CustomTextCLIP`` with a causal text tower.
    tokenizer : callable
        The model's tokenizer.
    model_id : str
        Name of the model's weights; embeddings are shared by all models of that name and precision.
    cache : EmbeddingCache
        Where embeddings are kept.
    device : str or torch.device
        Where the features go.
    """

    def __init__(
        self, model: nn.Module, tokenizer: Tokenizer, model_id: str, cache: EmbeddingCache, device: str | torch.device
    ) -> None:
        tower = TextTower.of(model)
        self._model = model
        self._tokenizer = tokenizer
        self._cache = cache
        self._device = torch.device(device)
        self._cache_key = f"{model_id} {tower.blocks[0].attn.in_proj_weight.dtype}"
        self._recent: OrderedDict[tuple[str, MeanOrder], TextFeatures] = OrderedDict()
        self._lock = threading.Lock()

    def features(
        self, ps: PromptSet, mean_order: MeanOrder = "embeddings", report: Reporter | None = None
    ) -> TextFeatures:
        """Give the features of a prompt set, encoding only prompts never met before.

        Parameters
        ----------
        ps : PromptSet
            The prompts.
        mean_order : {"embeddings", "unit"}
            What is averaged, see `text_features`.
        report : Reporter, optional
            Told after each batch of prompts.

        Returns
        -------
        TextFeatures
            Float32, on the encoder's device.

        Raises
        ------
        PromptError
            If a side is empty.
        Cancelled
            If the reporter's cancel flag is set.
        """
        key = (ps.digest, mean_order)
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        features = text_features(ps, lambda prompts: self.embeddings(prompts, report), mean_order)
        with self._lock:
            self._recent[key] = features
            while len(self._recent) > FEATURES_KEPT:
                self._recent.popitem(last=False)
        return features

    def missing(self, ps: PromptSet) -> int:
        """Count the different prompts that would have to be encoded."""
        prompts = {*ps.normal, *ps.abnormal}
        return len(prompts) - len(self._cache.get(self._cache_key, prompts))

    def embeddings(self, prompts: list[str], report: Reporter | None = None) -> Tensor:
        """Give (n, C) un-normalised float32 embeddings of finished prompts, in their order."""
        known = self._cache.get(self._cache_key, prompts)
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        if new:
            encoded = self._encode(new, report)
            self._cache.put(self._cache_key, encoded)
            known |= encoded
        return torch.from_numpy(np.stack([known[prompt] for prompt in prompts])).to(self._device)

    def _encode(self, prompts: list[str], report: Reporter | None) -> dict[str, Vector]:
        batch_size = CPU_BATCH_SIZE if self._device.type == "cpu" else ACCELERATOR_BATCH_SIZE
        embeddings = encode_texts(self._model, self._tokenizer(prompts), batch_size=batch_size, report=report)
        return dict(zip(prompts, embeddings.float().cpu().numpy(), strict=True))


def _block(block: ResidualAttentionBlock, x: Tensor) -> Tensor:
    """CLIP's own block, causal, for (n, L, W)."""
    q, k, v = F.linear(block.ln_1(x), block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(3, dim=-1)
    q, k, v = (_split_heads(block, part) for part in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return _finish(block, x, mixed)


def _block_at(block: ResidualAttentionBlock, x: Tensor, ends: Tensor) -> Tensor:
    """The same for one position of each text only, (n, W): all that is read of the last block."""
    width = x.shape[-1]
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    rows = torch.arange(len(x), device=x.device)
    normed = block.ln_1(x)
    q = F.linear(normed[rows, ends].unsqueeze(1), weight[:width], bias[:width])
    k, v = F.linear(normed, weight[width:], bias[width:]).chunk(2, dim=-1)
    q, k, v = (_split_heads(block, part) for part in (q, k, v))
    seen = torch.arange(x.shape[1], device=x.device) <= ends[:, None]
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None, :])
    return _finish(block, x[rows, ends].unsqueeze(1), mixed)[:, 0]


def _split_heads(block: ResidualAttentionBlock, x: Tensor) -> Tensor:
    texts, length, width = x.shape
    heads = block.attn.num_heads
    return x.view(texts, length, heads, width // heads).transpose(1, 2)


def _finish(block: ResidualAttentionBlock, x: Tensor, mixed: Tensor) -> Tensor:
    """Output projection, residuals and MLP after the heads' (n, heads, L, d) attention."""
    x = x + block.ls_1(block.attn.out_proj(mixed.transpose(1, 2).flatten(2)))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out

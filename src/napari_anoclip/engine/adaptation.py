"""Test-time adaptation: a light adapter is trained for a few steps on one image's own patch tokens.

CLIP stays frozen and every image starts from nothing, with a fresh optimiser, so that no result depends on the
image before it (the published code carries AdamW's moments from image to image). Source of the formulae:
arXiv 2308.15939 and the method page, section on TTA.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.scoring import cosines
from napari_anoclip.engine.settings import AdaptationSettings
from napari_anoclip.engine.text import TextFeatures
from napari_anoclip.engine.token_field import TokenField, TokenStream

_CHUNK_TOKENS = 8192
"""Tokens that pass the adapter at once; gradients add up over chunks, so that memory does not grow with the image."""

StepCallback = Callable[[int, float], None]


@dataclass(frozen=True)
class Adapter:
    """The trained adapter a(x), mixed with its input: ``(1 - mix) * x + mix * a(x)``.

    With the bank T of all prompts, ``a(x) = tanh(A x/|x| + b) T``; without (the linear one) ``a(x) = A x/|x| + b``.

    Attributes
    ----------
    weight, bias : Tensor
        A (2K, C) and b (2K,); (C, C) and (C,) for the linear adapter.
    bank : Tensor or None
        T (2K, C), unit prompt embeddings, normal side first.
    mix : float
        Share of the adapter's output.
    """

    weight: Tensor
    bias: Tensor
    bank: Tensor | None
    mix: float

    def __call__(self, tokens: Tensor) -> Tensor:
        """Adapt (n, C) projected tokens; the result is (n, C), not normalised."""
        adapted = F.linear(F.normalize(tokens, dim=-1), self.weight, self.bias)
        if self.bank is None:
            return torch.lerp(tokens, adapted, self.mix)
        return torch.addmm(tokens, adapted.tanh(), self.bank, beta=1 - self.mix, alpha=self.mix)


@dataclass(frozen=True)
class AdaptedTokens:
    """What adaptation leaves behind.

    Attributes
    ----------
    tokens : Tensor
        (L, C) adapted patch tokens, not normalised.
    losses : tuple of float
        Loss before each step.
    adapter : Adapter
        As it was after the last step.
    """

    tokens: Tensor
    losses: tuple[float, ...]
    adapter: Adapter


def adapt_tokens(
    tokens: Tensor,
    text: TextFeatures,
    settings: AdaptationSettings,
    model_temperature: float,
    *,
    noise: Tensor | None = None,
    init: tuple[Tensor, Tensor] | None = None,
    on_step: StepCallback | None = None,
    reporter: Reporter | None = None,
) -> AdaptedTokens:
    """Adapt one image's patch tokens.

    Parameters
    ----------
    tokens : Tensor
        (L, C) projected, not normalised.
    text : TextFeatures
        Features of the prompts.
    settings : AdaptationSettings
        Steps, rates, weights, start and seed.
    model_temperature : float
        Softmax temperature of the loss, where the settings have none of their own.
    noise : Tensor, optional
        (steps, L, C) recorded noise, standard deviation included, in place of the seeded draws.
    init : tuple of Tensor, optional
        (weight, bias) of the adapter, in place of the seeded draws.
    on_step : callable, optional
        Called with (step from 1, loss before it).
    reporter : Reporter, optional
        Progress and cancel, once a step.

    Returns
    -------
    AdaptedTokens

    Raises
    ------
    Cancelled
        Between two steps, if the flag is set.
    """
    report = reporter or Reporter()
    temperature = settings.temperature or model_temperature
    generator = torch.Generator().manual_seed(settings.seed)
    # The caller may be in inference mode, whose tensors cannot take part in training: these are ordinary copies.
    with torch.inference_mode(False), torch.enable_grad():
        clean = tokens.detach().float().clone()
        sides = text.sides.detach().float().clone()
        bank = text.bank.detach().float().clone() if settings.adapter == "prompt" else None
        if init is None:
            weight, bias = _initial(clean.shape[1], bank, settings.start, generator)
        else:
            weight, bias = (part.detach().clone() for part in init)
        weight, bias = (part.to(clean.device).requires_grad_() for part in (weight, bias))
        adapter = Adapter(weight, bias, bank, settings.mix)
        optimiser = torch.optim.AdamW([weight, bias], lr=settings.learning_rate, fused=clean.device.type != "mps")
        losses = []
        for step in range(settings.steps):
            report("adapting", step, settings.steps)
            drawn = noise[step].to(clean) if noise is not None else _noise(clean, settings.noise, generator)
            optimiser.zero_grad(set_to_none=True)
            losses.append(_backward(adapter, clean, drawn, sides, settings, temperature))
            optimiser.step()
            if on_step is not None:
                on_step(step + 1, losses[-1])
        report("adapting", settings.steps, settings.steps)
    with torch.inference_mode():
        adapted = torch.cat([adapter(chunk) for chunk in clean.split(_CHUNK_TOKENS)])
    return AdaptedTokens(adapted, tuple(losses), Adapter(weight.detach(), bias.detach(), bank, settings.mix))


def adapt_fields(
    fields: Sequence[TokenField | TokenStream],
    text: TextFeatures,
    settings: AdaptationSettings,
    model_temperature: float,
    *,
    on_step: StepCallback | None = None,
    reporter: Reporter | None = None,
) -> tuple[list[TokenField | TokenStream], tuple[float, ...]]:
    """Adapt the tokens of an image at all its scales together.

    Parameters
    ----------
    fields : sequence of TokenField or TokenStream
        At each scale.
    text, settings, model_temperature, on_step, reporter
        As for `adapt_tokens`.

    Returns
    -------
    fields : list of TokenField or TokenStream
        The same with adapted patch tokens.
    losses : tuple of float
        Loss before each step.

    Raises
    ------
    ImageError
        If tokens are too many to be held at once.
    Cancelled
        As for `adapt_tokens`.
    """
    # One adapter for the whole image: tiles adapted apart would not agree where they overlap.
    tokens = torch.cat([one.patches.flatten(0, 1) for one in fields])
    adapted = adapt_tokens(tokens, text, settings, model_temperature, on_step=on_step, reporter=reporter)
    parts = adapted.tokens.split([one.patches.shape[0] * one.patches.shape[1] for one in fields])
    return [
        TokenField(one.lattice, part.reshape(one.patches.shape), one.cls)
        for one, part in zip(fields, parts, strict=True)
    ], adapted.losses


def adaptation_loss(
    clean: Tensor, noisy: Tensor, sides: Tensor, settings: AdaptationSettings, temperature: float
) -> Tensor:
    """Loss of one step, as a sum over tokens.

    Parameters
    ----------
    clean, noisy : Tensor
        (n, C) adapted tokens without and with noise.
    sides : Tensor
        (2, C) unit side features, normal first.
    settings : AdaptationSettings
        Weights of the parts.
    temperature : float
        Softmax temperature of the loss.

    Returns
    -------
    Tensor
        Scalar: entropy of the clean tokens' prediction, weighted, plus the weighted cost of the noisy ones not being
        abnormal and of the clean ones not being normal.
    """
    log_clean = F.log_softmax(cosines(clean, sides) / temperature, dim=-1)
    log_noisy = F.log_softmax(cosines(noisy, sides) / temperature, dim=-1)
    entropy = -(log_clean.exp() * log_clean).sum()
    contrast = -log_noisy[:, 1].sum() - log_clean[:, 0].sum()
    return settings.entropy_weight * entropy + settings.contrast_weight * contrast


def _backward(
    adapter: Adapter,
    clean: Tensor,
    noise: Tensor,
    sides: Tensor,
    settings: AdaptationSettings,
    temperature: float,
) -> float:
    """Add the gradients of the mean loss to the adapter's weights; returns that loss."""
    total = 0.0
    for chunk, drawn in zip(clean.split(_CHUNK_TOKENS), noise.split(_CHUNK_TOKENS), strict=True):
        adapted, noisy = adapter(torch.cat([chunk, chunk + drawn])).chunk(2)
        loss = adaptation_loss(adapted, noisy, sides, settings, temperature) / len(clean)
        loss.backward()
        total += float(loss.detach())
    return total


def _initial(channels: int, bank: Tensor | None, start: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """PyTorch's default Linear initialisation from our own generator, or zeros."""
    rows = channels if bank is None else len(bank)
    if start == "zero":
        return torch.zeros(rows, channels), torch.zeros(rows)
    bound = 1 / math.sqrt(channels)
    weight, bias = torch.empty(rows, channels), torch.empty(rows)
    return weight.uniform_(-bound, bound, generator=generator), bias.uniform_(-bound, bound, generator=generator)


def _noise(tokens: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Drawn on the CPU, so that a seed means the same on every device."""
    return (torch.randn(tokens.shape, generator=generator) * sigma).to(tokens.device)

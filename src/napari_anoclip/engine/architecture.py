"""Which open_clip architectures the method works on, and how they are built from a configuration.

V-V attention needs a plain `VisionTransformer` with a class token, and trimmed text encoding needs CLIP's causal
text tower with CLIP's own tokenizer, which ships with open_clip.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from napari_anoclip.engine.clip_library import (
    CLIP,
    ResidualAttentionBlock,
    SimpleTokenizer,
    VisionTransformer,
    open_clip,
)
from napari_anoclip.engine.errors import ModelError

_VOCABULARY = 49408
_CUSTOM_ATTENTION = ("qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc")


def supported_architectures() -> list[str]:
    """Names in open_clip's registry that work, sorted.

    Returns
    -------
    list of str
    """
    return sorted(name for name in open_clip.list_models() if _refusal(open_clip.get_model_config(name) or {}) is None)


def registry_config(name: str) -> dict[str, Any]:
    """Configuration of an architecture in open_clip's registry.

    Parameters
    ----------
    name : str
        Such as "ViT-B-16-plus-240".

    Returns
    -------
    dict
        open_clip's model configuration.

    Raises
    ------
    ModelError
        If the name is unknown or the architecture does not work.
    """
    config = open_clip.get_model_config(name)
    if config is None:
        raise ModelError(f"'{name}' is no model that open_clip knows. {_what_works()}")
    checked: dict[str, Any] = config
    check_config(checked, name)
    return checked


def check_config(config: dict[str, Any], name: str) -> None:
    """Check that a configuration describes a model on which the method works.

    Parameters
    ----------
    config : dict
        open_clip's model configuration.
    name : str
        How to call the model in the message.

    Raises
    ------
    ModelError
        With the reason and the list of what works.
    """
    reason = _refusal(config)
    if reason is not None:
        raise ModelError(f"'{name}' does not work here: {reason}. {_what_works()}")


def build(config: dict[str, Any]) -> tuple[nn.Module, SimpleTokenizer]:
    """Build a model with random weights, and its tokenizer.

    Parameters
    ----------
    config : dict
        A checked open_clip model configuration.

    Returns
    -------
    model : Module
        open_clip's ``CLIP``, in evaluation mode.
    tokenizer : SimpleTokenizer
        CLIP's own.

    Raises
    ------
    ModelError
        If open_clip cannot build it.
    """
    known = {key: config[key] for key in ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu") if key in config}
    try:
        model = CLIP(**known)
    except Exception as error:  # open_clip checks nothing itself: whatever a wrong value breaks comes up here
        raise ModelError(f"The model's configuration cannot be built: {error}.") from error
    return model.eval(), SimpleTokenizer(context_length=model.context_length)


def check_model(model: nn.Module) -> None:
    """Check a model that is in memory already.

    Parameters
    ----------
    model : Module
        An open_clip model.

    Raises
    ------
    ModelError
        With the reason and the list of what works.
    """
    visual = getattr(model, "visual", None)
    reason = None
    if not isinstance(visual, VisionTransformer):
        reason = f"its image tower is a {type(visual).__name__}, not open_clip's VisionTransformer"
    elif visual.attn_pool is not None or visual.pool_type != "tok" or visual.proj is None:
        reason = "its image tower does not pool by a projected class token"
    elif not all(isinstance(block, ResidualAttentionBlock) for block in visual.transformer.resblocks):
        reason = "its image tower has attention of a kind of its own"
    elif not isinstance(model, CLIP) or model.text_pool_type not in ("argmax", "eos"):
        reason = "its text tower is not CLIP's causal transformer"
    elif model.attn_mask is None:
        reason = "its text tower is not causal"
    if reason is not None:
        raise ModelError(f"This model does not work here: {reason}. {_what_works()}")


def _refusal(config: dict[str, Any]) -> str | None:
    """Why a configuration does not work, or None."""
    vision, text = config.get("vision_cfg"), config.get("text_cfg")
    if not isinstance(vision, dict) or not isinstance(text, dict) or "embed_dim" not in config:
        return "its configuration has no embed_dim, vision_cfg and text_cfg"
    checks = [
        (vision.get("timm_model_name"), "its image tower is a timm model, not open_clip's VisionTransformer"),
        (not isinstance(vision.get("layers", 12), int), "its image tower is a ResNet, which has no patch tokens"),
        ("multimodal_cfg" in config, "CoCa's towers are not plain"),
        (vision.get("attentional_pool"), "its image tower pools by attention instead of a class token"),
        (vision.get("pool_type", "tok") != "tok", "its image tower has no class token to pool by"),
        (_custom_blocks(vision) or _custom_blocks(text), "its towers have attention of a kind of their own"),
        (text.get("hf_model_name"), "its text tower is not CLIP's causal transformer"),
        (text.get("no_causal_mask") or text.get("embed_cls"), "its text tower is not causal"),
        (text.get("hf_tokenizer_name"), "its tokenizer is not CLIP's and is not part of open_clip"),
        (text.get("vocab_size", _VOCABULARY) != _VOCABULARY, "its vocabulary is not that of CLIP's tokenizer"),
        (text.get("pool_type", "argmax") not in ("argmax", "eos"), "its text tower does not pool at the end of text"),
        (config.get("custom_text"), "its text tower is a custom one"),
    ]
    return next((reason for wrong, reason in checks if wrong), None)


def _custom_blocks(tower: dict[str, Any]) -> bool:
    return tower.get("block_type") == "custom" or any(tower.get(key) for key in _CUSTOM_ATTENTION)


def _what_works() -> str:
    return f"What works: builtin, {', '.join(supported_architectures())}."

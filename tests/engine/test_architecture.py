"""Which architectures work, and the sentence for those that do not."""

from __future__ import annotations

import open_clip
import pytest
import torch
from engine import golden
from open_clip.model import CLIP, CustomTextCLIP

from napari_anoclip.engine.architecture import (
    build,
    check_config,
    check_model,
    registry_config,
    supported_architectures,
)
from napari_anoclip.engine.errors import ModelError


def changed(part=None, **values):
    """The tiny model's configuration with some values of a part, or of the whole, set."""
    config = golden.config("tiny")
    (config if part is None else config[part]).update(values)
    return config


def test_plain_vision_transformers_of_the_registry_work():
    names = supported_architectures()
    assert {"ViT-B-16-plus-240", "ViT-B-16", "ViT-B-32", "ViT-L-14-336", "ViT-H-14", "ViT-bigG-14"} <= set(names)
    assert names == sorted(names)
    for name in names:
        config = registry_config(name)
        assert config["vision_cfg"]["image_size"] % config["vision_cfg"]["patch_size"] == 0, name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("RN50", "ResNet"),
        ("RN50x64-quickgelu", "ResNet"),
        ("ViT-B-16-SigLIP", "timm"),
        ("ViT-SO400M-14-SigLIP-384", "timm"),
        ("convnext_base_w", "timm"),
        ("EVA02-B-16", "timm"),
        ("MobileCLIP-S1", "timm"),
        ("coca_ViT-B-32", "CoCa"),
        ("xlm-roberta-base-ViT-B-32", "text tower"),
        ("ViT-H-14-CLIPA", "class token"),
        ("ViT-H-14-worldwide", "tokenizer"),
        ("ViT-B-17", "no model that open_clip knows"),
        ("", "no model that open_clip knows"),
    ],
)
def test_others_are_refused_with_the_reason_and_what_works(name, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        registry_config(name)
    assert "What works: builtin, " in str(refused.value)
    assert "ViT-B-16-plus-240" in str(refused.value)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "embed_dim"),
        (changed(vision_cfg=None), "embed_dim"),
        (changed(text_cfg=[1]), "embed_dim"),
        (changed("vision_cfg", layers=[3, 4, 6, 3]), "ResNet"),
        (changed("vision_cfg", timm_model_name="vit_base"), "timm"),
        (changed("vision_cfg", attentional_pool=True), "pools by attention"),
        (changed("vision_cfg", pool_type="avg"), "class token"),
        (changed("vision_cfg", qk_norm=True), "attention of a kind"),
        (changed("vision_cfg", block_type="custom"), "attention of a kind"),
        (changed("text_cfg", no_causal_mask=True), "not causal"),
        (changed("text_cfg", pool_type="last"), "end of text"),
        (changed("text_cfg", hf_model_name="roberta-base"), "text tower"),
        (changed("text_cfg", hf_tokenizer_name="timm/ViT-B-16-SigLIP"), "tokenizer"),
        (changed("text_cfg", vocab_size=32000), "vocabulary"),
        (changed(custom_text=True), "custom"),
    ],
)
def test_a_configuration_that_does_not_suit_is_refused(config, reason):
    with pytest.raises(ModelError, match=reason) as refused:
        check_config(config, "mine")
    assert "'mine'" in str(refused.value)
    assert "What works" in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        changed("vision_cfg", width="wide"),
        changed("vision_cfg", patch_size=0),
        changed("vision_cfg", nonsense=1),
        changed("text_cfg", heads=7),
        changed(embed_dim=None),
    ],
)
def test_a_configuration_that_cannot_be_built_is_a_sentence(config):
    check_config(config, "mine")
    with pytest.raises(ModelError, match="cannot be built"):
        build(config)


def test_what_is_built_is_open_clips_model_with_its_own_tokenizer():
    model, tokenizer = build({**golden.config("tiny"), "preprocess": "ignored"})
    check_model(model)
    assert not model.training
    assert tokenizer(["a photo"]).shape == (1, 77)
    short, tokenizer = build(changed("text_cfg", context_length=20))
    assert short.context_length == 20
    assert tokenizer(["word " * 50]).shape == (1, 20)


def test_quick_gelu_of_the_configuration_is_built():
    model, _ = build(changed(quick_gelu=True))
    assert any(isinstance(module, open_clip.transformer.QuickGELU) for module in model.visual.modules())


def test_models_in_memory_that_do_not_suit_are_refused():
    resnet = {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8}
    config = golden.config("tiny")
    unsuitable = {
        "VisionTransformer": CLIP(config["embed_dim"], resnet, config["text_cfg"]),
        "text tower is not CLIP's": CustomTextCLIP(**config),
        "class token": CLIP(**changed("vision_cfg", pool_type="avg")),
        "not causal": CLIP(**changed("text_cfg", no_causal_mask=True)),
        "attention of a kind": CLIP(**changed("vision_cfg", qk_norm=True)),
        "Linear|NoneType": torch.nn.Linear(2, 2),
    }
    for reason, model in unsuitable.items():
        with pytest.raises(ModelError, match=reason) as refused:
            check_model(model)
        assert "What works" in str(refused.value)

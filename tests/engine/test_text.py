"""The text tower: exact though trimmed, nothing encoded twice, features by the method's formulae."""

from __future__ import annotations

import threading

import open_clip
import pytest
import torch
import torch.nn.functional as F
from engine import golden
from open_clip.model import CLIP, CustomTextCLIP

from napari_anoclip.engine.embedding_cache import EmbeddingCache
from napari_anoclip.engine.errors import Cancelled, ModelError, PromptError
from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.prompts import Entry, PromptSet
from napari_anoclip.engine.text import TextEncoder, encode_texts, text_features

VISION = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 4, "layers": 3}
VARIETY = [
    "",
    "nut",
    "a photo of a nut",
    "a photo of the nut without any flaw, crack, dent, stain or hole that an inspector would see",
    "word " * 200,
    "a photo of a nut",
]


def random_model(kind=CLIP, **text):
    torch.manual_seed(5)
    return kind(embed_dim=24, vision_cfg=VISION, text_cfg={**TEXT, **text}).eval()


class CountingTokenizer:
    """CLIP's tokenizer that remembers what it was given."""

    def __init__(self):
        self._tokenizer = golden.tokenizer()
        self.seen: list[str] = []

    def __call__(self, texts):
        self.seen += texts
        return self._tokenizer(texts)


@pytest.fixture
def tokenizer():
    return CountingTokenizer()


def encoder(tokenizer, folder=None, model_id="tiny", model=None):
    return TextEncoder(model or golden.tiny_model(), tokenizer, model_id, EmbeddingCache(folder), "cpu")


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(golden.tiny_model, id="tiny"),
        pytest.param(golden.deep14_model, id="one text block"),
        pytest.param(random_model, id="CLIP"),
        pytest.param(lambda: random_model(proj_bias=True), id="projection with bias"),
        pytest.param(lambda: random_model(pool_type="eos", eos_id=49407), id="pooled at a given id"),
        pytest.param(lambda: random_model(ls_init_value=0.3), id="layer scale"),
        pytest.param(lambda: random_model(CustomTextCLIP), id="CustomTextCLIP"),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 4, 512])
def test_trimmed_encoding_equals_open_clip(model, batch_size):
    model = model()
    token_ids = golden.tokenizer()(VARIETY + PromptSet.paper("carpet", kind="texture").abnormal[::20])
    with torch.inference_mode():
        expected = model.encode_text(token_ids)
    got = encode_texts(model, token_ids, batch_size=batch_size)
    assert (got - expected).abs().max() <= 1e-5
    assert expected.std(dim=0).max() > 0.01  # else anything would pass


def test_real_sized_configuration_of_the_registry_equals_open_clip():
    config = open_clip.get_model_config("ViT-B-32")
    config["vision_cfg"] = VISION
    config["text_cfg"]["layers"] = 4
    torch.manual_seed(6)
    model = CLIP(**config).eval()
    token_ids = golden.tokenizer()(VARIETY)
    with torch.inference_mode():
        expected = model.encode_text(token_ids)
    assert (encode_texts(model, token_ids, batch_size=4) - expected).abs().max() <= 1e-5


def test_towers_see_no_more_tokens_than_the_longest_prompt_of_a_batch_has():
    model = golden.tiny_model()
    lengths = []
    model.token_embedding.register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].shape))
    encode_texts(model, golden.tokenizer()(["nut", "a photo of a nut", "bolt"]), batch_size=2)
    assert lengths == [(2, 3), (1, 7)]


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: random_model(no_causal_mask=True), id="sees both ways"),
        pytest.param(lambda: random_model(CustomTextCLIP, embed_cls=True), id="class token"),
        pytest.param(lambda: random_model(pool_type="last"), id="pooled at the last position"),
        pytest.param(lambda: torch.nn.Linear(2, 2), id="no text tower"),
    ],
)
def test_other_text_towers_are_refused(model):
    with pytest.raises(ModelError, match="ViT-B-16-plus-240"):
        encode_texts(model(), golden.tokenizer()(VARIETY), batch_size=4)


@pytest.mark.parametrize(("name", "kind"), [("carpet", "texture"), ("bottle", "object")])
def test_features_equal_the_reference(name, kind, tokenizer):
    arrays = golden.tiny_arrays()
    encoding = encoder(tokenizer)
    features = encoding.features(PromptSet.paper(name, kind=kind))
    raw = encoding.embeddings(list(features.prompts))
    bank = torch.tensor(arrays[f"{name}/text_prompts"]).permute(2, 0, 1).flatten(0, 1)
    norms = torch.tensor(arrays[f"{name}/text_norms"]).T.flatten()
    torch.testing.assert_close(features.bank, bank, rtol=0, atol=5e-6)
    torch.testing.assert_close(raw.norm(dim=-1), norms, rtol=1e-5, atol=0)
    torch.testing.assert_close(features.sides, torch.tensor(arrays[f"{name}/text_mean"]).T, rtol=0, atol=5e-6)
    assert features.counts == (462, 462)


@pytest.mark.parametrize("mean_order", ["embeddings", "unit"])
def test_sides_are_the_means_in_either_order_and_weights_say_so(mean_order):
    ps = PromptSet.compose(object="nut", normal_states=["good {}", "fine {}"], abnormal_states=["bad {}"])
    raw = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    features = text_features(ps, lambda prompts: raw[: len(prompts)], mean_order)
    expected = F.normalize(torch.tensor([3.0, 1.0] if mean_order == "embeddings" else [1.0, 1.0]), dim=0)
    torch.testing.assert_close(features.sides, torch.stack([expected, raw[2]]))
    weighted = features.weights[:, None] * features.bank
    torch.testing.assert_close(torch.stack([weighted[:2].sum(0), weighted[2]]), features.sides)
    assert features.prompts == ("good nut", "fine nut", "bad nut")


def test_an_empty_side_is_refused(tokenizer):
    with pytest.raises(PromptError, match="abnormal side"):
        encoder(tokenizer).features(PromptSet.compose(object="nut", normal_states=["good {}"]))


def test_repeated_prompts_are_encoded_once_and_count_twice(tokenizer):
    ps = PromptSet.compose(object="nut", normal_states=["good {}", "ok {}", "good {}"], abnormal_states=["bad {}"])
    features = encoder(tokenizer).features(ps)
    assert sorted(tokenizer.seen) == ["bad nut", "good nut", "ok nut"]
    assert features.bank.shape == (4, 32)
    torch.testing.assert_close(features.bank[0], features.bank[2])


def test_one_state_edited_encodes_only_its_prompts(tokenizer):
    text = encoder(tokenizer)
    ps = PromptSet.paper("carpet", kind="texture")
    assert text.missing(ps) == 924
    before = text.features(ps)
    assert text.missing(ps) == 0
    tokenizer.seen.clear()
    edited = ps.model_copy(update={"abnormal_states": (*ps.abnormal_states[:6], Entry(text="{} with scratch"))})
    assert text.missing(edited) == 66
    after = text.features(edited)
    assert len(tokenizer.seen) == 66
    assert all("scratch" in prompt for prompt in tokenizer.seen)
    torch.testing.assert_close(before.sides[0], after.sides[0], rtol=0, atol=0)
    assert (before.sides[1] - after.sides[1]).abs().max() > 1e-4


def test_a_second_start_encodes_nothing(tokenizer, tmp_path):
    ps = PromptSet.paper("carpet", kind="texture")
    first = encoder(tokenizer, tmp_path).features(ps)
    tokenizer.seen.clear()
    restarted = encoder(tokenizer, tmp_path)
    assert restarted.missing(ps) == 0
    torch.testing.assert_close(restarted.features(ps).bank, first.bank, rtol=0, atol=0)
    assert tokenizer.seen == []


def test_models_and_precisions_do_not_share_embeddings(tokenizer, tmp_path):
    ps = PromptSet.preset("short", "nut")
    encoder(tokenizer, tmp_path).features(ps)
    assert encoder(tokenizer, tmp_path, model_id="other").missing(ps) == 14
    assert encoder(tokenizer, tmp_path, model=golden.tiny_model().bfloat16()).missing(ps) == 14


def test_bf16_features_are_float32_and_close(tokenizer):
    ps = PromptSet.preset("short", "nut")
    half = encoder(tokenizer, model=golden.tiny_model().bfloat16()).features(ps)
    assert half.bank.dtype == torch.float32
    assert (half.bank * encoder(tokenizer).features(ps).bank).sum(-1).min() > 0.99


def test_the_same_set_again_is_the_same_object(tokenizer):
    text = encoder(tokenizer)
    ps = PromptSet.preset("short", "nut")
    assert text.features(ps) is text.features(PromptSet.preset("short", "nut"))
    assert text.features(ps, "unit") is not text.features(ps)


def test_features_can_be_trained_through(tokenizer):
    """The adaptation needs a graph, which tensors made in inference mode refuse."""
    features = encoder(tokenizer).features(PromptSet.preset("short", "nut"))
    weight = torch.ones(32, requires_grad=True)
    (features.sides * weight).sum().backward()
    assert weight.grad is not None


def test_progress_is_reported_and_cancel_heeded(tokenizer):
    text = encoder(tokenizer)
    ps = PromptSet.paper("carpet", kind="texture")
    reports, cancel = [], threading.Event()

    def listen(progress):
        reports.append(progress)
        if progress.done > 0:
            cancel.set()

    with pytest.raises(Cancelled):
        text.features(ps, report=Reporter(listen, cancel))
    assert [report.done for report in reports] == [0, reports[1].done]
    assert 0 < reports[1].done < reports[1].total == 924
    assert text.features(ps).counts == (462, 462)

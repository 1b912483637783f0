"""Loading a model by name: the same door for the built-in model, a file, a folder and open_clip's registry."""

from __future__ import annotations

import json
import math
import os
import pickle

import open_clip
import pytest
import torch
from engine import golden
from open_clip.model import CLIP, resize_pos_embed
from safetensors.torch import save_file

from napari_anoclip.engine import AnoCLIP, backbone, download, vision
from napari_anoclip.engine.backbone import Backbone, check_precision, choose_device
from napari_anoclip.engine.checkpoint import checksum
from napari_anoclip.engine.errors import DeviceError, DeviceMemoryError, DownloadError, ModelError
from napari_anoclip.engine.progress import Reporter

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def random_model(config=CONFIG):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return CLIP(**config).eval()


def save(folder, model, config=CONFIG, **preprocess):
    """A model folder as open_clip writes it: weights and open_clip_config.json."""
    folder.mkdir(exist_ok=True)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    whole = {"model_cfg": config, "preprocess_cfg": {"mean": MEAN, "std": STD, **preprocess}}
    (folder / "open_clip_config.json").write_text(json.dumps(whole))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("models") / "mine", random_model())


def load(path, **options):
    return Backbone.load(str(path), device="cpu", **options)


def test_a_folder_a_file_and_a_pt_file_give_the_same_model(folder, tmp_path):
    steps = []
    loaded = load(folder, reporter=Reporter(lambda progress: steps.append((progress.done, progress.total))))
    assert loaded.name == str(folder)
    assert (loaded.image_size, loaded.patch_size) == (32, 8)
    assert loaded.temperature == pytest.approx(0.07)
    assert loaded.known_token_ids is None
    assert (loaded.mean, loaded.std) == (tuple(MEAN), tuple(STD))
    assert loaded.memory_bytes == sum(4 * value.numel() for value in loaded.model.state_dict().values())
    assert not any(value.requires_grad for value in loaded.model.parameters())
    assert steps == [(0, 1), (1, 1)]

    torch.save(random_model().state_dict(), tmp_path / "mine.pt")
    (tmp_path / "mine.json").write_text(json.dumps(CONFIG))
    bare = load(tmp_path / "mine.pt")
    assert bare.mean == open_clip.OPENAI_DATASET_MEAN
    assert load(folder / "open_clip_model.safetensors").model_id == loaded.model_id
    assert all(one.model_id.startswith(f"{checksum(random_model())}-fp32") for one in (loaded, bare))
    assert bare.model_id != loaded.model_id, "it normalises pictures in another way"


def test_the_same_weights_with_another_activation_or_other_heads_are_another_model():
    weights, ids = random_model().state_dict(), set()
    vision_config = {**CONFIG["vision_cfg"], "head_width": 8}
    for config in (CONFIG, {**CONFIG, "quick_gelu": True}, {**CONFIG, "vision_cfg": vision_config}):
        model = CLIP(**config)
        model.load_state_dict(weights)
        ids.add(Backbone.wrap(model, None, name="mine").model_id)
    assert len(ids) == 3


def test_the_identity_of_a_usual_model_is_that_of_its_weights():
    usual = {
        **CONFIG,
        "vision_cfg": {**CONFIG["vision_cfg"], "width": 64, "head_width": 64},
        "text_cfg": {**CONFIG["text_cfg"], "width": 64, "heads": 1},
    }
    model = random_model(usual)
    assert Backbone.wrap(model, None, name="mine").model_id == f"{checksum(model)}-fp32"


def test_the_loaded_model_computes_what_open_clips_does(folder):
    loaded, original = load(folder), random_model()
    rgb = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    normalised = (rgb - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    with torch.inference_mode():
        torch.testing.assert_close(loaded.normalise(rgb), normalised)
        tokens = vision.encode(loaded.visual, loaded.normalise(rgb))
        torch.testing.assert_close(tokens.cls, original.encode_image(normalised), atol=1e-5, rtol=1e-5)
    assert tokens.grid == (4, 4)
    torch.testing.assert_close(loaded.tokenizer(["a photo"]), open_clip.tokenize(["a photo"]))


def test_the_engines_front_door_takes_the_same_path(folder, tmp_path):
    ano = AnoCLIP.load(str(folder), device="cpu", cache_folder=tmp_path)
    assert (ano.name, ano.device, ano.precision, ano.image_size) == (str(folder), "cpu", "fp32", 32)
    assert ano.model_id == load(folder).model_id


def test_rows_of_zeros_are_words_that_training_never_saw(tmp_path):
    model = random_model()
    with torch.no_grad():
        model.token_embedding.weight[100:] = 0
    assert load(save(tmp_path / "m", model)).known_token_ids == frozenset(range(100))


@pytest.mark.parametrize("grid", [(4, 4), (6, 6), (3, 7), (1, 2)])
def test_position_embeddings_are_resized_as_open_clip_does(grid):
    model = random_model()
    resized = vision.positions(model.visual, grid)
    assert resized.shape == (1 + grid[0] * grid[1], 32)
    vision_config = {**CONFIG["vision_cfg"], "image_size": [8 * grid[0], 8 * grid[1]]}
    other = CLIP(**{**CONFIG, "vision_cfg": vision_config})
    state = model.state_dict()
    resize_pos_embed(state, other, interpolation="bicubic", antialias=True)
    torch.testing.assert_close(resized, state["visual.positional_embedding"])


def test_bf16_computes_nearly_the_same_and_keeps_the_temperature(folder):
    full, half = load(folder), load(folder, precision="bf16")
    assert half.dtype == torch.bfloat16
    assert half.model_id != full.model_id
    assert half.memory_bytes < 0.51 * full.memory_bytes
    assert half.temperature == full.temperature
    rgb = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        seen = [vision.encode(one.visual, one.normalise(rgb)).patches.float() for one in (full, half)]
    assert torch.cosine_similarity(*seen, dim=-1).min() > 0.99


@pytest.mark.parametrize(
    ("preprocess", "words"),
    [
        ({"mean": 0.5}, "normalises by 0.5"),
        ({"mean": [0.5, 0.5]}, "three numbers"),
        ({"mean": []}, "three numbers"),
        ({"mean": ["a", "b", "c"]}, "three numbers"),
        ({"mean": [0.5, None, 0.5]}, "three numbers"),
        ({"mean": [0.5, math.nan, 0.5]}, "three numbers"),
        ({"std": [0.5, 0.0, 0.5]}, "three numbers"),
        ({"std": [0.5, -1, 0.5]}, "three numbers"),
        ({"std": {"r": 1}}, "three numbers"),
    ],
)
def test_a_malformed_normalisation_is_a_sentence(tmp_path, preprocess, words):
    with pytest.raises(ModelError, match=words):
        load(save(tmp_path / "m", random_model(), **preprocess))


def test_a_missing_normalisation_is_clips_own(tmp_path):
    loaded = load(save(tmp_path / "m", random_model(), mean=None, std=None))
    assert (loaded.mean, loaded.std) == (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)


@pytest.mark.fault("models and downloads", "the weights of a model folder are cut off", "the file as it is")
def test_truncated_weights_are_refused(folder, tmp_path, sees):
    broken = save(tmp_path / "m", random_model())
    weights = broken / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="damaged or incomplete") as refused:
        load(broken)
    sees(refused.value)


@pytest.mark.fault("models and downloads", "weights of another architecture", "the file as it is")
def test_weights_of_another_architecture_are_refused(tmp_path, sees):
    deeper = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], "layers": 3}}
    with pytest.raises(ModelError, match="belong to another architecture") as refused:
        load(save(tmp_path / "m", random_model(), config=deeper))
    sees(refused.value)


@pytest.mark.fault("hostile files", "code in the pickle of a checkpoint", "the machine: it does not run")
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_code_is_refused_and_does_not_run(tmp_path, sees):
    class Code:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "it ran"),)

    (tmp_path / "m.pt").write_bytes(pickle.dumps(Code()))
    (tmp_path / "m.json").write_text(json.dumps(CONFIG))
    with pytest.raises(ModelError, match="could run code") as refused:
        load(tmp_path / "m.pt")
    sees(refused.value)
    assert not (tmp_path / "it ran").exists()


def test_a_checkpoint_without_configuration_needs_its_architecture(tmp_path):
    torch.save(random_model().state_dict(), tmp_path / "m.pt")
    with pytest.raises(ModelError, match="without its configuration"):
        load(tmp_path / "m.pt")
    with pytest.raises(ModelError, match="no model that open_clip knows"):
        load(tmp_path / "m.pt", architecture_name="ViT-X")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ViT-B-17:laion2b", "no model that open_clip knows.*What works: builtin, "),
        ("carpet model", "no model that open_clip knows.*What works: builtin, "),
        ("RN50:openai", "ResNet.*What works: builtin, "),
        ("EVA02-B-16:merged2b_s8b_b131k", "timm.*What works: builtin, "),
        ("ViT-B-16-SigLIP:webli", "timm.*What works: builtin, "),
        ("RN50", "ResNet.*What works: builtin, "),
        ("ViT-B-32:laion9b", "knows no weights 'laion9b' of ViT-B-32; it knows: openai, "),
        ("ViT-B-32", "needs the name of its weights, as in 'ViT-B-32:TAG'; open_clip knows: openai, "),
        ("ViT-M-16", "open_clip knows: none"),
        ("absent/model.safetensors", "There is no model file"),
    ],
)
def test_unknown_and_unsuitable_names_are_sentences(name, words):
    with pytest.raises(ModelError, match=words):
        load(name)


def test_a_known_name_that_is_not_here_is_not_downloaded(tmp_path):
    with pytest.raises(DownloadError, match="ViT-B-16-plus-240:laion400m_e32 is not on this machine"):
        load("ViT-B-16-plus-240:laion400m_e32", models_folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("tag", "quick"), [("openai", True), ("laion2b", None)])
def test_a_registry_model_takes_the_registrys_normalisation_and_activation(folder, monkeypatch, tag, quick):
    """The files are the small model's: what is under test is what belongs to the name."""
    configs = []

    def registry_config(name):
        configs.append(name)
        return CONFIG

    def build(config, original=backbone.architecture.build):
        configs.append(config.get("quick_gelu"))
        return original(config)

    entry = {"hf_hub": "a/b/", "mean": tuple(MEAN), "std": tuple(STD), **({"quick_gelu": True} if quick else {})}
    monkeypatch.setattr(backbone.architecture, "registry_config", registry_config)
    monkeypatch.setattr(backbone.architecture, "build", build)
    monkeypatch.setattr(download, "pretrained_config", lambda *names: entry)
    monkeypatch.setattr(
        backbone, "local_or_downloaded", lambda *args, **options: folder / "open_clip_model.safetensors"
    )
    loaded = load(f"ViT-Z:{tag}")
    assert configs == ["ViT-Z", quick]
    assert (loaded.mean, loaded.std) == (tuple(MEAN), tuple(STD))


def test_a_model_in_memory_is_used_as_it_is():
    model = golden.tiny_model()
    before = checksum(model)
    wrapped = Backbone.wrap(model, golden.tokenizer(), name="mine")
    assert wrapped.model is model
    assert checksum(model) == before
    assert (wrapped.name, wrapped.image_size, wrapped.patch_size, str(wrapped.device)) == ("mine", 48, 8, "cpu")
    assert wrapped.mean == open_clip.OPENAI_DATASET_MEAN
    assert wrapped.precision == "fp32"
    assert Backbone.wrap(model.bfloat16(), golden.tokenizer(), name="mine").precision == "bf16"


def test_what_open_clip_has_noted_on_a_model_is_how_its_pictures_are_normalised():
    model = random_model()
    open_clip.model.set_model_preprocess_cfg(model, {"mean": tuple(MEAN), "std": tuple(STD)})
    wrapped = Backbone.wrap(model, golden.tokenizer(), name="mine")
    assert (wrapped.mean, wrapped.std) == (tuple(MEAN), tuple(STD))


def test_a_model_of_several_or_unknown_types_is_refused():
    mixed = random_model()
    open_clip.convert_weights_to_fp16(mixed)
    with pytest.raises(ModelError, match=r"torch\.float16, torch\.float32: convert all to"):
        Backbone.wrap(mixed, golden.tokenizer(), name="mine")
    with pytest.raises(ModelError, match=r"torch\.float64: convert all to"):
        Backbone.wrap(random_model().double(), golden.tokenizer(), name="mine")


def test_devices_that_are_not_there_are_sentences(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for device in ("cuda", "cuda:1", "mps", "meta"):
        with pytest.raises(DeviceError, match=f"no usable device '{device}': use auto or cpu"):
            choose_device(device)
    for device in ("tpu9", "gpu", "", "cuda:x"):
        with pytest.raises(DeviceError, match="is no device: use auto, cpu, cuda or mps"):
            choose_device(device)


def test_auto_takes_the_fastest_that_is_there(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("mps") == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("auto") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(DeviceError, match="cuda:2"):
        choose_device("cuda:2")


def test_precisions_that_a_device_lacks_are_sentences(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    for precision, device in (("fp32", "cpu"), ("bf16", "cpu"), ("fp16", "cuda"), ("fp16", "mps")):
        check_precision(precision, torch.device(device))
    for precision, device in (("fp16", "cpu"), ("bf16", "cuda")):
        with pytest.raises(DeviceError, match=f"'{device}' does not compute in {precision}: use fp32"):
            check_precision(precision, torch.device(device))
    with pytest.raises(DeviceError, match="'int8' is no precision: use fp32, bf16, fp16"):
        check_precision("int8", torch.device("cpu"))


@pytest.mark.fault("memory", "a model that does not fit the memory of the GPU", "the model that was loaded before")
def test_a_model_that_does_not_fit_the_device_is_a_sentence(folder, monkeypatch, sees):
    def full(*args, **kwargs):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(CLIP, "to", full)
    with pytest.raises(DeviceMemoryError, match="does not fit into the memory of 'cpu'") as refused:
        load(folder)
    sees(refused.value)

"""Weights from files: which are found, which are refused, and that no code of theirs ever runs."""

from __future__ import annotations

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from engine import golden
from open_clip.model import CLIP
from safetensors.torch import save_file

from napari_anoclip.engine import checkpoint
from napari_anoclip.engine.checkpoint import checksum, find_checkpoint, load_weights, read_config
from napari_anoclip.engine.errors import ModelError

# Torch remarks on strange files before it refuses them.
pytestmark = pytest.mark.filterwarnings("ignore")

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


class Code:
    """What an attacker puts into a pickle: unpickled, it makes a folder."""

    def __init__(self, trace):
        self._trace = str(trace)

    def __reduce__(self):
        return os.mkdir, (self._trace,)


def model(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CLIP(**CONFIG).eval()


@pytest.fixture(scope="module")
def trained():
    return model(1)


def assert_loads(file, trained):
    loaded = model(2)
    load_weights(loaded, file)
    assert checksum(loaded) == checksum(trained)


def assert_refused(file, words):
    target = model()
    with pytest.raises(ModelError, match=words) as refused:
        load_weights(target, file)
    assert file.name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_files_of_every_kind_load_every_weight(tmp_path, trained):
    state = trained.state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pt")
    torch.save(state, tmp_path / "c.bin", _use_new_zipfile_serialization=False)
    wrapped = {f"module.{key}": value for key, value in state.items()}
    wrapped["module.logit_scale"] = wrapped["module.logit_scale"].reshape(1)
    torch.save({"epoch": 3, "name": "run", "state_dict": wrapped}, tmp_path / "d.pth")
    for file in sorted(tmp_path.iterdir()):
        assert_loads(file, trained)


def test_half_precision_files_load_into_full_precision(tmp_path, trained):
    torch.save({key: value.half() for key, value in trained.state_dict().items()}, tmp_path / "half.pt")
    loaded = model(2)
    load_weights(loaded, tmp_path / "half.pt")
    assert loaded.visual.proj.dtype == torch.float32
    torch.testing.assert_close(loaded.visual.proj, trained.visual.proj, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("suffix", checkpoint.SUFFIXES)
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_a_sentence(tmp_path, trained, suffix, share):
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".safetensors":
        save_file(trained.state_dict(), whole)
    else:
        torch.save(trained.state_dict(), whole, _use_new_zipfile_serialization=suffix != ".bin")
    content = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: int(share * len(content))])
    assert_refused(cut, "damaged or incomplete")


@pytest.mark.parametrize(
    "content", [b"", b"<!DOCTYPE html><html>404</html>", bytes(600), b"hello world" * 9, b"PK\3\4"]
)
@pytest.mark.parametrize("suffix", checkpoint.SUFFIXES)
def test_a_file_of_another_kind_is_a_sentence(tmp_path, suffix, content):
    file = tmp_path / f"model{suffix}"
    file.write_bytes(content)
    assert_refused(file, "damaged or incomplete")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_plain_pickle_never_runs(tmp_path, protocol):
    file, trace = tmp_path / "model.pt", tmp_path / "it ran"
    file.write_bytes(pickle.dumps(Code(trace), protocol))
    assert_refused(file, "could run code: it was not opened")
    assert not trace.exists()
    pickle.loads(file.read_bytes())
    assert trace.exists(), "this test would have noticed"


@pytest.mark.fault("hostile files", "a checkpoint that is a zip bomb", "memory: nothing of it is unpacked")
def test_a_file_that_unpacks_to_more_than_it_is_is_not_unpacked(tmp_path, trained, sees):
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    with (
        zipfile.ZipFile(tmp_path / "model.pt") as whole,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for part in whole.infolist():
            bomb.writestr(part.filename, whole.read(part) if "/data/" not in part.filename else bytes(1 << 22))
    with pytest.raises(ModelError, match="damaged or incomplete") as refused:
        load_weights(model(), tmp_path / "bomb.pt")
    sees(refused.value)


@pytest.mark.parametrize("archive", [True, False])
def test_code_among_the_weights_never_runs(tmp_path, trained, archive):
    file, trace = tmp_path / "model.pt", tmp_path / "it ran"
    state = {**trained.state_dict(), "extra": Code(trace)}
    torch.save(state, file, _use_new_zipfile_serialization=archive)
    assert_refused(file, "could run code: it was not opened")
    assert not trace.exists()


def test_whole_models_are_refused_as_code(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    assert_refused(tmp_path / "module.pt", "could run code")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "script.pt")
    assert_refused(tmp_path / "script.pt", "could run code")


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {1: torch.zeros(1)}, torch.zeros(3), {"state_dict": {"a": 2}}])
def test_a_file_without_a_table_of_weights_is_a_sentence(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt", "no plain table of weights")


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({"visual.proj": None}, "1 are missing, 0 are unknown, 0 have another shape"),
        (
            {"visual.proj": torch.zeros(32, 17)},
            "0 are missing, 0 are unknown, 1 have another shape .such as visual.proj",
        ),
        ({"extra": torch.zeros(1)}, "0 are missing, 1 are unknown"),
        ({"logit_scale": torch.zeros(3)}, "1 have another shape"),
        ({"logit_scale": None}, "1 are missing"),
    ],
)
def test_weights_of_another_architecture_are_refused_and_nothing_is_loaded(tmp_path, trained, change, counts):
    state = {key: value for key, value in {**trained.state_dict(), **change}.items() if value is not None}
    save_file(state, tmp_path / "other.safetensors")
    before = model()
    with pytest.raises(ModelError, match=counts):
        load_weights(before, tmp_path / "other.safetensors")
    assert checksum(before) == checksum(model())


def test_a_deeper_model_and_an_empty_file_are_of_another_architecture(tmp_path):
    save_file(golden.tiny_model().state_dict(), tmp_path / "tiny.safetensors")
    assert_refused(tmp_path / "tiny.safetensors", "another architecture")
    save_file({}, tmp_path / "empty.safetensors")
    assert_refused(tmp_path / "empty.safetensors", "another architecture")


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    file = tmp_path / "model.pt"
    torch.save({}, file)

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint.torch, "load", denied)  # the tests may run as root, whom no mode bits stop
    assert_refused(file, "may not be read")


def test_the_checksum_is_that_of_the_weights(trained):
    assert checksum(trained) == checksum(model(1))
    assert checksum(trained) != checksum(model(2))
    assert checksum(model(1).bfloat16()) != checksum(trained)
    changed = model(1)
    with torch.no_grad():
        changed.visual.proj[0, 0] += 1e-6
    assert checksum(changed) != checksum(trained)


def test_checkpoints_are_found_with_their_configuration(tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.touch()
    assert find_checkpoint(weights) == (weights, None)
    (tmp_path / checkpoint.CONFIG_NAME).touch()
    assert find_checkpoint(tmp_path) == (weights, tmp_path / checkpoint.CONFIG_NAME)
    (tmp_path / "model.json").touch()
    assert find_checkpoint(weights) == (weights, tmp_path / "model.json")


def test_a_path_that_leads_to_no_checkpoint_is_a_sentence(tmp_path):
    with pytest.raises(ModelError, match="There is no model file"):
        find_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(ModelError, match="holds: none"):
        find_checkpoint(tmp_path)
    for name in ("a.pt", "b.bin", "picture.png"):
        (tmp_path / name).touch()
    with pytest.raises(ModelError, match=r"holds: a\.pt, b\.bin; give the path of the file"):
        find_checkpoint(tmp_path)
    with pytest.raises(ModelError, match=r"picture\.png is no checkpoint"):
        find_checkpoint(tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        (b"\xff\xfe\xff", "cannot be read"),
        ("[1]", "tables"),
        ("null", "tables"),
        (json.dumps({"model_cfg": 3}), "tables"),
        (json.dumps({"model_cfg": CONFIG, "preprocess_cfg": [0.5]}), "tables"),
        ("{}", "embed_dim"),
        (json.dumps({"model_cfg": {**CONFIG, "vision_cfg": {"layers": [3, 4, 6, 3]}}}), "ResNet"),
    ],
)
def test_a_bad_configuration_is_a_sentence(tmp_path, content, words):
    file = tmp_path / "model.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ModelError, match=words):
        read_config(file, tmp_path / "model.pt", None)


def test_both_kinds_of_configuration_are_understood(tmp_path):
    file = tmp_path / "model.json"
    file.write_text(json.dumps(CONFIG))
    assert read_config(file, file, None) == {"model_cfg": CONFIG, "preprocess_cfg": {}}
    whole = {"model_cfg": CONFIG, "preprocess_cfg": {"mean": [0.5] * 3}}
    file.write_text(json.dumps(whole))
    assert read_config(file, file, None) == whole
    named = read_config(file, file, "ViT-B-32")
    assert named["model_cfg"]["vision_cfg"]["width"] == 768


def test_without_a_configuration_the_sentence_says_what_to_do(tmp_path):
    with pytest.raises(ModelError, match=r"put open_clip's open_clip_config\.json beside it"):
        read_config(None, tmp_path / "model.pt", None)


def test_corrupted_bytes_never_raise_anything_but_a_sentence(tmp_path, trained):
    """Random damage in the part that describes the tensors; weights themselves carry no redundancy."""
    files = [tmp_path / "a.safetensors", tmp_path / "b.pt", tmp_path / "c.bin"]
    small = {"visual.proj": trained.visual.proj.detach()}
    save_file(small, files[0])
    torch.save(small, files[1])
    torch.save(small, files[2], _use_new_zipfile_serialization=False)
    random = np.random.default_rng(0)
    for file in files:
        content = file.read_bytes()
        for _ in range(25):
            damaged = bytearray(content)
            for at in random.integers(0, 200, 4):
                damaged[at] = random.integers(256)
            file.write_bytes(damaged)
            with pytest.raises(ModelError):
                load_weights(torch.nn.Linear(2, 2), file)

"""Pretrained weights: found on this machine, or fetched when asked for, by the hub's real client from a local hub."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import huggingface_hub
import pytest

from napari_anoclip.engine import download
from napari_anoclip.engine.download import (
    LocalModel,
    default_models_folder,
    fetchable_models,
    local_models,
    local_or_downloaded,
    pretrained_config,
    registered,
    remote_model,
)
from napari_anoclip.engine.errors import Cancelled, DownloadError, ModelError
from napari_anoclip.engine.progress import Reporter

# The client keeps its connections, with what it was told of being offline; before its version 1 under another name.
close_session = getattr(huggingface_hub.utils, "close_session", None) or huggingface_hub.utils.reset_sessions

REPOSITORY, FILENAME = "someone/a-clip", "open_clip_model.safetensors"
ENTRY = {"hf_hub": f"{REPOSITORY}/"}
WEIGHTS = bytes(range(256)) * 5000


class Hub:
    """A hub with one repository that holds one file."""

    def __init__(self):
        self.sent = WEIGHTS
        self.requests = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                hub.requests.append(self.path)
                if self.path.startswith(f"/api/models/{REPOSITORY}/tree/"):
                    lfs = {"oid": hashlib.sha256(WEIGHTS).hexdigest(), "size": len(WEIGHTS), "pointerSize": 130}
                    about = {"type": "file", "oid": "0" * 40, "size": len(WEIGHTS), "path": FILENAME, "lfs": lfs}
                    self.reply(json.dumps([about]).encode())
                elif self.path.startswith(f"/api/models/{REPOSITORY}"):
                    self.reply(json.dumps({"id": REPOSITORY, "sha": "1" * 40, "siblings": []}).encode())
                elif re.fullmatch(f"/{REPOSITORY}/resolve/[^/]+/{re.escape(FILENAME)}", self.path):
                    self.reply(hub.sent)
                else:
                    self.send_error(404)

            def reply(self, content):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                """The tests' output stays clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    local = Hub()
    thread = Thread(target=local.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    client = partial(huggingface_hub.HfFileSystem, endpoint=local.url, skip_instance_cache=True)
    monkeypatch.setattr(download.huggingface_hub, "HfFileSystem", client)
    yield local
    local.server.shutdown()
    local.server.server_close()
    thread.join()


def fetch(folder, *, download=True, on_progress=None, cancel=None):
    return local_or_downloaded(
        ENTRY, "a CLIP", download=download, models_folder=folder, reporter=Reporter(on_progress, cancel)
    )


def files_in(folder):
    return [file for file in folder.rglob("*") if file.is_file()]


def test_nothing_is_fetched_unless_asked_for(hub, tmp_path):
    with pytest.raises(DownloadError, match=r"a CLIP is not on this machine\. Ask for its download, or give the path"):
        fetch(tmp_path, download=False)
    assert hub.requests == []
    assert files_in(tmp_path) == []


def test_a_model_is_fetched_once_and_then_found_without_the_hub(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_CHUNK_BYTES", 100_000)
    seen = []
    file = fetch(tmp_path / "new", on_progress=seen.append)
    assert file.read_bytes() == WEIGHTS
    assert files_in(tmp_path) == [file]
    assert {progress.stage for progress in seen} == {"downloading model"}
    done = [progress.done for progress in seen]
    assert done == sorted(set(done))
    assert len(done) > 10
    assert (done[-1], seen[-1].total) == (len(WEIGHTS), len(WEIGHTS))

    hub.requests.clear()
    assert fetch(tmp_path / "new", download=False) == file
    assert fetch(tmp_path / "new", download=True) == file
    assert hub.requests == []


def test_cancelling_stops_the_stream_and_leaves_nothing(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_CHUNK_BYTES", 100_000)
    cancel, seen = Event(), []

    def stop_at_a_third(progress):
        seen.append(progress.done)
        if progress.done > len(WEIGHTS) / 3:
            cancel.set()

    with pytest.raises(Cancelled):
        fetch(tmp_path, on_progress=stop_at_a_third, cancel=cancel)
    assert max(seen) < len(WEIGHTS) / 2
    assert files_in(tmp_path) == []
    assert fetch(tmp_path).read_bytes() == WEIGHTS


def test_cancelled_before_it_starts_asks_no_hub(hub, tmp_path):
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        fetch(tmp_path, cancel=cancel)
    assert hub.requests == []


@pytest.mark.fault(
    "models and downloads", "a download that arrives short or changed", "nothing of it stays; the next download works"
)
@pytest.mark.parametrize("sent", [WEIGHTS[:-1], WEIGHTS[:1000], b"", WEIGHTS[:-1] + b"?"])
def test_a_file_that_arrives_wrong_is_not_kept(hub, tmp_path, sent, sees):
    hub.sent = sent
    with pytest.raises(DownloadError, match="could not be downloaded") as refused:
        fetch(tmp_path)
    sees(refused.value)
    assert files_in(tmp_path) == []
    hub.sent = WEIGHTS
    assert fetch(tmp_path).read_bytes() == WEIGHTS


def test_a_repository_that_is_not_there_is_a_sentence(hub, tmp_path):
    with pytest.raises(DownloadError, match="could not be downloaded"):
        local_or_downloaded(
            {"hf_hub": "nobody/nothing/"}, "it", download=True, models_folder=tmp_path, reporter=Reporter()
        )


def test_without_a_network_the_sentence_says_what_to_do(tmp_path, monkeypatch):
    client = partial(huggingface_hub.HfFileSystem, endpoint="http://127.0.0.1:9", skip_instance_cache=True)
    monkeypatch.setattr(download.huggingface_hub, "HfFileSystem", client)
    with pytest.raises(
        DownloadError, match=r"Check the network and the space in .* or give the path of a file"
    ) as refused:
        fetch(tmp_path)
    assert "a CLIP" in str(refused.value)
    assert files_in(tmp_path) == []


def test_offline_mode_of_the_hubs_client_is_obeyed(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    close_session()
    try:
        with pytest.raises(DownloadError, match="OfflineModeIsEnabled"):
            fetch(tmp_path)
    finally:
        close_session()
    assert hub.requests == []


@pytest.mark.fault("models and downloads", "a disk that takes no download", "nothing half written stays")
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_a_disk_that_takes_nothing_is_a_sentence(hub, tmp_path, monkeypatch, error, sees):
    def refuse(*args, **kwargs):
        raise error

    monkeypatch.setattr(download.Path, "open", refuse)
    with pytest.raises(DownloadError, match="the space in") as refused:
        fetch(tmp_path)
    sees(refused.value)


def test_what_open_clip_has_fetched_before_is_used_where_it_is(hub, tmp_path, monkeypatch):
    known = tmp_path / "shared.safetensors"
    asked = []

    def look(repository, filename):
        asked.append((repository, filename))
        return str(known)

    monkeypatch.setattr(download.huggingface_hub, "try_to_load_from_cache", look)
    assert fetch(tmp_path / "models", download=False) == known
    assert asked == [(REPOSITORY, FILENAME)]
    assert hub.requests == []


def test_an_entry_may_name_its_file(tmp_path):
    file = tmp_path / "someone--a-clip" / "other.bin"
    file.parent.mkdir()
    file.touch()
    entry = {"hf_hub": f"{REPOSITORY}/other.bin"}
    options = {"download": False, "models_folder": tmp_path, "reporter": Reporter()}
    assert local_or_downloaded(entry, "it", **options) == file


def test_models_live_in_the_users_data_folder():
    assert default_models_folder().parts[-2:] == ("napari-anoclip", "models")


def test_the_registrys_entries_are_found_or_named():
    entry = pretrained_config("ViT-B-16-plus-240", "laion400m_e32")
    assert entry["hf_hub"].count("/") == 2
    with pytest.raises(ModelError, match=r"knows no weights 'laion9b' of ViT-B-16-plus-240; it knows: .*laion400m_e32"):
        pretrained_config("ViT-B-16-plus-240", "laion9b")
    with pytest.raises(ModelError, match="it knows: none"):
        pretrained_config("ViT-M-16", "laion400m_e32")


def test_weights_that_no_hub_has_must_be_fetched_by_hand(monkeypatch):
    monkeypatch.setattr(download.open_clip, "get_pretrained_cfg", lambda *names: {"url": "https://example.org/a.pt"})
    with pytest.raises(ModelError, match="fetched by hand"):
        pretrained_config("ViT-B-32", "somewhere")


@pytest.fixture
def registry(monkeypatch):
    """open_clip's registry, with one set of weights on the hub, known by two tags."""

    def entry(architecture, tag):
        return ENTRY if (architecture, tag) in {("ViT-B-32", "openai"), ("ViT-B-32-quickgelu", "openai")} else {}

    monkeypatch.setattr(download.open_clip, "get_pretrained_cfg", entry)


def test_a_machine_without_models_has_none(registry, tmp_path):
    assert local_models(tmp_path / "not there") == []
    assert local_models(tmp_path) == []


def test_models_on_this_machine_are_listed_by_name_each_once(registry, tmp_path):
    fetched = tmp_path / "someone--a-clip" / FILENAME
    own = tmp_path / "mine" / "Model.pt"
    loose = tmp_path / "loose.safetensors"
    for file, content in ((fetched, b"123"), (own, b"4567"), (loose, b"")):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content)
    (tmp_path / f"{FILENAME}.abc.part").write_bytes(b"half a download")
    (tmp_path / "mine" / "open_clip_config.json").write_text("{}")
    (tmp_path / "folder.pt").mkdir()
    assert local_models(tmp_path) == [
        LocalModel("ViT-B-32:openai", fetched, 3),
        LocalModel(str(loose), loose, 0),
        LocalModel(str(own), own, 4),
    ]


def test_what_open_clip_has_fetched_before_is_listed(registry, tmp_path, monkeypatch):
    shared = tmp_path / "cache" / "weights.safetensors"
    shared.parent.mkdir()
    shared.write_bytes(b"12345")
    monkeypatch.setattr(
        download.huggingface_hub,
        "try_to_load_from_cache",
        lambda *names: str(shared) if names[0] == REPOSITORY else None,
    )
    assert local_models(tmp_path / "models") == [LocalModel("ViT-B-32:openai", shared, 5)]


def test_what_can_be_fetched_is_all_that_the_hub_has_and_the_method_works_on(registry):
    assert fetchable_models() == ["ViT-B-32-quickgelu:openai", "ViT-B-32:openai"]


def test_what_can_be_fetched_is_known_without_the_hub_and_can_be_loaded_by_its_name(monkeypatch):
    monkeypatch.setattr(download.huggingface_hub, "HfFileSystem", None)
    names = fetchable_models()
    assert "ViT-B-16-plus-240:laion400m_e32" in names
    assert names == sorted(set(names), key=str.lower)
    assert not any(name.startswith(("RN50", "coca_", "convnext_")) for name in names)
    for name in names:
        _, entry = registered(name)
        assert entry["hf_hub"]


def test_the_hub_tells_the_size_before_anything_is_fetched(hub, registry, tmp_path):
    remote = remote_model("ViT-B-32:openai", tmp_path)
    assert remote.bytes == len(WEIGHTS)
    assert remote.source == f"{REPOSITORY}/{FILENAME}"
    assert remote.path == tmp_path / "someone--a-clip" / FILENAME
    assert files_in(tmp_path) == []
    assert not any("resolve" in request for request in hub.requests)
    assert fetch(tmp_path) == remote.path, "that is where it goes"


def test_a_hub_that_does_not_answer_leaves_a_way_by_hand(registry, tmp_path, monkeypatch):
    client = partial(huggingface_hub.HfFileSystem, endpoint="http://127.0.0.1:9", skip_instance_cache=True)
    monkeypatch.setattr(download.huggingface_hub, "HfFileSystem", client)
    with pytest.raises(DownloadError, match=rf"get {FILENAME} of {REPOSITORY} another way and give the path"):
        remote_model("ViT-B-32:openai", tmp_path)


def test_the_hub_is_not_asked_about_a_model_that_would_not_work(hub, registry, tmp_path):
    with pytest.raises(ModelError, match="ResNet"):
        remote_model("RN50:openai", tmp_path)
    assert hub.requests == []

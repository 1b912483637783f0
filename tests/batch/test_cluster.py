"""The same work by several processes: nothing lost, nothing twice, whoever dies."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import psutil
import pytest
from batch.deadly import DEADLY, Deadly
from distributed import Client, LocalCluster, utils
from forking import forking
from PIL import Image

from napari_anoclip.batch import cluster, cluster_connection, cluster_worker
from napari_anoclip.batch.cluster import ClusterError, ClusterSettings, score_on_cluster
from napari_anoclip.batch.cluster_connection import check, connected, probed
from napari_anoclip.batch.cluster_worker import Job
from napari_anoclip.batch.inputs import find_inputs, read_input
from napari_anoclip.batch.outputs import OutputSettings, Scale, read_map
from napari_anoclip.batch.pipeline import score
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Record, Records
from napari_anoclip.engine import AnoCLIPSettings, PromptSet
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.mutual import Others
from napari_anoclip.engine.settings import MutualSettings

RECIPE = Recipe(prompts=PromptSet.preset("short", "plate"))
OUTPUT = OutputSettings()
FAILURES = 1
"""Deaths that the scheduler of the tests forgives a batch."""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills its workers with a signal")


@pytest.fixture(scope="module", autouse=True)
def quick_processes():
    """Workers are forked from a process that has everything imported, which spares seconds a death."""
    utils._forkserver_preload_set = True  # or else distributed would set its own list
    everything = "distributed", "napari_anoclip.batch.cluster_worker", "napari_anoclip.batch.pipeline"
    forked = {"distributed.worker.multiprocessing-method": "forkserver", "distributed.nanny.pre-spawn-environ": {}}
    with forking(*everything), dask.config.set(forked):
        yield


@pytest.fixture(scope="module")
def address(quick_processes):
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        scheduler_kwargs={"allowed_failures": FAILURES},
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def client(address):
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def model():
    return RECIPE.model.load()


@pytest.fixture(scope="module")
def scale(model):
    return Scale.of(model, RECIPE)


def draw(folder: Path, count: int) -> Path:
    folder.mkdir()
    random = np.random.default_rng(7)
    for number in range(count):
        picture = 120 + 10 * random.standard_normal((60, 80))
        picture[10:20, 5 + number : 15 + number] = 255
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"plate {number}.png")
    return folder


@pytest.fixture
def on_cluster(model, scale, address, tmp_path):
    """Begin to score a folder into "out"."""

    def begin(folder: Path, **options):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        settings = options.pop("settings", ClusterSettings(scheduler=address, batch=4))
        recipe = options.pop("recipe", RECIPE)
        options = {"scale": scale, "model_id": model.model_id, **options}
        return score_on_cluster(find_inputs([folder]), recipe, out, OUTPUT, settings, **options)

    return begin


def assert_same(found: list[Record], expected: list[Record], out: Path, plain: Path, scale: Scale) -> None:
    by_key = {record.key: record for record in found}
    assert len(by_key) == len(found) == len(expected)
    for one in expected:
        other = by_key[one.key]
        # Batches of other sizes add up in another order.
        roundings = {name: pytest.approx(getattr(one, name), abs=1e-5) for name in ("score", "maximum")}
        assert {name: getattr(other, name) for name in roundings} == roundings
        same = ("path", "file_digest", "recipe_digest", "threshold", "size", "error")
        assert [getattr(other, name) for name in same] == [getattr(one, name) for name in same]
        assert [region.measures.area for region in other.regions] == [region.measures.area for region in one.regions]
        np.testing.assert_allclose(read_map(other.map, out, scale), read_map(one.map, plain, scale), atol=1e-3)
        assert Records(out).get(one.key) == other


@pytest.mark.fault(
    "cluster workers", "a worker is killed (SIGKILL)", "every image, once", sees="nothing: another worker does its work"
)
def test_a_worker_is_killed_in_mid_work_and_every_image_is_there_once(client, on_cluster, model, scale, tmp_path):
    folder = draw(tmp_path / "pictures", 24)
    records = on_cluster(folder)
    found = [next(records)]
    busy = [worker for worker, tasks in client.processing().items() if tasks]
    victim = client.run(os.getpid)[busy[-1]]
    os.kill(victim, signal.SIGKILL)
    found += records
    assert not psutil.pid_exists(victim)
    plain = tmp_path / "plain"
    plain.mkdir()
    expected = list(score(model, find_inputs([folder]), RECIPE, plain, OUTPUT, scale=scale))
    assert_same(found, expected, tmp_path / "out", plain, scale)


@pytest.mark.fault("cluster workers", "an image that kills every worker that takes it", "all other images")
def test_an_image_that_kills_its_workers_is_named_and_the_rest_is_done(client, on_cluster, tmp_path, sees):
    folder = draw(tmp_path / "pictures", 8)
    (folder / "plate 3.png").rename(folder / f"plate 3 {DEADLY}.png")
    client.register_plugin(Deadly())
    found = list(on_cluster(folder))
    client.unregister_worker_plugin(Deadly.name)
    assert Counter(record.key for record in found) == Counter(path.name for path in folder.iterdir())
    [guilty] = [record for record in found if record.failed]
    assert guilty.key == f"plate 3 {DEADLY}.png"
    assert f"{FAILURES + 1} workers died" in sees(guilty.error)
    assert Records(tmp_path / "out").get(guilty.key) == guilty


@pytest.mark.fault(
    "cluster workers", "all workers are killed at once", "every image, once", sees="nothing: new workers do the work"
)
def test_all_workers_are_killed_at_once_and_with_them_what_images_are_compared_with(
    client, on_cluster, model, scale, tmp_path
):
    folder = draw(tmp_path / "pictures", 8)
    settings = AnoCLIPSettings(mutual=MutualSettings(enabled=True))
    recipe = RECIPE.model_copy(update={"settings": settings})
    others = Others.gather(model, [read_input(one) for one in find_inputs([folder])], settings)
    records = on_cluster(folder, recipe=recipe, others=others)
    found = [next(records)]
    for victim in client.run(os.getpid).values():
        os.kill(victim, signal.SIGKILL)
    found += records
    plain = tmp_path / "plain"
    plain.mkdir()
    expected = list(score(model, find_inputs([folder]), recipe, plain, OUTPUT, scale=scale, others=others))
    assert_same(found, expected, tmp_path / "out", plain, scale)


def test_what_a_batch_had_finished_before_is_not_done_again(client, on_cluster, tmp_path):
    folder = draw(tmp_path / "pictures", 3)
    first = list(on_cluster(folder))
    again = list(on_cluster(folder))
    assert sorted(again, key=str) == sorted(first, key=str)  # seconds and all


@pytest.mark.fault("cluster workers", "workers that have other weights", "nothing is scored")
def test_other_weights_than_here_are_refused(client, on_cluster, tmp_path, sees):
    with pytest.raises(ClusterError, match="other weights than the one here: copy the same file") as refused:
        list(on_cluster(draw(tmp_path / "pictures", 1), model_id="another"))
    sees(refused.value)


@pytest.mark.fault("cluster workers", "a worker that does not see the folder", "nothing is scored")
def test_a_worker_that_does_not_see_the_folder_is_named(client, on_cluster, tmp_path, monkeypatch, sees):
    if sys.platform != "linux":
        pytest.skip("needs a path that is another folder for each process")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    job = Job(RECIPE, Path("/proc/self/cwd/out"), OUTPUT, Scale(0, 1, 0.5), "", None, "")
    with (
        probed(job.out) as probe,
        pytest.raises(
            ClusterError, match="does not see the folder /proc/self/cwd/out: all workers must see"
        ) as refused,
    ):
        check(client, replace(job, probe=probe))
    sees(refused.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.fault("cluster workers", "a worker of another version", "nothing is scored")
def test_a_worker_of_another_version_is_named(client, tmp_path, sees):
    with probed(tmp_path) as probe:
        job = Job(RECIPE, tmp_path, OUTPUT, Scale(0, 1, 0.5), "", None, probe)
        check(client, job)
        with pytest.raises(ClusterError, match="install the same version on all machines") as refused:
            check(client, replace(job, version="0.0.1"))
        sees(refused.value)


@pytest.mark.fault("cluster workers", "no scheduler answers", "nothing is scored")
def test_no_scheduler_is_said_within_seconds(on_cluster, tmp_path, monkeypatch, sees):
    monkeypatch.setattr(cluster_connection, "CONNECT_SECONDS", 1.0)
    began = time.monotonic()
    with pytest.raises(
        ClusterError, match=r"No scheduler answers at tcp://127\.0\.0\.1:1: check the address"
    ) as refused:
        list(on_cluster(draw(tmp_path / "pictures", 1), settings=ClusterSettings(scheduler="tcp://127.0.0.1:1")))
    sees(refused.value)
    assert time.monotonic() - began < 5


@pytest.mark.fault("cluster workers", "a scheduler without workers", "nothing is scored")
def test_a_scheduler_without_workers_is_not_waited_for_forever(on_cluster, tmp_path, sees):
    with LocalCluster(
        n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
    ) as empty:
        settings = ClusterSettings(scheduler=empty.scheduler_address, patience=0.5)
        with pytest.raises(ClusterError, match=r"no workers for 0.5 seconds: start some") as refused:
            list(on_cluster(draw(tmp_path / "pictures", 1), settings=settings))
        sees(refused.value)


@pytest.mark.fault(
    "cluster workers",
    "a run on workers of this machine is cancelled",
    "what was finished; no process is left",
    sees="how to go on",
)
def test_cancelled_workers_of_this_machine_are_gone_and_finished_work_is_whole(on_cluster, tmp_path):
    folder, cancel, before = draw(tmp_path / "pictures", 30), threading.Event(), children()
    records = on_cluster(folder, settings=ClusterSettings(workers=1, threads=1, batch=2), cancel=cancel)
    first = next(records)
    assert len(children() - before) >= 1
    cancel.set()
    with pytest.raises(Cancelled):
        list(records)
    assert children() == before
    out = tmp_path / "out"
    assert Records(out).get(first.key) == first
    written = [Record.model_validate_json(file.read_bytes()) for file in (out / "records").rglob("*.json")]
    assert 1 <= len(written) < 30
    assert all(OUTPUT.finished(record.map, out) for record in written)


def test_an_error_of_whoever_takes_the_records_leaves_no_worker_behind(on_cluster, tmp_path):
    before = children()
    records = on_cluster(draw(tmp_path / "pictures", 4), settings=ClusterSettings(workers=1, batch=1))
    next(records)
    records.close()
    assert children() == before


def test_what_images_are_compared_with_leaves_the_device_that_it_was_gathered_on():
    class Gathered:
        def to(self, device):
            return f"on {device}"

    dispatcher = cluster._Dispatcher(None, None, None, ClusterSettings(), [], Gathered(), None)
    assert dispatcher._others == "on cpu"


def test_batches_of_a_worker_share_the_room_for_tokens(model):
    shared = cluster_worker._InTurns(model)
    assert cluster_worker.BATCHES * shared.token_cache_bytes <= model.token_cache_bytes


@pytest.mark.fault("cluster workers", "distributed is not installed", "nothing is scored")
def test_without_the_library_the_command_is_named(monkeypatch, sees):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r'pip install "napari-anoclip\[distributed\]"') as refused:
        connected(ClusterSettings()).__enter__()
    sees(refused.value)


def test_a_scheduler_and_workers_of_this_machine_exclude_each_other():
    with pytest.raises(ValueError, match="not both"):
        ClusterSettings(scheduler="tcp://somewhere:8786", workers=2)


def children() -> set[int]:
    """Processes of ours that live, and theirs, without those that Python starts once and keeps."""
    return {
        child.pid
        for child in psutil.Process().children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "tracker" not in " ".join(child.cmdline())
    }

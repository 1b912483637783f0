"""The embedding cache: bounded, shared by processes, and never in the way."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from napari_anoclip.engine.embedding_cache import FILE_NAME, EmbeddingCache


def vectors(names, seed=0, width=16):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=width).astype(np.float32) for name in names}


def assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name])


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_was_put_is_got_by_its_model_and_prompt(on_disk, tmp_path):
    cache = EmbeddingCache(tmp_path if on_disk else None)
    known = vectors(["a", "b", "Größe, 漆"])
    cache.put("model", known)
    assert_same(cache.get("model", [*known, "c", "a"]), known)
    assert cache.get("other", known) == {}


def test_the_next_start_finds_it_on_disk(tmp_path):
    known = vectors(map(str, range(1200)))
    EmbeddingCache(tmp_path).put("model", known)
    assert_same(EmbeddingCache(tmp_path).get("model", known), known)


def test_newer_embeddings_replace_older_ones(tmp_path):
    EmbeddingCache(tmp_path).put("model", vectors(["a"], seed=1))
    EmbeddingCache(tmp_path).put("model", vectors(["a"], seed=2))
    assert_same(EmbeddingCache(tmp_path).get("model", ["a"]), vectors(["a"], seed=2))


def test_memory_is_bounded_and_forgets_the_longest_unused():
    cache = EmbeddingCache(None, max_bytes=4 * 64)
    cache.put("model", vectors("abcd"))
    cache.get("model", "a")
    cache.put("model", vectors("e"))
    assert set(cache.get("model", "abcde")) == set("acde")


def test_disk_is_bounded_and_drops_the_oldest(tmp_path):
    bound = 200_000
    for batch in range(30):
        EmbeddingCache(tmp_path, max_bytes=bound).put("model", vectors([f"{batch}-{i}" for i in range(20)], width=512))
    files = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert files < 2 * bound
    found = EmbeddingCache(tmp_path).get("model", [f"{batch}-0" for batch in range(30)])
    assert "29-0" in found
    assert "0-0" not in found


def test_given_arrays_stay_the_callers_own():
    cache = EmbeddingCache(None)
    mine = vectors(["a"])
    before = mine["a"].copy()
    cache.put("model", mine)
    mine["a"][:] = 0
    np.testing.assert_array_equal(cache.get("model", ["a"])["a"], before)


@pytest.mark.fault(
    "caches and disks",
    "the cache of embeddings is damaged: {case}",
    "the damaged file, aside; what is encoded from now on",
    sees="nothing: prompts are encoded again",
)
@pytest.mark.parametrize("damage", ["no database", "cut", "pages overwritten"])
def test_damaged_file_is_put_aside_and_begun_anew(damage, tmp_path):
    path = tmp_path / FILE_NAME
    known = vectors(map(str, range(500)))
    EmbeddingCache(tmp_path).put("model", known)
    data = path.read_bytes()
    if damage == "no database":
        path.write_bytes(b"\x00\xff" * 5000)
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    cache = EmbeddingCache(tmp_path)
    found = cache.get("model", known)
    assert all(np.array_equal(found[name], known[name]) for name in found)
    cache.put("model", known)
    assert_same(EmbeddingCache(tmp_path).get("model", known), known)


def test_a_flipped_bit_is_noticed(tmp_path):
    EmbeddingCache(tmp_path).put("model", vectors("ab"))
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("UPDATE embeddings SET vector = zeroblob(64) WHERE prompt = 'a'")
    assert set(EmbeddingCache(tmp_path).get("model", "ab")) == {"b"}


def test_unusable_folder_leaves_the_memory_part_and_says_so_once(tmp_path, caplog):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    cache = EmbeddingCache(in_the_way)
    with caplog.at_level(logging.WARNING):
        cache.put("model", vectors("a"))
        cache.put("model", vectors("b"))
        assert set(cache.get("model", "abc")) == {"a", "b"}
    assert len(caplog.records) == 1
    assert "memory only" in caplog.text


@pytest.mark.fault(
    "caches and disks",
    "the cache of embeddings can only be read",
    "all embeddings, in memory",
    sees="nothing: a line in the log",
)
def test_read_only_database_leaves_the_memory_part(tmp_path, caplog, monkeypatch):
    EmbeddingCache(tmp_path).put("model", vectors("a"))
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **kwargs: connect(f"file:{path}?mode=ro", uri=True, **kwargs))
    cache = EmbeddingCache(tmp_path)
    with caplog.at_level(logging.WARNING):
        cache.put("model", vectors("b"))
        assert "b" in cache.get("model", "b")
    assert "readonly" in caplog.text


@pytest.mark.fault(
    "caches and disks",
    "the disk is full (a limit of the system) while embeddings are kept",
    "all embeddings, in memory",
    sees="nothing: a line in the log",
)
@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX systems can")
def test_full_disk_leaves_the_memory_part(tmp_path):
    script = """
        import resource, sys
        import numpy as np
        from pathlib import Path
        from napari_anoclip.engine.embedding_cache import EmbeddingCache
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        cache = EmbeddingCache(Path(sys.argv[1]))
        for name in range(200):
            cache.put("model", {str(name): np.full(1000, name, np.float32)})
        assert len(cache.get("model", map(str, range(200)))) == 200
    """
    ended = run(script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("memory only") == 1


@pytest.mark.fault(
    "caches and disks", "three processes write one cache of embeddings", "the embeddings of all three", sees="nothing"
)
def test_two_processes_share_a_folder(tmp_path):
    script = """
        import sys
        import numpy as np
        from pathlib import Path
        from napari_anoclip.engine.embedding_cache import EmbeddingCache
        cache = EmbeddingCache(Path(sys.argv[1]))
        for name in range(100):
            cache.put("model", {f"{sys.argv[2]} {name}": np.full(64, name, np.float32)})
            cache.get("model", [f"{other} {name}" for other in "xyz"])
    """
    running = [start(script, tmp_path, process) for process in "xyz"]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    everything = [f"{process} {name}" for process in "xyz" for name in range(100)]
    found = EmbeddingCache(tmp_path).get("model", everything)
    assert len(found) == 300
    assert all(found[name][0] == int(name.split()[1]) for name in everything)


def start(script, *arguments):
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)])


def run(script, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, timeout=120, check=False, capture_output=True, text=True)

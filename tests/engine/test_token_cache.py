"""The cache of tokens: bounded by bytes, the least recently used dropped first."""

from __future__ import annotations

from threading import Thread

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_anoclip.engine.token_cache import TokenCache


def tokens(count, dtype=torch.float32):
    return (torch.zeros(count, dtype=dtype),)


def test_what_was_put_is_what_is_got():
    cache = TokenCache(1000)
    kept = (torch.ones(3), torch.ones(2, 2))
    cache.put("image", kept)
    assert cache.get("image") is kept
    assert cache.get("other") is None
    assert cache.bytes == 4 * 3 + 4 * 4


def test_the_least_recently_used_is_dropped_first():
    cache = TokenCache(4 * 30)
    for name in "abc":
        cache.put(name, tokens(10))
    cache.get("a")
    cache.put("d", tokens(10))
    assert cache.get("b") is None
    assert all(cache.get(name) is not None for name in "acd")
    cache.put("e", tokens(30))
    assert cache.get("e") is not None
    assert cache.bytes == 4 * 30


def test_an_entry_larger_than_the_bound_is_not_kept_and_drops_no_other():
    cache = TokenCache(100)
    cache.put("small", tokens(10))
    cache.put("large", tokens(26))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_a_key_put_again_counts_once():
    cache = TokenCache(1000)
    cache.put("image", tokens(10))
    cache.put("image", tokens(20, torch.float16))
    assert cache.bytes == 40
    cache.put("image", tokens(1000))  # too large: the old tokens are wrong now, and gone too
    assert cache.get("image") is None
    assert cache.bytes == 0


def test_cleared_is_empty():
    cache = TokenCache(1000)
    cache.put("image", tokens(10))
    cache.clear()
    assert cache.get("image") is None
    assert cache.bytes == 0


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=40))
def test_the_bound_holds_and_bytes_are_those_of_the_entries(puts):
    cache = TokenCache(200)
    for key, count in puts:
        cache.put(key, tokens(count))
        assert cache.bytes <= 200
        held = [entry for entry in map(cache.get, range(6)) if entry is not None]
        assert cache.bytes == sum(4 * entry[0].numel() for entry in held)


def test_threads_leave_the_count_right():
    cache = TokenCache(4 * 50)

    def work(seed):
        for step in range(300):
            cache.put((seed * step) % 7, tokens(step % 13))
            cache.get(step % 7)

    threads = [Thread(target=work, args=(seed,)) for seed in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.bytes == sum(4 * entry[0].numel() for entry in map(cache.get, range(7)) if entry is not None)
    assert cache.bytes <= 200


def test_a_lower_bound_drops_the_longest_unused_at_once():
    cache = TokenCache(1000)
    for key in "abc":
        cache.put(key, (torch.zeros(50),))
    cache.get("a")
    cache.max_bytes = 450
    assert cache.bytes == 400
    assert cache.get("b") is None
    assert cache.get("a") is not None
    cache.max_bytes = 0
    assert cache.bytes == 0
    cache.max_bytes = 300
    cache.put("d", (torch.zeros(50),))
    assert cache.bytes == 200

"""Batches that shrink when memory runs out."""

from __future__ import annotations

import weakref
from itertools import chain

import pytest
import torch

from napari_anoclip.engine.batching import is_out_of_memory, run_in_batches
from napari_anoclip.engine.errors import Cancelled, DeviceMemoryError

OUT_OF_MEMORY = [
    torch.cuda.OutOfMemoryError("simulated"),
    MemoryError(),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def items_up_to(limit, error):
    """A function that does ranges of at most `limit` items, and the ranges it was asked for."""
    asked = []

    def function(start, stop):
        asked.append((start, stop))
        if stop - start > limit:
            raise error
        return list(range(start, stop))

    return function, asked


@pytest.mark.parametrize(("count", "batch_size"), [(0, 4), (1, 4), (4, 4), (10, 4), (3, 1)])
def test_every_item_is_done_once_in_order(count, batch_size):
    function, asked = items_up_to(batch_size, AssertionError())
    parts = run_in_batches(function, count, batch_size)
    assert list(chain(*parts)) == list(range(count))
    assert len(asked) == -(-count // batch_size)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: f"{type(error).__name__} {error}"[:40])
def test_out_of_memory_halves_the_batch_and_goes_on(error):
    function, asked = items_up_to(3, error)
    assert list(chain(*run_in_batches(function, 20, 16))) == list(range(20))
    assert asked[:4] == [(0, 16), (0, 8), (0, 4), (0, 2)]
    assert all(stop - start <= 2 for start, stop in asked[3:]), "a batch that was too large is not tried again"


def test_memory_that_runs_out_later_repeats_only_the_batch_that_failed():
    asked = []

    def function(start, stop):
        asked.append((start, stop))
        if start >= 8 and stop - start > 2:
            raise MemoryError
        return start

    run_in_batches(function, 12, 4)
    assert asked == [(0, 4), (4, 8), (8, 12), (8, 10), (10, 12)]


@pytest.mark.fault("memory", "the GPU has no memory for a single tile", "the model; the next run works")
def test_a_single_item_that_does_not_fit_is_a_sentence(sees):
    function, asked = items_up_to(0, torch.cuda.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(DeviceMemoryError, match="single item") as refused:
        run_in_batches(function, 5, 4)
    sees(refused.value)
    assert asked == [(0, 4), (0, 2), (0, 1)]


@pytest.mark.parametrize("error", [RuntimeError("shapes cannot be multiplied"), ValueError("no"), Cancelled("stop")])
def test_other_errors_are_passed_on_at_once(error):
    function, asked = items_up_to(0, error)
    with pytest.raises(type(error)) as raised:
        run_in_batches(function, 5, 4)
    assert raised.value is error
    assert len(asked) == 1
    assert not is_out_of_memory(error)


def test_progress_counts_items_and_can_stop_between_batches():
    seen, done = [], []

    def stop_at_six(items, count):
        seen.append((items, count))
        if items >= 6:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run_in_batches(lambda start, stop: done.append((start, stop)), 10, 3, stop_at_six)
    assert seen == [(0, 10), (3, 10), (6, 10)]
    assert done == [(0, 3), (3, 6)]

    seen.clear()
    run_in_batches(lambda start, stop: None, 5, 3, lambda *step: seen.append(step))
    assert seen == [(0, 5), (3, 5), (5, 5)]


def test_a_failed_batch_has_let_go_of_its_tensors_before_the_next():
    """Otherwise the smaller batch would meet the memory that the larger one still holds."""
    held = []

    def function(start, stop):
        if held:
            assert held[0]() is None
        tensor = torch.zeros(stop - start)
        held.append(weakref.ref(tensor))
        if stop - start > 1:
            raise MemoryError
        del tensor
        return start

    assert run_in_batches(function, 2, 2) == [0, 1]

"""The same work on many machines: batches of images are handed to the workers of a Dask cluster.

Workers write results where the plain loop would, by the same code; only records come back. What can happen to a machine
decides the design: a worker that dies costs a batch that is done again, and an image that kills its workers is found
and named, so that it does not stop the others.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import torch

from napari_anoclip.batch import cluster_worker
from napari_anoclip.batch.cluster_connection import POLL_SECONDS, ClusterSettings, Workers, check, connected, probed
from napari_anoclip.batch.cluster_worker import ClusterError, Job
from napari_anoclip.batch.inputs import Input
from napari_anoclip.batch.outputs import OutputSettings, Scale, said_in_words
from napari_anoclip.batch.pipeline import known, recipe_digest
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Record, Records
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter

if TYPE_CHECKING:
    from distributed import Client, Future

    from napari_anoclip.engine.mutual import Others

    _Scored = Future[list[Record]]

__all__ = ["ClusterError", "ClusterSettings", "score_on_cluster"]

AHEAD = cluster_worker.BATCHES
"""Batches of each worker that are handed out."""

SMALLEST = 4
"""Images of a batch towards the end."""

FETCH_SECONDS = 5.0


def score_on_cluster(
    inputs: Iterable[Input],
    recipe: Recipe,
    out: Path,
    output: OutputSettings,
    cluster: ClusterSettings,
    *,
    scale: Scale,
    model_id: str,
    others: Others | None = None,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Generator[Record, None, None]:
    """Score images on the workers of a cluster.

    Parameters
    ----------
    inputs : iterable of Input
        The images, taken a few batches at a time; workers must see their files under the same paths.
    recipe : Recipe
        What is done to each.
    out : Path
        Folder of the results, which is there, and which workers see under the same path.
    output : OutputSettings
        Which results.
    cluster : ClusterSettings
        Which workers.
    scale : Scale
        Of the recipe.
    model_id : str
        `AnoCLIP.model_id` that the workers' model must have.
    others : Others, optional
        Of mutual scoring; sent to the workers once.
    on_progress : callable, optional
        Told while workers are waited for.
    cancel : CancelFlag, optional
        Polled several times a second.

    Yields
    ------
    Record
        One for each input as it is done, in no particular order; what it tells of is on the disk already.

    Raises
    ------
    ClusterError
        If the library is missing, the scheduler is not reached or gone, there are no workers, or one does not suit.
    AnoCLIPError
        As the plain loop.
    Cancelled
        If the flag is set. What was finished is whole.
    """
    with connected(cluster) as client, probed(out) as probe:
        job = Job(recipe, out, output, scale, model_id, cluster.torch_threads, probe)
        workers = Workers(client, cluster.patience)
        workers.wait(Reporter(on_progress, cancel))
        check(client, job)
        yield from _Dispatcher(client, workers, job, cluster, inputs, others, cancel).records()


@dataclass(frozen=True)
class _Batch:
    """What was handed out together.

    Attributes
    ----------
    inputs : tuple of Input
    alone : bool
        Whether nothing else was under way on the whole cluster.
    lost : int
        How often it was lost with all workers there were.
    """

    inputs: tuple[Input, ...]
    alone: bool = False
    lost: int = 0


class _Dispatcher:
    """Keeps every worker supplied with batches, and gives what comes back."""

    def __init__(
        self,
        client: Client,
        workers: Workers,
        job: Job,
        settings: ClusterSettings,
        inputs: Iterable[Input],
        others: Others | None,
        cancel: CancelFlag | None,
    ) -> None:
        self._client, self._workers, self._job, self._settings = client, workers, job, settings
        # A worker need not have the device that they were gathered on.
        self._others, self._cancel = None if others is None else others.to(torch.device("cpu")), cancel
        self._sent: Future[Others] | None = None
        self._inputs = iter(inputs)
        self._waiting: deque[Input] = deque()
        self._suspects: deque[Input] = deque()
        self._running: dict[_Scored, _Batch] = {}
        self._finished: SimpleQueue[_Scored] = SimpleQueue()

    def records(self) -> Iterator[Record]:
        """One for each input."""
        try:
            while self._supply():
                future = self._next()
                yield from self._outcome(future, self._running.pop(future))
        finally:
            self._stop()

    def _supply(self) -> bool:
        """Hand out as much as workers should have; whether anything is under way then."""
        room = AHEAD * max(1, len(self._workers.addresses))
        wanted = 2 * room * self._settings.batch
        self._waiting.extend(islice(self._inputs, max(0, wanted - len(self._waiting))))
        while self._waiting and len(self._running) < room:
            # Smaller and smaller towards the end, so that all workers end at about the same time.
            count = min(max(SMALLEST, len(self._waiting) // room), self._settings.batch, len(self._waiting))
            self._submit(_Batch(tuple(self._waiting.popleft() for _ in range(count))))
        # What kills a worker takes with it whatever else waits there. Alone on the whole cluster, it is surely the one.
        if self._suspects and not self._running:
            self._submit(_Batch((self._suspects.popleft(),), alone=True))
        return bool(self._running)

    def _submit(self, batch: _Batch) -> None:
        if self._others is not None and self._sent is None:
            self._sent = self._send(self._others)
        # No worker is preferred: when all die, Dask forgets that others may have what was meant for one of them.
        future = self._client.submit(
            cluster_worker.work,
            self._job,
            batch.inputs,
            self._sent,
            key=f"napari-anoclip-{uuid.uuid4().hex}",
        )
        self._running[future] = batch
        future.add_done_callback(self._finished.put)

    def _send(self, others: Others) -> Future[Others]:
        """Bring the bank to all workers, even if one dies meanwhile."""
        for tries in range(self._settings.retries + 1):
            self._look_up()
            try:
                sent: Future[Others] = self._client.scatter(others, broadcast=True, hash=False)
                break
            except OSError:
                if tries == self._settings.retries:
                    raise
        return sent

    def _next(self) -> _Scored:
        """The next batch that is done, failed or lost."""
        while True:
            self._look_up()
            with suppress(Empty):
                return self._finished.get(timeout=POLL_SECONDS)

    def _look_up(self) -> None:
        """See whether to go on."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("The run was cancelled.")
        self._workers.refresh()

    def _outcome(self, future: _Scored, batch: _Batch) -> Iterator[Record]:
        from distributed.scheduler import KilledWorker

        if future.status not in ("finished", "error"):
            self._workers.check_scheduler()
            # All workers that had the others' bank died, and the batch could not do without it.
            self._sent = None
            if batch.lost < self._settings.retries:
                self._submit(replace(batch, lost=batch.lost + 1))
            else:
                yield from self._killed(batch, batch.lost + 1)
            return
        if future.status == "finished":
            yield from self._fetch(future)
            return
        error = future.exception()
        if not isinstance(error, KilledWorker):
            raise error
        yield from self._killed(batch, error.allowed_failures + 1)

    def _fetch(self, future: _Scored) -> list[Record]:
        """Bring what a batch gave; if its worker died meanwhile, once another one has looked it up."""
        while True:
            self._look_up()
            with suppress(TimeoutError):
                records: list[Record] = future.result(timeout=FETCH_SECONDS)
                return records

    def _killed(self, batch: _Batch, times: int) -> Iterator[Record]:
        """Workers died with a batch so many times: find out with which of its images."""
        if batch.alone:
            yield self._give_up(batch.inputs[0], times)
        else:
            self._suspects.extend(batch.inputs)

    def _give_up(self, one: Input, times: int) -> Record:
        record = Record(
            **known(one, recipe_digest(self._job.recipe, self._job.model_id, self._others), self._job.scale),
            error=f"{times} {'worker' if times == 1 else 'workers'} died of this image, with nothing else under way: "
            "look whether it is damaged, or too large for their memory.",
        )
        records = Records(self._job.out)
        with said_in_words(records.file(one.key), self._job.out):
            records.put(record)
        return record

    def _stop(self) -> None:
        """Leave nothing under way on workers that live on."""
        if not self._running:
            return
        with suppress(Exception):  # whatever went wrong before is the news
            self._client.cancel(list(self._running))
            self._client.run(cluster_worker.stop, self._job.probe, on_error="ignore")

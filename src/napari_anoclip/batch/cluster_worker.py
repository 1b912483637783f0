"""What a worker of a cluster does: fit for the job or not, a model loaded once, batch after batch.

Everything here is sent to another machine by its name. What is slow to import is imported there, when there is work.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_anoclip._version import __version__
from napari_anoclip.batch.errors import BatchError

if TYPE_CHECKING:
    from napari_anoclip.batch.inputs import Input
    from napari_anoclip.batch.outputs import OutputSettings, Scale
    from napari_anoclip.batch.recipe import ModelSpec, Recipe
    from napari_anoclip.batch.records import Record
    from napari_anoclip.engine import AnoCLIP
    from napari_anoclip.engine.mutual import Others


BATCHES = 2
"""That a worker has under way at once: one is read and another one written while the image tower is at work on one."""


class ClusterError(BatchError):
    """The cluster cannot be reached, or one of its machines does not suit the job."""


@dataclass(frozen=True)
class Job:
    """What all batches of a run have in common, as it is sent to workers.

    Attributes
    ----------
    recipe : Recipe
        What is done to every image.
    out : Path
        Folder of the results.
    output : OutputSettings
        Which results.
    scale : Scale
        Of the recipe: measured once, so that all workers look for regions above the same threshold.
    model_id : str
        `AnoCLIP.model_id` that every worker must come to.
    threads : int or None
        Of torch; None takes those that the worker has.
    probe : str
        Name of a file in `out` that holds just that: who reads it sees the same disk. Unlike any other job's.
    version : str
        Of this package, where the job comes from.
    """

    recipe: Recipe
    out: Path
    output: OutputSettings
    scale: Scale
    model_id: str
    threads: int | None
    probe: str
    version: str = __version__


def unfit(job: Job) -> str:
    """Why this process cannot do a job.

    Parameters
    ----------
    job : Job

    Returns
    -------
    str
        A sentence; empty where nothing speaks against it.
    """
    here = f"The worker on {socket.gethostname()}"
    if job.version != __version__:
        return (
            f"{here} has napari-anoclip {__version__}, and here it is {job.version}: install the same version on all "
            "machines."
        )
    try:
        seen = (job.out / job.probe).read_text()
    except OSError:
        seen = ""
    if seen != job.probe:
        return (
            f"{here} does not see the folder {job.out}: all workers must see images and results under the same paths, "
            "as on a network disk that is mounted alike everywhere."
        )
    if not os.access(job.out, os.W_OK):
        return f"{here} may not write into {job.out}: give it the right to, and run it again."
    return ""


def work(job: Job, inputs: Sequence[Input], others: Others | None = None) -> list[Record]:
    """Score a batch of images and write what comes of it.

    The same code as without a cluster: results are there whole or not at all, so that a batch may be begun by one
    worker and done by another. What the first one finished is not done again.

    Parameters
    ----------
    job : Job
    inputs : sequence of Input
        The batch.
    others : Others, optional
        Of mutual scoring.

    Returns
    -------
    list of Record
        One for each input.

    Raises
    ------
    ClusterError
        If the worker does not suit the job.
    AnoCLIPError
        If the model cannot be loaded here, or nothing can be written.
    """
    from napari_anoclip.batch.ahead import side_threads
    from napari_anoclip.batch.pipeline import recipe_digest, score
    from napari_anoclip.batch.records import Records
    from napari_anoclip.batch.resume import Checked, unfinished

    with _places:
        model, stop, checked = _models.get(job), _Stop(job.probe), Checked()
        threads = max(1, side_threads(model) // BATCHES)
        digest = recipe_digest(job.recipe, model.model_id, others)
        with closing(unfinished(inputs, job.out, digest, job.output, checked, stop)) as rest:
            scored = list(
                score(
                    model,
                    rest,
                    job.recipe,
                    job.out,
                    job.output,
                    scale=job.scale,
                    others=others,
                    readers=threads,
                    writers=threads,
                    cancel=stop,
                )
            )
        kept = map(Records(job.out).get, checked.finished)
        return [*scored, *(record for record in kept if record is not None)]


def stop(probe: str) -> None:
    """End a job in this process: the batch at work stops after the image that it is at."""
    _stopped.add(probe)


def dask_setup(_: object) -> None:
    """Begin a worker that Dask was told to preload this module in: one that we started ourselves.

    A terminal sends Ctrl-C to all processes at once; it is for the one that leads, which then ends the others.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass(frozen=True)
class _Stop:
    probe: str

    def is_set(self) -> bool:
        return self.probe in _stopped


class _Models:
    """The model of the last job: a process lives longer than a job, and memory has room for one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: tuple[ModelSpec, _InTurns] | None = None
        self._fit_for: str | None = None

    def get(self, job: Job) -> AnoCLIP:
        """The job's model, loaded if need be, after this process was found fit."""
        with self._lock:
            return cast("AnoCLIP", self._get(job))

    def _get(self, job: Job) -> _InTurns:
        if self._fit_for != job.probe and (sentence := unfit(job)):
            raise ClusterError(sentence)
        self._fit_for = job.probe
        if self._kept is None or self._kept[0] != job.recipe.model:
            self._kept = None
            gc.collect()
            self._kept = job.recipe.model, _InTurns(job.recipe.model.load())
        model = self._kept[1]
        if model.model_id != job.model_id:
            self._kept = None
            raise ClusterError(
                f"The model {job.recipe.model.name} on {socket.gethostname()} has other weights than the one here: "
                "copy the same file to all machines."
            )
        _use_threads(job.threads)
        return model


class _InTurns:
    """A model whose image tower looks at one batch after the other: what batches do besides goes on side by side."""

    def __init__(self, model: AnoCLIP) -> None:
        self._model, self._tower = model, threading.Lock()

    @property
    def token_cache_bytes(self) -> int:
        """A batch's part: if each took all that the model keeps, it would drop what the other has not used yet."""
        return self._model.token_cache_bytes // BATCHES

    def encode_ahead(self, *args: Any, **options: Any) -> None:
        """As `AnoCLIP.encode_ahead`, when it is its turn."""
        with self._tower:
            self._model.encode_ahead(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def _use_threads(wanted: int | None) -> None:
    import torch
    from distributed import get_worker

    if wanted is None:
        try:
            wanted = get_worker().state.nthreads
        except ValueError:  # no worker's thread
            return
    if wanted != torch.get_num_threads():
        torch.set_num_threads(wanted)


_models = _Models()
_places = threading.BoundedSemaphore(BATCHES)  # a worker may have more threads, and they are for the image tower
_stopped: set[str] = set()

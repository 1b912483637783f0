"""A Dask cluster to work on: reached or started, its workers counted and looked at, closed in any case."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from napari_anoclip._version import __version__
from napari_anoclip.batch import cluster_worker
from napari_anoclip.batch.cluster_worker import BATCHES, ClusterError, Job
from napari_anoclip.engine import atomic
from napari_anoclip.engine.progress import Reporter

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10.0
"""After which a scheduler that does not answer counts as not there."""

POLL_SECONDS = 0.2
"""How long a pressed cancel button may go unseen."""

_COUNT_SECONDS = 1.0


class ClusterSettings(BaseModel):
    """Where the work is done, and in what portions. Nothing here changes a result."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scheduler: str | None = Field(
        None, pattern="^[a-z]+://.+", description="Address of a running Dask scheduler, such as tcp://host:8786."
    )
    workers: int | None = Field(
        None, ge=1, le=1024, description="Start so many worker processes on this machine instead."
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Threads of each worker; empty takes those that a worker has, or shares this machine's cores out.",
    )
    batch: int = Field(16, ge=1, le=1024, description="Images that a worker is given at once, at most.")
    retries: int = Field(
        2,
        ge=0,
        le=100,
        description="How often a batch goes to another worker when the one that had it died, before its images are "
        "tried one by one. A scheduler that was running already has its own number: allowed-failures.",
    )
    patience: float = Field(
        120.0, gt=0, le=86400, description="Seconds to wait for workers, at the start and when all of them are gone."
    )

    @property
    def torch_threads(self) -> int | None:
        """Threads of torch in each worker; None for those that the worker was started with."""
        if self.threads is not None or self.scheduler is not None:
            return self.threads
        return max(1, (os.cpu_count() or 1) // (self.workers or 1))

    @model_validator(mode="after")
    def _one_place(self) -> ClusterSettings:
        if self.scheduler is not None and self.workers is not None:
            raise ValueError("give the address of a scheduler or a number of workers on this machine, not both")
        return self


@contextmanager
def connected(settings: ClusterSettings) -> Iterator[Client]:
    """Reach the scheduler, or start workers on this machine, which end with the block.

    Parameters
    ----------
    settings : ClusterSettings
        One worker on this machine where it names no place.

    Yields
    ------
    Client

    Raises
    ------
    ClusterError
        If the library is missing or the scheduler does not answer.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise ClusterError(
            'Work on several workers needs a library that is not there: pip install "napari-anoclip[distributed]"'
        ) from error
    if settings.scheduler is not None:
        try:
            client = Client(settings.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"No scheduler answers at {settings.scheduler}: check the address, that it is running, and that it "
                "has the same version of Dask."
            ) from error
        with client:
            yield client
        return
    workers, threads = settings.workers or 1, settings.torch_threads or 1
    with (
        tempfile.TemporaryDirectory(prefix="napari-anoclip-", ignore_cleanup_errors=True) as folder,
        # By itself, Dask has workers give memory back at once, which they take again for the very next layer of the
        # model: 40 % more processor time for the image tower. It would also set variables of this process.
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}, "distributed.worker.profile.enabled": False}),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=max(BATCHES, threads),
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any free port: it cannot be had without
            local_directory=folder,
            # What a model and its images take is not Dask's to manage: it would stop workers that are in the middle.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            scheduler_kwargs={"allowed_failures": settings.retries},
            preload=cluster_worker.__name__,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def probed(out: Path) -> Iterator[str]:
    """Leave a file in a folder by which workers know that it is the same one; gone with the block.

    Parameters
    ----------
    out : Path
        The folder.

    Yields
    ------
    str
        What `Job.probe` is.
    """
    probe = f".{uuid.uuid4().hex}.new"  # as of a file that is not finished: the next run removes what a killed one left
    atomic.write(out / probe, probe)
    try:
        yield probe
    finally:
        with suppress(OSError):
            (out / probe).unlink(missing_ok=True)


def check(client: Client, job: Job) -> None:
    """Look at all workers that are there.

    Parameters
    ----------
    client : Client
    job : Job
        What they have to do.

    Raises
    ------
    ClusterError
        If one does not suit.
    """
    for address, found in client.run(cluster_worker.unfit, job, on_error="return").items():
        if isinstance(found, Exception):
            raise ClusterError(
                f"The worker at {address} cannot do this ({type(found).__name__}: {found}): it needs the same Python "
                f"with napari-anoclip {__version__} as this machine."
            ) from found
        if found:
            raise ClusterError(found)


class Workers:
    """Which workers there are, asked once in a while, for they come and go.

    Parameters
    ----------
    client : Client
    patience : float
        Seconds that there may be none.

    Raises
    ------
    ClusterError
        By all methods, if the scheduler is gone.
    """

    def __init__(self, client: Client, patience: float) -> None:
        self._client, self._patience = client, patience
        self._asked, self._seen = -math.inf, time.monotonic()
        self.addresses: tuple[str, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Ask, unless that was just done.

        Raises
        ------
        ClusterError
            If there have been none for too long.
        """
        now = time.monotonic()
        if now - self._asked < _COUNT_SECONDS:
            return
        self.check_scheduler()
        try:
            self.addresses = tuple(self._client.nthreads())
        except (OSError, RuntimeError) as error:
            raise _gone() from error
        self._asked = now
        if self.addresses:
            self._seen = now
        elif now - self._seen > self._patience:
            raise ClusterError(
                f"The cluster has had no workers for {self._patience:g} seconds: start some, and run the same again to "
                "go on."
            )

    def check_scheduler(self) -> None:
        """Raise if it does not answer any more."""
        if self._client.status != "running":
            raise _gone()

    def wait(self, report: Reporter) -> None:
        """Come back when there is one; `report` is told and can cancel."""
        while not self.addresses:
            report("waiting for workers", 0, 1)
            time.sleep(POLL_SECONDS)
            self.refresh()


def _gone() -> ClusterError:
    return ClusterError(
        "The scheduler is gone. What was finished is whole: start it anew, and run the same again to go on."
    )

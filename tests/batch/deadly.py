"""A plugin for Dask's workers of tests: some pictures kill the process that reads them."""

from __future__ import annotations

import os
import signal

from distributed import WorkerPlugin

from napari_anoclip.batch import pipeline

DEADLY = "deadly"
"""In the name of such a picture."""


class Deadly(WorkerPlugin):
    """As an image does that takes more memory than there is."""

    name = "deadly pictures"

    def setup(self, worker) -> None:
        self.read = pipeline.read_input
        pipeline.read_input = self.read_or_die

    def teardown(self, worker) -> None:
        pipeline.read_input = self.read

    def read_or_die(self, one):
        if DEADLY in one.path.name:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.read(one)

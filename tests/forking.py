"""A process to fork children from, which has everything imported that they need, and nothing else."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from typing import Any

import pytest


@contextmanager
def forking(*modules: str) -> Iterator[Any]:
    """Give a multiprocessing context whose children have these modules imported.

    Python keeps one such process for all of a test run: the one of another file is ended first, or else children would
    have what that one had imported.
    """
    server = forkserver._forkserver
    server._stop()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # the server does not get our path by itself
        forkserver.ensure_running()
    try:
        yield context
    finally:
        server._stop()

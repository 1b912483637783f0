"""What every test has: no network, caches and settings in a folder of this run, few threads, a display or a skip."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["faults"]

GUI_TESTS = Path(__file__).parent / "gui"
LOCAL_HOSTS = {None, "", "localhost", "127.0.0.1", "::1"}
FOLDER = Path(tempfile.mkdtemp(prefix="napari-anoclip-tests-"))

# Set before anything under test is imported: some libraries read these once.
for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HF_HOME"):
    os.environ[variable] = str(FOLDER / variable.lower())
# Side by side, tests have a core each: threads that fight for cores are several times slower than one.
os.environ["OMP_NUM_THREADS"] = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"


def pytest_unconfigure() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the GUI tests; without a display Qt would abort the whole run, so they are skipped then."""
    display = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    for item in items:
        if item.path.is_relative_to(GUI_TESTS):
            item.add_marker(pytest.mark.gui)
        if not display and item.get_closest_marker("gui"):
            item.add_marker(pytest.mark.skip(reason="no display: `make test` provides a virtual one"))


def pytest_collection_finish() -> None:
    """Take what the tests import out of the garbage collector's sight: napari's viewers collect when they close."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Any look-up or connection that leaves this machine fails at once, as with the cable pulled."""
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def look_up_locally(host, *args, **kwargs):
        if host not in LOCAL_HOSTS:
            raise socket.gaierror(socket.EAI_AGAIN, "the tests have no network")
        return look_up(host, *args, **kwargs)

    def connect_locally(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL_HOSTS:
            raise OSError(errno.ENETUNREACH, "the tests have no network")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", look_up_locally)
        patch.setattr(socket.socket, "connect", connect_locally)
        yield

"""A viewer with the dock in it, and models that the dock finds loaded."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator

import napari
import numpy as np
import pytest
from gui.towers import brightness_model
from napari.settings import get_settings
from npe2 import PluginManifest

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin import dock as dock_module
from napari_anoclip.plugin import dock_state, review_store
from napari_anoclip.plugin.dock import AnoCLIPDock
from napari_anoclip.plugin.models import ModelShelf

PROMPTS = PromptSet.preset("short", "plate")


@pytest.fixture(autouse=True, scope="session")
def done_once() -> Iterator[None]:
    """Each viewer looks through all installed packages, and writes napari's settings down; here neither changes."""
    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found))
        patch.setattr(get_settings(), "_save_on_change", False)
        yield


@pytest.fixture(autouse=True)
def little_to_look_through() -> Iterator[None]:
    """What outlives a test is no garbage: napari collects, and so looks at all there is, for each layer that goes."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """No run outlives its test."""
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "anoclip-run"] == []


@pytest.fixture(autouse=True)
def own_state(monkeypatch, tmp_path):
    """Docks neither find nor leave behind what the user of this machine had set."""
    monkeypatch.setattr(dock_state, "state_file", lambda: tmp_path / "dock.json")


@pytest.fixture(autouse=True)
def own_reviews(monkeypatch, tmp_path):
    """Verdicts on images without a file go into a folder of this test."""
    monkeypatch.setattr(review_store, "own_folder", lambda: tmp_path / "reviews" / "today.anoclip")


@pytest.fixture(scope="session")
def bright_is_bad(tmp_path_factory):
    """The hand-set model of `towers`, for the prompts of `PROMPTS`."""
    return brightness_model(PROMPTS, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def shelf(monkeypatch) -> ModelShelf:
    """A shelf of this test's own: what other tests loaded is not on it."""
    shelf = ModelShelf()
    monkeypatch.setattr(dock_module, "SHELF", shelf)
    return shelf


@pytest.fixture
def use_model(shelf) -> Callable[[object], None]:
    """Make the dock's runs use a given model in place of loading one."""

    kept = []

    def use(model: object) -> None:
        kept.append(model)  # the shelf itself holds models weakly
        shelf.put("builtin", "auto", model)

    return use


@pytest.fixture
def viewer(make_napari_viewer) -> napari.Viewer:
    return make_napari_viewer(show=False)


@pytest.fixture
def dock(viewer, shelf) -> AnoCLIPDock:
    """The dock, opened as from the Plugins menu, with the short prompts on a plate."""
    _, widget = viewer.window.add_plugin_dock_widget("napari-anoclip", "AnoCLIP")
    widget.controls.prompts.prefill({"object": "plate", "preset": "short"})
    return widget


@pytest.fixture
def run(qtbot) -> Callable[[AnoCLIPDock], None]:
    """Press Run and wait for the result."""

    def press(dock: AnoCLIPDock) -> None:
        dock.run_bar.run_button.click()
        qtbot.waitUntil(lambda: not dock.job.busy, timeout=60_000)
        assert dock.notice.text == ""

    return press


@pytest.fixture
def picture() -> np.ndarray:
    """(96, 120, 3) uint8, dark with a bright square."""
    picture = np.full((96, 120, 3), 40, np.uint8)
    picture[30:46, 70:86] = 230
    return picture

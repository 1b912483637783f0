"""What the tests of probe and comparison share: planes scored by a real model, and a mouse over the canvas."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import napari
from gui.conftest import PROMPTS
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.plugin.models import ModelChoice, ModelHolder
from napari_anoclip.plugin.plane import Plane
from napari_anoclip.plugin.run_request import PlaneResult, RunRequest


class Quiet:
    """A channel that keeps what is published."""

    def __init__(self) -> None:
        self.parts: list[Any] = []

    def __call__(self, progress: Any) -> None:
        pass

    def publish(self, part: Any) -> None:
        self.parts.append(part)


def score(plane: Plane, models: ModelHolder, settings: AnoCLIPSettings | None = None) -> PlaneResult:
    """Score a plane as a run does."""
    channel = Quiet()
    RunRequest((plane,), PROMPTS, settings or AnoCLIPSettings()).run(models, channel, threading.Event())
    return next(part for part in channel.parts if isinstance(part, PlaneResult))


@contextmanager
def model_in_use(models: ModelHolder) -> Iterator[None]:
    """Have another run at the model, as long as the block lasts."""
    let_go, taken = threading.Event(), threading.Event()

    def hold() -> None:
        with models.shelf.borrow(ModelChoice(), Quiet(), threading.Event()):
            taken.set()
            let_go.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    try:
        yield
    finally:
        let_go.set()
        thread.join()


class Mouse:
    """Points and clicks at places of the viewer's world, through the callbacks that the canvas calls."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer

    def move(self, world: Sequence[float]) -> None:
        mouse_move_callbacks(self._viewer, self._event("mouse_move", world))

    def click(self, world: Sequence[float], dragged: float = 0, modifiers: tuple[str, ...] = ()) -> None:
        mouse_press_callbacks(self._viewer, self._event("mouse_press", world, modifiers=modifiers))
        if dragged:
            mouse_move_callbacks(self._viewer, self._event("mouse_move", world, dragged, pressed=True))
        mouse_release_callbacks(self._viewer, self._event("mouse_release", world, dragged))

    def _event(
        self,
        kind: str,
        world: Sequence[float],
        dragged: float = 0,
        pressed: bool = False,
        modifiers: tuple[str, ...] = (),
    ) -> Any:
        dims = self._viewer.dims
        event = SimpleNamespace(
            type=kind,
            position=tuple(world),
            pos=(100 + dragged, 100),
            button=1,
            buttons=[1] if pressed else [],
            is_dragging=pressed,
            modifiers=modifiers,
            dims_displayed=list(dims.displayed),
            dims_point=list(dims.point),
            view_direction=None,
            handled=False,
        )
        return ReadOnlyWrapper(event, exceptions=("handled",))

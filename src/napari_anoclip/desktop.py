"""napari's window as the command line opens it: on a folder to be reviewed, or on a sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_anoclip import demo

if TYPE_CHECKING:
    import napari

    from napari_anoclip.engine.prompts import Kind
    from napari_anoclip.plugin.review_dock import ReviewDock

show_demo = demo.show
"""Open a sample and run; a sentence if something failed."""


def review(path: Path, word: str | None = None, kind: Kind | None = None) -> None:
    """Open napari on a folder, and come back when its window is closed.

    Parameters
    ----------
    path : Path
        A folder of pictures, or of a session.
    word : str, optional
        What the pictures show, for the prompts.
    kind : {"object", "texture"}, optional
        Which of the paper's prompts.
    """
    import napari

    viewer = demo.open_viewer(f"{path.absolute().name} · AnoCLIP review")
    open_review(viewer, path, word, kind)
    napari.run()


def open_review(viewer: napari.Viewer, path: Path, word: str | None = None, kind: Kind | None = None) -> ReviewDock:
    """Open a viewer's review dock, and in it a folder of pictures or a session; see `review`."""
    from napari_anoclip.plugin.session_reader import DOCK, PLUGIN, session_of

    dock: ReviewDock
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    if word is not None or kind is not None:
        prompts = dock.reviewer.desk.controls.prompts
        shown = prompts.prompts
        preset = shown.name if kind is None else f"paper-{kind}"
        prompts.prefill({"object": shown.object if word is None else word, "preset": preset})
    session = session_of(path)
    if session is None:
        dock.queue.open_folder(path)
    else:
        dock.reviewer.open_session(session)
    return dock

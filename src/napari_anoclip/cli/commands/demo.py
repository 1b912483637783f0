"""`anoclip demo`: napari on a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.window import WindowError, require_window

app = alone()


@command(
    app,
    stoppable=False,
    examples=(
        "anoclip demo # rust on a grid, found by words",
        "anoclip demo --sample circuit_board",
        "xvfb-run -a anoclip demo --screenshot demo.png # without a display",
    ),
)
def demo(
    call: Call,
    sample: Annotated[
        str, typer.Option(metavar="NAME", help="Which sample, as under File > Open Sample > AnoCLIP.")
    ] = "grid",
    screenshot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save a picture of the window with the result, then quit.")
    ] = None,
) -> None:
    """Open napari on a sample image and show what AnoCLIP finds in it."""
    require_window()
    from napari_anoclip import desktop

    problem = desktop.show_demo(sample, screenshot)
    if problem:
        raise WindowError(problem)
    saved = None if screenshot is None else screenshot.absolute()
    call.answer({"sample": sample, "screenshot": saved}, *([] if saved is None else [f"Saved {escape(str(saved))}"]))

"""`anoclip demo-data`: a generated data set, to try out `evaluate` and `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from napari_anoclip.batch.demo_data import DemoDataSettings, write_demo_data
from napari_anoclip.cli.asked import input_path
from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.options import OptionGroup
from napari_anoclip.engine.words import counted

app = alone()

DATA = OptionGroup(DemoDataSettings, "", "What to draw")


@command(
    app,
    DATA,
    examples=(
        "anoclip demo-data parts/ # laid out like MVTec AD",
        "anoclip evaluate mvtec parts/ # and what to do with it",
        "anoclip demo-data parts-visa/ --layout visa --images 100 --side 512",
        "anoclip evaluate visa parts-visa/",
    ),
)
def demo_data(
    call: Call,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", parser=input_path, help="A new or an empty folder.")],
) -> None:
    """Write a small generated data set, laid out like a published one."""
    settings = call.chosen.over(DemoDataSettings())
    with call.meter() as meter:
        root = write_demo_data(
            folder,
            settings.layout,
            images=settings.images,
            side=settings.side,
            seed=settings.seed,
            materials=settings.materials,
            on_progress=meter,
            cancel=call.cancel,
        )
    count = settings.images * len(settings.materials)
    call.answer(
        {"folder": root.absolute(), **settings.model_dump(mode="json")},
        f"{counted(count, 'test picture')} of {counted(len(settings.materials), 'material')} in {escape(str(root))}. "
        "Figures on them say that the machinery works, and nothing of real things.",
        f"Try: anoclip evaluate {settings.layout} {escape(str(root))}",
    )

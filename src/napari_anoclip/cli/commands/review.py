"""`anoclip review`: napari on a folder of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_anoclip.cli.asked import KindWord, ObjectWord, input_path
from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.window import require_window
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.review.pictures import SESSION_SUFFIX
from napari_anoclip.review.session import Session

app = alone()


@command(
    app,
    stoppable=False,
    examples=(
        "anoclip review parts/ # go through its pictures",
        "anoclip review parts/ --object bottle",
        "anoclip review november.anoclip # go on with a session",
    ),
)
def review(
    call: Call,
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            parser=input_path,
            help="With pictures, in it or in folders of it; or a session's folder.",
        ),
    ],
    object: ObjectWord = None,  # noqa: A002 - the word of the method
    kind: KindWord = None,
) -> None:
    """Open napari on a folder of pictures, to judge what is found.

    What is not said by --object and --kind is as the workbench was left.
    """
    require_folder(folder)
    require_window()
    from napari_anoclip import desktop

    desktop.review(folder, object, kind)
    call.answer({"folder": folder.absolute()})


def require_folder(folder: Path) -> None:
    """Make sure that there is something to open, before a window is.

    Raises
    ------
    ImageError
        If there is no such folder, or one that is called a session and is none.
    """
    wanted = f"give a folder of pictures, or of a session (NAME{SESSION_SUFFIX})"
    if not folder.exists():
        raise ImageError(f"There is no folder {folder}: {wanted}.")
    if not folder.is_dir():
        raise ImageError(f"{folder} is a file: {wanted}.")
    if folder.name.endswith(SESSION_SUFFIX) and not Session.is_session(folder):
        raise ImageError(f"{folder} holds no session: {wanted}.")

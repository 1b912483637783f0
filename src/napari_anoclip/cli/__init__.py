"""The command line: `anoclip`. Importing this costs nothing; a command's libraries load when that command runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after the program's name; those that the program was started with otherwise.

    Raises
    ------
    SystemExit
        Always, with one of `exits.Code`.
    """
    try:
        from napari_anoclip.cli.app import app
        from napari_anoclip.cli.plain_letters import make_safe
    except KeyboardInterrupt:  # nothing was begun, and its place in an import is nobody's concern
        raise SystemExit(130) from None
    make_safe(sys.stdout, sys.stderr)
    app(args=None if arguments is None else list(arguments), prog_name="anoclip")

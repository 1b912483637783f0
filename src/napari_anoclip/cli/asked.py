"""Options that are no fields of a settings model, and what is made of them: prompts and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_anoclip.cli import settings_file
from napari_anoclip.cli.call import Call
from napari_anoclip.cli.groups import ADAPTATION, MUTUAL, PROTOCOL, TILING
from napari_anoclip.cli.options import Chosen
from napari_anoclip.engine.errors import PromptError
from napari_anoclip.engine.prompts import Kind, PromptSet, preset_names
from napari_anoclip.engine.settings import AnoCLIPSettings

_PANEL = "Prompts and settings"

PromptsName = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        metavar="PRESET|FILE",
        help="A packaged prompt set, or a file of one as the dock writes it; the paper's otherwise.",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
ObjectWord = Annotated[
    str | None,
    typer.Option(
        "--object",
        metavar="WORD",
        help="What the pictures show, such as bottle; the prompts' own word otherwise.",
        rich_help_panel=_PANEL,
    ),
]
KindWord = Annotated[
    Kind | None,
    typer.Option(
        "--kind", help="Whether that is a thing with a shape or a surface; says which prompts of the paper are meant.",
        rich_help_panel=_PANEL,
    ),
]  # fmt: skip
PresetName = Annotated[
    Literal["default", "paper"],
    typer.Option(
        "--preset",
        help="Settings to begin with: ours, or the published protocol.",
        rich_help_panel=_PANEL,
    ),
]
SettingsPath = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="Settings as YAML, some or all. Options on the command line win over it.",
        rich_help_panel=_PANEL,
    ),
]


def input_path(word: str) -> Path:
    """Take a path as it was typed.

    Raises
    ------
    typer.BadParameter
        If there is nothing: what a variable of the shell gives that is not set, and no path to this folder.
    """
    if not word:
        raise typer.BadParameter("it is empty; “.” is this folder.")
    return Path(word)


def prompts_of(name: str | None, word: str | None = None, kind: Kind | None = None) -> PromptSet:
    """Find a prompt set.

    Parameters
    ----------
    name : str or None
        Of a packaged set, or the path of a file; None takes the paper's for the kind.
    word : str, optional
        What is looked at; the set's own word otherwise.
    kind : {"object", "texture"}, optional
        What the set is said to be for; its own kind otherwise.

    Returns
    -------
    PromptSet

    Raises
    ------
    PromptError
        If there is neither such a set nor such a file, or the file cannot be used.
    """
    if name is None:
        return PromptSet.preset(f"paper-{kind or 'object'}", word)
    if name in preset_names():
        prompts = PromptSet.preset(name)
    elif Path(name).exists() or Path(name).suffix in (".yaml", ".yml"):
        prompts = PromptSet.load(name)
    else:
        raise PromptError(
            f"There is no prompt preset {name!r} and no file of that name; choose one of {', '.join(preset_names())}, "
            "or give a file."
        )
    if word is not None:
        prompts = prompts.with_object(word)
    return prompts if kind is None else prompts.model_copy(update={"kind": kind})


def settings_of(chosen: Chosen, base: AnoCLIPSettings, file: Path | None) -> AnoCLIPSettings:
    """Settings from a preset, over it a file, over both the command line.

    Parameters
    ----------
    chosen : Chosen
        What was given on the command line.
    base : AnoCLIPSettings
        The preset.
    file : Path or None
        As `settings_file.over` reads it.

    Returns
    -------
    AnoCLIPSettings

    Raises
    ------
    SettingsFileError
        If the file cannot be used.
    """
    return chosen.over(base if file is None else settings_file.over(base, file))


def idle(call: Call, *settings: AnoCLIPSettings) -> None:
    """Say which options that were given change nothing, as what they belong to is off.

    Parameters
    ----------
    call : Call
    *settings : AnoCLIPSettings
        All that will be used.
    """
    for group, others, on, switch in (
        (ADAPTATION, ("enabled",), any(one.adaptation.enabled for one in settings), "--tta"),
        (MUTUAL, ("enabled",), any(one.mutual.enabled for one in settings), "--mutual"),
        (PROTOCOL, ("squares",), any(one.mutual.enabled for one in settings), "--mutual"),
        (
            TILING,
            ("mode", "side", "interpolation"),
            any(one.tiling.mode != "fit" for one in settings),
            "--tiling-mode tiles or both",
        ),
    ):
        given = [group.flag(name) for name in call.chosen.names(group.model) if name not in others]
        if given and not on:
            call.note(f"{', '.join(given)}: nothing is changed by that without {switch}.")

"""`anoclip evaluate`: how well the method finds the known defects of a data set."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.markup import escape

from napari_anoclip.batch.datasets import DATASETS, DataSet, FolderSettings, folder_data_set
from napari_anoclip.batch.protocol import PRESETS, Protocol
from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli import settings_file
from napari_anoclip.cli.asked import PresetName, PromptsName, SettingsPath, idle, input_path, prompts_of
from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.exits import Code
from napari_anoclip.cli.groups import METHOD, PROTOCOL
from napari_anoclip.cli.options import Chosen, OptionGroup, message_of
from napari_anoclip.engine.prompts import preset_names

app = alone()

FOLDER = "folder"
"""Key of the data set that is a folder of one's own."""

OWN = OptionGroup(FolderSettings, "", "A folder of your own (DATASET folder)")


@command(
    app,
    *METHOD,
    PROTOCOL,
    OWN,
    examples=(
        "anoclip evaluate --list # data sets that are known, and where to get them",
        "anoclip evaluate mvtec data/mvtec --out figures # our settings; tables and a plot in figures/",
        "anoclip evaluate visa data/visa --preset paper --model ViT-B-16-plus-240:laion400m_e32 --out figures",
        "anoclip evaluate mvtec data/mvtec --category bottle --category grid --limit 20 # a first look",
        "anoclip evaluate mvtec data/mvtec --compare paper --compare hot=hot.yaml # several at once",
        "anoclip evaluate folder parts/ --object bottle --good ok --masks masks/{stem}.png # of your own",
    ),
)
def evaluate(
    call: Call,
    data: Annotated[
        str | None, typer.Argument(metavar="DATASET", help="Which data set; --list names them.", show_default=False)
    ] = None,
    root: Annotated[
        Path | None,
        typer.Argument(
            metavar="ROOT", parser=input_path, help="The folder that it was unpacked to.", show_default=False
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the data sets with where to get them, and leave.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            parser=input_path,
            help="Write tables and a plot there, and keep each category that is done: the same command goes on from "
            "there.",
        ),
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one; can be given several times.")
    ] = None,
    resolution: Annotated[
        Literal["native", "model"],
        typer.Option(help="Count pixels in the masks' own resolution, or in the model's."),
    ] = "native",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Pictures of each category at most, spread evenly.")
    ] = None,
    prompts: PromptsName = None,
    preset: PresetName = "default",
    settings: SettingsPath = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PRESET|[NAME=]FILE",
            help="Evaluate these settings as well, over one pass of tokens; can be given several times.",
            rich_help_panel="Prompts and settings",
        ),
    ] = None,
) -> Code:
    """Measure the method on a data set with known defects.

    Figures are printed as a table: AUROC, AP, F1-max and AUPRO of pixels, AUROC, AP and F1-max of images, per category
    and on average, with 95 % intervals. Pictures that cannot be used are named, and the exit code is 1 then.
    """
    if list_:
        return _list(call)
    if data is None or root is None:
        raise typer.BadParameter("give a data set and its folder, as in: anoclip evaluate mvtec FOLDER")
    described = data_set(data, call.chosen)
    variants = variants_of(described.key, call.chosen, preset, prompts, settings, compare or [])
    idle(call, *(variant.settings for variant in variants.values()))
    from napari_anoclip.batch import tables
    from napari_anoclip.batch.evaluate import evaluate as measure

    with call.meter() as meter:
        evaluation = measure(
            described,
            root,
            variants,
            call.chosen.over(ModelSpec()),
            out=out,
            categories=category or None,
            resolution=resolution,
            limit=limit,
            on_progress=meter,
            cancel=call.cancel,
        )
    files = [] if out is None else tables.write(evaluation, out)
    means = {variant.name: variant.mean for variant in evaluation.variants}
    written = [f"Written: {', '.join(escape(str(file)) for file in files)}"] if files else []
    call.answer(
        {**evaluation.model_dump(mode="json"), "means": means, "files": [file.absolute() for file in files]},
        tables.rich_tables(evaluation),
        *written,
    )
    return Code.INCOMPLETE if evaluation.broken else Code.OK


def data_set(key: str, chosen: Chosen) -> DataSet:
    """A data set by its name; a folder of one's own as the options say.

    Raises
    ------
    typer.BadParameter
        If there is none, or options for a folder are given with another one.
    """
    given = chosen.names(FolderSettings)
    if key == FOLDER:
        return folder_data_set(chosen.over(FolderSettings()))
    if key not in DATASETS:
        near = get_close_matches(key, DATASETS, 1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise typer.BadParameter(f"there is no data set {key!r}.{guess} Known are: {', '.join(DATASETS)}.")
    if given:
        flags = ", ".join(OWN.flag(name) for name in given)
        raise typer.BadParameter(f"{flags} is for a folder of your own (DATASET {FOLDER}), not for {key}.")
    return DATASETS[key]


def variants_of(
    key: str,
    chosen: Chosen,
    preset: Literal["default", "paper"],
    prompts: str | None,
    settings: Path | None,
    compare: list[str],
) -> dict[str, Protocol]:
    """What is evaluated, by name: what the options say first, then what it is to be compared with.

    Raises
    ------
    typer.BadParameter
        If settings do not go together, or two have the same name.
    PromptError, SettingsFileError
        If a file cannot be used.
    """
    base = PRESETS[preset].for_data_set(key)
    asked = base if settings is None else _with(base, settings)
    asked = chosen.over(asked)
    variants = {preset if asked == base else f"{preset}, changed": asked}
    for spec in compare:
        name, _, file = spec.rpartition("=")
        if spec in PRESETS:
            name, other = spec, PRESETS[spec].for_data_set(key)
        else:
            name, other = name or Path(file).stem, _with(base, Path(file))
        if name in variants:
            raise typer.BadParameter(
                f"there are two settings called {name!r}: give one as NAME=FILE.", param_hint="--compare"
            )
        variants[name] = other
    if prompts is not None:
        words = prompts if prompts in preset_names() else prompts_of(prompts)
        variants = {name: one.model_copy(update={"prompts": words}) for name, one in variants.items()}
    return variants


def _with(protocol: Protocol, file: Path) -> Protocol:
    settings = settings_file.over(protocol.settings, file)
    try:
        return protocol.with_settings(settings)
    except ValidationError as error:
        raise settings_file.SettingsFileError(f"{file.name}: {message_of(error)}.") from error


def _list(call: Call) -> Code:
    width = max(map(len, DATASETS))
    lines = []
    for key, one in DATASETS.items():
        lines.append(f"[bold]{key.ljust(width)}[/bold]  {escape(one.title)}; licence: {escape(one.licence)}")
        if one.page:
            lines.append(f"{' ' * width}  {escape(one.page)}")
    about = ("key", "title", "licence", "page", "citation", "tree", "note")
    call.answer(
        [{name: getattr(one, name) for name in about} for one in DATASETS.values()],
        *lines,
        "Nothing is downloaded: get them by hand, and mind their licences.",
    )
    return Code.OK

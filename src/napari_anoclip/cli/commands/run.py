"""`anoclip run`: pictures and folders, on this machine or many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from napari_anoclip.batch.cluster_connection import ClusterSettings
from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.recipe import ModelSpec, Recipe
from napari_anoclip.batch.watch import WatchSettings
from napari_anoclip.cli.asked import (
    KindWord,
    ObjectWord,
    PresetName,
    PromptsName,
    SettingsPath,
    idle,
    input_path,
    prompts_of,
    settings_of,
)
from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.exits import Code
from napari_anoclip.cli.groups import METHOD, REGIONS, THRESHOLD
from napari_anoclip.cli.options import Chosen, OptionGroup

app = alone()

OUTPUT = OptionGroup(OutputSettings, "", "Results")
CLUSTER = OptionGroup(ClusterSettings, "", "Many workers")
WATCHING = OptionGroup(WatchSettings, "watch", "Watching a folder")

NAMED = 20
"""Failed files that are named at the end; the table has them all."""


@command(
    app,
    *METHOD,
    REGIONS,
    THRESHOLD,
    OUTPUT,
    WATCHING,
    CLUSTER,
    examples=(
        "anoclip run parts/ --object bottle --out found # heatmaps, regions and a report in found/",
        "anoclip run a.png b.png --prompts mine.yaml --out found --maps png",
        "anoclip run carpet/ --object carpet --kind texture --tta --out found # adapt to each image",
        "anoclip run parts/ --object bottle --mutual --out found # images judge each other, too",
        "anoclip run inbox/ --object bottle --out found --watch # and whatever comes into the folder",
        "anoclip run parts/ --object bottle --out found --workers 4 # four processes",
        "anoclip run parts/ --object bottle --out found --scheduler tcp://head:8786 # a Dask cluster",
    ),
)
def run(
    call: Call,
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", parser=input_path, help="Pictures, and folders of them.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            parser=input_path,
            help="Folder of the results. What is finished in it is not done again.",
        ),
    ],
    prompts: PromptsName = None,
    object: ObjectWord = None,  # noqa: A002 - the word of the method
    kind: KindWord = None,
    preset: PresetName = "default",
    settings: SettingsPath = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with files that come, until Ctrl-C.")] = False,
) -> Code:
    """Score pictures and folders: heatmaps, regions, tables.

    Finished images are skipped when the same command is given again, whatever stopped it: it goes by the bytes of the
    file and by the settings. Files that cannot be read are named at the end, and the exit code is 1 then.
    """
    recipe = recipe_of(call.chosen, prompts, object, kind, preset, settings)
    cluster = cluster_of(call.chosen)
    output = call.chosen.over(OutputSettings())
    if not watch and (given := call.chosen.names(WatchSettings)):
        raise typer.BadParameter(f"{', '.join(map(WATCHING.flag, given))} is for watching: give --watch with it.")
    idle(call, recipe.settings)
    from napari_anoclip.batch.report import REPORT
    from napari_anoclip.batch.run import run as run_batch

    with call.meter() as meter:
        summary = run_batch(
            inputs,
            out,
            recipe,
            output,
            cluster=cluster,
            watch=watch,
            watching=call.chosen.over(WatchSettings()),
            on_progress=meter,
            cancel=call.cancel,
        )
    for remark in summary.remarks:
        call.note(remark)
    failed = [{"path": record.path, "key": record.key, "error": record.error} for record in summary.failed]
    for record in summary.failed[:NAMED]:
        call.note(f"Failed: {record.path}: {record.error}")
    if len(failed) > NAMED:
        call.note(f"… and {len(failed) - NAMED} more: they are in the table.")
    call.answer(
        {
            "out": out.absolute(),
            "done": summary.done,
            "skipped": summary.skipped,
            "failed": failed,
            "seconds": summary.seconds,
            "busy": summary.busy,
            "remarks": summary.remarks,
        },
        _words(summary.done, summary.skipped, len(failed), summary.seconds),
        f"Results are in {escape(str(out))}"
        + (f"; look at {escape(str(out / REPORT))} first" if output.report else ""),
    )
    return Code.INCOMPLETE if failed else Code.OK


def recipe_of(
    chosen: Chosen,
    prompts: str | None,
    word: str | None,
    kind: KindWord,
    preset: PresetName,
    settings: Path | None,
) -> Recipe:
    """What is done to each image, by the options.

    Raises
    ------
    PromptError, SettingsFileError
        If a file cannot be used.
    """
    from napari_anoclip.batch.protocol import PRESETS

    base = Recipe(
        model=chosen.over(ModelSpec()),
        prompts=prompts_of(prompts, word, kind),
        settings=settings_of(chosen, PRESETS[preset].settings, settings),
    )
    return chosen.over(base)


def cluster_of(chosen: Chosen) -> ClusterSettings | None:
    """The workers, if there are to be any.

    Raises
    ------
    typer.BadParameter
        If it is said how workers work, and not where they are.
    """
    cluster = chosen.over(ClusterSettings())
    if cluster.scheduler is not None or cluster.workers is not None:
        return cluster
    given = chosen.names(ClusterSettings)
    if given:
        flags = ", ".join(CLUSTER.flag(name) for name in given)
        raise typer.BadParameter(f"{flags} is for workers: give --workers or --scheduler with it.")
    return None


def _words(done: int, skipped: int, failed: int, seconds: float) -> str:
    parts = [f"{done} image{'s' * (done != 1)} scored in {seconds:.1f} s"]
    if done and seconds > 0:
        parts[0] += f" ({done / seconds:.1f} a second)"
    if skipped:
        parts.append(f"{skipped} {'was' if skipped == 1 else 'were'} finished already")
    if failed:
        parts.append(f"[bold red]{failed} failed[/bold red]")
    return ", ".join(parts) + "."

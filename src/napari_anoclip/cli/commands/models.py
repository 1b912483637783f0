"""`anoclip models`: which there are, where they are, whether they work; and their download."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli.call import Call, command, group
from napari_anoclip.cli.exits import Code
from napari_anoclip.cli.options import OptionGroup
from napari_anoclip.engine.errors import ModelError

if TYPE_CHECKING:
    from napari_anoclip.cli.trial import Trial
    from napari_anoclip.engine import AnoCLIP

app = group("models")

BUILTIN = str(ModelSpec.model_fields["name"].default)
PAPER = "ViT-B-16-plus-240:laion400m_e32"

FAIR = 0.7
"""Mean AUROC on the packaged pictures below which a model does not do what it is for; the built-in one has 0.89."""

_FOLDER = OptionGroup(ModelSpec, "", "Model", only=("models_folder",))
_VERIFIED = OptionGroup(ModelSpec, "", "Model", only=tuple(name for name in ModelSpec.model_fields if name != "name"))

Name = Annotated[
    str, typer.Argument(metavar="MODEL", help="builtin, ARCHITECTURE:TAG of open_clip, or the path of a checkpoint.")
]


@command(
    app,
    _FOLDER,
    name="list",
    examples=(
        "anoclip models list # what is here",
        "anoclip models list --all # and all that can be fetched",
        "anoclip models list --json",
    ),
)
def list_(
    call: Call,
    everything: Annotated[bool, typer.Option("--all", help="Name every model that can be fetched, too.")] = False,
) -> None:
    """List the models on this machine, and those that can be fetched."""
    from napari_anoclip.engine.download import default_models_folder, fetchable_models, local_models

    folder = call.chosen.over(ModelSpec()).models_folder
    here = local_models(folder)
    known = {model.name for model in here}
    remote = [name for name in fetchable_models() if name not in known]
    table = Table(box=None, pad_edge=False)
    table.add_column("on this machine", overflow="fold")
    table.add_column("size", justify="right")
    table.add_column("where", overflow="fold")
    builtin = _builtin()
    table.add_row(BUILTIN, _size(builtin.stat().st_size), "comes with the package")
    for model in here:
        table.add_row(escape(model.name), _size(model.bytes), escape(str(model.path)))
    kept = f"Models are kept in {escape(str(folder or default_models_folder()))}"
    offer = [f"{len(remote)} more can be fetched" + (":" if everything else "; --all names them.")]
    if PAPER in remote:
        offer.append(f"The paper's: anoclip models get {PAPER}")
    if everything:
        offer += [f"  {name}" for name in remote]
    call.answer(
        {
            "folder": folder or default_models_folder(),
            "here": [
                {"name": BUILTIN, "path": builtin, "bytes": builtin.stat().st_size},
                *(model._asdict() for model in here),
            ],
            "fetchable": remote,
        },
        table,
        kept,
        *offer,
    )


@command(
    app,
    _FOLDER,
    examples=(
        f"anoclip models get {PAPER} # the model of the paper",
        f"anoclip models get {PAPER} --dry-run # only ask how large it is",
    ),
)
def get(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="ARCHITECTURE:TAG", help="As `anoclip models list --all` names it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask for its size and place, and fetch nothing.")] = False,
) -> None:
    """Download a model. No other command ever does."""
    from napari_anoclip.engine.download import local_models, local_or_downloaded, registered, remote_model
    from napari_anoclip.engine.progress import Reporter

    folder = call.chosen.over(ModelSpec()).models_folder
    if name == BUILTIN:
        call.answer(
            {"name": name, "path": _builtin(), "bytes": _builtin().stat().st_size, "fetched": False},
            f"{name} comes with the package: there is nothing to fetch.",
        )
        return
    _, entry = registered(name)
    present = next((model for model in local_models(folder) if model.name == name), None)
    if present is not None:
        call.answer(
            {"name": name, "path": present.path, "bytes": present.bytes, "fetched": False},
            f"{name} is on this machine: {escape(str(present.path))}",
        )
        return
    there = remote_model(name, folder)
    document = {"name": name, "source": there.source, "path": there.path, "bytes": there.bytes, "fetched": not dry_run}
    if dry_run:
        call.answer(document, f"{name} is {_size(there.bytes)} and would go to {escape(str(there.path))}")
        return
    with call.meter() as meter:
        path = local_or_downloaded(
            entry, name, download=True, models_folder=folder, reporter=Reporter(meter, call.cancel)
        )
    call.answer({**document, "path": path}, f"{name} ({_size(there.bytes)}) is here: {escape(str(path))}")


@command(
    app,
    _FOLDER,
    examples=(
        "anoclip models path # the folder where models are kept",
        f"anoclip models path {PAPER} # one model's file",
    ),
)
def path(call: Call, name: Annotated[str | None, typer.Argument(metavar="MODEL", help="Which one.")] = None) -> None:
    """Print where models are kept, or where one is."""
    from napari_anoclip.engine.download import default_models_folder

    folder = call.chosen.over(ModelSpec()).models_folder
    found = (folder or default_models_folder()) if name is None else _weights(name, folder)
    call.answer({"path": found}, escape(str(found)))


@command(
    app,
    _VERIFIED,
    examples=(
        "anoclip models verify builtin # does it load, does it find a packaged defect",
        "anoclip models verify weights/model.pt --architecture ViT-B-16-plus-240",
    ),
)
def verify(call: Call, name: Name) -> Code:
    """Load a model, check that the method works on it, and say so in words; exit code 1 if it is of no use."""
    from napari_anoclip.cli.trial import ALL, try_out

    spec = call.chosen.over(ModelSpec(name=name))
    weights = _weights(name, spec.models_folder)
    call.note(f"Loading {name} …")
    model = spec.load()
    trial: Trial | None = None
    try:
        with call.meter() as meter:
            trial = try_out(model, ALL, on_progress=meter, cancel=call.cancel)
    except ModelError as error:  # it loads, and computes what is no number
        found = f"[red]{escape(str(error))}[/red]"
    else:
        found = _found(trial)
    works = trial is not None and trial.auroc >= FAIR
    call.answer(
        {
            "name": name,
            "path": weights,
            "model_id": model.model_id,
            "device": model.device,
            "precision": model.precision,
            "image_size": model.image_size,
            "patch_size": model.patch_size,
            "works": works,
            "trial": trial,
        },
        *_words(model, weights),
        found,
    )
    return Code.OK if works else Code.INCOMPLETE


def _found(trial: Trial) -> str:
    if trial.auroc >= FAIR:
        verdict = "[green]It finds what it should[/green]: it can be used."
    else:
        verdict = "[red]It does not find what it should[/red]: the weights may be another model's, or untrained."
    pictures = f"{len(trial.samples)} packaged pictures"
    return f"On {pictures} its maps tell the defect from the rest with a mean AUROC of {trial.auroc:.2f}.\n{verdict}"


def _words(model: AnoCLIP, weights: Path) -> list[str]:
    side = model.image_size // model.patch_size
    look = f"{model.image_size} × {model.image_size} pixels as {side} × {side} patches"
    place = f"{model.device.upper()} in {model.precision}"
    return [
        f"{escape(model.name)} loads: {escape(str(weights))}, {_size(weights.stat().st_size)}.",
        f"It looks at {look}, on {place}; its identity is {model.model_id}.",
    ]


def _builtin() -> Path:
    return Path(str(resources.files("napari_anoclip") / "builtin" / "model.safetensors"))


def _weights(name: str, folder: Path | None) -> Path:
    """The file of a model on this machine."""
    from napari_anoclip.engine.checkpoint import SUFFIXES, find_checkpoint
    from napari_anoclip.engine.download import local_models, registered

    if name == BUILTIN:
        return _builtin()
    if Path(name).exists() or Path(name).suffix in SUFFIXES:
        return find_checkpoint(Path(name))[0]
    registered(name)  # an unknown name gets its own sentence first
    found = next((model.path for model in local_models(folder) if model.name == name), None)
    if found is None:
        raise ModelError(f"{name} is not on this machine: fetch it by “anoclip models get {name}”.")
    return found


def _size(bytes_: int) -> str:
    return f"{bytes_ / 1e6:.0f} MB" if bytes_ >= 1e6 else f"{bytes_ / 1e3:.0f} kB"

"""`anoclip prompts`: look at prompt sets, packaged or in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal, get_args

import typer
from rich.markup import escape
from rich.table import Table

from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli.asked import KindWord, ObjectWord, prompts_of
from napari_anoclip.cli.call import Call, command, group
from napari_anoclip.cli.exits import Code
from napari_anoclip.cli.groups import MODEL
from napari_anoclip.engine.prompts import PLACEHOLDERS, PromptSet, Side, preset_names

app = group("prompts")

Name = Annotated[str, typer.Argument(metavar="PRESET|FILE", help="A packaged prompt set, or a file of one.")]

SIDES: tuple[Side, ...] = get_args(Side)


@command(
    app,
    name="list",
    examples=(
        "anoclip prompts list # what is packaged",
        "anoclip prompts list --json",
    ),
)
def list_(call: Call) -> None:
    """List the packaged prompt sets."""
    presets = [PromptSet.preset(name) for name in preset_names()]
    table = Table(box=None, pad_edge=False)
    for title in ("preset", "prompts a side", "what for"):
        table.add_column(title, overflow="fold")
    for preset in presets:
        table.add_row(preset.name, _counts(preset), escape(preset.description))
    call.answer(
        [
            {"name": preset.name, "kind": preset.kind, "description": preset.description, **_side_counts(preset)}
            for preset in presets
        ],
        table,
    )


@command(
    app,
    examples=(
        "anoclip prompts show short --object bottle # all prompts of both sides",
        "anoclip prompts show paper-texture --side abnormal --object carpet # one side",
        "anoclip prompts show short --yaml > mine.yaml # a file to make a set of one's own of",
    ),
)
def show(
    call: Call,
    name: Name,
    object: ObjectWord = None,  # noqa: A002 - the word of the method
    kind: KindWord = None,
    side: Annotated[Literal["normal", "abnormal"] | None, typer.Option(help="Show this side only.")] = None,
    yaml: Annotated[bool, typer.Option("--yaml", help="Show the set as a prompt file.")] = False,
) -> None:
    """Show the finished prompts of a set, as the model reads them."""
    prompts = prompts_of(name, object, kind)
    wanted = SIDES if side is None else (side,)
    finished: dict[str, list[str]] = {one: getattr(prompts, one) for one in wanted}
    document = {"name": prompts.name, "object": prompts.object, "kind": prompts.kind, **finished}
    if yaml:
        call.answer(prompts.model_dump(mode="json"), escape(prompts.to_yaml().rstrip("\n")))
        return
    words: list[str] = []
    for one, texts in finished.items():
        words += [f"[bold]{one}[/bold] ({len(texts)})", *(f"  {escape(text)}" for text in texts)]
    call.answer(document, *words)


@command(
    app,
    examples=("anoclip prompts count paper-object # how many, and of what",),
)
def count(call: Call, name: Name, object: ObjectWord = None, kind: KindWord = None) -> None:  # noqa: A002
    """Count the prompts of a set, and what they are made of."""
    prompts = prompts_of(name, object, kind)
    entries = {field: sum(entry.on for entry in getattr(prompts, field)) for field in PLACEHOLDERS}
    different = {f"different_{side}": len(set(getattr(prompts, side))) for side in SIDES}
    table = Table(box=None, pad_edge=False, show_header=False)
    for label, number in _side_counts(prompts).items():
        table.add_row(f"{label} prompts", str(number))
    for field, number in entries.items():
        whole = " written out whole" * field.endswith("_prompts")
        table.add_row(field.replace("_", " ") + whole, str(number))
    call.answer(
        {"name": prompts.name, **_side_counts(prompts), **different, "entries": entries, "off": len(prompts.disabled)},
        f"[bold]{escape(prompts.title or prompts.name)}[/bold], of {escape(prompts.object)}",
        table,
    )


@command(
    app,
    MODEL,
    examples=(
        "anoclip prompts lint mine.yaml # slips, doubles, words that the model does not know",
        "anoclip prompts lint mine.yaml --model ViT-B-16-plus-240:laion400m_e32",
    ),
)
def lint(call: Call, name: Name, object: ObjectWord = None, kind: KindWord = None) -> Code:  # noqa: A002
    """Check a prompt set as the dock does; exit code 1 if there is something to say."""
    from napari_anoclip.engine.lint import lint as check

    prompts = prompts_of(name, object, kind)
    model = call.chosen.over(ModelSpec()).load()
    remarks = check(prompts, model.tokenizer, model.known_token_ids)
    lines = [f"[bold]{escape(remark.where)}[/bold]: {escape(remark.sentence)}" for remark in remarks]
    shown = lines or [
        f"Nothing to remark on {escape(prompts.name)} ({_counts(prompts)} prompts), for {escape(model.name)}."
    ]
    call.answer({"name": prompts.name, "model": model.name, "remarks": remarks}, *shown)
    return Code.INCOMPLETE if remarks else Code.OK


@command(
    app,
    examples=(
        "anoclip prompts diff paper-object mine.yaml # what was added and removed",
        "anoclip prompts diff before.yaml after.yaml --object bottle",
    ),
)
def diff(
    call: Call,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A packaged prompt set, or a file of one.")],
    after: Annotated[str, typer.Argument(metavar="AFTER", help="Another one.")],
    object: ObjectWord = None,  # noqa: A002
) -> None:
    """Compare two prompt sets: states, frames, domains and finished prompts that were added and removed."""
    old, new = (prompts_of(name, object) for name in (before, after))
    changes: dict[str, dict[str, list[str]]] = {
        field: _change(_on(old, field), _on(new, field)) for field in PLACEHOLDERS
    }
    finished = {side: _change(getattr(old, side), getattr(new, side)) for side in SIDES}
    lines = [line for field, change in changes.items() for line in _lines(field.replace("_", " "), change)]
    for side, change in finished.items():
        if change["removed"] or change["added"]:
            lines.append(
                f"[bold]{side} prompts[/bold]: {len(change['removed'])} removed, {len(change['added'])} added, "
                f"{len(getattr(new, side))} now"
            )
    word = {"before": old.object, "after": new.object} if old.object != new.object else None
    if word is not None:
        lines.insert(0, f"[bold]object[/bold]: {escape(old.object)} → {escape(new.object)}")
    call.answer(
        {"before": old.name, "after": new.name, "object": word, **changes, "prompts": finished},
        *(lines or ["Both give the same prompts."]),
    )


def _on(prompts: PromptSet, field: str) -> list[str]:
    return [entry.text for entry in getattr(prompts, field) if entry.on]


def _change(before: Iterable[str], after: Iterable[str]) -> dict[str, list[str]]:
    """What left and what came, a text as often as it did."""
    old, new = Counter(before), Counter(after)
    return {"removed": list((old - new).elements()), "added": list((new - old).elements())}


def _lines(label: str, change: dict[str, list[str]]) -> list[str]:
    if not change["removed"] and not change["added"]:
        return []
    return [
        f"[bold]{label}[/bold]",
        *(f"  [red]- {escape(text)}[/red]" for text in change["removed"]),
        *(f"  [green]+ {escape(text)}[/green]" for text in change["added"]),
    ]


def _side_counts(prompts: PromptSet) -> dict[str, int]:
    return {side: len(getattr(prompts, side)) for side in SIDES}


def _counts(prompts: PromptSet) -> str:
    normal, abnormal = _side_counts(prompts).values()
    return str(normal) if normal == abnormal else f"{normal} and {abnormal}"

"""`anoclip doctor`: what is on this machine, what is wrong, and what to do."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.cli import checkup
from napari_anoclip.cli.call import Call, alone, command
from napari_anoclip.cli.exits import Code
from napari_anoclip.cli.options import OptionGroup

app = alone()

DEVICE = OptionGroup(ModelSpec, "", "Model", only=("device",))

_MARKS = {"ok": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "wrong": "[bold red]wrong[/bold red]"}


@command(
    app,
    DEVICE,
    examples=(
        "anoclip doctor # look at everything; exit code 1 if something is wrong",
        "anoclip doctor --device cpu # try the model there",
        "anoclip doctor --json > machine.json # to be attached to a report",
    ),
)
def doctor(call: Call) -> Code:
    """Check this machine: what is there, what is wrong, what to do."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column()
    table.add_column(overflow="fold")
    checks = []
    for check in checkup.check_up(call.chosen.over(ModelSpec()).device):
        call.stop_if_asked()
        checks.append(check)
        advice = f"\n→ {escape(check.advice)}" if check.advice else ""
        table.add_row(_MARKS[check.state], check.name, escape(check.words) + advice)
    wrong = [check for check in checks if check.state == "wrong"]
    if wrong:
        end = f"[bold red]{len(wrong)} of {len(checks)} checks found something wrong:[/bold red] see the arrows above."
    else:
        end = "Nothing is wrong: AnoCLIP works on this machine."
    call.answer({"ok": not wrong, "checks": checks}, table, end)
    return Code.INCOMPLETE if wrong else Code.OK

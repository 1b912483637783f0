"""An evaluation as a table for the terminal, for a spreadsheet, for a program and for a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from pydantic import ValidationError
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from napari_anoclip.batch.datasets.folders import some
from napari_anoclip.batch.errors import InputError, OutputError
from napari_anoclip.batch.evaluation import RESOLUTIONS, Evaluation, VariantResult
from napari_anoclip.batch.figures import TITLES, DataFigures
from napari_anoclip.batch.plot import draw
from napari_anoclip.engine import atomic
from napari_anoclip.engine.words import counted
from napari_anoclip.review.metrics import Figure

MEAN = "mean"
"""What the mean over categories is called, among categories."""

FILES = ("figures.csv", "figures.json", "figures.md", "figures.png")
"""What `write` writes."""

_NONE = "-"

_WIDEST = 1000


def percent(figure: Figure, *, interval: bool = False) -> str:
    """A figure in hundredths, with the ends of its interval where that is asked for.

    Parameters
    ----------
    figure : Figure
    interval : bool
        Whether to add ``(low to high)``.
    """
    if figure.value is None:
        return _NONE
    text = f"{100 * figure.value:.1f}"
    if interval and figure.low is not None and figure.high is not None:
        text += f" ({100 * figure.low:.1f} to {100 * figure.high:.1f})"
    return text


def summary(evaluation: Evaluation) -> list[str]:
    """What was measured, on what and how, in sentences."""
    broken = len(evaluation.broken)
    limit = "" if evaluation.limit is None else f" At most {counted(evaluation.limit, 'picture')} of each category."
    words, side = RESOLUTIONS[evaluation.resolution], evaluation.image_size
    lines = [
        f"{evaluation.title}; model {evaluation.model}, {side} × {side} pixels, {evaluation.precision}, on "
        + evaluation.device,
        f"Figures of pixels at {evaluation.resolution} resolution: {words}.",
        f"In hundredths, with 95 % bootstrap intervals.{limit}",
    ]
    lacks = _lacks(evaluation)
    if lacks:
        lines.append(f"A dash stands where there is too little to tell a figure from: {'; '.join(lacks)}.")
    if broken:
        lines.append(f"{counted(broken, 'picture')} could not be used and {'was' if broken == 1 else 'were'} left out:")
        lines += [f"  {one.path}: {one.reason}" for one in evaluation.broken]
    return lines


def rich_tables(evaluation: Evaluation) -> Group:
    """A table for each variant, and one of their means where there are several."""
    parts: list[_Whole | Text] = [_Whole(_rich_table(variant)) for variant in evaluation.variants]
    if len(evaluation.variants) > 1:
        parts.append(_Whole(_rich_comparison(evaluation)))
    parts += [Text(line) for line in summary(evaluation)]
    return Group(*parts)


def data_frame(evaluation: Evaluation) -> pd.DataFrame:
    """One row for each variant and category, the mean over categories last.

    Returns
    -------
    DataFrame
        For each of `TITLES` its value and the ends of its interval between 0 and 1, with the endings ``_low`` and
        ``_high``; the number of images, how many have defects, how many were left out; seconds an image.
    """
    rows = []
    for variant in evaluation.variants:
        for name, figures, broken, seconds in _rows(variant):
            row: dict[str, object] = {
                "data": evaluation.data,
                "variant": variant.name,
                "category": name,
                "resolution": evaluation.resolution,
            }
            for key in TITLES:
                figure = figures[key]
                row |= {key: figure.value, f"{key}_low": figure.low, f"{key}_high": figure.high}
            row |= {"images": figures.images, "defective": figures.defective, "broken": broken}
            rows.append(row | {"seconds_an_image": seconds})
    return pd.DataFrame(rows)


def markdown(evaluation: Evaluation) -> str:
    """Tables for a document, with what they rest on."""
    blocks = []
    head = ["category", *TITLES.values(), "images", "s / image"]
    for variant in evaluation.variants:
        rows = [
            [
                name,
                *(percent(figures[key], interval=name == MEAN) for key in TITLES),
                str(figures.images),
                f"{seconds:.3f}",
            ]
            for name, figures, _, seconds in _rows(variant)
        ]
        blocks.append(f"## {evaluation.title}: {variant.name}\n\n{_markdown_table(head, rows)}")
    if len(evaluation.variants) > 1:
        rows = [
            [one.name, *(percent(one.mean[key], interval=True) for key in TITLES), f"{one.seconds:.3f}"]
            for one in evaluation.variants
        ]
        blocks.append(
            f"## Means over categories\n\n{_markdown_table(['variant', *TITLES.values(), 's / image'], rows)}"
        )
    return "\n\n".join([*blocks, "\n".join(f"{line}  " for line in summary(evaluation))]) + "\n"


def write(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write an evaluation in every form: CSV, JSON, Markdown and a picture.

    Parameters
    ----------
    evaluation : Evaluation
    folder : Path
        Is made if it is not there; files of the same names are replaced.

    Returns
    -------
    list of Path
        What was written, in the order of `FILES`.

    Raises
    ------
    OutputError
        If that cannot be done.
    """
    contents: Sequence[bytes | str] = (
        data_frame(evaluation).to_csv(index=False, lineterminator="\n"),
        evaluation.model_dump_json(indent=1),
        markdown(evaluation),
        draw(evaluation),
    )
    paths = [Path(folder) / name for name in FILES]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for path, content in zip(paths, contents, strict=True):
            atomic.write(path, content)
    except OSError as error:
        raise OutputError(
            f"The figures cannot be written to {folder} ({atomic.reason(error)}): choose another folder."
        ) from error
    return paths


def read(file: Path) -> Evaluation:
    """Read what `write` wrote as JSON.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    try:
        return Evaluation.model_validate_json(Path(file).read_bytes())
    except OSError as error:
        raise InputError(f"The figures {file} cannot be read ({error.strerror}): give another file.") from error
    except ValidationError as error:
        raise InputError(f"{file} holds no figures of an evaluation: give a {FILES[1]} of this version.") from error


def _rows(variant: VariantResult) -> Iterator[tuple[str, DataFigures, int, float]]:
    """Name, figures, pictures left out and seconds of each category, and of their mean."""
    for one in variant.categories:
        yield one.category, one.figures, len(one.broken), one.seconds
    yield MEAN, variant.mean, sum(len(one.broken) for one in variant.categories), variant.seconds


def _lacks(evaluation: Evaluation) -> list[str]:
    """What there is too little of, with the categories of which that is so."""
    found: dict[str, dict[str, None]] = {}
    for category in evaluation.variants[0].categories:
        for key in TITLES:
            if category.figures[key].value is None:
                found.setdefault(category.figures[key].words, {})[category.category] = None
    return [f"{words} ({some(list(names))})" for words, names in found.items()]


class _Whole:
    """A table as wide as it has to be: a figure that a narrow terminal cuts off is another figure."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.update(max_width=_WIDEST)
        needed = Measurement.get(console, wide, self._table).maximum
        yield from console.render(self._table, options.update(width=max(needed, options.max_width)))


def _rich_table(variant: VariantResult) -> Table:
    table = _narrow(variant.name)
    table.add_column("category", no_wrap=True)
    for title in TITLES.values():
        table.add_column(title.replace(", rescaled", " resc.").replace(" ", "\n"), justify="right")
    table.add_column("n", justify="right")
    table.add_column("s /\nimage", justify="right")
    for name, figures, _, seconds in _rows(variant):
        if name == MEAN:
            table.add_section()
        cells = (percent(figures[key]) for key in TITLES)
        table.add_row(escape(name), *cells, str(figures.images), f"{seconds:.3f}")
    for words, end in (("95 % from", "low"), ("to", "high")):
        ends = (getattr(variant.mean[key], end) for key in TITLES)
        table.add_row(words, *(_NONE if one is None else f"{100 * one:.1f}" for one in ends), style="dim")
    return table


def _rich_comparison(evaluation: Evaluation) -> Table:
    table = _narrow("means over categories")
    table.add_column("figure")
    for variant in evaluation.variants:
        table.add_column(escape(variant.name), justify="right")
    for key, title in TITLES.items():
        table.add_row(title, *(percent(variant.mean[key], interval=True) for variant in evaluation.variants))
    table.add_row("seconds an image", *(f"{variant.seconds:.3f}" for variant in evaluation.variants))
    return table


def _narrow(title: str) -> Table:
    """An empty table that leaves room for many columns in a terminal of 80."""
    return Table(title=escape(title), box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

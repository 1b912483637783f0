"""An evaluation as a picture: a row for each category, a dot for each variant, with its interval."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from napari_anoclip.batch.evaluation import Evaluation, VariantResult
from napari_anoclip.batch.figures import TITLES, DataFigures

DRAWN = ("image_auroc", "pixel_auroc", "pixel_ap", "aupro_30")
"""The figures that are drawn: of many more, none could be read."""

DPI = 110
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Told apart by the colour-blind (Okabe and Ito)."""
_MARKS = "osD^vP"
_ROW_INCHES = 0.3
_END = 101.5
"""Nothing is above 100, and a dot there is seen whole."""


def draw(evaluation: Evaluation) -> bytes:
    """Draw it.

    Parameters
    ----------
    evaluation : Evaluation

    Returns
    -------
    bytes
        PNG.
    """
    categories = [_plain(one.category) for one in evaluation.variants[0].categories]
    rows = len(categories) + 1
    height = 1.6 + _ROW_INCHES * rows * max(1.0, 0.5 * len(evaluation.variants))
    canvas = Canvas(figsize=(11, height), layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.subplots(1, len(DRAWN), sharey=True, squeeze=False)[0]
    for axis, name in zip(axes, DRAWN, strict=True):
        _draw_figure(axis, evaluation, name)
    axes[0].set_yticks(range(rows), [*categories, "mean"])
    axes[0].set_ylim(rows - 0.5, -0.5)
    if len(evaluation.variants) > 1:
        handles, labels = axes[0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    canvas.suptitle(f"{evaluation.title}, {evaluation.resolution} resolution; 95 % intervals", fontsize=11)
    written = io.BytesIO()
    canvas.savefig(written, format="png", dpi=DPI)
    return written.getvalue()


def _draw_figure(axis: Axes, evaluation: Evaluation, name: str) -> None:
    """One figure of all categories and variants."""
    count = len(evaluation.variants)
    for number, variant in enumerate(evaluation.variants):
        points = [
            (row, figures[name]) for row, figures in enumerate(_every(variant)) if figures[name].value is not None
        ]
        shift = (number - (count - 1) / 2) * min(0.22, 0.7 / count)
        values = [100 * (figure.value or 0.0) for _, figure in points]
        below, above = (
            [0.0 if end is None else abs(100 * end - value) for end, value in zip(ends, values, strict=True)]
            for ends in ([figure.low for _, figure in points], [figure.high for _, figure in points])
        )
        axis.errorbar(
            values,
            [row + shift for row, _ in points],
            xerr=[below, above],
            fmt=_MARKS[number % len(_MARKS)],
            color=_COLOURS[number % len(_COLOURS)],
            markersize=4,
            linewidth=1,
            label=_plain(variant.name),
        )
    axis.axhline(len(evaluation.variants[0].categories) - 0.5, color="0.6", linewidth=0.8)
    axis.set_title(TITLES[name], fontsize=10)
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)
    if any(figures[name].value is not None for variant in evaluation.variants for figures in _every(variant)):
        low, high = axis.get_xlim()
        axis.set_xlim(min(low, 97), min(high, _END))
    else:
        axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center", color="0.5")
        axis.set_xticks([])


def _plain(name: str) -> str:
    """A name in which nothing is taken for a formula."""
    return name.replace("$", r"\$")


def _every(variant: VariantResult) -> list[DataFigures]:
    """Figures of each category, and their mean."""
    return [*(one.figures for one in variant.categories), variant.mean]

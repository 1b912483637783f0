"""What the figures of the explanations are drawn with: pictures, and their heatmaps in one range of colours."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from napari_anoclip.engine.calibration import DisplayRange
from napari_anoclip.engine.tiling import Box

IMAGES = Path(__file__).parent / "images"
DPI = 100
COLOURS = "inferno"
"""Readable without colour vision, and the plugin's own."""
NORMAL, ABNORMAL = "#0072b2", "#d55e00"
"""Told apart by the colour-blind (Okabe and Ito)."""
LARGEST = 300_000
"""Bytes of a picture of the documentation at most."""


def canvas(width: float, height: float) -> Figure:
    """An empty figure of so many inches, that needs no display."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(rows: int, columns: int, side: float, aspect: float = 1.0) -> tuple[Figure, NDArray[np.object_]]:
    """A figure of (rows, columns) empty axes for pictures of so many inches, of an aspect of height to width."""
    figure = canvas(columns * side, rows * (side * aspect + 0.3))
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    return figure, axes


def show(axis: Axes, picture: NDArray[np.uint8], title: str = "") -> None:
    """Show a picture (H, W) or (H, W, 3)."""
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axis.set_title(title, fontsize=9)


def show_map(axis: Axes, heat: NDArray[np.float32], shown: DisplayRange, title: str = "") -> None:
    """Show a map (H, W) of probabilities in a range of colours, and outline what lies above its threshold."""
    axis.imshow(heat, cmap=COLOURS, vmin=shown.low, vmax=shown.high, interpolation="nearest")
    if heat.min() < shown.threshold < heat.max():
        axis.contour(heat, levels=[shown.threshold], colors="#00e5ff", linewidths=1.2)
    axis.set_title(title, fontsize=9)


def colour_bar(figure: Figure, axes: Axes | NDArray[np.object_], shown: DisplayRange) -> None:
    """A bar of the colours beside axes, the threshold marked."""
    colours = ScalarMappable(Normalize(shown.low, shown.high), colormaps[COLOURS])
    bar = figure.colorbar(colours, ax=axes, fraction=0.05, pad=0.02)
    bar.ax.axhline(shown.threshold, color="#00e5ff", linewidth=1.5)
    bar.ax.tick_params(labelsize=8)


def outline(axis: Axes, box: Box, colour: str = "#00e5ff", width: float = 1.5) -> None:
    """Draw a rectangle (top, left, bottom, right), in pixels from the picture's corner."""
    top, left, bottom, right = box
    axis.add_patch(
        Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=width)
    )


def save(figure: Figure, name: str) -> None:
    """Save a figure under the documentation's pictures; with few colours where it would be large.

    Raises
    ------
    ValueError
        If it is larger than a page should load even so.
    """
    file = IMAGES / f"{name}.png"
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    with Image.open(drawn) as picture:
        colours = picture.convert("RGB")
    colours.save(file, optimize=True)
    if file.stat().st_size > LARGEST:
        colours.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(file, optimize=True)
    size = file.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{file.name} has {size / 1000:.0f} kB: draw it smaller.")
    print(f"{file.name}: {size / 1000:.0f} kB")

"""The drawing of docs/architecture.md: packages, which imports which, and what an image passes in each.

python -m docs.architecture_drawing
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

FILE = Path(__file__).parent / "images" / "architecture.svg"
WIDTH, HEIGHT = 1000, 760
LINE = 19
STYLE = """
text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; font-size: 13px; fill: #1f2933 }
.title { font-size: 16px; font-weight: 600 }
.what { fill: #52606d }
.module { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: 12px }
.step { font-weight: 700; fill: #b8450b }
.box { stroke: #9aa5b1; stroke-width: 1.2 }
.arrow { stroke: #1f2933; stroke-width: 2; fill: none; marker-end: url(#head) }
.door { stroke-dasharray: 6 4 }
"""


@dataclass(frozen=True)
class Box:
    """A package in the drawing.

    Attributes
    ----------
    name : str
        Of the package, or of the module beside the packages.
    what : str
        In a few words.
    place : tuple of int
        Left, top, width, height.
    colour : str
        Of its ground.
    steps : tuple
        Number of the step in the life of an image (empty for none), module, and what it does there.
    """

    name: str
    what: str
    place: tuple[int, int, int, int]
    colour: str
    steps: tuple[tuple[str, str, str], ...] = ()


BOXES = (
    Box(
        "plugin",
        "napari and Qt: layers, docks, one worker",
        (20, 60, 470, 205),
        "#e3f0fb",
        (
            ("1", "look_at, planes, plane", "which pixels, and where they lie"),
            ("2", "run_request, job", "the run, in a thread of its own"),
            ("8", "results", "a layer in the image's place"),
            ("9", "region_finder", "regions, in a thread"),
            ("10", "judging, review_store", "verdicts by key, into a session"),
            ("12", "exporting", "all formats"),
        ),
    ),
    Box("desktop", "opens the window", (510, 60, 150, 62), "#f0f4f8"),
    Box(
        "cli",
        "the command anoclip: a thin door",
        (680, 60, 300, 62),
        "#fdf3d9",
    ),
    Box(
        "batch",
        "folders and data sets, no viewer",
        (510, 145, 470, 120),
        "#fdf3d9",
        (
            ("1", "inputs, datasets/", "which images there are"),
            ("2", "ahead, encoding_line, cluster", "side by side"),
            ("8", "outputs, records, tables", "maps and figures"),
        ),
    ),
    Box(
        "review",
        "from a map to a judgement; no napari, no Qt",
        (20, 320, 960, 120),
        "#e8f5e4",
        (
            ("9", "regions, region_mask", "what lies above the threshold, measured"),
            ("10", "judgement, verdicts, journal, session", "what was said of it, on disk at once"),
            ("11", "metrics, tuning, blame, references", "how good it is, and how it gets better"),
        ),
    ),
    Box(
        "engine",
        "the method: arrays and prompts in, arrays out; no napari, no Qt",
        (20, 495, 960, 205),
        "#fbe9e7",
        (
            ("3", "imaging, image_source", "any pixels to RGB from 0 to 1, and what identifies them"),
            ("4", "tiling, model_inputs", "where tiles and patches lie; the only place that knows"),
            ("5", "image_tower, vision, token_cache", "V-V patch tokens and class token, kept"),
            ("6", "prompts, text, embedding_cache", "prompts to a direction for each side, kept"),
            ("7", "adaptation, mutual, reference_memory", "tokens adapted; what lowers or raises a patch"),
            ("7", "scoring, field_scoring, tiling", "tokens against text: the grid, smoothed, and the map"),
        ),
    ),
)

ARROWS = (
    ("plugin", "review", [(255, 265), (255, 312)]),
    ("batch", "review", [(745, 265), (745, 312)]),
    ("review", "engine", [(500, 440), (500, 487)]),
    ("cli", "batch", [(830, 122), (830, 137)]),
    ("cli", "desktop", [(680, 91), (668, 91)]),
    ("desktop", "plugin", [(510, 91), (498, 91)]),
)
"""Who imports whom, and along which points it is drawn; whoever may import a package may import what is below it."""

HEAD = "Imports point downwards; the command opens a window by one door only (dashed). Numbers: the life of an image."
FOOT = "Beside them, without code: presets/ (prompts as YAML), builtin/ (the model), samples/ (pictures)."
MARKER = """<defs>
<marker id="head" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L10 5L0 10z" fill="#1f2933"/>
</marker>
</defs>"""


def drawing() -> str:
    """The drawing as SVG, on a ground of its own: it is read in the light and in the dark."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        '<title id="title">Packages of napari-anoclip, from the doors at the top to the engine below</title>',
        f"<style>{STYLE}</style>",
        MARKER,
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff"/>',
        _text(20, 36, HEAD, "what"),
        *(part for box in BOXES for part in _box(box)),
    ]
    for source, _, points in ARROWS:
        line = "M" + "L".join(f"{x} {y}" for x, y in points)
        parts.append(f'<path class="arrow{" door" if source in ("cli", "desktop") else ""}" d="{line}"/>')
    return "\n".join([*parts, _text(20, HEIGHT - 24, FOOT, "what"), "</svg>"]) + "\n"


def _box(box: Box) -> list[str]:
    left, top, width, height = box.place
    file = "/" if box.name != "desktop" else ".py"
    parts = [
        f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="8" fill="{box.colour}"/>',
        _text(left + 14, top + 26, box.name + file, "title"),
        _text(left + 14, top + 47, box.what, "what"),
    ]
    narrow = width < 600
    for row, (number, module, does) in enumerate(box.steps):
        down = top + 50 + LINE * (row + 1) + 3
        parts.append(_text(left + 14, down, number, "step"))
        parts.append(_text(left + 38, down, module, "module"))
        parts.append(_text(left + (255 if narrow else 400), down, does, "what"))
    return parts


def _text(x: int, y: int, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


def main() -> None:
    """Write it."""
    FILE.write_text(drawing(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

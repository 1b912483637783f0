"""The figures of docs/explanation/method.md, from the engine and the built-in model.

python -m docs.method_figures [NAME ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from docs.claims import hottest_at
from docs.drawing import ABNORMAL, COLOURS, NORMAL, canvas, colour_bar, outline, panels, save, show, show_map
from docs.subjects import DEFAULT, Subject, as_picture, model
from napari_anoclip.engine import scoring, vision
from napari_anoclip.engine.settings import AdaptationSettings, ScoringSettings, TilingSettings
from napari_anoclip.engine.tiling import Axis, Lattice, upsample

NAMED_STATES = tuple(f"{{}} with {kind}" for kind in ("stain", "crack", "hole", "scratch"))
"""Kinds of defect that the built-in model has learnt; it hardly tells the paper's general states apart."""
LARGE_SEED = 4
"""Of the large picture: one whose hole is neither at an edge nor large."""


def method_patches() -> None:
    """From the picture to patches, their scores, smoothing, and the map."""
    subject = Subject.sample("brushed_metal")
    shown = subject.shown()
    rough = subject.detect(DEFAULT.model_copy(update={"scoring": ScoringSettings(smooth=False)}))
    final = subject.detect()
    figure, ((image, grid, smoothed, whole),) = panels(1, 4, 2.6, subject.aspect)
    show(image, subject.picture, "1  the picture, cut into patches")
    lattice = subject.lattice
    for row in range(lattice.shape[0]):
        for column in range(lattice.shape[1]):
            outline(image, lattice.box((row, column)), "white", 0.4)
    for axis, values, title in (
        (grid, rough.grid, "2  one probability a patch"),
        (smoothed, final.grid, "3  mean over 3 × 3 patches"),
    ):
        show_map(axis, values, shown, title)
        axis.set_aspect(subject.aspect)
    show_map(whole, final.map, shown, "4  on the picture's pixels")
    save(figure, "method_patches")


def method_attention() -> None:
    """Where a patch looks, by plain and by V-V attention, and the maps of both paths."""
    subject = Subject.sample("grid")
    final, shown = subject.detect(), subject.shown()
    hottest = hottest_at(final.grid)
    plain, by_values = attention_of(subject, hottest)
    figure, axes = panels(2, 3, 3, subject.aspect)
    show(axes[0, 0], subject.picture, "the picture; one patch of the rust")
    outline(axes[0, 0], subject.lattice.box(hottest), "#00e5ff", 2)
    show_attention(axes[0, 1], subject, plain, "plain attention: where that patch looks")
    show_attention(axes[0, 2], subject, by_values, "V-V attention: where it looks")
    show(axes[1, 0], subject.picture, "the same picture")
    show_map(axes[1, 1], map_of_original_path(subject), shown, "map from the plain patch tokens")
    show_map(axes[1, 2], final.map, shown, "map from the V-V patch tokens")
    save(figure, "method_attention")


def attention_of(subject: Subject, cell: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """How one patch weighs all patches in the last block: by queries and keys, and by values; both (Gh, Gw)."""
    visual = model()._backbone.visual
    *first, last = visual.transformer.resblocks
    shape = subject.lattice.shape
    query = 1 + cell[0] * shape[1] + cell[1]
    with torch.inference_mode():
        z = vision.embed(visual, model_input(subject))
        for block in first:
            z = block(z)
        joined = F.linear(last.ln_1(z), last.attn.in_proj_weight, last.attn.in_proj_bias)
        q, k, v = (part.unflatten(-1, (last.attn.num_heads, -1)).transpose(1, 2)[0] for part in joined.chunk(3, -1))
        grids = []
        for asks, answers in ((q, k), (v, v)):
            weights = torch.softmax(asks[:, query, None] @ answers.mT / answers.shape[-1] ** 0.5, dim=-1)
            grids.append(weights.mean(0)[0, 1:].view(shape))
    return grids[0], grids[1]


def map_of_original_path(subject: Subject) -> NDArray[np.float32]:
    """The map that CLIP's own patch tokens give, scored as the V-V tokens are."""
    ano, visual = model(), model()._backbone.visual
    with torch.inference_mode():
        _, original = vision.two_paths(visual, model_input(subject), original_patches=True)
        tokens = vision.project(visual, original)[0, 1:]
        cosines = scoring.cosines(tokens, ano.encode_prompts(subject.prompts).sides)
        probability = scoring.abnormal_probability(cosines, ano.temperature)
    grid = scoring.smooth(probability.view(subject.lattice.shape).numpy())
    return upsample(grid, subject.lattice, "half_pixel")


def model_input(subject: Subject) -> Tensor:
    """(1, 3, S, S): the picture as the model sees it."""
    backbone = model()._backbone
    rgb = torch.from_numpy(subject.picture.copy()).permute(2, 0, 1)[None] / 255
    side = backbone.image_size
    return backbone.normalise(F.interpolate(rgb, size=(side, side), mode="bilinear", antialias=True))


def show_attention(axis: Axes, subject: Subject, weights: Tensor, title: str) -> None:
    """Show the patches that are looked at: the picture where weights are high, darkness where they are not."""
    light = upsample((weights / weights.max()).sqrt().numpy(), subject.lattice, "half_pixel")[..., None]
    show(axis, as_picture(subject.picture / 255 * (0.05 + 1.2 * light)), title)


def method_prompts() -> None:
    """What each state says at two pixels, one hot and one calm."""
    subject = Subject.drawn("demo_metal", "crack")
    states = [*(entry.text for entry in subject.prompts.abnormal_states[:3]), *NAMED_STATES]
    asked = Subject(subject.picture, subject.prompts.with_entries("abnormal_states", states))
    final, side = asked.detect(), asked.picture.shape[0]
    hot = hottest_at(final.map)
    calm = (side // 5, side // 5)
    figure = canvas(11, 4.4)
    image, *bars = figure.subplots(1, 3, width_ratios=(1, 1.15, 1.15))
    image.axis("off")
    show(image, asked.picture, "two patches")
    for axis, at, name in zip(bars, (hot, calm), ("A", "B"), strict=True):
        told = model().explain(asked.picture, asked.prompts, at)
        outline(image, told.box, "#00e5ff", 2)
        image.text(told.box[3] + 4, told.box[0] + 8, name, color="#005f73", fontsize=13, weight="bold")
        shares = {
            state: sum(
                share
                for prompt, share in zip(told.prompts, told.shares, strict=True)
                if f" {state.replace('{}', asked.prompts.object)}"
                in prompt  # "normal" is not to be found in "abnormal"
            )
            for state in (entry.text for entry in (*asked.prompts.normal_states, *asked.prompts.abnormal_states))
        }
        normal_count = len(asked.prompts.normal_states)
        colours = [NORMAL] * normal_count + [ABNORMAL] * (len(shares) - normal_count)
        axis.barh([state.replace("{}", "…") for state in shares], shares.values(), color=colours)
        axis.invert_yaxis()
        axis.axvline(0, color="0.4", linewidth=0.8)
        axis.tick_params(labelsize=8)
        axis.set_title(f"{name}: sum {told.logit:+.1f}, so p = {told.probability:.2f}", fontsize=9)
        axis.set_xlabel("share of the logit", fontsize=8)
    widest = max(abs(end) for axis in bars for end in axis.get_xlim())
    for axis in bars:
        axis.set_xlim(-widest, widest)
    save(figure, "method_prompts")


def method_temperature() -> None:
    """The same map at two temperatures: other probabilities, the same order; and each in its own fixed range."""
    subject = Subject.sample("brushed_metal")
    figure = canvas(10.5, 2.9)
    axes = figure.subplots(1, 4)
    for pair, (name, temperature) in enumerate((("τ = 1, the paper's", 1.0), ("τ of the model", None))):
        settings = DEFAULT.model_copy(update={"scoring": ScoringSettings(temperature=temperature)})
        final, shown = subject.detect(settings), subject.shown(settings)
        histogram, heat = axes[2 * pair], axes[2 * pair + 1]
        histogram.hist(final.grid.ravel(), bins=np.linspace(0, 1, 51), color=ABNORMAL)
        histogram.set_yscale("log")
        histogram.set_title(f"{name}: probabilities", fontsize=9)
        histogram.tick_params(labelsize=8)
        heat.axis("off")
        show_map(heat, final.map, shown, f"shown from {shown.low:.3f} to {shown.high:.3f}")
    save(figure, "method_temperature")


def method_adaptation() -> None:
    """The loss of two real runs, and the map before and after."""
    subject = Subject.drawn("demo_panel", "stain")
    runs = {
        "the paper's: τ = 1, 5 steps": AdaptationSettings(enabled=True),
        "τ of the model, 30 steps": AdaptationSettings(enabled=True, temperature=None, steps=30),
    }
    figure = canvas(11.5, 2.7)
    image, before, *after, curve = figure.subplots(1, 5, width_ratios=(1, 1, 1, 1, 1.3))
    for axis in (image, before, *after):
        axis.axis("off")
    show(image, subject.picture, "a board with a stain")
    show_map(before, subject.detect().map, subject.shown(), "not adapted")
    for axis, colour, (name, adaptation) in zip(after, (NORMAL, ABNORMAL), runs.items(), strict=True):
        settings = DEFAULT.model_copy(update={"adaptation": adaptation})
        final = subject.detect(settings)
        show_map(axis, final.map, subject.shown(settings), name)
        steps = range(1, len(final.losses) + 1)
        curve.plot(steps, np.array(final.losses) / final.losses[0], marker=".", color=colour, label=name)
    curve.ticklabel_format(useOffset=False)
    curve.tick_params(labelsize=8)
    curve.set_xlabel("step", fontsize=8)
    curve.set_title("loss before each step, of the first", fontsize=9)
    curve.legend(fontsize=7)
    save(figure, "method_adaptation")


def method_tiles() -> None:
    """A large picture fitted into one square, and cut into tiles."""
    subject = Subject.drawn("demo_cloth", "hole", side=1200, seed=LARGE_SEED)
    tiling = TilingSettings(mode="tiles", scale=0.5)
    tiled = subject.detect(DEFAULT.model_copy(update={"tiling": tiling}))
    fitted, shown = subject.detect(), subject.shown()
    backbone = model()._backbone
    height, width = subject.picture.shape[:2]
    cells = backbone.image_size // backbone.patch_size
    lattice = Lattice(
        *(Axis.tiled(each, cells, backbone.patch_size, tiling.scale, tiling.overlap) for each in (height, width))
    )
    figure, ((image, one, many),) = panels(1, 3, 3)
    show(image, subject.picture, f"{width} × {height} pixels, {len(lattice.tiles)} tiles, half size")
    colours = colormaps["tab10"].colors
    for number, (row, column) in enumerate(lattice.tiles):
        (down, _), (right, _) = lattice.rows.pixels(row), lattice.columns.pixels(column)
        inset = 6 * (number % 3 + 1)
        box = (down.start + inset, right.start + inset, down.stop - inset, right.stop - inset)
        outline(image, box, colours[number % len(colours)], 1.6)
    show_map(one, fitted.map, shown, "fitted into one square")
    show_map(many, tiled.map, shown, "tiles, blended where they overlap")
    save(figure, "method_tiles")


def method_range() -> None:
    """A good and a bad picture: stretched each by itself, and in one range."""
    pair = {"good": Subject.drawn("demo_metal"), "bad": Subject.drawn("demo_metal", "stain")}
    figure, axes = panels(2, 3, 2.5)
    for row, (name, subject) in zip(axes, pair.items(), strict=True):
        final, shown = subject.detect(), subject.shown()
        show(row[0], subject.picture, f"{name}, image score {final.score:.2f}")
        row[1].imshow(final.map, cmap=COLOURS)
        row[1].set_title("each stretched by itself: wrong", fontsize=9)
        show_map(row[2], final.map, shown, "one range for both")
    colour_bar(figure, axes[:, 2], shown)
    save(figure, "method_range")


FIGURES: dict[str, Callable[[], None]] = {
    make.__name__: make
    for make in (
        method_patches,
        method_attention,
        method_prompts,
        method_temperature,
        method_adaptation,
        method_tiles,
        method_range,
    )
}


def main(names: list[str]) -> None:
    """Draw the named figures, or all."""
    for name in names or FIGURES:
        FIGURES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])

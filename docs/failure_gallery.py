"""The gallery of docs/explanation/when-it-fails.md: failures of the built-in model, measured anew and drawn.

python -m docs.failure_gallery [NAME ...]

Every picture claims something that its page says. A claim that no longer holds, as after a new model, is printed, and
the exit status is 1: the page is then wrong, and has to be written anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data
from sklearn.metrics import roc_auc_score

from docs.claims import SIDE, Claim, compare, hottest_at, middle
from docs.drawing import ABNORMAL, NORMAL, canvas, colour_bar, outline, panels, save, show, show_map
from docs.subjects import DEFAULT, Subject, as_picture, model
from napari_anoclip.batch.demo_defects import damaged
from napari_anoclip.batch.demo_materials import MATERIALS
from napari_anoclip.engine import PromptSet
from napari_anoclip.engine.mutual import Others
from napari_anoclip.engine.prompts import Kind
from napari_anoclip.engine.reference_memory import ReferenceMemory, typical_distance
from napari_anoclip.engine.settings import MutualSettings, ReferenceSettings, TilingSettings
from napari_anoclip.plugin.sample_data import open_sample

SCORED = 20
"""Pictures of each material that get an image score, half of them bad."""
SAMPLES = ("leather", "grid", "circuit_board", "disc", "ring", "cable", "brushed_metal", "perforated_sheet")
GOOD_BOARDS, BATCH = 4, 12
"""Boards that are known to be good, and boards of which nothing is known."""


def photograph(name: str, object_name: str, kind: Kind) -> Subject:
    """One of the photographs that come with scikit-image."""
    picture = getattr(data, name)()
    return Subject(picture[..., :3] if picture.ndim > 2 else picture, PromptSet.paper(object_name, kind=kind))


def sample_mask(name: str) -> NDArray[np.bool_]:
    """(H, W) where the defect of a packaged sample is."""
    return np.asarray(open_sample(name)[1][0]) > 0


def fails_belongs() -> Iterator[Claim]:
    """Structure that belongs is hotter than a scratch that does not."""
    board = MATERIALS["demo_panel"]
    rng = np.random.default_rng(1)
    scene = board.draw(rng, 256)
    scratched, mask = damaged(rng, scene, "scratch")
    prompts = PromptSet.paper(board.object, kind=board.kind)
    good, bad = (Subject(as_picture(pixels), prompts) for pixels in (scene.pixels(), scratched))
    moon = photograph("moon", "surface", "texture")
    maps = compare("fails_belongs", {"a good board": good, "the board, scratched": bad, "craters, as they are": moon})
    clean = maps["a good board"]
    yield Claim("a good board is hotter than a scratch on it", clean.max() > maps["the board, scratched"][mask].max())
    yield Claim("craters come out clearly", bool(maps["craters, as they are"].max() > middle(moon)))


def fails_object() -> Iterator[Claim]:
    """A whole thing on an empty ground lights up, and hides the defect on it."""
    names = ("disc", "cable")
    things = {f"sample “{name}”": Subject.sample(name) for name in names}
    things |= {
        "no part at all": photograph("coffee", "cup", "object"),
        "nor this": photograph("camera", "object", "object"),
    }
    square = {title: replace(thing, picture=squared(thing.picture)) for title, thing in things.items()}
    maps = compare("fails_object", square)
    for name in names:
        mask = squared(sample_mask(name))
        yield Claim(f"the hottest place of “{name}” is not its defect", not mask[hottest_at(maps[f"sample “{name}”"])])
        inner = tuple(slice(round(0.22 * len(mask)), round(0.78 * len(mask))) for _ in range(2))
        cropped = replace(things[f"sample “{name}”"], picture=square[f"sample “{name}”"].picture[inner])
        yield Claim(f"nor is it in a piece of “{name}”", not mask[inner][hottest_at(cropped.detect().map)])
    for title in ("no part at all", "nor this"):
        yield Claim(f"a photograph is hot ({title})", bool(maps[title].max() > middle(things[title])))


def squared(picture: NDArray[Any]) -> NDArray[Any]:
    """The square in the middle of a picture or mask."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def fails_contrast() -> Iterator[Claim]:
    """The same stain, fainter and fainter."""
    sheet = MATERIALS["demo_metal"]
    rng = np.random.default_rng(1)
    scene = sheet.draw(rng, 256)
    good = scene.pixels()
    stained, mask = damaged(rng, scene, "stain")
    prompts = PromptSet.paper(sheet.object, kind=sheet.kind)
    subjects = {}
    for share in (1.0, 0.35, 0.2, 0.12):
        grey_values = 255 * share * float(np.abs(stained - good)[mask].mean())
        subjects[f"{grey_values:.0f} grey values"] = Subject(as_picture(good + share * (stained - good)), prompts)
    maps = list(compare("fails_contrast", subjects).values())
    faintest = next(reversed(subjects.values()))
    yield Claim("the strong stain is found", bool(maps[0][mask].max() > faintest.shown().threshold))
    yield Claim("the faint one is shown black", bool(maps[-1][mask].max() < faintest.shown().low))
    grey = np.round(100 * 255 * (good + 0.2 * (stained - good)).mean(-1)).astype(np.uint16)
    low, high = np.percentile(grey, (1, 99))
    whole, tight = (0.0, 25_500.0), (float(low), float(high))
    seen = [model().detect(grey, prompts, contrast_limits=ends).map[mask].max() for ends in (whole, tight)]
    yield Claim(f"black and white close to the surface help ({seen[0]:.2f} to {seen[1]:.2f})", seen[1] > seen[0] + 0.1)


def fails_thin() -> Iterator[Claim]:
    """A line of a few pixels in a large picture, fitted and in tiles."""
    sheet, side = MATERIALS["demo_metal"], 1600
    good = sheet.draw(np.random.default_rng(3), side).pixels()
    rows, columns = np.mgrid[:side, :side] / side
    along = (rows - 0.33) / 0.35
    line = (np.abs(columns - 0.42 - 0.17 * along - 0.05 * along**2) * side < 1.5) & (along > 0) & (along < 1)
    picture = as_picture(good - 0.3 * line[..., None])
    subject = Subject(picture, PromptSet.paper(sheet.object, kind=sheet.kind))
    shown, fitted = subject.shown(), subject.detect().map
    tiled = subject.detect(DEFAULT.model_copy(update={"tiling": TilingSettings(mode="tiles")})).map
    figure, ((image, piece, one, many),) = panels(1, 4, 2.4)
    top, left, length = round(0.42 * side), round(0.42 * side), 160
    show(image, picture, f"{side} × {side} pixels")
    outline(image, (top, left, top + length, left + length))
    show(piece, picture[top : top + length, left : left + length], "a scratch 3 pixels wide")
    show_map(one, fitted, shown, f"fitted: hottest on it {fitted[line].max():.2f}")
    show_map(many, tiled, shown, f"tiles: hottest on it {tiled[line].max():.2f}")
    save(figure, "fails_thin")
    yield Claim("a fine scratch is shown black in the fitted picture", bool(fitted[line].max() < shown.low))
    yield Claim("tiles bring it out", bool(tiled[line].max() > shown.low + 0.1))


def fails_logic() -> Iterator[Claim]:
    """A part missing, or two in the wrong order: intact, and so normal to the model."""
    board = MATERIALS["demo_panel"]
    scene = board.draw(np.random.default_rng(1), 256)
    whole = scene.pixels()
    swapped = whole.copy()
    for target, source in ((0.20, 0.58), (0.58, 0.20)):
        to, origin = part_at(target), part_at(source)
        swapped[to] = whole[origin]
    prompts = PromptSet.paper(board.object, kind=board.kind)
    missing = next(index for index, (mask, _) in enumerate(scene.elements) if mask[part_at(0.3)].mean() > 0.5)
    pictures = {
        "complete": whole,
        "one part missing": scene.pixels(without=missing),
        "two parts swapped": swapped,
    }
    maps = compare("fails_logic", {title: Subject(as_picture(one), prompts) for title, one in pictures.items()})
    complete = maps.pop("complete")
    for title, heat in maps.items():
        changed = np.abs(pictures[title] - whole).max(-1) > 0.05
        rise = float(heat[changed].max() - complete[changed].max())
        yield Claim(f"{title}: hardly hotter there ({rise:+.2f})", rise < 0.1)


def part_at(row: float) -> tuple[slice, slice]:
    """Where the small part in a row of the drawn board lies, of 256 pixels."""
    column = 0.63 if row < 0.5 else 0.36
    down, right = (slice(round(256 * at) - half, round(256 * at) + half) for at, half in ((row, 8), (column, 15)))
    return down, right


def fails_light() -> Iterator[Claim]:
    """A reflection on good brick is hot; a shadow, noise and blur are not."""
    bricks = np.repeat(data.brick()[:256, :256, None], 3, axis=2) / 255
    rows, columns = np.mgrid[:256, :256] / 256
    glare = 1.2 * np.exp(-((columns - 0.6) ** 2 + (rows - 0.4) ** 2) / 0.01)
    prompts = PromptSet.paper("brick wall", kind="texture")
    pictures = {
        "good bricks": bricks,
        "with a reflection": bricks + glare[..., None],
        "half in the shade": bricks * np.where(columns > 0.5, 0.5, 1.0)[..., None],
        "out of focus": ndimage.gaussian_filter(bricks, (3, 3, 0)),
    }
    subjects = {title: Subject(as_picture(pixels), prompts) for title, pixels in pictures.items()}
    maps = compare("fails_light", subjects)
    level = middle(subjects["good bricks"])
    yield Claim("a reflection is hot", bool(maps["with a reflection"].max() > level))
    for title in ("half in the shade", "out of focus"):
        yield Claim(f"{title}: calm", bool(maps[title].max() < level))


def fails_object_name() -> Iterator[Claim]:
    """A word for a defect in the object's name turns the normal side into one that speaks of defects."""
    plain = Subject.drawn("demo_metal", "stain")
    names = ("metal sheet", "stained metal sheet")
    figure, ((image, *heats),) = panels(1, 3, 2.7)
    show(image, plain.picture, "a stain on a metal sheet")
    reached = []
    for axis, name in zip(heats, names, strict=True):
        subject = replace(plain, prompts=plain.prompts.with_object(name))
        shown, heat = subject.shown(), subject.detect().map
        reached.append((heat.max() - shown.low) / (shown.high - shown.low))
        show_map(axis, heat, shown, f"“{name}”: {heat.max():.2f}")
    save(figure, "fails_object_name")
    yield Claim("with the word, the stain stays far lower in its range of colours", bool(reached[1] < reached[0] / 2))


def fails_words() -> Iterator[Claim]:
    """Words that the model does not know, or does not hear."""
    plain = Subject.drawn("demo_metal", "crack")
    usual = "the paper's prompts"
    asked = {
        usual: plain.prompts,
        "object “pizza”": plain.prompts.with_object("pizza"),
        "domain “cartoon”": plain.prompts.with_entries("domains", ["cartoon"]),
        "only “with stain”": plain.prompts.with_entries("abnormal_states", ["{} with stain"]),
        "only “mit Riss”": plain.prompts.with_entries("abnormal_states", ["{} mit Riss"]),
    }
    figure, axes = panels(1, 1 + len(asked), 1.75)
    show(axes[0, 0], plain.picture, "a cracked sheet")
    maps = {}
    for axis, (title, prompts) in zip(axes[0, 1:], asked.items(), strict=True):
        maps[title] = replace(plain, prompts=prompts).detect().map
        show_map(axis, maps[title], plain.shown(), title)
    colour_bar(figure, axes[0], plain.shown())
    save(figure, "fails_words")
    for title in ("object “pizza”", "domain “cartoon”"):
        yield Claim(f"{title} changes next to nothing", float(np.abs(maps[title] - maps[usual]).max()) < 0.03)
    yield Claim("the wrong kind lowers a real defect", maps["only “with stain”"].max() < maps[usual].max() - 0.1)
    yield Claim("unknown words say the same everywhere", float(np.ptp(maps["only “mit Riss”"])) < 0.05)


def fails_score() -> Iterator[Claim]:
    """Image scores of good and bad pictures overlap."""
    figure = canvas(9, 3.2)
    axis = figure.subplots()
    labels, scores = [], []
    for row, (name, material) in enumerate(MATERIALS.items()):
        for number in range(SCORED):
            bad = number % 2 == 1
            defect = material.defects[number // 2 % len(material.defects)] if bad else ""
            score = Subject.drawn(name, defect, seed=100 + number).detect().score
            axis.plot(
                score,
                row + (0.12 if bad else -0.12),
                "x" if bad else "o",
                color=ABNORMAL if bad else NORMAL,
                markersize=5,
                label={0: "good", 1: "with a defect"}.get(number) if row == 0 else None,
            )
            labels.append(bad)
            scores.append(score)
    auroc = float(roc_auc_score(labels, scores))
    axis.set_yticks(range(len(MATERIALS)), [material.object for material in MATERIALS.values()], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("image score", fontsize=8)
    axis.set_title(f"{len(scores)} drawn pictures: AUROC {auroc:.2f} over all materials", fontsize=9)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, "fails_score")
    good = [score for score, bad in zip(scores, labels, strict=True) if not bad]
    median_bad = float(np.median([score for score, bad in zip(scores, labels, strict=True) if bad]))
    yield Claim(f"AUROC over materials {auroc:.2f}", auroc < 0.9)
    yield Claim("some good picture scores above half of the bad ones", max(good) > median_bad)


def fails_threshold() -> Iterator[Claim]:
    """The default threshold keeps good pictures calm, and is above many a defect."""
    figure = canvas(9, 2.8)
    axis = figure.subplots()
    missed = 0
    for row, name in enumerate(SAMPLES):
        subject, mask = Subject.sample(name), sample_mask(name)
        shown, heat = subject.shown(), subject.detect().map
        missed += bool(heat[mask].max() < shown.threshold)
        axis.plot(heat[mask].max(), row, "x", color=ABNORMAL, label="hottest on the defect" if row == 0 else None)
        axis.plot(heat[~mask].max(), row, "o", color=NORMAL, label="hottest beside it" if row == 0 else None)
        axis.plot([shown.threshold] * 2, [row - 0.4, row + 0.4], color="0.3", label="threshold" if row == 0 else None)
    axis.set_yticks(range(len(SAMPLES)), [name.replace("_", " ") for name in SAMPLES], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.tick_params(labelsize=8)
    axis.set_xlabel("probability", fontsize=8)
    axis.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, "fails_threshold")
    yield Claim(f"nothing of the defect is above the threshold in {missed} of {len(SAMPLES)} samples", missed >= 3)


def helps_board() -> Iterator[Claim]:
    """What references and the other images make of the board that fails above."""
    board = MATERIALS["demo_panel"]
    prompts = PromptSet.paper(board.object, kind=board.kind)
    good = [Subject.drawn("demo_panel", seed=20 + number).picture for number in range(GOOD_BOARDS)]
    tokens = [model().tokens(picture)[-1].patches.flatten(0, 1) for picture in good]
    labels = ["a good board"] * sum(map(len, tokens))
    memory = ReferenceMemory.of(model().model_id, torch.cat(tokens), labels, typical_distance(tokens))
    by_references = DEFAULT.model_copy(update={"references": ReferenceSettings(enabled=True)})
    by_others = DEFAULT.model_copy(update={"mutual": MutualSettings(enabled=True, tokens="layers")})
    figure, axes = panels(2, 4, SIDE)
    gains: dict[str, list[float]] = {"references": [], "others": []}
    for row, (defect, seed) in zip(axes, (("stain", 44), ("missing", 42)), strict=True):
        rng = np.random.default_rng(seed)
        spoilt, mask = damaged(rng, board.draw(rng, 256), defect)
        bad = Subject(as_picture(spoilt), prompts)
        batch = [Subject.drawn("demo_panel", seed=30 + number).picture for number in range(BATCH)]
        others = Others.gather(model(), [*batch, bad.picture], by_others)
        maps = {
            "as it is": bad.detect().map,
            f"{GOOD_BOARDS} good ones as references": bad.detect(by_references, memory=memory).map,
            f"beside {BATCH} others": bad.detect(by_others, others=others).map,
        }
        show(row[0], bad.picture, {"stain": "a stain", "missing": "a missing part"}[defect])
        aurocs = [float(roc_auc_score(mask.ravel(), heat.ravel())) for heat in maps.values()]
        for axis, (title, heat), auroc in zip(row[1:], maps.items(), aurocs, strict=True):
            show_map(axis, heat, bad.shown(), f"{title}: {auroc:.2f}")
        gains["references"].append(aurocs[1] - aurocs[0])
        gains["others"].append(aurocs[2] - aurocs[0])
    save(figure, "helps_board")
    yield Claim("references help with both", min(gains["references"]) > 0.05)
    yield Claim("so do the other boards", min(gains["others"]) > 0.05)


GALLERY: dict[str, Callable[[], Iterator[Claim]]] = {
    make.__name__: make
    for make in (
        fails_belongs,
        fails_object,
        fails_contrast,
        fails_thin,
        fails_logic,
        fails_light,
        fails_object_name,
        fails_words,
        fails_score,
        fails_threshold,
        helps_board,
    )
}


def main(names: Sequence[str]) -> int:
    """Draw the named pictures, or all, and say which claims hold."""
    wrong = 0
    for name in names or GALLERY:
        for claim in GALLERY[name]():
            wrong += not claim.holds
            print(f"  {'holds' if claim.holds else 'DOES NOT HOLD'}: {claim.sentence}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

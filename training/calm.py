"""How calm good pictures stay at the threshold and in the colours that a user meets first, and what of defects is seen.

The threshold and the range are those that the packaged normal pictures give (``AnoCLIP.display_range``), as in the dock
before anything is set by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from napari_anoclip.engine import AnoCLIP
from napari_anoclip.review.regions import RegionSettings, find_regions

from .evaluation_sets import SETS, SURFACES, THINGS, Pictures, prompts_of
from .scenes import Recipe

FAMILIES = {"texture": "surfaces", "structure": "structured panels", "object": "objects"}


@dataclass(frozen=True)
class Shown:
    """One map as it is shown.

    Attributes
    ----------
    family : str
        Of the picture.
    above, red : ndarray
        (S, S) bool: above the threshold; at the top of the colours' range.
    regions : ndarray
        (S, S) bool: in a region that is large enough to be listed.
    mask : ndarray
        (S, S) bool: what is bad.
    scored : bool
        Whether the image score lies above the threshold.
    """

    family: str
    above: np.ndarray
    red: np.ndarray
    regions: np.ndarray
    mask: np.ndarray
    scored: bool


@dataclass(frozen=True)
class Calm:
    """Figures of good pictures: shares of their pixels, and of the pictures.

    Attributes
    ----------
    pictures : int
        How many.
    above, red : float
        Share of all pixels above the threshold; at the top of the colours' range.
    high, worst : float
        95th percentile over pictures, and the largest, of the share above the threshold.
    listed : float
        Share of pictures with at least one region.
    scored : float
        Share of pictures whose image score lies above the threshold.
    """

    pictures: int
    above: float
    red: float
    high: float
    worst: float
    listed: float
    scored: float

    @classmethod
    def of(cls, shown: list[Shown]) -> Calm:
        """Figures of maps of good pictures."""
        shares = [one.above.mean() for one in shown]
        return cls(
            pictures=len(shown),
            above=float(np.mean(shares)),
            red=float(np.mean([one.red.mean() for one in shown])),
            high=float(np.percentile(shares, 95)),
            worst=float(np.max(shares)),
            listed=float(np.mean([one.regions.any() for one in shown])),
            scored=float(np.mean([one.scored for one in shown])),
        )


@dataclass(frozen=True)
class Seen:
    """Figures of bad pictures.

    Attributes
    ----------
    pictures : int
        How many.
    area : float
        Share of the defects' pixels above the threshold.
    hit : float
        Share of pictures with a region on a defect.
    scored : float
        Share of pictures whose image score lies above the threshold.
    """

    pictures: int
    area: float
    hit: float
    scored: float

    @classmethod
    def of(cls, shown: list[Shown]) -> Seen:
        """Figures of maps of bad pictures."""
        return cls(
            pictures=len(shown),
            area=float(np.concatenate([one.above[one.mask] for one in shown]).mean()),
            hit=float(np.mean([(one.regions & one.mask).any() for one in shown])),
            scored=float(np.mean([one.scored for one in shown])),
        )


def show(ano: AnoCLIP, pictures: Pictures) -> list[Shown]:
    """Maps of a set as the dock shows them by default."""
    prompts = {texture: prompts_of(None, texture) for texture in set(pictures.texture)}
    ranges = {texture: ano.display_range(asked) for texture, asked in prompts.items()}
    shown = []
    for image, kinds, family in zip(pictures.images, pictures.kinds, pictures.families, strict=True):
        texture = family == "texture"
        found, colours = ano.detect(image, prompts[texture]), ranges[texture]
        heat = found.map
        regions = np.zeros(heat.shape, bool)
        for region in find_regions(heat, colours.threshold, RegionSettings()):
            region.mask.draw(regions, True)
        above, scored = heat > colours.threshold, found.score > colours.threshold
        shown.append(Shown(family, above, heat >= colours.high, regions, kinds > 0, scored))
    return shown


def good_sets(seed: int, count: int) -> Iterator[tuple[str, Pictures]]:
    """Good pictures by group: scenes as training draws them, scenes of what it never saw, and photographs."""
    for index, (name, recipe) in enumerate(SETS.items()):
        if not recipe.new_kinds:
            yield name, Pictures.draw(Recipe(held_out=recipe.held_out, bad=0.0), seed * 10 + 4 + index, count)
    yield f"photographs of surfaces ({', '.join(SURFACES)})", Pictures.photographs(SURFACES, "texture")
    yield f"photographs of things ({', '.join(THINGS)})", Pictures.photographs(THINGS, "object")


def bad_sets(seed: int, count: int) -> Iterator[tuple[str, Pictures]]:
    """Pictures with defects, by set."""
    for index, (name, recipe) in enumerate(SETS.items()):
        bad = Recipe(held_out=recipe.held_out, new_kinds=recipe.new_kinds, bad=1.0)
        yield name, Pictures.draw(bad, seed * 10 + 4 + index, count)


def print_calm(models: Mapping[str, AnoCLIP], seed: int, count: int) -> None:
    """Print both tables.

    Parameters
    ----------
    models : mapping of str to AnoCLIP
        By name.
    seed : int
        Of the scenes.
    count : int
        Scenes a set.
    """
    print(
        "| good pictures | model | pictures | above the threshold | red | 95 % stay below | worst | with a region | "
        "image score above |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, pictures in good_sets(seed, count):
        for model, ano in models.items():
            shown = show(ano, pictures)
            parts = {name: shown}
            families = [family for family in FAMILIES if family in pictures.families]
            if len(families) > 1:
                parts |= {f"… {FAMILIES[f]}": [one for one in shown if one.family == f] for f in families}
            for part, chosen in parts.items():
                calm = Calm.of(chosen)
                print(
                    f"| {part} | {model} | {calm.pictures} | {calm.above:.2%} | {calm.red:.2%} | {calm.high:.2%} | "
                    f"{calm.worst:.2%} | {calm.listed:.0%} | {calm.scored:.0%} |",
                    flush=True,
                )
    print(
        "\n| defects | model | pictures | of their area above the threshold | pictures with a region on one | "
        "image score above |"
    )
    print("|---|---|---|---|---|---|")
    for name, pictures in bad_sets(seed, count):
        for model, ano in models.items():
            seen = Seen.of([one for one in show(ano, pictures) if one.mask.any()])
            print(
                f"| {name} | {model} | {seen.pictures} | {seen.area:.1%} | {seen.hit:.0%} | {seen.scored:.0%} |",
                flush=True,
            )

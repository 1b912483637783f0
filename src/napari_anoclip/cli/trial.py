"""Packaged pictures with known defects, scored: what a model is worth at all, and whether this machine computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from scipy.stats import mannwhitneyu

from napari_anoclip.engine.progress import Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.review.pictures import read_picture

if TYPE_CHECKING:
    from napari_anoclip.engine import AnoCLIP
    from napari_anoclip.engine.progress import CancelFlag, ProgressCallback

EASY = ("leather",)
"""One whose defect any trained model finds; its score tells whether a machine computes as others do."""

ALL = ("leather", "grid", "circuit_board", "disc", "ring", "cable", "brushed_metal", "perforated_sheet")
"""Dark and bright defects, on surfaces and things: a model without any sense of defects is right on half of them."""


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes
    ----------
    samples : tuple of str
        Titles of the pictures.
    score : float
        Probability of being abnormal, of the first picture.
    auroc : float
        How well maps tell the pixels of defects from the others, on average: 1 perfectly, 0.5 not at all.
    seconds : float
        Wall time a picture, without its prompts.
    """

    samples: tuple[str, ...]
    score: float
    auroc: float
    seconds: float


def try_out(
    model: AnoCLIP,
    samples: Sequence[str] = EASY,
    *,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Trial:
    """Score packaged pictures.

    Parameters
    ----------
    model : AnoCLIP
        With its default settings, and the packaged short prompts.
    samples : sequence of str
        Which pictures.
    on_progress, cancel : optional
        As for `AnoCLIP.detect`; progress is in pictures.

    Returns
    -------
    Trial

    Raises
    ------
    AnoCLIPError
        As `AnoCLIP.detect`.
    """
    report = Reporter(on_progress, cancel)
    folder = resources.files("napari_anoclip") / "samples"
    about = {Path(one["file"]).stem: one for one in yaml.safe_load((folder / "samples.yaml").read_text("utf-8"))}
    found, aurocs = [], []
    for done, name in enumerate(samples):
        report("trying pictures", done, len(samples))
        with (
            resources.as_file(folder / about[name]["file"]) as picture,
            resources.as_file(folder / about[name]["mask"]) as mask,
        ):
            pixels, defect = read_picture(picture), read_picture(mask) > 0
        prompts = PromptSet.preset("short", about[name]["object"])
        model.encode_prompts(prompts, cancel=cancel)
        one = model.detect(pixels, prompts, cancel=cancel)
        hot, cold = one.map[defect], one.map[~defect]
        aurocs.append(float(mannwhitneyu(hot, cold).statistic) / (hot.size * cold.size))
        found.append(one)
    return Trial(
        samples=tuple(about[name]["title"] for name in samples),
        score=found[0].score,
        auroc=sum(aurocs) / len(aurocs),
        seconds=sum(one.seconds for one in found) / len(found),
    )

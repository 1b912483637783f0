"""Judgements, images and a person who judges at random: what the tests of sessions have in common.

Everything a person does comes of a seed, so that two who have the same seed do the same. Nothing here loads torch.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Protocol

import numpy as np

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.review.judgement import ImageReview, Judgement, Measures, Verdict
from napari_anoclip.review.metrics import Figure, Figures
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings
from napari_anoclip.review.session import Session, SessionSettings
from napari_anoclip.review.trials import Trial
from napari_anoclip.review.verdicts import Review

SHAPE = (96, 128)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Reviewed(Protocol):
    """What a session holds."""

    review: Review
    settings: SessionSettings
    trials: Any


class InMemory:
    """What a session should hold."""

    def __init__(self) -> None:
        self.review = Review()
        self.settings = SessionSettings()
        self.trials: tuple[Trial, ...] = ()


def image(key: str = "a1b2", name: str = "part 7.png", shape: tuple[int, ...] = SHAPE, **more: Any) -> ImageReview:
    return ImageReview(key=key, name=name, fingerprint=key * 16, map_shape=shape, **more)


def square(row: int, column: int, size: int = 6) -> RegionMask:
    return RegionMask.of(np.ones((size, size), bool), (row, column))


def judgement(number: int, mask: RegionMask | None = None, verdict: Verdict | None = Verdict.DEFECT, **more: Any):
    return Judgement(id=number, mask=mask or square(number, 2 * number), verdict=verdict, at=NOON, **more)


def trial(words: str, minute: int = 0) -> Trial:
    figure = Figure(value=0.5, low=0.25, high=None, count=3, words="of 3 images")
    figures = dict.fromkeys(set(Figures.model_fields) - {"threshold", "images", "complete"}, figure)
    return Trial(
        at=NOON + timedelta(minutes=minute),
        prompts=PromptSet.paper(f"bottle {words}"),
        figures=Figures(**figures, threshold=0.5, images=3, complete=2),
        words=words,
    )


def facts(held: Reviewed) -> dict[str, Any]:
    """Everything that must not be lost, what can be undone and done again too."""
    review = held.review
    return {
        "images": dict(review.images),
        "order": list(review.images),
        "kinds": review.kinds,
        "count": review.count,
        "undo": list(review._done),
        "redo": list(review._undone),
        "settings": held.settings,
        "trials": tuple(held.trials),
    }


def step(held: Reviewed, random: Random) -> None:
    """Do one thing at random; it depends on nothing but the numbers and on what there is."""
    review = held.review
    keys = list(review.images)
    dice = random.random()
    if not keys or dice < 0.04:
        shape = random.choice([SHAPE, (4, *SHAPE)])
        key = f"{random.getrandbits(64):016x}"
        imported = {1: judgement(1, origin="imported")} if random.random() < 0.3 else {}
        review.add(image(key, f"Teil {len(keys)} ü.png", shape, judgements=imported, path=f"../{key}.png"))
    elif dice < 0.12:
        review.undo()
    elif dice < 0.18:
        review.redo()
    elif dice < 0.20:
        review.kinds = random.sample(["scratch", "crack", "stain", "Riß", "hole"], 3)
    elif dice < 0.23:
        held.settings = SessionSettings(
            threshold=round(random.random(), 3), regions=RegionSettings(min_area=random.randint(1, 99))
        )
    elif dice < 0.26:
        held.trials = (*held.trials, trial(f"try {len(held.trials)}", len(held.trials)))
    elif dice < 0.29:
        known = review.images[random.choice(keys)]
        review.add(known.model_copy(update={"path": f"../moved/{random.getrandbits(32)}.png"}))
    else:
        known = review.images[random.choice(keys)]
        numbers = [known.next_id] if random.random() < 0.7 else random.sample(range(1, known.next_id + 3), 2)
        changed = {
            n: None if random.random() < 0.1 else _at_random(n, known, random, review.count + 1) for n in numbers
        }
        review.judge(known.key, f"step {review.count + 1}", changed, random.choice([None, None, True, False]))


def work(folder: Path, seed: str, pipe: Connection) -> None:
    """Open a session and do one thing after the other, telling each when it is done, until somebody kills us."""
    assert "torch" not in sys.modules
    tell = pipe.fileno()
    os.write(tell, b"o")
    session = Session.open(folder)
    os.write(tell, b"r")
    random, habits = Random(seed), Random(f"habits of {seed}")
    while True:
        step(session, random)
        os.write(tell, b".")
        if (habit := habits.random()) < 0.05:
            session.save()
        elif habit < 0.1:
            threading.Thread(target=session.write, args=(session.snapshot(),)).start()


def _at_random(number: int, of: ImageReview, random: Random, at: int) -> Judgement:
    height, width = SHAPE
    if random.random() < 0.05:  # so many runs that the line of the journal is long
        bits = np.random.default_rng(random.getrandbits(32)).random(SHAPE) < 0.5
        mask = RegionMask.of(bits)
    else:
        mask = square(random.randrange(height - 20), random.randrange(width - 20), random.randint(1, 20))
    plane: tuple[int, ...] = ()
    if len(of.map_shape) == 3:
        if random.random() < 0.5:
            mask = RegionMask.of(np.stack([mask.bits] * 2), (1, *mask.start))
        else:
            plane = (random.randrange(4),)
    area = float(mask.area)
    measures = Measures(area=area, centroid=(1.5, 2.25), mean=0.1 + 0.2, maximum=0.9, length=3.0, orientation=None)
    return Judgement(
        id=number,
        plane=plane,
        mask=mask,
        verdict=random.choice([*Verdict, None]),
        kind=random.choice(["", "crack", "Riß"]),
        note=random.choice(["", 'says "yes"\n, \\ and 日本']),
        origin=random.choice(["found", "drawn"]),
        edited=random.random() < 0.5,
        measures=random.choice([None, measures]),
        threshold=random.choice([None, 0.62]),
        top_prompt="a photo of a damaged bottle",
        at=NOON + timedelta(seconds=at),
    )

"""Print how long the figures of judged images take after an edit of the prompts, on kept tokens.

python -m benchmarks.metrics
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from skimage.filters import gaussian

from benchmarks.report import heading, line
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.engine.prompts import Entry
from napari_anoclip.review.exam import Exam, Question
from napari_anoclip.review.judgement import ImageReview, Judgement, Verdict
from napari_anoclip.review.metrics import Figures, figures
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings

IMAGES, SIDE, ROUNDS = 50, 1024, 9


def judged(index: int) -> Question:
    """A rough surface with a dark spot and a bright one, judged a defect and a false alarm; every other in whole."""
    draw = np.random.default_rng(index)
    picture = (128 + 20 * gaussian(draw.standard_normal((SIDE, SIDE, 3)), 2, channel_axis=-1) * 10).astype(np.uint8)
    judgements = {}
    for number, verdict in enumerate((Verdict.DEFECT, Verdict.FALSE), start=1):
        row, column = draw.integers(100, SIDE - 100, 2)
        spot = np.hypot(*np.ogrid[-row : SIDE - row, -column : SIDE - column]) < draw.integers(10, 60)
        picture[spot] = 30 if verdict is Verdict.DEFECT else 220
        judgements[number] = Judgement(id=number, mask=RegionMask.of(spot), verdict=verdict)
    image = ImageReview(
        key=str(index),
        name=f"picture {index}",
        fingerprint=str(index),
        map_shape=(SIDE, SIDE),
        judgements=judgements,
        complete=index % 2 == 0,
    )
    return Question(picture, image)


def main() -> None:
    model, exam, settings, regions = AnoCLIP.load(), Exam(), AnoCLIPSettings(), RegionSettings()
    prompts = PromptSet.paper("leather", kind="texture")
    asked = [judged(index) for index in range(IMAGES)]
    # A threshold as people set it: above most of what is normal.
    threshold = model.display_range(prompts, settings).high

    def refresh(edited: PromptSet) -> Figures:
        return figures(exam.examine(model, edited, settings, asked, threshold, regions), threshold)

    refresh(prompts)
    seconds = []
    for lap in range(ROUNDS):
        states = tuple(Entry(text=one.text, on=place != lap) for place, one in enumerate(prompts.abnormal_states))
        edited = prompts.model_copy(update={"abnormal_states": states})
        started = time.perf_counter()
        last = refresh(edited)
        seconds.append(time.perf_counter() - started)
    heading("seconds", "")
    remark = f"longest of {ROUNDS}: {max(seconds):.3f} s; {last.recall.words}, false regions {last.false_regions.words}"
    line(
        f"one state switched off -> figures of {IMAGES} judged images of {SIDE}²",
        statistics.median(seconds),
        1.0,
        remark,
    )


if __name__ == "__main__":
    main()

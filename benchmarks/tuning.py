"""Print how long a suggestion of prompts takes on judged images, and blame for their false alarms, on kept tokens.

python -m benchmarks.tuning
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.metrics import IMAGES, SIDE, judged
from benchmarks.report import heading, line
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet
from napari_anoclip.review.blame import blame
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.patches import region_tokens
from napari_anoclip.review.suggest import suggest

SETTINGS = AnoCLIPSettings()
PROMPTS = PromptSet.paper("leather", kind="texture")


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model = AnoCLIP.load(cache_folder=Path(folder))
        asked = [judged(index) for index in range(IMAGES)]
        text = model.encode_prompts(PROMPTS)
        fields = [model.tokens(question.source, SETTINGS) for question in asked]
        threshold = model.display_range(PROMPTS, SETTINGS).threshold
        count = len(text.prompts)

        def suggestion() -> Any:
            return suggest(model, PROMPTS, asked, settings=SETTINGS, threshold=threshold)

        def blamed() -> Any:
            behind = [
                region_tokens(some, [one.mask for one in question.judgements if one.verdict is Verdict.FALSE], SETTINGS)
                for some, question in zip(fields, asked, strict=True)
            ]
            tokens, weights = (torch.cat([getattr(one, name) for one in behind]) for name in ("tokens", "weights"))
            return blame(tokens, text, PROMPTS, model.temperature, weights)

        first, found = timed(suggestion)
        again, _ = timed(suggestion)
        seconds, guilty = timed(blamed)
        heading("seconds", "")
        line(
            f"suggestion from {IMAGES} judged images of {SIDE}² and {count} prompts",
            first,
            10,
            f"with other words for the object encoded; {again:.3f} s once they are known; {found.sentence}",
        )
        line(
            f"blame of {count} prompts for a false region in each of {IMAGES} images",
            seconds,
            1,
            f"most to blame: {guilty.entries[0].kind} {guilty.entries[0].text!r}",
        )
        print(f"\n{torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()

"""Which prompts are to blame for what a person called false, in one image or over all that are judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.review.blame import Blame, blame
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.prompts import PromptSet
    from napari_anoclip.engine.settings import AnoCLIPSettings
    from napari_anoclip.review.exam import Question


def accuse(
    model: AnoCLIP,
    prompts: PromptSet,
    settings: AnoCLIPSettings,
    questions: Sequence[Question],
    *,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Blame | None:
    """Find what makes the regions hot that were judged false; each counts by its area.

    Parameters
    ----------
    model : AnoCLIP
        Whose tokens; kept ones where there are any.
    prompts : PromptSet
        Those that are asked about.
    settings : AnoCLIPSettings
        Of the maps. Adaptation and references are left out.
    questions : sequence of Question
        Judged images and planes.
    on_progress : callable, optional
        Called with a `Progress` after each image.
    cancel : CancelFlag, optional
        Polled between images and within them.

    Returns
    -------
    Blame or None
        None if no region was judged false.

    Raises
    ------
    PromptError
        If a side has no prompt.
    ImageError, DeviceMemoryError, Cancelled
        As for `AnoCLIP.tokens`.
    """
    import torch

    from napari_anoclip.review.patches import region_tokens

    prompts.require_sides()
    report = Reporter(on_progress, cancel)
    tokens, weights = [], []
    for done, question in enumerate(questions):
        report("looking at regions", done, len(questions))
        masks = [one.mask for one in question.judgements if one.verdict is Verdict.FALSE]
        if not masks:
            continue
        block = max(1, round(max(question.image.step)))
        fields = model.tokens(question.source, settings, cancel=cancel)
        found = region_tokens(fields, masks, settings, block)
        tokens.append(found.tokens)
        weights.append(found.weights * sum(mask.area for mask in masks))
    report("looking at regions", len(questions), len(questions))
    if not tokens:
        return None
    text = model.encode_prompts(prompts, settings.scoring.mean_order, on_progress=on_progress, cancel=cancel)
    temperature = settings.scoring.temperature or model.temperature
    return blame(torch.cat(tokens), text, prompts, temperature, torch.cat(weights))

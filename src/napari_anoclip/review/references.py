"""From what was judged to normal references: which patches are kept, and which speak against them.

Patches of regions judged false come first, for a person looked at each of them; then those of images that were looked
at as a whole, away from any defect. Both are thinned out so that what is kept stands for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import dilation

from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.review.judgement import Verdict

if TYPE_CHECKING:
    from torch import Tensor

    from napari_anoclip.engine.detector import AnoCLIP
    from napari_anoclip.engine.reference_memory import ReferenceMemory
    from napari_anoclip.engine.tiling import Lattice
    from napari_anoclip.engine.token_field import TokenField, TokenStream
    from napari_anoclip.review.exam import Question

Cells = NDArray[np.bool_]

CANDIDATES = 4096
"""Patches of each sort, over all images, that are chosen from at most: the choice takes time as they grow."""

_AROUND = np.ones((3, 3), dtype=bool)


def gather(
    model: AnoCLIP,
    questions: Sequence[Question],
    settings: AnoCLIPSettings,
    *,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> ReferenceMemory | None:
    """Make a memory of what was judged.

    Parameters
    ----------
    model : AnoCLIP
        Whose tokens are kept; images that it knows are not encoded again.
    questions : sequence of Question
        Judged images and planes.
    settings : AnoCLIPSettings
        Tiling and V-V blocks as of the maps, and the size of the memory.
    on_progress : callable, optional
        Called with a `Progress` after each image.
    cancel : CancelFlag, optional
        Polled between images and within them.

    Returns
    -------
    ReferenceMemory or None
        None if no region was judged false and no image was looked at as a whole, or there is nothing but defects.

    Raises
    ------
    ImageError
        If an image is not of the size that was judged.
    ImageError, DeviceMemoryError, Cancelled
        As for `AnoCLIP.tokens`.
    """
    import torch

    from napari_anoclip.engine.reference_memory import ReferenceMemory, spread, typical_distance

    report = Reporter(on_progress, cancel)
    judged = [question for question in questions if question.image.judged]
    images: list[_Patches] = []
    for done, question in enumerate(judged):
        report("gathering references", done, len(judged))
        fields = model.tokens(question.source, settings, cancel=cancel)
        finest = fields[-1].lattice
        question.check((finest.rows.length, finest.columns.length))
        limit = math.ceil(CANDIDATES / len(judged) / len(fields))
        images.append(_Patches.of(question, fields, limit, seed=done))
    report("gathering references", len(judged), len(judged))
    labels = [label for sort in ("false", "normal") for one in images for label in getattr(one, sort)[1]]
    background = [one.background for one in images]
    if not labels or sum(map(len, background)) < 2:
        return None
    size = settings.references.size
    false = torch.cat([one.false[0] for one in images])
    normal = torch.cat([false, *(one.normal[0] for one in images)])
    kept = spread(normal, size, spread(false, size // 2) if len(false) else ())
    defect = torch.cat([one.defect for one in images])
    return ReferenceMemory.of(
        model.model_id,
        normal[kept],
        [labels[row] for row in kept],
        typical_distance(background),
        defect[spread(defect, size // 4)] if len(defect) else None,
    )


@dataclass(frozen=True, eq=False)
class _Patches:
    """What an image gives.

    Attributes
    ----------
    false, normal : tuple
        Tokens (n, C) of regions judged false, and of what is normal besides; and a label for each.
    defect : Tensor
        (m, C) tokens of defects.
    background : Tensor
        (k, C) tokens of all that is no defect, judged or not: they tell how alike patches of the material are.
    """

    false: tuple[Tensor, list[str]]
    normal: tuple[Tensor, list[str]]
    defect: Tensor
    background: Tensor

    @classmethod
    def of(cls, question: Question, fields: Sequence[TokenField | TokenStream], limit: int, seed: int) -> _Patches:
        """Take at most ``limit`` patches of each sort at each scale, drawn at random where there are more."""
        import torch

        draw = np.random.default_rng(seed)
        name = question.image.name
        bad = any(one.verdict is Verdict.DEFECT for one in question.judgements)
        known = f"normal part of {name}" if bad else f"good image {name}"
        sorts: dict[str, list[Tensor]] = {"false": [], "normal": [], "defect": [], "background": []}
        regions: list[int] = []
        for one in fields:
            cells = _Sorted.of(question, one.lattice)
            places = _cells_of_tokens(one.lattice)
            wanted = {sort: _some(getattr(cells, sort).ravel()[places], limit, draw) for sort in sorts}
            regions += cells.number.ravel()[places[wanted["false"]]].tolist()
            start = 0
            for part in one.parts():
                flat = part.flatten(0, 1)
                for sort, tokens in wanted.items():
                    here = tokens[(tokens >= start) & (tokens < start + len(flat))] - start
                    sorts[sort].append(flat[torch.from_numpy(here).to(flat.device)])
                start += len(flat)
        false, normal, defect, background = (torch.cat(tokens) for tokens in sorts.values())
        told = [f"region {region} in {name}, judged false" for region in regions]
        return cls((false, told), (normal, [known] * len(normal)), defect, background)


@dataclass(frozen=True, eq=False)
class _Sorted:
    """Cells (Gh, Gw) of a lattice by what is known of them; `number` is that of the region judged false, 0 elsewhere.

    Next to a defect nothing is normal: outlines are drawn in a hurry, and a patch sees more than its own pixels.
    """

    number: NDArray[np.int64]
    normal: Cells
    defect: Cells
    background: Cells

    @property
    def false(self) -> Cells:
        """Cells of regions judged false."""
        return self.number > 0

    @classmethod
    def of(cls, question: Question, lattice: Lattice) -> _Sorted:
        from napari_anoclip.review.patches import truth

        known = truth(question.image, question.judgements, lattice)
        in_part = question.image.model_copy(update={"complete": False})
        number = np.zeros(lattice.shape, dtype=np.int64)
        for judgement in question.judgements:
            if judgement.verdict is Verdict.FALSE:
                number[truth(in_part, [judgement], lattice).normal & ~known.near] = judgement.id
        clear = ~dilation(known.near | (known.region > 0), _AROUND)
        return cls(
            number=number,
            normal=known.normal & clear & (number == 0),
            defect=known.region > 0,
            background=clear,
        )


def _cells_of_tokens(lattice: Lattice) -> NDArray[np.intp]:
    """(tokens,) the cell that each token of all tiles lies in."""
    cells = np.arange(lattice.shape[0] * lattice.shape[1]).reshape(lattice.shape)
    height, width = lattice.rows.tile_cells, lattice.columns.tile_cells
    tiles = [cells[row : row + height, column : column + width].ravel() for row, column in lattice.tiles]
    found: NDArray[np.intp] = np.concatenate(tiles)
    return found


def _some(wanted: Cells, limit: int, draw: np.random.Generator) -> NDArray[np.intp]:
    """Places that are set, in their order; at random where there are more than a limit."""
    places = np.flatnonzero(wanted)
    return places if len(places) <= limit else np.sort(draw.choice(places, limit, replace=False))

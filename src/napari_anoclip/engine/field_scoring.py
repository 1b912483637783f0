"""Token fields against text: the grid of an image out of the tokens of its tiles, at one scale or several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_anoclip.engine import scoring
from napari_anoclip.engine.reference_memory import ReferenceMemory
from napari_anoclip.engine.scoring import Explanation
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.engine.text import TextFeatures
from napari_anoclip.engine.tiling import Lattice, resample
from napari_anoclip.engine.token_field import TokenField, TokenStream

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class FieldScoring:
    """What the token fields of an image are scored by.

    Attributes
    ----------
    text : TextFeatures
        Features of the prompts.
    settings : AnoCLIPSettings
        Its scoring, and the strength of references.
    model_temperature : float
        The model's own softmax temperature, in whose units references lower a patch.
    memory : ReferenceMemory or None
        Patches that a person called normal, on the device of the tokens.
    """

    text: TextFeatures
    settings: AnoCLIPSettings
    model_temperature: float
    memory: ReferenceMemory | None = None

    @property
    def temperature(self) -> float:
        """Softmax temperature of the map."""
        return self.settings.scoring.temperature or self.model_temperature

    def probability(self, tokens: Tensor, lowering: Tensor | None = None) -> Tensor:
        """Abnormal probability (...) of tokens (..., C), with as much taken off the difference of their cosines."""
        cosines = scoring.cosines(tokens, self.text.sides)
        return scoring.abnormal_probability(cosines, self.temperature, lowering)

    def grid(
        self,
        fields: Sequence[TokenField | TokenStream],
        plain: Sequence[TokenField | TokenStream] | None = None,
        raising: Sequence[Tensor] | None = None,
    ) -> tuple[FloatArray, Lattice]:
        """Probabilities on the finest lattice, the mean over scales, smoothed where that is on.

        Parameters
        ----------
        fields : sequence of TokenField or TokenStream
            At each scale, the finest last.
        plain : sequence of TokenField or TokenStream, optional
            The same as they come from the model, where the others are adapted: a memory is compared with these.
        raising : sequence of Tensor, optional
            (Gh, Gw) what other images add to the difference of the cosines, at each scale.

        Returns
        -------
        grid : ndarray
            (Gh, Gw).
        lattice : Lattice
            Where its cells lie.
        """
        finest = fields[-1].lattice
        grids = []
        for index, (one, unadapted) in enumerate(zip(fields, plain or fields, strict=True)):
            raised = iter(()) if raising is None else iter(one.lattice.cut(raising[index]))
            with torch.inference_mode():
                tiles = [
                    self.probability(part, self._lowering(seen, raised)).cpu().numpy()
                    for part, seen in _together(one, unadapted)
                ]
            shape = one.lattice.rows.tile_cells, one.lattice.columns.tile_cells
            grid = one.lattice.blend(np.concatenate(tiles).reshape(-1, *shape))
            grids.append(grid if one.lattice == finest else resample(grid, one.lattice, finest))
        grid = np.mean(grids, axis=0, dtype=np.float32)
        return (scoring.smooth(grid) if self.settings.scoring.smooth else grid), finest

    def explanation(
        self,
        at: tuple[int, int],
        field: TokenField | TokenStream,
        plain: TokenField | TokenStream,
        raising: Tensor | None = None,
    ) -> Explanation:
        """What each prompt, references and other images contribute to the patch that covers a pixel.

        Parameters
        ----------
        at : tuple of int
            (row, column) of the pixel.
        field, plain
            Of one scale, as for `grid`.
        raising : Tensor, optional
            As for `grid`, at this scale.

        Returns
        -------
        Explanation
        """
        cell = field.lattice.cell_at(at)
        lowering, reference = 0.0, ""
        if self.memory is not None:
            token = plain.token(cell)
            lowering = float(self._memory_lowering(self.memory, token))
            reference = self.memory.label(token)
        return scoring.explain_token(
            field.token(cell),
            self.text,
            self.temperature,
            cell,
            field.lattice.box(cell),
            lowering=lowering,
            reference=reference,
            raising=0.0 if raising is None else float(raising[cell]),
        )

    def _lowering(self, tokens: Tensor, raised: Iterator[Tensor]) -> Tensor | None:
        """What is taken off the patches (m, l, C) of the next m tiles; less than nothing where they are raised."""
        lowering = None if self.memory is None else self._memory_lowering(self.memory, tokens)
        mine = list(islice(raised, len(tokens)))
        if not mine:
            return lowering
        return -torch.stack(mine) if lowering is None else lowering - torch.stack(mine)

    def _memory_lowering(self, memory: ReferenceMemory, tokens: Tensor) -> Tensor:
        return memory.lowering(tokens, self.settings.references.strength, self.model_temperature)


def _together(one: TokenField | TokenStream, other: TokenField | TokenStream) -> Iterable[tuple[Tensor, Tensor]]:
    """Parts of two fields over the same tiles; the same field is gone through once, for a stream encodes each time."""
    if one is other:
        return ((part, part) for part in one.parts())
    return zip(one.parts(), other.parts(), strict=True)

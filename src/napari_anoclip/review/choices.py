"""Choices of prompts, and the grids of all judged images under many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array
from torch import Tensor

from napari_anoclip.engine.detector import AnoCLIP
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.engine.text import TextFeatures
from napari_anoclip.review.aims import Sheet
from napari_anoclip.review.patches import to_grid, truth
from napari_anoclip.review.tuning import Makings, side_features, split

if TYPE_CHECKING:
    from napari_anoclip.review.exam import Question

FloatArray = NDArray[np.float32]

MAX_TOKEN_BYTES = 1 << 30
"""Bound on the tokens of all judged images, which are held at once."""


@dataclass(frozen=True)
class Choice:
    """A word for the object, and which entries are on.

    Attributes
    ----------
    word : int
        Which of the words.
    on : tuple of bool
        Of each entry, in the order of `Makings.places`.
    """

    word: int
    on: tuple[bool, ...]

    def neighbours(self, words: int) -> list[Choice]:
        """All choices that differ by one tick, or by the word."""
        ticks = (Choice(self.word, (*self.on[:n], not self.on[n], *self.on[n + 1 :])) for n in range(len(self.on)))
        return [*ticks, *(Choice(word, self.on) for word in range(words) if word != self.word)]


@dataclass(frozen=True)
class Bank:
    """All prompts with one word for the object, encoded.

    Attributes
    ----------
    makings : Makings
        What they are made from.
    text : TextFeatures
        Their features.
    """

    makings: Makings
    text: TextFeatures

    def possible(self, choice: Choice) -> bool:
        """Whether each side has a prompt left."""
        kept = self.makings.kept(np.array(choice.on))
        return bool(kept[: self.makings.normal_count].any() and kept[self.makings.normal_count :].any())


class Grids:
    """Tokens of judged images, laid out so that their grids under any choice are two matrix products.

    Parameters
    ----------
    sheet : Sheet
        What is known of the images.
    tokens : Tensor
        (T, C) unit tokens of all images.
    matrix : csr_array
        (cells of the sheet, T) from the tokens' probabilities to the grids.
    """

    def __init__(self, sheet: Sheet, tokens: Tensor, matrix: csr_array) -> None:
        self.sheet = sheet
        self._tokens = tokens
        self._matrix = matrix

    @classmethod
    def of(
        cls, model: AnoCLIP, questions: Sequence[Question], settings: AnoCLIPSettings, report: Callable[[int], None]
    ) -> Grids:
        """Take tokens and truth of judged images.

        Parameters
        ----------
        model : AnoCLIP
            Whose tokens; kept ones where there are any.
        questions : sequence of Question
            The images and what is known of them; one at least.
        settings : AnoCLIPSettings
            Tiling, V-V blocks, smoothing. Adaptation is left out.
        report : callable
            Told how many images are done, after each.

        Returns
        -------
        Grids

        Raises
        ------
        ImageError
            If an image cannot be read or is not of the size that was judged, or all together have too many tokens.
        """
        tokens: list[Tensor] = []
        truths, matrices = [], []
        held = 0
        for done, question in enumerate(questions, start=1):
            fields = model.tokens(question.source, settings)
            lattices = tuple(one.lattice for one in fields)
            for part in (part for one in fields for part in one.parts()):
                held += part.numel() * 4
                if held > MAX_TOKEN_BYTES:
                    raise ImageError(
                        f"The first {done} of {len(questions)} judged images have more patches than can be compared "
                        "at once: fit whole images in place of tiles, or judge fewer images."
                    )
                tokens.append(F.normalize(part.flatten(0, 1).float(), dim=-1))
            question.check((lattices[-1].rows.length, lattices[-1].columns.length))
            truths.append(truth(question.image, question.judgements, lattices[-1]))
            matrices.append(to_grid(lattices, settings.scoring.smooth))
            report(done)
        sheet = Sheet.of(truths)
        return cls(sheet, torch.cat(tokens), _laid_out(sheet, matrices))

    def scores(self, choices: Sequence[Choice], banks: Sequence[Bank], temperature: float) -> FloatArray:
        """Grids under several choices.

        Parameters
        ----------
        choices : sequence of Choice
            Possible ones.
        banks : sequence of Bank
            Of each word.
        temperature : float
            Softmax temperature of the map.

        Returns
        -------
        ndarray
            (n, R, W) probabilities on the sheet, 0 where there is no image.
        """
        scores = np.empty((len(choices), *self.sheet.region.shape), np.float32)
        for word in {choice.word for choice in choices}:
            places = [place for place, choice in enumerate(choices) if choice.word == word]
            makings, text = banks[word].makings, banks[word].text
            kept = np.split(makings.kept(np.array([choices[place].on for place in places])), [text.counts[0]], axis=1)
            with torch.inference_mode():
                normal, abnormal = (
                    (self._tokens @ features.T)[:, which]
                    for features, which in (
                        side_features(chosen, bank, weights)
                        for chosen, (bank, weights) in zip(kept, split(text), strict=True)
                    )
                )
                probabilities = torch.sigmoid((abnormal - normal) / temperature).cpu().numpy()
            scores[places] = (self._matrix @ probabilities).T.reshape(len(places), *self.sheet.region.shape)
        return scores


def _laid_out(sheet: Sheet, matrices: Sequence[csr_array]) -> csr_array:
    """One matrix (cells of the sheet, all tokens) of those of the images."""
    every = block_diag(matrices).tocoo()
    rows = np.concatenate([sheet.cells(image) for image in range(len(matrices))])
    return csr_array((every.data, (rows[every.row], every.col)), (sheet.region.size, every.shape[1]), np.float32)

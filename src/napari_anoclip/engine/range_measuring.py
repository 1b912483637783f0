"""Display ranges measured: normal pictures are looked at fitted whole, and scored as the images will be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from napari_anoclip.engine.adaptation import adapt_fields
from napari_anoclip.engine.calibration import NORMAL_SHARE, DisplayRange
from napari_anoclip.engine.errors import ImageError
from napari_anoclip.engine.field_scoring import FieldScoring
from napari_anoclip.engine.image_encoder import ImageEncoder
from napari_anoclip.engine.image_source import ImageSource
from napari_anoclip.engine.progress import CancelFlag, Reporter
from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings, TilingSettings
from napari_anoclip.engine.text import TextFeatures

_EVERY_ADAPTED = 4


@dataclass(frozen=True)
class RangeMeasuring:
    """Which normal pictures are measured, and how they are scored; made by `of`.

    Attributes
    ----------
    sources : tuple of ImageSource
        The pictures.
    words : str
        What kind of pictures they are.
    prompts : PromptSet
        What they are scored by.
    settings : AnoCLIPSettings
        How they are scored; they are fitted whole.
    """

    sources: tuple[ImageSource, ...]
    words: str
    prompts: PromptSet
    settings: AnoCLIPSettings

    @classmethod
    def of(
        cls,
        prompts: PromptSet,
        settings: AnoCLIPSettings,
        packaged: Sequence[Any],
        own: Iterable[Any] | None = None,
    ) -> RangeMeasuring:
        """Choose the pictures: the user's own, or the packaged ones, every fourth of these with adaptation.

        Raises
        ------
        ImageError
            If there is no picture, or one is no image.
        """
        # Each adapted picture is a training of its own, and somebody who edits a prompt is waiting for it.
        chosen = packaged[:: _EVERY_ADAPTED if settings.adaptation.enabled else 1]
        sources = tuple(ImageSource.of(picture) for picture in (chosen if own is None else own))
        if not sources:
            raise ImageError("A display range needs at least one normal picture.")
        words = "packaged normal pictures" if own is None else "own good images"
        return cls(sources, words, prompts, settings.model_copy(update={"tiling": fitted(settings.tiling)}))

    def key(self, model_id: str) -> str:
        """Under which the range of a model is kept: a hash of all that it depends on."""
        settings = self.settings
        parts = (
            NORMAL_SHARE,
            model_id,
            self.prompts.digest,
            settings.scoring.model_dump(mode="json", exclude={"upsampling", "image_score", "views"}),
            settings.adaptation.model_dump(mode="json") if settings.adaptation.enabled else None,
            settings.tiling.model_dump(mode="json", include={"side", "interpolation"}),
            settings.vv_blocks,
            [source.digest for source in self.sources],
        )
        return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()

    def measure(
        self,
        images: ImageEncoder,
        text: TextFeatures,
        model_temperature: float,
        report: Reporter,
        cancel: CancelFlag | None = None,
    ) -> DisplayRange:
        """Score the pictures and read the range off them.

        Parameters
        ----------
        images : ImageEncoder
            The model's.
        text : TextFeatures
            Features of the prompts.
        model_temperature : float
            The model's own softmax temperature.
        report : Reporter
            Told before each picture.
        cancel : CancelFlag, optional
            Polled while one is looked at.

        Returns
        -------
        DisplayRange

        Raises
        ------
        DeviceMemoryError
            If memory runs out even for one tile.
        Cancelled
            If the flag is set.
        """
        scoring = FieldScoring(text, self.settings, model_temperature)
        grids = []
        for index, source in enumerate(self.sources):
            report("measuring normal pictures", index, len(self.sources))
            quiet = Reporter(cancel=cancel)
            fields = images.fields(source, self.settings.tiling, self.settings.vv_blocks, quiet)
            if self.settings.adaptation.enabled:
                fields, _ = adapt_fields(fields, text, self.settings.adaptation, model_temperature, reporter=quiet)
            grids.append(scoring.grid(fields)[0])
        report("measuring normal pictures", len(self.sources), len(self.sources))
        return DisplayRange.of_normal(grids, f"{len(grids)} {self.words}")


def fitted(tiling: TilingSettings) -> TilingSettings:
    """The same with the whole image as one square."""
    return tiling.model_copy(update={"mode": "fit"})

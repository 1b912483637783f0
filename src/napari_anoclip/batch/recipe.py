"""What is done to every image, as plain values: they fit into a file, a digest and a message to another machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.engine.settings import AnoCLIPSettings
from napari_anoclip.review.regions import RegionSettings

if TYPE_CHECKING:
    from napari_anoclip.engine import AnoCLIP

FORMAT = 1
"""Of results. A higher one makes all earlier results count as made in another way."""


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(_Plain):
    """A model by name. It must be on the machine that loads it: nothing is downloaded by a batch."""

    name: str = Field("builtin", description="builtin, ARCHITECTURE:TAG of open_clip, or the path of a checkpoint.")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Where it runs; auto takes a GPU.")
    precision: Literal["fp32", "bf16", "fp16"] = Field("fp32", description="Of the towers.")
    architecture: str | None = Field(None, description="Registry name for a checkpoint without a configuration.")
    models_folder: Path | None = Field(None, description="Where downloaded models are; empty uses your data folder.")

    def load(self) -> AnoCLIP:
        """Load it.

        Raises
        ------
        ModelError, DownloadError, DeviceError, DeviceMemoryError
            As `AnoCLIP.load`.
        """
        from napari_anoclip.engine import AnoCLIP

        return AnoCLIP.load(
            self.name,
            device=self.device,
            precision=self.precision,
            architecture=self.architecture,
            models_folder=self.models_folder,
        )


class Recipe(_Plain):
    """All that decides what comes of an image.

    Attributes
    ----------
    model : ModelSpec
        Who looks.
    prompts : PromptSet
        For what.
    settings : AnoCLIPSettings
        How.
    threshold : float or None
        Probability above which a pixel belongs to a region; None takes the model's and prompts' own, measured on the
        packaged normal pictures.
    regions : RegionSettings
        What counts as a region.
    """

    model: ModelSpec = ModelSpec()
    prompts: PromptSet
    settings: AnoCLIPSettings = AnoCLIPSettings()
    threshold: float | None = Field(
        None, ge=0, le=1, description="Probability above which a pixel is in a region; empty takes the calibrated one."
    )
    regions: RegionSettings = RegionSettings()

    def digest(self, model_id: str) -> str:
        """Identify the recipe: whatever could change a result changes it.

        Parameters
        ----------
        model_id : str
            `AnoCLIP.model_id` of the model that was loaded by its name, which says nothing of its weights.

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        parts = [FORMAT, model_id, self.prompts.digest, self.model_dump(mode="json", exclude={"model", "prompts"})]
        return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()

"""What stands beside the numbers in a saved map: where its layer lay, how it was shown, and its record. Plain JSON."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import numpy as np
from napari.layers import Image
from napari.utils.colormaps import Colormap
from napari.utils.notifications import show_warning
from pydantic import BaseModel, ConfigDict, Field

from napari_anoclip.engine.errors import ImageError
from napari_anoclip.plugin.provenance import METADATA_KEY, checked_record

TIFF_ENDINGS = (".anomaly.tif", ".anomaly.tiff")
ZARR_ENDING = ".anomaly.zarr"
"""Endings of our own, so that nobody is asked which plugin shall open his other images."""

KEY = "napari_anoclip_map"
"""Under which a description stands in a file."""

FORMAT = 1

MAX_BYTES = 64_000_000
"""Of a description that is read."""

_Matrix = Annotated[list[Annotated[list[float], Field(max_length=16)]], Field(max_length=16)]
_Vector = Annotated[list[float], Field(max_length=128)]
_Names = Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=16)]
_Colour = tuple[float, float, float, float]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Colours(_Strict):
    name: str
    colors: Annotated[list[_Colour], Field(min_length=1, max_length=4096)]
    controls: Annotated[list[float], Field(min_length=1, max_length=4097)]
    interpolation: Literal["linear", "zero"]
    nan_color: _Colour = (0, 0, 0, 0)
    high_color: _Colour | None = None
    low_color: _Colour | None = None


class _Layer(_Strict):
    name: str
    scale: _Vector
    translate: _Vector
    rotate: _Matrix
    shear: _Vector
    affine: _Matrix
    units: Annotated[list[Annotated[str, Field(max_length=60, pattern=r"^[\w */^.-]*$")]], Field(max_length=16)]
    axis_labels: _Names
    contrast_limits: tuple[float, float]
    gamma: float
    opacity: float
    blending: str
    visible: bool
    interpolation2d: str
    interpolation3d: str
    projection_mode: str
    colormap: _Colours


class Description(_Strict):
    """Of a saved map."""

    format: int
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=8)]
    layer: _Layer
    record: Any = None

    @classmethod
    def of(cls, data: Any, meta: dict[str, Any]) -> Description:
        """Describe a layer as napari hands it to a writer: array and keyword arguments."""
        plain: dict[str, Any] = json.loads(json.dumps(meta, default=_plain))
        kept = {name: plain[name] for name in _Layer.model_fields}
        kept["units"] = [str(unit) for unit in meta["units"]]
        kept["colormap"] = {name: plain["colormap"][name] for name in _Colours.model_fields}
        return cls.model_validate(
            {"format": FORMAT, "shape": data.shape, "layer": kept, "record": plain["metadata"].get(METADATA_KEY)}
        )

    @classmethod
    def read(cls, value: Any, name: str) -> Description:
        """Check what was found in a file.

        Parameters
        ----------
        value : object
            JSON text or what it stands for.
        name : str
            Of the file, for an error.

        Raises
        ------
        ImageError
            If it is damaged, or of a newer version.
        """
        try:
            parsed = json.loads(value) if isinstance(value, str) else value
            found = parsed.get("format")
            if isinstance(found, int) and found > FORMAT:
                raise ImageError(
                    f"{name} was written by a newer version of napari-anoclip. Update the plugin to open it."
                )
            description = cls.model_validate(parsed)
            # What only napari can judge (units, blending, matrices) is tried on a layer of one value.
            Image(np.zeros([1] * len(description.shape), np.float32), **description.keywords(None))
        except ImageError:
            raise
        except Exception as error:  # pydantic, json, and whatever napari raises on nonsense
            raise damaged(name) from error
        return description

    def text(self) -> str:
        """As JSON in ASCII, below a line that tells what it is; tifffile would take bare JSON for its own."""
        return f"{KEY}\n{json.dumps(self.model_dump(mode='json'))}"

    def keywords(self, name: str | None) -> dict[str, Any]:
        """Keyword arguments of the Image layer; with the name of the file, its record is checked and goes with them."""
        keywords = self.layer.model_dump()
        keywords["colormap"] = Colormap(**keywords["colormap"])
        if name is not None and self.record is not None:
            try:
                keywords["metadata"] = {METADATA_KEY: checked_record(self.record)}
            except ImageError:
                show_warning(f"The settings in {name} are damaged: the map was opened without them.")
        return keywords


def damaged(name: str) -> ImageError:
    """The error of a file that is not what it should be."""
    return ImageError(f"{name} cannot be opened as an anomaly map: it is damaged. Save it anew, if you still can.")


def _plain(value: Any) -> Any:
    """Give what JSON does not know as what it knows."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else str(value)

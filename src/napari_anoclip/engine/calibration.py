"""The range in which heatmaps are shown: one for all images of a model, prompt set and scoring.

With CLIP's weights a whole map can sit between 0.471 and 0.490: shown from 0 to 1 it is flat, stretched per image
it makes every good part look bad. So the range is read off pictures known to be normal.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_anoclip.engine import atomic
from napari_anoclip.engine.foreign import json_of

NORMAL_SHARE = 0.75
"""Where in the range the 99.9th percentile of normal patches lands; all above it is left for what is not normal."""

_QUANTILE = 99.9
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DisplayRange:
    """Probabilities shown as the lowest and the highest colour.

    Attributes
    ----------
    low : float
        Median patch of the normal pictures.
    high : float
        Such that their 99.9th percentile lands at `NORMAL_SHARE` of the range. May exceed 1.
    source : str
        Which normal pictures, in words.
    """

    low: float
    high: float
    source: str

    @property
    def threshold(self) -> float:
        """The 99.9th percentile of normal patches: what lies above it is rarely normal."""
        return self.low + NORMAL_SHARE * (self.high - self.low)

    @classmethod
    def of_normal(cls, grids: list[NDArray[np.float32]], source: str) -> DisplayRange:
        """Range from the patch grids of normal pictures.

        Parameters
        ----------
        grids : list of ndarray
            (Gh, Gw) probabilities each, smoothed as the results will be.
        source : str
            Which pictures, in words.

        Returns
        -------
        DisplayRange
        """
        patches = np.concatenate([grid.ravel() for grid in grids]).astype(np.float64)
        low, top = np.median(patches), np.percentile(patches, _QUANTILE)
        spread = max(float(top - low), 1e-9)  # identical patches still need a range
        return cls(float(low), float(low) + spread / NORMAL_SHARE, source)


def reference_pictures() -> Iterator[NDArray[np.uint8]]:
    """The packaged normal pictures, each (H, W, 3) uint8, in the order of their names."""
    folder = resources.files("napari_anoclip") / "builtin" / "references"
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name.endswith(".jpg"):
            with resources.as_file(entry) as file, Image.open(file) as picture:
                yield np.array(picture)


class RangeStore:
    """Ranges by key, in memory and in one small JSON file that a second start reads.

    Parameters
    ----------
    file : Path or None
        Where to keep them; None keeps them in memory only. A damaged file is ignored and replaced.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._ranges = self._read()

    def get(self, key: str) -> DisplayRange | None:
        """The range under a key, or None."""
        return self._ranges.get(key)

    def put(self, key: str, display_range: DisplayRange) -> None:
        """Keep a range; a disk that cannot be written to is no reason to fail."""
        with self._lock:
            self._ranges = {**self._read(), **self._ranges, key: display_range}
            if self._file is None:
                return
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                atomic.write(self._file, json.dumps({k: asdict(v) for k, v in self._ranges.items()}, indent=1))
            except OSError as error:
                _log.warning("Display ranges are kept in memory only: %s", error)

    def _read(self) -> dict[str, DisplayRange]:
        if self._file is None:
            return {}
        try:
            content = json_of(self._file.read_text(encoding="utf-8"))
            return {key: DisplayRange(**value) for key, value in content.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _log.warning("Kept display ranges cannot be read and are measured again: %s", error)
            return {}

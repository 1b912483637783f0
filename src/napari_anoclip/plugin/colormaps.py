"""The colours of maps: readable without colour vision, and clear where there is nothing to see."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import Colormap, ensure_colormap


def anomaly_colormap() -> Colormap:
    """Inferno, readable without colour vision, fading in: the median of normal pictures leaves the image as it is."""
    positions = np.linspace(0, 1, 64)
    colors = ensure_colormap("inferno").map(0.15 + 0.8 * positions)
    colors[:, 3] = 0.85 * positions**1.25
    return Colormap(colors, name="anomaly")


def difference_colormap() -> Colormap:
    """Blue to orange through white, told apart with any colour vision; transparent where nothing differs."""
    positions = np.linspace(-1, 1, 65)
    reach = np.abs(positions)[:, None]
    ends = np.where(positions[:, None] < 0, [[0.10, 0.42, 0.85]], [[0.90, 0.45, 0.00]])
    colors = 1 + reach**0.5 * (ends - 1)
    return Colormap(np.hstack([colors, 0.9 * reach]), name="anoclip difference")

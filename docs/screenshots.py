"""Make the pictures of the documentation: ``python docs/screenshots.py`` (needs a display, a virtual one will do)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).parent / "images"
PICTURES = {"demo.png": "leather", "circuit_board.png": "circuit_board", "stack.png": "buttons"}

PALETTE = 128
"""Colours a picture: enough to look right, few enough to stay under 300 kB."""


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for file, sample in PICTURES.items():
        command = [sys.executable, "-m", "napari_anoclip.demo", "--sample", sample, "--screenshot", str(IMAGES / file)]
        subprocess.run(command, check=True)  # noqa: S603 (nothing here comes from outside)
        with Image.open(IMAGES / file) as picture:
            small = picture.convert("RGB").quantize(PALETTE)
        small.save(IMAGES / file, optimize=True)


if __name__ == "__main__":
    main()

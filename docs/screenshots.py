"""Make the pictures of the documentation: ``python docs/screenshots.py`` (needs a display, a virtual one will do)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
PICTURES = {"demo.png": "leather", "circuit_board.png": "circuit_board", "stack.png": "buttons"}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    for file, sample in PICTURES.items():
        command = [sys.executable, "-m", "napari_anoclip.demo", "--sample", sample, "--screenshot", str(IMAGES / file)]
        subprocess.run(command, check=True)  # noqa: S603 (nothing here comes from outside)


if __name__ == "__main__":
    main()

"""The figures of docs/tutorials/fewer-false-alarms.md, on the pictures that the tutorial has its readers draw.

python -m benchmarks.tutorial
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.expert_loop import AT, KEPT_COUNT, VARIANTS, Bench
from benchmarks.materials import JUDGED, KEPT, Picture
from napari_anoclip.batch.demo_data import write_demo_data
from napari_anoclip.engine import AnoCLIP

MATERIAL = "demo_panel"
SEEDS = {JUDGED: 1, KEPT: 2}
"""Of the data sets `judge` and `later`."""


@dataclass(frozen=True)
class Drawn:
    """The test pictures of two drawn data sets, good and bad ones in turn; stands in for a material."""

    name: str
    halves: dict[int, list[Picture]]

    @classmethod
    def of(cls, folder: Path) -> Drawn:
        """Draw both data sets into a folder."""
        halves = {}
        for half, seed in SEEDS.items():
            root = write_demo_data(folder / str(half), images=2 * KEPT_COUNT, seed=seed, materials=[MATERIAL])
            halves[half] = _in_turn(root / MATERIAL)
        return cls(MATERIAL, halves)

    def picture(self, half: int, number: int) -> Picture:
        """One of them; even numbers are bad."""
        return self.halves[half][number]


def _in_turn(category: Path) -> list[Picture]:
    good = [Picture(image := _read(file), np.zeros(image.shape[:2], bool)) for file in _files(category / "test/good")]
    bad = [
        Picture(_read(file), _read(category / "ground_truth" / file.parent.name / f"{file.stem}_mask.png") > 0)
        for file in _files(category / "test")
        if file.parent.name != "good"
    ]
    return [one for pair in zip(bad, good, strict=True) for one in pair]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.png"), key=lambda file: (file.stem, file.parent.name))


def _read(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image)


def figures() -> str:
    """What judging the ten changes on the others: a table."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(AnoCLIP.load(cache_folder=Path(folder) / "cache"), Drawn.of(Path(folder)))
        nothing, *others = bench.results(SEEDS[JUDGED], AT)
    lines = [f"| on {KEPT_COUNT} other pictures | false regions an image | AUPRO |", "|---|---|---|"]
    names = {"nothing": "as it came", "suggestions": "suggested prompts", "references": "learnt from false positives"}
    for result in (nothing, *others):
        name = names.get(result.variant, result.variant)
        lines.append(f"| {name} | {result.false_regions:.2f} | {result.aupro:.3f} |")
    assert [nothing.variant, *(one.variant for one in others)] == list(VARIANTS)
    return "\n".join(lines)


if __name__ == "__main__":
    print(figures())

"""The pictures and the figures of docs/tutorial.md: one material, ten pictures to judge, the others to measure on.

python -m benchmarks.tutorial FOLDER    writes the pictures into FOLDER/judge and FOLDER/later
python -m benchmarks.tutorial           prints the figures
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.expert_loop import AT, KEPT_COUNT, VARIANTS, Bench
from benchmarks.materials import JUDGED, KEPT, Material
from napari_anoclip.engine import AnoCLIP
from training.sources import prepare, work_folder

MATERIAL, SEED = "part", 1

HALVES = {"judge": (JUDGED, AT), "later": (KEPT, KEPT_COUNT)}


def write(folder: Path) -> None:
    """Write the pictures, as somebody at the line would have them: every second one has a defect."""
    material = Material.of(MATERIAL, SEED)
    for name, (half, count) in HALVES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(material.picture(half, number).image).save(folder / name / f"part_{number:02}.png")


def figures() -> str:
    """What judging the ten changes on the others: a table."""
    with tempfile.TemporaryDirectory() as cache:
        bench = Bench(AnoCLIP.load(cache_folder=Path(cache)), Material.of(MATERIAL, SEED))
        nothing, *others = bench.results(SEED, AT)
    lines = [f"| on {KEPT_COUNT} other pictures | false regions an image | AUPRO |", "|---|---|---|"]
    names = {"nothing": "as it came", "suggestions": "suggested prompts", "references": "learnt from false positives"}
    for result in (nothing, *others):
        name = names.get(result.variant, result.variant)
        lines.append(f"| {name} | {result.false_regions:.2f} | {result.aupro:.3f} |")
    assert [nothing.variant, *(one.variant for one in others)] == list(VARIANTS)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where to write the pictures")
    options = parser.parse_args()
    work_folder().mkdir(parents=True, exist_ok=True)
    prepare(work_folder())
    if options.folder is None:
        print(figures())
    else:
        write(options.folder)


if __name__ == "__main__":
    main()

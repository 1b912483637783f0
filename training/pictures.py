"""Pictures that ship with the package: normal references for the display range, and samples to try the tool on.

All are drawn with seeds that neither training nor the evaluation uses, and from photographs in the public domain; the
samples were chosen by eye.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image
from tifffile import imwrite

from .defects import SEEN
from .fields import SIDE
from .scenes import Camera, Recipe, Scene, expose, record, scene, spoil, stage
from .sources import pictures, prepare, work_folder
from .surfaces import lit

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "napari_anoclip"
REFERENCE_SEED, SAMPLE_SEED, STACK_SEED = 777, 4242, 37
REFERENCES = 32
PLANES = 8


@dataclass(frozen=True)
class Sample:
    """One sample picture and what a user would type for it.

    Attributes
    ----------
    number : int
        Which scene.
    size : tuple of int
        (H, W) in pixels; the scene is cropped to this shape and enlarged.
    file, title, object, kind, preset : str
        As in ``samples.yaml``.
    grey : bool
        Stored with one channel.
    """

    number: int
    size: tuple[int, int]
    file: str
    title: str
    object: str
    kind: str
    preset: str
    grey: bool = False


SAMPLES = (
    Sample(144, (512, 512), "leather.jpg", "Leather with a stain", "leather", "texture", "paper-texture"),
    Sample(78, (480, 640), "grid.jpg", "Grid with rust", "grid", "texture", "paper-texture"),
    Sample(
        215, (480, 480), "circuit_board.jpg", "Circuit board with a smear", "circuit board", "object", "electronics"
    ),
    Sample(137, (400, 400), "disc.jpg", "Metal disc with a stain", "metal disc", "object", "castings", grey=True),
    Sample(145, (512, 512), "ring.jpg", "Sealing ring with scratches", "ring", "object", "paper-object"),
    Sample(4, (480, 480), "cable.jpg", "Cable with a foreign body", "cable", "object", "paper-object"),
    Sample(50, (360, 480), "brushed_metal.jpg", "Brushed metal with a burn", "metal surface", "texture", "surface"),
    Sample(
        18,
        (480, 640),
        "perforated_sheet.jpg",
        "Perforated sheet with a smear",
        "metal sheet",
        "texture",
        "surface",
    ),
)


def save_scaled(drawn: Scene, sample: Sample, folder: Path) -> None:
    """Write a scene as a picture of its own size, and its mask."""
    height, width = sample.size
    share = min(1.0, height / width)
    margin = round(SIDE * (1 - share) / 2)
    image, kinds = (x[margin : SIDE - margin or None] for x in (drawn.image, drawn.kinds))
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    rng = np.random.default_rng([SAMPLE_SEED, sample.number, 1])
    large = np.clip(large + rng.normal(0, 2.5, (height, width, 1)) + 0.5, 0, 255).astype(np.uint8)
    smooth = cv2.GaussianBlur((kinds > 0).astype(np.float32), (0, 0), 1)
    mask = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    Image.fromarray(large.mean(2).astype(np.uint8) if sample.grey else large).save(folder / sample.file, quality=92)
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / Path(sample.file).with_suffix(".mask.png"))


def stack() -> tuple[np.ndarray, np.ndarray]:
    """One part seen several times, as a camera over a line sees parts alike: some planes good, some with a defect.

    Returns
    -------
    tuple
        Planes (PLANES, SIDE, SIDE) uint8 and masks (PLANES, SIDE, SIDE) bool.
    """
    bank = pictures(held_out=False, free=True)
    lens = Camera(blur=0.4, gain=0.95, offset=5, cast=np.ones(3, np.float32), grey=True, noise=3, quality=0)
    planes, masks = [], []
    for plane in range(PLANES):
        on = stage(np.random.default_rng([STACK_SEED]), bank, held_out=False, odd=False)
        rng = np.random.default_rng([STACK_SEED, plane])
        image = lit(rng, on.good)
        kinds = np.zeros((SIDE, SIDE), np.uint8)
        if plane % 3 != 0:
            image = spoil(rng, image, kinds, on, bank, list(SEEN), lens)
        planes.append(record(rng, lens, expose(lens, image))[..., 0])
        masks.append(kinds > 0)
    return np.stack(planes), np.stack(masks)


def write_samples(folder: Path) -> None:
    """Write the samples, their masks, the stack and ``samples.yaml``."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for sample in SAMPLES:
        save_scaled(
            scene(np.random.default_rng([SAMPLE_SEED, sample.number]), Recipe(free=True, bad=1.0, two=0.15)),
            sample,
            folder,
        )
        entry = {
            key: value for key, value in asdict(sample).items() if key in {"file", "title", "object", "kind", "preset"}
        }
        listed.append({"file": sample.file, "mask": Path(sample.file).with_suffix(".mask.png").name, **entry})
    planes, masks = stack()
    imwrite(folder / "buttons.tif", planes, compression="zlib", metadata={"axes": "ZYX"})
    imwrite(folder / "buttons.mask.tif", masks.astype(np.uint8) * 255, compression="zlib", metadata={"axes": "ZYX"})
    title = f"Buttons, {PLANES} planes"
    listed.append(
        {
            "file": "buttons.tif",
            "mask": "buttons.mask.tif",
            "title": title,
            "object": "button",
            "kind": "object",
            "preset": "paper-object",
        }
    )
    (folder / "samples.yaml").write_text(yaml.safe_dump(listed, sort_keys=False, allow_unicode=True))


def write_references(folder: Path) -> None:
    """Write normal pictures of many materials and objects."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(REFERENCES):
        image = scene(np.random.default_rng([REFERENCE_SEED, number]), Recipe(free=True, bad=0.0)).image
        small = cv2.resize(image, (240, 240), interpolation=cv2.INTER_AREA)
        Image.fromarray(small).save(folder / f"normal_{number:02d}.jpg", quality=90)


def main() -> None:
    """Write both sets into the package."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    prepare(work_folder())
    write_references(PACKAGE / "builtin" / "references")
    write_samples(PACKAGE / "samples")


if __name__ == "__main__":
    main()

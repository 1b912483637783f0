"""Generated data sets in the layouts of MVTec AD and VisA: to try everything out when no benchmark is at hand.

Figures on them say that the machinery works. They say nothing of how well anything does on pictures of real things.
"""

from __future__ import annotations

import csv
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, field_validator

from napari_anoclip.batch.datasets import DataSetError
from napari_anoclip.batch.datasets.model import NOUNS_FILE
from napari_anoclip.batch.datasets.visa import COLUMNS
from napari_anoclip.batch.demo_defects import damaged
from napari_anoclip.batch.demo_materials import MATERIALS, Mask, Material
from napari_anoclip.engine import atomic
from napari_anoclip.engine.progress import CancelFlag, ProgressCallback, Reporter

Layout = Literal["mvtec", "visa"]

_TRAINING = 4
"""Good pictures for training, for each material: so many as make the layout complete; nothing here trains."""


class DemoDataSettings(BaseModel):
    """What to generate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Layout = Field("mvtec", description="Which data set the folders are like.")
    images: int = Field(20, ge=2, le=100_000, description="Test pictures of each material, half of them defective.")
    side: int = Field(256, ge=64, le=4096, description="Height and width of a picture in pixels.")
    seed: int = Field(0, ge=0, description="The same seed draws the same pictures.")
    materials: tuple[str, ...] = Field(tuple(MATERIALS), min_length=1, description="Which materials.")

    @field_validator("materials")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in MATERIALS]
        if unknown:
            raise DataSetError(f"There is no material {', '.join(unknown)}: choose among {', '.join(MATERIALS)}.")
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class _Drawn:
    """One picture: its number among those of its kind and split, and what is on it."""

    material: str
    split: Literal["train", "test"]
    defect: str
    number: int
    pixels: NDArray[np.uint8]
    mask: Mask


def write_demo_data(
    root: Path,
    layout: Layout = "mvtec",
    *,
    images: int = 20,
    side: int = 256,
    seed: int = 0,
    materials: Sequence[str] | None = None,
    on_progress: ProgressCallback | None = None,
    cancel: CancelFlag | None = None,
) -> Path:
    """Generate a data set, whole or not at all.

    Parameters
    ----------
    root : Path
        A folder that is new or empty.
    layout, images, side, seed, materials
        As in `DemoDataSettings`; without materials, all.
    on_progress, cancel
        As for the engine.

    Returns
    -------
    Path
        `root`, which ``DATASETS[layout]`` opens.

    Raises
    ------
    DataSetError
        If the folder holds something, cannot be written, or a material is not known.
    pydantic.ValidationError
        If another setting is out of its bounds.
    Cancelled
        If the flag is set; nothing is left behind.
    """
    settings = DemoDataSettings(
        layout=layout, images=images, side=side, seed=seed, materials=tuple(materials or MATERIALS)
    )
    root = Path(root)
    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise DataSetError(f"{root} holds something already: give a new or an empty folder.")
    report = Reporter(on_progress, cancel)
    # In a folder that is there, as it may be the one that one is in, or a disk of its own: neither can be replaced.
    there = root.exists()
    unfinished = (root if there else root.parent) / f".{uuid.uuid4().hex}"
    try:
        unfinished.mkdir(parents=True)
        _write(unfinished, settings, report)
        if there:
            for part in unfinished.iterdir():
                part.rename(root / part.name)
        else:
            unfinished.rename(root)
    except OSError as error:
        raise DataSetError(f"The data set cannot be written to {root} ({atomic.reason(error)}).") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return root


def _write(folder: Path, settings: DemoDataSettings, report: Reporter) -> None:
    total = len(settings.materials) * (settings.images + _TRAINING)
    rows = []
    for done, drawn in enumerate(_drawn(settings)):
        report("drawing pictures", done, total)
        rows.append(_save_as_visa(folder, drawn) if settings.layout == "visa" else _save_as_mvtec(folder, drawn))
    if settings.layout == "visa":
        (folder / "split_csv").mkdir()
        with (folder / "split_csv" / "1cls.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    nouns = {name: {"object": MATERIALS[name].object, "kind": MATERIALS[name].kind} for name in settings.materials}
    atomic.write(folder / NOUNS_FILE, yaml.safe_dump(nouns, sort_keys=False))
    report("drawing pictures", total, total)


def _drawn(settings: DemoDataSettings) -> Iterator[_Drawn]:
    """All pictures; each has a seed of its own, so that none depends on how many there are or on other materials."""
    for name in settings.materials:
        material = MATERIALS[name]
        for number in range(_TRAINING):
            yield _draw(settings, name, material, "train", "", number)
        good = settings.images - settings.images // 2
        for number in range(good):
            yield _draw(settings, name, material, "test", "", number)
        for index in range(settings.images - good):
            turn, which = divmod(index, len(material.defects))
            yield _draw(settings, name, material, "test", material.defects[which], turn)


def _draw(
    settings: DemoDataSettings,
    name: str,
    material: Material,
    split: Literal["train", "test"],
    defect: str,
    number: int,
) -> _Drawn:
    rng = np.random.default_rng([settings.seed, *f"{name}/{split}/{defect}".encode(), number])
    scene = material.draw(rng, settings.side)
    if defect:
        pixels, mask = damaged(rng, scene, defect)
    else:
        pixels, mask = scene.pixels(), np.zeros(scene.inside.shape, bool)
    return _Drawn(name, split, defect, number, np.round(np.clip(pixels, 0, 1) * 255).astype(np.uint8), mask)


def _save_as_mvtec(root: Path, drawn: _Drawn) -> list[str]:
    kind, folder = drawn.defect or "good", root / drawn.material
    _save(folder / drawn.split / kind / f"{drawn.number:03d}.png", drawn.pixels)
    if drawn.defect:
        _save(folder / "ground_truth" / kind / f"{drawn.number:03d}_mask.png", _as_grey(drawn.mask))
    return []


def _save_as_visa(root: Path, drawn: _Drawn) -> list[str]:
    """Save it and give its row of the split table."""
    if drawn.defect:
        image = f"{drawn.material}/Data/Images/Anomaly/{drawn.defect}_{drawn.number:03d}.JPG"
        mask = f"{drawn.material}/Data/Masks/Anomaly/{drawn.defect}_{drawn.number:03d}.png"
        _save(root / mask, _as_grey(drawn.mask))
    else:
        image, mask = f"{drawn.material}/Data/Images/Normal/{drawn.split}_{drawn.number:04d}.JPG", ""
    _save(root / image, drawn.pixels)
    return [drawn.material, drawn.split, "anomaly" if drawn.defect else "normal", image, mask]


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Compressing harder takes as long as drawing; JPEG's quality is one at which no defect drowns.
    Image.fromarray(pixels).save(path, quality=95, compress_level=1)


def _as_grey(mask: Mask) -> NDArray[np.uint8]:
    return mask.astype(np.uint8) * np.uint8(255)

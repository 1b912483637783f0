"""Miniatures of data sets: the true folders and names, a few pictures of 8 x 8 pixels."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

SIDE = 8
MARK = (slice(2, 5), slice(3, 7))
"""Where all masks of miniatures are set."""


def marked(value: int = 255, shape: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[MARK] = value
    return mask


def picture(path: Path, pixels: np.ndarray | None = None) -> Path:
    """Write a picture in the format that its ending says, whatever its case."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((SIDE, SIDE, 3), 90, np.uint8) if pixels is None else pixels
    Image.fromarray(pixels).save(path)
    return path


def tree(root: Path, good: str = "good", test: str = "test", truth: str = "ground_truth", suffix: str = ".png") -> Path:
    """MVTec AD's layout: a category of its own, with two good pictures and two kinds of defects."""
    for name in ("0", "1"):
        picture(root / "train" / good / f"{name}{suffix}")
        picture(root / test / good / f"{name}{suffix}")
    for kind, count in (("bent_wire", 1), ("hole", 2)):
        for number in range(count):
            picture(root / test / kind / f"{number}{suffix}")
            picture(root / truth / kind / f"{number}_mask.png", marked())
    return root


def mvtec(root: Path) -> Path:
    tree(root / "metal_nut")
    tree(root / "carpet")
    return root


def mvtec2(root: Path) -> Path:
    for name in ("fruit_jelly", "sheet_metal"):
        category = root / name
        picture(category / "train/good/000_regular.png")
        picture(category / "validation/good/000_regular.png")
        picture(category / "test_public/good/000_regular.png")
        picture(category / "test_public/bad/000_regular.png")
        picture(category / "test_public/ground_truth/bad/000_regular_mask.png", marked())
        picture(category / "test_private/000.png")
        picture(category / "test_private_mixed/000_mixed.png")
    return root


def visa(root: Path) -> Path:
    rows = [("object", "split", "label", "image", "mask")]
    for name in ("pcb1", "capsules"):
        for number, split in enumerate(("train", "test")):
            image = picture(root / name / f"Data/Images/Normal/{number:04d}.JPG")
            rows.append((name, split, "normal", image.relative_to(root).as_posix(), ""))
        image = picture(root / name / "Data/Images/Anomaly/000.JPG")
        mask = picture(root / name / "Data/Masks/Anomaly/000.png", marked(3))  # kinds are numbered
        rows.append((name, "test", "anomaly", image.relative_to(root).as_posix(), mask.relative_to(root).as_posix()))
    (root / "split_csv").mkdir()
    with (root / "split_csv/1cls.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return root


def visa_converted(root: Path) -> Path:
    for name in ("pcb1", "capsules"):
        category = root / "1cls" / name
        picture(category / "train/good/0000.JPG")
        picture(category / "test/good/0001.JPG")
        picture(category / "test/bad/000.JPG")
        picture(category / "ground_truth/bad/000.png", marked())
    return root


def btad(root: Path) -> Path:
    for name, suffix in (("01", ".png"), ("02", ".png"), ("03", ".bmp")):
        image = ".png" if name == "02" else ".bmp"
        picture(root / name / f"train/ok/0000{image}")
        picture(root / name / f"test/ok/0000{image}")
        picture(root / name / f"test/ko/0001{image}")
        picture(root / name / f"ground_truth/ko/0001{suffix}", marked())
    return root


def mpdd(root: Path) -> Path:
    tree(root / "bracket_black")
    tree(root / "tubes")
    return root


def ksdd2(root: Path) -> Path:
    for split in ("train", "test"):
        for number in range(3):
            picture(root / split / f"2000{number}.png")
            picture(root / split / f"2000{number}_GT.png", marked(255 if number == 1 else 0))
    return root


def dagm(root: Path) -> Path:
    for name in ("Class1", "Class10"):
        for split in ("Train", "Test"):
            folder = root / name / split
            for number in range(1, 4):
                picture(folder / f"000{number}.PNG", np.full((SIDE, SIDE), 90, np.uint8))
            picture(folder / "Label/0002_label.PNG", marked())
            lines = ["1", "1\t0\t0001.PNG\t0\t0", "2\t1\t0002.PNG\t0\t0002_label.PNG", "3\t0\t0003.PNG\t0\t0"]
            (folder / "Label/Labels.txt").write_text("\n".join(lines))
    return root


def dagm_ellipses(root: Path) -> Path:
    """One upright ellipse with semi-axes of 3.2 and 1.2 pixels around x = 4, y = 3."""
    for number in (1, 2):
        picture(root / f"Class1/{number}.png")
    picture(root / "Class1_def/1.png")
    (root / "Class1_def/labels.txt").write_text("1\t3.2\t1.2\t1.5708\t4.0\t3.0\n")
    return root


def bsdata(root: Path) -> Path:
    """A polygon around exactly the marked pixels; the first defective picture is for training."""
    rows, columns = MARK
    corners = [(columns.start, rows.start), (columns.stop, rows.start), (columns.stop, rows.stop)]
    shape = {
        "label": "Pitting",
        "points": [*corners, (columns.start, rows.stop)],
        "shape_type": "polygon",
        "group_id": None,
        "flags": {},
    }
    images = []
    for name, split, shapes in (
        ("01_a_crop_2", "test", None),
        ("01_b_crop_1", "train", [shape]),
        ("01_c_crop_1", "test", [shape]),
        ("01_d_crop_2", "test", []),
    ):
        picture(root / "data" / f"{name}.jpg")
        if shapes is not None:
            file = root / "label" / f"{name}.json"
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps({"version": "4.5.6", "shapes": shapes, "imagePath": f"{name}.jpg"}))
        images.append({"filename": f"{name}.jpg", "train_test_split": split, "type": 1, "annotations": f"{name}.json"})
    (root / "image_data.json").write_text(json.dumps({"images": images}))
    return root


def magnetic_tile(root: Path) -> Path:
    for kind in ("Blowhole", "Crack", "Free"):
        folder = root / f"MT_{kind}/Imgs"
        picture(folder / "exp1_num_1.jpg", np.full((SIDE, SIDE), 90, np.uint8))
        picture(folder / "exp1_num_1.png", marked(0 if kind == "Free" else 255))
    (root / "README.md").touch()
    return root


def crackforest(root: Path) -> Path:
    """1 is road, 2 crack, 3 road that cracks enclose."""
    for name in ("001", "002"):
        picture(root / f"image/{name}.jpg")
        segmentation = np.ones((SIDE, SIDE), np.uint16)
        segmentation[MARK] = 2
        segmentation[0, 0] = 3
        (root / "groundTruth").mkdir(exist_ok=True)
        truth = {"Segmentation": segmentation, "Boundaries": np.zeros((SIDE, SIDE), np.uint8)}
        savemat(root / f"groundTruth/{name}.mat", {"groundTruth": truth})
    return root


def neu_seg(root: Path) -> Path:
    for split in ("training", "test"):
        for number in (1, 2):
            picture(root / f"images/{split}/00000{number}.jpg", np.full((SIDE, SIDE), 90, np.uint8))
            picture(root / f"annotations/{split}/00000{number}.png", marked(number))
    return root


def dtd_synthetic(root: Path) -> Path:
    for name in ("Woven_001", "Mesh_114"):
        picture(root / name / "train/good/000.png")
        picture(root / name / "test/good/000.png")
        picture(root / name / "test/bad/000.png")
        picture(root / name / "ground_truth/bad/000_mask.png", marked())
    return root


def folder(root: Path) -> Path:
    """A folder of one's own, with masks in one of the usual places."""
    picture(root / "good/a.png")
    picture(root / "defect/b.png")
    picture(root / "deep scratch/c.png")
    picture(root / "masks/defect/b.png", marked())
    picture(root / "masks/deep scratch/c.png", marked())
    picture(root / "train/good/z.png")
    return root


MINIATURES = {
    "mvtec": mvtec,
    "mvtec2": mvtec2,
    "visa": visa,
    "btad": btad,
    "mpdd": mpdd,
    "ksdd2": ksdd2,
    "dagm": dagm,
    "bsdata": bsdata,
    "magnetic-tile": magnetic_tile,
    "crackforest": crackforest,
    "neu-seg": neu_seg,
    "dtd-synthetic": dtd_synthetic,
    "folder": folder,
}
"""Writers by key of the data set."""

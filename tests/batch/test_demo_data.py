"""Generated data sets: complete in their layouts, the same from the same seed, defects where the masks say."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from napari_anoclip.batch.datasets import DATASETS, DataSetError
from napari_anoclip.batch.demo_data import DemoDataSettings, write_demo_data
from napari_anoclip.batch.demo_defects import DEFECTS, damaged
from napari_anoclip.batch.demo_materials import MATERIALS
from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.review.pictures import read_picture

SMALL = {"images": 4, "side": 64}


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return {layout: write_demo_data(folder / layout, layout, **SMALL) for layout in ("mvtec", "visa")}


@pytest.mark.parametrize("layout", ["mvtec", "visa"])
def test_they_are_opened_like_the_data_sets_they_imitate(layout, roots):
    categories = DATASETS[layout].open(roots[layout])
    described = {category.name: (category.object, category.kind) for category in categories}
    assert described == {name: (material.object, material.kind) for name, material in MATERIALS.items()}
    assert all(name.startswith("demo_") for name in described)
    for category in categories:
        assert [sample.defective for sample in category.samples] == [False, False, True, True]
        for sample in category.samples:
            assert read_picture(sample.image).shape == (64, 64, 3)
            assert sample.mask().any() == sample.defective


def test_both_layouts_hold_the_same_masks(roots):
    mvtec, visa = (DATASETS[layout].open(root) for layout, root in roots.items())
    for one, other in zip(mvtec, visa, strict=True):
        assert [np.packbits(s.mask()).tobytes() for s in one.samples] == [
            np.packbits(s.mask()).tobytes() for s in other.samples
        ]


def test_there_are_pictures_for_training_that_are_not_evaluated(roots):
    assert len(list((roots["mvtec"] / "demo_cloth/train/good").iterdir())) == 4
    rows = (roots["visa"] / "split_csv/1cls.csv").read_text().splitlines()
    assert rows[0] == "object,split,label,image,mask"
    assert sum(row.startswith("demo_cloth,train,normal,") for row in rows) == 4


def test_the_same_seed_draws_the_same_and_fewer_materials_or_pictures_change_none(roots, tmp_path):
    def pictures(root):
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.png")}

    all_of_them = pictures(roots["mvtec"])
    some = pictures(write_demo_data(tmp_path / "a", images=2, side=64, materials=["demo_tiles"]))
    assert some
    assert some.items() <= all_of_them.items()
    other = pictures(write_demo_data(tmp_path / "b", images=2, side=64, materials=["demo_tiles"], seed=1))
    assert other.keys() == some.keys()
    assert not set(other.values()) & {data for name, data in some.items() if "ground_truth" not in name}


@pytest.mark.parametrize(
    ("name", "defect"), [(name, defect) for name in MATERIALS for defect in MATERIALS[name].defects]
)
def test_a_defect_changes_what_its_mask_covers_and_nothing_else(name, defect):
    for seed in range(3):
        scene = MATERIALS[name].draw(np.random.default_rng(seed), 96)
        good = scene.pixels()
        pixels, mask = damaged(np.random.default_rng(seed), scene, defect)
        changed = np.abs(np.clip(pixels, 0, 1) - np.clip(good, 0, 1)).max(axis=-1) > 1 / 255
        assert 20 <= mask.sum() < mask.size / 4
        assert not changed[~mask].any()
        assert changed[mask].mean() > 0.9
        assert not mask[~scene.inside].any()


def test_every_kind_of_defect_occurs_somewhere():
    assert {defect for material in MATERIALS.values() for defect in material.defects} == set(DEFECTS)


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataSetError, match="holds something already: give a new or an empty folder"):
        write_demo_data(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken_and_one_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    root = write_demo_data(tmp_path / "empty", images=2, side=64, materials=["demo_metal"])
    assert DATASETS["mvtec"].open(root)
    (tmp_path / "file").touch()
    with pytest.raises(DataSetError, match="cannot be written to"):
        write_demo_data(tmp_path / "file" / "data", **SMALL)


def test_the_folder_that_one_is_in_can_be_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = write_demo_data(Path(), images=2, side=64, materials=["demo_metal"])
    assert DATASETS["mvtec"].open(root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["categories.yaml", "demo_metal"]


def test_progress_is_told_and_cancelling_leaves_nothing(tmp_path):
    steps = []
    cancel = threading.Event()

    def listen(progress):
        steps.append((progress.done, progress.total))
        if progress.done == 3:
            cancel.set()

    with pytest.raises(Cancelled):
        write_demo_data(tmp_path / "data", **SMALL, on_progress=listen, cancel=cancel)
    assert steps == [(done, 40) for done in range(4)]
    assert list(tmp_path.iterdir()) == []


def test_settings_are_checked(tmp_path):
    with pytest.raises(DataSetError, match="There is no material demo_wood: choose among demo_cloth, "):
        write_demo_data(tmp_path / "data", materials=["demo_wood"])
    with pytest.raises(ValidationError):
        write_demo_data(tmp_path / "data", side=8)
    assert DemoDataSettings().materials == tuple(MATERIALS)

"""Records of images: what is written comes back, and whatever is half there is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from batch.small import pixels

from napari_anoclip.batch.records import (
    MapFile,
    Record,
    RecordedRegion,
    Records,
    pack_token,
    remove_unfinished,
    unpack_token,
)
from napari_anoclip.engine import atomic
from napari_anoclip.review.regions import RegionSettings, find_regions


def record(key: str = "sub/ä b.png") -> Record:
    regions = find_regions(pixels(1, (40, 52)) / 255.0, 0.47, RegionSettings(min_area=3))
    assert len(regions) > 1
    return Record(
        key=key,
        path="/somewhere/sub/ä b.png",
        plane=3,
        file_digest="0f",
        recipe_digest="f0",
        score=0.25,
        maximum=0.5,
        threshold=0.47,
        size=(40, 52),
        regions=tuple(map(RecordedRegion.of, regions)),
        map=MapFile(format="tiff", path="maps/a.tif", size=17),
        seconds=0.125,
    )


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.put(record())
    assert Records(tmp_path).get("sub/ä b.png") == record()
    assert records.get("another.png") is None
    records.remove("sub/ä b.png")
    assert records.get("sub/ä b.png") is None


def test_what_is_cut_off_or_of_another_image_is_no_record(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.put(record("a.png"))
    whole = records.file("a.png").read_bytes()
    for end in range(0, len(whole), 97):
        records.file("a.png").write_bytes(whole[:end])
        assert records.get("a.png") is None
    records.file("a.png").write_bytes(whole.replace(b'"a.png"', b'"b.png"'))
    assert records.get("a.png") is None


@pytest.mark.parametrize("path", ["../precious", "/precious", "maps", "maps/../../precious", "maps\\..\\..\\x", ""])
def test_a_record_that_names_anything_but_a_map_is_no_record(tmp_path: Path, path: str) -> None:
    records = Records(tmp_path)
    records.put(record("a.png"))
    content = json.loads(records.file("a.png").read_text("utf-8"))
    content["map"]["path"] = path
    records.file("a.png").write_text(json.dumps(content))
    assert records.get("a.png") is None


def test_names_that_no_disk_takes_are_keys_all_the_same(tmp_path: Path) -> None:
    records = Records(tmp_path)
    keys = ["a:b?.png", "x" * 300 + ".png", "A.png", "a.png", "con"]
    for key in keys:
        records.put(record(key))
    assert [records.get(key).key for key in keys] == keys


def test_records_of_other_images_are_found(tmp_path: Path) -> None:
    records = Records(tmp_path)
    for number in range(4):
        records.put(record(f"{number}.png"))
    assert list(records.others({"0.png", "1.png", "3.png", "new.png"})) == [records.file("2.png")]


def test_class_tokens_come_back_in_half_precision() -> None:
    token = np.random.default_rng(0).normal(size=32).astype(np.float32)
    np.testing.assert_array_equal(unpack_token(pack_token(token)), token.astype(np.float16))


def test_only_what_was_not_finished_is_removed(tmp_path: Path) -> None:
    (tmp_path / "maps" / "a.new").mkdir(parents=True)
    (tmp_path / "maps" / ".hidden.new").touch()
    zarr = tmp_path / "maps" / f".{'ab' * 16}.new"
    zarr.mkdir()
    (zarr / "0.0").touch()
    with atomic.replacing(tmp_path / "scores.csv") as draft:
        draft.touch()
        assert remove_unfinished(tmp_path) == 2
        draft.touch()
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == [".hidden.new", "a.new"]

"""What a run writes, read back by the programs that it is written for."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from batch.small import RECIPE, load, pixels
from PIL import Image
from pycocotools.coco import COCO
from pydantic import ValidationError

from napari_anoclip.batch import report, summaries
from napari_anoclip.batch.errors import OutputError
from napari_anoclip.batch.outputs import OutputSettings, Scale, map_path, read_map, remove_map, write_map
from napari_anoclip.batch.records import MapFile, Record, Records
from napari_anoclip.batch.run import run
from napari_anoclip.batch.summaries import write_summaries
from napari_anoclip.engine import AnoCLIP

SCALE = Scale(0.4, 0.8, 0.7)
NASTY = "<img src=x onerror=alert(1)>&.png"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    return load(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def out(model: AnoCLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a few images, one of them with a name that is HTML, one broken, one that a spreadsheet would run."""
    folder = tmp_path_factory.mktemp("in")
    (folder / "sub").mkdir()
    for number, name in enumerate(["plain.png", "sub/deep.png", NASTY, "=1+2.png"]):
        Image.fromarray(pixels(number)).save(folder / name)
    (folder / "broken.png").write_bytes(b"nothing")
    out = tmp_path_factory.mktemp("out")
    run([folder], out, RECIPE, model=model)
    return out


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.3, 1, (37, 51)).astype(np.float32)


def test_a_tiff_has_the_probabilities_in_half_precision(values: np.ndarray, tmp_path: Path) -> None:
    written = write_map(values, tmp_path, "sub/a.png", "tiff", SCALE)
    with tifffile.TiffFile(tmp_path / "maps" / "sub" / "a.png.tif") as file:
        assert file.pages[0].dtype == np.float16
        assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert file.shaped_metadata[0]["threshold"] == 0.7
        read = file.asarray()
    assert np.abs(read - values).max() <= 2.5e-4
    np.testing.assert_array_equal(read_map(written, tmp_path, SCALE), read)


def test_a_png_is_grey_over_the_range_of_all_images(values: np.ndarray, tmp_path: Path) -> None:
    written = write_map(values, tmp_path, "a.png", "png", SCALE)
    with Image.open(tmp_path / "maps" / "a.png.png") as picture:
        assert picture.mode == "L"
        grey = np.asarray(picture)
    assert (grey[values <= 0.4] == 0).all()
    assert (grey[values >= 0.8] == 255).all()
    assert np.abs(read_map(written, tmp_path, SCALE) - values.clip(0.4, 0.8)).max() <= 0.4 / 255 / 2 + 1e-6


def test_a_zarr_array_has_the_probabilities_and_replaces_the_former_one(values: np.ndarray, tmp_path: Path) -> None:
    write_map(values * 0.5, tmp_path, "a.png", "zarr", SCALE)
    written = write_map(values, tmp_path, "a.png", "zarr", SCALE)
    array = zarr.open_array(tmp_path / "maps" / "a.png.zarr", mode="r")
    assert array.dtype == np.float16
    assert array.attrs["key"] == "a.png"
    np.testing.assert_allclose(array[:], values, atol=2.5e-4)
    assert OutputSettings(maps="zarr").finished(written, tmp_path)
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["a.png.zarr"]


def test_a_damaged_map_is_said_to_be_damaged_and_left_out_of_the_report(tmp_path: Path, model: AnoCLIP) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels(0)).save(tmp_path / "in" / "a.png")
    out = tmp_path / "out"
    run([tmp_path / "in"], out, RECIPE, model=model)
    file = out / "maps" / "a.png.tif"
    content = bytearray(file.read_bytes())
    content[-400:-300] = bytes(100)
    file.write_bytes(content)
    summary = run([tmp_path / "in"], out, RECIPE, model=model)
    assert summary.skipped == 1, "its size is right: nobody has read it"
    with pytest.raises(ValueError, match="is damaged"):
        read_map(Records(out).get("a.png").map, out, SCALE)
    assert (out / "report.html").read_text("utf-8").count("data:image/jpeg") == 1


def test_without_the_library_zarr_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OutputError, match=r"pip install 'napari-anoclip\[zarr\]'"):
        OutputSettings(maps="zarr").check()


@pytest.mark.parametrize("key", ["a:b.png", "con.png", "x" * 250 + ".png", "sub/a?.png", "dot./a.png"])
def test_names_that_some_disk_does_not_take_are_changed_but_stay_different(key: str) -> None:
    path = map_path(key, "tiff")
    assert all(len(part.encode()) < 200 and not set(part) & set(':?*"<>|') for part in path.split("/"))
    assert path != map_path(key.replace(":", "?").replace("?", "*") + "x", "tiff")


def test_long_names_that_begin_alike_never_share_a_map() -> None:
    # The two of 100,000 that would share 32 bits.
    first, other = (map_path("x" * 130 + f"{number}.png", "tiff") for number in (3214, 24159))
    assert first != other


def test_images_of_a_folder_with_a_name_that_some_disk_does_not_take_stay_together() -> None:
    first, second, other = (
        Path(map_path(key, "tiff")).parent for key in ("12:30/a.png", "12:30/sub?/b.png", "12?30/a.png")
    )
    assert second.parent == first != other


def test_pandas_reads_the_tables(out: Path) -> None:
    scores, regions = pd.read_csv(out / "scores.csv"), pd.read_csv(out / "regions.csv")
    assert scores.key.tolist() == [NASTY, "'=1+2.png", "broken.png", "plain.png", "sub/deep.png"]
    assert scores.score.isna().tolist() == [False, False, True, False, False]
    assert regions.groupby("key").size().to_dict() == {
        key: count for key, count in zip(scores.key, scores.regions, strict=True) if count > 0
    }
    assert (regions.score_max > 0.6).all()


def test_pycocotools_reads_the_regions_pixel_by_pixel(out: Path) -> None:
    coco = COCO(str(out / "regions.coco.json"))
    assert len(coco.imgs) == 4
    compared = 0
    for image in coco.imgs.values():
        assert (out / image["file_name"]).resolve().exists()
        record = Records(out).get(image["anoclip_run"]["key"])
        annotations = coco.loadAnns(coco.getAnnIds(image["id"]))
        for found, expected in zip(annotations, record.regions, strict=True):
            mask = np.zeros((40, 52), np.uint8)
            expected.mask.draw(mask, 1)
            np.testing.assert_array_equal(coco.annToMask(found), mask)
            assert found["area"] == mask.sum()
            compared += 1
    assert compared > 3


def test_the_report_shows_the_worst_first_names_the_broken_and_runs_nothing(out: Path) -> None:
    page = (out / "report.html").read_text("utf-8")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&amp;.png" in page
    assert "broken.png cannot be read" in page
    assert page.count("data:image/jpeg") == 8
    assert "<script" not in page
    scores = pd.read_csv(out / "scores.csv").set_index("key").score
    shown = sorted(("plain.png", "sub/deep.png"), key=scores.get, reverse=True)
    assert page.index(f"<h3>{shown[0]}") < page.index(f"<h3>{shown[1]}")


def many(count: int) -> list[Record]:
    known = {"recipe_digest": "x", "threshold": 0.6}
    return [
        Record(
            key=f"{number:06d}.png",
            path=f"/nowhere/{number}.png",
            score=number / count,
            maximum=0.9,
            size=(9, 9),
            **known,
        )
        if number % 2
        else Record(key=f"{number:06d}.png", path=f"/nowhere/{number}.png", error="It is <broken>.", **known)
        for number in range(count)
    ]


def test_report_and_tables_of_very_many_images_stay_small(tmp_path: Path) -> None:
    records = many(3000)
    output = OutputSettings(worst=20)
    report.write_report(lambda: iter(records), tmp_path, RECIPE, output, SCALE, ["Mind <this>."])
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count("<section") == 20
    assert "Mind &lt;this&gt;." in page
    assert "And 1,300 more" in page
    assert len(page) < 100_000
    write_summaries(lambda: iter(records), tmp_path)
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 3000
    assert len(json.loads((tmp_path / "regions.coco.json").read_text())["images"]) == 1500


def test_tables_are_all_written_or_none(tmp_path: Path) -> None:
    write_summaries(lambda: iter(many(4)), tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def broken() -> object:
        yield from many(2)
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="the disk is full"):
        write_summaries(broken, tmp_path)
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_tables_are_all_written_or_none_even_if_the_last_bytes_do_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_summaries(lambda: iter(many(4)), tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    opened = summaries._opened

    def on_a_full_disk(files: ExitStack, file: Path, out: Path) -> IO[str]:
        place = opened(files, file, out)
        return files.enter_context(Path("/dev/full").open("w")) if file.name == summaries.SCORES else place

    monkeypatch.setattr(summaries, "_opened", on_a_full_disk)
    with pytest.raises(OutputError, match="the disk is full"):
        write_summaries(lambda: iter(many(6)), tmp_path)
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


@pytest.mark.fault(
    "hostile files",
    "results whose map is {name}",
    "everything outside of the results: nothing is read or taken away",
    sees="nothing: the image is scored again",
)
@pytest.mark.parametrize("name", ["../documents", "an absolute path", "a link that leads out"])
def test_a_map_outside_of_the_results_is_none(name: str, tmp_path: Path) -> None:
    out, documents = tmp_path / "out", tmp_path / "documents"
    (out / "maps").mkdir(parents=True)
    documents.mkdir()
    (documents / "letter.txt").write_text("dear all")
    (out / "maps" / "a.zarr").symlink_to(documents)
    (out / "maps" / "b").symlink_to(documents.parent)
    if name == "a link that leads out":
        for linked in ("maps/a.zarr", "maps/b/documents"):
            map_file = MapFile(format="zarr", path=linked, size=8)
            assert not OutputSettings(maps="zarr").finished(map_file, out)
            with pytest.raises(ValueError, match="leads out of"):
                read_map(map_file, out, SCALE)
            remove_map(map_file, out)
    else:
        with pytest.raises(ValidationError, match="below the folder maps"):
            MapFile(format="zarr", path=str(documents) if name == "an absolute path" else name, size=8)
    assert (documents / "letter.txt").read_text() == "dear all"

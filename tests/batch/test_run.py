"""A folder from beginning to end: what is finished is left alone, what is broken named, what changed done anew."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from batch.small import RECIPE, load, pixels, write_pictures
from PIL import Image

from napari_anoclip.batch import out_folder, outputs, pipeline
from napari_anoclip.batch.errors import InputError, OutputError
from napari_anoclip.batch.gathering import gather_others
from napari_anoclip.batch.inputs import find_inputs
from napari_anoclip.batch.outputs import OutputSettings
from napari_anoclip.batch.pipeline import score
from napari_anoclip.batch.recipe import Recipe
from napari_anoclip.batch.records import Records
from napari_anoclip.batch.run import RunSummary, run
from napari_anoclip.batch.watch import Sparingly, Watched, WatchSettings
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, vision
from napari_anoclip.engine.errors import Cancelled, ModelError
from napari_anoclip.engine.progress import Progress
from napari_anoclip.engine.settings import MutualSettings
from napari_anoclip.review.lock import Lock
from napari_anoclip.review.regions import RegionSettings, find_regions

PLAIN = OutputSettings(report=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    return load(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "in", 6)
    return tmp_path / "in"


@pytest.fixture
def go(model: AnoCLIP, folder: Path, tmp_path: Path) -> Callable[..., RunSummary]:
    """Run on the folder."""

    def go(recipe: Recipe = RECIPE, output: OutputSettings = PLAIN, **options: object) -> RunSummary:
        return run([folder], tmp_path / "out", recipe, output, model=model, **options)

    return go


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return list(csv.DictReader(opened))


def counts(summary: RunSummary) -> tuple[int, int, int]:
    return summary.done, summary.skipped, len(summary.failed)


def test_results_are_those_of_detect_one_by_one(model: AnoCLIP, folder: Path, tmp_path: Path) -> None:
    inputs = find_inputs([folder])
    records = list(score(model, inputs, RECIPE, tmp_path / "out"))
    assert [record.key for record in records] == [one.key for one in inputs]
    for number, record in enumerate(records):
        expected = model.detect(pixels(number), RECIPE.prompts, RECIPE.settings)
        assert record.score == pytest.approx(expected.score, abs=2e-6)
        assert record.maximum == pytest.approx(float(expected.map.max()), abs=2e-6)
        np.testing.assert_allclose(tifffile.imread(tmp_path / "out" / record.map.path), expected.map, atol=3e-4)
        regions = find_regions(expected.map, 0.6, RECIPE.regions)
        assert [one.measures.area for one in record.regions] == pytest.approx([r.measures.area for r in regions], abs=3)
    assert any(record.regions for record in records)


def test_what_is_finished_is_not_done_again(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    assert counts(go()) == (6, 0, 0)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "maps").iterdir()}
    again = go()
    assert counts(again) == (0, 6, 0)
    assert again.remarks == ()
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "maps").iterdir()}


def test_new_files_are_added_and_the_tables_have_all(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    go()
    write_pictures(folder, 2, first=6)
    assert counts(go()) == (2, 6, 0)
    assert [row["key"] for row in table(tmp_path / "out" / "scores.csv")] == [f"{n}.png" for n in range(8)]


def test_other_content_under_the_same_name_is_done_again(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    go()
    before = Records(tmp_path / "out").get("2.png")
    Image.fromarray(pixels(77)).save(folder / "2.png")
    again = go()
    assert counts(again) == (1, 5, 0)
    assert any("Another file than before, and made anew: 1 image." in said for said in again.remarks)
    assert Records(tmp_path / "out").get("2.png").file_digest != before.file_digest


def test_the_same_content_under_another_name_is_another_image(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    go()
    shutil.copyfile(folder / "2.png", folder / "copy.png")
    assert counts(go()) == (1, 6, 0)
    rows = {row["key"]: row["score"] for row in table(tmp_path / "out" / "scores.csv")}
    assert float(rows["copy.png"]) == pytest.approx(float(rows["2.png"]), abs=2e-6)


def test_a_file_that_was_only_touched_is_finished_still(go: Callable[..., RunSummary], folder: Path) -> None:
    go()
    (folder / "2.png").touch()
    assert counts(go()) == (0, 6, 0)


def test_another_recipe_makes_all_anew_and_says_so(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    go(output=OutputSettings(maps="none"))
    assert (tmp_path / "out" / "report.html").exists()
    changed = RECIPE.model_copy(update={"regions": RegionSettings(min_area=3)})
    digest = json.loads((tmp_path / "out" / "recipe.json").read_text())["digest"]
    again = go(changed)
    assert counts(again) == (6, 0, 0)
    assert any("another recipe or model before, and made anew: 6 images." in said for said in again.remarks)
    written = json.loads((tmp_path / "out" / "recipe.json").read_text("utf-8"))
    assert written["digest"] != digest
    assert not (tmp_path / "out" / "report.html").exists(), "it told of the former recipe"
    assert Recipe.model_validate(written["recipe"]) == changed


def test_maps_in_another_format_are_made_and_the_former_taken_away(
    go: Callable[..., RunSummary], tmp_path: Path
) -> None:
    go()
    assert counts(go(output=OutputSettings(maps="png", report=False))) == (6, 0, 0)
    assert {file.suffix for file in (tmp_path / "out" / "maps").iterdir()} == {".png"}
    assert counts(go(output=OutputSettings(maps="none", report=False))) == (0, 6, 0)


def test_a_map_that_is_gone_or_cut_off_is_made_again(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    go()
    maps = tmp_path / "out" / "maps"
    (maps / "1.png.tif").unlink()
    (maps / "4.png.tif").write_bytes((maps / "4.png.tif").read_bytes()[:-7])
    assert counts(go()) == (2, 4, 0)
    assert tifffile.imread(maps / "4.png.tif").shape == (40, 52)


@pytest.mark.fault(
    "caches and disks",
    "the record of a result is damaged",
    "all other results; the image is scored again",
    sees="nothing: one image more is scored",
)
def test_a_damaged_record_is_no_record(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    go()
    Records(tmp_path / "out").file("3.png").write_text('{"key": "3.png", "sco')
    assert counts(go()) == (1, 5, 0)


def test_files_that_vanished_are_left_out_and_said_to_be(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    go()
    (folder / "0.png").unlink()
    again = go()
    assert counts(again) == (0, 5, 0)
    assert any("not in the tables: 1 image of earlier runs." in said for said in again.remarks)
    assert "0.png" not in {row["key"] for row in table(tmp_path / "out" / "scores.csv")}


def test_images_that_moved_with_their_folder_are_finished_still(
    model: AnoCLIP, go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    go()
    moved = folder.rename(tmp_path / "elsewhere")
    assert counts(run([moved], tmp_path / "out", RECIPE, PLAIN, model=model)) == (0, 6, 0)
    assert {Path(row["path"]).parent for row in table(tmp_path / "out" / "scores.csv")} == {moved}


@pytest.mark.fault(
    "inputs",
    "a folder with pictures that are cut off, no picture, or NaN",
    "all other results; what is mended is scored by the next run",
)
def test_broken_files_are_named_and_the_rest_goes_on(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path, sees: Callable[[object], str]
) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    Image.fromarray(pixels(3)).save(folder / "cut.png")
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:60])
    tifffile.imwrite(folder / "nothing.tif", np.full((20, 20), np.nan, np.float32))
    summary = go()
    assert counts(summary) == (6, 0, 3)
    assert {one.key for one in summary.failed} == {"broken.png", "cut.png", "nothing.tif"}
    rows = {row["key"]: row for row in table(tmp_path / "out" / "scores.csv")}
    assert "cannot be read" in sees(rows["broken.png"]["error"])
    assert "no finite pixel" in rows["nothing.tif"]["error"]
    assert rows["broken.png"]["score"] == ""
    Image.fromarray(pixels(8)).save(folder / "broken.png")
    assert counts(go()) == (1, 6, 2), "what is mended is done, what is not is tried again"


@pytest.mark.fault(
    "inputs",
    "a broken picture whose name is no text",
    "all other results",
    sees="its name with the odd bytes spelled out (m\\xfcll.png)",
)
@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_broken_file_is_named_even_if_its_name_is_no_text(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    (folder / os.fsdecode(b"m\xfcll.png")).write_bytes(b"no picture")
    assert counts(go()) == (6, 0, 1)
    assert [row["key"] for row in table(tmp_path / "out" / "scores.csv") if row["error"]] == ["m\\xfcll.png"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ModelError("The model found no number."), "no number"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "Memory ran out"),
        (MemoryError(), "Memory ran out"),
    ],
    ids=["model", "torch", "numpy"],
)
def test_an_image_of_which_nothing_comes_is_named(
    model: AnoCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    write_pictures(tmp_path / "in", 1)

    def detect(*args: object, **options: object) -> object:
        raise error

    monkeypatch.setattr(model, "detect", detect)
    (record,) = score(model, find_inputs([tmp_path / "in"]), RECIPE, tmp_path / "out")
    assert words in record.error
    assert record.score is None


def test_no_table_has_what_another_recipe_made(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    def straggle(progress: Progress) -> None:
        """A worker of another run writes what it has just finished."""
        if progress == Progress("scoring images", 6, 6):
            records = Records(tmp_path / "out")
            records.put(records.get("2.png").model_copy(update={"recipe_digest": "another"}))

    go(on_progress=straggle)
    assert [row["key"] for row in table(tmp_path / "out" / "scores.csv")] == [f"{n}.png" for n in (0, 1, 3, 4, 5)]
    assert counts(go()) == (1, 5, 0)


def test_planes_of_a_stack_are_images_of_their_own(model: AnoCLIP, tmp_path: Path) -> None:
    stack = np.stack([pixels(number, (40, 52)) for number in range(3)])
    tifffile.imwrite(tmp_path / "stack.tif", stack)
    summary = run([tmp_path / "stack.tif"], tmp_path / "out", RECIPE, PLAIN, model=model)
    assert counts(summary) == (3, 0, 0)
    expected = model.detect(stack[1], RECIPE.prompts)
    assert Records(tmp_path / "out").get("stack.tif[1]").score == pytest.approx(expected.score, abs=2e-6)


def test_what_a_killed_run_left_unfinished_is_cleaned_up(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    go()
    left = [tmp_path / "out" / below / f".{'0a' * 16}.new" for below in (".", "maps", "records/00")]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
    go()
    assert not any(file.exists() for file in left)


@pytest.mark.fault("caches and disks", "two processes score into one folder", "the results of the first")
def test_two_runs_into_one_folder_are_one_too_many(
    go: Callable[..., RunSummary], tmp_path: Path, sees: Callable[[object], str]
) -> None:
    (tmp_path / "out").mkdir()
    lock = Lock.take(tmp_path / "out", "Ada")
    with pytest.raises(OutputError, match=r"being written to .* by Ada") as refused:
        go()
    sees(refused.value)
    lock.release()
    assert counts(go()) == (6, 0, 0)
    assert not (tmp_path / "out" / "lock.json").exists()


def test_of_two_runs_that_take_over_what_a_killed_one_left_one_goes_on(
    go: Callable[..., RunSummary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    killed = Lock.take(out).holder.model_copy(update={"pid": 2**22 + 1})
    (out / "lock.json").write_text(killed.model_dump_json())
    # The other one has found the same lock, and takes it a moment after we did.
    later = SimpleNamespace(sleep=lambda _: Lock.take(out, "Ada", take_over=True))
    monkeypatch.setattr(out_folder, "time", later)
    with pytest.raises(OutputError, match=r"being written to .* by Ada"):
        go()


@pytest.mark.fault(
    "caches and disks", "the disk is full while a folder is scored", "what was finished; the next run does the rest"
)
def test_a_full_disk_stops_it_with_a_sentence_and_what_was_finished_stays(
    go: Callable[..., RunSummary], monkeypatch: pytest.MonkeyPatch, sees: Callable[[object], str]
) -> None:
    original, written = outputs._write_tiff, []

    def write(*args: object) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(args)
        original(*args)

    monkeypatch.setattr(outputs, "_write_tiff", write)
    with pytest.raises(OutputError, match=r"the disk is full.*what was finished stays") as refused:
        go()
    sees(refused.value)
    monkeypatch.setattr(outputs, "_write_tiff", original)
    assert counts(go()) == (4, 2, 0)


def test_a_cancelled_run_leaves_finished_work_whole_and_in_the_tables(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    write_pictures(folder, 34, first=6)
    stop = threading.Event()

    def told(progress: Progress) -> None:
        if progress.stage == "scoring images" and progress.done == 5:
            stop.set()

    with pytest.raises(Cancelled, match=r"of 40 images are finished.*to go on"):
        go(on_progress=told, cancel=stop)
    ours = [one.name for one in threading.enumerate() if one.name.startswith("anoclip-")]
    assert not ours, "ended here, and not when garbage is collected: in a thread that begins, that would wait for ever"
    rows = table(tmp_path / "out" / "scores.csv")
    assert 5 <= len(rows) < 40
    assert counts(go()) == (40 - len(rows), len(rows), 0)
    assert len(table(tmp_path / "out" / "scores.csv")) == 40


def test_progress_ends_where_it_should(go: Callable[..., RunSummary], folder: Path) -> None:
    go()
    write_pictures(folder, 1, first=6)
    told: list[Progress] = []
    go(on_progress=told.append)
    scoring = [(one.done, one.total) for one in told if one.stage == "scoring images"]
    assert scoring == [(done, 7) for done in range(8)]


def test_a_large_image_gets_a_map_of_blocks_and_regions_in_its_own_pixels(
    model: AnoCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MAX_MAP_PIXELS", 1000)
    write_pictures(tmp_path / "in", 1)
    summary = run([tmp_path / "in"], tmp_path / "out", RECIPE, PLAIN, model=model)
    assert counts(summary) == (1, 0, 0)
    record = Records(tmp_path / "out").get("0.png")
    assert (record.block, record.size) == (2, (40, 52))
    assert tifffile.imread(tmp_path / "out" / record.map.path).shape == (20, 26)
    (region, *_) = table(tmp_path / "out" / "regions.csv")
    top, left = record.regions[0].mask.start
    assert (int(region["first_row"]), int(region["first_column"])) == (2 * top, 2 * left)
    assert int(region["area_px"]) == 4 * record.regions[0].measures.area


def test_nothing_to_do_gets_a_sentence(model: AnoCLIP, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture in"):
        run([tmp_path / "empty"], tmp_path / "out", RECIPE, PLAIN, model=model)
    assert not (tmp_path / "out").exists()


def test_tables_of_another_recipe_do_not_outlive_a_stop(go: Callable[..., RunSummary], tmp_path: Path) -> None:
    go()
    stop = threading.Event()

    def stop_at_once(progress: Progress) -> None:
        if progress.stage == "scoring images":
            assert not (tmp_path / "out" / "scores.csv").exists()
            stop.set()

    changed = RECIPE.model_copy(update={"threshold": 0.25})
    with pytest.raises(Cancelled):
        go(changed, on_progress=stop_at_once, cancel=stop)


def test_a_file_is_no_folder_for_results(model: AnoCLIP, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="is a file: give a folder"):
        run([folder], tmp_path / "out", RECIPE, PLAIN, model=model)
    assert (tmp_path / "out").read_text() == "mine"


def test_images_that_judge_each_other_get_a_score_by_their_neighbours(
    go: Callable[..., RunSummary], tmp_path: Path
) -> None:
    mutual = RECIPE.settings.model_copy(update={"mutual": RECIPE.settings.mutual.model_copy(update={"enabled": True})})
    recipe = RECIPE.model_copy(update={"settings": mutual})
    assert counts(go(recipe)) == (6, 0, 0)
    rows = table(tmp_path / "out" / "scores.csv")
    assert all(0 < float(row["score_mutual"]) < 1 for row in rows)
    assert [row["score_mutual"] for row in rows] != [row["score"] for row in rows]
    assert counts(go(recipe)) == (0, 6, 0), "the same images are compared with: nothing to be done again"
    assert counts(go()) == (6, 0, 0)
    assert all(row["score_mutual"] == "" for row in table(tmp_path / "out" / "scores.csv"))


def test_images_that_were_compared_already_are_not_encoded_for_that_again(
    model: AnoCLIP, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = AnoCLIPSettings(mutual=MutualSettings(enabled=True, tokens="layers"))
    recipe = RECIPE.model_copy(update={"settings": settings})
    inputs = find_inputs([folder])
    others = gather_others(model, inputs, recipe)
    model.forget_tokens()
    monkeypatch.setattr(vision, "layer_tokens", None)
    found = list(score(model, inputs, recipe, tmp_path / "out", others=others))
    assert not any(record.failed for record in found)


def test_a_watched_folder_is_gone_on_with_until_it_is_cancelled(
    go: Callable[..., RunSummary], folder: Path, tmp_path: Path
) -> None:
    stop, idle, broken = threading.Event(), [], []
    go()

    def told(progress: Progress) -> None:
        if progress.stage != "watching":
            return
        idle.append(progress.done)
        if progress.done == 6 and not (folder / "6.png").exists():
            write_pictures(folder, 1, first=6)
        elif progress.done == 7 and not broken:
            (folder / "0.png").write_bytes(b"broken by now")
            broken.append(True)
        elif progress.done == 6 and broken:
            stop.set()
        assert len(idle) < 300, "the new file is never seen"

    summary = go(watch=True, watching=WatchSettings(every=0.02, still=0.05), on_progress=told, cancel=stop)
    assert counts(summary) == (1, 5, 1)
    rows = {row["key"]: row for row in table(tmp_path / "out" / "scores.csv")}
    assert len(rows) == 7
    assert "cannot be read" in rows["0.png"]["error"]
    assert not (tmp_path / "out" / "maps" / "0.png.tif").exists()


def test_a_file_is_taken_once_it_stood_still_and_again_when_it_changes(tmp_path: Path) -> None:
    from napari_anoclip.batch.inputs import Input

    now = [0.0]
    watched = Watched(WatchSettings(still=2), clock=lambda: now[0])
    file = tmp_path / "0.png"
    one = Input(file, "0.png")

    def taken(at: float, content: bytes | None = None) -> bool:
        now[0] = at
        if content is not None:
            file.write_bytes(content)
        return bool(watched.take([one]))

    assert not taken(0, b"half")
    assert not taken(1.5, b"half of it")
    assert not taken(3)
    assert taken(3.6)
    assert not taken(60)
    assert not taken(61, b"something else")
    assert taken(64)


def test_tables_of_a_watched_folder_take_a_share_of_the_time_however_long_they_take() -> None:
    now = [0.0]
    summing = Sparingly(0.1, clock=lambda: now[0])
    assert summing.due
    with summing.doing():
        now[0] = 3.0
    now[0] = 32.9
    assert not summing.due
    now[0] = 33.0
    assert summing.due

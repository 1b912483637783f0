"""Exports are complete or not there, ask before they replace something, and stay in their folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import tifffile
from review.exporting import HOSTILE, NO_ROOM, Flag, Studio, counted, everything, tree
from review.reviewing import judgement

from napari_anoclip.engine.errors import Cancelled
from napari_anoclip.review.exports import place
from napari_anoclip.review.exports.coco import export_coco
from napari_anoclip.review.exports.label_studio import export_label_studio
from napari_anoclip.review.exports.label_tiff import export_labels
from napari_anoclip.review.exports.masks import export_masks
from napari_anoclip.review.exports.report import export_report
from napari_anoclip.review.exports.table import export_table
from napari_anoclip.review.exports.target import (
    LISTING,
    Exported,
    ExportError,
    ExportExists,
    output_folder,
    write_files,
)

EXPORTS = {
    "coco.json": export_coco,
    "tasks.json": export_label_studio,
    "table.csv": export_table,
    "report.html": export_report,
    "masks": export_masks,
    "labels": export_labels,
}
FILES = [name for name in EXPORTS if "." in name]
FOLDERS = [name for name in EXPORTS if "." not in name]


@pytest.fixture
def studio(tmp_path):
    return everything(tmp_path / "pictures")


@pytest.fixture
def out(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    return out


def run(name, studio, out, **how):
    export = EXPORTS[name]
    given = [studio.images, out / name, *([] if export is export_table else [studio.read])]
    return export(*given, path_of=studio.path_of, **how)


@pytest.mark.parametrize("name", EXPORTS)
def test_what_is_there_is_replaced_only_when_asked(name, studio, out):
    run(name, studio, out)
    before = tree(out)
    with pytest.raises(ExportExists, match="already"):
        run(name, studio, out)
    assert tree(out) == before
    assert run(name, studio, out, overwrite=True).images
    assert tree(out).keys() == before.keys()


@pytest.mark.parametrize("name", EXPORTS)
def test_cancelled_at_any_step_nothing_is_there(name, studio, out):
    (out / "once").mkdir()
    polls = counted(lambda flag: run(name, studio, out / "once", cancel=flag))
    assert polls >= 2
    before = tree(out)
    for after in range(polls):
        with pytest.raises(Cancelled):
            run(name, studio, out, cancel=Flag(after))
        assert tree(out) == before
    run(name, studio, out, cancel=Flag(polls))
    assert tree(out) != before


@pytest.mark.fault(
    "caches and disks", "the disk is full during an export", "what was exported before; nothing half written"
)
@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("before", [True, False], ids=["over an old one", "anew"])
def test_on_a_full_disk_nothing_half_written_is_there(name, studio, out, before, monkeypatch, sees):
    if before:
        run(name, studio, out)
    was = tree(out)
    files = 0

    def full(write):
        def fail_at_the_last(*args, **kwargs):
            nonlocal files
            files += 1
            if files == {"tasks.json": 2, "masks": 4, "labels": 3}.get(name, 1):
                raise NO_ROOM
            return write(*args, **kwargs)

        return fail_at_the_last

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full(Path.write_bytes))
        patch.setattr(tifffile, "imwrite", full(tifffile.imwrite))
        with pytest.raises(
            ExportError, match=r"cannot be written \(the disk is full\)\. Choose another place\."
        ) as refused:
            run(name, studio, out, overwrite=before)
        sees(refused.value)
    assert tree(out) == was


@pytest.mark.parametrize("name", EXPORTS)
def test_progress_goes_up_to_the_end(name, studio, out):
    steps = []
    run(name, studio, out, on_progress=steps.append)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[0].done == 0
    assert steps[-1].done == steps[-1].total > 0


@pytest.mark.fault(
    "hostile files",
    "../, absolute and reserved names of images and kinds in exports",
    "everything outside of the folder",
    sees="files within the folder that was chosen",
)
@pytest.mark.parametrize("name", EXPORTS)
def test_names_lead_nowhere_outside_and_nothing_gets_lost(name, tmp_path, out):
    studio = Studio(tmp_path / "pictures")
    for number, hostile in enumerate(HOSTILE):
        studio.add(f"{number}.png", [judgement(1, kind=hostile, note=hostile, top_prompt=hostile)])
        # Files are named after what is shown where an image has no file.
        studio.images[-1] = studio.images[-1].model_copy(update={"name": hostile, "path": None})
    outside = tree(tmp_path).keys()
    exported = EXPORTS[name](
        studio.images,
        out / name,
        *([] if name == "table.csv" else [lambda of: studio.pictures[of.key]]),
        path_of=studio.path_of,
    )
    assert exported.images == len(HOSTILE)
    new = tree(tmp_path).keys() - outside
    assert new
    assert all(path.startswith("out/") for path in new)
    for path in new:
        assert all(len(part.encode()) <= 255 and part.rstrip(" .") == part for part in path.split("/"))


@pytest.mark.parametrize("name", EXPORTS)
def test_nothing_judged_is_an_export_too(name, out, tmp_path):
    exported = run(name, Studio(tmp_path / "empty"), out)
    assert exported.sentence == f"0 images with 0 regions exported to {name}."


@pytest.mark.parametrize("name", EXPORTS)
def test_a_picture_that_is_gone_or_damaged_keeps_nothing_from_being_exported(name, studio, out):
    gone, damaged, changed = studio.images[0], studio.images[1], studio.images[6]
    Path(gone.path).unlink()
    Path(damaged.path).write_bytes(b"no picture")
    Path(studio.images[2].path).replace(changed.path)
    exported = run(name, studio, out)
    assert exported.images
    if name == "masks":
        assert [sentence.split(":")[0] for sentence in exported.left_out if "picture" in sentence.lower()] == [
            "part 1.png",
            "good.png",
            "stack.tif",
        ]


@pytest.mark.parametrize("name", FILES)
def test_a_folder_is_no_file(name, studio, out):
    (out / name).mkdir()
    with pytest.raises(ExportError, match=r"is a folder\. Choose the name of a file\."):
        run(name, studio, out, overwrite=True)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_is_no_folder(name, studio, out):
    (out / name).write_text("mine")
    with pytest.raises(ExportError, match=r"is a file\. Choose a folder\."):
        run(name, studio, out, overwrite=True)
    assert (out / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 300 + ".json", "gone/x.json"])
def test_a_file_that_cannot_be_there_is_told_before_any_work(name, studio, out):
    def read(of):
        raise AssertionError("no picture is needed to see that")

    with pytest.raises(ExportError, match="cannot be written"):
        export_coco(studio.images, out / name, read)


@pytest.mark.skipif(
    os.name != "posix" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
@pytest.mark.parametrize("name", EXPORTS)
def test_a_folder_that_can_only_be_read_is_told_in_a_sentence(name, studio, out):
    out.chmod(0o500)
    try:
        with pytest.raises(ExportError, match="it can only be read there"):
            run(name, studio, out)
    finally:
        out.chmod(0o700)


def test_of_several_files_all_are_written_or_none(out, monkeypatch):
    (out / "a").write_text("old")
    write_bytes = Path.write_bytes

    def fill(self, content):
        if content == b"second":
            raise NO_ROOM
        return write_bytes(self, content)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(ExportError, match=r"^b cannot be written"):
        write_files({out / "a": "first", out / "b": "second"}, overwrite=True)
    assert tree(out) == {"a": b"old"}


def export_to(folder, **files):
    with output_folder(folder, overwrite=True) as draft:
        for name, text in files.items():
            path = draft / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def test_a_later_export_takes_its_own_old_files_away_and_no_others(out):
    folder = out / "f"
    export_to(folder, old__a="1", old__b="1", both="1")
    (folder / "old" / "mine").write_text("mine")
    (folder / "mine").write_text("mine")
    export_to(folder, both="2", new__a="2")
    files = {name: content for name, content in tree(folder).items() if content is not None and name != LISTING}
    assert files == {"old/mine": b"mine", "mine": b"mine", "both": b"2", "new/a": b"2"}
    (folder / "old" / "mine").unlink()
    export_to(folder, old__a="3")
    export_to(folder, last="4")
    assert not (folder / "old").exists(), "folders that an export leaves empty go, too"


def test_a_listing_of_somebody_else_takes_nothing_away_outside(out):
    folder = out / "f"
    export_to(folder, a="1")
    (out / "precious").write_text("mine")
    (folder / LISTING).write_text(json.dumps({"files": ["../precious", str(out / "precious"), "", ".", 3]}))
    export_to(folder, b="2")
    assert (out / "precious").read_text() == "mine"
    (folder / LISTING).write_text(json.dumps({"files": ["../precious", "", "."]}))
    export_to(folder, c="3")
    assert (out / "precious").read_text() == "mine"
    assert (folder / "c").read_text() == "3"


def test_an_export_to_a_folder_reached_by_a_link_goes_to_where_it_leads(out):
    (out / "disk").mkdir()
    (out / "link").symlink_to(out / "disk", target_is_directory=True)
    export_to(out / "link", a="1")
    assert (out / "disk" / "a").read_text() == "1"
    assert {path.name for path in out.iterdir()} == {"disk", "link"}


def test_images_of_the_same_name_get_files_of_their_own(tmp_path):
    studio = Studio(tmp_path)
    for name in ("a/x.png", "b/x.png", "b/deep/x.png", "c/X.png", "c/x.jpg", "d/x_2.png"):
        studio.add(name)
    studio.add("s/y.tif", shape=(3, 24, 30))
    studio.add("t/y_p001.png")
    stems = list(place.file_stems(studio.images, studio.path_of).values())
    assert stems[:3] == ["x", "b_x", "deep_x"]
    assert stems[6:] == ["y", "t_y_p001"], "planes of a stack get endings"
    assert len({stem.casefold() for stem in stems}) == len(stems)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_becomes_one_that_a_file_can_have(name, tmp_path):
    fit = place.fit_name(name)
    assert Path(fit).name == fit
    assert fit not in (".", "..")
    assert not set(fit) & set('<>:"/\\|?*\n\0')
    assert fit.split(".")[0].casefold() not in ("con", "com¹", "nul")
    (tmp_path / f"{fit}_p001_mask.png").touch()


@pytest.mark.parametrize("name", ["ground truth", "Prüfling 1.2 (neu)", "part 7.png", "名前"])
def test_a_name_that_fits_stays(name):
    assert place.fit_name(name) == name


def test_the_sentence_tells_what_is_in_it_and_what_is_not(tmp_path):
    exported = Exported(tmp_path / "a.json", 1, 12, ("x.png: Why.", "y.png: Why."), not_judged=3, remark="And so on.")
    assert exported.sentence == (
        "1 image with 12 regions exported to a.json. 2 images left out: x.png: Why. 3 images not judged yet. And so on."
    )

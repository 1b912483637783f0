"""Exports and imports as a user asks for them."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog
from review import exporting, reviewing

from napari_anoclip.plugin.export_panel import CANCELLED, NOTHING, ExportPanel
from napari_anoclip.plugin.exporting import FORMATS
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.review.exports import coco
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.metrics import Figure, Figures
from napari_anoclip.review.session import Session

_FIGURE = Figure(value=0.5, low=0.25, high=0.75, count=3, words="of 3 images")
FIGURES = Figures(
    **dict.fromkeys(set(Figures.model_fields) - {"threshold", "images", "complete"}, _FIGURE),
    threshold=0.5,
    images=3,
    complete=2,
)


@pytest.fixture
def reviewer(viewer, shelf):
    reviewer = Reviewer(viewer)
    yield reviewer
    reviewer.close_down()


@pytest.fixture
def panel(reviewer, qtbot):
    panel = ExportPanel(reviewer, lambda: FIGURES)
    qtbot.addWidget(panel)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def studio(reviewer, tmp_path):
    """Every sort of region, in the review."""
    studio = exporting.everything(tmp_path / "line 3")
    for image in studio.images:
        reviewer.review.add(image)
    return studio


@pytest.fixture
def out(tmp_path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """What the system was asked to open."""
    paths: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: paths.append(url.toLocalFile()))
    return paths


@pytest.fixture
def answer(monkeypatch):
    """Let file dialogs be answered."""

    def set_(path: Path | str) -> None:
        for dialog in ("getSaveFileName", "getOpenFileName"):
            monkeypatch.setattr(QFileDialog, dialog, lambda *_, **__: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: str(path))

    return set_


def choose(panel, name: str) -> None:
    panel.formats.setCurrentIndex([one.name for one in FORMATS].index(name))


def ended(panel, qtbot) -> None:
    qtbot.waitUntil(lambda: not panel.job.busy and panel.notice.text != "", timeout=60_000)


def export(panel, qtbot) -> None:
    panel.export_button.click()
    ended(panel, qtbot)


def said(panel) -> str:
    return panel.notice.text.replace("\u200b", "")


def entry(panel, text: str):
    """An entry of the import menu."""
    return next(action for action in panel.import_button.menu().actions() if text in action.text())


def test_nothing_is_exported_before_something_was_judged(panel, out, answer) -> None:
    answer(out / "x.html")
    panel.export_button.click()
    assert panel.notice.text == NOTHING
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", [one.name for one in FORMATS])
def test_each_format_is_written_and_said_in_one_sentence(panel, studio, out, answer, qtbot, name, opened) -> None:
    choose(panel, name)
    where = out if panel.format.is_folder else out / f"line{panel.format.ending}"
    answer(where)
    export(panel, qtbot)
    assert "exported to" in panel.notice.text
    assert panel.notice.action == "Open"
    written = out / f"review{panel.format.ending}" if panel.format.is_folder else where
    assert written.exists()
    panel.notice._act.click()
    assert opened == [str(written if written.is_dir() or written.suffix in (".html", ".csv") else out)]
    assert panel.notice.text == ""


def test_coco_has_all_that_was_judged_with_paths_from_where_it_is(panel, studio, out, answer, qtbot) -> None:
    choose(panel, "COCO, polygons")
    answer(out / "all.json")
    export(panel, qtbot)
    content = json.loads((out / "all.json").read_text("utf-8"))
    names = {image["file_name"] for image in content["images"]}
    assert "../line 3/more/part 1.png" in names
    assert not any("nothing yet" in name for name in names)
    assert {"scratch", "crack", "stain"} <= {one["name"] for one in content["categories"]}
    assert "false positive" not in {one["name"] for one in content["categories"]}


def test_false_positives_come_along_where_that_is_ticked(panel, studio, out, answer, qtbot) -> None:
    choose(panel, "HTML report")
    assert not panel.false_positives.isVisible()
    choose(panel, "COCO, run lengths (RLE)")
    assert panel.false_positives.isVisible()
    panel.false_positives.click()
    answer(out / "all.json")
    export(panel, qtbot)
    content = json.loads((out / "all.json").read_text("utf-8"))
    assert "false positive" in {one["name"] for one in content["categories"]}
    assert all(isinstance(one["segmentation"], dict) for one in content["annotations"])


def test_an_ending_that_was_not_typed_is_added(panel, studio, out, answer, qtbot) -> None:
    choose(panel, "CSV of regions")
    answer(out / "regions")
    export(panel, qtbot)
    assert [path.name for path in out.iterdir()] == ["regions.csv"]


def test_the_report_has_figures_settings_and_prompts_of_the_workbench(panel, reviewer, studio, out, answer, qtbot):
    reviewer.desk.controls.prompts.prefill({"object": "hazelnut", "preset": "short"})
    choose(panel, "HTML report")
    answer(out / "report.html")
    export(panel, qtbot)
    html = (out / "report.html").read_text("utf-8")
    assert "hazelnut" in html
    assert "0.25 to 0.75" in html
    assert "mean order" in html
    assert "min area" in html
    assert "data:image/jpeg" in html


def test_a_layer_without_a_file_is_in_the_report_by_its_pixels(panel, reviewer, viewer, picture, out, answer, qtbot):
    viewer.add_image(picture, name="from the microscope")
    qtbot.waitUntil(lambda: reviewer.entry is not None, timeout=60_000)
    reviewer.review.add(reviewer.entry)
    reviewer.review.judge(reviewer.entry.key, "judge", {1: reviewing.judgement(1)})
    choose(panel, "HTML report")
    answer(out / "report.html")
    export(panel, qtbot)
    html = (out / "report.html").read_text("utf-8")
    assert "from the microscope" in html
    assert "data:image/jpeg" in html


def test_what_is_there_is_replaced_only_when_that_is_said(panel, studio, out, answer, qtbot) -> None:
    choose(panel, "CSV of regions")
    target = out / "regions.csv"
    target.write_text("mine")
    answer(target)
    export(panel, qtbot)
    assert target.read_text() == "mine"
    assert said(panel) == "There is a file regions.csv already. Replace it, or choose another name."
    assert panel.notice.action == "Replace"
    panel.notice._act.click()
    ended(panel, qtbot)
    assert "exported to regions.csv" in said(panel)
    assert target.read_text("utf-8-sig").startswith("image,")


def test_not_now_leaves_it(panel, studio, out, answer, qtbot) -> None:
    choose(panel, "Labelled TIFF")
    (out / "review-labels").mkdir()
    (out / "review-labels" / "mine.txt").write_text("mine")
    answer(out)
    export(panel, qtbot)
    panel.notice._dismiss.click()
    assert [path.name for path in (out / "review-labels").iterdir()] == ["mine.txt"]


@pytest.mark.fault(
    "caches and disks", "the folder of an export is not there any more", "the review; another place can be chosen"
)
def test_a_folder_that_cannot_be_written_is_said(panel, studio, out, answer, qtbot, sees) -> None:
    choose(panel, "CSV of regions")
    answer(out / "gone" / "regions.csv")
    export(panel, qtbot)
    assert sees(said(panel)).startswith("regions.csv cannot be written (")
    assert panel.notice.action == ""


def test_a_damaged_picture_stops_no_export(panel, studio, out, answer, qtbot) -> None:
    (studio.folder / "good.png").write_bytes(b"no picture")
    choose(panel, "COCO, polygons")
    answer(out / "all.json")
    export(panel, qtbot)
    assert "exported to" in said(panel)


def test_an_export_can_be_cancelled_and_writes_nothing(panel, studio, out, answer, qtbot, monkeypatch) -> None:
    go_on, at_work = threading.Event(), threading.Event()
    regions_of = coco.place.regions_of

    def slow(*args):
        at_work.set()
        go_on.wait(10)
        return regions_of(*args)

    monkeypatch.setattr(coco.place, "regions_of", slow)
    choose(panel, "COCO, polygons")
    answer(out / "all.json")
    panel.export_button.click()
    assert not panel.export_button.isEnabled()
    assert at_work.wait(30)
    panel.cancel_button.click()
    go_on.set()
    ended(panel, qtbot)
    assert panel.notice.text == CANCELLED
    assert list(out.iterdir()) == []
    assert panel.export_button.isEnabled()
    assert not panel.cancel_button.isVisible()


def test_what_is_judged_while_it_exports_is_not_in_it(panel, reviewer, studio, out, answer, qtbot) -> None:
    choose(panel, "CSV of regions")
    answer(out / "regions.csv")
    panel.export_button.click()
    reviewer.review.judge(studio.images[0].key, "note", {9: reviewing.judgement(9, note="late")})
    ended(panel, qtbot)
    assert "late" not in (out / "regions.csv").read_text("utf-8")


def mvtec(folder: Path) -> Path:
    """A data set of two images, one of them with two scratches."""
    for kind, name in (("good", "000"), ("scratch", "001")):
        (folder / "test" / kind).mkdir(parents=True)
        Image.fromarray(exporting.pixels(seed=len(kind))).save(folder / "test" / kind / f"{name}.png")
    (folder / "ground_truth" / "scratch").mkdir(parents=True)
    mask = np.zeros((24, 30), np.uint8)
    mask[2:5, 2:9] = mask[15:20, 4:6] = 255
    Image.fromarray(mask).save(folder / "ground_truth" / "scratch" / "001_mask.png")
    return folder


def test_a_data_set_comes_in_as_already_judged_and_is_kept(panel, reviewer, tmp_path, answer, qtbot) -> None:
    answer(mvtec(tmp_path / "leather"))
    entry(panel, "MVTec").trigger()
    ended(panel, qtbot)
    assert said(panel) == "2 images with 2 regions imported from leather."
    assert reviewer.session.folder == tmp_path / "leather.anoclip"
    good, bad = reviewer.review.images.values()
    assert (good.complete, len(good.judgements)) == (True, 0)
    assert (bad.complete, [one.verdict for one in bad.judgements.values()]) == (True, [Verdict.DEFECT] * 2)
    assert bad.path == "../leather/test/scratch/001.png"
    assert reviewer.path_of(bad) == tmp_path / "leather" / "test" / "scratch" / "001.png"
    folder = reviewer.session.folder
    facts = reviewing.facts(reviewer.session)
    reviewer.session.close()
    again = Session.open(folder)
    assert reviewing.facts(again) == facts
    again.close()


def test_an_import_is_undone_image_by_image(panel, reviewer, tmp_path, answer, qtbot) -> None:
    answer(mvtec(tmp_path / "leather"))
    entry(panel, "MVTec").trigger()
    ended(panel, qtbot)
    reviewer.undo()
    assert [image.judged for image in reviewer.review.images.values()] == [True, False]
    reviewer.undo()
    assert [image.judged for image in reviewer.review.images.values()] == [False, False]


def test_what_was_judged_here_stays_as_it_is(panel, reviewer, tmp_path, answer, qtbot) -> None:
    answer(mvtec(tmp_path / "leather"))
    entry(panel, "MVTec").trigger()
    ended(panel, qtbot)
    bad = list(reviewer.review.images.values())[1]
    reviewer.review.judge(bad.key, "take away", {1: None})
    panel.notice.clear()
    entry(panel, "MVTec").trigger()
    ended(panel, qtbot)
    assert (
        said(panel) == "0 images with 0 regions imported from leather. 2 images judged here before: left as they are."
    )
    assert list(reviewer.review.images[bad.key].judgements) == [2]


def test_coco_goes_out_and_comes_in(panel, reviewer, studio, out, answer, qtbot, tmp_path) -> None:
    choose(panel, "COCO, run lengths (RLE)")
    answer(out / "all.json")
    export(panel, qtbot)
    for key in list(reviewer.review.images):
        reviewer.review.judge(key, "forget", dict.fromkeys(reviewer.review.images[key].judgements), complete=False)
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(tmp_path / "other.anoclip")
    panel.notice.clear()
    entry(panel, "COCO").trigger()
    ended(panel, qtbot)
    assert "imported from all.json." in said(panel)
    first = reviewer.review.images[studio.images[0].key]
    assert [one.kind for one in first.with_verdict(Verdict.DEFECT)] == ["scratch", "crack"]
    assert first.judgements[1].note == "a hole"
    assert first.judgements[1].origin == "imported"
    assert "Riß" in reviewer.review.kinds


def test_pictures_that_are_elsewhere_are_asked_for(panel, reviewer, studio, out, answer, qtbot, tmp_path) -> None:
    choose(panel, "COCO, polygons")
    answer(studio.folder / "all.json")
    export(panel, qtbot)
    shutil.move(studio.folder / "all.json", out / "all.json")
    panel.notice.clear()
    answer(out / "all.json")
    entry(panel, "COCO").trigger()
    ended(panel, qtbot)
    assert "Choose the folder" in said(panel)
    assert panel.notice.action == "Choose folder…"
    answer(studio.folder)
    panel.notice._act.click()
    ended(panel, qtbot)
    assert "imported from all.json." in said(panel)


def test_what_is_no_annotation_is_said(panel, reviewer, out, answer, qtbot) -> None:
    (out / "letter.json").write_text("{")
    answer(out / "letter.json")
    entry(panel, "COCO").trigger()
    ended(panel, qtbot)
    assert said(panel).startswith("letter.json is damaged")
    assert panel.notice.action == ""
    assert reviewer.session is None


def test_a_large_import_tells_others_once(panel, reviewer, tmp_path, answer, qtbot) -> None:
    answer(mvtec(tmp_path / "leather"))
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(tmp_path / "s.anoclip")
    heard = []
    reviewer.changed.connect(lambda: heard.append(len([i for i in reviewer.review.images.values() if i.judged])))
    entry(panel, "MVTec").trigger()
    ended(panel, qtbot)
    assert next(filter(None, heard)) == 2


def test_labels_of_a_stack_are_a_stack(panel, studio, out, answer, qtbot) -> None:
    choose(panel, "Labelled TIFF")
    answer(out)
    export(panel, qtbot)
    assert tifffile.imread(out / "review-labels" / "stack.labels.tif").shape == (4, 24, 30)


def test_every_control_is_told_to_a_screen_reader_and_it_fits(panel) -> None:
    for control in (
        panel.formats,
        panel.false_positives,
        panel.export_button,
        panel.import_button,
        panel.cancel_button,
    ):
        assert control.accessibleName()
        assert control.toolTip()
        assert control.focusPolicy() & 1  # Qt.TabFocus
    for one in FORMATS:
        choose(panel, one.name)
        assert panel.minimumSizeHint().width() <= 320

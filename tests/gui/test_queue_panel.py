"""A folder of pictures, gone through as a person does: open, judge, go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QWidget

from napari_anoclip.plugin.provenance import METADATA_KEY
from napari_anoclip.plugin.queue_canvas import FILE_KEY
from napari_anoclip.plugin.queue_panel import OPEN, QueuePanel
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.session import Session

THRESHOLD = 0.498


@pytest.fixture
def heard():
    """What was said."""
    return []


@pytest.fixture
def reviewer(viewer, shelf, use_model, bright_is_bad, heard):
    use_model(bright_is_bad)
    reviewer = Reviewer(viewer)
    reviewer.said.connect(lambda sentence, action, do: heard.append((sentence, action, do)))
    desk = reviewer.desk
    desk.controls.prompts.prefill({"object": "plate", "preset": "short"})
    reviewer.set_threshold(THRESHOLD)
    yield reviewer
    reviewer.close_down()


@pytest.fixture
def panel(reviewer, qtbot):
    panel = QueuePanel(reviewer)
    qtbot.addWidget(panel)
    panel.resize(360, 120)
    panel.show()
    yield panel
    panel.close_down()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Four pictures of a plate, each with one bright square of its own."""
    folder = tmp_path / "line3" / "2026-11"
    folder.mkdir(parents=True)
    for number in range(4):
        save(folder / f"plate_{number}.png", number)
    return folder


def save(path: Path, number: int) -> Path:
    pixels = np.full((96, 96, 3), 40, np.uint8)
    pixels[16 + 8 * number : 32 + 8 * number, 40:56] = 230
    Image.fromarray(pixels).save(path)
    return path


def shown(panel) -> str:
    """Name of the picture in the viewer."""
    layer = panel.walk.canvas.layer
    return "" if layer is None else Path(layer.metadata[FILE_KEY]).name


def wait_for(panel, qtbot, name: str, regions: bool = True) -> None:
    """Wait until a picture is shown, and its regions are found."""
    reviewer = panel._reviewer
    qtbot.waitUntil(lambda: shown(panel) == name, timeout=20_000)
    if regions:
        qtbot.waitUntil(
            lambda: (
                reviewer.image == panel.walk.canvas.layer
                and bool(reviewer.regions)
                and reviewer.current is not None
                and not reviewer.desk.job.busy
                and not reviewer._finder.job.busy
                and not reviewer._soon.isActive()
            ),
            timeout=20_000,
        )


def opened(panel, qtbot, folder: Path, first: str = "plate_0.png", regions: bool = True) -> None:
    panel.open_folder(folder)
    wait_for(panel, qtbot, first, regions)


def sentences(heard) -> list[str]:
    return [sentence for sentence, _, _ in heard]


def drop(widget: QWidget, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    no = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), Qt.DropAction.CopyAction, data, *no)
    QApplication.sendEvent(widget, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(widget, QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, *no))


def pick(box, text: str) -> None:
    """Choose in a box as by keyboard: `activated` is the user's."""
    at = next(place for place in range(box.count()) if text in box.itemText(place))
    box.setCurrentIndex(at)
    box.activated.emit(at)


def test_without_a_folder_there_is_one_row(panel, heard):
    assert panel.folder_button.text() == OPEN
    assert not panel.pictures.isVisible()
    assert panel.progress == ""
    panel.next()
    assert sentences(heard) == ["No folder is open yet. Choose a folder of pictures, or drop one here."]


def test_a_folder_is_opened_and_its_first_picture_scored_by_itself(panel, reviewer, folder, qtbot, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    qtbot.mouseClick(panel.folder_button, Qt.MouseButton.LeftButton)
    wait_for(panel, qtbot, "plate_0.png")
    assert panel.position == "image 1 of 4"
    assert panel.progress == "0 of 4 judged"
    assert panel.folder_button.text() == "line3/2026-11"
    assert [panel.pictures.itemText(place).strip() for place in range(4)] == [f"plate_{i}.png" for i in range(4)]
    assert reviewer.result is not None
    assert len(reviewer.regions) == 1
    assert reviewer.entry.path == str(folder / "plate_0.png")


def test_the_neighbours_tokens_are_there_before_they_are_shown(
    panel, reviewer, folder, qtbot, bright_is_bad, monkeypatch
):
    encoded = []
    tokens = bright_is_bad.tokens

    def counted(source, *args, **more):
        encoded.append(source.digest)
        return tokens(source, *args, **more)

    monkeypatch.setattr(bright_is_bad, "tokens", counted)
    opened(panel, qtbot, folder)
    qtbot.waitUntil(lambda: bool(encoded), timeout=20_000)  # only what is encoded ahead is asked of it
    before = set(encoded)
    panel.next()
    wait_for(panel, qtbot, "plate_1.png")
    assert reviewer.result.metadata[METADATA_KEY]["provenance"]["image"] in before


def test_judging_goes_on_by_itself_and_says_when_all_is_judged(panel, reviewer, folder, qtbot, heard, viewer):
    own = viewer.add_image(np.zeros((8, 8)), name="mine")
    opened(panel, qtbot, folder)
    verdicts = [Verdict.DEFECT, Verdict.FALSE, Verdict.UNSURE, Verdict.DEFECT]
    for number, verdict in enumerate(verdicts):
        wait_for(panel, qtbot, f"plate_{number}.png")
        reviewer.judge(verdict)
        assert shown(panel) == f"plate_{number}.png"  # for a moment
    qtbot.waitUntil(lambda: "All 4 are judged." in sentences(heard), timeout=20_000)
    assert panel.progress == "4 of 4 judged"
    assert [panel.pictures.itemText(place) for place in range(4)] == [
        "✓ plate_0.png, 1 defect",
        "✓ plate_1.png, good",
        "✓ plate_2.png, 1 unsure",
        "✓ plate_3.png, 1 defect",
    ]
    assert reviewer.session.folder == folder / "2026-11.anoclip"
    assert own in viewer.layers
    assert next(layer.name for layer in viewer.layers if "plate" in layer.name) == "plate_3"


def test_a_verdict_that_is_undone_at_once_holds_the_picture(panel, reviewer, folder, qtbot):
    opened(panel, qtbot, folder)
    reviewer.judge(Verdict.DEFECT)
    reviewer.undo()
    qtbot.wait(1000)
    assert shown(panel) == "plate_0.png"
    assert panel.progress == "0 of 4 judged"


def test_a_picture_that_is_looked_at_again_stays_when_a_verdict_is_changed(panel, reviewer, folder, qtbot):
    opened(panel, qtbot, folder)
    reviewer.judge(Verdict.DEFECT)
    wait_for(panel, qtbot, "plate_1.png")
    pick(panel.pictures, "plate_0.png")
    wait_for(panel, qtbot, "plate_0.png")
    reviewer.judge(Verdict.FALSE)
    qtbot.wait(1000)
    assert shown(panel) == "plate_0.png"
    assert panel.pictures.itemText(0) == "✓ plate_0.png, good"


def test_a_verdict_after_a_key_of_the_queue_is_never_about_the_picture_before(panel, reviewer, folder, qtbot):
    opened(panel, qtbot, folder)
    qtbot.waitUntil(lambda: not panel.walk.loader.ahead.busy)
    panel.next()
    assert shown(panel) == "plate_1.png"  # it was read ahead
    reviewer.judge(Verdict.DEFECT)
    assert not reviewer.review.count
    wait_for(panel, qtbot, "plate_1.png")
    reviewer.judge(Verdict.DEFECT)
    assert [image.name for image in reviewer.review.images.values() if image.judged] == ["plate_1.png"]


def test_done_pictures_are_skipped_when_the_folder_is_opened_again(panel, reviewer, folder, qtbot, viewer, heard):
    opened(panel, qtbot, folder)
    reviewer.judge(Verdict.DEFECT)
    wait_for(panel, qtbot, "plate_1.png")
    panel.close_down()
    reviewer.close_down()
    second = Reviewer(viewer)
    again = QueuePanel(second)
    qtbot.addWidget(again)
    try:
        opened(again, qtbot, folder, "plate_1.png")
        assert second.session.folder == folder / "2026-11.anoclip"
        assert second.session.settings.threshold == THRESHOLD
        assert again.progress == "1 of 4 judged"
        again.show_box.setCurrentText("with defects")
        wait_for(again, qtbot, "plate_0.png")
        again.show_box.setCurrentText("all")
        again.next()
        wait_for(again, qtbot, "plate_1.png")
    finally:
        again.close_down()
        second.close_down()


def test_a_review_is_kept_in_the_folder_that_was_opened_and_not_in_one_below(panel, reviewer, folder, qtbot):
    opened(panel, qtbot, folder.parent)
    reviewer.judge(Verdict.DEFECT)
    assert reviewer.session.folder == folder.parent / "line3.anoclip"


def test_a_picture_that_was_renamed_since_is_recognised_and_skipped(panel, reviewer, folder, qtbot, viewer):
    opened(panel, qtbot, folder)
    reviewer.judge(Verdict.DEFECT)
    wait_for(panel, qtbot, "plate_1.png")
    (folder / "plate_0.png").rename(folder / "a plate.png")
    with qtbot.waitSignal(panel.walk.opened):
        panel.open_folder(folder)
    qtbot.waitUntil(lambda: panel.pictures.itemText(0) == "✓ a plate.png, 1 defect", timeout=20_000)
    wait_for(panel, qtbot, "plate_1.png")


def test_a_session_in_the_folder_is_offered_where_another_is_open(panel, reviewer, folder, qtbot, heard, tmp_path):
    Session.open(folder / "old.anoclip").close()
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(tmp_path / "other.anoclip")
    opened(panel, qtbot, folder)
    offers = [(action, do) for sentence, action, do in heard if "“old.anoclip”" in sentence]
    assert [action for action, _ in offers] == ["Open that review"]
    with qtbot.waitSignal(reviewer.session_changed):
        offers[0][1]()
    assert reviewer.session.folder.name == "old.anoclip"


def test_a_session_that_somebody_has_open_does_not_hold_up_the_pictures(panel, folder, qtbot, heard):
    session = Session.open(folder / "old.anoclip", owner="Ada")
    try:
        opened(panel, qtbot, folder)
        assert any(action == "Take over" for _, action, _ in heard)
    finally:
        session.close()


@pytest.mark.fault(
    "sessions",
    "pictures of a reviewed folder are broken",
    "the verdicts; the broken ones are tried again when they are mended",
)
def test_broken_and_vanished_files_are_passed_over_in_a_sentence(panel, reviewer, folder, qtbot, heard, sees):
    (folder / "plate_1.png").write_bytes(b"nothing")
    (folder / "plate_2.png").write_bytes(b"nothing")
    opened(panel, qtbot, folder)
    reviewer.judge(Verdict.DEFECT)
    wait_for(panel, qtbot, "plate_3.png")
    assert "2 pictures cannot be read and were passed over: plate_1.png, plate_2.png." in sentences(heard)
    sees(next(s for s in sentences(heard) if "passed over" in s))
    assert panel.pictures.itemText(1) == "✕ plate_1.png, cannot be read"
    assert panel.progress == "1 of 2 judged · 2 cannot be read"
    save(folder / "plate_2.png", 2)
    pick(panel.pictures, "plate_2.png")
    wait_for(panel, qtbot, "plate_2.png")
    assert panel.progress == "1 of 3 judged · 1 cannot be read"
    (folder / "plate_3.png").unlink()
    panel.next()
    qtbot.waitUntil(lambda: any(s.startswith("The picture plate_3.png is not in") for s in sentences(heard)))
    assert shown(panel) == "plate_2.png"
    assert panel.position == "image 3 of 4"


@pytest.mark.fault("sessions", "a reviewed folder is renamed", "the picture that is shown, and the place in the queue")
def test_a_folder_that_vanished_is_told_once_and_nothing_is_held_against_its_pictures(
    panel, folder, qtbot, heard, sees
):
    opened(panel, qtbot, folder, regions=False)
    away = folder.with_name("away")
    qtbot.waitUntil(lambda: not panel.walk.loader.ahead.busy)
    folder.rename(away)
    panel.next()
    sentence = "The folder “2026-11” is not there any more. Put it back, or open another one."
    qtbot.waitUntil(lambda: sentence in sentences(heard))
    sees(sentence)
    assert shown(panel) == "plate_0.png"
    assert panel.position == "image 1 of 4"
    away.rename(folder)
    panel.next()
    wait_for(panel, qtbot, "plate_1.png")


@pytest.mark.parametrize("kind", ["empty", "without pictures", "vanished"])
def test_a_folder_with_nothing_to_show_leaves_what_is_open(panel, folder, qtbot, heard, tmp_path, kind):
    opened(panel, qtbot, folder, regions=False)
    other = tmp_path / kind
    if kind != "vanished":
        other.mkdir()
    if kind == "without pictures":
        (other / "notes.txt").write_text("nothing to see")
    panel.open_folder(other)
    said = "cannot be read" if kind == "vanished" else f"There is no picture in “{kind}”."
    qtbot.waitUntil(lambda: any(said in sentence for sentence in sentences(heard)))
    assert shown(panel) == "plate_0.png"
    assert panel.position == "image 1 of 4"


def test_files_are_opened_too_and_what_is_no_picture_is_left_out(panel, folder, qtbot, heard, monkeypatch):
    (folder / "notes.txt").write_text("nothing to see")
    names = [str(folder / name) for name in ("plate_2.png", "notes.txt", "plate_1.png")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (names, ""))
    qtbot.mouseClick(panel.files_button, Qt.MouseButton.LeftButton)
    wait_for(panel, qtbot, "plate_2.png", regions=False)
    assert panel.position == "image 1 of 2"
    assert panel.folder_button.text() == "2 files"
    assert "1 file is no picture and was left out." in sentences(heard)


def test_folders_files_and_sessions_are_dropped_onto_the_dock(panel, reviewer, folder, qtbot, tmp_path):
    around = QWidget()
    qtbot.addWidget(around)
    panel.take_drops_on(around)
    drop(around, folder)
    wait_for(panel, qtbot, "plate_0.png", regions=False)
    drop(panel, folder / "plate_3.png")
    wait_for(panel, qtbot, "plate_3.png", regions=False)
    assert panel.position == "image 1 of 1"
    Session.open(tmp_path / "old.anoclip").close()
    with qtbot.waitSignal(reviewer.session_changed):
        drop(panel, tmp_path / "old.anoclip")


def test_one_leafs_through_all_pictures_forwards_and_back(panel, folder, qtbot, heard):
    opened(panel, qtbot, folder, regions=False)
    for number in (1, 2, 3):
        qtbot.mouseClick(panel.next_button, Qt.MouseButton.LeftButton)
        assert panel.position == f"image {number + 1} of 4"
    wait_for(panel, qtbot, "plate_3.png", regions=False)
    panel.next()
    assert sentences(heard)[-1].startswith("There is no picture that is not judged after this one.")
    qtbot.mouseClick(panel.previous_button, Qt.MouseButton.LeftButton)
    wait_for(panel, qtbot, "plate_2.png")


def test_a_run_that_the_user_started_on_an_image_of_their_own_is_not_cut_short(
    panel, reviewer, folder, qtbot, viewer, picture
):
    viewer.add_image(picture, rgb=True, name="mine")
    cancelled = []
    reviewer.desk.job.cancelled.connect(lambda: cancelled.append(True))
    reviewer.desk.run()
    opened(panel, qtbot, folder)
    assert not cancelled
    assert any(layer.name.startswith("mine · anomaly") for layer in viewer.layers)


def test_an_image_of_the_users_own_is_judged_without_moving_the_queue(panel, reviewer, folder, qtbot, viewer, picture):
    opened(panel, qtbot, folder)
    own = viewer.add_image(picture, rgb=True, name="mine")
    reviewer.desk.run()
    qtbot.waitUntil(lambda: reviewer.image == own and bool(reviewer.regions), timeout=20_000)
    reviewer.good()
    qtbot.wait(1000)
    assert shown(panel) == "plate_0.png"
    assert own in viewer.layers
    panel.next()
    wait_for(panel, qtbot, "plate_1.png")
    assert own in viewer.layers


def test_everything_is_named_has_a_tooltip_and_is_reached_by_tab(panel, folder, qtbot):
    opened(panel, qtbot, folder, regions=False)
    for control in (
        panel.folder_button,
        panel.files_button,
        panel.previous_button,
        panel.pictures,
        panel.next_button,
        panel.show_box,
    ):
        assert control.accessibleName()
        assert control.toolTip()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_long_names_do_not_widen_the_dock(panel, folder, qtbot, tmp_path):
    long = tmp_path / ("a very long name of a folder " * 4).strip() / ("and & of one in it " * 4).strip()
    long.mkdir(parents=True)
    save(long / ("picture " * 20 + ".png"), 1)
    panel.open_folder(long)
    qtbot.waitUntil(lambda: panel.position == "image 1 of 1")
    panel.resize(320, 120)
    assert panel.minimumSizeHint().width() <= 300
    assert "…" in panel.folder_button.text()
    assert str(long) in panel.folder_button.toolTip()


@pytest.mark.fault(
    "GUI lifetimes",
    "the review dock is closed while a folder is gone through",
    "the session; no thread is left",
    sees="the dock closes",
)
def test_closing_in_the_middle_of_it_all_leaves_no_thread(panel, folder, qtbot):
    panel.open_folder(folder)
    qtbot.waitUntil(lambda: panel.position == "image 1 of 4")
    panel.next()
    panel.close_down()

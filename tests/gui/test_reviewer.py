"""What a person does in a review, and what becomes of it; without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from gui.reviewed import BACKGROUND, blobs, show_map, show_stack, wait_for_regions
from review import reviewing
from skimage.io import imread, imsave

from napari_anoclip.engine.prompts import PromptSet
from napari_anoclip.plugin import review_store
from napari_anoclip.plugin.disagreement import other_prompts
from napari_anoclip.plugin.judged_images import JudgedImages
from napari_anoclip.plugin.queue_canvas import FILE_KEY
from napari_anoclip.plugin.reviewer import Reviewer
from napari_anoclip.review.judgement import Verdict
from napari_anoclip.review.order import Order
from napari_anoclip.review.region_mask import RegionMask
from napari_anoclip.review.regions import RegionSettings
from napari_anoclip.review.session import Session

SHAPE = (96, 120)
THREE = [(10, 10, 0.9), (40, 60, 0.8), (70, 100, 0.7)]


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)


@pytest.fixture
def image(viewer, dock, pixels):
    return viewer.add_image(pixels, rgb=True, name="plate")


@pytest.fixture
def reviewer(viewer, dock, image, qtbot):
    reviewer = Reviewer(viewer)
    show_map(viewer, image, blobs(SHAPE, THREE))
    wait_for_regions(qtbot, reviewer, 3)
    yield reviewer
    reviewer.close_down()


def verdicts(reviewer: Reviewer) -> dict[int, Verdict | None]:
    return {region.id: region.verdict for region in reviewer.regions}


def test_regions_come_hottest_first_and_the_first_one_is_current(reviewer):
    assert [region.measures.maximum for region in reviewer.regions] == pytest.approx([0.9, 0.8, 0.7])
    assert reviewer.current is reviewer.regions[0]
    assert reviewer.problem == ""


def test_a_verdict_goes_on_to_the_next_region_until_all_are_judged(reviewer, qtbot):
    first, second, third = (region.id for region in reviewer.regions)
    reviewer.judge(Verdict.DEFECT)
    assert reviewer.current.id == second
    reviewer.judge(Verdict.FALSE)
    with qtbot.waitSignal(reviewer.image_done):
        reviewer.judge(Verdict.UNSURE)
    wait_for_regions(qtbot, reviewer)
    assert verdicts(reviewer) == {first: Verdict.DEFECT, second: Verdict.FALSE, third: Verdict.UNSURE}
    assert reviewer.entry.complete, "the whole map was looked at"


def test_good_makes_all_regions_false_and_the_image_known_as_a_whole(reviewer, qtbot):
    reviewer.judge(Verdict.DEFECT)
    reviewer.good()
    wait_for_regions(qtbot, reviewer)
    assert set(verdicts(reviewer).values()) == {Verdict.FALSE}
    assert reviewer.entry.complete


def test_undo_goes_back_through_everything_and_redo_forth_again(reviewer, qtbot):
    before = verdicts(reviewer)
    reviewer.judge(Verdict.DEFECT)
    reviewer.set_kind("crack")
    reviewer.set_note("see the corner")
    mask = RegionMask.of(np.ones((5, 5), bool), (80, 10))
    reviewer.add_region(mask, ())
    wait_for_regions(qtbot, reviewer, 4)
    after = verdicts(reviewer)
    for _ in range(4):
        reviewer.undo()
    wait_for_regions(qtbot, reviewer, 3)
    assert verdicts(reviewer) == before
    for _ in range(4):
        reviewer.redo()
    wait_for_regions(qtbot, reviewer, 4)
    assert verdicts(reviewer) == after


def test_nothing_to_undo_is_said(reviewer, qtbot):
    with qtbot.waitSignal(reviewer.said) as said:
        reviewer.undo()
    assert said.args[0] == "There is nothing to undo."


def test_a_kind_is_chosen_by_its_number_and_an_unknown_number_is_said(reviewer, qtbot):
    first = reviewer.current.id
    reviewer.set_kind(2)
    assert reviewer.region(first).judgement.kind == "crack"
    assert reviewer.region(first).verdict is Verdict.DEFECT
    with qtbot.waitSignal(reviewer.said) as said:
        reviewer.set_kind(9)
    assert "no kind 9" in said.args[0]


def test_a_higher_threshold_keeps_verdicts_and_brings_them_back(reviewer, qtbot):
    for _ in range(3):
        reviewer.judge(Verdict.DEFECT)
    reviewer.set_threshold(0.85)
    wait_for_regions(qtbot, reviewer, 1)
    assert len(reviewer.vanished) == 2
    reviewer.set_threshold(0.5)
    wait_for_regions(qtbot, reviewer, 3)
    assert set(verdicts(reviewer).values()) == {Verdict.DEFECT}


def test_what_counts_as_a_region_can_be_changed(reviewer, qtbot):
    reviewer.set_settings(RegionSettings(min_area=65))
    wait_for_regions(qtbot, reviewer, 0)
    assert "Nothing lies above the threshold" in reviewer.problem


def test_the_order_of_the_queue(reviewer, viewer, image, qtbot):
    show_map(viewer, image, blobs(SHAPE, [(10, 10, 0.9), (40, 60, 0.55), (70, 100, 0.7), (70, 103, 0.7)]))
    reviewer.look()
    wait_for_regions(qtbot, reviewer, 3)
    reviewer.set_order(Order.DOUBTFUL)
    wait_for_regions(qtbot, reviewer)
    assert [round(region.measures.maximum, 2) for region in reviewer.regions] == [0.55, 0.7, 0.9]
    reviewer.set_order(Order.LARGEST)
    wait_for_regions(qtbot, reviewer)
    assert reviewer.regions[0].measures.area == 8 * 11


def test_an_image_without_a_map_says_so_and_takes_what_is_drawn(viewer, dock, image, qtbot):
    reviewer = Reviewer(viewer)
    qtbot.waitUntil(lambda: reviewer.entry is not None and reviewer.problem.startswith("Press Run"))
    reviewer.add_region(RegionMask.of(np.ones((4, 4), bool), (3, 5)), ())
    wait_for_regions(qtbot, reviewer, 1)
    assert reviewer.regions[0].verdict is Verdict.DEFECT
    assert reviewer.regions[0].measures.maximum is None
    reviewer.close_down()


def test_without_any_image_it_says_so(viewer, dock, qtbot):
    reviewer = Reviewer(viewer)
    assert "no image yet" in reviewer.problem
    reviewer.judge(Verdict.DEFECT)
    reviewer.good()
    reviewer.close_down()


def test_planes_of_a_stack_have_their_own_regions(viewer, dock, qtbot):
    stack = viewer.add_image(np.random.default_rng(0).integers(0, 255, (4, *SHAPE), np.uint8), name="stack")
    reviewer = Reviewer(viewer)
    show_stack(viewer, stack, [blobs(SHAPE, [(10 * plane, 10, 0.6 + plane / 10)]) for plane in range(4)])
    wait_for_regions(qtbot, reviewer, 4)
    assert [region.plane for region in reviewer.regions] == [(3,), (2,), (1,), (0,)]
    reviewer.set_settings(RegionSettings(volume=True))
    qtbot.waitUntil(lambda: all(len(region.mask.start) == 3 for region in reviewer.regions), timeout=5000)
    assert reviewer.subject.map_shape == (4, *SHAPE)
    reviewer.close_down()


def test_replaced_pixels_are_another_image(reviewer, image, qtbot):
    reviewer.judge(Verdict.DEFECT)
    key = reviewer.entry.key
    image.data = 255 - image.data
    qtbot.waitUntil(lambda: reviewer.entry is not None and reviewer.entry.key != key, timeout=10_000)
    assert not reviewer.entry.judgements
    assert reviewer.review.images[key].judgements, "what was said of the other one is kept"


@pytest.fixture
def on_disk(tmp_path, pixels) -> Path:
    file = tmp_path / "line3" / "part.png"
    file.parent.mkdir()
    imsave(file, pixels, check_contrast=False)
    return file


def open_file(viewer, file, qtbot, places=THREE):
    layer = viewer.add_image(imread(file), rgb=True, name="part")
    layer.metadata[FILE_KEY] = str(file)
    reviewer = Reviewer(viewer)
    show_map(viewer, layer, blobs(SHAPE, places))
    wait_for_regions(qtbot, reviewer, len(places))
    return reviewer


def test_the_first_verdict_opens_a_session_beside_the_image(viewer, dock, on_disk, qtbot):
    reviewer = open_file(viewer, on_disk, qtbot)
    reviewer.judge(Verdict.DEFECT)
    assert reviewer.session.folder == on_disk.parent / "line3.anoclip"
    reviewer.close_down()
    saved = json.loads((on_disk.parent / "line3.anoclip" / "session.json").read_text())
    assert saved["images"][0]["path"] == "../part.png"
    assert saved["images"][0]["judgements"][0]["verdict"] == "defect"


def test_a_session_beside_the_image_is_opened_by_itself(viewer, dock, on_disk, qtbot):
    first = open_file(viewer, on_disk, qtbot)
    first.judge(Verdict.FALSE)
    first.close_down()
    viewer.layers.clear()
    again = open_file(viewer, on_disk, qtbot)
    qtbot.waitUntil(lambda: again.session is not None and again.regions[0].verdict is Verdict.FALSE, timeout=10_000)
    again.close_down()


@pytest.mark.fault(
    "sessions", "no session can be made beside the image", "the verdict, in a session of a folder of the user"
)
def test_a_folder_that_cannot_be_written_is_said_and_another_one_taken(viewer, dock, on_disk, qtbot, monkeypatch, sees):
    monkeypatch.setattr(review_store, "beside", lambda file: Path("/proc/none/line3.anoclip"))
    reviewer = open_file(viewer, on_disk, qtbot)
    with qtbot.waitSignal(reviewer.said) as said:
        reviewer.judge(Verdict.DEFECT)
    assert "cannot be made" in said.args[0]
    assert "instead" in sees(said.args[0])
    assert reviewer.session.folder == review_store.own_folder()
    reviewer.close_down()


def test_what_was_judged_before_goes_into_the_session_that_is_opened(reviewer, tmp_path, qtbot):
    reviewer._store.begin = lambda file: None  # as if nothing could be written
    reviewer.judge(Verdict.DEFECT)
    assert reviewer.session is None
    with qtbot.waitSignal(reviewer.session_changed):
        reviewer.open_session(tmp_path / "mine.anoclip")
    wait_for_regions(qtbot, reviewer, 3)
    assert reviewer.regions[0].verdict is Verdict.DEFECT
    assert reviewer.session.review.images[reviewer.entry.key].judgements


@pytest.mark.fault("sessions", "a session that somebody else has open", "their session, until “Take over” is pressed")
def test_a_session_that_is_open_elsewhere_is_offered_to_be_taken_over(reviewer, tmp_path, qtbot, sees):
    folder = tmp_path / "theirs.anoclip"
    theirs = Session.open(folder, owner="Ann")
    with qtbot.waitSignal(reviewer.said) as said:
        reviewer.open_session(folder)
    assert "Ann" in sees(said.args[0])
    assert said.args[1] == "Take over"
    with qtbot.waitSignal(reviewer.session_changed):
        said.args[2]()
    assert reviewer.session.folder == folder
    theirs.close()


def test_what_was_mended_at_opening_is_said(reviewer, tmp_path, qtbot):
    folder = tmp_path / "mine.anoclip"
    Session.open(folder).close()
    (folder / "session.json").write_text("{", "utf-8")
    with qtbot.waitSignal(reviewer.said) as said:
        reviewer.open_session(folder)
    assert said.args[0].startswith("session.json was damaged")


def test_changes_are_saved_by_themselves(reviewer, qtbot, monkeypatch):
    reviewer._store._timer.setInterval(50)
    reviewer.judge(Verdict.DEFECT)
    qtbot.waitUntil(lambda: not reviewer.session.unsaved, timeout=5000)
    assert (reviewer.session.folder / "session.json").exists()


def test_nothing_is_above_a_map_that_is_all_background(reviewer, viewer, image, qtbot):
    show_map(viewer, image, np.full(SHAPE, BACKGROUND, np.float32))
    reviewer.look()
    wait_for_regions(qtbot, reviewer, 0)
    assert reviewer.current is None
    reviewer.next()


def test_most_telling_is_where_another_prompt_set_disagrees(
    viewer, dock, use_model, bright_is_bad, run, picture, qtbot
):
    use_model(bright_is_bad)
    viewer.add_image(picture, rgb=True, name="bright spot")
    reviewer = Reviewer(viewer)
    run(dock)
    qtbot.waitUntil(lambda: reviewer.result is not None)
    values = reviewer.result.data
    reviewer.set_threshold(float(values.min() + values.max()) / 2)
    qtbot.waitUntil(lambda: bool(reviewer.regions), timeout=10_000)
    reviewer.set_order(Order.TELLING)
    qtbot.waitUntil(lambda: reviewer._disagreement.maps is not None, timeout=20_000)
    (other,) = reviewer._disagreement.maps.values()
    assert other.shape == values.shape
    assert not np.allclose(other, values), "the map of other prompts"
    reviewer.close_down()


def test_what_is_compared_with_is_the_last_other_prompt_set_of_the_history(reviewer, dock):
    prompts = dock.controls.document.value
    assert other_prompts(prompts, None).digest == PromptSet.preset("paper-texture", prompts.object).digest
    paper = PromptSet.preset("paper-texture", "plate")
    assert other_prompts(paper, None).digest == PromptSet.preset("short", "plate").digest
    reviewer.judge(Verdict.DEFECT)
    earlier = reviewing.trial("disc")
    reviewer.session.trials = [earlier, earlier.model_copy(update={"prompts": prompts})]
    assert other_prompts(prompts, reviewer.session) == earlier.prompts


def test_judged_images_are_put_to_the_model_in_the_contrast_that_they_were_judged_in(viewer, dock, qtbot):
    pixels = np.random.default_rng(0).integers(0, 60_000, SHAPE, np.uint16)
    layer = viewer.add_image(pixels, name="x-ray", contrast_limits=(100, 5000))
    reviewer = Reviewer(viewer)
    show_map(viewer, layer, blobs(SHAPE, THREE))
    wait_for_regions(qtbot, reviewer, 3)
    reviewer.judge(Verdict.DEFECT)
    judged = JudgedImages.of(reviewer)
    (question,), broken = judged.questions(judged.now())
    assert not broken
    assert (question.source.scaling.low, question.source.scaling.high) == (100, 5000)
    reviewer.close_down()


def test_an_image_of_another_size_than_was_judged_is_left_out_of_the_figures(viewer, dock, on_disk, qtbot):
    reviewer = open_file(viewer, on_disk, qtbot)
    reviewer.judge(Verdict.DEFECT)
    viewer.layers.clear()
    imsave(on_disk, np.zeros((20, 20, 3), np.uint8), check_contrast=False)
    judged = JudgedImages.of(reviewer)
    questions, broken = judged.questions(judged.now())
    assert questions == []
    assert broken == ("part.png",)
    reviewer.close_down()

"""A data set put to a tiny model: what is counted, what is shared, what is kept, what is left out."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from engine import golden
from PIL import Image
from sklearn.metrics import average_precision_score, roc_auc_score

from napari_anoclip.batch import category_pass
from napari_anoclip.batch import evaluate as module
from napari_anoclip.batch.datasets import DATASETS, DataSet, Sample
from napari_anoclip.batch.datasets.masks import Ellipse
from napari_anoclip.batch.demo_data import write_demo_data
from napari_anoclip.batch.errors import BatchError, OutputError
from napari_anoclip.batch.evaluate import KEPT, evaluate
from napari_anoclip.batch.evaluation import Evaluation
from napari_anoclip.batch.figures import IMAGE_FIGURES, PIXEL_FIGURES, TITLES
from napari_anoclip.batch.protocol import PRESETS, Protocol
from napari_anoclip.batch.recipe import ModelSpec
from napari_anoclip.engine import AnoCLIP, AnoCLIPSettings, PromptSet, vision
from napari_anoclip.engine.errors import Cancelled, ImageError, ModelError
from napari_anoclip.engine.settings import AdaptationSettings, MutualSettings, ScoringSettings, TilingSettings
from napari_anoclip.review import bootstrap

PROMPTS = PromptSet.compose(object="thing", normal_states=["normal {}"], abnormal_states=["damaged {}"])
FIT = Protocol(prompts=PROMPTS)
WARM = Protocol(prompts=PROMPTS, settings=AnoCLIPSettings(scoring=ScoringSettings(temperature=1.0)))
TILED = Protocol(prompts=PROMPTS, settings=AnoCLIPSettings(tiling=TilingSettings(mode="both")))
MUTUAL = Protocol(prompts=PROMPTS, settings=AnoCLIPSettings(mutual=MutualSettings(enabled=True, degrees=(1,))))
CUT = Protocol(prompts=PROMPTS, squares="cut")
MVTEC = DATASETS["mvtec"]
SIZE = 60, 84


def picture(seed):
    return np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def spot(number):
    mask = np.zeros(SIZE, bool)
    mask[10 + number : 30 + number, 5 : 20 + 5 * number] = True
    return mask


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two categories in MVTec's layout, each with three good and three bad pictures."""
    for place, category in enumerate(("carpet", "metal_nut")):
        for number in range(3):
            seed = 10 * place + number
            write(tmp_path / "data" / category / f"test/good/{number:03}.png", picture(seed))
            write(tmp_path / "data" / category / f"test/hole/{number:03}.png", picture(seed + 5))
            mask = spot(number).astype(np.uint8) * 255
            write(tmp_path / "data" / category / f"ground_truth/hole/{number:03}_mask.png", mask)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> AnoCLIP:
    folder = tmp_path_factory.mktemp("cache")
    return AnoCLIP.from_open_clip(golden.tiny_model(), golden.tokenizer(), cache_folder=folder)


@pytest.fixture
def tower_runs(model: AnoCLIP, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many inputs the image tower gets at each run."""
    model.forget_tokens()
    runs: list[int] = []
    original = vision.two_paths

    def counted(visual, images, **options):
        runs.append(len(images))
        return original(visual, images, **options)

    monkeypatch.setattr(vision, "two_paths", counted)
    return runs


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 4)


def by_hand(model, root, category, word, settings):
    """Maps, masks and scores, picture by picture."""
    kinds = [("good", None), ("hole", spot)]
    for kind, truth in kinds:
        for number in range(3):
            pixels = np.asarray(Image.open(root / category / f"test/{kind}/{number:03}.png"))
            found = model.detect(pixels, PROMPTS.with_object(word), settings)
            yield found, np.zeros(SIZE, bool) if truth is None else truth(number)


def test_figures_are_those_of_detections_one_by_one(model, root):
    told = evaluate(MVTEC, root, {"ours": WARM}, model).variants[0]
    assert [(one.category, one.object, one.kind) for one in told.categories] == [
        ("carpet", "carpet", "texture"),
        ("metal_nut", "metal nut", "object"),
    ]
    for category in told.categories:
        found, masks = zip(*by_hand(model, root, category.category, category.object, WARM.settings), strict=True)
        scores, truth = np.stack([one.map for one in found]).ravel(), np.stack(masks).ravel()
        assert category.figures.pixel_auroc.value == pytest.approx(roc_auc_score(truth, scores), abs=1e-6)
        assert category.figures.pixel_ap.value == pytest.approx(average_precision_score(truth, scores), abs=1e-6)
        labels = [mask.any() for mask in masks]
        assert category.figures.image_auroc.value == pytest.approx(roc_auc_score(labels, [one.score for one in found]))
        assert (category.figures.images, category.figures.defective) == (6, 3)
        assert category.seconds > 0
    means = [np.mean([one.figures[name].value for one in told.categories]) for name in TITLES]
    assert [told.mean[name].value for name in TITLES] == pytest.approx(means)


@pytest.mark.parametrize("protocol", [FIT, WARM, TILED, CUT], ids=["fit", "temperature", "tiles", "cut"])
def test_in_the_models_resolution_masks_are_reduced_to_what_the_model_sees(model, root, monkeypatch, protocol):
    seen = []
    monkeypatch.setattr(
        category_pass.FigureCounter, "add_map", lambda self, number, heat, mask: seen.append((heat, mask))
    )
    native = evaluate(MVTEC, root, {"ours": protocol}, model, categories=["carpet"])
    maps = seen[:]
    seen.clear()
    told = evaluate(MVTEC, root, {"ours": protocol}, model, categories=["carpet"], resolution="model")
    assert (native.resolution, told.resolution) == ("native", "model")
    side = model.image_size
    expected = (side, side) if protocol.squares == "whole" else (side, round(side * SIZE[1] / SIZE[0]))
    for (large, truth), (small, reduced) in zip(maps, seen, strict=True):
        assert large.shape == truth.shape == SIZE
        assert small.shape == reduced.shape == expected
        assert truth.mean() == pytest.approx(reduced.mean(), abs=0.02)
        assert small.mean() == pytest.approx(large.mean(), abs=0.02 * float(np.ptp(large)) + 1e-6)
        # The same picture at the same places.
        rows, columns = (np.arange(4, count, 9) for count in expected)
        places = tuple(
            ((axis + 0.5) * full / count).astype(int)
            for axis, full, count in zip((rows, columns), SIZE, expected, strict=True)
        )
        close = np.abs(small[np.ix_(rows, columns)] - large[np.ix_(*places)])
        assert close.max() < 0.15 * np.ptp(large)


def test_cut_pictures_are_averaged_where_squares_overlap(model, root, monkeypatch):
    seen, scores = [], []
    monkeypatch.setattr(category_pass.FigureCounter, "add_map", lambda self, number, heat, mask: seen.append(heat))
    monkeypatch.setattr(category_pass.FigureCounter, "add_score", lambda self, number, score, bad: scores.append(score))
    evaluate(MVTEC, root, {"cut": CUT}, model, categories=["carpet"])
    pixels = np.asarray(Image.open(root / "carpet/test/good/000.png"))
    prompts = PROMPTS.with_object("carpet")
    left, right = (model.detect(np.ascontiguousarray(part), prompts) for part in (pixels[:, :60], pixels[:, 24:]))
    np.testing.assert_allclose(seen[0][:, :24], left.map[:, :24], atol=1e-6)
    np.testing.assert_allclose(seen[0][:, 24:60], (left.map[:, 24:] + right.map[:, :36]) / 2, atol=1e-6)
    np.testing.assert_allclose(seen[0][:, 60:], right.map[:, 36:], atol=1e-6)
    assert scores[0] == pytest.approx((left.score + right.score) / 2)


def test_several_settings_share_one_pass_of_tokens(model, root, tower_runs):
    adapting = Protocol(prompts=PROMPTS, settings=AnoCLIPSettings(adaptation=AdaptationSettings(enabled=True)))
    told = evaluate(MVTEC, root, {"ours": FIT, "warm": WARM, "adapted": adapting}, model)
    assert sum(tower_runs) == 12, "each picture once"
    assert [one.name for one in told.variants] == ["ours", "warm", "adapted"]
    ours, warm, _ = (one.categories[0].figures for one in told.variants)
    assert ours.pixel_auroc.value != pytest.approx(told.variants[2].categories[0].figures.pixel_auroc.value, abs=1e-9)
    assert warm.images == ours.images
    alone = evaluate(MVTEC, root, {"warm": WARM}, model).variants[0].categories[0].figures
    assert alone == warm


def test_the_published_protocol_runs_from_end_to_end(model, root):
    told = evaluate(MVTEC, root, {"paper": PRESETS["paper"]}, model, categories=["carpet"], limit=2, resolution="model")
    assert told.variants[0].protocol.settings == AnoCLIPSettings.paper()
    assert told.variants[0].categories[0].figures.images == 2
    assert told.limit == 2


class TestKept:
    def test_a_second_call_goes_on_where_the_first_was_stopped(self, model, root, tmp_path, tower_runs):
        flag = threading.Event()

        def stop(progress):
            if progress.stage == "evaluating metal_nut" and progress.done == 2:
                flag.set()

        with pytest.raises(Cancelled, match="of 2 categories 1 are done and kept in"):
            evaluate(MVTEC, root, {"ours": FIT}, model, out=tmp_path / "out", on_progress=stop, cancel=flag)
        assert len(list((tmp_path / "out" / KEPT).iterdir())) == 1
        model.forget_tokens()
        tower_runs.clear()
        told = evaluate(MVTEC, root, {"ours": FIT}, model, out=tmp_path / "out")
        assert sum(tower_runs) == 6, "only the category that was not finished"
        plain = evaluate(MVTEC, root, {"ours": FIT}, model)
        assert [one.figures for one in told.variants[0].categories] == [
            one.figures for one in plain.variants[0].categories
        ]

    def test_what_is_done_is_not_done_again_under_another_name(self, model, root, tmp_path, tower_runs):
        first = evaluate(MVTEC, root, {"ours": FIT}, model, out=tmp_path / "out").variants[0]
        model.forget_tokens()
        tower_runs.clear()
        second = evaluate(MVTEC, root, {"mine": FIT}, model, out=tmp_path / "out").variants[0]
        assert not tower_runs
        assert (second.name, second.categories) == ("mine", first.categories)

    @pytest.mark.parametrize("change", ["settings", "resolution", "picture", "mask", "file", "version"])
    def test_what_was_made_in_another_way_does_not_count(self, model, root, tmp_path, tower_runs, monkeypatch, change):
        def run(protocol=FIT, **options):
            return evaluate(
                MVTEC, root, {"ours": protocol}, model, out=tmp_path / "out", categories=["carpet"], **options
            )

        run()
        model.forget_tokens()
        tower_runs.clear()
        if change == "settings":
            run(WARM)
        elif change == "resolution":
            run(resolution="model")
        elif change == "version":
            monkeypatch.setattr(module, "__version__", "99")
            run()
        elif change == "file":
            next((tmp_path / "out" / KEPT).iterdir()).write_text("{")
            run()
        else:
            path = "test/good/001.png" if change == "picture" else "ground_truth/hole/001_mask.png"
            write(root / "carpet" / path, spot(2).astype(np.uint8) * 255)
            run()
        assert sum(tower_runs) == 6

    def test_truth_that_is_numbers_counts_by_them(self, tmp_path):
        store = module._Store(tmp_path, "model", "native", tmp_path)
        first, second = (store._identity(Ellipse(tmp_path / "1.png", 9, 4, angle, 20, 20)) for angle in (0.1, 0.2))
        assert first != second
        assert str(tmp_path) not in str(first), "a data set may be moved"

    def test_a_picture_that_was_left_out_is_tried_again_if_it_can_be_read_now(self, model, root, tmp_path, monkeypatch):
        def run():
            return evaluate(MVTEC, root, {"ours": FIT}, model, out=tmp_path / "out", categories=["carpet"])

        def out_of_order(path, real=category_pass.picture_size):
            if path.name == "001.png":
                raise ImageError("The disk is out of order.")
            return real(path)

        with monkeypatch.context() as patch:
            patch.setattr(category_pass, "picture_size", out_of_order)
            assert len(run().broken) == 2
        assert run().broken == ()

    def test_a_picture_that_is_broken_still_makes_nobody_look_again(self, model, root, tmp_path, tower_runs):
        (root / "carpet/test/hole/001.png").write_bytes(b"no picture")
        first, second = (
            evaluate(MVTEC, root, {"ours": FIT}, model, out=tmp_path / "out", categories=["carpet"]) for _ in range(2)
        )
        assert sum(tower_runs) == 5
        assert first == second

    def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(self, root, tmp_path):
        (tmp_path / "out").touch()
        with pytest.raises(OutputError, match=r"cannot be written to .*out"):
            evaluate(MVTEC, root, {"ours": FIT}, ModelSpec(name="not/there.pt"), out=tmp_path / "out")


class TestBroken:
    @pytest.mark.parametrize(
        ("error", "words"), [(ModelError("No number."), "No number."), (MemoryError(), "Memory ran out for this image")]
    )
    def test_a_picture_of_which_nothing_comes_is_left_out(self, model, root, monkeypatch, error, words):
        def failing(self, source, *arguments, real=AnoCLIP.detect, **options):
            calls.append(source)
            if len(calls) == 2:
                raise error
            return real(self, source, *arguments, **options)

        calls = []
        monkeypatch.setattr(AnoCLIP, "detect", failing)
        told = evaluate(MVTEC, root, {"ours": FIT}, model, categories=["carpet"])
        assert [(one.path, words in one.reason) for one in told.broken] == [("carpet/test/good/001.png", True)]

    def test_pictures_are_named_and_left_out(self, model, root):
        (root / "carpet/test/hole/001.png").write_bytes(b"no picture")
        cut = root / "carpet/test/good/000.png"
        cut.write_bytes(cut.read_bytes()[:3000])
        told = evaluate(MVTEC, root, {"ours": FIT, "warm": WARM}, model)
        assert {one.path for one in told.broken} == {"carpet/test/hole/001.png", "carpet/test/good/000.png"}
        assert all("000.png" in one.reason or "001.png" in one.reason for one in told.broken)
        assert told.variants[1].categories[0].figures.images == 4
        assert told.variants[1].categories[1].figures.images == 6

    def test_a_mask_of_another_size_takes_its_picture_along(self, model, root):
        write(root / "carpet/ground_truth/hole/002_mask.png", np.full((30, 30), 255, np.uint8))
        told = evaluate(MVTEC, root, {"ours": FIT}, model, categories=["carpet"])
        assert [one.path for one in told.broken] == ["carpet/test/hole/002.png"]
        assert told.variants[0].categories[0].figures.defective == 2

    def test_pictures_that_judge_each_other_do_not_get_mixed_up_by_it(self, model, root):
        # The first of the list by a mask, the last by its own file.
        write(root / "carpet/ground_truth/hole/000_mask.png", np.full((30, 30), 255, np.uint8))
        (root / "carpet/test/hole/002.png").write_bytes(b"no picture")
        write(root / "carpet/test/good/003.png", picture(77))
        told = evaluate(MVTEC, root, {"text": FIT, "mutual": MUTUAL}, model, categories=["carpet"])
        assert [one.path for one in told.broken] == ["carpet/test/hole/000.png", "carpet/test/hole/002.png"]
        assert [one.categories[0].figures.images for one in told.variants] == [5, 5]


def test_a_name_that_is_no_text_can_be_written_down():
    assert category_pass.name_within(Path("/d"), Path("/d/carpet/a\udcff.png")) == "carpet/a\\xff.png"


class _Labels:
    """A layout of pictures with labels and without masks."""

    expected, parts = "pictures", ()

    def categories(self, root):
        return ["carpet"]

    def samples(self, root, category):
        kinds = {"good": False, "hole": True}
        return [Sample(path, kinds[path.parent.name], None) for path in sorted((root / category / "test").glob("*/*"))]


def test_labels_alone_give_figures_of_images_alone(model, root):
    data = DataSet(*(("labels", "Labels", _Labels()) + ("",) * 5))
    figures = evaluate(data, root, {"ours": FIT}, model).variants[0].categories[0].figures
    assert {figures[name].value for name in PIXEL_FIGURES} == {None}
    assert figures.pixel_ap.words == "no image has a mask"
    assert None not in {figures[name].value for name in IMAGE_FIGURES}


class TestMutual:
    def test_images_of_a_category_judge_each_other(self, model, root):
        plain = MUTUAL.model_copy(update={"neighbours": ()})
        told = evaluate(MVTEC, root, {"text": FIT, "mutual": MUTUAL, "plain": plain}, model, categories=["carpet"])
        text, mutual, plain = (one.categories[0].figures for one in told.variants)
        assert text.pixel_auroc.value != mutual.pixel_auroc.value
        assert mutual.pixel_auroc == plain.pixel_auroc, "neighbours change image scores only"

    def test_image_scores_are_drawn_to_those_of_neighbours(self, model, root, monkeypatch):
        asked = []
        monkeypatch.setattr(
            category_pass, "rescore", lambda scores, tokens, neighbours: asked.append(tokens.shape) or scores
        )
        evaluate(MVTEC, root, {"mutual": MUTUAL}, model, categories=["carpet"])
        assert asked == [(6, model.encode_prompts(PROMPTS).sides.shape[1])]

    def test_too_few_images_are_told_with_the_categorys_name(self, model, root):
        with pytest.raises(BatchError, match=r"^carpet: .* at least"):
            evaluate(MVTEC, root, {"mutual": MUTUAL}, model, limit=2)


def test_nothing_to_evaluate_is_told(model, root):
    with pytest.raises(BatchError, match="name a preset"):
        evaluate(MVTEC, root, {}, model)


def test_a_limit_is_spread_over_the_pictures(model, root):
    told = evaluate(MVTEC, root, {"ours": FIT}, model, limit=4).variants[0]
    assert [(one.figures.images, one.figures.defective) for one in told.categories] == [(4, 2), (4, 2)]


def test_an_evaluation_survives_a_file(model, root):
    told = evaluate(MVTEC, root, {"paper": PRESETS["paper"].with_settings(AnoCLIPSettings())}, model, limit=2)
    assert Evaluation.model_validate_json(told.model_dump_json()) == told


def test_the_builtin_model_finds_the_defects_of_generated_pictures_in_visas_layout(tmp_path):
    root = write_demo_data(tmp_path / "demo", "visa", images=6, side=96, materials=["demo_metal"])
    fitted = Protocol(prompts="short")
    cut = fitted.model_copy(update={"squares": "cut"})
    told = evaluate(DATASETS["visa"], root, {"fit": fitted, "cut": cut}, ModelSpec(device="cpu"), resolution="model")
    for variant in told.variants:
        figures = variant.categories[0].figures
        assert (figures.images, figures.defective) == (6, 3)
        assert figures.pixel_auroc.value > 0.7
    assert told.model == "builtin"
